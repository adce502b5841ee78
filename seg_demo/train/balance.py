"""Weights of the classes by how frequent they are."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from seg_demo.errors import UserError
from seg_demo.settings import settings_of
from seg_demo.train.config import LossSettings

HIGHEST = settings_of(LossSettings)["class_weights"].high


def median_frequency(label_maps: Iterable[np.ndarray], num_classes: int, ignore_index: int) -> tuple[float, ...]:
    """A weight for each class: the median of all frequencies / its own (Eigen and Fergus, ICCV 2015).

    label_maps: (H, W) uint8, seen once. The frequency of a class is its share of the labelled pixels in the pictures
    where it occurs. Classes that occur nowhere have no frequency, and get the weight 0. No weight is above what
    loss.class_weights may be, 1e6. Raises `UserError` where nothing is labelled.

    >>> median_frequency([np.array([[0, 0, 0, 1]])], num_classes=3, ignore_index=255)
    (0.6666666666666666, 2.0, 0.0)
    """
    pixels, around = np.zeros(num_classes, np.int64), np.zeros(num_classes, np.int64)
    for label_map in label_maps:
        counts = np.bincount(label_map[label_map != ignore_index], minlength=num_classes)
        pixels += counts
        around += counts.sum() * (counts > 0)
    present = pixels > 0
    if not present.any():
        raise UserError(
            "Nothing is labelled in the pictures, so their classes have no frequency. Set loss.balance to none."
        )
    frequencies = pixels[present] / around[present]
    weights = np.zeros(num_classes)
    weights[present] = np.minimum(np.median(frequencies) / frequencies, HIGHEST)
    return tuple(weights.tolist())
