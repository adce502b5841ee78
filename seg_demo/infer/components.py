"""Connected pieces of a mask, found by NumPy alone: a mask as runs of pixels, and which runs touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Connectivity = Literal[4, 8]


def label_components(mask: np.ndarray, connectivity: Connectivity = 8) -> tuple[np.ndarray, int]:
    """Number the pieces of a mask (H, W) bool: (H, W) int32, 0 outside and 1..n in the order of first pixels, and n.

    connectivity: 8 for pixels that touch at sides or corners, 4 for sides alone.

    >>> label_components(np.array([[1, 0, 1], [0, 1, 0]], bool))
    (array([[1, 0, 1],
           [0, 1, 0]], dtype=int32), 1)
    """
    components = Components.of(mask, connectivity)
    return components.painted(np.arange(1, components.count + 1, dtype=np.int32)), components.count


@dataclass(frozen=True, eq=False)
class Components:
    """The pieces of a mask of `shape` (H, W), as runs of pixels that lie side by side in a row.

    starts, stops: (R,) int64, the first pixel of each run and the one behind its last, in rows of W + 1 pixels, the
    last of which is never in the mask, so that no run goes on in the next row. piece: (R,) int64, the number of each
    run's piece, 0 to `count` - 1, in the order of first pixels.
    """

    shape: tuple[int, int]
    starts: np.ndarray
    stops: np.ndarray
    piece: np.ndarray
    count: int

    @classmethod
    def of(cls, mask: np.ndarray, connectivity: Connectivity = 8) -> Components:
        """The pieces of a mask (H, W) bool."""
        height, width = mask.shape
        starts, stops = _runs(mask)
        # Runs of neighbouring rows touch where one, moved a row down, overlaps the other: all that do are neighbours in
        # the order of runs, from the first that stops late enough to the last that starts early enough.
        reach = 1 if connectivity == 8 else 0
        above = width + 1
        first = np.searchsorted(stops, starts - above - reach, side="right")
        behind = np.searchsorted(starts, stops - above + reach, side="left")
        touching = np.maximum(behind - first, 0)
        lower = np.repeat(np.arange(len(starts)), touching)
        upper = np.arange(len(lower)) - np.repeat(np.cumsum(touching) - touching - first, touching)
        piece, count = _joined(upper, lower, len(starts))
        return cls((height, width), starts, stops, piece, count)

    @property
    def sizes(self) -> np.ndarray:
        """(count,) int64: pixels of each piece."""
        # Weights make the sums float64, which is exact for whole numbers up to 2**53.
        return np.bincount(self.piece, self.stops - self.starts, self.count).astype(np.int64)

    def holding(self, pixels: np.ndarray) -> np.ndarray:
        """(count,) bool: which pieces hold one of `pixels`, an (H, W) bool mask."""
        before = np.concatenate([[0], np.cumsum(_in_rows(pixels), dtype=np.int64)])
        return self._any(before[self.stops] > before[self.starts])

    def on_border(self) -> np.ndarray:
        """(count,) bool: which pieces touch the border of the picture."""
        height, width = self.shape
        row, column = np.divmod(self.starts, width + 1)
        length = self.stops - self.starts
        return self._any((row == 0) | (row == height - 1) | (column == 0) | (column + length == width))

    def painted(self, values: np.ndarray) -> np.ndarray:
        """(H, W) of the dtype of `values`, which holds one per piece; 0 outside of the mask."""
        height, width = self.shape
        # Runs and the gaps before them by turns, and what is behind the last.
        lengths = np.diff(np.stack([self.starts, self.stops], axis=1).ravel(), prepend=0, append=height * (width + 1))
        runs = np.zeros(len(lengths), values.dtype)
        runs[1::2] = values[self.piece]
        return np.ascontiguousarray(np.repeat(runs, lengths).reshape(height, width + 1)[:, :width])

    def _any(self, of_run: np.ndarray) -> np.ndarray:
        found = np.zeros(self.count, bool)
        found[self.piece[of_run]] = True
        return found


def _in_rows(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool -> (H * (W + 1),): each row with one pixel behind it that is not in the mask."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 1), bool)
    padded[:, :-1] = mask
    return padded.ravel()


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where runs start, and where they stop, each (R,) int64."""
    flat = _in_rows(mask)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat[:1].any():  # it begins with a run, before which nothing changes
        changes = np.concatenate([[0], changes])
    return changes[::2], changes[1::2]


def _joined(upper: np.ndarray, lower: np.ndarray, count: int) -> tuple[np.ndarray, int]:
    """The components of a graph: the number of each node's, (count,) int64, in the order of first nodes, and how many.

    count: of nodes. upper, lower: (E,) the two nodes of each edge, upper < lower. As in Shiloach and Vishkin, "An
    O(log n) Parallel Connectivity Algorithm", Journal of Algorithms 3, 1982, in each round all trees are hooked to
    others at once and then made flat. They hook to those of lower numbers, or of higher ones where that takes in more
    of them: each tree that has an edge does one or the other, so that half of these or fewer are left after a round.
    """
    root = np.arange(count)
    while len(upper):
        downward = _distinct(upper, count) > _distinct(lower, count)
        hooked, to = (upper, lower) if downward else (lower, upper)
        root[hooked] = to  # of several edges, whichever is written last
        while True:
            next_root = root[root]
            if np.array_equal(next_root, root):
                break
            root = next_root
        one, other = root[upper], root[lower]
        apart = one != other
        one, other = one[apart], other[apart]
        upper, lower = np.minimum(one, other), np.maximum(one, other)
    # A tree's root need not be its first node.
    first = np.full(count, count)
    np.minimum.at(first, root, np.arange(count))
    is_first = first[root] == np.arange(count)
    number = np.cumsum(is_first) - 1
    return number[first[root]], int(np.count_nonzero(is_first))


def _distinct(nodes: np.ndarray, count: int) -> int:
    seen = np.zeros(count, bool)
    seen[nodes] = True
    return int(np.count_nonzero(seen))
