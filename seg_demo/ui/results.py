"""Segmenting files for the page: each picture for the canvas first, its result files after that."""

from __future__ import annotations

import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seg_demo.data.images import read_image
from seg_demo.errors import UserError
from seg_demo.infer.outputs import unique_stems, write_outputs
from seg_demo.ui.canvas.payload import CanvasPicture

if TYPE_CHECKING:
    from seg_demo.infer.predictor import Predictor
    from seg_demo.infer.segmentation import Segmentation


@dataclass(frozen=True)
class Captions:
    """What the notes under a picture are called, in the visitor's language."""

    threshold: str = "threshold"
    time: str = "time"


@dataclass
class Results:
    """What has come of a list of files so far.

    pictures: for the canvas, in the order of the files that could be read. files: masks, overlays and areas.
    archive: a ZIP of `files`, once all are there. problems: a sentence for each file that could not be segmented.
    """

    total: int
    done: int = 0
    pictures: list[CanvasPicture] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    archive: str | None = None
    problems: list[UserError] = field(default_factory=list)


def segment_files(files: Sequence[str], predictor: Predictor, folder: Path, captions: Captions) -> Iterator[Results]:
    """Yield the same growing `Results` after each picture and when the archive is there.

    The files of the results go to a new folder in `folder`. A file that is no picture becomes a problem and does
    not stop the others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = Path(tempfile.mkdtemp(prefix="results-", dir=folder))
    results = Results(len(files))
    for file, stem in zip(files, unique_stems([Path(file) for file in files]), strict=True):
        try:
            started = time.perf_counter()
            image = read_image(file)
            decoded = time.perf_counter()
            segmentation = predictor(image)
        except UserError as error:
            results.problems.append(error)
            results.done += 1
            continue
        decode_ms = (decoded - started) * 1000
        results.pictures.append(canvas_picture(Path(file).name, image, segmentation, decode_ms, captions))
        results.done += 1
        yield results
        written = write_outputs(segmentation, image, target, stem, predictor.checkpoint.name)
        results.files += map(str, written)
    if results.files:
        results.archive = str(_zip(target / "results.zip", results.files))
    yield results


def canvas_picture(
    name: str, image: np.ndarray, segmentation: Segmentation, decode_ms: float, captions: Captions
) -> CanvasPicture:
    """A segmentation as the canvas takes it; `decode_ms` is added to its timing."""
    classes = list(zip(range(256), segmentation.classes.names, segmentation.classes.colors, strict=False))
    notes: dict[str, str | float] = {}
    if segmentation.task == "binary":
        notes[captions.threshold] = segmentation.threshold
    notes[captions.time] = f"{(decode_ms + sum(segmentation.timing.values())) / 1000:.2f} s"
    return CanvasPicture(
        name,
        image,
        segmentation.label_map,
        segmentation.confidence,
        classes,
        segmentation.task,
        segmentation.probabilities[0]
        if segmentation.task == "binary" and segmentation.probabilities is not None
        else None,
        segmentation.level,
        segmentation.classes.ignore_index,
        notes,
    )


def _zip(path: Path, files: Sequence[str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # PNGs are packed already
        for file in files:
            archive.write(file, Path(file).name)
    return path
