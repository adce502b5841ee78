"""The figures of one mask, and the threshold that a rule chooses for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from seg_demo.errors import UserError
from seg_demo.evaluate.automatic import Choice
from seg_demo.evaluate.mask import chosen_threshold, mask_figures
from seg_demo.infer.binarisation import Binarisation


def blobs(seed: int) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(0, 900, (48, 60)), 2) + 128
    return np.clip(noise, 0, 255).astype(np.uint8)


PLANE = blobs(1)
LABELS = (blobs(1).astype(int) + blobs(2) // 2 > 200).astype(np.uint8)
LABELS[:4] = 255


def test_figures_of_a_mask() -> None:
    told = mask_figures(np.array([[True, False, True]]), np.array([[1, 1, 0]], np.uint8))
    assert told == {
        "pixels": 2, "share": 2 / 3, "objects": 2, "largest": 1,
        "precision": 0.5, "recall": 0.5, "f1": 0.5, "iou": 1 / 3,
    }  # fmt: skip
    assert mask_figures(np.zeros((2, 2), bool), np.zeros((2, 2), np.uint8))["iou"] is None


@pytest.mark.parametrize("filters", [Binarisation(), Binarisation(0.9, 0.4, 30, 20)])
def test_rules_with_labels_measure_the_mask_as_it_is_in_the_end(filters: Binarisation) -> None:
    chosen = chosen_threshold(Choice.parse("best-f1"), PLANE, LABELS, filters)
    reached = mask_figures(replace(filters, threshold=chosen).mask(PLANE), LABELS)["f1"]
    lowest = filters.low or 0.0
    others = [level / 255 for level in range(1, 256) if level / 255 >= lowest]
    figures = [mask_figures(replace(filters, threshold=other).mask(PLANE), LABELS)["f1"] for other in others]
    assert reached == max(figure for figure in figures if figure is not None)

    chosen = chosen_threshold(Choice.parse("precision:0.7"), PLANE, LABELS, filters)
    reached = mask_figures(replace(filters, threshold=chosen).mask(PLANE), LABELS)["precision"]
    assert reached is not None and reached >= 0.7


def test_rules_without_labels_go_by_the_probabilities() -> None:
    assert chosen_threshold(Choice.parse("otsu"), PLANE, filters=Binarisation(1.0, None, 500)) == chosen_threshold(
        Choice.parse("otsu"), PLANE
    )


def test_it_is_never_below_the_lower_threshold() -> None:
    assert chosen_threshold(Choice.parse("keep:100"), PLANE, filters=Binarisation(1.0, 0.25)) == 0.25


def test_labels_are_asked_for() -> None:
    with pytest.raises(UserError, match="needs labels"):
        chosen_threshold(Choice.parse("best-f1"), PLANE)
