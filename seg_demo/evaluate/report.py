"""The figures of a checkpoint on labelled pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seg_demo.checkpoint import Checkpoint
from seg_demo.classes import ClassMap, Task
from seg_demo.data.dataset import Sample
from seg_demo.evaluate.boundary import BoundaryCounts
from seg_demo.evaluate.confusion import ConfusionMatrix
from seg_demo.evaluate.figures import Figures
from seg_demo.infer.predictor import Predictor
from seg_demo.infer.segmentation import Segmentation

MEANS = ("accuracy", "mean_accuracy", "mean_iou", "frequency_weighted_iou", "mean_dice", "boundary_iou")


class Evaluation:
    """What a model does on labelled pictures, which are added one by one; parts of a data set are added with `+=`.

    outlines: count the boundary IoU, too.

    confusion, boundary: over all pictures. loss_sum, loss_pixels: cross-entropy, and the labelled pixels that it was
    summed over. picture_ious, binary_pictures: sum of the IoU of class 1 in each picture of the task "binary", and in
    how many pictures it is labelled or predicted. All of these are sums, so those of several processes may be summed.
    """

    def __init__(self, classes: ClassMap, task: Task, outlines: bool = False) -> None:
        self.classes, self.task, self.outlines = classes, task, outlines
        self.confusion = ConfusionMatrix(len(classes), classes.ignore_index)
        self.boundary = BoundaryCounts(len(classes), classes.ignore_index)
        self.loss_sum, self.loss_pixels = 0.0, 0
        self.picture_ious, self.binary_pictures = 0.0, 0

    def predict(self, predictor: Predictor, sample: Sample) -> Segmentation:
        """Segment the sample's image, add what came out, and return it. Raises `UserError` as `Predictor` does."""
        segmentation, loss = predict_with_loss(predictor, sample.image, sample.label_map)
        self.add(sample.label_map, segmentation.label_map, loss)
        return segmentation

    def add(self, label_map: np.ndarray, predicted: np.ndarray, loss: float | None = None) -> None:
        """Add a picture: both (H, W) uint8. loss: cross-entropy, summed over the labelled pixels, where it is known."""
        alone = ConfusionMatrix(self.confusion.num_classes, self.confusion.ignore_index)
        alone.update(label_map, predicted)
        self.confusion += alone
        if self.outlines:
            self.boundary.update(label_map, predicted)
        if loss is not None:
            self.loss_sum += loss
            self.loss_pixels += int(alone.matrix.sum())
        iou = float(alone.iou()[-1])
        if self.task == "binary" and np.isfinite(iou):
            self.picture_ious += iou
            self.binary_pictures += 1

    def __iadd__(self, other: Evaluation) -> Evaluation:
        self.confusion += other.confusion
        self.boundary += other.boundary
        self.loss_sum += other.loss_sum
        self.loss_pixels += other.loss_pixels
        self.picture_ious += other.picture_ious
        self.binary_pictures += other.binary_pictures
        return self

    def joined(self, total: Callable[[np.ndarray], np.ndarray]) -> Evaluation:
        """What several processes have measured, together. total: sums an array over all of them, keeping its dtype."""
        whole = Evaluation(self.classes, self.task, self.outlines)
        whole.confusion.matrix = total(self.confusion.matrix)
        whole.boundary.intersection, whole.boundary.union = (
            total(self.boundary.intersection),
            total(self.boundary.union),
        )
        whole.loss_sum, whole.picture_ious = total(np.array([self.loss_sum, self.picture_ious])).tolist()
        whole.loss_pixels, whole.binary_pictures = total(np.array([self.loss_pixels, self.binary_pictures])).tolist()
        return whole

    def details(self) -> Figures:
        """The figures of all classes and of each; boundary IoUs are nan without `outlines`."""
        return Figures.of(self.confusion, self.boundary, self.classes.names)

    @property
    def absent(self) -> tuple[str, ...]:
        """The classes that are neither labelled nor predicted; the means leave them out."""
        return self.details().absent

    def figures(self) -> dict[str, float]:
        """By name, from one confusion matrix over all pictures at their own size; what is nan is left out.

        loss: mean cross-entropy of the labelled pixels at the pictures' own size, in nats. accuracy, mean_accuracy,
        mean_iou, frequency_weighted_iou, mean_dice, boundary_iou: see `Figures`. iou_<class>: of that class.
        mean_picture_iou, for the task "binary": the IoU of class 1 in each picture, averaged over the pictures that
        have class 1 or a prediction of it.
        """
        details = self.details()
        figures = {"loss": self.loss_sum / self.loss_pixels if self.loss_pixels else float("nan")}
        figures |= {name: float(getattr(details, name)) for name in MEANS}
        figures |= {f"iou_{entry.name}": entry.iou for entry in details.classes}
        if self.binary_pictures:
            figures["mean_picture_iou"] = self.picture_ious / self.binary_pictures
        return {name: value for name, value in figures.items() if np.isfinite(value)}


def measure(checkpoint: Checkpoint, samples: Iterable[Sample], device: str | None = None) -> dict[str, float]:
    """`Evaluation.figures` of a checkpoint on all of `samples`.

    device: as `Predictor` takes it; the model is moved there.
    """
    predictor = Predictor(checkpoint, device)
    evaluation = Evaluation(checkpoint.config.classes, checkpoint.config.task)
    for sample in samples:
        evaluation.predict(predictor, sample)
    return evaluation.figures()


def predict_with_loss(predictor: Predictor, image: np.ndarray, label_map: np.ndarray) -> tuple[Segmentation, float]:
    """Segment an image (H, W, 3) uint8, and sum its cross-entropy over the pixels of label_map (H, W) uint8.

    The label map is in the classes of the predictor. Raises `UserError` as `Predictor` does.
    """
    losses: list[float] = []

    def watch(top: int, bottom: int, logits: Tensor) -> None:
        if top == 0:
            losses.clear()  # The memory ran out, and it starts again.
        losses.append(cross_entropy_sum(logits, label_map[top:bottom], predictor.config.task))

    return predictor(image, watch=watch), sum(losses)


def cross_entropy_sum(logits: Tensor, label_map: np.ndarray, task: Task) -> float:
    """Cross-entropy in nats, summed over the labelled pixels: -log of the probability of the labelled class.

    logits: (C, rows, W) float on any device; it is taken from them as float32, without ever forming a probability, so
    that it stays finite for a network that is sure and wrong. label_map: (rows, W) uint8; what is no class is ignored.
    """
    logits = logits.float()
    labels = torch.from_numpy(label_map.astype(np.int64)).to(logits.device)  # (rows, W)
    if task == "binary":
        losses = F.binary_cross_entropy_with_logits(logits[0], (labels == 1).float(), reduction="none")  # (rows, W)
        losses = losses.masked_fill(labels > 1, 0)
    else:
        labels = labels.masked_fill(labels >= len(logits), -100)
        losses = F.cross_entropy(logits[None], labels[None], ignore_index=-100, reduction="none")  # (1, rows, W)
    return float(losses.sum())  # summed in pairs, unlike the reduction "sum", so that float32 is exact enough
