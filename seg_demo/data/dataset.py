"""What every data set is: a sequence of pictures with label maps, and the classes they are labelled in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seg_demo.classes import ClassMap


class Sample(NamedTuple):
    """A labelled picture: image (H, W, 3) uint8 RGB and label map (H, W) uint8 of the same height and width."""

    name: str
    image: np.ndarray
    label_map: np.ndarray


class DataSet(Sequence[Sample]):
    """A finite sequence of samples and the classes of their label maps; reading one twice gives the same."""

    classes: ClassMap


def fingerprint(samples: Sequence[Sample]) -> str:
    """SHA-256 over names, sizes and pixels, first 16 hex digits: equal data sets have equal fingerprints."""
    digest = hashlib.sha256()
    for name, image, label_map in samples:
        digest.update(f"{name}\0{image.shape}\0".encode())
        digest.update(np.ascontiguousarray(image).data)
        digest.update(np.ascontiguousarray(label_map).data)
    return digest.hexdigest()[:16]
