"""Whether a label map lies on its picture as stored, or as EXIF turns it, where their sizes do not tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from seg_demo.data.images import opened, upright
from seg_demo.data.masks import LabelFile, read_label_file

SIDE = 256  # pixels; the step over a border shows well enough at this size
STEP = 4  # pixels from one side of a border to the other
# Times as much step one way as the other. Of photos with a label map beside themselves turned by a half, this tells
# nine in ten, and takes none for turned that is not.
CLEARLY = 1.15


def fits_better_turned(image: Path, label: Path) -> bool:
    """Whether colours change clearly more across the label map's borders on the stored picture than on the upright."""
    file = read_label_file(label)
    with opened(image) as picture:
        return _step(file, picture) > CLEARLY * _step(file, upright(picture))


def _step(file: LabelFile, picture: Image.Image) -> float:
    """Mean distance in RGB between the two sides of the borders, all squeezed into a square."""
    colors = np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    label_map = Image.fromarray(file.colors().astype(np.int32))
    ids = np.asarray(label_map.resize((SIDE, SIDE), Image.Resampling.NEAREST))
    steps = [
        np.linalg.norm(colors[STEP:] - colors[:-STEP], axis=-1)[ids[STEP:] != ids[:-STEP]],
        np.linalg.norm(colors[:, STEP:] - colors[:, :-STEP], axis=-1)[ids[:, STEP:] != ids[:, :-STEP]],
    ]
    together = np.concatenate(steps)
    return float(together.mean()) if len(together) else 0.0
