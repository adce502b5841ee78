"""The figure for a paper: a picture, the probability of one class, its mask and, with labels, where that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from seg_demo.classes import IGNORE_INDEX
from seg_demo.errors import UserError
from seg_demo.viz.plots import GREY, text_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".svg", ".pdf")
DPI = 300  # all lengths below are pixels of this size
WIDTH = 2100  # 7 inches, two columns of most journals
TALLEST = 1350  # of pictures side by side, as long as they are wide enough for their words
LONGEST = 2550  # 8.5 inches, all together
NARROWEST = 496  # what the words below a picture need
STACKED = 3  # pictures this many times as wide as high go one above another
MARGIN, GAP, TITLE, LINE = 8, 30, 46, 36
ABOVE_BAR, BAR = 28, 24
TITLE_SIZE, TEXT_SIZE = 8, 7  # points
# Black and white as in the mask; the two errors are Okabe and Ito's, which differ for everyone, also in grey.
TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = (255, 255, 255), (213, 94, 0), (86, 180, 233)
TRUE_NEGATIVE, UNLABELLED = (0, 0, 0), (110, 110, 110)


@dataclass(frozen=True, kw_only=True)
class Captions:
    """The words of the figure."""

    image: str = "Input"
    probability: str = "Probability"
    mask: str = "Binarised"
    comparison: str = "Comparison"
    threshold: str = "threshold"
    low: str = "lower threshold"
    true_positive: str = "true positive"
    false_positive: str = "false positive"
    false_negative: str = "false negative"
    unlabelled: str = "not labelled"
    precision: str = "precision"
    recall: str = "recall"
    iou: str = "IoU"


@dataclass(frozen=True, eq=False)
class ThresholdFigure:
    """What `draw_figure` shows of a picture of H x W pixels.

    image: (H, W, 3) uint8. plane: (H, W) uint8 or uint16, quantised probabilities of the class `class_name`. mask:
    (H, W) bool. threshold, and low, the lower one of a hysteresis: probabilities. label_map: (H, W) uint8, 1 where the
    class is, 0 where it is not, 255 = not labelled; None for a figure without the comparison.
    """

    image: np.ndarray
    plane: np.ndarray
    mask: np.ndarray
    threshold: float
    class_name: str
    low: float | None = None
    label_map: np.ndarray | None = None
    captions: Captions = Captions()

    def __post_init__(self) -> None:
        size = self.image.shape[:2]
        assert self.image.shape == (*size, 3) and self.plane.shape == self.mask.shape == size, "expected (H, W)"
        assert self.label_map is None or self.label_map.shape == size, "expected a label map (H, W)"
        assert self.plane.dtype in (np.uint8, np.uint16) and self.mask.dtype == bool


def draw_figure(shown: ThresholdFigure, path: Path) -> None:
    """The panels side by side, or one above another for very wide pictures; PNG with 300 dpi, SVG or PDF by the suffix.

    Equal figures give equal files. Raises `UserError` for another suffix, and where `path` cannot be written.
    """
    from matplotlib import rc_context

    check_figure_path(path)
    style = text_style() | {
        "svg.fonttype": "none", "pdf.fonttype": 42,  # text stays text, which can be searched and edited
        "svg.hashsalt": "seg_demo", "savefig.bbox": None, "savefig.facecolor": "white",
    }  # fmt: skip
    dates = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    suffix = path.suffix.lower()
    with rc_context(style):
        paper = _draw(shown, sharpness=1 if suffix == ".png" else 2)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            paper.figure.savefig(path, dpi=DPI, metadata=dates[suffix])
        except OSError as error:
            raise UserError(
                "The figure could not be written to {path} ({reason}). Choose another folder.",
                path=path, reason=error.strerror or error,
            ) from error  # fmt: skip


def check_figure_path(path: Path) -> None:
    """Raises `UserError` where the suffix is of no format that can be drawn."""
    if path.suffix.lower() not in FORMATS:
        raise UserError("{path} must end in .png, .svg or .pdf. Name another file.", path=path)


class _Paper:
    """A figure in which things are placed by pixels from the top left corner."""

    def __init__(self, width: int, height: int) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
        self.renderer = FigureCanvasAgg(self.figure).get_renderer()

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Without ticks, in a thin frame: without it, what is white would have no end."""
        bottom = self.height - top - height
        axes = self.figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height), xticks=[], yticks=[]
        )
        for spine in axes.spines.values():
            spine.set(linewidth=0.4, color=GREY)
        return axes

    def picture(self, left: float, top: float, width: float, height: float, pixels: np.ndarray) -> None:
        """pixels: (h, w, 3) uint8. No interpolation, so that no pixel is made up."""
        self.axes(left, top, width, height).imshow(pixels, interpolation="none", aspect="auto")

    def text(
        self, left: float, top: float, words: str, room: float, size: float = TEXT_SIZE,
        align: Literal["left", "center", "right"] = "left",
    ) -> None:  # fmt: skip
        """One line, cut to `room` pixels; its baseline is most of a line below `top`, whatever letters it has."""
        at = left / self.width, 1 - (top + 0.75 * LINE) / self.height
        text = self.figure.text(*at, words, size=size, ha=align, va="baseline")
        while text.get_window_extent(self.renderer).width > room and len(words) > 1:
            words = words[:-1].rstrip()
            text.set_text(words + "…")


@dataclass(frozen=True)
class _Panel:
    """One picture, what stands above it, and what is drawn below it at (left, top) within `width` pixels."""

    title: str
    pixels: Callable[[tuple[int, int]], np.ndarray]  # (width, height) -> (h, w, 3) uint8, no larger
    below: Callable[[_Paper, float, float, float], None] | None = None
    below_height: int = 0


def _panels(shown: ThresholdFigure) -> list[_Panel]:
    words = shown.captions
    mask = shown.mask.astype(np.uint8) * np.uint8(255)
    # Six digits take any threshold of 8 or 16 bits back to its level, so the figure can be made again from its text.
    thresholds = [f"{words.threshold} {shown.threshold:.6g}"]
    if shown.low is not None:
        thresholds.append(f"{words.low} {shown.low:.6g}")
    panels = [
        _Panel(words.image, lambda most: _at_most(shown.image, most)),
        _Panel(
            f"{words.probability}: {shown.class_name}",
            lambda most: _viridis()[_at_most(_bytes_of(shown.plane), most)],
            lambda paper, left, top, width: _color_bar(paper, left, top, width, shown),
            ABOVE_BAR + BAR + LINE,
        ),
        _Panel(
            words.mask,
            lambda most: np.repeat(_at_most(mask, most)[..., None], 3, axis=2),
            lambda paper, left, top, width: _lines(paper, left, top, width, thresholds),
            8 + LINE * len(thresholds),
        ),
    ]
    if shown.label_map is not None:
        outcomes = _outcomes(shown.mask, shown.label_map)
        panels.append(
            _Panel(
                words.comparison,
                lambda most: _at_most(_OUTCOME_COLORS[outcomes], most),
                lambda paper, left, top, width: _agreement(paper, left, top, width, outcomes, words),
                8 + LINE * (4 if (outcomes == 4).any() else 3),
            )
        )
    return panels


def _draw(shown: ThresholdFigure, sharpness: int) -> _Paper:
    """sharpness: pixels a picture may have per pixel of DPI; more are averaged, because nobody could see them."""
    panels = _panels(shown)
    height, width = shown.mask.shape
    stacked = width >= STACKED * height
    columns, rows = (1, len(panels)) if stacked else (len(panels), 1)
    below = [panel.below_height for panel in panels]
    if not stacked:
        below = [max(below)] * len(panels)
    words_high = 2 * MARGIN + rows * TITLE + (rows - 1) * GAP + (sum(below) if stacked else below[0])
    most_wide = (WIDTH - 2 * MARGIN - (columns - 1) * GAP) / columns
    most_high = (LONGEST - words_high) / rows
    if not stacked:
        most_high = min(most_high, max(TALLEST, height * NARROWEST / width))
    scale = min(most_wide / width, most_high / height)
    size = max(1, int(width * scale)), max(1, int(height * scale))
    cell = max(size[0], NARROWEST)
    paper = _Paper(2 * MARGIN + columns * cell + (columns - 1) * GAP, words_high + rows * size[1])
    left = top = MARGIN
    for panel, room in zip(panels, below, strict=True):
        paper.text(left, top, panel.title, cell, TITLE_SIZE)
        paper.picture(left, top + TITLE, *size, panel.pixels((size[0] * sharpness, size[1] * sharpness)))
        if panel.below:
            panel.below(paper, left, top + TITLE + size[1], min(cell, WIDTH // 3))
        if stacked:
            top += TITLE + size[1] + room + GAP
        else:
            left += cell + GAP
    return paper


def _at_most(picture: np.ndarray, most: tuple[int, int]) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8, averaged where it is larger than (width, height)."""
    size = min(picture.shape[1], most[0]), min(picture.shape[0], most[1])
    if size == (picture.shape[1], picture.shape[0]):
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.HAMMING))


def _bytes_of(plane: np.ndarray) -> np.ndarray:
    return plane if plane.dtype == np.uint8 else np.round(plane / 257).astype(np.uint8)


def _viridis() -> np.ndarray:
    """(256, 3) uint8."""
    from matplotlib import colormaps

    return colormaps["viridis"](np.arange(256), bytes=True)[:, :3]


def _color_bar(paper: _Paper, left: float, top: float, width: float, shown: ThresholdFigure) -> None:
    """From 0 to 1, with a mark at the threshold, and a hollow one at the lower one."""
    bar = paper.axes(left, top + ABOVE_BAR, width, BAR)
    bar.imshow(_viridis()[None], extent=(0, 1, 0, 1), interpolation="none", aspect="auto")
    for at, color in ((shown.low, "white"), (shown.threshold, "black")):
        if at is None:
            continue
        bar.axvline(at, color="white", linewidth=1.6)
        bar.axvline(at, color="black", linewidth=0.6)
        bar.plot(
            at, 1.5, "v", color=color, markersize=3.6, markeredgecolor="black", markeredgewidth=0.5, clip_on=False,
        )  # fmt: skip
    bar.set(xlim=(0, 1), ylim=(0, 1))
    ticks: tuple[tuple[float, Literal["left", "center", "right"]], ...] = ((0, "left"), (0.5, "center"), (1, "right"))
    for at, align in ticks:
        paper.text(left + at * width, top + ABOVE_BAR + BAR, f"{at:g}", width, align=align)


def _lines(paper: _Paper, left: float, top: float, width: float, lines: list[str]) -> None:
    for i, line in enumerate(lines):
        paper.text(left, top + 8 + i * LINE, line, width)


# What has become of a pixel: an index of these colours.
_OUTCOME_COLORS = np.array([TRUE_NEGATIVE, FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE, UNLABELLED], np.uint8)


def _outcomes(mask: np.ndarray, label_map: np.ndarray) -> np.ndarray:
    """(H, W) uint8: 0 and 3 are right outside and in the mask, 1 is missing, 2 is too much, 4 was not labelled."""
    outcomes = 2 * mask.astype(np.uint8) + (label_map == 1)
    outcomes[label_map == IGNORE_INDEX] = 4
    return outcomes.astype(np.uint8)


def _agreement(
    paper: _Paper, left: float, top: float, width: float, outcomes: np.ndarray, words: Captions
) -> None:  # fmt: skip
    """What the colours mean, and beside it the figures: precision, recall and intersection over union."""
    _, missed, wrong, right, unlabelled = (int(count) for count in np.bincount(outcomes.ravel(), minlength=5))
    meanings = [
        (TRUE_POSITIVE, words.true_positive),
        (FALSE_POSITIVE, words.false_positive),
        (FALSE_NEGATIVE, words.false_negative),
    ]
    if unlabelled:
        meanings.append((UNLABELLED, words.unlabelled))
    half = 0.53 * width
    for i, (color, meaning) in enumerate(meanings):
        paper.picture(left, top + 14 + i * LINE, 22, 22, np.array([[color]], np.uint8))
        paper.text(left + 30, top + 8 + i * LINE, meaning, half - 36)
    figures = ((words.precision, right + wrong), (words.recall, right + missed), (words.iou, right + wrong + missed))
    for i, (name, of) in enumerate(figures):
        value = f"{right / of:.3f}" if of else "–"
        paper.text(left + half, top + 8 + i * LINE, f"{name} {value}", width - half)
