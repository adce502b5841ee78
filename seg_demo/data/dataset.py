"""What every data set is: a sequence of pictures with label maps, and the classes they are labelled in."""

from __future__ import annotations

import hashlib
import re
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


class Renumbered(DataSet):
    """Another data set whose class number i has the number `order[i]` of `classes`; ignored pixels stay ignored."""

    def __init__(self, samples: DataSet, classes: ClassMap, order: Sequence[int]) -> None:
        self.samples, self.classes = samples, classes
        self.table = np.full(256, classes.ignore_index, np.uint8)
        self.table[: len(order)] = order

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]  # no slices
        name, image, label_map = self.samples[index]
        return Sample(name, image, self.table[label_map])

    def identity(self, index: int) -> bytes:
        return b"renumbered " + self.table.tobytes() + self.samples.identity(index)


# What classes are called that nobody has named, besides the background: it is their numbers that count.
_MADE_UP = re.compile(r"class \d+|object")


def in_classes(samples: DataSet, classes: ClassMap, task: Task, what: str) -> DataSet:
    """`samples` in the classes of a model: themselves where the names are the same, in upper or lower case.

    The same names in another order are renumbered. For the task "binary", more classes are merged, and two are taken
    as background and object whatever they are called. As many classes are taken by their numbers where those of one
    side have no names of their own. Raises `UserError` naming what differs otherwise; `what` is the model as it is
    told to the user.
    """
    known, labelled = classes.names, samples.classes.names
    if len(known) != len(labelled):
        if task == "binary":
            return AsBinary(samples, classes)
        raise UserError(
            "{what} knows the classes {known}, but the pictures are labelled {labelled}. Choose another one.",
            what=what, known=_names(classes), labelled=_names(samples.classes),
        )  # fmt: skip
    order = _order(labelled, known)
    if order is None and (task == "binary" or _made_up(labelled) or _made_up(known)):
        order = range(len(known))
    if order is None:
        raise UserError(
            '{what} knows the class "{known}", which the pictures lack, and they have "{labelled}", which it does not '
            "know. Rename the classes of the pictures if they are the same, or choose another model or preset.",
            what=what, known=_first_other(known, labelled), labelled=_first_other(labelled, known),
        )  # fmt: skip
    if [*order] == [*range(len(known))] and samples.classes.ignore_index == classes.ignore_index:
        return samples
    return Renumbered(samples, classes, order)


def _order(names: Sequence[str], known: Sequence[str]) -> Sequence[int] | None:
    """The place of each name among the known ones, None where they are not the same."""
    for one, other in ((names, known), (_folded(names), _folded(known))):
        if len(set(other)) == len(other) and set(one) == set(other):
            return [other.index(name) for name in one]
    return None


def _folded(names: Sequence[str]) -> list[str]:
    plain = [name.strip().casefold() for name in names]
    return ["background" if name == "_background_" else name for name in plain]  # as LabelMe calls it


def _made_up(names: Sequence[str]) -> bool:
    return len(names) > 1 and names[0] == "background" and all(_MADE_UP.fullmatch(name) for name in names[1:])


def _first_other(names: Sequence[str], others: Sequence[str]) -> str:
    """The first name that is none of the others: in any case, or, where there is no such, in its own."""
    folded = _folded(others)
    other = (name for name, plain in zip(names, _folded(names), strict=True) if plain not in folded)
    return next(other, None) or next(name for name in names if name not in others)


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
