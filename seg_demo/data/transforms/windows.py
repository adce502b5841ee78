"""Windows: maps from the pixels of a crop to places in a picture, which is read there once, whatever the map is.

A place is x and y in pixels, where 0.5 is the middle of the first pixel.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.transforms.crops import TRIES, largest_share
from seg_demo.data.transforms.joint import JointTransform, label_map_of, uniform
from seg_demo.data.transforms.tensors import to_float

SHARE_PIXELS = 64  # rows and columns of a crop, at least, by which its classes' shares are judged


def sample(
    picture: tv_tensors.Image | tv_tensors.Mask, places: Tensor, ignore_index: int = IGNORE_INDEX
) -> tv_tensors.Image | tv_tensors.Mask:
    """Read a picture at `places` (h, w, 2).

    An image (3, H, W), uint8 or float in [0, 1], is read bilinearly and goes on as its mirror image beyond its
    border: (3, h, w) float32 in [0, 1]. A label map (1, H, W) uint8 is read by nearest, so that no new values come
    up, and is `ignore_index` beyond the border: (1, h, w) uint8.
    """
    height, width = picture.shape[-2:]
    scaled = (places / torch.tensor([width, height]) * 2 - 1)[None]  # (1, h, w, 2) in [-1, 1]
    if isinstance(picture, tv_tensors.Mask):
        labels = F.grid_sample(
            picture.as_subclass(Tensor)[None].float(),
            scaled, mode="nearest", padding_mode="reflection", align_corners=False,
        )[0]  # fmt: skip
        outside = (scaled.abs() > 1).any(dim=-1)  # (1, h, w)
        return tv_tensors.Mask(labels.to(torch.uint8).masked_fill_(outside, ignore_index))
    pixels = F.grid_sample(
        to_float(picture)[None], scaled, mode="bilinear", padding_mode="reflection", align_corners=False
    )[0]
    return tv_tensors.Image(pixels.clamp_(0, 1))


def turned(y: Tensor, x: Tensor, angle: float, centre_y: float, centre_x: float) -> Tensor:
    """Places (h, w, 2) of a grid of offsets `y` (h,) and `x` (w,) from the centre, turned by `angle` in degrees.

    What is read there appears turned counter-clockwise where `angle` is above 0.
    """
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    y = y[:, None]
    return torch.stack([centre_x + cosine * x - sine * y, centre_y + sine * x + cosine * y], dim=-1)


class _Window(JointTransform):
    """The crop that is read at the places that `make_params` gives."""

    ignore_index: int

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        return sample(inpt, params["places"], self.ignore_index)


class RandomRotation(_Window):
    """Turned about the middle by up to `degrees` either way, the size being kept; the image becomes float32."""

    def __init__(self, degrees: float, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        self.degrees, self.ignore_index = degrees, ignore_index

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = v2.query_size(flat_inputs)
        y, x = (torch.arange(side) + 0.5 - side / 2 for side in (height, width))
        return {"places": turned(y, x, uniform(-self.degrees, self.degrees), height / 2, width / 2)}


class RandomWindow(_Window):
    """Flip, rotation, zoom, change of aspect and choice of the place in one sampling: the image becomes float32.

    scale: smallest and largest zoom, drawn evenly by their logarithms. stretch: largest change of the aspect, as a
    logarithm. rotation: largest angle in degrees, either way. flip, vertical_flip: chances. centred: the crop of `size`
    x `size` pixels is the middle of the picture; otherwise it is at a random place, and with the chance `focus` centred
    on a pixel of a class other than 0. Where it can, it stays inside the picture. category_max_ratio: see `RandomCrop`;
    the classes' shares of a large crop are judged by every second, third, ... of its rows and columns. Nothing is
    antialiased, which zooms down to 0.5 do not need.
    """

    def __init__(
        self,
        size: int,
        *,
        scale: tuple[float, float] = (1.0, 1.0),
        stretch: float = 0.0,
        rotation: float = 0.0,
        flip: float = 0.0,
        vertical_flip: float = 0.0,
        centred: bool = False,
        focus: float = 0.0,
        category_max_ratio: float = 1.0,
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__()
        self.size, self.scale, self.stretch, self.rotation = size, scale, stretch, rotation
        self.flip, self.vertical_flip, self.centred, self.focus = flip, vertical_flip, centred, focus
        self.category_max_ratio, self.ignore_index = category_max_ratio, ignore_index

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = v2.query_size(flat_inputs)
        label_map = label_map_of(flat_inputs)
        half = self.size / 2 / (zoom := math.exp(uniform(*map(math.log, self.scale))))
        angle = uniform(-self.rotation, self.rotation)
        stretch = math.exp(uniform(-self.stretch, self.stretch)) if self.stretch else 1.0
        flip_x = -1 if uniform(0, 1) < self.flip else 1
        flip_y = -1 if uniform(0, 1) < self.vertical_flip else 1

        def places(centre_y: float, centre_x: float, every: int = 1) -> Tensor:
            steps = (torch.arange(every // 2, self.size, every) + 0.5 - self.size / 2) / zoom
            return turned(steps * flip_y, steps * flip_x * stretch, angle, centre_y, centre_x)

        centre = self._centre(height, width, half, label_map)
        if label_map is not None and self.category_max_ratio < 1 and not self.centred:
            every = max(1, self.size // SHARE_PIXELS)
            for _ in range(TRIES - 1):
                drawn = sample(label_map, places(*centre, every), self.ignore_index)
                if largest_share(drawn, self.ignore_index) <= self.category_max_ratio:
                    break
                centre = self._centre(height, width, half, label_map)
        return {"places": places(*centre)}

    def _centre(self, height: int, width: int, half: float, label_map: Tensor | None) -> tuple[float, float]:
        if self.centred:
            return height / 2, width / 2
        y, x = uniform(0, height), uniform(0, width)
        if self.focus and uniform(0, 1) < self.focus and label_map is not None:
            plain = label_map.as_subclass(Tensor)[0]
            found = torch.nonzero((plain != 0) & (plain != self.ignore_index))
            if len(found):
                y, x = (found[int(torch.randint(len(found), ()))] + 0.5).tolist()
        return _inside(y, half, height), _inside(x, half, width)


def _inside(centre: float, half: float, size: int) -> float:
    """The centre of a window of 2 x `half` that is moved into 0..`size` as far as it fits, else made central."""
    return size / 2 if 2 * half >= size else min(max(centre, half), size - half)
