"""What a prediction is: integers at the image's own size, and everything that follows from them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from seg_demo.classes import ClassMap, Task
from seg_demo.registry import look_up


def threshold_level(threshold: float, full: int = 255) -> int:
    """The smallest level q in 0..`full` + 1 with q / `full` >= `threshold`.

    Thresholding is done on quantised probabilities, which are integers, so that every program that counts
    the pixels of a mask counts the same ones. `full` is 255 for uint8 and 65535 for uint16.

    >>> threshold_level(0.5)
    128
    """
    level = max(0, math.ceil(threshold * full) - 1)
    while level / full < threshold:  # The product is rounded, up or down, so only the quotient decides.
        level += 1
    return level


@dataclass(frozen=True)
class Segmentation:
    """A segmented image of H x W pixels.

    label_map: (H, W) uint8 class ids. confidence: (H, W) uint8 or uint16, the quantised probability of the
    pixel's own class. probabilities: quantised, of the same dtype; (1, H, W), of class 1, for the task
    "binary"; (C, H, W) for "multiclass" if they were asked for, else None. threshold: for "binary", the
    probability from which on a pixel is class 1. timing: milliseconds per step.

    The integers are the truth: `label_map` of the task "binary" is `probabilities[0] >= level`.
    """

    classes: ClassMap
    task: Task
    label_map: np.ndarray
    confidence: np.ndarray
    probabilities: np.ndarray | None
    threshold: float
    timing: dict[str, float] = field(default_factory=dict)

    @classmethod
    def from_probabilities(
        cls, classes: ClassMap, probabilities: np.ndarray, threshold: float, timing: dict[str, float] | None = None
    ) -> Segmentation:
        """The task "binary", from the quantised probabilities (1, H, W) of class 1."""
        plane = probabilities[0]
        full = np.iinfo(plane.dtype).max
        mask = plane >= threshold_level(threshold, full)
        confidence = np.where(mask, plane, full - plane)
        return cls(
            classes, "binary", mask.astype(np.uint8), confidence, probabilities, threshold, timing or {}
        )  # fmt: skip

    @property
    def level(self) -> int | None:
        """The threshold as a level of the quantised probabilities; None for the task "multiclass"."""
        return threshold_level(self.threshold, np.iinfo(self.confidence.dtype).max) if self.task == "binary" else None

    def at_threshold(self, threshold: float) -> Segmentation:
        """The same prediction of the task "binary" with another threshold; nothing is computed again."""
        assert self.task == "binary" and self.probabilities is not None
        moved = Segmentation.from_probabilities(self.classes, self.probabilities, threshold)
        return replace(moved, timing=self.timing)

    def counts(self) -> np.ndarray:
        """Pixels per class, (num_classes,) int64."""
        return np.bincount(self.label_map.ravel(), minlength=len(self.classes))[: len(self.classes)]

    @property
    def shares(self) -> dict[str, float]:
        """Share of the image's pixels per class name, 0 to 1."""
        counts = self.counts()
        return {name: int(count) / self.label_map.size for name, count in zip(self.classes.names, counts, strict=True)}

    def mask(self, name: str) -> np.ndarray:
        """(H, W) bool mask of the class `name`. Raises `UserError` for an unknown one."""
        ids = {known: class_id for class_id, known in enumerate(self.classes.names)}
        return self.label_map == look_up("class", ids, name)
