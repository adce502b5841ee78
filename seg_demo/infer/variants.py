"""One picture looked at several times, at other scales and mirrored, and the mean of what is seen."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from seg_demo.classes import Task
from seg_demo.data.transforms.sizes import scaled_size


@dataclass(frozen=True)
class Variant:
    """The picture at `scale` times the size that the checkpoint's rule gives, and mirrored or not."""

    scale: float = 1.0
    mirrored: bool = False

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width in whole pixels, at least one."""
        return scaled_size(height, width, self.scale)


def variants_of(scales: Iterable[float], flip: bool) -> tuple[Variant, ...]:
    """Every scale once, and with `flip` mirrored as well. Raises `ValueError` for a scale that is none, or for none.

    >>> len(variants_of((0.75, 1.0, 1.25), flip=True))
    6
    """
    scales = tuple(dict.fromkeys(map(float, scales)))
    if not scales or not all(math.isfinite(scale) and scale > 0 for scale in scales):
        raise ValueError(f"scales must be positive numbers, at least one, not {scales}")
    return tuple(Variant(scale, mirrored) for scale in scales for mirrored in ((False, True) if flip else (False,)))


class MeanProbability:
    """The mean of several predictions as probabilities (Zhao et al., PSPNet, CVPR 2017, section 5), kept as logits.

    Sums are kept as logarithms, so that neither a probability near 0 nor one near 1 loses its digits, and
    `models.outputs.probabilities` of the result are the mean of the probabilities of what was added.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self._total: Tensor | None = None  # (C, h, w), or (2, h, w) for the task "binary": logarithms of sums

    def add(self, strips: Iterable[tuple[int, int, Tensor]]) -> None:
        """Another prediction: strips (top, bottom, logits (C, rows, w) float32) from top to bottom."""
        first = self._total is None
        parts = []
        for top, bottom, logits in strips:
            logarithms = self._logarithms(logits)
            if self._total is None:
                parts.append(logarithms)
            else:
                band = self._total[:, top:bottom]
                torch.logaddexp(band, logarithms, out=band)
        if first:
            self._total = torch.cat(parts, dim=1)

    def logits(self) -> Tensor:
        """(C, h, w) float32 whose probabilities are the mean; for "multiclass" they are the mean's logarithms and
        a constant, which no softmax sees."""
        assert self._total is not None
        return self._total[1:] - self._total[:1] if self.task == "binary" else self._total

    def _logarithms(self, logits: Tensor) -> Tensor:
        """Of the probability of each class: of the complement and of class 1 for the task "binary"."""
        if self.task == "binary":
            return torch.cat([F.logsigmoid(-logits), F.logsigmoid(logits)])
        return F.log_softmax(logits, dim=0)
