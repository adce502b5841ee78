"""A label map as colours over its image."""

from __future__ import annotations

import numpy as np

from seg_demo.classes import ClassMap

OPACITY = 0.5


def overlay(image: np.ndarray, label_map: np.ndarray, classes: ClassMap, opacity: float = OPACITY) -> np.ndarray:
    """Image (H, W, 3) uint8 and label map (H, W) uint8 -> (H, W, 3) uint8.

    Class 0 and ignored pixels are left as they are; where classes meet, the border is drawn at full strength.
    """
    painted = (label_map != 0) & (label_map != classes.ignore_index)
    strength = np.where(painted, np.where(borders(label_map), 1.0, opacity), 0.0)[..., None].astype(np.float32)
    mixed = image * (1 - strength) + classes.colorize(label_map) * strength
    return np.rint(mixed).astype(np.uint8)


def borders(label_map: np.ndarray) -> np.ndarray:
    """(H, W) -> (H, W) bool: pixels with a different id to the left, right, above or below."""
    edge = np.zeros(label_map.shape, bool)
    across, down = label_map[:, 1:] != label_map[:, :-1], label_map[1:] != label_map[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge
