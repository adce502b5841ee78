"""What all transforms of an image together with its label map share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2


class JointTransform(v2.Transform):
    """A transform of tv_tensors.Image (3, H, W), uint8 or float in [0, 1], and tv_tensors.Mask (1, H, W) uint8.

    The mask is the label map. Random numbers are torch's global ones. Raises `TypeError` for tensors that are
    neither: torchvision would leave a plain label map as it is and change only the image.
    """

    _transformed_types = (tv_tensors.Image, tv_tensors.Mask)

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        for value in flat_inputs:
            if isinstance(value, Tensor) and not isinstance(value, tv_tensors.Image | tv_tensors.Mask):
                raise TypeError(f"{type(self).__name__} takes tv_tensors.Image and tv_tensors.Mask, no plain tensor")
            if isinstance(value, tv_tensors.Mask) and (value.dtype != torch.uint8 or value.shape[:-2] != (1,)):
                raise TypeError(f"a label map must be (1, H, W) uint8, not {tuple(value.shape)} {value.dtype}")
        v2.query_size(flat_inputs)  # raises ValueError where image and label map differ in size


def label_map_of(flat_inputs: list[Any]) -> tv_tensors.Mask | None:
    """The label map (1, H, W) among the inputs of a transform, if it is there."""
    return next((value for value in flat_inputs if isinstance(value, tv_tensors.Mask)), None)


def uniform(low: float, high: float) -> float:
    """A random number from `low` to `high`, from torch's global generator."""
    return low + (high - low) * float(torch.rand(()))
