"""From quantised probabilities to a mask: threshold or hysteresis, then small objects and small holes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from seg_demo.errors import UserError, shorten
from seg_demo.infer.components import Components
from seg_demo.infer.segmentation import Segmentation, threshold_level

MOST_FILTERED = 8_000_000  # pixels; each level takes the time of a mask


def class_plane(segmentation: Segmentation, class_id: int) -> np.ndarray:
    """The quantised probability of a class, (H, W) uint8 or uint16.

    class_id: 1 for the task "binary"; any for "multiclass", whose predictor must keep all probabilities, or those of
    this class alone. Raises `ValueError` where they are not there.
    """
    if segmentation.task == "binary" and class_id != 1:
        raise ValueError(f"the task binary has the probabilities of class 1, not of class {class_id}")
    if segmentation.probabilities is None:
        raise ValueError("the prediction has no probabilities: make its Predictor with keep_probabilities=True")
    return segmentation.probabilities[0 if len(segmentation.probabilities) == 1 else class_id]


@dataclass(frozen=True)
class Binarisation:
    """How a plane of probabilities becomes a mask, in this order.

    1. threshold: the probability from which on a pixel is in the mask. low: with it, the mask is made of the objects of
       this lower threshold that hold a pixel at `threshold` or above (hysteresis; Canny, "A Computational Approach to
       Edge Detection", 1986).
    2. smallest_object: objects with fewer pixels are taken out. An object is 8-connected.
    3. smallest_hole: holes with fewer pixels are filled. A hole is a 4-connected piece of what is not in the mask and
       does not touch the border of the picture.

    With 0 or 1, steps 2 and 3 change nothing. Raises `UserError` for what is out of range.

    >>> Binarisation(0.5, smallest_object=2).mask(np.array([[200, 0, 200, 128]], np.uint8))
    array([[False, False,  True,  True]])
    """

    threshold: float = 0.5
    low: float | None = None
    smallest_object: int = 0
    smallest_hole: int = 0

    def __post_init__(self) -> None:
        for probability in (self.threshold, self.threshold if self.low is None else self.low):
            if not 0 <= probability <= 1:  # neither is nan
                raise UserError(
                    "A threshold must be a probability from 0 to 1, not {value}. Choose another one.",
                    value=shorten(probability),
                )
        if self.low is not None and self.low > self.threshold:
            raise UserError(
                "The lower threshold {low:g} is above the threshold {threshold:g}. Lower it, or raise the other.",
                low=self.low, threshold=self.threshold,
            )  # fmt: skip
        for pixels in (self.smallest_object, self.smallest_hole):
            if pixels < 0:
                raise UserError(
                    "The smallest object or hole must be a number of pixels from 0 on, not {value}. With 0, all stay.",
                    value=shorten(pixels),
                )

    def filtered(self, plane: np.ndarray) -> np.ndarray:
        """The plane whose thresholds are the masks: at each level q from that of `low` on, `filtered >= q` is the mask.

        All three steps are increasing and commute with thresholding, so there is one. (H, W) of the plane's dtype.
        """
        if self.low is None and self.smallest_object <= 1 and self.smallest_hole <= 1:
            return plane
        if plane.size > MOST_FILTERED:
            raise UserError(
                "The picture has {pixels} pixels, but a rule that measures masks with filters takes {most} at most. "
                "Make it smaller, or leave out the filters.",
                pixels=plane.size, most=MOST_FILTERED,
            )  # fmt: skip
        full = np.iinfo(plane.dtype).max
        lowest = 1 if self.low is None else max(1, threshold_level(self.low, full))
        found = np.zeros_like(plane)
        levels = np.unique(plane)  # at all others the mask is that of the next higher one
        for level in levels[levels >= lowest]:
            found[replace(self, threshold=max(level / full, self.low or 0.0)).mask(plane)] = level
        return found

    def mask(self, plane: np.ndarray) -> np.ndarray:
        """(H, W) bool, from quantised probabilities (H, W) uint8 or uint16."""
        full = np.iinfo(plane.dtype).max
        high = plane >= threshold_level(self.threshold, full)
        mask = high if self.low is None else plane >= threshold_level(self.low, full)
        if self.low is not None or self.smallest_object > 1:
            objects = Components.of(mask)
            kept = objects.sizes >= self.smallest_object
            mask = objects.painted(kept if self.low is None else kept & objects.holding(high))
        if self.smallest_hole > 1:
            gaps = Components.of(~mask, connectivity=4)
            mask |= gaps.painted((gaps.sizes < self.smallest_hole) & ~gaps.on_border())
        return mask


@dataclass(frozen=True)
class MaskStatistics:
    """What is in a mask. pixels: how many. share: of the picture, 0 to 1. objects: 8-connected pieces. largest: pixels
    of the largest of these; 0 where there is none.
    """

    pixels: int
    share: float
    objects: int
    largest: int

    @classmethod
    def of(cls, mask: np.ndarray) -> MaskStatistics:
        """Of a mask (H, W) bool.

        >>> MaskStatistics.of(np.array([[1, 0, 1, 1]], bool))
        MaskStatistics(pixels=3, share=0.75, objects=2, largest=2)
        """
        sizes = Components.of(mask).sizes
        pixels = int(sizes.sum())
        return cls(pixels, pixels / mask.size, len(sizes), int(sizes.max(initial=0)))
