"""What the Threshold tab does with checkpoints and data sets: curves of a whole split, and a threshold that stays."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from seg_demo.checkpoint import save_checkpoint
from seg_demo.data.dataset import in_classes
from seg_demo.data.folder import open_splits
from seg_demo.data.intake import bring_in
from seg_demo.errors import UserError
from seg_demo.evaluate.threshold import measure_thresholds
from seg_demo.infer.library import Library
from seg_demo.registry import look_up
from seg_demo.ui.background import Progress
from seg_demo.ui.looking import class_id_of
from seg_demo.ui.results import TURN


def measured(
    library: Library, model: str, class_name: str, source: Path, split: str, progress: Progress
) -> tuple[list[list[int]], int]:
    """Pixels by label and level, (2, 256) as `ThresholdHistogram.counts`, over a split, and how many pictures it has.

    source: a folder of labelled pictures, or an archive of one.
    """
    predictor = library.predictor(model)
    config = predictor.config
    class_id = class_id_of(config, class_name)
    with tempfile.TemporaryDirectory() as workspace:
        folder = bring_in(source, Path(workspace)).folder
        samples = in_classes(open_splits(folder)(split), config.classes, config.task, model)
        kept = predictor.keeping([class_id] if config.task == "multiclass" else True)

        def taking_turns(image: np.ndarray) -> object:
            with TURN:  # picture by picture, so that other visitors need not wait for the whole data set
                return kept(image)

        histogram = measure_thresholds(kept, samples, class_id, progress)
        return histogram.counts.tolist(), len(samples)


def write_threshold(library: Library, model: str, threshold: float) -> float:
    """Write a threshold into a checkpoint of the user's own; returns the one that was there before.

    Raises `UserError` for a bundled or pretrained model, for the task "multiclass", and where it cannot be written.
    """
    entry = look_up("model", library.entries(), model)
    if entry.kind != "own" or entry.folder is None:
        raise UserError(
            "{model} comes with the page and stays as it is. Copy its folder under checkpoints/ to have one of your own.",
            model=model,
        )
    checkpoint = library.predictor(model).checkpoint
    config = checkpoint.config
    if config.task != "binary":
        raise UserError(
            "{model} has several classes, and the most probable one is taken, so it has no threshold. Save the mask "
            "instead.",
            model=model,
        )
    save_checkpoint(entry.folder, checkpoint.model, replace(config, threshold=threshold))
    return config.threshold
