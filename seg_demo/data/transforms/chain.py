"""The whole chain from a labelled picture to what a network learns from."""

from __future__ import annotations

import torch
from torchvision.transforms import v2

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.data.transforms.colour import RandomBlur, RandomHue
from seg_demo.data.transforms.sizes import ResizeByRule
from seg_demo.data.transforms.windows import RandomScaledCrop


def training_chain(
    crop: int,
    preprocessing: Preprocessing,
    *,
    scale: tuple[float, float] = (0.5, 2.0),
    degrees: float = 10.0,
    category_max_ratio: float = 0.75,
    flip: float = 0.5,
    vertical_flip: float = 0.0,
    color: float = 0.4,
    hue: float = 0.05,
    blur: float = 0.5,
    ignore_index: int = IGNORE_INDEX,
) -> v2.Compose:
    """A transform of image (3, H, W) uint8 and label map (1, H, W) uint8 that draws a variation of both.

    They come out as (3, `crop`, `crop`) float32, normalised by `preprocessing`, and (1, `crop`, `crop`) uint8. scale:
    smallest and largest factor on the picture as `preprocessing` resizes it. degrees: largest angle, either way.
    category_max_ratio: see `RandomCrop`. flip, vertical_flip, blur: chances. color: largest relative change of
    brightness, contrast and saturation. hue: largest shift of the hue, in turns.

    >>> from seg_demo.data.procedural import ProceduralNewts
    >>> from seg_demo.data.transforms import as_pair
    >>> image, label_map = training_chain(96, Preprocessing())(*as_pair(ProceduralNewts(1, longest=128)[0]))
    >>> image.shape, label_map.shape
    (torch.Size([3, 96, 96]), torch.Size([1, 96, 96]))
    """
    return v2.Compose(
        [
            ResizeByRule(preprocessing),
            RandomScaledCrop(crop, scale, degrees, category_max_ratio, ignore_index),
            v2.RandomHorizontalFlip(flip),
            v2.RandomVerticalFlip(vertical_flip),
            v2.ColorJitter(color, color, color),
            RandomHue(hue),
            v2.RandomApply([RandomBlur()], blur),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(list(preprocessing.mean), list(preprocessing.std)),
        ]
    )
