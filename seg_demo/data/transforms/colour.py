"""Changes of colour and sharpness: of the image only, which becomes float32 in [0, 1]."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from seg_demo.data.transforms.crops import cut
from seg_demo.data.transforms.joint import uniform
from seg_demo.data.transforms.tensors import to_float

BLUR_RADIUS = 2  # pixels to either side that are mixed


class _ImageTransform(v2.Transform):
    _transformed_types = (tv_tensors.Image,)


class RandomHue(_ImageTransform):
    """The hue turned by up to `largest` turns (0 to 0.5) either way: `v2.ColorJitter(hue=...)`, but quicker."""

    def __init__(self, largest: float) -> None:
        super().__init__()
        self.largest = largest

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"turns": uniform(-self.largest, self.largest)}

    def transform(self, inpt: tv_tensors.Image, params: dict[str, Any]) -> tv_tensors.Image:
        return tv_tensors.Image(turn_hue(to_float(inpt), params["turns"]))


def turn_hue(image: Tensor, turns: float) -> Tensor:
    """(3, H, W) float32 in [0, 1] -> the same with its hue in HSV turned; value and saturation stay.

    With hue h in sixths of a turn, value v and chroma c, a channel is v - c * clamp(min(k, 4 - k), 0, 1), where
    k = (n + h) mod 6 and n = 5, 3, 1 for red, green, blue (https://en.wikipedia.org/wiki/HSL_and_HSV).
    """
    red, green, blue = image
    value = image.amax(0)
    chroma = value - image.amin(0)
    share = 1 / chroma.clamp(min=1e-12)
    hue = torch.where(
        value == red,
        (green - blue) * share,
        torch.where(value == green, (blue - red) * share + 2, (red - green) * share + 4),
    )
    result = torch.empty_like(image)
    for channel, n in zip(result, (5, 3, 1), strict=True):
        k = (hue + (n + 6 * turns)).remainder_(6)
        torch.minimum(k, 4 - k, out=channel)
        channel.clamp_(0, 1).mul_(chroma).neg_().add_(value)
    return result


class RandomBlur(_ImageTransform):
    """A Gaussian blur whose standard deviation is drawn evenly from `low` to `high` pixels, over 5 x 5 pixels."""

    def __init__(self, low: float = 0.3, high: float = 1.5) -> None:
        super().__init__()
        self.low, self.high = low, high

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"sigma": uniform(self.low, self.high)}

    def transform(self, inpt: tv_tensors.Image, params: dict[str, Any]) -> tv_tensors.Image:
        distance = torch.arange(BLUR_RADIUS + 1) / params["sigma"]
        weights = torch.exp(-(distance**2) / 2)
        weights /= 2 * weights.sum() - weights[0]
        height, width = inpt.shape[-2:]
        radius = BLUR_RADIUS
        image = cut(tv_tensors.Image(to_float(inpt)), -radius, -radius, height + 2 * radius, width + 2 * radius)
        blurred = _blurred(_blurred(image.as_subclass(Tensor), -2, weights.tolist()), -1, weights.tolist())
        return tv_tensors.Image(blurred.clamp_(0, 1))  # the sum rounds to a little above 1


def _blurred(image: Tensor, dim: int, weights: list[float]) -> Tensor:
    """Mix neighbours along `dim`, which becomes shorter; `weights` of the pixel itself and of those further off."""
    radius = len(weights) - 1
    size = image.shape[dim] - 2 * radius
    result = image.narrow(dim, radius, size) * weights[0]
    for distance in range(1, radius + 1):
        sides = image.narrow(dim, radius - distance, size) + image.narrow(dim, radius + distance, size)
        result.add_(sides, alpha=weights[distance])
    return result


class Clamp(_ImageTransform):
    """Float values to [0, 1]: a blur may round to a little above 1."""

    def transform(self, inpt: tv_tensors.Image, params: dict[str, Any]) -> tv_tensors.Image:
        return tv_tensors.wrap(inpt.clamp(0, 1), like=inpt)
