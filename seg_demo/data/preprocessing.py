"""How an image becomes the input of a model. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ResizeRule = Literal["none", "longest", "shortest", "exact"]


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the model's input: resized, scaled to [0, 1], normalised.

    resize: "none" keeps the size; "longest" / "shortest" make that side `size` pixels and keep the aspect;
    "exact" makes both sides `size`. mean, std: per channel, in units of [0, 1].
    """

    resize: ResizeRule = "none"
    size: int = 512
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    interpolation: Literal["bilinear"] = "bilinear"

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """Size (height, width) at which the model sees an image of `height` x `width` pixels.

        >>> Preprocessing("longest", 320).input_size(1000, 2000)
        (160, 320)
        """
        if self.resize == "none":
            return height, width
        if self.resize == "exact":
            return self.size, self.size
        side = max(height, width) if self.resize == "longest" else min(height, width)
        return max(1, round(height * self.size / side)), max(1, round(width * self.size / side))
