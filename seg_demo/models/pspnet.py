"""PSPNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.segmentation.fcn import FCNHead

from seg_demo.models.backbones import Backbone
from seg_demo.models.layers import PooledBatchNorm2d, average_pool, conv_bn_relu, enlarge
from seg_demo.models.model import SegmentationModel


class PyramidPooling(nn.Module):
    """Features (N, C, h, w) beside their means over 1, 2 x 2, 3 x 3 and 6 x 6 regions: (N, 2 C, h, w)."""

    def __init__(self, channels: int, bins: tuple[int, ...] = (1, 2, 3, 6)) -> None:
        super().__init__()
        self.bins = bins
        branches = [conv_bn_relu(channels, channels // len(bins), kernel=1) for _ in bins]
        branches[0][1] = PooledBatchNorm2d(channels // len(bins))
        self.branches = nn.ModuleList(branches)

    def forward(self, features: Tensor) -> Tensor:
        pooled = [branch(average_pool(features, bins)) for bins, branch in zip(self.bins, self.branches, strict=True)]
        return torch.cat([features, *(enlarge(means, like=features) for means in pooled)], dim=1)


class PSPNet(SegmentationModel):
    """A dilated backbone whose features see the whole picture through pyramid pooling.

    Source: Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017; the auxiliary head stands on stage 3. Unlike
    the authors' code: torchvision's ResNet starts with one 7x7 convolution instead of three 3x3, and pixels are
    centred when features are enlarged (no `align_corners`).
    """

    def __init__(self, num_classes: int, backbone: str) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, output_stride=8)
        *_, stage3, stage4 = self.backbone.channels
        self.pyramid = PyramidPooling(stage4)
        self.classifier = nn.Sequential(
            *conv_bn_relu(2 * stage4, 512), nn.Dropout2d(0.1), nn.Conv2d(512, num_classes, kernel_size=1)
        )
        self.aux_classifier = FCNHead(stage3, num_classes)
        self.stride = self.multiple = self.backbone.strides[-1]
        self.smallest = 2 * self.stride

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        *_, stage3, stage4 = self.backbone(images)
        outputs = {"out": self.classifier(self.pyramid(stage4))}  # (N, C, H / 8, W / 8)
        if self.auxiliary:
            outputs["aux"] = self.aux_classifier(stage3)
        return outputs
