"""An image, its label map and predictions, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from seg_demo.classes import ClassMap
from seg_demo.viz.overlay import overlay

GAP = 4  # pixels of white between the panels


def comparison(
    image: np.ndarray, label_map: np.ndarray, predicted: np.ndarray, classes: ClassMap, longest: int = 320
) -> np.ndarray:
    """(h, 3 w + 8, 3) uint8: the image, the label map and the prediction over it; the longer side of each is `longest`.

    image: (H, W, 3) uint8. label_map, predicted: (H, W) uint8 class ids. Smaller pictures keep their size; ignored
    pixels are shown in the colour that the palette has for them.
    """
    return side_by_side(image, (label_map, predicted), classes, longest)


def side_by_side(
    image: np.ndarray, label_maps: Sequence[np.ndarray], classes: ClassMap, longest: int = 320
) -> np.ndarray:
    """(h, (1 + n) w + 4 n, 3) uint8: the image, and each of n label maps over it; otherwise as `comparison`."""
    height, width = image.shape[:2]
    scale = min(1.0, longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    white = np.full((size[1], GAP, 3), 255, np.uint8)
    panels = [small]
    for ids in label_maps:
        fewer = np.asarray(Image.fromarray(ids).resize(size, Image.Resampling.NEAREST))
        panels += [white, np.where((fewer == classes.ignore_index)[..., None], 255, overlay(small, fewer, classes))]
    return np.concatenate(panels, axis=1).astype(np.uint8)
