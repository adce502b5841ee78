"""What a run learns from and is measured on, as its configuration says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seg_demo.classes import ClassMap, Task
from seg_demo.data.dataset import DataSet, fingerprint, in_classes
from seg_demo.data.folder import FolderDataSet, open_splits
from seg_demo.data.procedural import ProceduralNewts
from seg_demo.errors import UserError
from seg_demo.palettes import NEWTS_BINARY, NEWTS_SPECIES
from seg_demo.train.config import DataSettings, TrainConfig

# What a model card says of data sets that are public; of others it has the name of their folder.
PUBLIC = {"newts": "newts (yoyoyo-yo/DeepLearningMugenKnock, MIT)"}
VALIDATED = {"train": ("val", "test"), "trainval": ("test",), "val": ("test",), "test": ("val",)}


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures in the classes of the model.

    real: those that were brought. drawn: those that code draws, when they are asked for. name: of the data set, as it
    is told to people. fingerprint: of all that is learned from.
    """

    real: Sequence
    drawn: Sequence
    validation: Sequence
    classes: ClassMap
    task: Task
    name: str
    fingerprint: str


def open_pictures(config: TrainConfig, split: Callable[[str], DataSet] | None = None) -> Pictures:
    """The pictures of `config.data`, split and in the classes that it says, or in their own.

    split: gives each split, where the source has been opened already.
    Pictures that are learned from are never validated on: with the split "trainval" there is no validation on "val".
    Raises `UserError` where a folder or split is not there, or the classes do not fit.
    """
    data = config.data
    if split is None and data.source:
        split = open_splits(data.source)
    brought = split(data.split) if split else None
    classes = data.classes or (brought.classes if brought else NEWTS_BINARY)
    task: Task = data.task if data.task != "auto" else ("binary" if len(classes) == 2 else "multiclass")
    if task == "binary" and len(classes) != 2:
        raise UserError(
            "The task binary has 2 classes, but the pictures have {count}. Set data.task to multiclass.",
            count=len(classes),
        )

    def fitting(samples: DataSet) -> DataSet:
        return in_classes(samples, classes, task, "The configuration")

    validation: Sequence = ()
    if split and data.validation_split in VALIDATED[data.split]:
        validation = fitting(split(data.validation_split))
    drawn: Sequence = ()
    if data.drawn_pictures:
        drawn = _drawn(data, classes, config.seed)
    real: Sequence = fitting(brought) if brought else ()
    name = _name(brought, data.source) if brought else "drawn pictures"
    return Pictures(real, drawn, validation, classes, task, name, fingerprint(real, drawn))


def _drawn(data: DataSettings, classes: ClassMap, seed: int) -> DataSet:
    species = len(classes) == 3
    if classes.names not in (NEWTS_BINARY.names, NEWTS_SPECIES.names):
        raise UserError(
            "Only newts can be drawn, but the classes are {classes}. Set data.drawn_pictures and drawn_share to 0.",
            classes=", ".join(classes.names[:5]),
        )
    # The examples of the page are scenes of seed 0, so that no seed from 1 on has seen them.
    return ProceduralNewts(data.drawn_pictures, longest=data.preprocessing.size, species=species, seed=seed + 1)


def _name(samples: DataSet, given: str) -> str:
    if isinstance(samples, FolderDataSet):
        return PUBLIC.get(samples.listing.layout, Path(samples.listing.root).resolve().name)
    return given
