"""Images and label maps as tensors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from seg_demo.data.dataset import Sample
from seg_demo.data.preprocessing import Preprocessing


def to_tensor(array: np.ndarray) -> Tensor:
    """Image (H, W, 3) uint8 -> (3, H, W) uint8; label map (H, W) uint8 -> (1, H, W) uint8. Copies."""
    return torch.from_numpy(np.array(array)).reshape(*array.shape[:2], -1).permute(2, 0, 1).contiguous()


def as_pair(sample: Sample) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
    """What every joint transform takes: image (3, H, W) uint8 and label map (1, H, W) uint8. Copies."""
    return tv_tensors.Image(to_tensor(sample.image)), tv_tensors.Mask(to_tensor(sample.label_map))


def to_float(image: Tensor) -> Tensor:
    """Image uint8, or float in [0, 1] -> plain tensor float32 in [0, 1]."""
    plain = image.as_subclass(Tensor)
    # torchvision's to_dtype multiplies by 1 / 255, which rounds otherwise than what trained checkpoints have seen.
    return plain.float() / 255 if plain.dtype == torch.uint8 else plain.float()


def normalize(image: Tensor, preprocessing: Preprocessing) -> Tensor:
    """(..., 3, h, w) uint8, or float in [0, 1] -> float32, normalised by mean and std."""
    scaled = F.to_dtype(image, torch.float32, scale=True)
    return F.normalize(scaled, list(preprocessing.mean), list(preprocessing.std))
