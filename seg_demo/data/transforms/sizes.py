"""Changes of size: images bilinear with antialiasing, label maps by nearest, both on one grid of pixel centres."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from seg_demo.data.preprocessing import Preprocessing
from seg_demo.data.transforms.joint import JointTransform, uniform


def resized(picture: Tensor, height: int, width: int) -> Tensor:
    """Image (3, H, W) or, as tv_tensors.Mask, label map (1, H, W) -> the same kind and dtype at `height` x `width`.

    torchvision would resize a mask by "nearest", which takes the pixel at floor(i * scale): that is up to half a
    pixel of the larger grid to the left of and above where bilinear looks. "nearest-exact" takes the pixel in which
    (i + 0.5) * scale lies.
    """
    if isinstance(picture, tv_tensors.Mask):
        return F.resize(picture, [height, width], v2.InterpolationMode.NEAREST_EXACT)
    if 1 not in (*picture.shape[-2:], height, width):
        return F.resize(picture, [height, width], v2.InterpolationMode.BILINEAR, antialias=True)
    # Where a side is one pixel, torch may mistake channels first for channels last: wrong values, or an internal error.
    plain = picture.as_subclass(Tensor).float().clone(memory_format=torch.contiguous_format)
    result = F.resize(plain, [height, width], v2.InterpolationMode.BILINEAR, antialias=True)
    return tv_tensors.wrap(result if picture.is_floating_point() else result.round().to(picture.dtype), like=picture)


def resize_image(image: Tensor, preprocessing: Preprocessing) -> Tensor:
    """(3, H, W) uint8 -> (3, h, w) uint8, by the rule of the checkpoint, bilinear with antialiasing."""
    return resized(image, *preprocessing.input_size(*image.shape[-2:]))


def resize_label_map(label_map: Tensor, preprocessing: Preprocessing) -> Tensor:
    """(1, H, W) uint8 -> (1, h, w) uint8, nearest: no new values can come up."""
    size = preprocessing.input_size(*label_map.shape[-2:])
    return resized(tv_tensors.Mask(label_map), *size).as_subclass(Tensor)


class _Resizing(JointTransform):
    """To the size (h, w) that `make_params` gives; dtypes are kept."""

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        return resized(inpt, *params["size"])


class Resize(_Resizing):
    """To a fixed size; the aspect may change."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.size = (height, width)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"size": self.size}


class ResizeByRule(_Resizing):
    """To the size at which a checkpoint of this `Preprocessing` sees the picture."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.preprocessing = preprocessing

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"size": self.preprocessing.input_size(*v2.query_size(flat_inputs))}


class RandomScale(_Resizing):
    """Both sides times one factor, drawn evenly from `low` to `high`, as in the recipe of PSPNet (Zhao et al. 2017)."""

    def __init__(self, low: float = 0.5, high: float = 2.0) -> None:
        super().__init__()
        self.low, self.high = low, high

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = v2.query_size(flat_inputs)
        return {"size": scaled_size(height, width, uniform(self.low, self.high))}


def scaled_size(height: int, width: int, factor: float) -> tuple[int, int]:
    """Height and width times `factor`, in whole pixels, at least one.

    >>> scaled_size(360, 480, 0.5)
    (180, 240)
    """
    return max(1, round(height * factor)), max(1, round(width * factor))
