"""Figures of label maps: against plain set arithmetic, torchmetrics, SciPy, and by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchmetrics.functional.classification as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from seg_demo.errors import UserError
from seg_demo.evaluate.boundary import BoundaryCounts, boundary_pixels, boundary_width
from seg_demo.evaluate.confusion import ConfusionMatrix
from seg_demo.evaluate.figures import Figures
from seg_demo.evaluate.pictures import compare_folders


def areas(seed: int, num_classes: int, shape: tuple[int, int] = (60, 80), ignored: float = 0.1) -> np.ndarray:
    """(H, W) uint8: rectangles of classes and of ignored pixels."""
    random = np.random.default_rng(seed)
    ids = np.full(shape, random.integers(num_classes), np.uint8)
    for _ in range(12):
        top, left = (random.integers(side) for side in shape)
        height, width = random.integers(4, 40, 2)
        class_id = 255 if random.random() < ignored else random.integers(num_classes)
        ids[top : top + height, left : left + width] = class_id
    return ids


@settings(deadline=None)
@given(
    num_classes=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    ignored=st.sampled_from([0.0, 0.3, 1.0]),
    pictures=st.integers(0, 3),
    enlarged=st.sampled_from([1, 9]),  # noise and areas are counted in two ways
)
def test_confusion_matrix_against_sets_of_pixels(
    num_classes: int, seed: int, ignored: float, pictures: int, enlarged: int
) -> None:
    random = np.random.default_rng(seed)
    confusion = ConfusionMatrix(num_classes, 77)
    label_maps, predictions = [], []
    for _ in range(pictures):
        label_map = random.integers(0, num_classes, (6, 7), np.uint8)
        label_map[random.random((6, 7)) < ignored] = 77
        label_maps.append(label_map.repeat(enlarged, axis=1))
        predicted = random.integers(0, random.integers(1, num_classes + 1), (6, 7), np.uint8)
        predictions.append(predicted.repeat(enlarged, axis=1))
        confusion.update(label_maps[-1], predictions[-1])
    pairs = [
        (int(label), int(predicted))
        for label_map, prediction in zip(label_maps, predictions, strict=True)
        for label, predicted in zip(label_map.flat, prediction.flat, strict=True)
        if label != 77
    ]
    expected: dict[str, list[float]] = {"iou": [], "f1": [], "precision": [], "recall": []}
    weighted = 0.0
    for class_id in range(num_classes):
        hits = sum(pair == (class_id, class_id) for pair in pairs)
        labelled = sum(label == class_id for label, _ in pairs)
        predicted = sum(predicted == class_id for _, predicted in pairs)
        union = sum(class_id in pair for pair in pairs)
        expected["iou"].append(hits / union if union else math.nan)
        expected["f1"].append(2 * hits / (labelled + predicted) if union else math.nan)
        expected["precision"].append(hits / predicted if predicted else math.nan)
        expected["recall"].append(hits / labelled if labelled else math.nan)
        weighted += labelled / len(pairs) * hits / union if labelled else 0
    for name, values in expected.items():
        assert getattr(confusion, name)() == pytest.approx(values, nan_ok=True)
    for mean, name in (("mean_iou", "iou"), ("mean_dice", "f1"), ("mean_accuracy", "recall")):
        there = [value for value in expected[name] if not math.isnan(value)]
        assert getattr(confusion, mean)() == pytest.approx(np.mean(there) if there else math.nan, nan_ok=True)
    right = sum(label == predicted for label, predicted in pairs)
    assert confusion.accuracy() == pytest.approx(right / len(pairs) if pairs else math.nan, nan_ok=True)
    assert confusion.frequency_weighted_iou() == pytest.approx(weighted if pairs else math.nan, nan_ok=True)
    assert confusion.matrix.sum() == len(pairs)


@pytest.mark.parametrize("ignore_index", [255, 0])
@pytest.mark.parametrize("kind", ["noise", "areas"])
@pytest.mark.parametrize("num_classes, used", [(2, 2), (7, 4), (19, 19), (150, 40)])
def test_the_same_as_torchmetrics(num_classes: int, used: int, kind: str, ignore_index: int) -> None:
    random = np.random.default_rng(num_classes)
    if kind == "noise":
        label_map = random.integers(0, used, (60, 80), np.uint8)
        label_map[random.random(label_map.shape) < 0.1] = ignore_index
        predicted = random.integers(0, used, (60, 80), np.uint8)
    else:
        label_map, predicted = areas(1, used), areas(2, used, ignored=0)
        label_map[label_map == 255] = ignore_index
    confusion = ConfusionMatrix(num_classes, ignore_index)
    confusion.update(label_map, predicted)
    given = (torch.from_numpy(predicted).long(), torch.from_numpy(label_map).long(), num_classes)
    options: dict[str, Any] = {"ignore_index": ignore_index}
    expected = reference.multiclass_confusion_matrix(*given, **options).numpy()
    # Where a class is ignored, torchmetrics lets labels go, but counts predictions.
    assert confusion.matrix.tolist() == expected.tolist()
    assert confusion.accuracy() == pytest.approx(
        float(reference.multiclass_accuracy(*given, average="micro", **options)), abs=1e-6
    )
    for figures, function in (
        (confusion.iou(), reference.multiclass_jaccard_index),
        (confusion.recall(), reference.multiclass_recall),
        (confusion.precision(), reference.multiclass_precision),
        (confusion.f1(), reference.multiclass_f1_score),
    ):
        known = ~np.isnan(figures)
        assert 0 < known.sum() <= used
        theirs = function(*given, average=None, **options).numpy()  # 0 where ours is nan
        assert figures[known] == pytest.approx(theirs[known], abs=1e-6)
    there = ~np.isnan(confusion.iou())
    assert confusion.mean_iou() == pytest.approx(
        float(reference.multiclass_jaccard_index(*given, average=None, **options)[torch.from_numpy(there)].mean()),
        abs=1e-6,
    )
    if ignore_index == 255 and used == num_classes:  # nothing is absent, so their own means say the same
        assert confusion.mean_iou() == pytest.approx(
            float(reference.multiclass_jaccard_index(*given, average="macro", **options)), abs=1e-6
        )
        assert confusion.frequency_weighted_iou() == pytest.approx(
            float(reference.multiclass_jaccard_index(*given, average="weighted", **options)), abs=1e-6
        )


def test_processes_are_added_up() -> None:
    maps = [(areas(seed, 5), areas(seed + 9, 5, ignored=0)) for seed in range(3)]
    for kind in (ConfusionMatrix, BoundaryCounts):
        together, apart = kind(5), kind(5)
        for pair in maps:
            together.update(*pair)
            alone = kind(5)
            alone.update(*pair)
            apart = apart + alone  # type: ignore[operator]
        assert together.iou().tolist() == apart.iou().tolist()
        for other in (kind(4), kind(5, 254)):
            with pytest.raises(ValueError, match="cannot be added"):
                together + other  # type: ignore[operator]


@pytest.mark.parametrize("counts", [ConfusionMatrix(5, 77), BoundaryCounts(5, 77)])
@pytest.mark.parametrize(
    "labels, predicted, sentence",
    [
        ([[0, 1, 5]], [[0, 1, 2]], "gt.png holds the value 5 in 1 pixels"),
        ([[0, 255, 255]], [[0, 1, 2]], "gt.png holds the value 255 in 2 pixels"),
        ([[0, 300, 1]], [[0, 1, 2]], "gt.png holds the value 300 in 1 pixels"),
        ([[0, -1, 1]], [[0, 1, 2]], "gt.png holds the value -1 in 1 pixels"),
        (
            [[0, 1, 2]],
            [[0, 5, 5]],
            "pred.png holds the value 5 in 2 pixels that count, but there are 5 classes (0 to 4;",
        ),
        ([[0, 1, 2]], [[0, 77, 0]], "pred.png holds the value 77 in 1 pixels"),
        ([[0, 1, 2]], [[0, 256, 0]], "pred.png holds the value 256 in 1 pixels"),
        ([[0, 1, 2]], [[0], [1], [2]], "pred.png has 1 x 3 pixels, but gt.png has 3 x 1"),
        ([[0, 1, 2]], [[0, 1]], "pred.png has 2 x 1 pixels, but gt.png has 3 x 1"),
    ],
)
def test_what_cannot_be_counted_is_refused(
    counts: ConfusionMatrix | BoundaryCounts, labels: list[list[int]], predicted: list[list[int]], sentence: str
) -> None:
    for repeats in (1, 20):  # noise and areas
        arrays = [np.array(values).repeat(repeats, axis=1) for values in (labels, predicted)]
        arrays = [ids.astype(np.uint8) if ids.min() >= 0 and ids.max() < 256 else ids for ids in arrays]
        with pytest.raises(UserError) as caught:
            counts.update(*arrays, ("gt.png", "pred.png"))
        if repeats == 1:
            assert sentence in str(caught.value)
    assert np.isnan(counts.iou()).all()  # nothing was added


def test_what_is_predicted_at_ignored_pixels_does_not_matter() -> None:
    label_map = areas(3, 4, ignored=0.5)
    assert 0 < (label_map == 255).sum() < label_map.size
    noise = np.random.default_rng(0).integers(0, 256, label_map.shape).astype(np.uint8)
    predicted = np.where(label_map == 255, noise, label_map)
    for counts in (ConfusionMatrix(4), BoundaryCounts(4)):
        counts.update(label_map, predicted)
        assert counts.mean_iou() == 1


def test_wide_integers_and_views_count_as_bytes_do() -> None:
    label_map, predicted = areas(1, 5), areas(2, 5, ignored=0)
    for change in (np.int64, np.uint16, np.int32):
        for counts in (ConfusionMatrix, BoundaryCounts):
            one, other = counts(5), counts(5)
            one.update(label_map[:, ::2], predicted[:, ::2])
            other.update(label_map[:, ::2].astype(change), predicted[:, ::2].astype(change))
            assert one.iou().tolist() == other.iou().tolist()


# Boundary IoU


def eroded_boundary(mask: np.ndarray, width: int) -> np.ndarray:
    """As the paper's code defines it: the mask without what is left of it after `width` erosions by 3 x 3."""
    return mask & ~ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=width, border_value=0)


@pytest.mark.parametrize(
    "shape, width",
    [((40, 50), 1), ((40, 50), 7), ((40, 50), 19), ((40, 50), 20), ((1, 9), 1), ((3, 3), 1), ((5, 4), 2)],
)
def test_boundaries_are_what_erosion_takes_away(shape: tuple[int, int], width: int) -> None:
    for seed in range(4):
        ids = areas(seed, 4, shape, ignored=0.2)
        expected = np.zeros(shape, bool)
        for value in np.unique(ids):
            expected |= eroded_boundary(ids == value, width)
        assert np.array_equal(boundary_pixels(ids, width), expected)


def test_boundary_iou_against_erosion_of_each_mask() -> None:
    counts = BoundaryCounts(4, 255)
    intersection, union = np.zeros(4), np.zeros(4)
    for seed in range(5):
        label_map = areas(seed, 3, (90 + seed, 120))
        predicted = areas(seed + 50, 3, label_map.shape, ignored=0)
        predicted[:40] = np.roll(np.where(label_map == 255, 0, label_map), 2, axis=1)[:40]
        counts.update(label_map, predicted)
        width = boundary_width(label_map.shape)
        assert width == 3
        for class_id in range(4):
            truth = eroded_boundary(label_map == class_id, width)
            guess = eroded_boundary((predicted == class_id) & (label_map != 255), width)
            intersection[class_id] += (truth & guess).sum()
            union[class_id] += (truth | guess).sum()
    assert counts.intersection.tolist() == intersection.tolist()
    assert counts.union.tolist() == union.tolist()
    assert 0.01 < counts.iou()[:3].min() < counts.iou()[:3].max() < 0.9
    assert math.isnan(counts.iou()[3])
    assert counts.mean_iou() == pytest.approx((intersection[:3] / union[:3]).mean())


def test_boundary_iou_by_hand() -> None:
    label_map = np.zeros((30, 40), np.uint8)  # a diagonal of 50, so a width of 1
    label_map[10:20, 10:20] = 1
    predicted = np.zeros_like(label_map)
    predicted[10:20, 11:21] = 1
    counts, confusion = BoundaryCounts(2), ConfusionMatrix(2)
    counts.update(label_map, predicted)
    confusion.update(label_map, predicted)
    # Two rings of 36 pixels that share 9 of the upper and of the lower row.
    assert counts.iou()[1] == pytest.approx(18 / (36 + 36 - 18))
    assert confusion.iou()[1] == pytest.approx(90 / 110)


@pytest.mark.parametrize("shape, width", [((30, 40), 1), ((3, 4), 1), ((300, 400), 10), ((1024, 2048), 46)])
def test_boundary_width_is_two_percent_of_the_diagonal(shape: tuple[int, int], width: int) -> None:
    assert boundary_width(shape) == width


# The set of figures


def test_figures_say_which_classes_are_missing() -> None:
    label_map = np.array([[0, 0, 0, 1]], np.uint8)
    predicted = np.array([[0, 0, 2, 1]], np.uint8)
    confusion, boundary = ConfusionMatrix(4), BoundaryCounts(4)
    for counts in (confusion, boundary):
        counts.update(label_map, predicted)
    told = Figures.of(confusion, boundary, ["sky", "ground", "plane", "person"]).to_json()

    def entry(*values: object) -> dict[str, object]:
        return dict(zip("id name iou precision recall f1 boundary_iou pixels".split(), values, strict=True))

    assert told == {
        "accuracy": 0.75, "mean_accuracy": pytest.approx((2 / 3 + 1) / 2), "mean_iou": pytest.approx((2 / 3 + 1) / 3),
        "frequency_weighted_iou": pytest.approx(0.75 * 2 / 3 + 0.25), "mean_dice": pytest.approx((0.8 + 1) / 3),
        "boundary_iou": pytest.approx((2 / 3 + 1) / 3), "pixels": 4,
        "absent": ["person"], "never_labelled": ["plane"],
        "classes": [
            entry(0, "sky", 2 / 3, 1, 2 / 3, 0.8, 2 / 3, 3),
            entry(1, "ground", 1, 1, 1, 1, 1, 1),
            entry(2, "plane", 0, 0, None, 0, 0, 0),
            entry(3, "person", None, None, None, None, None, 0),
        ],
    }  # fmt: skip


def test_nothing_labelled_is_no_figure() -> None:
    confusion, boundary = ConfusionMatrix(2), BoundaryCounts(2)
    for counts in (confusion, boundary):
        counts.update(np.full((4, 5), 255, np.uint8), np.zeros((4, 5), np.uint8))
    told = Figures.of(confusion, boundary, ["no", "yes"]).to_json()
    assert told["absent"] == ["no", "yes"]
    assert {told[name] for name in ("accuracy", "mean_iou", "mean_dice", "frequency_weighted_iou")} == {None}


def test_an_ignored_class_has_no_figures() -> None:
    label_map = np.array([[0, 1, 2, 2]], np.uint8)
    predicted = np.array([[1, 0, 2, 2]], np.uint8)  # a labelled pixel predicted as the ignored class is wrong
    confusion, boundary = ConfusionMatrix(3, 0), BoundaryCounts(3, 0)
    for counts in (confusion, boundary):
        counts.update(label_map, predicted)
        assert counts.iou().tolist() == pytest.approx([math.nan, 0, 1], nan_ok=True)
    assert confusion.accuracy() == pytest.approx(2 / 3)
    assert Figures.of(confusion, boundary, ["void", "a", "b"]).absent == ()


def test_pictures_are_measured_together_and_one_by_one(tmp_path: Path) -> None:
    total = ConfusionMatrix(4)
    means = {}
    for seed in range(4):
        label_map, predicted = areas(seed, 4), areas(seed, 4, ignored=0)
        if seed == 3:
            label_map[:] = 255
        alone = ConfusionMatrix(4)
        alone.update(label_map, predicted)
        total += alone
        means[f"sub/{seed}"] = alone.mean_iou()
        for folder, ids in (("gt", label_map), ("pred", predicted)):
            (tmp_path / folder / "sub").mkdir(parents=True, exist_ok=True)
            Image.fromarray(ids).save(tmp_path / folder / "sub" / f"{seed}.png")
    seen: list[tuple[int, int]] = []
    compared = compare_folders(
        tmp_path / "pred", tmp_path / "gt", list("abcd"), progress=lambda done, count: seen.append((done, count))
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert compared.figures.mean_iou == total.mean_iou()
    assert compared.pictures[-1].name == "sub/3"
    assert math.isnan(compared.pictures[-1].mean_iou)
    del means["sub/3"]
    assert [picture.name for picture in compared.pictures[:-1]] == sorted(means, key=lambda name: means[name])
    assert [picture.mean_iou for picture in compared.pictures[:-1]] == sorted(means.values())
