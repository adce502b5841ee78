"""How an image becomes the input of a model. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from seg_demo.settings import check, setting

MAX_ENLARGED = 1 << 24  # pixels that an image may be enlarged to

ResizeRule = Literal["none", "longest", "shortest", "exact"]


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the model's input: resized, scaled to [0, 1], normalised.

    resize: "none" keeps the size; "longest" / "shortest" make that side `size` pixels and keep the aspect;
    "exact" makes both sides `size`. Enlarging by an aspect keeps to `MAX_ENLARGED` pixels. mean, std: per channel,
    in units of [0, 1].
    """

    resize: ResizeRule = setting("none", "Which side of a picture the size is for; none keeps it as it is.")
    size: int = setting(512, "Pixels that this side gets.", low=1, high=8192)
    mean: tuple[float, float, float] = setting((0.485, 0.456, 0.406), "Subtracted from the channels.", low=-10, high=10)
    std: tuple[float, float, float] = setting((0.229, 0.224, 0.225), "The channels' divisors.", low=1e-3, high=10)
    interpolation: Literal["bilinear"] = setting("bilinear", "How pixels between pixels are made.")

    def __post_init__(self) -> None:
        check(self)

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """Size (height, width) at which the model sees an image of `height` x `width` pixels.

        >>> Preprocessing("longest", 320).input_size(1000, 2000)
        (160, 320)
        """
        if self.resize == "none":
            return height, width
        if self.resize == "exact":
            return self.size, self.size
        side: float = max(height, width) if self.resize == "longest" else min(height, width)
        if self.size > side:
            # A panorama one pixel high must not be enlarged to millions of pixels in width.
            side = max(side, self.size * min(1, math.sqrt(height * width / MAX_ENLARGED)))
        return max(1, round(height * self.size / side)), max(1, round(width * self.size / side))
