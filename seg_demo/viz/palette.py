"""A label map as a picture file whose pixel values are the class ids."""

from __future__ import annotations

import numpy as np
from PIL import Image

from seg_demo.classes import ClassMap


def palette_image(label_map: np.ndarray, classes: ClassMap) -> Image.Image:
    """(H, W) uint8 label map -> palette image with the same integers and the classes' colours."""
    image = Image.fromarray(label_map, mode="P")
    image.putpalette(classes.palette().tobytes())
    return image
