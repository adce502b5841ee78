"""The losses by task: cross-entropy for the single pixel, Dice for the shape as a whole."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from seg_demo.classes import Task
from seg_demo.models.outputs import probabilities


def segmentation_loss(logits: Tensor, label_maps: Tensor, task: Task, ignore_index: int) -> Tensor:
    """Cross-entropy + soft Dice, a scalar >= 0.

    logits: (N, C, H, W) float. label_maps: (N, H, W) int64; `ignore_index` pixels count in neither part.
    Dice is one minus the mean of 2 |P Y| / (|P| + |Y|) over the classes that are labelled in the batch (Milletari,
    Navab and Ahmadi, V-Net, 2016); for the task "binary" that is class 1. A batch that is ignored altogether
    gives 0.
    """
    labelled = label_maps != ignore_index  # (N, H, W)
    if not labelled.any():
        return logits.sum() * 0
    exact = probabilities(logits, task)
    if task == "binary":
        target = (label_maps == 1).float()
        cross_entropy = F.binary_cross_entropy_with_logits(logits[:, 0].float()[labelled], target[labelled])
        targets = target[:, None]  # (N, 1, H, W)
    else:
        cross_entropy = F.cross_entropy(logits.float(), label_maps, ignore_index=ignore_index)
        inside = label_maps.masked_fill(~labelled, 0)
        targets = F.one_hot(inside, logits.shape[1]).movedim(-1, 1).float()  # (N, C, H, W)
    counted = labelled[:, None]
    overlap = (exact * targets * counted).sum((0, 2, 3))  # (C,)
    total = ((exact + targets) * counted).sum((0, 2, 3))
    present = (targets * counted).sum((0, 2, 3)) > 0
    if not present.any():
        return cross_entropy
    dice = (2 * overlap + 1) / (total + 1)
    return cross_entropy + 1 - dice[present].mean()
