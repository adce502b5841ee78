"""Two folders of label files, predictions and label maps -> figures, and the figures of each picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.listing import PICTURE_SUFFIXES, Tree
from seg_demo.data.masks import read_label_file
from seg_demo.errors import UserError
from seg_demo.evaluate.boundary import BoundaryCounts
from seg_demo.evaluate.confusion import ConfusionMatrix
from seg_demo.evaluate.figures import Figures

LABEL_SUFFIXES = PICTURE_SUFFIXES - {".jpg", ".jpeg", ".webp"}  # these blur class ids


@dataclass(frozen=True)
class LabelPair:
    """name: the path of both files inside their folders, without suffix."""

    name: str
    predicted: Path
    labelled: Path


@dataclass(frozen=True)
class PictureFigures:
    """Of one picture, for finding the bad ones; nan where it has no labelled pixel. pixels: labelled ones."""

    name: str
    mean_iou: float
    accuracy: float
    pixels: int


@dataclass(frozen=True)
class Comparison:
    """figures: over all pixels of all pictures. pictures: the lowest mean IoU first, nan last.

    unused: predictions without a label file, as paths inside their folder.
    """

    figures: Figures
    pictures: tuple[PictureFigures, ...]
    unused: tuple[str, ...]


def compare_folders(
    predictions: Path,
    labels: Path,
    names: Sequence[str],
    ignore_index: int = IGNORE_INDEX,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Measure every label file in `labels` against the one of the same name in `predictions`.

    names: one per class. progress: called with the pictures done and their number. Raises `UserError` as
    `pair_folders`, `read_ids` and `ConfusionMatrix.update` do.
    """
    pairs, unused = pair_folders(predictions, labels)
    total = ConfusionMatrix(len(names), ignore_index)
    boundary = BoundaryCounts(len(names), ignore_index)
    pictures = []
    for done, pair in enumerate(pairs, 1):
        label_map, predicted = read_ids(pair.labelled), read_ids(pair.predicted)
        files = (str(pair.labelled), str(pair.predicted))
        alone = ConfusionMatrix(len(names), ignore_index)
        alone.update(label_map, predicted, files)
        boundary.update(label_map, predicted, files)
        total += alone
        pictures.append(PictureFigures(pair.name, alone.mean_iou(), alone.accuracy(), int(alone.matrix.sum())))
        if progress:
            progress(done, len(pairs))
    pictures.sort(key=lambda picture: (math.isnan(picture.mean_iou), picture.mean_iou, picture.name))
    return Comparison(Figures.of(total, boundary, names), tuple(pictures), unused)


def pair_folders(predictions: Path, labels: Path) -> tuple[list[LabelPair], tuple[str, ...]]:
    """The pairs of files with one relative path but for the suffix, and the predictions that no label file asks for.

    Raises `UserError` where `labels` holds no label file, where one has no prediction, and where a name is there twice.
    """
    predicted, labelled = _label_files(predictions), _label_files(labels)
    if not labelled:
        raise UserError(
            "{folder} holds no label files. Give the folder of the label maps, as PNG, BMP, GIF or TIFF.", folder=labels
        )
    missing = [name for name in labelled if name not in predicted]
    if missing:
        raise UserError(
            "{count} of the {all} label files in {labels} have no prediction of the same name in {predictions}, the "
            "first is {file}. Predict them, or take them out.",
            count=len(missing), all=len(labelled), labels=labels, predictions=predictions,
            file=labelled[missing[0]].relative_to(labels).as_posix(),
        )  # fmt: skip
    pairs = [LabelPair(name, predicted[name], path) for name, path in labelled.items()]
    return pairs, tuple(
        path.relative_to(predictions).as_posix() for name, path in predicted.items() if name not in labelled
    )


def read_ids(path: Path) -> np.ndarray:
    """(H, W) integers of a label file: palette indices or grey levels, which are class ids. Raises `UserError`."""
    file = read_label_file(path, name=str(path))
    if file.kind in ("rgb", "rgba"):
        raise UserError(
            "{file} holds colours, but its values must be class ids. Save it as a palette or grey picture; "
            "`data check DIR --repair OUT` can turn the colours of a data set into ids.",
            file=path,
        )  # fmt: skip
    return file.values


def _label_files(folder: Path) -> dict[str, Path]:
    """By relative path without suffix."""
    tree = Tree(folder)
    found: dict[str, Path] = {}
    for path in tree.files:
        if path.suffix.lower() in LABEL_SUFFIXES:
            name = path.with_suffix("").as_posix()
            if name in found:
                raise UserError(
                    "{folder} holds both {first} and {second}, so it is unclear which one counts. Take one out.",
                    folder=folder, first=found[name].name, second=path.name,
                )  # fmt: skip
            found[name] = tree.path(path)
    return found
