"""Diagrams of what was measured, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seg_demo.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, GREY, PALE = "#0072b2", "#d55e00", "#009e73", "#6b6b6b", "#d9e6f0"
# Names may be Japanese or Chinese; the first of these that is installed helps the Latin letters of DejaVu out.
FURTHER_FONTS = ("Noto Sans CJK JP", "Noto Sans JP", "Hiragino Sans", "Yu Gothic", "Microsoft YaHei", "IPAGothic")


@dataclass(frozen=True, eq=False)
class ThresholdPlot:
    """What `draw_threshold` shows of the task "binary".

    title: over all. thresholds, precision, recall, f1, iou: (levels,) float, from the lowest threshold to the highest;
    nan where there is none. average_precision: the area under the steps of precision over recall. marks: thresholds by
    what they are called, two at most. count, confidence, frequency: (bins,), pixels, mean probability and share of
    the class per bin. calibration_error: mean distance of the latter two.
    """

    title: str
    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    iou: np.ndarray
    average_precision: float
    marks: Mapping[str, float]
    count: np.ndarray
    confidence: np.ndarray
    frequency: np.ndarray
    calibration_error: float


def text_style() -> dict[Any, Any]:
    """Settings of Matplotlib with which names in any language are drawn as they are."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return {
        "font.family": ["DejaVu Sans", *(name for name in FURTHER_FONTS if name in installed)],
        "text.parse_math": False, "text.usetex": False,  # a class may be called $cash$
    }  # fmt: skip


def check_plot_path(path: Path) -> None:
    """Raises `UserError` where the file is not to be a PNG."""
    if path.suffix.lower() != ".png":
        raise UserError("{path} must end in .png. Name another file.", path=path)


def draw_threshold(plot: ThresholdPlot, path: Path) -> None:
    """Precision over recall, F1 and IoU over the threshold, and a reliability diagram, side by side in one PNG.

    Raises `UserError` where `path` does not end in .png.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    check_plot_path(path)
    style = text_style() | {
        "font.size": 9.5, "axes.titlesize": 10.5, "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "axes.axisbelow": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.8,
        "legend.edgecolor": "none", "legend.framealpha": 0.9,
    }  # fmt: skip
    with rc_context(style):
        figure = Figure(figsize=(13.2, 4.5), dpi=140, layout="constrained")
        figure.suptitle(plot.title, x=0.01, ha="left", fontsize=12)
        grid = figure.add_gridspec(2, 3, height_ratios=(4, 1))
        _precision_recall(figure.add_subplot(grid[:, 0]), plot)
        _over_thresholds(figure.add_subplot(grid[:, 1]), plot)
        reliability = figure.add_subplot(grid[0, 2])
        _reliability(reliability, plot)
        _shares(figure.add_subplot(grid[1, 2], sharex=reliability), plot)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)


def _level_at(plot: ThresholdPlot, threshold: float) -> int:
    return int(np.abs(plot.thresholds - threshold).argmin())


def _precision_recall(axes: Axes, plot: ThresholdPlot) -> None:
    there = ~np.isnan(plot.precision)
    recall, precision = plot.recall[there], plot.precision[there]  # the recall falls, down to 0
    axes.step([*recall, 0], [*precision, precision[-1]], where="post", color=BLUE, linewidth=1.8)
    axes.axhline(plot.precision[0], color=GREY, linewidth=1, linestyle=":", label="every pixel predicted")
    for (name, threshold), color, size in zip(plot.marks.items(), (ORANGE, GREEN), (10, 6), strict=False):
        level = _level_at(plot, threshold)
        axes.plot(
            plot.recall[level], plot.precision[level], "o", color=color, markersize=size, clip_on=False,
            label=f"{name}, {threshold:.3g}", zorder=3,
        )  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axes.set_title(f"Average precision {plot.average_precision:.3f}", loc="left")
    axes.legend(loc="lower left")


def _over_thresholds(axes: Axes, plot: ThresholdPlot) -> None:
    axes.plot(plot.thresholds, plot.f1, color=BLUE, linewidth=1.8, label="F1")
    axes.plot(plot.thresholds, plot.iou, color="#56b4e9", linewidth=1.8, label="IoU")
    for (name, threshold), color, line in zip(plot.marks.items(), (ORANGE, GREEN), ("-", "--"), strict=False):
        axes.axvline(threshold, color=color, linewidth=1.4, linestyle=line, label=f"{name}, {threshold:.3g}")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="threshold")
    axes.set_title("F1 and IoU at each threshold", loc="left")
    axes.legend(loc="lower left")


def _reliability(axes: Axes, plot: ThresholdPlot) -> None:
    edges = np.linspace(0, 1, len(plot.count) + 1)
    there = plot.count > 0
    axes.bar(
        edges[:-1][there], plot.frequency[there], width=edges[1], align="edge", color=PALE, edgecolor=BLUE,
        linewidth=0.8, label="labelled so",
    )  # fmt: skip
    axes.plot((0, 1), (0, 1), color=GREY, linewidth=1, linestyle="--", label="calibrated")
    axes.plot(plot.confidence[there], plot.frequency[there], ".", color=BLUE)
    axes.set(ylim=(0, 1.02), ylabel="share of the class")
    axes.set_title(f"Reliability: expected calibration error {plot.calibration_error:.3f}", loc="left")
    axes.tick_params(labelbottom=False)
    axes.legend(loc="upper left")


def _shares(axes: Axes, plot: ThresholdPlot) -> None:
    """How many pixels each bin of the reliability diagram stands for."""
    edges = np.linspace(0, 1, len(plot.count) + 1)
    axes.bar(edges[:-1], plot.count / max(1, plot.count.sum()), width=edges[1], align="edge", color=GREY, alpha=0.6)
    axes.set(xlim=(0, 1), ylim=(0, 1), yticks=(0, 0.5, 1), xlabel="probability", ylabel="pixels")
