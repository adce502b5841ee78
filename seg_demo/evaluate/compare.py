"""Two checkpoints on the same labelled pictures: what got better, what got worse, and how far that may be chance."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from seg_demo.checkpoint import Checkpoint
from seg_demo.data.dataset import DataSet, Sample
from seg_demo.data.survey import Progress
from seg_demo.errors import Sentence
from seg_demo.evaluate.agreement import Agreement, Side, agree
from seg_demo.evaluate.chance import FEWEST, bootstrap, parts
from seg_demo.evaluate.compared import ComparedPicture, Comparison, Measured, Score
from seg_demo.evaluate.confusion import ConfusionMatrix
from seg_demo.evaluate.learned import learned_from
from seg_demo.evaluate.report import Evaluation, predict_with_loss
from seg_demo.infer.lent import each, open_predictor
from seg_demo.viz.overlay import overlay

Watch = Callable[[Sample, np.ndarray | None, np.ndarray], None]
"""Is given each picture with its label map, and what base and new predict, (H, W) uint8, all in the same classes."""


class Overlays(NamedTuple):
    """One image (H, W, 3) uint8 with the label map over it, with the base's prediction, and with the new model's."""

    labelled: np.ndarray
    base: np.ndarray | None
    new: np.ndarray


def compare(
    base: Checkpoint | None,
    new: Checkpoint,
    samples: DataSet,
    device: str | None = None,
    progress: Progress | None = None,
    *,
    split: Callable[[str], DataSet] | None = None,
    watch: Watch | None = None,
) -> Comparison:
    """Measure both models on every picture, at its own size, each with its own preprocessing and threshold.

    base: None where there is none to compare with, as after a start from random weights. Where its classes do not fit
    the pictures it is not measured, and `Comparison.why` tells which. device: as `Predictor` takes it. progress: called
    with the predictions done and their number, after each picture and model; what it raises ends the comparison.
    split: gives the other splits of the same pictures, by which more can be told of what the models have learned from.
    One picture is in memory at a time, or as many as go to a lent GPU together. Raises `UserError` where the new
    model's classes do not fit, and for a picture that cannot be read.
    """
    agreed = agree(base, new, samples)
    sides = [side for side in (agreed.base, agreed.new) if side]
    runs = [_Run(side, agreed, device) for side in sides]
    warnings = [learned_from(side.checkpoint, samples, split) for side in sides]
    pictures = []
    done, total = 0, len(samples) * len(runs)
    waiting: deque[Sample] = deque()

    def items() -> Iterator[tuple[Any, ...]]:
        for index in range(len(samples)):
            waiting.append(sample := samples[index])
            for place, side in enumerate(sides):
                yield sample.image, side.own[sample.label_map], place

    with closing(each(_predicted, items(), *(run.predictor for run in runs))) as outcomes:
        for index in range(len(samples)):
            first = next(outcomes)
            sample = waiting.popleft()
            labelled = agreed.labels[sample.label_map]
            predicted = []
            for run in runs:
                outcome = first if run is runs[0] else next(outcomes)
                predicted.append(run.add(labelled, *outcome))
                done += 1
                if progress:
                    progress(done, total)
            scores = [run.scores[-1] for run in runs]
            pixels = int((labelled != agreed.classes.ignore_index).sum())
            pictures.append(ComparedPicture(index, sample.name, pixels, scores[0] if agreed.base else None, scores[-1]))
            if watch:
                watch(sample._replace(label_map=labelled), predicted[0] if agreed.base else None, predicted[-1])
    interval, certainty = None, None
    if agreed.base and pictures:
        of_base, of_new = (np.stack(run.parts) for run in runs)
        interval = bootstrap(of_base, of_new)
        certainty = interval.told if interval else _too_few(len(pictures))
    return Comparison(
        agreed.classes, runs[0].measured() if agreed.base else None, runs[-1].measured(), tuple(pictures), interval,
        certainty, agreed.why, tuple(told for told in (_merged(agreed), *warnings) if told),
    )  # fmt: skip


def overlays(
    base: Checkpoint | None, new: Checkpoint, samples: DataSet, index: int, device: str | None = None
) -> Overlays:
    """One picture as both models see it, in the same colours; raises as `compare`.

    base is None in what is returned where `compare` does not measure it.
    """
    agreed = agree(base, new, samples)
    sample = samples[index]

    def over(label_map: np.ndarray) -> np.ndarray:
        return overlay(sample.image, label_map, agreed.classes)

    def seen(side: Side) -> np.ndarray:
        return over(side.shared[open_predictor(side.checkpoint, device)(sample.image).label_map])

    return Overlays(over(agreed.labels[sample.label_map]), seen(agreed.base) if agreed.base else None, seen(agreed.new))


def _predicted(*given: Any) -> tuple[np.ndarray, float]:
    """What one of several predictors says of an image, and its cross-entropy; which one comes last."""
    *predictors, image, label_map, place = given
    segmentation, loss = predict_with_loss(predictors[place], image, label_map)
    return segmentation.label_map, loss


class _Run:
    """One model on its way through the pictures."""

    def __init__(self, side: Side, agreed: Agreement, device: str | None) -> None:
        self.side, self.agreed = side, agreed
        self.predictor = open_predictor(side.checkpoint, device)
        self.evaluation = Evaluation(agreed.classes, agreed.task, outlines=True)
        self.scores: list[Score] = []
        self.parts: list[np.ndarray] = []

    def add(self, labelled: np.ndarray, label_map: np.ndarray, loss: float) -> np.ndarray:
        """Add a picture as it was predicted; returns that prediction (H, W) uint8 in the classes of the agreement."""
        predicted = self.side.shared[label_map]
        before = self.evaluation.confusion.matrix
        # What merges classes has another cross-entropy than what tells them apart, so there is none to compare.
        self.evaluation.add(labelled, predicted, None if self.agreed.merged else loss)
        alone = ConfusionMatrix(len(self.agreed.classes), self.agreed.classes.ignore_index)
        alone.matrix = self.evaluation.confusion.matrix - before
        self.scores.append(Score.of(alone))
        self.parts.append(parts(alone.matrix))
        return predicted

    def measured(self) -> Measured:
        ious = Score.of(self.evaluation.confusion).ious
        return Measured(self.side.checkpoint.name, self.evaluation.figures(), ious)


def _merged(agreed: Agreement) -> Sentence | None:
    if not agreed.merged:
        return None
    return Sentence(
        'One of the models only knows "{name}", so all classes of the pictures but the first count as that one.',
        name=agreed.classes.names[1],
    )


def _too_few(count: int) -> Sentence:
    if count >= FEWEST:
        return Sentence("No pixel of these pictures is labelled, so nothing is measured.")
    return Sentence(
        "Pictures measured: {count}. That is too few to tell a difference from chance; take at least {fewest}.",
        count=count, fewest=FEWEST,
    )  # fmt: skip
