"""How far the difference of two models' mean IoU may be chance: resampled pictures."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from seg_demo.errors import Sentence

FEWEST = 5  # pictures, below which nothing is said
RESAMPLES = 5000
LEVEL = 0.95
CHUNK = 100  # resamples that exist at one time


@dataclass(frozen=True)
class Interval:
    """Holds `LEVEL` of the differences of mean IoU (new - base) over pictures that were drawn again, -1 to 1."""

    low: float
    high: float

    @property
    def told(self) -> Sentence:
        """What follows from it."""
        if self.low == self.high == 0:
            return Sentence("Both models do equally well on every picture.")
        low, high = (f"{value:+.4f}" for value in (self.low, self.high))
        if self.low > 0:
            return Sentence(
                "The new model is better on pictures like these: the 95 % interval of the difference of mean IoU is "
                "{low} to {high}.",
                low=low, high=high,
            )  # fmt: skip
        if self.high < 0:
            return Sentence(
                "The new model is worse on pictures like these: the 95 % interval of the difference of mean IoU is "
                "{low} to {high}.",
                low=low, high=high,
            )  # fmt: skip
        return Sentence(
            "The difference may be chance: the 95 % interval of the difference of mean IoU is {low} to {high}.",
            low=low, high=high,
        )  # fmt: skip


def parts(matrix: np.ndarray) -> np.ndarray:
    """(C, C) confusion matrix -> (3, C) int64: pixels right, labelled and predicted; they add up over pictures."""
    return np.stack([matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)])


def mean_ious(sums: np.ndarray) -> np.ndarray:
    """(..., 3, C) sums of `parts` -> (...) float: mean IoU over the classes labelled or predicted; nan for none."""
    right = sums[..., 0, :].astype(float)
    union = sums[..., 1, :] + sums[..., 2, :] - right
    there = union > 0
    ious = np.divide(right, union, out=np.zeros_like(right), where=there)
    counts = there.sum(axis=-1)
    return np.divide(ious.sum(axis=-1), counts, out=np.full(counts.shape, np.nan), where=counts > 0)


def bootstrap(base: np.ndarray, new: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> Interval | None:
    """The paired bootstrap over pictures (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).

    base, new: (N, 3, C), the `parts` of each picture. As many pictures as there are are drawn with replacement, the
    same ones for both models, and their confusion matrices summed; the interval is between percentiles of the
    differences of the mean IoU, see `tail`. Equal arguments give equal intervals; fewer than `FEWEST` pictures, None.
    """
    count = len(new)
    if count < FEWEST:
        return None
    generator = np.random.default_rng(seed)
    pairs = np.stack([base, new]).astype(float)  # (2, N, 3, C), whole numbers, exact up to 2**53
    flat = pairs.transpose(1, 0, 2, 3).reshape(count, -1)
    differences = []
    for begin in range(0, resamples, CHUNK):
        times = generator.multinomial(count, np.full(count, 1 / count), min(CHUNK, resamples - begin))
        sums = (times.astype(float) @ flat).reshape(len(times), 2, *base.shape[1:])
        of_base, of_new = mean_ious(sums).T
        differences.append(of_new - of_base)
    known = np.concatenate(differences)
    known = known[~np.isnan(known)]
    if not len(known):
        return None
    low, high = np.quantile(known, [tail(count), 1 - tail(count)])
    return Interval(float(low), float(high))


def tail(count: int) -> float:
    """The share of the resamples to leave out at each end: 0.025 for many pictures, less for few.

    Plain percentiles are too narrow for few pictures, as resamples vary less than the pictures they are drawn from.
    This is the expanded percentile interval (Hesterberg, "What Teachers Should Know About the Bootstrap", The American
    Statistician 69, 2015, section 4), which for a mean is as wide as Student's t.
    """
    normal, freedom = NormalDist(), count - 1
    z = normal.inv_cdf((1 + LEVEL) / 2)
    # Student's t for `freedom`, by its expansion around the normal (Abramowitz and Stegun, 26.7.5).
    student = z + sum(
        sum(factor * z**power for power, factor in terms.items()) / (divisor * freedom**order)
        for order, (divisor, terms) in enumerate(_STUDENT, start=1)
    )
    return normal.cdf(-student * (count / freedom) ** 0.5)


_STUDENT = (
    (4, {3: 1, 1: 1}),
    (96, {5: 5, 3: 16, 1: 3}),
    (384, {7: 3, 5: 19, 3: 17, 1: -15}),
)
