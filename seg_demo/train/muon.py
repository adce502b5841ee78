"""Muon: convolutions whose updates are orthogonal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from seg_demo.infer.precision import quick_precision

ITERATIONS = 4
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.AdamW):
    """Muon for the groups of parameters that have "muon" set, AdamW for the others.

    The momentum of a weight (out, in, k, k), as a matrix (out, in k k), is replaced by the nearest orthogonal one, so
    that no direction of it learns faster than another (Jordan et al., Muon, 2024, https://kellerjordan.github.io/posts/muon).
    Momentum is Nesterov's, weight decay is decoupled.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, momentum: float) -> None:
        super().__init__(groups, lr, fused=True)
        self.momentum = momentum
        self._step_supports_amp_scaling = False  # which AdamW's fused kernel does, and what is here does not

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        groups = self.param_groups
        self.param_groups = [group for group in groups if not group["muon"]]
        try:
            super().step(closure)
        finally:
            self.param_groups = groups
        for group in groups:
            for weight in group["params"] if group["muon"] else ():
                if weight.grad is not None:
                    self._follow(weight, group["lr"], group["weight_decay"])

    def _follow(self, weight: Tensor, rate: float, weight_decay: float) -> None:
        state = self.state[weight]
        if not state:
            # AdamW counts steps, too, and expects all states to have the count when they are loaded.
            state |= {"step": torch.zeros(()), "momentum_buffer": torch.zeros_like(weight)}
        state["step"] += 1
        average = state["momentum_buffer"].mul_(self.momentum).add_(weight.grad)
        update = weight.grad.add(average, alpha=self.momentum).flatten(1)  # type: ignore[union-attr]
        rows, columns = update.shape
        weight.mul_(1 - rate * weight_decay)
        weight.add_(orthogonal(update).view_as(weight), alpha=-rate * max(1.0, rows / columns) ** 0.5)


def orthogonal(matrix: Tensor) -> Tensor:
    """(R, C) float32 -> about U V^T of its singular value decomposition U S V^T: singular values near 1, not all 1.

    By four iterations of Newton and Schulz, a polynomial of X X^T, in bfloat16 where that is quick; the authors take
    five. Singular values far below the largest one stay small.
    """
    a, b, c = COEFFICIENTS
    precision = getattr(torch, quick_precision(matrix.device))
    x = (matrix / (matrix.norm() + 1e-7)).to(precision)
    if tall := x.shape[0] > x.shape[1]:
        x = x.T.contiguous()
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).float()
