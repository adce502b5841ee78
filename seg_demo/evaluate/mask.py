"""What is told of one mask: its size and its objects, and how right it is."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from seg_demo.classes import IGNORE_INDEX
from seg_demo.evaluate.confusion import ConfusionMatrix
from seg_demo.evaluate.figures import or_null
from seg_demo.infer.binarisation import MaskStatistics

FIGURES = ("precision", "recall", "f1", "iou")


def mask_figures(
    mask: np.ndarray, label_map: np.ndarray | None = None, ignore_index: int = IGNORE_INDEX
) -> dict[str, float | int | None]:
    """pixels, share, objects and largest of a mask (H, W) bool; with a label map also `FIGURES`, on labelled pixels.

    label_map: (H, W) uint8 of 1 for the class, 0 and `ignore_index`. A figure that is 0 / 0 is None.
    """
    told: dict[str, float | int | None] = asdict(MaskStatistics.of(mask))
    if label_map is not None:
        confusion = ConfusionMatrix(2, ignore_index)
        confusion.update(label_map, mask.astype(np.uint8))
        told |= {name: or_null(float(getattr(confusion, name)()[1])) for name in FIGURES}
    return told
