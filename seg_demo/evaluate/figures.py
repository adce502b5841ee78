"""The set of figures that is told of predictions, from what was counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seg_demo.evaluate.boundary import BoundaryCounts
from seg_demo.evaluate.confusion import ConfusionMatrix


@dataclass(frozen=True)
class ClassFigures:
    """Of one class, each from 0 to 1; nan where there is nothing to divide by.

    f1 is the Dice coefficient as well. pixels: labelled as this class.
    """

    name: str
    iou: float
    precision: float
    recall: float
    f1: float
    boundary_iou: float
    pixels: int


@dataclass(frozen=True)
class Figures:
    """Of all classes, each from 0 to 1; nan where there is no labelled pixel.

    accuracy (acc): share of the labelled pixels that are right. mean_accuracy (acc_cls): mean recall.
    mean_iou (mean_iu). frequency_weighted_iou (fwavacc): IoU weighted by labelled pixels. mean_dice: mean F1.
    boundary_iou: mean over the classes. pixels: labelled ones. absent: names of the classes that are neither labelled
    nor predicted, which no mean counts. never_labelled: of those that are predicted only; their IoU is 0, and the mean
    accuracy does not count them.
    """

    accuracy: float
    mean_accuracy: float
    mean_iou: float
    frequency_weighted_iou: float
    mean_dice: float
    boundary_iou: float
    pixels: int
    classes: tuple[ClassFigures, ...]
    absent: tuple[str, ...]
    never_labelled: tuple[str, ...]

    @classmethod
    def of(cls, confusion: ConfusionMatrix, boundary: BoundaryCounts, names: Sequence[str]) -> Figures:
        """names: one per class. Both counted the same pictures."""
        iou, precision, recall, f1, boundary_iou, pixels = (
            column.tolist()
            for column in (
                confusion.iou(), confusion.precision(), confusion.recall(), confusion.f1(), boundary.iou(),
                confusion.labelled(),
            )
        )  # fmt: skip
        rows = zip(names, iou, precision, recall, f1, boundary_iou, pixels, strict=True)
        classes = tuple(ClassFigures(*row) for row in rows)
        return cls(
            accuracy=confusion.accuracy(),
            mean_accuracy=confusion.mean_accuracy(),
            mean_iou=confusion.mean_iou(),
            frequency_weighted_iou=confusion.frequency_weighted_iou(),
            mean_dice=confusion.mean_dice(),
            boundary_iou=boundary.mean_iou(),
            pixels=int(confusion.labelled().sum()),
            classes=classes,
            absent=tuple(
                entry.name
                for number, entry in enumerate(classes)
                if math.isnan(entry.iou) and number != confusion.ignore_index
            ),
            never_labelled=tuple(entry.name for entry in classes if not entry.pixels and not math.isnan(entry.iou)),
        )

    def to_json(self) -> dict[str, Any]:
        """The same names; null stands for nan."""
        figures = {name: or_null(value) for name, value in asdict(self).items()}
        figures["classes"] = [
            {"id": number} | {name: or_null(value) for name, value in entry.items()}
            for number, entry in enumerate(figures["classes"])
        ]
        return figures | {"absent": list(self.absent), "never_labelled": list(self.never_labelled)}


def or_null(value: Any) -> Any:
    """None for nan, which JSON does not know."""
    return None if isinstance(value, float) and math.isnan(value) else value
