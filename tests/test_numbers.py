"""What numbers in label files stand for is decided from all files together; what fits nothing stays unknown."""

from __future__ import annotations

import pytest

from seg_demo.classes import ClassMap
from seg_demo.data.numbers import read_numbers

TWO, THREE, FOUR = ClassMap.of("no", "yes"), ClassMap.of(*"abc"), ClassMap.of(*"abcd")
IGNORED = {255: 255}


def ids(count: int) -> dict[int, int]:
    return {class_id: class_id for class_id in range(count)} | IGNORED


# (values of each file, named classes, what they must stand for)
READINGS = [
    # ids
    ([{0, 1}, {0, 2, 255}], None, ids(3)),
    ([{0, 1}, {0, 2}], None, ids(3)),
    ([{0}, {0, 1}], None, ids(2)),
    ([{0, 1, 255}, {0, 255}], None, ids(2)),
    ([{0, 1, 2, 5, 9}, {70}], None, ids(10)),  # 70 is no id, and is reported
    ([set(range(101)) | {255}], None, ids(101)),
    ([{0, 2}], THREE, ids(3)),
    ([{0, 7}], THREE, ids(3)),  # 7 is reported
    # masks
    ([{0, 255}, {0}], None, {0: 0, 255: 1}),
    ([{0, 128}], None, {0: 0, 128: 1} | IGNORED),
    ([{0, 65535}], None, {0: 0, 65535: 1} | IGNORED),
    ([{0, 1}, {0, 255}], None, {0: 0, 1: 1, 255: 1}),
    ([{0, 1}, {0, 255}, {0, 65535}], TWO, {0: 0, 1: 1, 255: 1, 65535: 1}),
    ([{0, 2}], TWO, {0: 0, 2: 1} | IGNORED),
    ([{0, 1}, {0, 2}], TWO, ids(2)),  # 2 is reported
    # levels
    ([{0, 127}, {0, 127, 255}], None, {0: 0, 127: 1, 255: 2}),
    ([{0, 128}, {0, 255}], None, {0: 0, 128: 1, 255: 2}),  # perhaps two classes that never meet
    ([{0, 20, 40, 60}], None, {0: 0, 20: 1, 40: 2, 60: 3}),
    ([{0, 127, 255}], THREE, {0: 0, 127: 1, 255: 2}),
    ([{0, 100, 200, 255}], THREE, {0: 0, 100: 1, 200: 2} | IGNORED),
    ([{0, 85, 255}], FOUR, {0: 0, 85: 1, 255: 3}),  # the third of four even levels occurs nowhere
]


@pytest.mark.parametrize(("files", "classes", "wanted"), READINGS)
def test_what_numbers_stand_for(files: list[set[int]], classes: ClassMap | None, wanted: dict[int, int]) -> None:
    reading = read_numbers([frozenset(file) for file in files], classes)
    assert dict(reading.table) == wanted
    assert len(reading.classes) > max((class_id for class_id in wanted.values() if class_id != 255), default=0)
    assert classes is None or reading.classes is classes
    assert classes is not None or reading.reasons
