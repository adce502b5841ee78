"""DeepLabV3+; DeepLabV3 itself is torchvision's."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP

from seg_demo.models.backbones import Backbone
from seg_demo.models.layers import conv_bn_relu, enlarge
from seg_demo.models.model import SegmentationModel
from seg_demo.models.torchvision import train_on_one_image


class DeepLabV3Plus(SegmentationModel):
    """Atrous spatial pyramid pooling at stride 16, and a decoder that joins it with features at stride 4.

    Source: Chen et al., "Encoder-Decoder with Atrous Separable Convolution", ECCV 2018; ASPP is torchvision's, with
    the rates 6, 12 and 18 of stride 16. The convolutions are plain, as in the paper's ResNet, not separable.
    """

    multiple = 16
    smallest = 32
    stride = 4

    def __init__(self, num_classes: int, backbone: str) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, output_stride=16)
        self.aspp = ASPP(self.backbone.channels[-1], [6, 12, 18])
        train_on_one_image(self.aspp)
        self.reduce = conv_bn_relu(self.backbone.channels[1], 48, kernel=1)
        self.decoder = nn.Sequential(conv_bn_relu(256 + 48, 256), conv_bn_relu(256, 256))
        self.classifier = nn.Conv2d(256, num_classes, kernel_size=1)

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        _, fine, _, _, coarse = self.backbone(images)
        fine = self.reduce(fine)  # (N, 48, H / 4, W / 4)
        context = enlarge(self.aspp(coarse), like=fine)  # (N, 256, H / 4, W / 4)
        return {"out": self.classifier(self.decoder(torch.cat([context, fine], dim=1)))}
