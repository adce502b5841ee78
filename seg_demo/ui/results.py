"""Segmenting files for the page: each picture for the canvas first, its result files after that."""

from __future__ import annotations

import shutil
import tempfile
import time
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seg_demo.data.images import read_image
from seg_demo.errors import UserError
from seg_demo.infer.lent import each, one_at_a_time
from seg_demo.infer.outputs import unique_stems, write_outputs
from seg_demo.ui.canvas import CanvasImage, CanvasPicture

if TYPE_CHECKING:
    from seg_demo.infer.lent import LentPredictor
    from seg_demo.infer.predictor import Predictor
    from seg_demo.infer.segmentation import Segmentation

# One network runs at a time, whoever asked for it: visitors take turns picture by picture, not batch by batch.
TURN = one_at_a_time()


@dataclass(frozen=True)
class Captions:
    """What the notes under a picture are called, in the visitor's language."""

    threshold: str = "threshold"
    time: str = "time"


@dataclass
class Results:
    """What has come of a list of files so far.

    pictures: for the canvas, in the order of the files that could be read, which are `read`. files: masks, overlays
    and areas. archive: a ZIP of `files`, once all are there. problems: a sentence for each file that could not be
    segmented.
    """

    total: int
    done: int = 0
    pictures: list[CanvasImage] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    archive: str | None = None
    problems: list[UserError] = field(default_factory=list)


def segment_files(
    files: Sequence[str],
    predictor: Predictor | LentPredictor,
    folder: Path,
    captions: Captions,
    send: Callable[[CanvasPicture], CanvasImage],
) -> Iterator[Results]:
    """Yield the same growing `Results` after each picture and when the archive is there.

    send: encodes a picture for the canvas, so that of each picture only small things are kept. The files of the
    results go to a new folder in `folder`, which is removed again if nothing was put there. A file that cannot be
    segmented becomes a problem and does not stop the others; where no GPU is lent, that is the problem of the rest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = Path(tempfile.mkdtemp(prefix="results-", dir=folder))
    results = Results(len(files))
    waiting: deque[tuple[str, str, np.ndarray, float]] = deque()

    def images() -> Iterator[tuple[np.ndarray]]:
        for file, stem in zip(files, unique_stems([Path(file) for file in files]), strict=True):
            try:
                started = time.perf_counter()
                image = read_image(file)
            except UserError as error:
                results.problems.append(error)
                continue
            waiting.append((file, stem, image, (time.perf_counter() - started) * 1000))
            yield (image,)

    try:
        try:
            with closing(each(_segmented, images(), predictor, turn=TURN)) as found:
                for segmentation in found:
                    file, stem, image, decode_ms = waiting.popleft()
                    try:
                        if isinstance(segmentation, UserError):
                            raise segmentation
                        picture = canvas_picture(Path(file).name, image, segmentation, decode_ms, captions)
                        results.pictures.append(send(picture))
                        results.read.append(file)
                        results.done = len(results.pictures) + len(results.problems)
                        yield results
                        written = write_outputs(segmentation, image, target, stem, predictor.checkpoint.name)
                        results.files += map(str, written)
                    except UserError as error:
                        results.problems.append(error)
        except UserError as error:  # No GPU is lent.
            results.problems.append(error)
        results.done = results.total
        if results.files:
            results.archive = str(_zip(target / "results.zip", results.files))
        yield results
    finally:
        if not results.files:
            shutil.rmtree(target, ignore_errors=True)


def _segmented(predictor: Predictor, image: np.ndarray) -> Segmentation | UserError:
    try:
        return predictor(image)
    except UserError as error:
        return error


def canvas_picture(
    name: str, image: np.ndarray, segmentation: Segmentation, decode_ms: float, captions: Captions
) -> CanvasPicture:
    """A segmentation as the canvas takes it; `decode_ms` is added to its timing."""
    known = segmentation.classes
    notes: dict[str, str | float] = {}
    probabilities = None
    if segmentation.task == "binary" and segmentation.probabilities is not None:
        notes[captions.threshold] = segmentation.threshold
        probabilities = segmentation.probabilities[0]
    notes[captions.time] = f"{(decode_ms + sum(segmentation.timing.values())) / 1000:.2f} s"
    return CanvasPicture(
        name=name,
        image=image,
        label_map=segmentation.label_map,
        confidence=segmentation.confidence,
        classes=list(zip(range(len(known)), known.names, known.colors, strict=True)),
        task=segmentation.task,
        probabilities=probabilities,
        level=segmentation.level,
        ignore_index=known.ignore_index,
        notes=notes,
    )


def _zip(path: Path, files: Sequence[str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # PNGs are packed already
        for file in files:
            archive.write(file, Path(file).name)
    return path
