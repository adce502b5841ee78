"""The whole chain from a labelled picture to what a network learns from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torchvision.transforms import v2

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.data.transforms.colour import Clamp, RandomBlur, RandomHue
from seg_demo.data.transforms.paste import Pair, RandomPaste
from seg_demo.data.transforms.windows import RandomWindow


def training_chain(
    crop: int,
    preprocessing: Preprocessing,
    *,
    scale: tuple[float, float] = (0.5, 2.0),
    stretch: float = 0.0,
    rotation: float = 10.0,
    flip: float = 0.5,
    vertical_flip: float = 0.0,
    centred: bool = False,
    focus: float = 0.0,
    category_max_ratio: float = 1.0,
    paste: float = 0.0,
    others: Callable[[], Pair] | None = None,
    color: float = 0.4,
    hue: float = 0.05,
    blur: float = 0.2,
    noise: float = 0.0,
    grayscale: float = 0.0,
    ignore_index: int = IGNORE_INDEX,
) -> v2.Compose:
    """A transform of image (3, H, W) uint8 and label map (1, H, W) uint8 that draws a variation of both.

    They come out as (3, `crop`, `crop`) float32, normalised by `preprocessing`, and (1, `crop`, `crop`) uint8. The
    picture is taken as it is: resizing it by the rule of `preprocessing` comes before. scale, stretch, rotation, flip,
    vertical_flip, centred, focus, category_max_ratio: see `RandomWindow`. paste: chance of `RandomPaste`, which takes
    the other picture from `others`. color: largest relative change of brightness, contrast and saturation. hue: largest
    shift of the hue, in turns. blur, grayscale: chances. noise: standard deviation of Gaussian noise in units of
    [0, 1]. What is 0 is left out and costs nothing.

    >>> from seg_demo.data.procedural import ProceduralNewts
    >>> from seg_demo.data.transforms import as_pair
    >>> image, label_map = training_chain(96, Preprocessing())(*as_pair(ProceduralNewts(1, longest=128)[0]))
    >>> image.shape, label_map.shape
    (torch.Size([3, 96, 96]), torch.Size([1, 96, 96]))
    """
    window = RandomWindow(
        crop, scale=scale, stretch=stretch, rotation=rotation, flip=flip, vertical_flip=vertical_flip, centred=centred,
        focus=focus, category_max_ratio=category_max_ratio, ignore_index=ignore_index,
    )  # fmt: skip
    steps: list[tuple[float, v2.Transform]] = [
        (color, v2.ColorJitter(color, color, color)),
        (hue, RandomHue(hue)),
        (grayscale, v2.RandomGrayscale(grayscale)),
        (blur, v2.RandomApply([RandomBlur()], blur)),
        (noise, v2.GaussianNoise(sigma=noise)),
    ]
    pasting = [RandomPaste(paste, others, window, ignore_index)] if paste and others else []
    return v2.Compose(
        [
            window,
            *pasting,
            *(step for amount, step in steps if amount > 0),
            Clamp(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(list(preprocessing.mean), list(preprocessing.std)),
        ]
    )
