"""U-Net: the paper's own encoder, or any backbone in its place."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg_demo.models.backbones import Backbone
from seg_demo.models.layers import double_conv, enlarge
from seg_demo.models.model import SegmentationModel


def unet(num_classes: int, backbone: str, **own_encoder: int) -> SegmentationModel:
    """A `BackboneUNet`, or with the backbone "none" a `UNet` with the arguments `own_encoder`."""
    return UNet(num_classes, **own_encoder) if backbone == "none" else BackboneUNet(num_classes, backbone)


class UNet(SegmentationModel):
    """U-Net with `depth` levels; level k works at 1 / (`stem` x 2^k) of the size with `width` x 2^k channels.

    Source: Ronneberger, Fischer and Brox, "U-Net", MICCAI 2015, which has a width of 64 and a depth of 5. Unlike the
    paper: padded convolutions, so that the output has the input's size; BatchNorm; a 1x1 convolution and bilinear
    upsampling instead of a transposed convolution, which leaves no checkerboard. With a `stem` of 2 or 4 the
    input's pixels are first folded into channels (Shi et al., "Sub-Pixel Convolution", CVPR 2016, reversed) and
    the logits enlarged at the end: the same network at a quarter or a sixteenth of the cost.
    """

    backbone_parts = ("encoder",)

    def __init__(self, num_classes: int, width: int = 64, depth: int = 5, stem: int = 1) -> None:
        super().__init__()
        channels = [width * 2**level for level in range(depth)]
        self.encoder = nn.ModuleList(
            double_conv(before, after) for before, after in zip([3 * stem**2, *channels], channels, strict=False)
        )
        self.reduce = nn.ModuleList(
            nn.Conv2d(below, above, kernel_size=1) for above, below in itertools.pairwise(channels)
        )
        self.decoder = nn.ModuleList(double_conv(2 * above, above) for above in channels[:-1])
        self.classifier = nn.Conv2d(width, num_classes, kernel_size=1)
        self.stride = stem
        self.multiple = stem * 2 ** (depth - 1)
        self.smallest = 2 * self.multiple

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        x = F.pixel_unshuffle(images, self.stride)  # (N, 3 * stem^2, H / stem, W / stem)
        skips: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            x = block(x if level == 0 else F.max_pool2d(x, 2))  # (N, width * 2^level, H / (stem * 2^level), W / ...)
            skips.append(x)
        skips.pop()
        for reduce, block in zip(reversed(self.reduce), reversed(self.decoder), strict=True):
            # Reducing the channels first costs a quarter of what it would cost after upsampling, and is equal.
            x = F.interpolate(reduce(x), scale_factor=2, mode="bilinear", align_corners=False)
            x = block(torch.cat([skips.pop(), x], dim=1))
        return {"out": self.classifier(x)}  # (N, C, H / stem, W / stem)


class BackboneUNet(SegmentationModel):
    """U-Net whose encoder is a backbone; its decoder has 256, 128, 64, 32 and 16 channels at strides 16 to 1.

    Source: the decoder is the paper's, narrower, as Iakubovskii's segmentation_models.pytorch has it. A backbone's
    first features are at stride 2 (VGG's after its first pooling), so the finest level is joined with the image.
    """

    channels = (256, 128, 64, 32, 16)
    multiple = 32
    smallest = 64

    def __init__(self, num_classes: int, backbone: str) -> None:
        super().__init__()
        self.backbone = Backbone(backbone)
        skips = (*reversed(self.backbone.channels[:-1]), 3)
        before = (self.backbone.channels[-1], *self.channels)
        self.decoder = nn.ModuleList(
            double_conv(below + skip, after) for below, skip, after in zip(before, skips, self.channels, strict=False)
        )
        self.classifier = nn.Conv2d(self.channels[-1], num_classes, kernel_size=1)

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        skips: list[Tensor] = [images, *self.backbone(images)]
        x = skips.pop()
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
            x = block(torch.cat([enlarge(x, like=skip), skip], dim=1))  # (N, channels, size of the skip)
        return {"out": self.classifier(x)}  # (N, C, H, W)
