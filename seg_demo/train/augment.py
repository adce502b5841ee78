"""Random variations of a picture and its label map, drawn together."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms import v2

from seg_demo.train.config import Augmentation

Pair = tuple[Tensor, Tensor]


def augmentation(settings: Augmentation, crop: int, ignore_index: int) -> Callable[[Tensor, Tensor], Pair]:
    """A function of image (3, H, W) uint8 and label map (1, H, W) uint8 that draws a variation of both.

    It returns (3, `crop`, `crop`) float32 in [0, 1] and (1, `crop`, `crop`) uint8, and uses torch's global
    random numbers.
    """
    recolor = v2.Compose(
        [
            v2.ColorJitter(settings.color, settings.color, settings.color),
            v2.RandomApply([v2.ColorJitter(hue=settings.hue)], 0.5),
            v2.RandomGrayscale(settings.grayscale),
            v2.RandomApply([v2.GaussianBlur(5, (0.3, 1.5))], settings.blur),
            v2.RandomApply([v2.GaussianNoise(sigma=settings.noise)], 0.5),
        ]
    )

    def vary(image: Tensor, label_map: Tensor) -> Pair:
        grid = random_window(settings, label_map, crop, ignore_index)
        cropped, cropped_map = sample(image, label_map, grid, ignore_index)
        return recolor(cropped).clamp(0, 1), cropped_map  # a blur rounds to a little above 1

    return vary


def random_window(settings: Augmentation, label_map: Tensor, crop: int, ignore_index: int) -> Tensor:
    """Where each pixel of a random crop lies in a picture: (`crop`, `crop`, 2) float, x and y in pixels.

    Flip, rotation, zoom, change of aspect and choice of the place are one map, so that a picture is sampled only
    once and nothing outside the crop is computed. With chance `settings.focus` the crop is centred on a pixel
    of a class other than 0. Where it can, it stays inside the picture.
    """
    height, width = label_map.shape[-2:]
    zoom = math.exp(_uniform(*map(math.log, settings.scale)))
    centre_y, centre_x = _uniform(0, height), _uniform(0, width)
    if _uniform(0, 1) < settings.focus:
        places = torch.nonzero((label_map[0] != 0) & (label_map[0] != ignore_index))
        if len(places):
            centre_y, centre_x = places[int(torch.randint(len(places), ()))].tolist()
    half = crop / 2 / zoom
    centre_y, centre_x = _inside(centre_y, half, height), _inside(centre_x, half, width)

    angle = math.radians(_uniform(-settings.rotation, settings.rotation))
    stretch = math.exp(_uniform(-settings.stretch, settings.stretch))
    flip_x = -1 if _uniform(0, 1) < settings.flip else 1
    flip_y = -1 if _uniform(0, 1) < settings.vertical_flip else 1
    steps = (torch.arange(crop) + 0.5 - crop / 2) / zoom
    y, x = torch.meshgrid(steps * flip_y, steps * flip_x * stretch, indexing="ij")  # (S, S)
    cosine, sine = math.cos(angle), math.sin(angle)
    return torch.stack([centre_x + cosine * x - sine * y, centre_y + sine * x + cosine * y], dim=-1)


def sample(image: Tensor, label_map: Tensor, grid: Tensor, ignore_index: int) -> Pair:
    """Read a picture at the places of `grid` (S, S, 2), x and y in pixels, where 0.5 is the middle of the first.

    The image (3, H, W) uint8 is read bilinearly and goes on as its mirror image beyond its border; the label map
    (1, H, W) uint8 is read by nearest, so that no new values come up, and is `ignore_index` beyond the border.
    Returns (3, S, S) float32 in [0, 1] and (1, S, S) uint8.
    """
    height, width = image.shape[-2:]
    scaled = (grid / torch.tensor([width, height]) * 2 - 1)[None]  # (1, S, S, 2) in [-1, 1]
    pixels = F.grid_sample(
        image[None].float() / 255, scaled, mode="bilinear", padding_mode="reflection", align_corners=False
    )[0]
    labels = F.grid_sample(
        label_map[None].float(), scaled, mode="nearest", padding_mode="reflection", align_corners=False
    )
    outside = (scaled.abs() > 1).any(dim=-1)  # (1, S, S)
    return pixels.clamp(0, 1), labels[0].to(torch.uint8).masked_fill(outside, ignore_index)


def _uniform(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


def _inside(centre: float, half: float, size: int) -> float:
    """The centre of a window of 2 x `half` that is moved into 0..`size` as far as it fits, else made central."""
    return size / 2 if 2 * half >= size else min(max(centre, half), size - half)
