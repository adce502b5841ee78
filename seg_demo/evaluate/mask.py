"""One mask: the threshold that a rule chooses for it, its size and its objects, and how right it is."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np

from seg_demo.classes import IGNORE_INDEX
from seg_demo.evaluate.automatic import Choice
from seg_demo.evaluate.confusion import ConfusionMatrix
from seg_demo.evaluate.figures import or_null
from seg_demo.evaluate.threshold import ThresholdHistogram, histogram_of, threshold_of
from seg_demo.infer.binarisation import Binarisation, MaskStatistics

FIGURES = ("precision", "recall", "f1", "iou")


def chosen_threshold(
    choice: Choice,
    plane: np.ndarray,
    label_map: np.ndarray | None = None,
    filters: Binarisation | None = None,
    ignore_index: int = IGNORE_INDEX,
) -> float:
    """The threshold of a plane of probabilities (H, W) uint8 by a rule.

    Rules that need labels measure the masks as they are after the `filters`, whose own threshold does not count; the
    others go by the probabilities as they are. It is at least the lower threshold of the filters. label_map: (H, W)
    uint8 of 1, 0 and `ignore_index`. Raises `UserError` as `Choice.level` does.
    """
    filters = replace(filters or Binarisation(), threshold=1.0)
    if choice.method.needs_labels and label_map is not None:
        histogram = ThresholdHistogram(ignore_index=ignore_index)
        histogram.update(label_map, filters.filtered(plane))
        level = choice.level(histogram.values, histogram.sweep())
    else:
        level = choice.level(histogram_of(plane))
    return max(threshold_of(level), filters.low or 0.0)


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
