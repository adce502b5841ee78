"""What the numbers in label files stand for: ids, masks or grey levels, by what all files of a set hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from seg_demo.classes import IGNORE_INDEX, MAX_CLASSES, ClassMap
from seg_demo.errors import Sentence

# Where no classes are named, values up to this are ids and higher ones grey levels, unless they count like ids.
HIGHEST_PLAIN_ID = 63
WIDEST_GAP = 16  # between the ids of a set whose classes are not named; what lies behind a wider one is no id
LEAST_STEP = 10  # between grey levels that are made to be seen
FULL = 255

Files = Sequence[frozenset[int]]


class NumberReading(NamedTuple):
    """table: number -> class id, 255 for ignored ones; what is not in it stands for nothing."""

    table: Mapping[int, int]
    classes: ClassMap
    reasons: list[Sentence]


def read_numbers(files: Files, classes: ClassMap | None) -> NumberReading:
    """The first of masks, ids and levels that explains all files; with named classes else ids, as far as they go.

    files: the values that each file holds, without strays. classes: where they are named.
    """
    for explain in (_masks, _ids, _levels):
        if reading := explain(files, classes):
            return reading
    assert classes is not None  # without names, levels take anything
    return _named_ids(classes)


def _masks(files: Files, classes: ClassMap | None) -> NumberReading | None:
    """Every file holds 0 and one other value at most, and these others are not ids of several classes."""
    if classes is not None and len(classes) != 2:
        return None
    objects = {value for file in files if 0 in file for value in file if value}
    if not objects or objects == {1} or any(len(file - {0}) > 1 or not file <= objects | {0} for file in files):
        return None
    large = all(value == 1 or value > HIGHEST_PLAIN_ID for value in objects)
    if not large and (classes is None or len(objects) > 1):
        return None
    if classes is None:
        # Two values, neither of them 1, may be two classes that never meet; nothing is lost if they stay apart.
        if len(objects - {1}) > 1:
            return None
        classes = ClassMap.of("background", "object")
    table = {0: 0, **dict.fromkeys(objects, 1)}
    found = ", ".join(map(str, sorted(objects)))
    why = Sentence('The label files hold 0 and {found}, read as "{name}".', found=found, name=classes.names[1])
    return NumberReading({IGNORE_INDEX: IGNORE_INDEX, **table}, classes, [why])


def _ids(files: Files, classes: ClassMap | None) -> NumberReading | None:
    used = frozenset().union(*files)
    if classes is not None:
        return _named_ids(classes) if used <= {*range(len(classes)), IGNORE_INDEX} else None
    ids = sorted(used - {IGNORE_INDEX})
    counted = sum(low + 1 == high for low, high in zip(ids, ids[1:], strict=False))
    if ids and ((ids[-1] > HIGHEST_PLAIN_ID and counted < 2) or _evenly_spaced(ids)):
        return None
    highest = 0
    for value in ids:
        if value - highest > WIDEST_GAP:
            break
        highest = value
    classes = ClassMap.of("background", *(f"class {class_id}" for class_id in range(1, max(2, highest + 1))))
    why = Sentence("The label files hold values up to {highest}, which are read as class ids.", highest=highest)
    return _named_ids(classes)._replace(reasons=[why])


def _named_ids(classes: ClassMap) -> NumberReading:
    table = {class_id: class_id for class_id in range(len(classes))}
    return NumberReading({**table, IGNORE_INDEX: IGNORE_INDEX}, classes, [])


def _evenly_spaced(levels: Sequence[int]) -> bool:
    """0, 20, 40, ...: ids made visible, not ids."""
    step = levels[1] if len(levels) > 2 and levels[0] == 0 else 0
    return step >= LEAST_STEP and all(value == place * step for place, value in enumerate(levels))


def _levels(files: Files, classes: ClassMap | None) -> NumberReading | None:
    """Grey levels, made to be seen, in the order of the classes."""
    used = sorted(frozenset().union(*files))
    table: dict[int, int] | None
    if classes is None:
        table = {level: class_id for class_id, level in enumerate(used[:MAX_CLASSES])}
        classes = ClassMap.of("background", *(f"class {class_id}" for class_id in range(1, max(2, len(table)))))
    elif used and used[-1] > HIGHEST_PLAIN_ID:
        table = _named_levels(used, len(classes))
    else:
        table = None
    if table is None:
        return None
    shown = ", ".join(map(str, used[:8])) + (", ..." if len(used) > 8 else "")
    why = Sentence(
        "The label files hold the grey levels {levels}, which are read as the classes in this order.", levels=shown
    )
    return NumberReading(table, classes, [why])


def _named_levels(used: Sequence[int], count: int) -> dict[int, int] | None:
    """As many levels as classes, with or without 255 for ignored pixels; or some of as many evenly spaced ones."""
    if len(used) == count:
        return {level: class_id for class_id, level in enumerate(used)}
    without = [level for level in used if level != IGNORE_INDEX]
    if len(without) == count:
        return {**{level: class_id for class_id, level in enumerate(without)}, IGNORE_INDEX: IGNORE_INDEX}
    table = {}
    for level in used:
        class_id = round(level * (count - 1) / FULL) if count > 1 else 0
        if abs(level - class_id * FULL / max(1, count - 1)) >= 1 or class_id >= count:
            return None
        table[level] = class_id
    return table
