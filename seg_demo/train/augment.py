"""The transforms that the settings of an augmentation stand for."""

from __future__ import annotations

from torchvision.transforms import v2

from seg_demo.data.transforms import Clamp, RandomWindow
from seg_demo.train.config import Augmentation


def augmentation(settings: Augmentation, crop: int, ignore_index: int) -> v2.Compose:
    """A transform of tv_tensors.Image (3, H, W) uint8 and tv_tensors.Mask (1, H, W) uint8 that varies both.

    They come out as (3, `crop`, `crop`) float32 in [0, 1] and (1, `crop`, `crop`) uint8.
    """
    return v2.Compose(
        [
            RandomWindow(
                crop,
                scale=settings.scale,
                stretch=settings.stretch,
                rotation=settings.rotation,
                flip=settings.flip,
                vertical_flip=settings.vertical_flip,
                focus=settings.focus,
                ignore_index=ignore_index,
            ),
            v2.ColorJitter(settings.color, settings.color, settings.color),
            v2.RandomApply([v2.ColorJitter(hue=settings.hue)], 0.5),
            v2.RandomGrayscale(settings.grayscale),
            v2.RandomApply([v2.GaussianBlur(5, (0.3, 1.5))], settings.blur),
            v2.RandomApply([v2.GaussianNoise(sigma=settings.noise)], 0.5),
            Clamp(),
        ]
    )
