"""A small U-Net for any input size."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UNet(nn.Module):
    """U-Net with `depth` levels; level k works at 1 / (`stem` x 2^k) of the size with `width` x 2^k channels.

    Source: Ronneberger, Fischer and Brox, "U-Net", MICCAI 2015. Unlike the paper: padded convolutions, so
    that the output has the input's size; BatchNorm; bilinear upsampling and a 1x1 convolution instead of a
    transposed one, which leaves no checkerboard; the input is padded to fit and the output cropped again. With a
    `stem` of 2 or 4 the input's pixels are first folded into channels (Shi et al., "Sub-Pixel Convolution", CVPR
    2016, reversed) and the logits enlarged at the end: the same network at a quarter or a sixteenth of the cost.
    """

    def __init__(self, num_classes: int, width: int = 16, depth: int = 5, stem: int = 1) -> None:
        super().__init__()
        channels = [width * 2**level for level in range(depth)]
        self.encoder = nn.ModuleList(
            _double_conv(before, after) for before, after in zip([3 * stem**2, *channels], channels, strict=False)
        )
        self.reduce = nn.ModuleList(
            nn.Conv2d(below, above, kernel_size=1) for above, below in itertools.pairwise(channels)
        )
        self.decoder = nn.ModuleList(_double_conv(2 * above, above) for above in channels[:-1])
        self.classifier = nn.Conv2d(width, num_classes, kernel_size=1)
        self.stem = stem
        self.stride = stem * 2 ** (depth - 1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        height, width = images.shape[-2:]
        x = F.pad(images, (*self._padding(width), *self._padding(height)), mode="replicate")
        x = F.pixel_unshuffle(x, self.stem)  # (N, 3 * stem^2, H / stem, W / stem)
        skips: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            x = block(x if level == 0 else F.max_pool2d(x, 2))  # (N, width * 2^level, H / (stem * 2^level), W / ...)
            skips.append(x)
        skips.pop()
        for reduce, block in zip(reversed(self.reduce), reversed(self.decoder), strict=True):
            # Reducing the channels first costs a quarter of what it would cost after upsampling, and is equal.
            x = F.interpolate(reduce(x), scale_factor=2, mode="bilinear", align_corners=False)
            x = block(torch.cat([skips.pop(), x], dim=1))
        logits = self.classifier(x)  # (N, C, (H + padding) / stem, (W + padding) / stem)
        if self.stem > 1:
            logits = F.interpolate(logits, scale_factor=self.stem, mode="bilinear", align_corners=False)
        top, left = self._padding(height)[0], self._padding(width)[0]
        return {"out": logits[..., top : top + height, left : left + width]}

    def _padding(self, size: int) -> tuple[int, int]:
        """Pixels before and after, so that the deepest level is whole and has two pixels at least.

        With one pixel there, BatchNorm could not be trained on a batch of one.
        """
        wanted = max(-(-size // self.stride), 2) * self.stride
        return (wanted - size) // 2, wanted - size - (wanted - size) // 2


def _double_conv(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
        nn.Conv2d(after, after, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
