"""Losses against plain loops over pixels, numbers by hand and what every loss must keep; weights by frequency."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seg_demo.errors import UserError
from seg_demo.train.balance import median_frequency
from seg_demo.train.config import LossSettings
from seg_demo.train.losses import LOSSES, Loss, build_loss

TASKS = ("binary", "multiclass")
PIXEL_WISE = ("cross-entropy", "bce", "focal")
IGNORED = 200


def made(name: Any, task: Any, classes: int = 3, **changes: Any) -> Loss:
    return build_loss(LossSettings(name, **changes), task, classes, IGNORED)


def random_maps(
    seed: int, task: str, shape: tuple[int, ...] = (2, 4, 5), ignored: float = 0.2
) -> tuple[Tensor, Tensor]:
    """Logits (N, C, H, W) and label maps (N, H, W); now and then, classes are absent. 4 classes, or binary."""
    random = np.random.default_rng(seed)
    count = 1 if task == "binary" else 4
    highest = (2, 2, 1)[seed % 3] if task == "binary" else (4, 2, 1)[seed % 3]
    label_maps = random.integers(0, highest, shape)
    if task == "multiclass" and seed % 2:
        label_maps[label_maps == 0] = 3
    label_maps[random.random(shape) < ignored] = IGNORED
    logits = random.normal(0, 2, (shape[0], count, *shape[1:]))
    return torch.from_numpy(logits), torch.from_numpy(label_maps)


# Plain loops


def jaccard_loss(wrong: set[int], truth: set[int]) -> float:
    return len(wrong) / len(truth | wrong) if wrong else 0.0


def lovasz_extension(errors: list[float], truth: set[int]) -> float:
    """By its definition as an integral: of the loss of all pixels that are wrong by t or more, over t."""
    thresholds = sorted({0.0, *(error for error in errors if error > 0)})
    total = 0.0
    for below, above in pairwise(thresholds):
        wrong = {pixel for pixel, error in enumerate(errors) if error >= above}
        total += (above - below) * jaccard_loss(wrong, truth)
    return total


def plain(logits: np.ndarray, label_maps: np.ndarray, task: str, asked: LossSettings) -> float:
    """The same as `Loss` for one head, pixel by pixel in float64."""
    count = logits.shape[1]
    weights = asked.class_weights or (1.0,) * max(2, count)
    pixels = [(int(label), logits[n, :, y, x]) for (n, y, x), label in np.ndenumerate(label_maps) if label != IGNORED]

    def odds(score: float) -> float:
        return 1 / (1 + math.exp(-score))

    def exact(scores: np.ndarray) -> np.ndarray:
        if task == "binary":
            return np.array([1 - odds(scores[0]), odds(scores[0])])
        powers = np.exp(scores - scores.max())
        return powers / powers.sum()

    def mean(values: list[float], weighed: list[float]) -> float:
        return sum(v * w for v, w in zip(values, weighed, strict=True)) / sum(weighed) if sum(weighed) else 0.0

    def of_pixel(label: int, scores: np.ndarray) -> float:
        chance = exact(scores)[label]
        if asked.name == "bce":
            targets = [label == 1] if task == "binary" else [label == one for one in range(count)]
            return float(np.mean([-math.log(odds(s if t else -s)) for s, t in zip(scores, targets, strict=True)]))
        return -math.log(chance) * ((1 - chance) ** asked.focal_gamma if asked.name == "focal" else 1)

    classes = [1] if task == "binary" else range(count)
    present = [one for one in classes if any(label == one for label, _ in pixels)]
    result = 0.0
    if asked.name in ("cross-entropy", "bce", "focal", "cross-entropy+dice"):
        result += mean([of_pixel(*pixel) for pixel in pixels], [weights[label] for label, _ in pixels])
    if asked.name in ("dice", "cross-entropy+dice"):
        values = []
        for one in present:
            overlap = sum(exact(scores)[one] for label, scores in pixels if label == one)
            sizes = sum(exact(scores)[one] + (label == one) for label, scores in pixels)
            values.append(1 - (2 * overlap + 1) / (sizes + 1))
        result += mean(values, [weights[one] for one in present])
    if asked.name == "ohem":
        ranked = sorted(pixels, key=lambda pixel: exact(pixel[1])[pixel[0]])
        least = math.ceil(asked.ohem_kept * len(ranked))
        hard = [p for place, p in enumerate(ranked) if place < least or exact(p[1])[p[0]] < asked.ohem_threshold]
        result += mean([of_pixel(*pixel) for pixel in hard], [weights[label] for label, _ in hard])
    if asked.name == "lovasz" and task == "binary":
        errors = [max(0.0, 1 - scores[0] * (1 if label == 1 else -1)) for label, scores in pixels]
        result += lovasz_extension(errors, {place for place, (label, _) in enumerate(pixels) if label == 1})
    elif asked.name == "lovasz":
        values = []
        for one in present:
            errors = [abs((label == one) - exact(scores)[one]) for label, scores in pixels]
            values.append(lovasz_extension(errors, {place for place, (label, _) in enumerate(pixels) if label == one}))
        result += mean(values, [weights[one] for one in present])
    return float(result)


VARIANTS: list[dict[str, Any]] = [
    {},
    {"class_weights": True, "focal_gamma": 0.5, "ohem_threshold": 0.3, "ohem_kept": 0.4},
    {"focal_gamma": 0.0, "ohem_threshold": 0.0, "ohem_kept": 0.5},
    {"class_weights": True, "ohem_threshold": 1.0, "ohem_kept": 0.0},
]


@pytest.mark.parametrize("variant", range(len(VARIANTS)))
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", LOSSES)
def test_losses_against_plain_loops(name: Any, task: Any, variant: int) -> None:
    changes = dict(VARIANTS[variant])
    if changes.get("class_weights"):
        changes["class_weights"] = (0.5, 2.0) if task == "binary" else (0.5, 2.0, 1.0, 3.0)
    asked = LossSettings(name, **changes)
    for seed in range(6):
        logits, label_maps = random_maps(seed, task)
        loss = build_loss(asked, task, 4, IGNORED)({"out": logits.float()}, label_maps)
        expected = plain(logits.numpy(), label_maps.numpy(), task, asked)
        assert loss.item() == pytest.approx(expected, rel=2e-5, abs=1e-6), seed


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_against_differences_of_plain_loops(name: Any, task: Any) -> None:
    asked = LossSettings(name, class_weights=(0.5, 2.0) if task == "binary" else (0.5, 2.0, 1.0, 3.0))
    logits, label_maps = random_maps(0, task, (1, 3, 4))
    scores = logits.float().requires_grad_()
    build_loss(asked, task, 4, IGNORED)({"out": scores}, label_maps).backward()
    assert scores.grad is not None
    slopes = np.zeros(logits.shape)
    for place in np.ndindex(*logits.shape):
        ends = []
        for shift in (-1e-5, 1e-5):
            moved = logits.numpy().copy()
            moved[place] += shift
            ends.append(plain(moved, label_maps.numpy(), task, asked))
        slopes[place] = (ends[1] - ends[0]) / 2e-5
    np.testing.assert_allclose(scores.grad.numpy(), slopes, rtol=1e-3, atol=1e-6)


# Numbers by hand

LN2, LN3 = math.log(2), math.log(3)


@pytest.mark.parametrize(
    ("name", "changes", "task", "logits", "labels", "expected"),
    [
        # Scores of 0 are a chance of 1/2 for each of two sides, of 1/3 for each of three classes.
        ("cross-entropy", {}, "binary", [[0, 0]], [0, 1], LN2),
        ("cross-entropy", {}, "multiclass", [[0], [0], [0]], [2], LN3),
        ("cross-entropy", {"class_weights": (1.0, 3.0)}, "binary", [[LN3, LN3]], [0, 1], LN2 * 2 - LN3 * 3 / 4),
        ("bce", {}, "multiclass", [[0], [0], [0]], [2], LN2),
        ("focal", {}, "binary", [[0, 0]], [0, 1], LN2 / 4),
        ("focal", {"focal_gamma": 1.0}, "multiclass", [[0], [0], [0]], [2], LN3 * 2 / 3),
        # Two of four pixels are the object, each half found: 2 * 1 + 1 of 2 + 2 + 1.
        ("dice", {}, "binary", [[0, 0, 0, 0]], [1, 1, 0, 0], 1 - 3 / 5),
        ("dice", {}, "multiclass", [[0, 0], [0, 0]], [0, 0], 1 - 3 / 4),
        # Errors 3 (outside), 2, 1 (inside): 1 more in the union, then all else wrong: 3 * 1/3 + 2 * 1/3 + 1 * 1/3.
        ("lovasz", {}, "binary", [[2, -1, 0]], [0, 1, 1], 2.0),
        ("lovasz", {}, "binary", [[2, -5, 0]], [0, 0, 0], 3.0),
        ("lovasz", {}, "multiclass", [[0, 0], [0, 0]], [0, 1], 1 / 2),
        ("cross-entropy+dice", {}, "binary", [[0, 0, 0, 0]], [1, 1, 0, 0], LN2 + 2 / 5),
        # Only the second pixel is hard; and of four sure ones, the quarter that is least so.
        ("ohem", {}, "binary", [[9, 0, IGNORED]], [1, 1, IGNORED], LN2),
        ("ohem", {"ohem_kept": 0.25}, "binary", [[9, 7, 9, 9]], [1, 1, 1, 1], math.log1p(math.exp(-7))),
    ],
)  # fmt: skip
def test_numbers_by_hand(
    name: Any, changes: Any, task: Any, logits: list[list[float]], labels: list[int], expected: float
) -> None:
    loss = made(name, task, len(logits), **changes)
    scores = torch.tensor(logits, dtype=torch.float32)[None, :, None]  # (1, C, 1, W)
    assert loss({"out": scores}, torch.tensor(labels)[None, None]).item() == pytest.approx(expected, rel=1e-5)


def test_cross_entropy_is_that_of_torch() -> None:
    weights = (0.5, 2.0, 1.0, 3.0)
    logits, label_maps = random_maps(0, "multiclass", (2, 30, 40))
    expected = F.cross_entropy(logits, label_maps, torch.tensor(weights, dtype=torch.float64), ignore_index=IGNORED)
    loss = made("cross-entropy", "multiclass", 4, class_weights=weights)({"out": logits}, label_maps)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_lovasz_keeps_its_digits_where_there_are_many_pixels() -> None:
    """Each of half a million pixels weighs little more than the rounding error of a Jaccard index in float32."""
    generator = torch.Generator().manual_seed(0)
    label_maps = (torch.rand(1, 700, 700, generator=generator) < 0.3).long()
    logits = torch.randn(1, 1, 700, 700, generator=generator).requires_grad_()
    truth = label_maps.flatten().numpy() == 1
    signs = np.where(truth, -1, 1)
    errors = np.maximum(0, 1 + logits.detach().flatten().numpy() * signs)
    order = np.argsort(-errors, kind="stable")
    wrong, outside = np.arange(1, len(order) + 1), np.cumsum(~truth[order])
    slopes = np.empty(len(order))
    slopes[order] = np.diff(wrong / (truth.sum() + outside), prepend=0)
    loss = made("lovasz", "binary")({"out": logits}, label_maps)
    loss.backward()
    assert loss.item() == pytest.approx(errors @ slopes, rel=1e-6)
    assert logits.grad is not None
    # Equal errors may come in any order.
    values, counts = np.unique(errors, return_counts=True)
    single = np.isin(errors, values[counts == 1])
    found, expected = logits.grad.flatten().numpy()[single], (slopes * signs)[single]
    np.testing.assert_allclose(found, expected, rtol=1e-3)


# What every loss keeps


def test_every_loss_of_the_settings_is_there() -> None:
    assert tuple(LOSSES) == get_args(get_type_hints(LossSettings)["name"])


@pytest.mark.parametrize("size", [(1, 9, 9), (3, 4, 4)])
@pytest.mark.parametrize("highest", [1, 2])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_perfect_prediction_costs_nothing_and_a_wrong_one_something(
    name: Any, task: Any, highest: int, size: tuple[int, ...]
) -> None:
    label_maps = torch.randint(0, highest, size, generator=torch.Generator().manual_seed(0))
    one_hot = F.one_hot(label_maps, 3).movedim(-1, 1) if task == "multiclass" else label_maps[:, None]
    logits = (one_hot.float() - 0.5) * 200
    loss = made(name, task)
    assert loss({"out": logits}, label_maps).item() == pytest.approx(0, abs=1e-6)
    if task == "multiclass" or highest == 2 or name != "dice":  # which looks for class 1 alone
        assert loss({"out": -logits}, label_maps).item() > 0.3
        assert loss({"out": logits * 0.001}, label_maps).item() > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", LOSSES)
def test_any_dtype_is_computed_in_float32(name: Any, task: Any, dtype: torch.dtype) -> None:
    logits, label_maps = random_maps(0, task)
    scores = logits.to(dtype).requires_grad_()
    loss = made(name, task, 4)({"out": scores}, label_maps)
    assert loss.dtype == torch.float32
    assert loss.shape == ()
    assert torch.equal(loss, made(name, task, 4)({"out": scores.detach().float()}, label_maps))
    loss.backward()
    assert scores.grad is not None
    assert scores.grad.dtype == dtype
    assert scores.grad.any()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", LOSSES)
def test_ignored_pixels_do_not_matter(name: Any, task: Any) -> None:
    logits, label_maps = random_maps(0, task, ignored=0)
    label_maps[:, :2] = IGNORED
    clean, spoiled = logits.float(), logits.float()
    spoiled[:, :, :2] = torch.tensor([math.nan, math.inf, -math.inf, 1e30, 50])
    spoiled.requires_grad_()
    loss = made(name, task, 4)({"out": spoiled}, label_maps)
    assert torch.equal(loss, made(name, task, 4)({"out": clean}, label_maps))
    assert loss.item() == pytest.approx(
        made(name, task, 4)({"out": clean[:, :, 2:]}, label_maps[:, 2:]).item(), rel=1e-6
    )
    loss.backward()
    assert spoiled.grad is not None
    assert not spoiled.grad[:, :, :2].any()
    assert spoiled.grad[:, :, 2:].any()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_that_is_ignored_altogether_gives_zero(name: Any, task: Any) -> None:
    logits, label_maps = random_maps(0, task, ignored=1)
    scores = logits.float().requires_grad_()
    loss = made(name, task, 4)
    value = loss({"out": scores, "aux": scores * 2}, label_maps)
    value.backward()
    assert value.item() == 0
    assert loss.weight(label_maps).item() == 0
    assert scores.grad is not None
    assert not scores.grad.any()


@pytest.mark.parametrize("size", [1e4, 88.0, 20.0, 0.0])
@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.5, 2.0])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", LOSSES)
def test_huge_scores_stay_finite(name: Any, task: Any, gamma: float, size: float) -> None:
    if gamma and name != "focal":
        return
    logits, label_maps = random_maps(0, task, (2, 6, 6))
    scores = (logits.float().sign() * size).requires_grad_()
    loss = made(name, task, 4, focal_gamma=gamma)({"out": scores}, label_maps)
    loss.backward()
    assert torch.isfinite(loss)
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", LOSSES)
def test_the_auxiliary_head_counts_by_its_share(name: Any, task: Any) -> None:
    logits, label_maps = random_maps(0, task)
    loss = made(name, task, 4, auxiliary=0.25)
    out, aux = (loss({"out": one}, label_maps) for one in (logits, -logits))
    assert loss({"out": logits, "aux": -logits}, label_maps).item() == pytest.approx((out + aux / 4).item())


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(PIXEL_WISE),
    task=st.sampled_from(TASKS),
    seed=st.integers(0, 10**6),
    cuts=st.lists(st.integers(0, 6), max_size=3),
    ignored=st.sampled_from([0.0, 0.3, 0.9]),
    weighed=st.booleans(),
)
def test_the_loss_of_a_batch_is_the_weighted_mean_of_its_parts(
    name: Any, task: Any, seed: int, cuts: list[int], ignored: float, weighed: bool
) -> None:
    logits, label_maps = random_maps(seed, task, (6, 3, 4), ignored)
    label_maps[: seed % 4] = IGNORED
    weights = ((0.1, 3.0) if task == "binary" else (0.1, 3.0, 0.0, 1.0)) if weighed else ()
    loss = made(name, task, 4, class_weights=weights)
    parts = [
        ({"out": logits[start:end], "aux": -logits[start:end]}, label_maps[start:end])
        for start, end in pairwise([0, *sorted(cuts), 6])
    ]
    total = sum(loss.weight(labels).item() for _, labels in parts)
    assert total == pytest.approx(loss.weight(label_maps).item(), rel=1e-6)
    value = sum(loss(*part).item() * loss.weight(part[1]).item() for part in parts) / (total or 1)
    assert value == pytest.approx(loss({"out": logits, "aux": -logits}, label_maps).item(), rel=1e-5, abs=1e-6)


def test_what_the_mean_divides_by() -> None:
    label_maps = torch.tensor([[[0, 1, 1, IGNORED, 2]]])
    assert made("dice", "multiclass").weight(label_maps).item() == 4
    assert made("ohem", "multiclass", class_weights=(1.0, 2.0, 10.0)).weight(label_maps).item() == 15


@pytest.mark.parametrize(
    ("weights", "task", "classes", "counts"),
    [((1.0, 2.0), "multiclass", 3, "2 weights for 3 classes"), ((1.0, 2.0, 3.0), "binary", 2, "3 weights for 2")],
)
def test_class_weights_of_another_number(weights: tuple[float, ...], task: Any, classes: int, counts: str) -> None:
    with pytest.raises(UserError, match=f"There are {counts}.* in loss.class_weights. Give one for each class."):
        made("bce", task, classes, class_weights=weights)


# Balance


def test_median_frequency_by_hand() -> None:
    first = np.array([[0, 0, 0, 1], [0, 0, 0, 1]], np.uint8)  # 6 and 2 of 8
    second = np.array([[0, 0, 9, 9], [0, 3, 9, 9]], np.uint8)  # 3 and 1 of 4; 9 is ignored
    third = np.full((2, 2), 9, np.uint8)
    frequencies = {0: 9 / 12, 1: 2 / 8, 3: 1 / 4}
    weights = median_frequency(iter([first, second, third]), 5, 9)
    assert weights == pytest.approx((0.25 / frequencies[0], 0.25 / frequencies[1], 0, 0.25 / frequencies[3], 0))


def test_median_frequency_gives_weights_that_a_loss_can_have() -> None:
    label_map = np.zeros((3000, 3000), np.uint8)
    label_map[0, 0] = 1
    weights = median_frequency([label_map], 2, 255)
    assert weights[1] == 1e6  # not 4.5 millions
    made("cross-entropy", "binary", class_weights=weights)


def test_median_frequency_of_nothing() -> None:
    with pytest.raises(UserError, match="Nothing is labelled in the pictures.* Set loss.balance to none."):
        median_frequency([np.full((2, 2), 9)], 3, 9)
