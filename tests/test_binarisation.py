"""From probabilities to a mask: every step against SciPy's, pixel for pixel, and what is told of the mask."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from seg_demo.classes import ClassMap
from seg_demo.errors import UserError
from seg_demo.infer import binarisation
from seg_demo.infer.binarisation import Binarisation, MaskStatistics, class_plane
from seg_demo.infer.segmentation import Segmentation, threshold_level

EIGHT = ndimage.generate_binary_structure(2, 2)
FOUR = ndimage.generate_binary_structure(2, 1)


def expected_mask(plane: np.ndarray, asked: Binarisation) -> np.ndarray:
    """By SciPy, and by exact quotients instead of levels."""
    probability = plane / np.iinfo(plane.dtype).max
    mask = probability >= asked.threshold
    if asked.low is not None:
        mask = ndimage.binary_propagation(mask, EIGHT, mask=probability >= asked.low)
    mask &= ~of_size(mask, EIGHT, asked.smallest_object)
    holes = ndimage.binary_fill_holes(mask, FOUR) & ~mask
    return mask | of_size(holes, FOUR, asked.smallest_hole)


def of_size(mask: np.ndarray, structure: np.ndarray, below: int) -> np.ndarray:
    """The pieces with fewer pixels than `below`."""
    labels, count = ndimage.label(mask, structure)
    sizes = ndimage.sum_labels(mask, labels, np.arange(1, count + 1))
    return np.isin(labels, np.flatnonzero(sizes < below) + 1) & mask


def grey(text: str) -> np.ndarray:
    """Digits 0 to 9 as probabilities of 0, 1/9, ... 1."""
    return np.array([[int(digit) * 255 // 9 for digit in row] for row in text.split()], np.uint8)


def smooth(seed: int, dtype: type, shape: tuple[int, int] = (70, 61)) -> np.ndarray:
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    return np.rint(np.iinfo(dtype).max / (1 + np.exp(-4 * field / field.std()))).astype(dtype)


PLANES = {
    "blobs": smooth(0, np.uint8),
    "blobs of 16 bits": smooth(1, np.uint16),
    "noise": np.random.default_rng(2).integers(0, 256, (50, 57), np.uint8),
    "noise of 16 bits": np.random.default_rng(3).integers(0, 65536, (50, 57), np.uint16),
    "few levels": np.random.default_rng(4).choice(np.array([0, 100, 128, 200], np.uint8), (40, 45)),
    "empty": np.zeros((6, 8), np.uint8),
    "full": np.full((6, 8), 255, np.uint8),
    "a row": np.random.default_rng(5).integers(0, 256, (1, 60), np.uint8),
    "a column": np.random.default_rng(6).integers(0, 256, (60, 1), np.uint8),
    "one pixel": np.array([[128]], np.uint8),
    "an island in a hole in an object in a hole": grey(
        "00000000000 09999999990 09000000090 09099999090 09090009090 09090909090 09090009090 09099999090 09000000090 "
        "09999999990 00000000000"
    ),
    "a hole that leaves by a corner": grey("00000 09990 09099 09990 00990"),
    "gaps at the border": grey("90999 90909 99909 90999 99990"),
}
ASKED = [
    Binarisation(threshold, low, smallest_object, smallest_hole)
    for (threshold, low), smallest_object, smallest_hole in itertools.product(
        [(0.5, None), (0.7, 0.3), (1.0, 0.0)], [0, 2, 12], [0, 2, 9, 60]
    )
]


@pytest.mark.parametrize("name", PLANES)
def test_a_mask_is_that_of_scipy(name: str) -> None:
    plane = PLANES[name]
    before = plane.copy()
    for asked in ASKED:
        mask = asked.mask(plane)
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask, expected_mask(plane, asked), err_msg=str(asked))
    np.testing.assert_array_equal(plane, before)


@settings(deadline=None, max_examples=80)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.sampled_from([0, 80, 130, 250])),
    st.sampled_from(ASKED),
)
def test_a_mask_of_any_small_plane(plane: np.ndarray, asked: Binarisation) -> None:
    np.testing.assert_array_equal(asked.mask(plane), expected_mask(plane, asked))


def test_the_steps_by_hand() -> None:
    plane = grey("999006 909009 999000 000000 005005 000009")
    assert MaskStatistics.of(Binarisation().mask(plane)) == MaskStatistics(13, 13 / 36, 4, 8)
    # A hole of one pixel is filled from 2 on; the objects of one and two pixels go before that.
    filled = MaskStatistics.of(Binarisation(0.5, None, 3, 2).mask(plane))
    assert filled == MaskStatistics(9, 0.25, 1, 9)
    # Above 0.9, the 5 and the 6 are held by the 9 beside them, but the single 5 is not.
    held = Binarisation(0.9, 0.5).mask(plane)
    assert held[0, 5] and held[4, 5] and not held[4, 2]
    assert not Binarisation(0.9).mask(plane)[0, 5]


def test_objects_go_before_holes_are_filled() -> None:
    """A ring of 8 pixels would be 9 with its hole filled."""
    ring = grey("00000 09990 09090 09990 00000")
    assert not Binarisation(smallest_object=9, smallest_hole=2).mask(ring).any()
    assert Binarisation(smallest_object=8, smallest_hole=2).mask(ring).sum() == 9


@pytest.mark.parametrize("size", [0, 1])
def test_0_and_1_turn_a_step_off(size: int) -> None:
    for plane in PLANES.values():
        asked = Binarisation(0.5, None, size, size)
        np.testing.assert_array_equal(asked.mask(plane), Binarisation().mask(plane))


def test_the_mask_is_that_of_the_segmentation() -> None:
    classes = ClassMap.of("background", "cat")
    for name in ("blobs", "noise of 16 bits"):
        segmentation = Segmentation.from_probabilities(classes, PLANES[name][None], 0.37)
        mask = Binarisation(segmentation.threshold).mask(class_plane(segmentation, 1))
        np.testing.assert_array_equal(mask, segmentation.mask("cat"))


def test_the_plane_of_a_class() -> None:
    classes = ClassMap.of("background", "cat", "dog")
    planes = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    several = Segmentation(classes, "multiclass", planes[0], planes[0], planes, 0.5)
    np.testing.assert_array_equal(class_plane(several, 2), planes[2])
    with pytest.raises(ValueError, match="keep_probabilities=True"):
        class_plane(Segmentation(classes, "multiclass", planes[0], planes[0], None, 0.5), 2)
    with pytest.raises(ValueError, match="class 1, not of class 0"):
        class_plane(Segmentation.from_probabilities(ClassMap.of("a", "b"), planes[:1], 0.5), 0)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"threshold": 1.5}, "A threshold must be a probability from 0 to 1, not 1.5. Choose another one."),
        ({"threshold": math.nan}, "A threshold must be a probability from 0 to 1, not nan. Choose another one."),
        ({"low": -0.1}, "A threshold must be a probability from 0 to 1, not -0.1. Choose another one."),
        ({"low": 0.6}, "The lower threshold 0.6 is above the threshold 0.5. Lower it, or raise the other."),
        (
            {"smallest_object": -1},
            "The smallest object or hole must be a number of pixels from 0 on, not -1. With 0, all stay.",
        ),
        (
            {"smallest_hole": -3},
            "The smallest object or hole must be a number of pixels from 0 on, not -3. With 0, all stay.",
        ),
    ],
)
def test_what_cannot_be_asked_for(settings: dict, sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        Binarisation(**settings)
    assert str(raised.value) == sentence


def test_statistics() -> None:
    for plane in PLANES.values():
        mask = Binarisation().mask(plane)
        labels, count = ndimage.label(mask, EIGHT)
        largest = int(np.bincount(labels.ravel())[1:].max(initial=0))
        expected = MaskStatistics(int(mask.sum()), float(mask.mean()), count, largest)
        assert MaskStatistics.of(mask) == expected


@pytest.mark.parametrize("low", [None, 0.3])
def test_one_plane_has_all_masks_as_its_thresholds(low: float | None) -> None:
    plane = np.clip(ndimage.gaussian_filter(np.random.default_rng(5).normal(0, 900, (40, 55)), 2) + 128, 0, 255)
    plane = plane.astype(np.uint8)
    filters = Binarisation(1.0, low, smallest_object=12, smallest_hole=9)
    filtered = filters.filtered(plane)
    assert (filtered != plane).any()
    for level in range(1 if low is None else threshold_level(low), 256):
        assert np.array_equal(filtered >= level, replace(filters, threshold=level / 255).mask(plane)), level


def test_no_filters_leave_the_plane() -> None:
    plane = np.array([[0, 9, 255]], np.uint8)
    assert Binarisation().filtered(plane) is plane


def test_a_picture_with_too_many_pixels_for_all_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binarisation, "MOST_FILTERED", 5)
    plane = np.arange(6, dtype=np.uint8).reshape(2, 3)
    with pytest.raises(UserError, match=r"^The picture has 6 pixels, but a rule .* takes 5 at most\. Make it smaller"):
        Binarisation(0.5, smallest_object=2).filtered(plane)
    assert Binarisation(0.5).filtered(plane) is plane
