"""DUC, dense upsampling convolution, and HDC, hybrid dilated convolution."""

from __future__ import annotations

import itertools
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from seg_demo.models.backbones import Backbone
from seg_demo.models.layers import conv_bn_relu
from seg_demo.models.model import SegmentationModel


class DUC(SegmentationModel):
    """A dilated ResNet that predicts, for each feature at stride 8, all the 8 x 8 pixels it stands for.

    Source: Wang et al., "Understanding Convolution for Semantic Segmentation", WACV 2018, section 3.1. Unlike the
    paper: two 3x3 convolutions, by way of 512 channels, instead of DeepLab's four dilated ones lead to the scores.
    """

    multiple = 8
    smallest = 16

    def __init__(self, num_classes: int, backbone: str) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, output_stride=8)
        self.reduce = conv_bn_relu(self.backbone.channels[-1], 512)
        self.classifier = nn.Conv2d(512, num_classes * self.multiple**2, kernel_size=3, padding=1)

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        *_, features = self.backbone(images)
        scores = self.classifier(self.reduce(features))  # (N, C * 64, H / 8, W / 8)
        return {"out": F.pixel_shuffle(scores, self.multiple)}  # (N, C, H, W)


class HDC(DUC):
    """DUC on a ResNet whose dilations follow no common factor, so that no pixel falls between the samples.

    Source: the same paper, its variant "dilation-bigger": the blocks of stage 3 take 1, 2, 5 and 9 in turn, from the
    first one on, and those of stage 4 take 5, 9 and 17. The blocks are bottlenecks with one 3x3 convolution each.
    """

    def __init__(self, num_classes: int, backbone: str) -> None:
        super().__init__(num_classes, backbone)
        for stage, pattern in (("layer3", (1, 2, 5, 9)), ("layer4", (5, 9, 17))):
            blocks: Any = self.backbone[stage]
            for block, dilation in zip(blocks, itertools.cycle(pattern), strict=False):
                block.conv2.dilation = block.conv2.padding = (dilation, dilation)
