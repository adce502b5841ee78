"""What every threshold would give over a whole split of a data set."""

from __future__ import annotations

import tempfile
from pathlib import Path

from seg_demo.data.dataset import in_classes
from seg_demo.data.folder import open_splits
from seg_demo.data.intake import bring_in
from seg_demo.errors import UserError
from seg_demo.evaluate.threshold import measure_thresholds
from seg_demo.infer.library import Library
from seg_demo.ui.background import Progress
from seg_demo.ui.finetune.bench import without_paths
from seg_demo.ui.looking import class_id_of
from seg_demo.ui.results import TURN


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
            # Others have a go at the network after each picture.
            histogram = measure_thresholds(predictor.keeping([class_id]), samples, class_id, progress, TURN)
        except UserError as error:
            told = without_paths(error, Path(workspace), shown)
            raise without_paths(told, source, shown) from None
        return histogram.counts.tolist(), len(samples)
