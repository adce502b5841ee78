"""A validation: what the model makes of pictures that it does not learn from."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
from PIL import Image

from seg_demo.checkpoint import Checkpoint
from seg_demo.data.dataset import Sample
from seg_demo.evaluate.report import Evaluation
from seg_demo.infer.predictor import Predictor
from seg_demo.train.config import ValidationSettings
from seg_demo.train.events import SampleDrawn
from seg_demo.train.pictures import Pictures
from seg_demo.train.ranks import Ranks
from seg_demo.train.run import Run
from seg_demo.viz.comparison import comparison

Stop = Callable[[], bool]


def validate(
    checkpoint: Checkpoint,
    pictures: Pictures,
    settings: ValidationSettings,
    run: Run,
    step: int,
    *,
    device: str,
    ranks: Ranks,
    stop: Stop,
) -> Generator[SampleDrawn, None, dict[str, float] | None]:
    """Predict all validation pictures at their own size, draw some of them, and return the figures.

    The processes of `ranks` share the pictures, and each returns the figures of all. Returns None where `stop` was
    heard in between.
    """
    predictor = Predictor(checkpoint, device, window=settings.window, scales=settings.scales, flip=settings.flip)
    evaluation = Evaluation(pictures.classes, pictures.task)
    count = len(pictures.validation)
    drawn = {place * count // settings.pictures for place in range(settings.pictures)} if settings.pictures else set()
    for index in range(ranks.rank, count, ranks.world):
        if ranks.world == 1 and stop():
            return None
        sample = pictures.validation[index]
        segmentation = evaluation.predict(predictor, sample)
        if index in drawn and ranks.writes:
            yield _draw(sample, segmentation.label_map, pictures, run, step)
    return evaluation.joined(ranks.total_array).figures()


def _draw(sample: Sample, predicted: np.ndarray, pictures: Pictures, run: Run, step: int) -> SampleDrawn:
    file = run.sample_file(step, sample.name)
    panels = comparison(sample.image, sample.label_map, predicted, pictures.classes)
    Image.fromarray(panels).save(file, quality=90)
    return SampleDrawn(step, sample.name, file)
