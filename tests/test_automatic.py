"""Automatic thresholds: those that look at values alone against scikit-image, the others against a plain search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage import filters

from seg_demo.errors import UserError
from seg_demo.evaluate.automatic import METHODS, Choice
from seg_demo.evaluate.threshold import FIGURES, Sweep, ThresholdHistogram, histogram_of

ROOT = Path(__file__).resolve().parent.parent
THEIRS = {"otsu": filters.threshold_otsu, "li": filters.threshold_li, "triangle": filters.threshold_triangle}
DEPTHS = [np.uint8, np.uint16]


def quantised(exact: np.ndarray, dtype: type) -> np.ndarray:
    return np.rint(np.clip(exact, 0, 1) * np.iinfo(dtype).max).astype(dtype).reshape(-1, 40)


def planes(dtype: type) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    drawn = {
        "bimodal": np.concatenate([random.normal(0.2, 0.05, 3000), random.normal(0.8, 0.07, 1000)]),
        "modes that overlap": np.concatenate([random.normal(0.4, 0.1, 2000), random.normal(0.6, 0.1, 2000)]),
        "few bright": np.concatenate([random.beta(1, 30, 3900), random.normal(0.9, 0.04, 100)]),
        "few dark": np.concatenate([random.beta(30, 1, 3900), random.normal(0.1, 0.04, 100)]),
        "skewed": random.exponential(0.1, 4000),
        "skewed to the right": 1 - random.exponential(0.15, 4000),
        "mostly 0 and 1": np.rint(random.beta(0.3, 0.3, 4000) * 20) / 20,
        "one mode": random.normal(0.5, 0.1, 4000),
        "uniform": random.random(4000),
        "narrow": random.normal(0.9, 0.004, 4000),
        "sparse": random.choice([0.03, 0.11, 0.3, 0.71, 0.93], 4000, p=[0.5, 0.2, 0.1, 0.05, 0.15]),
        "two values": random.choice([0.1, 0.7], 4000, p=[0.7, 0.3]),
        "two values, mostly the higher": random.choice([0.2, 0.6], 4000, p=[0.1, 0.9]),
        "the two ends": random.choice([0.0, 1.0], 4000, p=[0.97, 0.03]),
    }
    return {name: quantised(values, dtype) for name, values in drawn.items()}


@pytest.fixture(scope="module")
def predictions() -> dict[type, list[np.ndarray]]:
    """What the bundled checkpoint says of drawn pictures, by dtype."""
    from seg_demo.checkpoint import load_checkpoint
    from seg_demo.data.procedural import ProceduralNewts
    from seg_demo.infer.binarisation import class_plane
    from seg_demo.infer.predictor import Predictor

    checkpoint = load_checkpoint(ROOT / "checkpoints" / "newts-binary")
    images = [image for _, image, _ in ProceduralNewts(3, longest=96, species=False)]
    return {
        np.uint8: [class_plane(Predictor(checkpoint, "cpu")(image), 1) for image in images],
        np.uint16: [class_plane(Predictor(checkpoint, "cpu", depth=16)(image), 1) for image in images],
    }


def agree(name: str, plane: np.ndarray) -> None:
    """To one level with scikit-image, which says behind which value the upper class begins."""
    level = Choice(name).level(histogram_of(plane))
    assert abs(level - (int(THEIRS[name](plane)) + 1)) <= 1
    assert plane.min() < level <= plane.max(), "both classes hold something"


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("name", THEIRS)
def test_levels_are_those_of_scikit_image(name: str, dtype: type) -> None:
    for plane in planes(dtype).values():
        agree(name, plane)


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("name", THEIRS)
def test_levels_of_predictions(name: str, dtype: type, predictions: dict[type, list[np.ndarray]]) -> None:
    for plane in predictions[dtype]:
        agree(name, plane)


values_of_any_kind = arrays(np.uint8, st.integers(2, 60), elements=st.integers(0, 255)).filter(
    lambda drawn: drawn.min() < drawn.max()
)


def between(plane: np.ndarray, level: int) -> float:
    """Variance between the pixels below the level and the others, as it is defined."""
    lower, upper = plane[plane < level].astype(float), plane[plane >= level].astype(float)
    return len(lower) * len(upper) * (lower.mean() - upper.mean()) ** 2


@settings(deadline=None, max_examples=80)
@given(values_of_any_kind)
def test_no_level_parts_better_than_otsu(plane: np.ndarray) -> None:
    level = Choice("otsu").level(histogram_of(plane))
    found = [between(plane, each) for each in range(int(plane.min()) + 1, int(plane.max()) + 1)]
    assert between(plane, level) >= max(found) * (1 - 1e-12)
    first = int(np.flatnonzero(np.array(found) >= max(found) * (1 - 1e-12))[0]) + int(plane.min()) + 1
    assert level == first


@settings(deadline=None, max_examples=80)
@given(values_of_any_kind)
def test_li_of_any_values(plane: np.ndarray) -> None:
    agree("li", plane)


@settings(deadline=None, max_examples=80)
@given(values_of_any_kind)
def test_triangle_of_any_values(plane: np.ndarray) -> None:
    """Farthest from the line by the cross product, or as far as scikit-image's choice, which rounds ties."""
    counts = histogram_of(plane)
    level = Choice("triangle").level(counts)
    theirs = int(filters.threshold_triangle(plane)) + 1
    if abs(level - theirs) > 1:
        low, high, peak = int(plane.min()), int(plane.max()), int(counts.argmax())
        end = high if high - peak > peak - low else low
        side = np.array([peak - end, counts[peak]])
        area = [abs(side[0] * counts[each - 1] - side[1] * (each - 1 - end)) for each in (level, theirs)]
        assert area[0] == area[1]
    assert plane.min() < level <= plane.max()


@pytest.mark.parametrize(("dtype", "level"), [(np.uint8, 128), (np.uint16, 32768)])
def test_half(dtype: type, level: int) -> None:
    assert Choice("half").level(histogram_of(np.zeros((2, 2), dtype))) == level


@pytest.mark.parametrize(
    ("plane", "percent", "level"),
    [
        ([0, 50, 100, 200], 50, 100),  # 51 to 100 keep two of four
        ([0, 50, 100, 200], 100, 0),
        ([0, 50, 100, 200], 0, 255),
        ([0, 50, 100, 255], 0, 255),  # one of four is the nearest there is
        ([0, 50, 100, 200], 37, 200),  # a quarter is 12 away, a half 13
        ([0, 50, 100, 200], 38, 100),
        ([0, 50, 100, 200], 37.5, 200),  # a tie
        ([7, 7, 7, 7], 50, 255),  # none or all
        ([7, 7, 7, 7], 51, 7),
    ],
)
def test_keep(plane: list[int], percent: float, level: int) -> None:
    assert Choice("keep", percent).level(histogram_of(np.array(plane, np.uint8))) == level


def sweep_of(labels: list[int], plane: list[int]) -> tuple[np.ndarray, Sweep]:
    histogram = ThresholdHistogram()
    histogram.update(np.array(labels, np.uint8), np.array(plane, np.uint8))
    return histogram.values, histogram.sweep()


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 1, 255]), st.integers(0, 255)), min_size=1, max_size=40),
    st.sampled_from([0.0, 0.3, 0.5, 0.75, 0.9, 1.0]),
)
def test_precision_and_recall_by_searching(pairs: list[tuple[int, int]], wanted: float) -> None:
    values, sweep = sweep_of(*(list(column) for column in zip(*pairs, strict=True)))
    labelled = [(label, value) for label, value in pairs if label != 255]
    class_values = [value for label, value in labelled if label == 1]
    if not class_values:
        return
    precise, recalling = [], []
    for level in range(256):
        hit, predicted = sum(value >= level for value in class_values), sum(value >= level for _, value in labelled)
        if level and predicted and hit / predicted >= wanted:
            precise.append(level)
        if hit / len(class_values) >= wanted:
            recalling.append(level)
    assert Choice("recall", wanted).level(values, sweep) == max(recalling)
    if precise:
        assert Choice("precision", wanted).level(values, sweep) == min(precise)
    else:
        with pytest.raises(UserError):
            Choice("precision", wanted).level(values, sweep)


@pytest.mark.parametrize("figure", FIGURES)
def test_the_best_by_each_figure(figure: str) -> None:
    values, sweep = sweep_of([0, 0, 1, 0, 1, 1, 255], [3, 90, 60, 130, 140, 220, 10])
    assert Choice.parse(f"best-{figure.replace('_', '-')}").level(values, sweep) == sweep.best_level(figure)


def told(text: str, values: np.ndarray, sweep: Sweep | None = None) -> str:
    with pytest.raises(UserError) as raised:
        Choice.parse(text).level(values, sweep)
    return str(raised.value)


def test_a_precision_that_is_not_reached() -> None:
    values, sweep = sweep_of([0, 1, 1, 0], [10, 50, 60, 60])
    assert told("precision:0.9", values, sweep) == (
        "No threshold has a precision of 0.9: the highest is 0.6667, at the threshold 0.0412. Ask for less."
    )
    values, sweep = sweep_of([0, 1], [0, 0])
    assert told("precision:0.9", values, sweep) == (
        "All probabilities are 0, so that precision has nothing to tell apart. Choose half, or a threshold."
    )


@pytest.mark.parametrize("name", THEIRS)
def test_one_value_cannot_be_parted(name: str) -> None:
    expected = f"All probabilities are 0.502, so that {name} has nothing to tell apart. Choose half, or a threshold."
    assert told(name, histogram_of(np.full((2, 2), 128, np.uint8))) == expected
    assert told(name, histogram_of(np.full((2, 2), 32896, np.uint16))) == expected


@pytest.mark.parametrize("text", [method.example or name for name, method in METHODS.items() if method.needs_labels])
def test_methods_that_need_labels(text: str) -> None:
    values, sweep = sweep_of([0, 0, 255], [3, 90, 100])
    assert told(text, values, sweep) == (
        "No pixel is labelled as the class, so no threshold is better than another. Label it, or choose a method that "
        "needs no labels, such as otsu."
    )
    assert told(text, values) == (
        f"The method {text} needs labels. Give them, or choose one that does without: half, otsu, li, triangle, keep."
    )


@pytest.mark.parametrize("text", ["keep:10", "keep:12.5", "precision:0.9", "recall:1", "otsu", "best-mean-iou"])
def test_a_method_is_written_as_it_is_read(text: str) -> None:
    assert str(Choice.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("otsy", 'There is no method "otsy". Did you mean "otsu"? Known: half, otsu, li, triangle, keep, best-f1, '
                 "best-iou, best-mean-iou, best-accuracy, precision, recall."),
        ("otsu:3", "The method otsu takes no value. Leave out what follows its name."),
        ("otsu:", "The method otsu takes no value. Leave out what follows its name."),
        ("keep", "The method keep takes a number from 0 to 100. Write it as keep:10."),
        ("keep:ten", "The method keep takes a number from 0 to 100. Write it as keep:10."),
        ("keep:101", "The method keep takes a number from 0 to 100. Write it as keep:10."),
        ("precision:nan", "The method precision takes a number from 0 to 1. Write it as precision:0.9."),
        ("recall:-0.1", "The method recall takes a number from 0 to 1. Write it as recall:0.95."),
    ],
)  # fmt: skip
def test_what_is_no_method(text: str, sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        Choice.parse(text)
    assert str(raised.value) == sentence


def test_every_method_says_what_it_does() -> None:
    for name, method in METHODS.items():
        assert method.about.endswith(".")
        assert method.takes_value == bool(method.example)
        assert method.example.startswith(name) or not method.example
        if method.takes_value:
            Choice.parse(method.example)
