"""SegNet."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg_demo.models.backbones import Backbone
from seg_demo.models.layers import conv_bn_relu
from seg_demo.models.model import SegmentationModel


class SegNet(SegmentationModel):
    """VGG and its mirror image, which puts every value back to where pooling took it from.

    Source: Badrinarayanan, Kendall and Cipolla, "SegNet", PAMI 2017, with VGG16's thirteen convolutions. Of each
    pooling, the position of the largest value in its 2x2 window is kept. Unlike the paper: the mirror image has no
    biases, which its BatchNorm would take away; it has BatchNorm even where the backbone has none.
    """

    multiple = 32
    smallest = 64

    def __init__(self, num_classes: int, backbone: str) -> None:
        super().__init__()
        self.backbone = Backbone(backbone)
        convolutions = [layer for layer in self.backbone.values() if isinstance(layer, nn.Conv2d | nn.MaxPool2d)]
        stages: list[list[nn.Module]] = [[]]
        for layer in reversed(convolutions):  # The mirror image of each: as many channels in as those had out.
            if isinstance(layer, nn.Conv2d):
                stages[-1].append(conv_bn_relu(layer.out_channels, layer.in_channels))
            elif stages[-1]:
                stages.append([])
        stages[-1].pop()  # The last one leads to the classes instead of to red, green and blue.
        self.decoder = nn.ModuleList(nn.Sequential(*stage) for stage in stages)
        self.classifier = nn.Conv2d(64, num_classes, kernel_size=3, padding=1)

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        x = images
        positions = []
        for layer in self.backbone.values():
            if isinstance(layer, nn.MaxPool2d):
                x, position = pool(x)
                positions.append(position)
            else:
                x = layer(x)
        for stage, position in zip(self.decoder, reversed(positions), strict=True):
            x = stage(unpool(x, position))
        return {"out": self.classifier(x)}  # (N, C, H, W)


def pool(features: Tensor) -> tuple[Tensor, Tensor]:
    """Features (N, C, H, W), H and W even -> largest of each 2x2 window, and which of its pixels that was, 0 to 3.

    `F.max_pool2d` with indices, but for the form of the indices: these are small, and export.
    """
    return F.pixel_unshuffle(features, 2).unflatten(1, (-1, 4)).max(dim=2)  # (N, C, H / 2, W / 2) twice


def unpool(features: Tensor, positions: Tensor) -> Tensor:
    """Features (N, C, h, w) -> (N, C, 2h, 2w), each value at its position in its window, and zeros elsewhere."""
    windows = torch.arange(4, device=features.device)[:, None, None] == positions[:, :, None]  # (N, C, 4, h, w)
    return F.pixel_shuffle((windows * features[:, :, None]).flatten(1, 2), 2)
