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

    def identity(self, index: int) -> bytes:
        """What tells a sample from others, for `fingerprint`; here its name, size and pixels."""
        return _identity(self[index])


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

    def identity(self, index: int) -> bytes:
        return b"binary " + self.samples.identity(index)


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


def fingerprint(*parts: Sequence[Sample]) -> str:
    """SHA-256 over all samples, first 16 hex digits: equal data sets have equal fingerprints.

    Data sets that are read from files go by the files' names and bytes, without decoding them.
    """
    digest = hashlib.sha256()
    for samples in parts:
        for index in range(len(samples)):
            digest.update(samples.identity(index) if isinstance(samples, DataSet) else _identity(samples[index]))
    return digest.hexdigest()[:16]


def _identity(sample: Sample) -> bytes:
    digest = hashlib.sha256(f"{sample.name}\0{sample.image.shape}\0".encode())
    digest.update(np.ascontiguousarray(sample.image).data)
    digest.update(np.ascontiguousarray(sample.label_map).data)
    return digest.digest()
