"""Dilated convolutions whose training does not multiply the zeros beyond the border."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

MOST_COVERED = 0.4
"""Share of the products inside the map up to which a gradient tap by tap is quicker than oneDNN's."""


class DilatedConv2d(nn.Conv2d):
    """`nn.Conv2d` of stride 1 that keeps the size; on the CPU, its weights' gradient is computed tap by tap.

    With a dilation near the size of the map, most of the taps of most pixels lie beyond the border. oneDNN leaves them
    out of the forward pass, but not of the gradient of the weights.
    """

    def forward(self, input: Tensor) -> Tensor:
        learns = torch.is_grad_enabled() and self.weight.requires_grad and not torch.compiler.is_compiling()
        covered = 1.0
        for size, dilation in zip(input.shape[-2:], self.dilation, strict=True):
            covered *= (size + 2 * max(0, size - dilation)) / (3 * size)
        if learns and input.device.type == "cpu" and covered < MOST_COVERED:
            return _TapByTap.apply(input, self.weight, self.dilation)  # type: ignore[no-any-return, no-untyped-call]
        return super().forward(input)


class _TapByTap(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, dilation: tuple[int, int]) -> Tensor:  # type: ignore[override]
        output = F.conv2d(input, weight, padding=dilation, dilation=dilation)  # (N, O, H, W), in autocast's dtype
        ctx.save_for_backward(input.to(output.dtype), weight)
        ctx.dilation, ctx.dtype = dilation, input.dtype
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:  # type: ignore[override]
        input, weight = ctx.saved_tensors
        of_input = None
        if ctx.needs_input_grad[0]:
            of_input = conv2d_input(
                input.shape, weight.to(gradient.dtype), gradient, padding=ctx.dilation, dilation=ctx.dilation
            ).to(ctx.dtype)
        inputs, gradients = input.permute(0, 2, 3, 1), gradient.permute(0, 2, 3, 1)  # (N, H, W, channels)
        of_weight = weight.new_zeros(3, 3, *weight.shape[:2])  # (3, 3, O, C)
        for row in range(3):
            top, bottom = _overlap(input.shape[2], (row - 1) * ctx.dilation[0])
            for column in range(3):
                left, right = _overlap(input.shape[3], (column - 1) * ctx.dilation[1])
                there = gradients[:, top, left].flatten(0, 2)  # (pixels, O)
                if len(there):
                    of_weight[row, column] = there.T @ inputs[:, bottom, right].flatten(0, 2)
        return of_input, of_weight.permute(2, 3, 0, 1), None


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    """Places of `size` in a row from which a step by `shift` stays inside, and where it leads."""
    if abs(shift) >= size:
        return slice(0), slice(0)
    return slice(max(0, -shift), size - max(0, shift)), slice(max(0, shift), size - max(0, -shift))
