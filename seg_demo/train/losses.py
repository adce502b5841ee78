"""The losses by name: of the single pixel, of the shape as a whole, of the hard pixels alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from seg_demo.classes import Task
from seg_demo.errors import UserError
from seg_demo.models.outputs import probabilities
from seg_demo.registry import look_up
from seg_demo.train.config import LossSettings

TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class Scored:
    """What a loss is computed of: the scores of one head, and the labels that they should have."""

    logits: Tensor  # (N, C, H, W) float32; C is 1 for the task "binary"
    labels: Tensor  # (N, H, W) int64, 0 where nothing is labelled
    labelled: Tensor  # (N, H, W) bool
    class_weights: Tensor  # (classes,) float32
    task: Task
    settings: LossSettings
    total: Callable[[Tensor], Tensor]  # sums over the parts of a batch that other processes have

    @property
    def weights(self) -> Tensor:
        """(N, H, W) float32: the weight of each pixel's class; 0 where nothing is labelled."""
        return self.class_weights[self.labels] * self.labelled

    @property
    def targets(self) -> Tensor:
        """(N, C, H, W) float32: 1 for the class of a pixel and 0 for the others, or everywhere if not labelled."""
        if self.task == "binary":
            return ((self.labels == 1) & self.labelled)[:, None].float()
        return torch.zeros_like(self.logits).scatter_(1, self.labels[:, None], self.labelled[:, None].float())

    @property
    def entropies(self) -> Tensor:
        """(N, H, W) float32: minus the logarithm of the probability that a pixel's label gets."""
        if self.task == "binary":
            return F.binary_cross_entropy_with_logits(self.logits, self.targets, reduction="none")[:, 0]
        return F.cross_entropy(self.logits, self.labels, reduction="none")


def cross_entropy(scored: Scored) -> Tensor:
    """Cross-entropy of the softmax, or of the sigmoid for the task "binary"; the weighted mean over the pixels."""
    return _mean(scored.entropies, scored.weights)


def binary_cross_entropy(scored: Scored) -> Tensor:
    """Cross-entropy of the sigmoid, each class against the rest; the mean over the classes, then over the pixels."""
    entropies = F.binary_cross_entropy_with_logits(scored.logits, scored.targets, reduction="none")
    return _mean(entropies.mean(1), scored.weights)


def focal(scored: Scored) -> Tensor:
    """Each pixel's cross-entropy times (1 - p)^gamma, p the probability of its label (Lin et al., ICCV 2017)."""
    entropies = scored.entropies
    # Not below a tiny number: the slope of a root at 0 is infinite, and infinity times 0 is no gradient.
    doubt = (-torch.expm1(-entropies)).clamp_min(TINY)
    return _mean(doubt**scored.settings.focal_gamma * entropies, scored.weights)


def dice(scored: Scored) -> Tensor:
    """Soft Dice: 1 - (2 |P Y| + 1) / (|P| + |Y| + 1), over all pixels of the batch at once.

    The mean over the classes that are labelled in the batch; for the task "binary", of class 1 alone (Milletari, Navab
    and Ahmadi, V-Net, 3DV 2016).
    """
    targets = scored.targets  # (N, C, H, W)
    exact = probabilities(scored.logits, scored.task) * scored.labelled[:, None]
    sums = torch.stack([part.sum((0, 2, 3)) for part in (exact * targets, exact, targets)])
    overlap, found, pixels = scored.total(sums)  # (C,) each
    values = 1 - (2 * overlap + 1) / (found + pixels + 1)
    return _mean(values, scored.class_weights[-len(values) :] * (pixels > 0))


def lovasz(scored: Scored) -> Tensor:
    """Lovász-softmax over the classes that are labelled in the batch; Lovász hinge for the task "binary".

    The piecewise linear continuation of 1 - Jaccard, over all pixels of the batch at once (Berman, Triki and Blaschko,
    CVPR 2018). Where the batch has no pixel of class 1, the hinge is that of the worst pixel.
    """
    labels = scored.labels[scored.labelled]  # (P,)
    if scored.task == "binary":
        truth = labels == 1
        margins = scored.logits[:, 0][scored.labelled]
        errors = torch.where(truth, 1 - margins, 1 + margins).relu()
        return _jaccard(errors[None], truth[None]).sum()
    present = labels.unique()  # (K,)
    exact = probabilities(scored.logits, scored.task).movedim(1, 0)[present][:, scored.labelled]  # (K, P)
    truth = labels == present[:, None]
    return _mean(_jaccard(torch.where(truth, 1 - exact, exact), truth), scored.class_weights[present])


def cross_entropy_and_dice(scored: Scored) -> Tensor:
    """The sum of both: what is right at the single pixel, and for the shape as a whole."""
    return cross_entropy(scored) + dice(scored)


def hard_pixels(scored: Scored) -> Tensor:
    """Cross-entropy of the hard pixels alone: online hard example mining (Shrivastava et al., CVPR 2016).

    Hard are those whose label gets a probability below `ohem_threshold`, and at least the share `ohem_kept` of the
    labelled pixels.
    """
    entropies = scored.entropies
    values = entropies.detach()
    hard = (-values).exp() < scored.settings.ohem_threshold  # (N, H, W)
    labelled = values[scored.labelled]  # (P,)
    if least := math.ceil(scored.settings.ohem_kept * len(labelled)):
        hard |= values >= labelled.topk(least).values[-1]
    return _mean(entropies, scored.weights * hard)


LOSSES: dict[str, Callable[[Scored], Tensor]] = {
    "cross-entropy": cross_entropy,
    "bce": binary_cross_entropy,
    "dice": dice,
    "focal": focal,
    "lovasz": lovasz,
    "cross-entropy+dice": cross_entropy_and_dice,
    "ohem": hard_pixels,
}


@dataclass(frozen=True)
class Loss:
    """A loss with its settings; `build_loss` makes it.

    Everything is computed in float32, whatever the logits are. Pixels of the ignore index count in nothing and get no
    gradient; where nothing is labelled, the loss and all its gradients are 0. Class weights are those of the pixels,
    and the mean is a weighted one; for Dice and Lovász, which are means over classes, they are those of the classes,
    and do nothing in the task "binary", where both are of class 1 alone.
    """

    settings: LossSettings
    task: Task
    ignore_index: int
    class_weights: Tensor  # (classes,) float32
    total: Callable[[Tensor], Tensor]

    def __call__(self, outputs: dict[str, Tensor], label_maps: Tensor) -> Tensor:
        """A scalar >= 0, float32: the loss of "out", and `settings.auxiliary` times that of "aux" where there is one.

        outputs: logits (N, C, H, W) of any float dtype, by head; C is 1 for the task "binary". label_maps: (N, H, W)
        int64.
        """
        total = self._of(outputs["out"], label_maps)
        if "aux" in outputs:
            total = total + self.settings.auxiliary * self._of(outputs["aux"], label_maps)
        return total

    def weight(self, label_maps: Tensor) -> Tensor:
        """What the mean in the loss divides by, a scalar float32: the labelled pixels, each as often as it weighs.

        So the loss of a batch that is seen in parts is  sum(loss(part) * weight(part)) / sum(weight(part)), unless
        nothing is labelled and this is 0. For cross-entropy, bce and focal that is exact, and for Dice where `total`
        sums over the parts. Else Dice, and always Lovász and OHEM, are no means over pixels, and differ when a batch is
        seen in parts; for them the same weights are a convention.
        """
        counts = torch.bincount(label_maps.flatten(), minlength=256)[: len(self.class_weights)]
        return (self.class_weights * counts).sum()

    def _of(self, logits: Tensor, label_maps: Tensor) -> Tensor:
        labelled = label_maps != self.ignore_index  # (N, H, W)
        scored = Scored(
            logits.float().masked_fill(~labelled[:, None], 0),  # from where no gradient comes back
            label_maps.masked_fill(~labelled, 0), labelled, self.class_weights, self.task, self.settings, self.total,
        )  # fmt: skip
        return LOSSES[self.settings.name](scored)


def build_loss(
    settings: LossSettings,
    task: Task,
    num_classes: int,
    ignore_index: int,
    device: torch.device | str = "cpu",
    total: Callable[[Tensor], Tensor] = lambda sums: sums,
) -> Loss:
    """The loss of these settings for label maps of `num_classes` classes, on the device of the logits.

    total: sums a tensor over all processes that have a part of the batch each, and lets gradients through.
    The task "binary" has two classes: background and object. `settings.balance` is not looked at: who counts the
    pixels puts the weights into `class_weights`. Raises `UserError` for an unknown name or a wrong number of weights.
    """
    look_up("loss", LOSSES, settings.name)
    classes = 2 if task == "binary" else num_classes
    weights = settings.class_weights or (1.0,) * classes
    if len(weights) != classes:
        raise UserError(
            "There are {weights} weights for {classes} classes in loss.class_weights. Give one for each class.",
            weights=len(weights), classes=classes,
        )  # fmt: skip
    return Loss(settings, task, ignore_index, torch.tensor(weights, dtype=torch.float32, device=device), total)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean of tensors of one shape; 0 where nothing weighs."""
    return (values * weights).sum() / weights.sum().clamp_min(TINY)


def _jaccard(errors: Tensor, truth: Tensor) -> Tensor:
    """Lovász extension of the Jaccard loss. errors: (K, P) float32 >= 0. truth: (K, P) bool -> (K,).

    From the largest error on, each pixel counts as wrong besides those before it. Its error is weighed by how much
    that raises the Jaccard loss: 1 / union for one of the object, which leaves the intersection, and for one of the
    rest, which enters the union, intersection / (union * (union - 1)). The differences that the paper takes instead
    would lose their digits in float32.
    """
    errors, order = errors.sort(dim=1, descending=True)
    truth = truth.gather(1, order)
    pixels = truth.sum(1, keepdim=True)  # (K, 1) int64
    intersection = pixels - truth.cumsum(1)  # (K, P), as is the union
    union = pixels + (~truth).cumsum(1)
    # 0 / 0 is where there is no object: the first error raises the loss from 0 to 1.
    outside = (intersection / (union * (union - 1))).nan_to_num(1.0)
    return (errors * torch.where(truth, 1 / union, outside)).sum(1)
