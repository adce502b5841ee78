"""What came out of comparing two checkpoints: figures of both, and of each picture."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from seg_demo.classes import ClassMap
from seg_demo.errors import Sentence
from seg_demo.evaluate.chance import LEVEL, RESAMPLES, Interval
from seg_demo.evaluate.confusion import ConfusionMatrix

SAME = 0.005  # of mean IoU: pictures that differ by no more count as the same


@dataclass(frozen=True)
class Score:
    """One model on one picture, or on all of them; 0 to 1, and None where there is nothing to divide by.

    ious: per class, intersection over union of the labelled pixels; None for a class that is neither labelled nor
    predicted there by this model. mean_iou: their mean over the others, so that a class that is predicted where none is
    counts as 0. accuracy: share of the labelled pixels that are right. Both are None where no pixel is labelled.
    """

    mean_iou: float | None
    accuracy: float | None
    ious: tuple[float | None, ...]

    @classmethod
    def of(cls, confusion: ConfusionMatrix) -> Score:
        ious = tuple(map(_known, confusion.iou().tolist()))
        return cls(_known(confusion.mean_iou()), _known(confusion.accuracy()), ious)


@dataclass(frozen=True)
class Measured:
    """One model on all pictures. figures: as `Evaluation.figures`. ious: as `Score`, over all pictures together."""

    name: str
    figures: dict[str, float]
    ious: tuple[float | None, ...]


@dataclass(frozen=True)
class ComparedPicture:
    """One picture. index: its place in the data set. pixels: labelled ones. base: None where it was not measured."""

    index: int
    name: str
    pixels: int
    base: Score | None
    new: Score

    @property
    def difference(self) -> float | None:
        """Of the mean IoU, new - base; None where one of the two is not there."""
        return _difference(self.base.mean_iou if self.base else None, self.new.mean_iou)


@dataclass(frozen=True)
class Comparison:
    """Two checkpoints on the same pictures, in the same classes.

    base: None where there is none, or it does not fit, which `why` tells. pictures: in the order of the data set.
    interval: of the difference of mean IoU; None where it cannot be said. certainty: what follows from it, in a
    sentence; None without a base. warnings: what is not fair about the comparison.
    """

    classes: ClassMap
    base: Measured | None
    new: Measured
    pictures: tuple[ComparedPicture, ...]
    interval: Interval | None
    certainty: Sentence | None
    why: Sentence | None
    warnings: tuple[Sentence, ...]

    @property
    def differences(self) -> dict[str, float]:
        """new - base, of each figure that both have."""
        before = self.base.figures if self.base else {}
        return {name: value - before[name] for name, value in self.new.figures.items() if name in before}

    @property
    def iou_differences(self) -> tuple[float | None, ...]:
        """new - base per class; None where one of the two has no IoU."""
        before = self.base.ious if self.base else (None,) * len(self.new.ious)
        return tuple(map(_difference, before, self.new.ious))

    @property
    def better(self) -> tuple[ComparedPicture, ...]:
        """Pictures with a difference above `SAME`, the largest first."""
        found = [picture for picture in self.pictures if _change(picture) > 0]
        return tuple(sorted(found, key=lambda picture: -(picture.difference or 0)))

    @property
    def worse(self) -> tuple[ComparedPicture, ...]:
        """Pictures with a difference below -`SAME`, the largest loss first."""
        found = [picture for picture in self.pictures if _change(picture) < 0]
        return tuple(sorted(found, key=lambda picture: picture.difference or 0))

    @property
    def same(self) -> tuple[ComparedPicture, ...]:
        """Pictures whose difference is `SAME` at most, in their order."""
        return tuple(picture for picture in self.pictures if picture.difference is not None and not _change(picture))

    @property
    def counts(self) -> dict[str, int]:
        """pictures; of these better, worse, same, and incomparable: without a labelled pixel, or without a base."""
        sorted_out = {"better": len(self.better), "worse": len(self.worse), "same": len(self.same)}
        count = len(self.pictures)
        return {"pictures": count, **sorted_out, "incomparable": count - sum(sorted_out.values())}

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON values; null stands for what is not there."""
        names = self.classes.names

        def of_classes(values: tuple[float | None, ...]) -> dict[str, float | None]:
            return dict(zip(names, values, strict=True))

        def of_model(model: Measured | None) -> dict[str, Any] | None:
            return (
                None if model is None else {"name": model.name, "figures": model.figures, "iou": of_classes(model.ious)}
            )

        def of_score(score: Score | None) -> dict[str, Any] | None:
            return (
                None
                if score is None
                else {"mean_iou": score.mean_iou, "accuracy": score.accuracy, "iou": of_classes(score.ious)}
            )

        return {
            "classes": [
                {"id": class_id, "name": name, "color": list(color)}
                for class_id, (name, color) in enumerate(zip(names, self.classes.colors, strict=True))
            ],
            "base": of_model(self.base),
            "new": of_model(self.new),
            "difference": {"figures": self.differences, "iou": of_classes(self.iou_differences)},
            "interval": self.interval and {**asdict(self.interval), "level": LEVEL, "resamples": RESAMPLES},
            "certainty": self.certainty,
            "why": self.why,
            "warnings": list(self.warnings),
            "counts": self.counts,
            "tolerance": SAME,
            "pictures": [
                {
                    "index": picture.index, "name": picture.name, "pixels": picture.pixels,
                    "base": of_score(picture.base), "new": of_score(picture.new), "difference": picture.difference,
                }
                for picture in self.pictures
            ],
        }  # fmt: skip


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _difference(base: float | None, new: float | None) -> float | None:
    return None if base is None or new is None else new - base


def _change(picture: ComparedPicture) -> int:
    """1 better, -1 worse, 0 the same or unknown."""
    difference = picture.difference or 0.0
    return 0 if abs(difference) <= SAME else 1 if difference > 0 else -1
