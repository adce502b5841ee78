"""Their classes as ours: names that can be shown, and colours that people know them by."""

from __future__ import annotations

import re
from collections.abc import Mapping

from seg_demo.classes import MAX_NAME_LENGTH, ClassMap, Color, Task, distinct_colors
from seg_demo.palettes import CLASS_MAPS

BACKGROUNDS = ("background", "unlabeled", "unlabelled", "no label", "void", "other", "none")
"""Names of what is no object; it is black."""

_NOT_SHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\s]+")


def classes_of(id2label: object, outputs: int) -> tuple[Task, ClassMap]:
    """The task of a network with so many outputs, and its classes by their id2label.

    A name that is missing, or no text, becomes class_N; one that occurs twice gets a number. One output is the task
    "binary", whose only class stands beside the background.
    """
    table = id2label if isinstance(id2label, Mapping) else {}
    if outputs == 1:
        named = [_shown(table.get(str(number), table.get(number))) for number in range(2)]
        names = _unique(
            ["background", named[0] or "foreground"] if not named[1] else [named[0] or "background", named[1]]
        )
        return "binary", ClassMap(names, ((0, 0, 0), distinct_colors(2)[1]))
    found = [_shown(table.get(str(number), table.get(number))) for number in range(outputs)]
    names = _unique([name or f"class_{number}" for number, name in enumerate(found)])
    return "multiclass", ClassMap(names, colors_of(names))


def colors_of(names: tuple[str, ...]) -> tuple[Color, ...]:
    """The colours of the known classes that most of the names are of, and colours of our own for the others.

    >>> colors_of(("road", "sidewalk", "puddle"))[:2]
    ((128, 64, 128), (244, 35, 232))
    """
    plain = [name.casefold() for name in names]
    palettes = [
        {name.casefold(): color for name, color in zip(known.names, known.colors, strict=True)}
        for known in CLASS_MAPS.values()
    ]
    palette = max(palettes, key=lambda known: sum(name in known for name in plain))
    if sum(name in palette for name in plain) * 2 < len(plain):
        palette = {}
    taken = {palette[name] for name in plain if name in palette}
    fresh = iter(color for color in distinct_colors(len(names) + len(taken)) if color not in taken)
    return tuple(
        palette[name] if name in palette else (0, 0, 0) if name in BACKGROUNDS else next(fresh) for name in plain
    )


def _shown(value: object) -> str:
    """A name in one line; "" for what is none."""
    return _NOT_SHOWN.sub(" ", value).strip()[:MAX_NAME_LENGTH].strip() if isinstance(value, str) else ""


def _unique(names: list[str]) -> tuple[str, ...]:
    taken: dict[str, None] = {}
    for name in names:
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name[: MAX_NAME_LENGTH - 6]} ({number})"
        taken[free] = None
    return tuple(taken)
