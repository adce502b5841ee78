"""Layers that several families use."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv_bn_relu(before: int, after: int, kernel: int = 3) -> nn.Sequential:
    """A convolution that keeps the size, BatchNorm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


def double_conv(before: int, after: int) -> nn.Sequential:
    """Two times convolution 3x3, BatchNorm and ReLU."""
    return nn.Sequential(*conv_bn_relu(before, after), *conv_bn_relu(after, after))


def enlarge(features: Tensor, like: Tensor) -> Tensor:
    """Features (N, C, h, w) -> (N, C, H, W), the size of `like`, bilinear."""
    return F.interpolate(features, like.shape[-2:], mode="bilinear", align_corners=False)


class LearnedUpsampling(nn.ConvTranspose2d):
    """Enlarges each channel `factor` (even) times: (N, C, h, w) -> (N, C, factor h, factor w).

    Source: Long, Shelhamer and Darrell, "Fully Convolutional Networks", CVPR 2015, section 3.3. It begins as bilinear
    interpolation, and the border pixels are repeated, because the scores would fade to zero there otherwise. Each
    channel has a kernel of its own; the paper's mixes channels, with zeros off the diagonal at the start.
    """

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__(
            channels, channels, 2 * factor, stride=factor, padding=factor // 2 + factor, groups=channels, bias=False
        )

    def reset_parameters(self) -> None:
        factor = self.stride[0]
        line = 1 - (torch.arange(2 * factor) + 0.5 - factor).abs() / factor  # (2 * factor,)
        with torch.no_grad():
            self.weight.copy_(line[:, None] * line)  # (channels, 1, 2 * factor, 2 * factor)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(F.pad(input, (1, 1, 1, 1), mode="replicate"), output_size)


class PooledBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm for maps that are pooled to 1x1: with a batch of one, it trains on the running statistics.

    A single value per channel has no variance, and `nn.BatchNorm2d` refuses it.
    """

    def forward(self, input: Tensor) -> Tensor:
        if self.training and input.numel() == input.shape[1]:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)


def average_pool(features: Tensor, bins: int) -> Tensor:
    """Features (N, C, H, W) -> means over a grid of `bins` x `bins` regions, as `F.adaptive_avg_pool2d`.

    Written as two matrix products, so that it exports for any size and a size may be smaller than the grid.
    """
    rows, columns = (_regions(size, bins, features) for size in features.shape[-2:])  # (bins, H), (bins, W)
    return rows @ features @ columns.T


def _regions(size: int, bins: int, like: Tensor) -> Tensor:
    """(bins, size): the share of each pixel in the mean of each region; region i is [floor(i s/b), ceil((i+1) s/b))."""
    region = torch.arange(bins, device=like.device)[:, None]
    pixel = torch.arange(size, device=like.device)
    inside = (pixel >= region * size // bins) & (pixel < ((region + 1) * size + bins - 1) // bins)  # (bins, size)
    return (inside / inside.sum(dim=1, keepdim=True)).to(like.dtype)
