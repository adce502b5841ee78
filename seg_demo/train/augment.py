"""Random variations of a picture and its label map, drawn together."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from seg_demo.data.preprocessing import Preprocessing
from seg_demo.train.config import Augmentation


def augmentation(settings: Augmentation, preprocessing: Preprocessing, crop: int, ignore_index: int) -> v2.Transform:
    """A transform of (image, label map) tv_tensors: uint8 in, (3, `crop`, `crop`) float32 in [0, 1] and
    (1, `crop`, `crop`) uint8 out.

    Where a rotation or a crop reaches beyond the picture, the image is filled with the checkpoint's mean
    colour and the label map with `ignore_index`. Label maps are only ever sampled by nearest.
    """
    fill: dict[type, list[int] | int] = {
        tv_tensors.Image: [round(255 * part) for part in preprocessing.mean],
        tv_tensors.Mask: ignore_index,
    }
    noisy = [v2.GaussianNoise(sigma=settings.noise * part) for part in (0.0, 0.3, 1.0)]
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(settings.flip),
            v2.RandomVerticalFlip(settings.vertical_flip),
            v2.RandomAffine(
                settings.rotation, scale=settings.scale, interpolation=v2.InterpolationMode.BILINEAR, fill=fill
            ),
            v2.RandomCrop(crop, pad_if_needed=True, fill=fill),
            v2.ColorJitter(settings.color, settings.color, settings.color, settings.hue),
            v2.RandomGrayscale(settings.grayscale),
            v2.RandomApply([v2.GaussianBlur(5, (0.3, 1.5))], settings.blur),
            v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
            v2.RandomChoice(noisy),
        ]
    )


def wrap(image: Tensor, label_map: Tensor) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
    """(3, H, W) and (1, H, W) uint8 tensors as the pair that v2 transforms move together."""
    return tv_tensors.Image(image), tv_tensors.Mask(label_map)
