"""Connected pieces: pixel for pixel those of SciPy, numbered alike."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from seg_demo.infer.components import Components, Connectivity, label_components

NEIGHBOURS = {4: ndimage.generate_binary_structure(2, 1), 8: ndimage.generate_binary_structure(2, 2)}


def drawn(text: str) -> np.ndarray:
    """A mask from rows of "#" and "."."""
    return np.array([[character == "#" for character in row] for row in text.split()])


def spiral(side: int) -> np.ndarray:
    """One line, a pixel wide, from a corner to the middle, with a pixel between its turns."""
    mask = np.zeros((side, side), bool)
    place, step = np.array([0, 0]), np.array([0, 1])
    mask[0, 0] = True
    for _ in range(2 * side):
        ahead = place + 2 * step
        while not ((place + step < 0) | (place + step >= side)).any() and not mask[tuple(ahead.clip(0, side - 1))]:
            place, ahead = place + step, ahead + step
            mask[tuple(place)] = True
        step = np.array([step[1], -step[0]])
    return mask


def comb(side: int) -> np.ndarray:
    """Teeth that only their last row joins, and combs within: pieces that are found to be one late."""
    mask = np.zeros((side, side), bool)
    mask[:, ::2] = True
    for row in range(side - 1, 0, -3):
        mask[row, : row + 1] = True
    return mask


def blobs(seed: int, shape: tuple[int, int] = (90, 70), width: float = 2.5) -> np.ndarray:
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), width) > 0


def noise(share: float, shape: tuple[int, int] = (60, 83)) -> np.ndarray:
    return np.random.default_rng(int(100 * share)).random(shape) < share


MASKS = {
    "empty": np.zeros((5, 7), bool),
    "full": np.ones((5, 7), bool),
    "one pixel": np.ones((1, 1), bool),
    "no pixel": np.zeros((1, 1), bool),
    "a row": drawn("##.#..###.#"),
    "a column": drawn("##.#..###.#").T,
    "diagonals": drawn("#.#. .#.# #.#. ...#"),
    "corner to corner": drawn("##.. ##.. ..## ..##"),
    "last pixel and first of the next row": drawn("...# #... ...# #..."),
    "rings": drawn("####### #.....# #.###.# #.#.#.# #.###.# #.....# #######"),
    "u": drawn("#.#.# #.#.# ###.# ..#.# ..###"),
    "spiral": spiral(41),
    "spiral turned": spiral(41)[::-1].T.copy(),
    "comb": comb(40),
    "comb upside down": comb(40)[::-1],
    "checks": np.indices((21, 22)).sum(axis=0) % 2 == 0,
    **{f"blobs {seed}": blobs(seed) for seed in range(3)},
    **{f"noise {share}": noise(share) for share in (0.1, 0.4, 0.41, 0.5, 0.6, 0.9)},
}


def check(mask: np.ndarray, connectivity: Connectivity) -> None:
    labels, count = label_components(mask, connectivity)
    expected, expected_count = ndimage.label(mask, NEIGHBOURS[connectivity])
    assert labels.dtype == np.int32
    assert count == expected_count
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("name", MASKS)
def test_pieces_are_those_of_scipy(name: str, connectivity: Connectivity) -> None:
    check(MASKS[name], connectivity)


@settings(deadline=None, max_examples=150)
@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.sampled_from([4, 8]))
def test_pieces_of_any_small_mask(mask: np.ndarray, connectivity: Connectivity) -> None:
    check(mask, connectivity)


def test_the_drawn_masks_are_what_they_are_called() -> None:
    for name in ("spiral", "spiral turned"):
        assert ndimage.label(MASKS[name])[1] == 1
        assert MASKS[name].sum() > 800
        assert ndimage.label(~MASKS[name])[1] == 1
    assert [ndimage.label(MASKS["rings"], NEIGHBOURS[each])[1] for each in (4, 8)] == [2, 2]
    assert [ndimage.label(MASKS["corner to corner"], NEIGHBOURS[each])[1] for each in (4, 8)] == [2, 1]


@pytest.mark.parametrize("name", MASKS)
def test_sizes_and_what_pieces_hold(name: str) -> None:
    mask = MASKS[name]
    labels, count = ndimage.label(mask, NEIGHBOURS[8])
    components = Components.of(mask)
    assert components.sizes.tolist() == np.bincount(labels.ravel(), minlength=count + 1)[1:].tolist()
    marks = np.random.default_rng(1).random(mask.shape) < 0.05
    held = np.isin(np.arange(1, count + 1), labels[marks])
    np.testing.assert_array_equal(components.holding(marks), held)
    frame = np.ones(mask.shape, bool)
    frame[1:-1, 1:-1] = False
    np.testing.assert_array_equal(components.on_border(), np.isin(np.arange(1, count + 1), labels[frame]))
    np.testing.assert_array_equal(components.painted(held), np.isin(labels, np.flatnonzero(held) + 1))


def test_a_large_mask_is_quick() -> None:
    """What a picture's probabilities give takes milliseconds; here with room for a busy machine."""
    mask = blobs(7, (1024, 1024), 8)
    label_components(mask)
    began = time.perf_counter()
    label_components(mask)
    assert time.perf_counter() - began < 0.3
