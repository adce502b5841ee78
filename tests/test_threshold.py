"""The threshold analysis: every figure against a plain count for each threshold, and against other implementations."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seg_demo.errors import UserError
from seg_demo.evaluate.confusion import ConfusionMatrix
from seg_demo.evaluate.threshold import (
    FIGURES,
    ThresholdHistogram,
    class_against_rest,
    measure_thresholds,
    threshold_of,
)
from seg_demo.infer.segmentation import threshold_level

pixels = st.integers(1, 40).flatmap(
    lambda count: st.tuples(
        arrays(np.uint8, count, elements=st.sampled_from([0, 0, 1, 1, 255])),
        arrays(np.uint8, count, elements=st.integers(0, 255)),
    )
)


def histogram(label_map: np.ndarray, plane: np.ndarray) -> ThresholdHistogram:
    counted = ThresholdHistogram(int(np.iinfo(plane.dtype).max) + 1)
    counted.update(label_map, plane)
    return counted


def noisy(seed: int, count: int = 4000, dtype: type = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    """Labels, some of them ignored, and probabilities that know something of them and are badly calibrated."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(np.array([0, 1, 255], np.uint8), count, p=[0.6, 0.3, 0.1])
    exact = np.clip(generator.normal(0.35 + 0.3 * (labels == 1), 0.2), 0, 1)
    return labels, np.rint(exact * np.iinfo(dtype).max).astype(dtype)


def ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


@settings(deadline=None, max_examples=60)
@given(pixels)
def test_every_level_against_plain_counts(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    label_map, plane = drawn
    sweep = histogram(label_map, plane).sweep()
    pairs = [(label, level) for label, level in zip(label_map.tolist(), plane.tolist(), strict=True) if label != 255]
    for level in range(256):
        hit = sum(label == 1 and value >= level for label, value in pairs)
        wrong = sum(label == 0 and value >= level for label, value in pairs)
        missed = sum(label == 1 and value < level for label, value in pairs)
        right = sum(label == 0 and value < level for label, value in pairs)
        expected = {
            "precision": ratio(hit, hit + wrong), "recall": ratio(hit, hit + missed),
            "f1": ratio(2 * hit, 2 * hit + wrong + missed), "iou": ratio(hit, hit + wrong + missed),
            "accuracy": ratio(hit + right, len(pairs)), "predicted_share": ratio(hit + wrong, len(pairs)),
        }  # fmt: skip
        for name, value in expected.items():
            assert float(getattr(sweep, name)[level]) == pytest.approx(value, nan_ok=True), name
        there = {name for name, value in expected.items() if not math.isnan(value)}
        assert set(sweep.figures(level)) - {"mean_iou"} == there


@pytest.mark.parametrize("level", [0, 1, 60, 128, 200, 255])
def test_a_level_gives_the_figures_of_the_confusion_matrix(level: int) -> None:
    label_map, plane = noisy(1)
    confusion = ConfusionMatrix(2)
    confusion.update(label_map, (plane >= level).astype(np.uint8))
    figures = histogram(label_map, plane).sweep().figures(level)
    assert figures["mean_iou"] == pytest.approx(confusion.mean_iou(), rel=1e-12)
    assert figures["iou"] == pytest.approx(confusion.iou()[1], rel=1e-12)
    assert figures["accuracy"] == pytest.approx(confusion.accuracy(), rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(pixels)
def test_average_precision_is_its_definition(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    """Over the distinct probabilities as thresholds, from the highest on, with exact fractions."""
    label_map, plane = drawn
    labelled = label_map != 255
    labels, scores = label_map[labelled].astype(int), plane[labelled].astype(int)
    found = histogram(label_map, plane).sweep().average_precision()
    if not labels.sum():
        assert math.isnan(found)
        return
    total, recall = Fraction(0), Fraction(0)
    for threshold in sorted(set(scores.tolist()), reverse=True):
        predicted = scores >= threshold
        hit = int(labels[predicted].sum())
        total += (Fraction(hit, int(labels.sum())) - recall) * Fraction(hit, int(predicted.sum()))
        recall = Fraction(hit, int(labels.sum()))
    assert found == pytest.approx(float(total), abs=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("seed", range(3))
def test_average_precision_and_calibration_of_torchmetrics(seed: int, dtype: type) -> None:
    torch = pytest.importorskip("torch")
    classification = pytest.importorskip("torchmetrics.classification")
    label_map, plane = noisy(seed, dtype=dtype)
    full = int(np.iinfo(dtype).max)
    between = plane % (full // 15) == 0  # a level between two bins: the upper one there, the lower one here
    plane = np.where(between, np.where(plane < full, plane + 1, full - 1), plane).astype(dtype)
    labelled = label_map != 255
    exact = torch.from_numpy(plane[labelled].astype(np.float64) / full)
    labels = torch.from_numpy(label_map[labelled].astype(np.int64))
    counted = histogram(label_map, plane)
    expected = float(classification.BinaryAveragePrecision()(exact, labels))
    assert counted.sweep().average_precision() == pytest.approx(expected, abs=1e-5)
    expected = float(classification.BinaryCalibrationError(n_bins=15, norm="l1")(exact, labels))
    assert counted.calibration().error == pytest.approx(expected, abs=1e-5)


@settings(deadline=None, max_examples=40)
@given(pixels, st.sampled_from([1, 3, 10, 15, 255, 300]))
def test_calibration_is_its_definition(drawn: tuple[np.ndarray, np.ndarray], bins: int) -> None:
    label_map, plane = drawn
    pairs = [(label, level) for label, level in zip(label_map.tolist(), plane.tolist(), strict=True) if label != 255]
    found = histogram(label_map, plane).calibration(bins)
    error = 0.0
    for number in range(bins):
        low, high = Fraction(number, bins), Fraction(number + 1, bins)
        inside = [
            (label, Fraction(level, 255))
            for label, level in pairs
            if low < Fraction(level, 255) <= high or (level == 0 and number == 0)
        ]
        assert found.count[number] == len(inside)
        confidence = float(sum(value for _, value in inside) / len(inside)) if inside else math.nan
        frequency = ratio(sum(label for label, _ in inside), len(inside))
        assert found.confidence[number] == pytest.approx(confidence, nan_ok=True)
        assert found.frequency[number] == pytest.approx(frequency, nan_ok=True)
        if inside:
            error += abs(confidence - frequency) * len(inside) / len(pairs)
    assert found.error == pytest.approx(error if pairs else math.nan, nan_ok=True)


@pytest.mark.parametrize(
    ("background", "foreground", "level"),
    [
        ([0], [255], 128),  # every level from 1 on is perfect
        ([0, 10], [11, 255], 11),
        ([100], [103], 102),  # 101 to 103
        ([100], [102], 102),  # 101 and 102: the upper one
        ([], [200], 100),  # 0 to 200
        ([100], [100], 50),  # 0 to 100, where nothing can be told apart
        ([30, 200], [20, 60, 210], 10),  # F1 6/8 from 0 to 20, 4/6 from 31 to 60
        ([0, 120, 120, 120], [20, 255, 255], 188),  # 4/5 from 121 to 255
        ([20] * 2, [10, 30, 30], 26),
    ],
)
def test_the_best_level_is_the_middle_of_the_best_ones(background: list, foreground: list, level: int) -> None:
    labels = np.array([0] * len(background) + [1] * len(foreground), np.uint8)
    sweep = histogram(labels, np.array([*background, *foreground], np.uint8)).sweep()
    assert sweep.best_level() == level


def test_of_several_best_runs_the_longest_is_taken() -> None:
    # IoU 1/2 from 0 to 90 (two of four) and from 121 to 130 (one of two), which is nearer to the middle.
    labels = np.array([1, 1, 0, 0], np.uint8)
    sweep = histogram(labels, np.array([90, 130, 100, 120], np.uint8)).sweep()
    assert np.flatnonzero(sweep.iou == 0.5).tolist() == [*range(91), *range(121, 131)]
    assert sweep.best_level("iou") == 45


def test_of_equally_long_runs_the_one_nearest_to_one_half_is_taken() -> None:
    # Accuracy 3/4 from 11 to 20, 1/2 from 21 to 60, 3/4 from 61 to 70.
    labels = np.array([0, 1, 0, 1], np.uint8)
    sweep = histogram(labels, np.array([10, 20, 60, 70], np.uint8)).sweep()
    assert np.flatnonzero(sweep.accuracy == 0.75).tolist() == [*range(11, 21), *range(61, 71)]
    assert sweep.best_level("accuracy") == 66


@settings(deadline=None, max_examples=60)
@given(pixels)
def test_no_level_is_better_than_the_best(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    sweep = histogram(*drawn).sweep()
    for by in FIGURES:
        level = sweep.best_level(by)
        if level is None:
            assert 1 not in drawn[0]
        else:
            assert getattr(sweep, by)[level] == np.nanmax(getattr(sweep, by))
    assert sweep.best_level("f1") == sweep.best_level("iou")


def test_an_unknown_figure() -> None:
    with pytest.raises(UserError, match=r'There is no figure "f2"\. Known: f1, iou, mean_iou'):
        histogram(*noisy(0)).sweep().best_level("f2")


@pytest.mark.parametrize("full", [255, 65535])
def test_a_threshold_goes_back_to_its_level(full: int) -> None:
    for level in range(full + 1):
        assert threshold_level(threshold_of(level, full), full) == level
    exact = histogram(np.zeros(1, np.uint8), np.zeros(1, np.uint8)).sweep().thresholds
    assert exact == pytest.approx([threshold_of(level) for level in range(256)], abs=5e-5)


def test_histograms_of_parts_add_up() -> None:
    label_map, plane = noisy(4)
    together = histogram(label_map[:1000], plane[:1000])
    together += histogram(label_map[1000:], plane[1000:])
    assert np.array_equal(together.counts, histogram(label_map, plane).counts)
    assert np.array_equal(together.values, np.bincount(plane, minlength=256))
    assert together.values.sum() == 4000, "unlabelled pixels have values, too"
    assert together.counts.sum() == (label_map != 255).sum()
    assert together.counts.dtype == np.int64


@pytest.mark.parametrize(("class_id", "depth"), [(0, 8), (1, 8), (2, 16)])
def test_a_class_of_several_over_a_data_set(class_id: int, depth: int, tiny_species_checkpoint: Path) -> None:
    """Against a plain count of each picture's plane."""
    from seg_demo.checkpoint import load_checkpoint
    from seg_demo.data.procedural import ProceduralNewts
    from seg_demo.infer.predictor import Predictor

    samples = ProceduralNewts(2, longest=64)
    predict = Predictor(load_checkpoint(tiny_species_checkpoint), "cpu", depth=depth, keep_probabilities=True)
    told: list[tuple[int, int]] = []
    measured = measure_thresholds(predict, samples, class_id, lambda *done: told.append(done))
    assert told == [(1, 2), (2, 2)]
    assert measured.full == 2**depth - 1
    expected = np.zeros((2, 2**depth), np.int64)
    for _, image, label_map in samples:
        planes = predict(image).probabilities
        assert planes is not None
        for row in (0, 1):
            expected[row] += np.bincount(planes[class_id][(label_map == class_id) == row], minlength=2**depth)
    np.testing.assert_array_equal(measured.counts, expected)
    assert expected[1].sum() > 0


def test_a_binary_checkpoint_over_a_data_set(tiny_checkpoint: Path) -> None:
    from seg_demo.checkpoint import load_checkpoint
    from seg_demo.data.procedural import ProceduralNewts
    from seg_demo.infer.predictor import Predictor

    samples = ProceduralNewts(2, longest=64, species=False)
    predict = Predictor(load_checkpoint(tiny_checkpoint), "cpu")
    expected = ThresholdHistogram()
    for _, image, label_map in samples:
        planes = predict(image).probabilities
        assert planes is not None
        expected.update(label_map, planes[0])
    np.testing.assert_array_equal(measure_thresholds(predict, samples).counts, expected.counts)


def test_a_class_against_the_rest() -> None:
    label_map = np.array([[0, 1, 2, 9]], np.uint8)
    assert class_against_rest(label_map, 0, 9).tolist() == [[1, 0, 0, 9]]
    assert class_against_rest(label_map, 2, 9).tolist() == [[0, 0, 1, 9]]


def test_another_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="probabilities of uint16 do not have 256 levels"):
        ThresholdHistogram().update(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint16))


@pytest.mark.filterwarnings("error")
def test_nothing_labelled() -> None:
    counted = histogram(np.full(5, 255, np.uint8), np.arange(5, dtype=np.uint8))
    sweep = counted.sweep()
    assert sweep.figures(0) == {}
    assert sweep.best_level() is None
    assert math.isnan(sweep.average_precision())
    assert math.isnan(counted.calibration().error)
