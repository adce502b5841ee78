"""The label file of one picture, read by itself: what its values mean follows from the classes of a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from seg_demo.classes import ClassMap, Task
from seg_demo.data.dataset import DataSet, Sample, in_classes
from seg_demo.data.decoding import Reading, find_reading
from seg_demo.data.images import shown_size
from seg_demo.data.masks import read_label_file
from seg_demo.data.survey import label_facts
from seg_demo.errors import UserError


class _One(DataSet):
    """A label map as a data set of its own, so that it gets into a model's classes as all others do."""

    def __init__(self, name: str, label_map: np.ndarray, classes: ClassMap) -> None:
        self.classes = classes
        self._sample = Sample(name, np.zeros((*label_map.shape, 3), np.uint8), label_map)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]  # no slices
        return self._sample


def read_label_map(path: Path, classes: ClassMap, task: Task, size: tuple[int, ...], name: str = "") -> np.ndarray:
    """(H, W) uint8 label map in the classes of a model, from a label file of any kind.

    size: of the image, (H, W). Class ids, the colours of the model's palette and masks of 0 and 255 are read; for the
    task "binary" all classes but the first are one. Raises `UserError` where the file cannot be read, has another size
    than the image, or holds values that stand for none of the classes.
    """
    name = name or path.name
    file = read_label_file(path, name=name)
    if file.values.shape != tuple(size):
        raise UserError(
            "{label} is {label_size} pixels but its image is {image_size}. Bring the label map of this picture.",
            label=name, label_size=shown_size(file.values.shape), image_size=shown_size(size),
        )  # fmt: skip
    facts = label_facts(file)
    readings: list[Callable[[], Reading]] = [
        lambda: find_reading([facts], classes, colors_given=True),
        lambda: find_reading([facts]),
    ]
    problem: UserError | None = None
    for reading in readings:
        try:
            found = reading()
            one = _One(name, found.decoding.decode(file, name), found.classes)
            return in_classes(one, classes, task, name)[0].label_map
        except UserError as error:
            problem = problem or error
    assert problem is not None
    raise problem
