"""A label map as colours over its image."""

from __future__ import annotations

import numpy as np

from seg_demo.classes import ClassMap

OPACITY = 0.5
BAND_ROWS = 256  # rows that exist as floats at one time


def overlay(image: np.ndarray, label_map: np.ndarray, classes: ClassMap, opacity: float = OPACITY) -> np.ndarray:
    """Image (H, W, 3) uint8 and label map (H, W) uint8 -> (H, W, 3) uint8.

    Class 0 and ignored pixels are left as they are; where classes meet, the border is drawn at full strength.
    """
    mixed = image.copy()
    edge = borders(label_map)
    colors = classes.palette()
    for top in range(0, len(image), BAND_ROWS):
        band = slice(top, top + BAND_ROWS)
        ids = label_map[band]
        painted = (ids != 0) & (ids != classes.ignore_index)
        strength = np.where(edge[band][painted], 1.0, opacity).astype(np.float32)[:, None]
        blended = image[band][painted] * (1 - strength) + colors[ids[painted]] * strength  # (painted pixels, 3)
        mixed[band][painted] = np.rint(blended).astype(np.uint8)
    return mixed


def borders(label_map: np.ndarray) -> np.ndarray:
    """(H, W) -> (H, W) bool: pixels with a different id to the left, right, above or below."""
    edge = np.zeros(label_map.shape, bool)
    across, down = label_map[:, 1:] != label_map[:, :-1], label_map[1:] != label_map[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge
