"""Masks that labelling tools store as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from seg_demo.data.images import opened


def read_bitmap(source: Path | BinaryIO, name: str) -> np.ndarray:
    """A picture file -> (h, w) bool, true where a pixel is neither black (or 0) nor transparent.

    Raises `UserError` as `read_image` does, with `name` for the file.
    """
    with opened(source, name=name) as image:
        if image.has_transparency_data:
            rgba = np.array(image.convert("RGBA"))
            return np.asarray(rgba[..., :3].any(axis=-1) & (rgba[..., 3] > 0))
        values = np.array(image)
    return np.asarray(values.any(axis=-1) if values.ndim == 3 else values != 0)
