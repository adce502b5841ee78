"""Two models and labelled pictures, brought into the same classes, so that their figures can stand side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seg_demo.checkpoint import Checkpoint
from seg_demo.classes import ClassMap, Task
from seg_demo.data.dataset import AsBinary, DataSet, Renumbered, in_classes
from seg_demo.errors import Sentence, UserError

MOST_NAMES = 5  # of the classes that differ


@dataclass(frozen=True, eq=False)
class Side:
    """One model. own: (256,) uint8, from the ids of the label maps to the model's own. shared: (256,) uint8, from the
    model's own ids to those of the agreement.
    """

    checkpoint: Checkpoint
    own: np.ndarray
    shared: np.ndarray


@dataclass(frozen=True, eq=False)
class Agreement:
    """The classes that both models are measured in.

    classes, task: those of the new model; but where one of the two only tells the first class from all others, and the
    pictures have more, those two classes for both. labels: (256,) uint8, from the ids of the label maps to `classes`.
    merged: whether classes of the pictures were merged. base: None where there is none, or where its classes do not
    fit the pictures, which `why` tells.
    """

    classes: ClassMap
    task: Task
    labels: np.ndarray
    merged: bool
    base: Side | None
    new: Side
    why: Sentence | None


def agree(base: Checkpoint | None, new: Checkpoint, samples: DataSet) -> Agreement:
    """Both models fit the pictures by the rules of `in_classes`. Raises `UserError` where the new one does not."""
    fitted = in_classes(samples, new.config.classes, new.config.task, new.name)
    why, base_fitted = None, None
    if base:
        try:
            base_fitted = in_classes(samples, base.config.classes, base.config.task, base.name)
        except UserError:
            why = _why(base, samples.classes)
    merging = _merges(fitted, samples), base_fitted is not None and _merges(base_fitted, samples)
    merged = any(merging)
    chief = base if base and merging == (False, True) else new
    classes = chief.config.classes
    ids = np.arange(256)
    labels = _own(fitted, samples)
    if merged:
        labels = np.where(ids == samples.classes.ignore_index, classes.ignore_index, ids > 0).astype(np.uint8)

    def side(checkpoint: Checkpoint, fit: DataSet) -> Side:
        own = _own(fit, samples)
        shared = np.arange(256, dtype=np.uint8)
        if not _merges(fit, samples):
            there = len(samples.classes)
            shared[own[:there]] = labels[:there]
        return Side(checkpoint, own, shared)

    return Agreement(
        classes, "binary" if merged else new.config.task, labels, merged,
        side(base, base_fitted) if base and base_fitted is not None else None, side(new, fitted), why,
    )  # fmt: skip


def _merges(fitted: DataSet, samples: DataSet) -> bool:
    return fitted is not samples and isinstance(fitted, AsBinary)


def _own(fitted: DataSet, samples: DataSet) -> np.ndarray:
    """(256,) uint8: what `in_classes` makes of each id of a label map."""
    ids = np.arange(256)
    if fitted is samples:
        return ids.astype(np.uint8)
    if isinstance(fitted, Renumbered):
        return fitted.table
    return np.where(ids == samples.classes.ignore_index, fitted.classes.ignore_index, ids > 0).astype(np.uint8)


def _why(base: Checkpoint, labelled: ClassMap) -> Sentence:
    known = base.config.classes
    return Sentence(
        "{name} is not measured, because it knows other classes than the pictures. Only the model has: {known}. Only "
        "the pictures have: {labelled}.",
        name=base.name, known=_only(known.names, labelled.names), labelled=_only(labelled.names, known.names),
    )  # fmt: skip


def _only(names: Sequence[str], others: Sequence[str]) -> str:
    """The names that are not among the others, whatever their case; a few of them."""
    folded = {name.strip().casefold() for name in others}
    found = [name for name in names if name.strip().casefold() not in folded]
    if len(found) > MOST_NAMES:
        shown = ", ".join(found[:MOST_NAMES])
        return Sentence("{names} and {count} more", names=shown, count=len(found) - MOST_NAMES)
    return ", ".join(found) or Sentence("none")
