"""Copy and paste: what is labelled in one picture, put over another."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torchvision import tv_tensors

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.transforms.joint import JointTransform
from seg_demo.data.transforms.tensors import to_float

Pair = tuple[tv_tensors.Image, tv_tensors.Mask]


class RandomPaste(nn.Module):
    """With a chance, the pixels of classes other than 0 of another picture lie over this one, each with its label.

    Source: Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method", CVPR 2021. other: draws the other
    picture, by torch's global random numbers; window: cuts it to the size of this one, as this one was. Images become
    float32.
    """

    def __init__(
        self, chance: float, other: Callable[[], Pair], window: JointTransform, ignore_index: int = IGNORE_INDEX
    ) -> None:
        super().__init__()
        self.chance, self.other, self.window, self.ignore_index = chance, other, window, ignore_index

    def forward(self, image: tv_tensors.Image, label_map: tv_tensors.Mask) -> Pair:
        if torch.rand(()) >= self.chance:
            return image, label_map
        above, labels = self.window(*self.other())
        over = (labels != 0) & (labels != self.ignore_index)  # (1, S, S)
        return (
            tv_tensors.wrap(torch.where(over, to_float(above), to_float(image)), like=image),
            tv_tensors.wrap(torch.where(over, labels, label_map), like=label_map),
        )
