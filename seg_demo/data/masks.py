"""Label files: from what is on disk to a label map."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seg_demo.classes import Color
from seg_demo.errors import UserError


def decode_colors(rgb: np.ndarray, ids: Mapping[Color, int], name: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB mask -> (H, W) uint8 label map, by a colour table.

    Raises `UserError` naming the most frequent colour that the table lacks.

    >>> decode_colors(np.array([[[127, 0, 0]]], np.uint8), {(127, 0, 0): 1}, "newt.png")
    array([[1]], dtype=uint8)
    """
    packed = rgb.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)  # (H, W)
    values, inverse, counts = np.unique(packed, return_inverse=True, return_counts=True)
    table = {(red << 16) | (green << 8) | blue: class_id for (red, green, blue), class_id in ids.items()}
    unknown = [(int(count), int(value)) for value, count in zip(values, counts, strict=True) if value not in table]
    if unknown:
        count, value = max(unknown)
        raise UserError(
            "{name} holds the colour ({red}, {green}, {blue}) in {count} pixels, but no class has it. "
            "Save the mask without smoothing, or add a class of this colour.",
            name=name, red=value >> 16, green=value >> 8 & 255, blue=value & 255, count=count,
        )  # fmt: skip
    return np.array([table[value] for value in values], np.uint8)[inverse.reshape(packed.shape)]
