"""What the Threshold tab does with checkpoints and data sets: curves of a whole split, and a threshold that stays."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from seg_demo.checkpoint import save_checkpoint
from seg_demo.data.dataset import in_classes
from seg_demo.data.folder import open_splits
from seg_demo.data.intake import bring_in
from seg_demo.errors import UserError
from seg_demo.evaluate.threshold import measure_thresholds
from seg_demo.infer.library import Library
from seg_demo.registry import look_up
from seg_demo.ui.background import Progress
from seg_demo.ui.bench import without_paths
from seg_demo.ui.looking import class_id_of
from seg_demo.ui.results import TURN

if TYPE_CHECKING:
    import numpy as np

    from seg_demo.infer.predictor import Predictor
    from seg_demo.infer.segmentation import Segmentation


class _TakingTurns:
    """Predicts one class, and lets other visitors have a go at the network after each picture."""

    def __init__(self, predictor: Predictor, class_id: int) -> None:
        self.predictor = predictor.keeping([class_id])
        self.config, self.depth = predictor.config, self.predictor.depth

    def __call__(self, image: np.ndarray) -> Segmentation:
        with TURN:
            return self.predictor(image)


def measured(
    library: Library, model: str, class_name: str, source: Path, split: str, progress: Progress, name: str = ""
) -> tuple[list[list[int]], int]:
    """Pixels by label and level, (2, 256) as `ThresholdHistogram.counts`, over a split, and how many pictures it has.

    source: a folder of labelled pictures, or an archive of one. name: what the visitor calls it, in messages.
    """
    predictor = library.predictor(model)
    config = predictor.config
    class_id = class_id_of(config, class_name)
    shown = name or source.name
    with tempfile.TemporaryDirectory() as workspace:
        try:
            folder = bring_in(source, Path(workspace)).folder
            samples = in_classes(open_splits(folder)(split), config.classes, config.task, model)
            histogram = measure_thresholds(_TakingTurns(predictor, class_id), samples, class_id, progress)
        except UserError as error:
            told = without_paths(error, Path(workspace), shown)
            raise without_paths(told, source, shown) from None
        return histogram.counts.tolist(), len(samples)


def write_threshold(library: Library, model: str, threshold: float) -> float:
    """Write a threshold into a checkpoint of the user's own; returns the one that was there before.

    Raises `UserError` for a bundled or pretrained model, for the task "multiclass", and where it cannot be written.
    """
    entry = look_up("model", library.entries(), model)
    if entry.kind != "own" or entry.folder is None:
        raise UserError(
            "{model} comes with the page and stays as it is. Copy its folder under checkpoints/ and write there.",
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
