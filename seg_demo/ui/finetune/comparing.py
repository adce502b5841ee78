"""A run's model beside the one it started from, on the same validation pictures."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from seg_demo.errors import Sentence, UserError
from seg_demo.jobs.job import Job

if TYPE_CHECKING:
    from seg_demo.checkpoint import Checkpoint
    from seg_demo.classes import ClassMap
    from seg_demo.data.dataset import Sample
    from seg_demo.data.survey import Progress
    from seg_demo.evaluate.compared import Comparison

PICTURES = "compared"  # folder in a run
MOST_SHOWN = 200  # pictures that can be looked at side by side
LONGEST = 1400  # pixels, of such a picture


class Shown(NamedTuple):
    """One picture as files: with the label map over it, with the base's prediction, or None, and with the new one's."""

    labelled: Path
    base: Path | None
    new: Path


@dataclass(frozen=True)
class Compared:
    """What came out.

    alone: the new model in its own classes, where both were measured in fewer; else None. kind: "best" or "last", the
    checkpoint that was measured. shown: by the pictures' index.
    """

    comparison: Comparison
    alone: Comparison | None
    kind: str
    shown: dict[int, Shown]

    @property
    def is_there(self) -> bool:
        """Whether its pictures are."""
        return all(each.new.is_file() for each in self.shown.values())


def newest(job: Job) -> Path:
    """The checkpoint of a run that is worth keeping. Raises `UserError` where there is none yet."""
    for folder in (job.run.best, job.run.last):
        if folder.is_dir():
            return folder
    raise UserError("The run {name} has no checkpoint yet. Let it learn a little longer.", name=job.name)


def compared(job: Job, progress: Progress) -> Compared:
    """Measure both models on the run's validation pictures; pictures of it go into the run's folder.

    Raises `UserError` where there are no such pictures, or no checkpoint yet.
    """
    from seg_demo.checkpoint import load_checkpoint
    from seg_demo.data.folder import open_splits
    from seg_demo.evaluate.agreement import agree
    from seg_demo.evaluate.compare import compare

    config = job.run.read()[0]
    folder = newest(job)
    if not config.data.validation_split:
        raise UserError("This run was not measured on any pictures, so there is nothing to compare on.")
    split = open_splits(config.data.source)
    samples = split(config.data.validation_split)
    base, new = _base(job, config), load_checkpoint(folder)
    classes = agree(base, new, samples).classes
    shown: dict[int, Shown] = {}
    place = job.folder / PICTURES
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()

    def watch(sample: Sample, before: np.ndarray | None, after: np.ndarray) -> None:
        if len(shown) < MOST_SHOWN:
            maps = {"labelled": sample.label_map, "base": before, "new": after}
            files = {
                kind: None if each is None else _drawn(sample.image, each, classes, place / f"{len(shown)}-{kind}.jpg")
                for kind, each in maps.items()
            }
            shown[len(shown)] = Shown(**files)  # type: ignore[arg-type]

    found = compare(base, new, samples, progress=progress, split=split, watch=watch)
    fewer = found.base is not None and len(found.classes) < len(new.config.classes)
    alone = compare(None, new, samples, progress=progress, split=split) if fewer else None
    return Compared(found, alone, folder.name, shown)


def _base(job: Job, config: Any) -> Checkpoint | None:
    """What the run started from; None after random weights, or where it is there no more."""
    from seg_demo.checkpoint import load_checkpoint
    from seg_demo.infer.pretrained import PRETRAINED, load_pretrained

    model = config.model
    if model.checkpoint:
        try:
            return load_checkpoint(model.checkpoint)
        except UserError:
            return None
    name = f"{model.architecture}-{model.arguments.get('backbone')}"
    return load_pretrained(name) if model.weights and name in PRETRAINED else None


def base_is_gone(job: Job) -> Sentence | None:
    """Why there is no model to compare with, where the run did start from one."""
    config = job.run.read()[0]
    if not config.model.checkpoint or _base(job, config):
        return None
    folder = Path(config.model.checkpoint)
    if folder.is_dir():
        return Sentence("The checkpoint {name} that the run started from has been damaged since.", name=folder.name)
    return Sentence("The checkpoint {name} that the run started from is not there any more.", name=folder.name)


def _drawn(image: np.ndarray, label_map: np.ndarray, classes: ClassMap, file: Path) -> Path:
    """A JPEG of the label map over the image."""
    from seg_demo.viz.overlay import overlay

    height, width = label_map.shape
    scale = min(1.0, LONGEST / max(height, width))
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
        label_map = np.asarray(Image.fromarray(label_map).resize(size, Image.Resampling.NEAREST))
    Image.fromarray(overlay(image, label_map, classes)).save(file, "JPEG", quality=88)
    return file
