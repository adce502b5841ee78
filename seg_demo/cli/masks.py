"""Masks of single pictures by a threshold: what is told of them, and their files."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seg_demo.cli.sweep import ThresholdReport
from seg_demo.cli.text import table
from seg_demo.data.images import read_image
from seg_demo.errors import UserError
from seg_demo.evaluate.automatic import Choice
from seg_demo.evaluate.labels import read_labels
from seg_demo.evaluate.mask import chosen_threshold, mask_figures
from seg_demo.evaluate.threshold import ThresholdHistogram, class_against_rest
from seg_demo.infer.binarisation import Binarisation, class_plane
from seg_demo.infer.outputs import writing_to
from seg_demo.infer.segmentation import threshold_level

if TYPE_CHECKING:
    from seg_demo.infer.predictor import Predictor

# What is told of a mask: title and format.
COLUMNS = {
    "threshold": ("threshold", "g"), "level": ("level", "d"), "pixels": ("pixels", "d"), "share": ("share", ".2%"),
    "objects": ("objects", "d"), "largest": ("largest", "d"), "precision": ("precision", ".4f"),
    "recall": ("recall", ".4f"), "f1": ("F1", ".4f"), "iou": ("IoU", ".4f"),
}  # fmt: skip


def binarised(
    arguments: argparse.Namespace, predict: Predictor, class_id: int, choice: Choice | None, path: Path, stem: str
) -> dict[str, Any]:
    """The mask of one picture: `COLUMNS` by name, as plain JSON values, and the files that were written.

    The figures are those of the mask as it is in the end, on the labelled pixels; None where there is no such figure.
    """
    classes = predict.config.classes
    image = read_image(path)
    label_map = None
    if arguments.labels:
        ids = read_labels(arguments.labels, classes, predict.config.task, image.shape[:2])
        label_map = class_against_rest(ids, class_id, classes.ignore_index)
    plane = class_plane(predict(image), class_id)
    histogram = None
    if label_map is not None:
        histogram = ThresholdHistogram(ignore_index=classes.ignore_index)
        histogram.update(label_map, plane)
    filters = Binarisation(1.0, arguments.low, arguments.smallest_object, arguments.smallest_hole)
    if choice:
        threshold = chosen_threshold(choice, plane, label_map, filters, classes.ignore_index)
    else:
        threshold = predict.config.threshold if arguments.threshold is None else arguments.threshold
    mask = replace(filters, threshold=threshold).mask(plane)
    entry: dict[str, Any] = {
        "threshold": threshold, "level": threshold_level(threshold),
        **mask_figures(mask, label_map, classes.ignore_index),
    }  # fmt: skip
    if arguments.plot and histogram:
        if not histogram.sweep().positives:
            raise UserError(
                "{file} labels no pixel as {label}, so there are no curves to draw. Leave --plot out.",
                file=arguments.labels, label=classes.names[class_id],
            )  # fmt: skip
        title = f"{predict.checkpoint.name}: {classes.names[class_id]}, {path.name}"
        ThresholdReport(histogram, predict.config.threshold, threshold, choice).draw(arguments.plot, title)
    if arguments.out:
        entry["files"] = [str(file) for file in _written(arguments.out, stem, mask, plane)]
    return entry


def _written(folder: Path, stem: str, mask: np.ndarray, plane: np.ndarray) -> list[Path]:
    """The mask, as 0 and 255, and the probability, both as 8-bit grey pictures."""
    from PIL import Image

    pictures = {folder / f"{stem}.mask.png": mask.astype(np.uint8) * 255, folder / f"{stem}.probability.png": plane}
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path, picture in pictures.items():
            Image.fromarray(picture).save(path)
    return list(pictures)


def how_made(arguments: argparse.Namespace, choice: Choice | None) -> str:
    """How the masks were made, in words."""
    own = "threshold of the checkpoint" if arguments.threshold is None else "threshold as given"
    parts = [f"threshold by {choice}" if choice else own]
    if arguments.low is not None:
        parts.append(f"hysteresis from {arguments.low:g} on")
    if arguments.smallest_object > 1:
        parts.append(f"no objects below {arguments.smallest_object} pixels")
    if arguments.smallest_hole > 1:
        parts.append(f"no holes below {arguments.smallest_hole} pixels")
    return ", ".join(parts)


def lines_of(entries: list[dict[str, Any]]) -> list[str]:
    """A table of what `binarised` gave, one line per picture."""
    shown = {name: column for name, column in COLUMNS.items() if name in entries[0]}
    rows = [
        (
            entry["image"],
            *("-" if entry[name] is None else format(entry[name], form) for name, (_, form) in shown.items()),
        )
        for entry in entries
    ]
    return table(("picture", *(title for title, _ in shown.values())), rows, right=range(1, len(shown) + 1))
