"""The browser's filters and hysteresis on a whole plane equal SciPy's on the mask of every single level."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

SOURCE = Path(__file__).resolve().parent.parent / "seg_demo/ui/lab/components.js"
EIGHT = np.ones((3, 3), bool)
FILTERS: list[dict[str, int | None]] = [
    {},
    {"low": None, "smallestObject": 1, "smallestHole": 1},
    {"smallestObject": 2},
    {"smallestObject": 7},
    {"smallestHole": 2},
    {"smallestHole": 9},
    {"smallestObject": 5, "smallestHole": 12},
    {"smallestObject": 10**9, "smallestHole": 10**9},
    {"smallestHole": 2**33},
    {"low": 0},
    {"low": 90},
    {"low": 255, "smallestObject": 3},
    {"low": 60, "smallestObject": 6, "smallestHole": 8},
    {"low": 1, "smallestObject": 30, "smallestHole": 10**9},
]
RUN = """([plane, width, height, filters]) => {
    const values = Uint8Array.from(atob(plane), (letter) => letter.charCodeAt(0));
    const planes = filters.map((filter) => Array.from(effectivePlane(values, width, height, filter)));
    const { objects, largest } = objectSweep(values, width, height);
    return { planes, objects: Array.from(objects), largest: Array.from(largest), values: Array.from(values) };
}"""


def blobs(rng: np.random.Generator) -> np.ndarray:
    field = ndimage.gaussian_filter(rng.standard_normal((24, 30)), 2)
    return np.round(255 / (1 + np.exp(-8 * field / field.std()))).astype(np.uint8)  # flat at 0 and 255


def rings(side: int, inset: int) -> np.ndarray:
    """(side, side) uint8: squares within squares, `inset` pixels away from the border, with one gap on a diagonal."""
    plane = np.zeros((side, side), np.uint8)
    for i, value in enumerate((200, 50, 140, 255, 30, 180)):
        start = inset + i
        plane[start : side - start, start : side - start] = value
    plane[inset + 2, inset + 2] = 0
    return plane


def planes() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {
        "blobs": blobs(rng),
        "noise": rng.integers(0, 256, (19, 23), dtype=np.uint8),
        "noise in blobs": np.where(rng.random((24, 30)) < 0.1, rng.integers(0, 256, (24, 30)), blobs(rng)),
        "few levels": rng.choice(np.array([0, 1, 128, 254, 255], np.uint8), (20, 17)),
        "plateaus": np.kron(rng.integers(0, 256, (5, 6)), np.ones((4, 3), int)),
        "two values": np.where(rng.random((18, 18)) < 0.45, 255, 0),
        "row": rng.integers(0, 256, (1, 40)),
        "column": rng.integers(0, 256, (40, 1)),
        "one pixel": np.array([[77]]),
        "all 0": np.zeros((4, 5)),
        "all 255": np.full((4, 5), 255),
        "rings": rings(16, 1),
        "rings at the border": rings(13, 0),
    }


PLANES = {name: plane.astype(np.uint8) for name, plane in planes().items()}


def expected_mask(plane: np.ndarray, level: int, low: int | None, smallest_object: int, smallest_hole: int) -> Any:
    """(H, W) bool: threshold or hysteresis, small objects away, small holes away, one after the other."""
    pieces, _ = ndimage.label(plane >= (level if low is None else low), EIGHT)
    keep = np.zeros(pieces.max() + 1, bool)
    keep[pieces[plane >= level]] = True
    keep &= np.bincount(pieces.ravel(), minlength=len(keep)) >= smallest_object
    keep[0] = False
    mask = keep[pieces]
    outside, _ = ndimage.label(~mask)  # 4-connected
    fill = np.bincount(outside.ravel()) < smallest_hole
    for line in (outside[0], outside[-1], outside[:, 0], outside[:, -1]):
        fill[line] = False
    fill[0] = False
    return mask | fill[outside]


@pytest.fixture(scope="module")
def measured(browser: Any) -> Iterator[Callable[[np.ndarray], dict]]:
    page = browser.new_page()
    page.goto("about:blank")
    page.add_script_tag(content=SOURCE.read_text(encoding="utf-8"))

    def run(plane: np.ndarray) -> dict:
        height, width = plane.shape
        return page.evaluate(RUN, [base64.b64encode(plane.tobytes()).decode(), width, height, FILTERS])

    yield run
    page.close()


@pytest.mark.parametrize("name", PLANES)
def test_one_plane_holds_the_masks_of_all_levels(name: str, measured: Callable[[np.ndarray], dict]) -> None:
    plane = PLANES[name]
    found = measured(plane)
    for options, values in zip(FILTERS, found["planes"], strict=True):
        effective = np.array(values, np.uint8).reshape(plane.shape)
        low = options.get("low")
        sizes = [options.get(size) or 0 for size in ("smallestObject", "smallestHole")]
        for level in range(1, 256):
            wanted = expected_mask(plane, max(level, low or 0), low, *sizes)
            np.testing.assert_array_equal(effective >= level, wanted, f"{name}, {options}, level {level}")
    np.testing.assert_array_equal(np.array(found["values"]), plane.ravel(), "the plane that came in was changed")


@pytest.mark.parametrize("name", PLANES)
def test_the_sweep_counts_the_objects_of_every_level(name: str, measured: Callable[[np.ndarray], dict]) -> None:
    plane = PLANES[name]
    found = measured(plane)
    for level in range(256):
        pieces, count = ndimage.label(plane >= level, EIGHT)
        largest = np.bincount(pieces.ravel())[1:].max(initial=0)
        assert (found["objects"][level], found["largest"][level]) == (count, largest), f"{name}, level {level}"


def test_the_planes_hold_what_the_filters_are_for() -> None:
    """Guards the tests above: where nothing is small and nothing is enclosed, they would prove nothing."""
    for name in ("noise", "noise in blobs", "few levels", "two values"):
        plane = PLANES[name]
        plain = [expected_mask(plane, level, None, 0, 0) for level in range(1, 256)]
        for sizes in ((7, 0), (0, 9)):
            filtered = [expected_mask(plane, level, None, *sizes) for level in range(1, 256)]
            assert not np.array_equal(plain, filtered), f"{name}, {sizes}"
