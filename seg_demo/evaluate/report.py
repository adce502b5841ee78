"""The figures of a checkpoint on labelled pictures."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from seg_demo.checkpoint import Checkpoint
from seg_demo.data.dataset import Sample
from seg_demo.evaluate.confusion import ConfusionMatrix
from seg_demo.infer.predictor import Predictor


def measure(checkpoint: Checkpoint, samples: Iterable[Sample], device: str | None = None) -> dict[str, float]:
    """Figures by name, from predictions at the pictures' own size and one confusion matrix over all of them.

    device: as `Predictor` takes it; the model is moved there.

    mean_iou: mean over the classes that are labelled or predicted. iou_<class>: of that class; nan is left out.
    accuracy: share of the labelled pixels that are right. mean_picture_iou, for the task "binary": the IoU of
    class 1 in each picture, averaged over the pictures that have class 1 or a prediction of it.
    """
    predict = Predictor(checkpoint, device)
    classes = checkpoint.config.classes
    total = ConfusionMatrix(len(classes), classes.ignore_index)
    per_picture = []
    for _, image, label_map in samples:
        alone = ConfusionMatrix(len(classes), classes.ignore_index)
        alone.update(label_map, predict(image).label_map)
        total.matrix += alone.matrix
        per_picture.append(alone.iou()[-1])
    figures = {"mean_iou": total.mean_iou()}
    figures |= {f"iou_{name}": float(iou) for name, iou in zip(classes.names, total.iou(), strict=True)}
    figures["accuracy"] = total.accuracy()
    if checkpoint.config.task == "binary" and np.isfinite(per_picture).any():
        figures["mean_picture_iou"] = float(np.nanmean(per_picture))
    return {name: value for name, value in figures.items() if np.isfinite(value)}
