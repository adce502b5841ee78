"""Automatic choices of a threshold: from the values of the probabilities alone, or from labels as well."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from seg_demo.errors import UserError
from seg_demo.evaluate.threshold import Sweep, threshold_of
from seg_demo.infer.segmentation import threshold_level
from seg_demo.registry import look_up


@dataclass(frozen=True)
class Method:
    """A way to choose a threshold. All return a level: a pixel is in the mask when its integer is at least that.

    about: what it does, in a sentence. choose: takes the histogram of all values, (levels,) int64, or, where it
    `needs_labels`, a `Sweep`; then its value, where it takes one, from 0 to `most`. example: how it is written.
    """

    about: str
    choose: Callable[..., int]
    needs_labels: bool = False
    most: float | None = None
    example: str = ""

    @property
    def takes_value(self) -> bool:
        return self.most is not None


def half(values: np.ndarray) -> int:
    """The level of the threshold 0.5."""
    return threshold_level(0.5, len(values) - 1)


def otsu(values: np.ndarray) -> int:
    """The level that parts the values so that the variance between both parts is largest; of ties, the lowest.

    Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Trans. SMC 9, 1979. As whole numbers, so that
    ties stay ties, the variance is (S n - N s)^2 / (n (N - n)), where the n pixels below the level have the sum s and
    all N have the sum S; what it is divided by there, N^2, is the same for all levels.
    """
    low, high = _range(values, "otsu")
    below = np.cumsum(values)[low:high].astype(np.float64)
    sums = np.cumsum(values * np.arange(len(values)))
    total, all_sums = float(values.sum()), float(sums[-1])
    between = (all_sums * below - total * sums[low:high]) ** 2 / (below * (total - below))
    return low + int(between.argmax()) + 1


def li(values: np.ndarray) -> int:
    """The level that parts the values so that their cross-entropy with the means of both parts is smallest.

    Li and Lee, "Minimum Cross Entropy Thresholding", Pattern Recognition 26, 1993, by the iteration of Li and Tam, "An
    Iterative Algorithm for Minimum Cross Entropy Thresholding", Pattern Recognition Letters 19, 1998: from the mean of
    the values, counted from the lowest one, to (b - f) / (log b - log f) of the means b and f of the parts below and
    above, until a step is half a level or less.
    """
    low, _ = _range(values, "li")
    pixels = np.cumsum(values[low:])
    sums = np.cumsum(values[low:] * np.arange(len(values) - low))
    threshold, step = float(sums[-1] / pixels[-1]), math.inf
    while step > 0.5:
        last = int(threshold)  # of the part below
        if not sums[last]:  # only the lowest value is left there, and its logarithm is none
            break
        below = float(sums[last] / pixels[last])
        above = float((sums[-1] - sums[last]) / (pixels[-1] - pixels[last]))
        moved = (below - above) / (math.log(below) - math.log(above))
        threshold, step = moved, abs(moved - threshold)
    return low + int(threshold) + 1


def triangle(values: np.ndarray) -> int:
    """The level behind the corner of the histogram: the value farthest from the line from its peak to its longer tail's
    end; of ties, the one nearest to that end. The lower side is taken where both tails are equally long.

    Zack, Rogers and Latt, "Automatic Measurement of Sister Chromatid Exchange Frequency", J. Histochem. Cytochem. 25,
    1977.
    """
    low, high = _range(values, "triangle")
    peak = int(values.argmax())
    end, step = (high, -1) if high - peak > peak - low else (low, 1)
    steps = np.arange(abs(peak - end))  # from the end of the tail to before the peak
    # Twice the area of the triangle over the line, which grows as its height does.
    area = values[peak] * steps - len(steps) * values[end + step * steps]
    # Where nothing lies between the peak and a tail of one value, the corner is the highest value: it is kept.
    return min(end + step * int(area.argmax()) + 1, high)


def keep(values: np.ndarray, percent: float) -> int:
    """The level that keeps the share of pixels nearest to `percent`; of ties, the highest.

    Nearest by |100 kept - percent pixels|, in float64.
    """
    kept = np.cumsum(values[::-1])  # from the highest level down
    return len(values) - 1 - int(np.abs(100.0 * kept - percent * float(kept[-1])).argmin())


def precision(sweep: Sweep, wanted: float) -> int:
    """The lowest level from 1 on with that precision, where the recall is highest."""
    _check_labelled(sweep)
    reached = sweep.precision[1:]  # nan where nothing is predicted
    found = np.flatnonzero(reached >= wanted)
    if len(found):
        return int(found[0]) + 1
    if np.isnan(reached).all():
        raise _all_one(0.0, "precision")
    best = int(np.nanargmax(reached)) + 1
    raise UserError(
        "No threshold has a precision of {wanted:g}: the highest is {best:.4g}, at the threshold {threshold:g}. "
        "Ask for less.",
        wanted=wanted, best=float(sweep.precision[best]), threshold=threshold_of(best, sweep.full),
    )  # fmt: skip


def recall(sweep: Sweep, wanted: float) -> int:
    """The highest level with that recall; level 0 has a recall of 1."""
    _check_labelled(sweep)
    return int(np.flatnonzero(sweep.recall >= wanted)[-1])


def best(sweep: Sweep, by: str) -> int:
    """`Sweep.best_level`, where a pixel is labelled as the class."""
    _check_labelled(sweep)
    level = sweep.best_level(by)
    assert level is not None
    return level


METHODS = {
    "half": Method("The threshold 0.5: more likely than not.", half),
    "otsu": Method(
        "The two parts of the histogram are as far apart as can be (Otsu 1979): good where both are large.", otsu
    ),
    "li": Method(
        "The mask loses the least information about the probabilities (minimum cross-entropy, Li & Lee 1993, Li & Tam "
        "1998): good where the objects are small.",
        li,
    ),
    "triangle": Method(
        "Where the long tail of the histogram leaves its one peak (Zack et al. 1977): good for few pixels in a large "
        "background.",
        triangle,
    ),
    "keep": Method("The mask covers this share of the picture, in per cent.", keep, most=100, example="keep:10"),
    "best-f1": Method("The highest F1 on the labels.", partial(best, by="f1"), True),
    "best-iou": Method("The highest IoU on the labels, at the same threshold as F1.", partial(best, by="iou"), True),
    "best-mean-iou": Method("The highest mean IoU of class and background.", partial(best, by="mean_iou"), True),
    "best-accuracy": Method("The most labelled pixels right.", partial(best, by="accuracy"), True),
    "precision": Method(
        "At least this share of the mask is right; of such thresholds, the one with the highest recall.",
        precision, True, most=1, example="precision:0.9",
    ),
    "recall": Method(
        "At least this share of the labelled pixels is found; of such thresholds, the highest.",
        recall, True, most=1, example="recall:0.95",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """A method of `METHODS` with its value, where it takes one. Raises `UserError` for an unknown name or value.

    >>> str(Choice.parse("keep:10"))
    'keep:10'
    """

    name: str
    value: float | None = None

    def __post_init__(self) -> None:
        method = self.method
        if method.most is None and self.value is not None:
            raise UserError("The method {method} takes no value. Leave out what follows its name.", method=self.name)
        if method.most is not None and (self.value is None or not 0 <= self.value <= method.most):
            raise UserError(
                "The method {method} takes a number from 0 to {most:g}. Write it as {example}.",
                method=self.name, most=method.most, example=method.example,
            )  # fmt: skip

    @classmethod
    def parse(cls, text: str) -> Choice:
        """From "otsu", "keep:10", "precision:0.9" and the like."""
        name, colon, value = text.partition(":")
        try:
            return cls(name, float(value) if colon else None)
        except ValueError:
            return cls(name, math.nan)  # refused with the right sentence

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}:{self.value:g}"

    @property
    def method(self) -> Method:
        return look_up("method", METHODS, self.name)

    def level(self, values: np.ndarray, sweep: Sweep | None = None) -> int:
        """The level it chooses.

        values: (levels,) int64, how many pixels have each quantised probability, labelled or not. sweep: where there
        are labels. Raises `UserError` where labels are missing, where none is of the class, where all probabilities
        are the same, and where the precision is not reached.
        """
        if self.method.needs_labels and sweep is None:
            without = ", ".join(name for name, method in METHODS.items() if not method.needs_labels)
            raise UserError(
                "The method {method} needs labels. Give them, or choose one that does without: {without}.",
                method=self, without=without,
            )  # fmt: skip
        value = () if self.value is None else (self.value,)
        return self.method.choose(sweep if self.method.needs_labels else values, *value)


def _range(values: np.ndarray, name: str) -> tuple[int, int]:
    """The lowest and the highest value there is."""
    there = np.flatnonzero(values)
    low, high = int(there[0]), int(there[-1])
    if low == high:
        raise _all_one(low / (len(values) - 1), name)
    return low, high


def _all_one(value: float, name: str) -> UserError:
    return UserError(
        "All probabilities are {value:.3g}, so that {method} has nothing to tell apart. Choose half, or a threshold.",
        value=value, method=name,
    )  # fmt: skip


def _check_labelled(sweep: Sweep) -> None:
    if not sweep.positives:
        raise UserError(
            "No pixel is labelled as the class, so no threshold is better than another. Label it, or choose a method "
            "that needs no labels, such as otsu."
        )
