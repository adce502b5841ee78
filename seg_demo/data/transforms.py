"""Images as tensors: resizing and normalising, for training and prediction alike."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from seg_demo.data.preprocessing import Preprocessing


def to_tensor(array: np.ndarray) -> Tensor:
    """Image (H, W, 3) uint8 -> (3, H, W) uint8; label map (H, W) uint8 -> (1, H, W) uint8. Copies."""
    return torch.from_numpy(np.array(array)).reshape(*array.shape[:2], -1).permute(2, 0, 1).contiguous()


def resize_image(image: Tensor, preprocessing: Preprocessing) -> Tensor:
    """(3, H, W) uint8 -> (3, h, w) uint8, by the rule of the checkpoint, bilinear with antialiasing."""
    size = preprocessing.input_size(*image.shape[-2:])
    return F.resize(image, list(size), InterpolationMode.BILINEAR, antialias=True)


def resize_label_map(label_map: Tensor, preprocessing: Preprocessing) -> Tensor:
    """(1, H, W) uint8 -> (1, h, w) uint8, nearest: no new values can come up."""
    size = preprocessing.input_size(*label_map.shape[-2:])
    return F.resize(label_map, list(size), InterpolationMode.NEAREST_EXACT)


def normalize(image: Tensor, preprocessing: Preprocessing) -> Tensor:
    """(..., 3, h, w) uint8, or float in [0, 1] -> float32, normalised by mean and std."""
    scaled = F.to_dtype(image, torch.float32, scale=True)
    return F.normalize(scaled, list(preprocessing.mean), list(preprocessing.std))
