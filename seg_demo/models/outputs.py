"""From logits to probabilities, in one place."""

from __future__ import annotations

import torch
from torch import Tensor

from seg_demo.classes import Task


def probabilities(logits: Tensor, task: Task) -> Tensor:
    """Logits (..., C, H, W), any float dtype -> probabilities of the same shape, float32 in [0, 1].

    "binary": sigmoid of the single channel; "multiclass": softmax over the channels.
    """
    logits = logits.float()
    return torch.sigmoid(logits) if task == "binary" else torch.softmax(logits, dim=-3)
