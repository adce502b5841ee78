"""From the pixel values of a whole set of label files to what each of them stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seg_demo.classes import IGNORE_INDEX, MAX_CLASSES, ClassMap, distinct_colors
from seg_demo.data.masks import Decoding, Domain, pack, unpack_color
from seg_demo.data.strays import Totals, find_strays
from seg_demo.data.survey import LabelFacts
from seg_demo.errors import UserError
from seg_demo.palettes import CLASS_MAPS, VOC_COLORS

DOMAINS: tuple[Domain, ...] = ("number", "color")
HIGHEST_PLAIN_ID = 63  # without named classes, values up to this are taken for ids and higher ones for grey levels
VOID_COLORS = {
    0xE0E0C0: IGNORE_INDEX,
    0xFFFFFF: IGNORE_INDEX,
}  # VOC's border, and how this project draws ignored pixels


@dataclass(frozen=True)
class Reading:
    """How the label files of a data set are read. reasons: sentences for the user.

    strays: values that look like the traces of resampling, smoothing or compression, not like classes. guessed: whether
    the order of the classes was made up here.
    """

    decoding: Decoding
    classes: ClassMap
    reasons: tuple[str, ...]
    strays: Mapping[Domain, frozenset[int]] = field(default_factory=dict)
    guessed: bool = False


def find_reading(
    files: Sequence[LabelFacts],
    classes: ClassMap | None = None,
    *,
    colors_given: bool = False,
    numbers: Mapping[int, int] | None = None,
    colors: Mapping[int, int] | None = None,
) -> Reading:
    """Decide what the values of `files` stand for.

    classes: where they are known. colors_given: whether their colours are those of the label files. numbers, colors:
    what each number and each 0xRRGGBB stands for, where the layout says it. Otherwise the values themselves decide: ids
    0, 1, 2, ...; 0 and 255, or 0 and any other; grey levels in order; colours of a known data set; colours by
    frequency, black first.
    Raises `UserError` where there are no label files.
    """
    if not files:
        raise UserError("There is no label file that can be read. Add a label map to each picture.")
    files = [facts for facts in files if not facts.is_photo] or files
    given = colors or (_color_table(classes) if classes and colors_given else {})
    palettes, rgb, reasons = _domains(files, given)
    asked = Decoding({}, {}, palettes, rgb)
    totals = {domain: _totals(files, asked, domain) for domain in DOMAINS}
    known: dict[Domain, set[int]] = {"number": {IGNORE_INDEX, *(numbers or ())}, "color": {*VOID_COLORS, *given}}
    if classes and not numbers:
        known["number"] |= set(range(len(classes)))
    strays = {domain: find_strays(total, known[domain]) for domain, total in totals.items() if total.files}
    main = {domain: [value for value in totals[domain].values if value not in strays[domain]] for domain in strays}

    guessed = False
    number_table: Mapping[int, int] = {}
    color_table: Mapping[int, int] = {}
    if "number" in main:
        number_table, classes, why = _number_table(main["number"], classes, numbers)
        reasons += why
    if "color" in main:
        color_table, classes, why, guessed = _colors(main["color"], classes, given)
        reasons += why
    assert classes is not None
    return Reading(Decoding(number_table, color_table, palettes, rgb), classes, tuple(reasons), strays, guessed)


def _domains(files: Sequence[LabelFacts], given: Mapping[int, int]) -> tuple[Domain, Domain, list[str]]:
    """Whether palette and RGB files hold numbers or colours, and why. given: the colours that are known."""
    reasons: list[str] = []
    palettes: Domain = "number"
    seen: dict[int, int] = {}
    differing = False
    for facts in files:
        for index, color in facts.palette.items():
            differing |= seen.setdefault(index, color) != color
    by_color = bool(given) and set(seen.values()) <= set(given)
    if seen and differing:
        palettes = "color"
        reasons.append(
            "The palette files do not share one palette, so that an index means another colour in each: they are read "
            "by colour."
        )
    elif seen and by_color and any(given[color] != index for index, color in seen.items()):
        palettes = "color"
        reasons.append("The palette files use the given colours under other indices: they are read by colour.")
    elif seen:
        reasons.append("Palette files are read by their indices, not by their colours.")
    colored = [facts for facts in files if facts.kind in ("rgb", "rgba")]
    rgb: Domain = "color"
    if (
        colored
        and all(facts.greys for facts in colored)
        and not (given and {int(value) for facts in colored for value in facts.colors.values} <= set(given))
    ):
        rgb = "number"
        reasons.append("The RGB label files are grey throughout: their grey levels are read as numbers.")
    return palettes, rgb, reasons


def _totals(files: Sequence[LabelFacts], asked: Decoding, domain: Domain) -> Totals:
    return Totals.of([facts.values(domain) for facts in files if asked.domain(facts.kind) == domain], domain)


def _number_table(
    values: Sequence[int], classes: ClassMap | None, fixed: Mapping[int, int] | None
) -> tuple[Mapping[int, int], ClassMap, list[str]]:
    """values: in use, without strays."""
    if fixed is not None and classes is not None:
        return fixed, classes, []
    labels = sorted({value for value in values if value != IGNORE_INDEX})
    ids = {class_id: class_id for class_id in range(len(classes) if classes else 0)} | {IGNORE_INDEX: IGNORE_INDEX}
    if classes and all(value in ids for value in values) and not (len(classes) == 2 and 1 not in values):
        return ids, classes, []
    two = classes is None or len(classes) == 2
    if two and set(values) == {0, IGNORE_INDEX}:
        classes = classes or ClassMap.of("background", "object")
        return {0: 0, 255: 1}, classes, [f'The label files hold 0 and 255: 255 is read as "{classes.names[1]}".']
    if two and len(labels) == 2 and labels[0] == 0 and (labels[1] > HIGHEST_PLAIN_ID or classes) and labels[1] != 1:
        classes = classes or ClassMap.of("background", "object")
        table = {0: 0, labels[1]: 1} | ({} if labels[1] > 255 else {IGNORE_INDEX: IGNORE_INDEX})
        return table, classes, [f'The label files hold 0 and {labels[1]}: {labels[1]} is read as "{classes.names[1]}".']
    highest = labels[-1] if labels else 0
    if classes and (highest <= HIGHEST_PLAIN_ID or len(classes) not in (len(labels), len(set(values)))):
        return ids, classes, []  # whatever else is there will be reported
    if not classes and highest <= HIGHEST_PLAIN_ID:
        count = max(2, highest + 1)
        names = ["background", *(f"class {class_id}" for class_id in range(1, count))]
        return (
            {class_id: class_id for class_id in range(count)} | {IGNORE_INDEX: IGNORE_INDEX},
            ClassMap.of(*names),
            [f"The label files hold values up to {highest}, which are read as class ids."],
        )
    levels = sorted(set(values)) if not classes or len(set(values)) == len(classes) else labels
    levels = levels[:MAX_CLASSES]  # the others stand for nothing, and will be reported
    classes = classes or ClassMap.of("background", *(f"class {class_id}" for class_id in range(1, len(levels))))
    shown = ", ".join(map(str, levels[:8])) + (", ..." if len(levels) > 8 else "")
    return (
        {level: class_id for class_id, level in enumerate(levels)},
        classes,
        [f"The label files hold the grey levels {shown}, which are read as the classes in this order."],
    )


def _colors(
    values: Sequence[int], classes: ClassMap | None, given: Mapping[int, int]
) -> tuple[Mapping[int, int], ClassMap, list[str], bool]:
    if classes and given:
        return {**VOID_COLORS, **given}, classes, [], False
    void = {value: IGNORE_INDEX for value in values if value in VOID_COLORS and len(values) > 2}
    colors = [value for value in values if value not in void]
    for name, published in CLASS_MAPS.items():
        table = _color_table(published)
        if not classes and len(colors) > 2 and name != "voc" and set(colors) <= set(table):
            return VOID_COLORS | table, published, [f"The colours of the label files are those of {name}."], False
    colors = colors[:MAX_CLASSES]  # the others stand for nothing, and will be reported
    # Black is the background nearly everywhere; tools that number colours use VOC's, whose order then is the tool's.
    in_voc = {color: place for place, color in enumerate(VOC_COLORS)}
    rank = {value: place for place, value in enumerate(colors)}
    ordered = sorted(colors, key=lambda value: (value != 0, in_voc.get(value, 256), rank[value]))
    table = {value: class_id for class_id, value in enumerate(ordered)}
    if classes:
        why = f"The {len(ordered)} colours of the label files were given to the named classes, black first."
        return (
            void | {value: class_id for value, class_id in table.items() if class_id < len(classes)},
            classes,
            [why],
            True,
        )
    names = ["background", *(f"class {class_id}" for class_id in range(1, max(2, len(ordered))))]
    shown = [unpack_color(value) for value in ordered]
    shown += list(distinct_colors(max(0, 2 - len(shown))))
    why = (
        f"The label files hold {len(ordered)} colours, which were numbered from 0: black first, the most frequent next."
    )
    return void | table, ClassMap(tuple(names), tuple(shown)), [why], True


def _color_table(classes: ClassMap) -> dict[int, int]:
    """0xRRGGBB -> id; where two classes share a colour, the first."""
    table: dict[int, int] = {}
    for class_id, color in enumerate(pack_all(classes)):
        table.setdefault(color, class_id)
    return table


def pack_all(classes: ClassMap) -> list[int]:
    import numpy as np

    return [int(value) for value in pack(np.array(classes.colors, np.uint8))]
