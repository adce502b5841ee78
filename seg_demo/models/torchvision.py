"""torchvision's own networks: FCN, DeepLabV3 and LR-ASPP. Their state dicts are torchvision's, name by name."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP, DeepLabHead
from torchvision.models.segmentation.fcn import FCNHead
from torchvision.models.segmentation.lraspp import LRASPPHead

from seg_demo.models.backbones import Backbone
from seg_demo.models.dilated import DilatedConv2d
from seg_demo.models.layers import PooledBatchNorm2d
from seg_demo.models.model import SegmentationModel


class DeepLabV3(SegmentationModel):
    """Atrous spatial pyramid pooling on a dilated backbone.

    Source: Chen et al., "Rethinking Atrous Convolution", 2017, as torchvision has it: output stride 8 on ResNet and 16
    on MobileNetV3, the rates 12, 24 and 36, and an auxiliary head unless `aux` is false.
    """

    head: Any = DeepLabHead
    smallest = 32

    def __init__(self, num_classes: int, backbone: str, aux: bool) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, output_stride=8)
        self.classifier = self.head(self.backbone.channels[-1], num_classes)
        train_on_one_image(self.classifier[0])
        self.stride = self.backbone.strides[-1]
        # torchvision has it on ResNet's stage 3, and on MobileNetV3's features at stride 8
        self.tap = 2 if backbone.startswith("mobilenet") else 3
        self.aux_classifier = FCNHead(self.backbone.channels[self.tap], num_classes) if aux else None

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        features = self.backbone(images)
        outputs = {"out": self.classifier(features[-1])}  # (N, C, H / stride, W / stride)
        if self.aux_classifier is not None and self.auxiliary:
            outputs["aux"] = self.aux_classifier(features[self.tap])
        return outputs


class FCN(DeepLabV3):
    """A 3x3 and a 1x1 convolution on a dilated ResNet.

    Source: Long, Shelhamer and Darrell, "Fully Convolutional Networks", CVPR 2015, in torchvision's later form:
    output stride 8 by dilation, no skips.
    """

    head = FCNHead


class LRASPP(SegmentationModel):
    """Lite reduced atrous spatial pyramid pooling: scores at strides 16 and 8, the coarser weighted by its mean.

    Source: Howard et al., "Searching for MobileNetV3", ICCV 2019, section 6.4, as torchvision has it.
    """

    smallest = 32
    stride = 8

    def __init__(self, num_classes: int, backbone: str) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, output_stride=16)
        self.classifier = LRASPPHead(self.backbone.channels[2], self.backbone.channels[-1], num_classes, 128)

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        _, _, low, _, high = self.backbone(images)
        return {"out": self.classifier({"low": low, "high": high})}  # (N, C, H / 8, W / 8)


def train_on_one_image(head: nn.Module) -> None:
    """Let the pooled branch of an ASPP train on a batch of one image; other heads stay as they are."""
    if isinstance(head, ASPP):
        pooling = head.convs[-1]  # mean, convolution, BatchNorm, ReLU
        pooling[2] = PooledBatchNorm2d(pooling[2].num_features)
        for branch in head.convs[1:-1]:  # convolution, BatchNorm, ReLU
            branch[0].__class__ = DilatedConv2d
