"""What each threshold of a class would give: one histogram of its quantised probabilities answers for all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.dataset import Sample
from seg_demo.infer.binarisation import class_plane
from seg_demo.infer.lent import each
from seg_demo.registry import look_up

if TYPE_CHECKING:
    from seg_demo.infer.lent import LentPredictor
    from seg_demo.infer.predictor import Predictor

FIGURES = ("f1", "iou", "mean_iou", "accuracy")
"""What the best threshold can be chosen by."""
BINS = 15  # Guo et al. 2017


def threshold_of(level: int, full: int = 255) -> float:
    """The probability from which on a quantised one is at least `level`: (level - 1/2) / full, and 0 for level 0.

    Probabilities are rounded to the nearest level, so it lies midway between two levels, and a checkpoint that has it
    as its threshold masks the same pixels with 8 and 16 bits. It has 4 digits (6 for 16 bits), which is exact enough:
    `infer.segmentation.threshold_level` takes it back to `level`.

    >>> threshold_of(128)
    0.5
    """
    return round(max(0.0, level - 0.5) / full, 4 if full == 255 else 6)


def measure_thresholds(
    predict: Predictor | LentPredictor,
    samples: Sequence[Sample],
    class_id: int = 1,
    progress: Callable[[int, int], None] | None = None,
    turn: AbstractContextManager[object] | None = None,
) -> ThresholdHistogram:
    """The histogram of a class over labelled pictures, which are in the classes of the checkpoint (`in_classes`).

    class_id: 1 for the task "binary"; for "multiclass", the pixels labelled as it are told from all other labelled
    ones, and `predict` keeps the probabilities, all or those of this class. progress: called with the pictures done and
    their number. turn: is held while the network runs.
    """
    ignored = predict.config.classes.ignore_index
    histogram = ThresholdHistogram(1 << predict.depth, ignored)
    labels: deque[np.ndarray] = deque()

    def images() -> Iterator[tuple[np.ndarray, int]]:
        for _, image, label_map in samples:
            labels.append(class_against_rest(label_map, class_id, ignored))
            yield image, class_id

    with closing(each(_plane, images(), predict, turn=turn)) as planes:
        for done, plane in enumerate(planes, start=1):
            histogram.update(labels.popleft(), plane)
            if progress:
                progress(done, len(samples))
    return histogram


def _plane(predict: Predictor, image: np.ndarray, class_id: int) -> np.ndarray:
    return class_plane(predict(image), class_id)


def class_against_rest(label_map: np.ndarray, class_id: int, ignore_index: int = IGNORE_INDEX) -> np.ndarray:
    """Label map (H, W) uint8 -> (H, W) uint8: 1 for the class, 0 for every other one, ignored pixels as they are.

    >>> class_against_rest(np.array([[0, 1, 2, 255]], np.uint8), 2)
    array([[  0,   0,   1, 255]], dtype=uint8)
    """
    table = np.zeros(256, np.uint8)
    table[class_id], table[ignore_index] = 1, ignore_index
    return table[label_map]


def histogram_of(plane: np.ndarray) -> np.ndarray:
    """(levels,) int64: how many pixels of quantised probabilities (H, W) uint8 or uint16 have each value."""
    return np.bincount(plane.ravel(), minlength=int(np.iinfo(plane.dtype).max) + 1)


class ThresholdHistogram:
    """Counts pixels by their label and their quantised probability, over any number of pictures.

    counts: (2, levels) int64; row 0 holds the pixels labelled background, row 1 those labelled as the class. Pixels
    labelled `ignore_index` do not count. values: (levels,) int64, all pixels, labelled or not. levels: 256 for uint8
    probabilities, 65536 for uint16. Histograms of parts of a data set are added with `+=`.

    >>> histogram = ThresholdHistogram()
    >>> histogram.update(np.array([[0, 1, 1]], np.uint8), np.array([[9, 200, 100]], np.uint8))
    >>> histogram.sweep().recall[[0, 100, 101, 201]]
    array([1. , 1. , 0.5, 0. ])
    """

    def __init__(self, levels: int = 256, ignore_index: int = IGNORE_INDEX) -> None:
        self.ignore_index = ignore_index
        self.counts = np.zeros((2, levels), np.int64)
        self.values = np.zeros(levels, np.int64)

    @property
    def full(self) -> int:
        """The level that stands for the probability 1."""
        return self.counts.shape[1] - 1

    def update(self, label_map: np.ndarray, plane: np.ndarray) -> None:
        """Add a picture: label map (H, W) uint8 of 0, 1 and ignore, and the quantised probability of class 1, (H, W).

        plane: uint8 or uint16, as many bits as `levels` stands for; `Segmentation.probabilities[0]`.
        """
        if np.iinfo(plane.dtype).max != self.full:
            raise ValueError(f"probabilities of {plane.dtype} do not have {self.full + 1} levels")
        for row in (0, 1):
            self.counts[row] += np.bincount(plane[label_map == row], minlength=self.full + 1)
        self.values += histogram_of(plane)

    def __iadd__(self, other: ThresholdHistogram) -> ThresholdHistogram:
        self.counts += other.counts
        self.values += other.values
        return self

    def sweep(self) -> Sweep:
        """The figures of every threshold, in time O(levels)."""
        # Predicted is what lies at the level or above.
        negatives, positives = np.cumsum(self.counts[:, ::-1], axis=1)[:, ::-1]
        return Sweep(positives, negatives, self.full)

    def calibration(self, bins: int = BINS) -> Calibration:
        """How often pixels of a probability are labelled as the class, in `bins` bins of equal width.

        Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 2: bin m is ((m - 1) / bins, m / bins],
        and 0 belongs to the first. The confidence is the probability of class 1, not that of the predicted class, so
        that nothing depends on the threshold and both kinds of error show.
        """
        levels = np.arange(self.full + 1)
        bin_of = np.maximum(-(-levels * bins // self.full) - 1, 0)  # exact, where a level lies between two bins
        pixels = self.counts.sum(axis=0)
        count = np.bincount(bin_of, pixels, bins)  # whole numbers, though of dtype float64
        return Calibration(
            count=count.astype(np.int64),
            confidence=_share(np.bincount(bin_of, pixels * levels, bins), count * self.full),
            frequency=_share(np.bincount(bin_of, self.counts[1], bins), count),
        )


@dataclass(frozen=True, eq=False)
class Sweep:
    """The figures of every level q, at which the pixels of level q and above are predicted as the class.

    true_positives, false_positives: (levels,) int64, pixels labelled as the class, or not, among the predicted ones.
    full: the level that stands for the probability 1. The figures are (levels,) float64, nan where they are 0 / 0.
    """

    true_positives: np.ndarray
    false_positives: np.ndarray
    full: int

    @property
    def positives(self) -> int:
        """Pixels labelled as the class."""
        return int(self.true_positives[0])

    @property
    def negatives(self) -> int:
        """Pixels labelled as background."""
        return int(self.false_positives[0])

    @property
    def precision(self) -> np.ndarray:
        """Share of the predicted pixels that are labelled as the class; nan where none is predicted."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> np.ndarray:
        """Share of the pixels labelled as the class that are predicted; nan where there are none."""
        return _share(self.true_positives, self.positives)

    @property
    def f1(self) -> np.ndarray:
        """Harmonic mean of precision and recall, 2 IoU / (1 + IoU), also known as Dice."""
        return _share(2 * self.true_positives, self.true_positives + self.false_positives + self.positives)

    @property
    def iou(self) -> np.ndarray:
        """Intersection over union of the class."""
        return _share(self.true_positives, self.false_positives + self.positives)

    @property
    def mean_iou(self) -> np.ndarray:
        """Mean of the IoU of class and background, of those that are labelled or predicted: as `eval` reports it."""
        missed = self.positives - self.true_positives
        background = _share(self.negatives - self.false_positives, self.negatives + missed)
        both = np.stack([self.iou, background])
        return _share(np.nansum(both, axis=0), np.isfinite(both).sum(axis=0))

    @property
    def accuracy(self) -> np.ndarray:
        """Share of the labelled pixels that are right."""
        return _share(self.true_positives + self.negatives - self.false_positives, self.positives + self.negatives)

    @property
    def predicted_share(self) -> np.ndarray:
        """Share of the labelled pixels that are predicted as the class."""
        return _share(self.true_positives + self.false_positives, self.positives + self.negatives)

    @property
    def thresholds(self) -> np.ndarray:
        """The probability from which on each level is predicted, before it is rounded as in `threshold_of`."""
        return np.maximum(np.arange(self.full + 1) - 0.5, 0) / self.full

    def figures(self, level: int) -> dict[str, float]:
        """Of one level, by name; what is nan is left out."""
        names = ("precision", "recall", "f1", "iou", "mean_iou", "accuracy", "predicted_share")
        found = {name: float(getattr(self, name)[level]) for name in names}
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def average_precision(self) -> float:
        """Sum of (R_n - R_n-1) P_n over the levels from the highest to the lowest; nan without pixels of the class.

        The definition of scikit-learn's `average_precision_score`, which does not interpolate.
        """
        if not self.positives:
            return float("nan")
        recall = np.append(self.recall, 0.0)
        # Where nothing is predicted yet, the recall is 0 and no step is taken.
        return float(np.sum((recall[:-1] - recall[1:]) * np.nan_to_num(self.precision)))

    def best_level(self, by: str = "f1") -> int | None:
        """The level with the highest `by` of `FIGURES`; None where no pixel is labelled as the class.

        F1 and IoU rise and fall together and choose the same level. Of levels that are equally good the middle one is
        taken, which is as far as can be from where it gets worse; of several such runs of levels the longest, and of
        equally long ones that whose middle is nearest to the probability 1/2. Raises `UserError` for an unknown `by`.
        """
        values: np.ndarray = look_up("figure", {name: getattr(self, name) for name in FIGURES}, by)
        if not self.positives:
            return None
        best = np.flatnonzero(values == np.nanmax(values))
        runs = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
        run = max(runs, key=lambda run: (len(run), -abs(int(run[0] + run[-1]) - self.full)))
        return int(run[0] + run[-1] + 1) // 2


@dataclass(frozen=True, eq=False)
class Calibration:
    """Bins of probability, (bins,) each: pixels (int64), mean probability, and the share labelled as the class.

    confidence and frequency are nan in a bin without pixels.
    """

    count: np.ndarray
    confidence: np.ndarray
    frequency: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: the mean over the pixels of |frequency - confidence| of their bin; 0 to 1.

        Equation 3 of Guo et al. 2017; nan without pixels.
        """
        total = int(self.count.sum())
        if not total:
            return float("nan")
        return float(np.nansum(np.abs(self.frequency - self.confidence) * self.count) / total)


def _share(part: np.ndarray | int, whole: np.ndarray | int) -> np.ndarray:
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
