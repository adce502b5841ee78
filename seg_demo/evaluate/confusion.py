"""One cumulative confusion matrix, and the figures that follow from it."""

from __future__ import annotations

import numpy as np

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.images import shown_size
from seg_demo.errors import UserError

NAMES = ("The label map", "The prediction")


class ConfusionMatrix:
    """Counts pixels by labelled class (rows) and predicted class (columns), over any number of pictures.

    matrix: (C, C) int64. Pixels labelled `ignore_index` do not count. The matrices of several processes are added:
    `a + b`, or their `matrix`es summed. Figures of a class that cannot be formed, because nothing is there to divide
    by, are nan, and means leave them out. Where `ignore_index` is one of the class ids, so are all figures of that id.

    >>> confusion = ConfusionMatrix(2)
    >>> confusion.update(np.array([[0, 1]], np.uint8), np.array([[0, 0]], np.uint8))
    >>> confusion.iou()
    array([0.5, 0. ])
    """

    def __init__(self, num_classes: int, ignore_index: int = IGNORE_INDEX) -> None:
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.matrix = np.zeros((num_classes, num_classes), np.int64)

    def update(self, label_map: np.ndarray, predicted: np.ndarray, names: tuple[str, str] = NAMES) -> None:
        """Add a picture: both (H, W) class ids, uint8 or other integers; `predicted` holds no ignore.

        names: of the two, for messages. Raises `UserError`, and adds nothing, where the sizes differ, where a label
        is neither a class id nor `ignore_index`, and where the prediction of a labelled pixel is no class id.
        """
        self.matrix += count_pairs(label_map, predicted, self.num_classes, self.ignore_index, names)

    def __add__(self, other: ConfusionMatrix) -> ConfusionMatrix:
        if (self.num_classes, self.ignore_index) != (other.num_classes, other.ignore_index):
            raise ValueError("confusion matrices of different classes or ignore indices cannot be added")
        total = ConfusionMatrix(self.num_classes, self.ignore_index)
        total.matrix = self.matrix + other.matrix
        return total

    def labelled(self) -> np.ndarray:
        """(C,) int64: pixels of each class in the label maps."""
        return self.matrix.sum(axis=1)

    def predicted(self) -> np.ndarray:
        """(C,) int64: labelled pixels that are predicted as each class."""
        return self.matrix.sum(axis=0)

    def iou(self) -> np.ndarray:
        """(C,) float: intersection over union per class; nan where a class is neither labelled nor predicted."""
        return self._shares(self.labelled() + self.predicted() - self.matrix.diagonal())

    def precision(self) -> np.ndarray:
        """(C,) float: share of the pixels predicted as a class that are labelled so; nan where none is predicted."""
        return self._shares(self.predicted())

    def recall(self) -> np.ndarray:
        """(C,) float: share of the pixels labelled as a class that are predicted so; nan where none is labelled."""
        return self._shares(self.labelled())

    def f1(self) -> np.ndarray:
        """(C,) float: harmonic mean of precision and recall, which is the Dice coefficient; nan where `iou` is."""
        return 2 * self._shares(self.labelled() + self.predicted())

    def accuracy(self) -> float:
        """Share of the labelled pixels that are predicted right (acc); nan for an empty matrix."""
        total = int(self.matrix.sum())
        return float(self.matrix.trace() / total) if total else float("nan")

    def mean_accuracy(self) -> float:
        """Mean of `recall` over the classes that are labelled (acc_cls); nan for an empty matrix."""
        return mean_of_known(self.recall())

    def mean_iou(self) -> float:
        """Mean of `iou` over the classes that are labelled or predicted (mean_iu); nan for an empty matrix."""
        return mean_of_known(self.iou())

    def mean_dice(self) -> float:
        """Mean of `f1` over the classes that are labelled or predicted; nan for an empty matrix."""
        return mean_of_known(self.f1())

    def frequency_weighted_iou(self) -> float:
        """Mean of `iou`, weighted by the labelled pixels of the classes (fwavacc); nan for an empty matrix.

        The four figures with short names are those of Long, Shelhamer and Darrell, "Fully Convolutional Networks for
        Semantic Segmentation", CVPR 2015, section 5.
        """
        labelled = self.labelled()
        there = labelled > 0
        return float(np.average(self.iou()[there], weights=labelled[there])) if there.any() else float("nan")

    def _shares(self, of: np.ndarray) -> np.ndarray:
        known = of > 0
        if 0 <= self.ignore_index < self.num_classes:  # may be predicted, but nobody asks how well
            known[self.ignore_index] = False
        return np.divide(self.matrix.diagonal(), of, out=np.full(self.num_classes, np.nan), where=known)


def mean_of_known(values: np.ndarray) -> float:
    """Mean of what is not nan; nan where nothing is left."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def count_pairs(
    label_map: np.ndarray, predicted: np.ndarray, num_classes: int, ignore_index: int, names: tuple[str, str] = NAMES
) -> np.ndarray:
    """(C, C) int64: how many pixels have each pair of labelled and predicted class. As `ConfusionMatrix.update`."""
    if label_map.shape != predicted.shape:
        raise UserError(
            "{predicted} has {size} pixels, but {labelled} has {expected}. "
            "Predict at the picture's own size, or scale the class ids back with nearest neighbour.",
            predicted=names[1], size=shown_size(predicted.shape),
            labelled=names[0], expected=shown_size(label_map.shape),
        )  # fmt: skip
    for array, name in zip((label_map, predicted), names, strict=True):
        if array.dtype != np.uint8 and array.size:  # anything above 255 would be cut off below
            for value in (int(array.max()), int(array.min())):
                if not 0 <= value < 256:
                    raise _no_class(name, value, int((array == value).sum()), num_classes, ignore_index)
    pairs = joint_histogram(label_map.astype(np.uint8, copy=False), predicted.astype(np.uint8, copy=False))
    pairs[np.arange(256) == ignore_index] = 0
    for counts, name in ((pairs.sum(axis=1), names[0]), (pairs.sum(axis=0), names[1])):
        if counts[num_classes:].any():
            value = num_classes + int(counts[num_classes:].argmax())
            raise _no_class(name, value, int(counts[value]), num_classes, ignore_index)
    return pairs[:num_classes, :num_classes]


def _no_class(name: str, value: int, count: int, num_classes: int, ignore_index: int) -> UserError:
    return UserError(
        "{file} holds the value {value} in {count} pixels that count, but there are {classes} classes (0 to {last}; "
        "pixels labelled {ignore} are ignored). Set the number of classes or the ignore index right, or mend the file.",
        file=name, value=value, count=count, classes=num_classes, last=num_classes - 1, ignore=ignore_index,
    )  # fmt: skip


def joint_histogram(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(256, 256) int64 from two uint8 arrays of one shape: how often each pair of values occurs.

    All 65536 pairs have a bin, so that no value needs to be looked at before it is counted. Label maps are mostly
    areas of one class: where neither array changes, a whole run of pixels is counted at once.
    """
    rows, columns = rows.ravel(), columns.ravel()
    size = rows.size
    if not size:
        return np.zeros((256, 256), np.int64)
    is_end = np.zeros(-(-size // 8) * 8, bool)  # in whole words of eight, for below
    np.not_equal(rows[1:], rows[:-1], out=is_end[: size - 1])
    is_end[: size - 1] |= columns[1:] != columns[:-1]
    is_end[size - 1] = True
    lengths = None
    if np.count_nonzero(is_end) < size / 8:  # in noise, the runs would cost more than the pixels
        ends = _places(is_end)
        lengths = np.diff(ends, prepend=-1)
        rows, columns = rows[ends], columns[ends]
    cells = rows.astype(np.uint16)
    cells <<= 8
    cells |= columns
    # Weights make the counts float64, which is exact for whole numbers up to 2**53.
    return np.bincount(cells, lengths, 65536).astype(np.int64).reshape(256, 256)


def _places(flags: np.ndarray) -> np.ndarray:
    """`np.flatnonzero` of (8 n,) bool, quicker where few hold: words of eight without any are passed over at once."""
    words = np.flatnonzero(flags.view(np.uint64) != 0)
    places = np.flatnonzero(flags.reshape(-1, 8)[words])
    return words[places >> 3] * 8 + (places & 7)
