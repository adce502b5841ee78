"""One cumulative confusion matrix, and the figures that follow from it."""

from __future__ import annotations

import numpy as np

from seg_demo.classes import IGNORE_INDEX


class ConfusionMatrix:
    """Counts pixels by labelled class (rows) and predicted class (columns), over any number of pictures.

    matrix: (C, C) int64. Pixels labelled `ignore_index` do not count.

    >>> confusion = ConfusionMatrix(2)
    >>> confusion.update(np.array([[0, 1]], np.uint8), np.array([[0, 0]], np.uint8))
    >>> confusion.iou()
    array([0.5, 0. ])
    """

    def __init__(self, num_classes: int, ignore_index: int = IGNORE_INDEX) -> None:
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.matrix = np.zeros((num_classes, num_classes), np.int64)

    def update(self, label_map: np.ndarray, predicted: np.ndarray) -> None:
        """Add a picture: both (H, W) uint8 class ids; `predicted` holds no ignore."""
        labelled = label_map != self.ignore_index
        cells = label_map[labelled].astype(np.int64) * self.num_classes + predicted[labelled]
        self.matrix += np.bincount(cells, minlength=self.num_classes**2).reshape(self.matrix.shape)

    def iou(self) -> np.ndarray:
        """(C,) float: intersection over union per class; nan where a class is neither labelled nor predicted."""
        hit = self.matrix.diagonal()
        union = self.matrix.sum(axis=0) + self.matrix.sum(axis=1) - hit
        return np.divide(hit, union, out=np.full(len(hit), np.nan), where=union > 0)

    def mean_iou(self) -> float:
        """Mean of `iou` over the classes that are there; nan for an empty matrix."""
        iou = self.iou()
        return float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")

    def accuracy(self) -> float:
        """Share of the labelled pixels that are predicted right; nan for an empty matrix."""
        total = int(self.matrix.sum())
        return float(self.matrix.trace() / total) if total else float("nan")
