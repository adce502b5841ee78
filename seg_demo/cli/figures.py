"""Figures in the terminal: a table of the classes, one of the means, and what the means leave out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from seg_demo.cli.text import table, wrapped

if TYPE_CHECKING:
    from seg_demo.evaluate.figures import Figures


def class_table(figures: Figures) -> list[str]:
    header = ("class", "IoU", "precision", "recall", "F1", "boundary IoU", "pixels")
    rows = [
        (
            entry.name, shown(entry.iou), shown(entry.precision), shown(entry.recall), shown(entry.f1),
            shown(entry.boundary_iou), str(entry.pixels),
        )
        for entry in figures.classes
    ]  # fmt: skip
    return table(header, rows, right=range(1, 7))


def mean_table(figures: Figures) -> list[str]:
    rows = [
        ("pixel accuracy", "acc", figures.accuracy),
        ("mean accuracy", "acc_cls", figures.mean_accuracy),
        ("mean IoU", "mean_iu", figures.mean_iou),
        ("frequency weighted IoU", "fwavacc", figures.frequency_weighted_iou),
        ("mean Dice (F1)", "", figures.mean_dice),
        ("mean boundary IoU", "", figures.boundary_iou),
    ]
    return table(("figure", "short", "value"), [(*row[:2], shown(row[2])) for row in rows], right=(2,))


def left_out(figures: Figures) -> list[str]:
    """Sentences about classes that are not in all means; none where all are."""
    lines = []
    if figures.absent:
        told = "Absent, neither labelled nor predicted, and left out of all means"
        lines += wrapped(f"{told}: {', '.join(figures.absent)}.", 0)
    if figures.never_labelled:
        told = "Predicted but never labelled, so that the IoU is 0 and the mean accuracy leaves them out"
        lines += wrapped(f"{told}: {', '.join(figures.never_labelled)}.", 0)
    return lines


def shown(value: float) -> str:
    """Four decimals; a figure that is not defined is a dash."""
    return "-" if math.isnan(value) else f"{value:.4f}"
