"""What every data set is: a sequence of pictures with label maps, and the classes they are labelled in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seg_demo.classes import ClassMap, Task
from seg_demo.errors import UserError


class Sample(NamedTuple):
    """A labelled picture: image (H, W, 3) uint8 RGB and label map (H, W) uint8 of the same height and width."""

    name: str
    image: np.ndarray
    label_map: np.ndarray


class DataSet(Sequence[Sample]):
    """A finite sequence of samples and the classes of their label maps; reading one twice gives the same."""

    classes: ClassMap


class AsBinary(DataSet):
    """Another data set in which every class but the first is one: ids above 0 become 1, ignored pixels stay."""

    def __init__(self, samples: DataSet, classes: ClassMap) -> None:
        self.samples, self.classes = samples, classes

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]  # no slices
        name, image, label_map = self.samples[index]
        ignored = label_map == self.samples.classes.ignore_index
        return Sample(name, image, np.where(ignored, self.classes.ignore_index, label_map > 0).astype(np.uint8))


def in_classes(samples: DataSet, classes: ClassMap, task: Task, what: str) -> DataSet:
    """`samples` in the classes of a model: themselves where there are as many, merged for the task "binary".

    Raises `UserError` naming both lists otherwise; `what` is the model as it is told to the user.
    """
    if len(samples.classes) == len(classes):
        return samples
    if task == "binary":
        return AsBinary(samples, classes)
    raise UserError(
        "{what} knows the classes {known}, but the pictures are labelled {labelled}. Choose another one.",
        what=what, known=_names(classes), labelled=_names(samples.classes),
    )  # fmt: skip


def _names(classes: ClassMap) -> str:
    shown = classes.names[:5]
    return ", ".join(shown) + (f" and {len(classes) - 5} more" if len(classes) > 5 else "")


def fingerprint(samples: Sequence[Sample]) -> str:
    """SHA-256 over names, sizes and pixels, first 16 hex digits: equal data sets have equal fingerprints."""
    digest = hashlib.sha256()
    for name, image, label_map in samples:
        digest.update(f"{name}\0{image.shape}\0".encode())
        digest.update(np.ascontiguousarray(image).data)
        digest.update(np.ascontiguousarray(label_map).data)
    return digest.hexdigest()[:16]
