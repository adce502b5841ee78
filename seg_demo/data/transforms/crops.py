"""Crops: where a crop goes beyond the picture, the image goes on as its mirror image and the label map is ignored."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.transforms.joint import JointTransform, label_map_of

TRIES = 10  # crops that are drawn at most until one is not of nearly a single class


def cut(
    picture: Tensor, top: int, left: int, height: int, width: int, ignore_index: int = IGNORE_INDEX
) -> tv_tensors.Image | tv_tensors.Mask:
    """The rectangle of `height` x `width` pixels at (`top`, `left`), which may lie beyond the picture on every side.

    picture: tv_tensors.Image (3, H, W) or tv_tensors.Mask (1, H, W); the result is of the same kind and dtype. The
    mirror image begins with the last pixel itself, as in `windows.sample`, and may repeat.
    """
    plain = picture.as_subclass(Tensor)
    full_height, full_width = plain.shape[-2:]
    bottom, right = top + height, left + width
    if top >= 0 and left >= 0 and bottom <= full_height and right <= full_width:
        result = plain[..., top:bottom, left:right]
    else:
        rows, columns = _mirrored(top, bottom, full_height), _mirrored(left, right, full_width)
        result = plain.index_select(-2, rows).index_select(-1, columns)
        if isinstance(picture, tv_tensors.Mask):
            result[..., : max(0, -top), :] = ignore_index
            result[..., max(0, full_height - top) :, :] = ignore_index
            result[..., : max(0, -left)] = ignore_index
            result[..., max(0, full_width - left) :] = ignore_index
    return tv_tensors.wrap(result, like=picture)


def _mirrored(start: int, stop: int, size: int) -> Tensor:
    places = torch.arange(start, stop) % (2 * size)
    return torch.minimum(places, 2 * size - 1 - places)


class RandomCrop(JointTransform):
    """A square crop of `size` x `size` pixels at a random place; dtypes are kept.

    A picture smaller than the crop lies whole at a random place in it. category_max_ratio: a crop in which one class
    has more than this share of the labelled pixels, or in which nothing is labelled, is drawn again, up to ten draws
    in all, and then kept as it is; 1 takes every crop. This is `cat_max_ratio` of MMSegmentation's recipes, 0.75.
    """

    def __init__(self, size: int, category_max_ratio: float = 1.0, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        self.size, self.category_max_ratio, self.ignore_index = size, category_max_ratio, ignore_index

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = v2.query_size(flat_inputs)
        label_map = label_map_of(flat_inputs)
        top, left = draw_corner(height, width, self.size)
        if label_map is not None and self.category_max_ratio < 1:
            for _ in range(TRIES - 1):
                drawn = cut(label_map, top, left, self.size, self.size, self.ignore_index)
                if largest_share(drawn, self.ignore_index) <= self.category_max_ratio:
                    break
                top, left = draw_corner(height, width, self.size)
        return {"top": top, "left": left}

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        return cut(inpt, params["top"], params["left"], self.size, self.size, self.ignore_index)


def draw_corner(height: int, width: int, size: int) -> tuple[int, int]:
    """Top and left of a crop: evenly over all places inside the picture or, along a shorter side, around it."""
    top, left = (
        int(torch.randint(min(0, side - size), max(0, side - size) + 1, ())) for side in (height, width)
    )  # fmt: skip
    return top, left


def largest_share(label_map: Tensor, ignore_index: int = IGNORE_INDEX) -> float:
    """Share of the most frequent class among the labelled pixels of (1, H, W) uint8; 1 where nothing is labelled."""
    counts = torch.bincount(label_map.as_subclass(Tensor).flatten(), minlength=256)
    counts[ignore_index] = 0
    total = int(counts.sum())
    return int(counts.max()) / total if total else 1.0


class CentreSquare(JointTransform):
    """The largest square in the middle; an odd rest is larger at the bottom or right. Dtypes are kept."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = v2.query_size(flat_inputs)
        side = min(height, width)
        return {"top": (height - side) // 2, "left": (width - side) // 2, "side": side}

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        return cut(inpt, params["top"], params["left"], params["side"], params["side"])


class SlidingCrop(NamedTuple):
    """One of the crops that cover a picture: (3, S, S) and (1, S, S), whose first pixel is (`top`, `left`) there."""

    top: int
    left: int
    image: tv_tensors.Image
    label_map: tv_tensors.Mask


def sliding_crops(
    image: tv_tensors.Image, label_map: tv_tensors.Mask, size: int, ignore_index: int = IGNORE_INDEX
) -> list[SlidingCrop]:
    """The crops of `size` x `size` pixels that cover the whole picture, at `sliding_positions`, row by row.

    image: (3, H, W), label_map: (1, H, W) uint8. What the last ones hold beyond the picture is ignored.
    """
    height, width = image.shape[-2:]
    return [
        SlidingCrop(top, left, *(cut(picture, top, left, size, size, ignore_index) for picture in (image, label_map)))
        for top, left in sliding_positions(height, width, size)
    ]


def sliding_positions(height: int, width: int, size: int) -> list[tuple[int, int]]:
    """Top and left of square crops that cover `height` x `width` pixels, ceil(2/3 `size`) pixels apart, row by row.

    Every crop but the last of a row or column lies inside the picture; the last may go beyond it. PSPNet's sliding
    window, where `size` is 473 (Zhao et al. 2017).

    >>> sliding_positions(6, 10, 6)
    [(0, 0), (0, 4)]
    """
    stride = stride_of_window(size)
    tops, lefts = (range(0, max(1, side - size + stride), stride) for side in (height, width))
    return [(top, left) for top in tops for left in lefts]


def stride_of_window(window: int) -> int:
    """Pixels from one sliding window to the next: two thirds of its side, as PSPNet's authors have it.

    >>> stride_of_window(473)
    316
    """
    return math.ceil(window * 2 / 3)
