"""What the colours in label files stand for: those that are given, those of a known data set, or a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from seg_demo.classes import IGNORE_INDEX, MAX_CLASSES, ClassMap, distinct_colors
from seg_demo.data.masks import pack, unpack_color
from seg_demo.data.strays import INNER_SHARE, Totals
from seg_demo.errors import Sentence
from seg_demo.palettes import CLASS_MAPS, VOC_COLORS

WHITE = 0xFFFFFF  # how this project draws ignored pixels
VOID_COLORS = {0xE0E0C0: IGNORE_INDEX, WHITE: IGNORE_INDEX}  # the first is VOC's border


class ColorReading(NamedTuple):
    """table: 0xRRGGBB -> class id, 255 for ignored ones. guess: "none", "likely" or "blind"."""

    table: Mapping[int, int]
    classes: ClassMap
    reasons: list[Sentence]
    guess: str = "none"


def read_colors(
    totals: Totals, strays: frozenset[int], classes: ClassMap | None, given: Mapping[int, int]
) -> ColorReading:
    """totals: of all files that are read by colour. given: what is known of them, 0xRRGGBB -> id."""
    if classes and given:
        return ColorReading({**VOID_COLORS, **given}, classes, [])
    used = [value for value in totals.values if value not in strays]
    reasons = []
    void = {value: IGNORE_INDEX for value in used if _is_void(totals, value, used, classes)}
    if void:
        shown = ", ".join(f"#{value:06x}" for value in void)
        reasons.append(Sentence("The colour {colors} is read as ignored.", colors=shown))
    colors = [value for value in used if value not in void]
    for name, published in CLASS_MAPS.items():
        table = color_table(published)
        if not classes and len(colors) > 2 and name != "voc" and set(colors) <= set(table):
            reasons.append(Sentence("The colours of the label files are those of {name}.", name=name))
            return ColorReading({**VOID_COLORS, **table}, published, reasons)
    colors = colors[:MAX_CLASSES]  # the others stand for nothing, and will be reported
    # Black is the background nearly everywhere; tools that number colours use VOC's, whose order then is the tool's.
    in_voc = {color: place for place, color in enumerate(VOC_COLORS)}
    rank = {value: place for place, value in enumerate(colors)}
    ordered = sorted(colors, key=lambda value: (value != 0, in_voc.get(value, 256), rank[value]))
    table = {value: class_id for class_id, value in enumerate(ordered)}
    if classes:
        reasons.append(
            Sentence(
                "The {count} colours of the label files were given to the named classes, black first.",
                count=len(colors),
            )
        )
        table = {value: class_id for value, class_id in table.items() if class_id < len(classes)}
        likely = tuple(ordered) == VOC_COLORS[: len(ordered)]
        return ColorReading({**void, **table}, classes, reasons, "likely" if likely else "blind")
    names = ["background", *(f"class {class_id}" for class_id in range(1, max(2, len(ordered))))]
    shown_colors = [unpack_color(value) for value in ordered]
    shown_colors += list(distinct_colors(max(0, 2 - len(shown_colors))))
    reasons.append(
        Sentence(
            "The label files hold {count} colours, which were numbered from 0: black first, the most frequent next.",
            count=len(ordered),
        )
    )
    return ColorReading({**void, **table}, ClassMap(tuple(names), tuple(shown_colors)), reasons, "likely")


def _is_void(totals: Totals, value: int, used: Sequence[int], classes: ClassMap | None) -> bool:
    """VOC's border always; white where it is a border only, and no class is left without a colour by that."""
    if value != WHITE:
        return value in VOID_COLORS
    thin = totals.inner[value] <= INNER_SHARE * totals.counts[value]
    return thin and len(used) > 2 and (classes is None or len(used) > len(classes))


def color_table(classes: ClassMap) -> dict[int, int]:
    """0xRRGGBB -> id; where two classes share a colour, the first."""
    table: dict[int, int] = {}
    for class_id, color in enumerate(packed_colors(classes)):
        table.setdefault(color, class_id)
    return table


def packed_colors(classes: ClassMap) -> list[int]:
    """0xRRGGBB of each class."""
    return [int(value) for value in pack(np.array(classes.colors, np.uint8))]
