"""Boundary IoU: how well the outlines of the classes are met."""

from __future__ import annotations

import math

import numpy as np

from seg_demo.classes import IGNORE_INDEX
from seg_demo.evaluate.confusion import NAMES, count_pairs, joint_histogram, mean_of_known

RATIO = 0.02


class BoundaryCounts:
    """Intersections and unions of the classes' boundary regions, cumulated over any number of pictures.

    Cheng, Girshick, Dollár, Berg and Kirillov, "Boundary IoU: Improving Object-Centric Image Segmentation
    Evaluation", CVPR 2021: of the mask of a class, only the pixels within `boundary_width` of its own boundary are
    kept, in the label map and in the prediction, and the IoU of the two regions is taken. The border of the picture
    is a boundary. Pixels labelled `ignore_index` belong to no class, neither in the label map nor in the prediction,
    so what is predicted there changes nothing.

    intersection, union: (C,) int64 pixels. ratio: the width as a share of the picture's diagonal.

    >>> boundary = BoundaryCounts(2)
    >>> boundary.update(np.eye(3, dtype=np.uint8), np.eye(3, dtype=np.uint8))
    >>> boundary.iou()
    array([1., 1.])
    """

    def __init__(self, num_classes: int, ignore_index: int = IGNORE_INDEX, ratio: float = RATIO) -> None:
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.ratio = ratio
        self.intersection = np.zeros(num_classes, np.int64)
        self.union = np.zeros(num_classes, np.int64)

    def update(self, label_map: np.ndarray, predicted: np.ndarray, names: tuple[str, str] = NAMES) -> None:
        """Add a picture, as `ConfusionMatrix.update` does, with the same `UserError`s."""
        count_pairs(label_map, predicted, self.num_classes, self.ignore_index, names)  # for what it refuses
        width = boundary_width(label_map.shape, self.ratio)
        label_map = label_map.astype(np.uint8, copy=False)
        predicted = predicted.astype(np.uint8, copy=False)
        predicted = np.where(label_map == self.ignore_index, label_map, predicted)
        labelled_boundary = boundary_pixels(label_map, width)
        predicted_boundary = boundary_pixels(predicted, width)
        both = labelled_boundary & predicted_boundary & (label_map == predicted)
        in_label_map = joint_histogram(label_map, labelled_boundary.view(np.uint8) + both)  # 0, 1, or 2 where in both
        in_prediction = joint_histogram(predicted, predicted_boundary.view(np.uint8))
        counts = np.stack([in_label_map[:, 2], in_label_map[:, 1] + in_prediction[:, 1]])  # (2, 256)
        counts[:, np.arange(256) == self.ignore_index] = 0
        self.intersection += counts[0, : self.num_classes]
        self.union += counts[1, : self.num_classes]

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        if (self.num_classes, self.ignore_index, self.ratio) != (other.num_classes, other.ignore_index, other.ratio):
            raise ValueError("boundary counts of different classes, ignore indices or ratios cannot be added")
        total = BoundaryCounts(self.num_classes, self.ignore_index, self.ratio)
        total.intersection = self.intersection + other.intersection
        total.union = self.union + other.union
        return total

    def iou(self) -> np.ndarray:
        """(C,) float: boundary IoU per class; nan where a class is neither labelled nor predicted."""
        return np.divide(
            self.intersection, self.union, out=np.full(self.num_classes, np.nan), where=self.union > 0
        )  # fmt: skip

    def mean_iou(self) -> float:
        """Mean of `iou` over the classes that are labelled or predicted; nan where there is none."""
        return mean_of_known(self.iou())


def boundary_width(shape: tuple[int, ...], ratio: float = RATIO) -> int:
    """Pixels, at least 1, from (height, width).

    >>> boundary_width((1024, 2048))
    46
    """
    return max(1, round(ratio * math.hypot(*shape)))


def boundary_pixels(ids: np.ndarray, width: int) -> np.ndarray:
    """(H, W) bool: the pixels of (H, W) uint8 that have another value, or the outside, within `width` pixels.

    The distance is the larger one of rows and columns, as of `width` erosions by 3 x 3. One pass serves all classes:
    a pixel is inside its mask where the square of side 2 * width + 1 around it holds one value only, and that is where
    all its blocks of 2 x 2 do.
    """
    height, across = ids.shape
    boundary = np.ones(ids.shape, bool)
    if min(height, across) <= 2 * width:  # no square fits
        return boundary
    same_right = ids[:, 1:] == ids[:, :-1]
    blocks = (ids[1:] == ids[:-1])[:, 1:] & same_right[1:] & same_right[:-1]  # (H - 1, W - 1)
    inside = _all_along(_all_along(blocks, 2 * width).T, 2 * width).T  # (H - 2 width, W - 2 width)
    np.logical_not(inside, out=boundary[width : height - width, width : across - width])
    return boundary


def _all_along(flags: np.ndarray, length: int) -> np.ndarray:
    """(n, m) bool -> (n - length + 1, m) bool: whether all of the next `length` rows hold; log2(length) steps."""
    done = 1
    while done < length:
        step = min(done, length - done)
        flags = flags[step:] & flags[:-step]
        done += step
    return flags
