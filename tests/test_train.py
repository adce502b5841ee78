"""Training: events, repeatability, stopping, runs that go wrong; schedule, losses and figures against plain NumPy."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seg_demo.checkpoint import Checkpoint, load_checkpoint
from seg_demo.classes import ClassMap
from seg_demo.data.dataset import Sample
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.errors import UserError
from seg_demo.evaluate.confusion import ConfusionMatrix
from seg_demo.evaluate.report import measure
from seg_demo.models import build_model
from seg_demo.palettes import NEWTS_BINARY
from seg_demo.train.config import Augmentation, TrainConfig
from seg_demo.train.events import CheckpointSaved, EpochDone, Event, RunFailed, RunFinished, RunStarted, StepDone
from seg_demo.train.loop import one_cycle, train
from seg_demo.train.losses import segmentation_loss
from seg_demo.train.run import record

THREE = ClassMap.of("background", "cat", "dog")


def squares(count: int = 4, labels: Sequence[int] = (1,)) -> list[Sample]:
    """Bright squares on dark noise; the label is in the colour."""
    random = np.random.default_rng(0)
    samples = []
    for number in range(count):
        image = random.integers(0, 60, (48, 56, 3), np.uint8)
        label_map = np.zeros((48, 56), np.uint8)
        label = labels[number % len(labels)]
        top, left = random.integers(4, 16, 2)
        label_map[top : top + 24, left : left + 28] = label
        image[label_map > 0, label] = 230
        samples.append(Sample(f"square_{number}", image, label_map))
    return samples


QUICK = TrainConfig(
    "unet", {"width": 4, "depth": 2}, "binary", NEWTS_BINARY, Preprocessing("none"),
    crop=32, batch_size=2, steps=4, validate_every=2, average=0.5, bfloat16=False, learning_rate=0.01,
)  # fmt: skip


def run(config: TrainConfig, folder: Path, **changes: Any) -> list[Event]:
    given = {"real": squares(), "drawn": [], "validation": squares(2), "about": {"about": "Squares."}} | changes
    return list(train(config, given["real"], given["drawn"], given["validation"], folder, given["about"]))


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


# The run


def test_events_come_in_order(tmp_path: Path) -> None:
    events = run(QUICK, tmp_path)
    best = [event for event in events if isinstance(event, CheckpointSaved) and event.kind == "best"]
    assert best
    assert kinds([event for event in events if event not in best]) == [
        "RunStarted", "StepDone", "StepDone", "EpochDone", "StepDone", "StepDone", "EpochDone", "CheckpointSaved",
        "RunFinished",
    ]  # fmt: skip
    started, finished = events[0], events[-1]
    assert isinstance(started, RunStarted)
    assert (started.pictures, started.steps) == (4, 4)
    assert started.parameters == sum(value.numel() for value in load_checkpoint(tmp_path / "last").model.parameters())
    steps = [event for event in events if isinstance(event, StepDone)]
    assert [event.step for event in steps] == [1, 2, 3, 4]
    assert all(math.isfinite(event.loss) and event.images_per_second > 0 for event in steps)
    assert [event.learning_rate for event in steps] == [one_cycle(step, 4, 0.01, 0.1) for step in (1, 2, 3, 4)]
    assert events[-2] == CheckpointSaved(4, "last", tmp_path / "last")
    assert isinstance(finished, RunFinished)
    assert finished.step == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "last"]


def test_best_is_the_highest_so_far(tmp_path: Path) -> None:
    events = run(replace(QUICK, steps=10), tmp_path)
    figures = {event.step: event.metrics for event in events if isinstance(event, EpochDone)}
    highest, expected = -math.inf, []
    for step, metrics in figures.items():
        if metrics["mean_iou"] > highest:
            highest = metrics["mean_iou"]
            expected.append(step)
    saved = [event.step for event in events if isinstance(event, CheckpointSaved) and event.kind == "best"]
    assert saved == expected
    best = load_checkpoint(tmp_path / "best")
    assert best.config.metrics == {"validation": figures[saved[-1]]}
    assert best.config.training == {"about": "Squares.", "steps": saved[-1], "seed": 0}
    assert measure(best, squares(2)) == figures[saved[-1]]


def test_without_validation_there_is_no_best(tmp_path: Path) -> None:
    events = run(QUICK, tmp_path, validation=[])
    assert [event.metrics for event in events if isinstance(event, EpochDone)] == [{}, {}]
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


def test_validation_that_is_ignored_altogether(tmp_path: Path) -> None:
    nothing = [sample._replace(label_map=np.full_like(sample.label_map, 255)) for sample in squares(2)]
    assert kinds(run(QUICK, tmp_path, validation=nothing))[-1] == "RunFinished"


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_loss_falls_and_the_squares_are_found(task: str, tmp_path: Path) -> None:
    labels, classes = ((1,), NEWTS_BINARY) if task == "binary" else ((1, 2), THREE)
    config = replace(
        QUICK, steps=120, validate_every=120, average=0.8, task=task, classes=classes, learning_rate=0.02,
        augmentation=Augmentation(hue=0, grayscale=0),  # The class is in the colour.
    )  # fmt: skip
    events = run(config, tmp_path, real=squares(4, labels), validation=squares(4, labels))
    losses = [event.loss for event in events if isinstance(event, StepDone)]
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])
    final = [event.metrics for event in events if isinstance(event, EpochDone)][-1]
    assert final["mean_iou"] > 0.7


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        torch.rand(7)  # The run must not depend on what was drawn before it.
        run(replace(QUICK, seed=seed), tmp_path / name)
    one, same, other = ((tmp_path / name / "last/model.safetensors").read_bytes() for name in ("one", "same", "other"))
    assert one == same
    assert one != other


def test_the_auxiliary_head_learns_too(tmp_path: Path) -> None:
    arguments = {"backbone": "mobilenet_v3_large"}
    config = replace(QUICK, architecture="deeplabv3", arguments=arguments, steps=2, batch_size=1, average=0.0)
    run(config, tmp_path)
    torch.manual_seed(config.seed)
    before = build_model("deeplabv3", 1, **arguments).state_dict()
    after = load_checkpoint(tmp_path / "last").model.state_dict()
    for head in ("classifier.4.weight", "aux_classifier.4.weight", "aux_classifier.0.weight"):
        assert not torch.equal(after[head], before[head]), head


def test_drawn_pictures_alone(tmp_path: Path) -> None:
    for share in (0.0, 1.0):
        config = replace(QUICK, drawn_share=share, drawn_pictures=4)
        assert kinds(run(config, tmp_path, real=[], drawn=squares()))[-1] == "RunFinished"


@pytest.mark.parametrize(("real", "share"), [([], 0.0), ([], 0.5), (squares(1), 0.5)])
def test_no_pictures(real: list[Sample], share: float, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There are no pictures to learn from"):
        run(replace(QUICK, drawn_share=share, drawn_pictures=1), tmp_path, real=real)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("steps", [1, 3])
def test_closing_leaves_a_checkpoint_that_loads(steps: int, tmp_path: Path) -> None:
    config = replace(QUICK, steps=100, validate_every=100)
    events = record(train(config, squares(), [], [], tmp_path, {}), config, tmp_path)
    for event in events:
        if isinstance(event, StepDone) and event.step == steps:
            break
    events.close()  # type: ignore[attr-defined]
    assert load_checkpoint(tmp_path / "last").config.training["steps"] == steps
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "events.jsonl", "last"]


def test_closing_before_the_first_step_leaves_nothing(tmp_path: Path) -> None:
    events = train(QUICK, squares(), [], [], tmp_path, {})
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


def test_a_run_on_a_machine_with_a_gpu_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation would move the average to the GPU, where the weights of the next step cannot be added to it."""

    def with_gpu(*arguments: Any) -> dict[str, float]:
        with monkeypatch.context() as machine:
            machine.setattr("torch.cuda.is_available", lambda: True)
            return measure(*arguments)

    monkeypatch.setattr("seg_demo.train.loop.measure", with_gpu)
    assert kinds(run(QUICK, tmp_path))[-1] == "RunFinished"


# Runs that go wrong


@pytest.mark.parametrize("rate", [1e8, 1e18, 1e30])
def test_a_learning_rate_that_is_too_high(rate: float, tmp_path: Path) -> None:
    """Whatever becomes of the weights: the last checkpoint can be loaded, or nothing was saved."""
    events = run(replace(QUICK, learning_rate=rate, steps=30, validate_every=30), tmp_path)
    if rate >= 1e18:
        assert isinstance(events[-1], RunFailed)
        assert events[-1].reason.endswith("Lower the learning rate.")
    assert load_checkpoint(tmp_path / "last")


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_loss_or_gradient_that_is_not_finite(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, logits: torch.Tensor) -> torch.Tensor:
            return logits.clone()

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            return gradient * math.inf

    calls = []

    def third_breaks(logits: torch.Tensor, *rest: Any) -> torch.Tensor:
        calls.append(1)
        if len(calls) < 3:
            return segmentation_loss(logits, *rest)
        return logits.sum() * math.nan if where == "loss" else segmentation_loss(Broken.apply(logits), *rest)

    monkeypatch.setattr("seg_demo.train.loop.segmentation_loss", third_breaks)
    events = run(replace(QUICK, steps=9, validate_every=9), tmp_path)
    assert kinds(events) == ["RunStarted", "StepDone", "StepDone", "RunFailed"]
    assert isinstance(events[-1], RunFailed)
    assert events[-1].step == 3
    assert "at step 3. Lower the learning rate." in events[-1].reason
    assert load_checkpoint(tmp_path / "last")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"crop": 31}, "The training setting crop is 31, but must be at least 32."),
        ({"batch_size": 0}, "The training setting batch_size is 0, but must be at least 1."),
        ({"steps": 0}, "The training setting steps is 0, but must be at least 1."),
        ({"validate_every": -1}, "The training setting validate_every is -1, but must be at least 1."),
        ({"learning_rate": 0.0}, "The training setting learning_rate is 0.0, but must be above 0."),
        ({"learning_rate": math.nan}, "The training setting learning_rate is nan, but must be above 0."),
        ({"learning_rate": math.inf}, "The training setting learning_rate is inf, but must be above 0."),
        ({"drawn_share": 0.5}, "The training setting drawn_share is 0.5 with 0 drawn pictures."),
        ({"drawn_share": 1.5, "drawn_pictures": 1}, "The training setting drawn_share is 1.5 with 1 drawn pictures."),
    ],
)
def test_settings_that_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match="^" + sentence):
        replace(QUICK, **changes)


def test_a_run_is_recorded_line_by_line(tmp_path: Path) -> None:
    events = []
    for event in record(train(QUICK, squares(), [], squares(1), tmp_path, {}), QUICK, tmp_path):
        events.append(event)
        lines = (tmp_path / "events.jsonl").read_text("utf-8").splitlines()
        assert len(lines) == len(events)  # It is there before the next step begins.
        assert json.loads(lines[-1])["event"] == type(event).__name__
    document = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert document["architecture"] == "unet"
    assert document["classes"]["names"] == ["background", "newt"]


def test_a_run_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"The run cannot be written to .*file \(.+\)\. Choose another folder\."):
        next(record(iter([]), QUICK, tmp_path / "file"))


# The schedule


@settings(deadline=None)
@given(steps=st.integers(1, 500), warm_up=st.floats(0, 1))
def test_one_cycle(steps: int, warm_up: float) -> None:
    rates = [one_cycle(step, steps, 0.1, warm_up) for step in range(1, steps + 1)]
    assert all(0 < rate <= 0.1 * (1 + 1e-12) for rate in rates)
    peak = int(np.argmax(rates))
    assert all(np.diff(rates[: peak + 1]) > 0)
    assert all(np.diff(rates[peak:]) < 0)
    assert abs(peak + 1 - max(1, warm_up * steps)) <= 1
    if steps >= 20 and warm_up <= 0.5:
        assert rates[peak] > 0.09
        assert rates[-1] < 0.002


# Losses


def plain_loss(logits: np.ndarray, label_maps: np.ndarray, task: str, ignore_index: int) -> float:
    """The same as `segmentation_loss`, pixel by pixel."""
    count = logits.shape[1]
    entropies = []
    overlap, total, labelled = np.zeros(count), np.zeros(count), np.zeros(count)
    for (picture, y, x), label in np.ndenumerate(label_maps):
        if label == ignore_index:
            continue
        values = logits[picture, :, y, x].astype(float)
        if task == "binary":
            exact = 1 / (1 + np.exp(-values))
            target = np.array([float(label == 1)])
            entropies.append(-math.log(exact[0] if label == 1 else 1 - exact[0]))
        else:
            exact = np.exp(values) / np.exp(values).sum()
            target = np.eye(count)[label]
            entropies.append(-math.log(exact[label]))
        overlap += exact * target
        total += exact + target
        labelled += target
    if not entropies:
        return 0.0
    present = labelled > 0
    dice = (2 * overlap + 1) / (total + 1)
    return float(np.mean(entropies)) + (1 - float(dice[present].mean()) if present.any() else 0.0)


@pytest.mark.parametrize(("task", "count"), [("binary", 1), ("multiclass", 4)])
@pytest.mark.parametrize("seed", range(6))
def test_loss_against_a_plain_loop(task: Any, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (2, count, 5, 6)).astype(np.float32)
    highest = (2, 4, 1)[seed % 3] if task == "multiclass" else (2, 2, 1)[seed % 3]  # now and then classes are absent
    label_maps = random.integers(0, highest, (2, 5, 6))
    label_maps[random.random((2, 5, 6)) < 0.2] = 255
    loss = segmentation_loss(torch.from_numpy(logits), torch.from_numpy(label_maps), task, 255)
    assert loss.item() == pytest.approx(plain_loss(logits, label_maps, task, 255), rel=1e-5)
    assert loss.item() >= 0


@pytest.mark.parametrize(("task", "count"), [("binary", 1), ("multiclass", 3)])
def test_ignored_pixels_do_not_matter(task: Any, count: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, count, 6, 6, generator=generator)
    label_maps = torch.randint(0, 2, (2, 6, 6), generator=generator)
    label_maps[:, :3] = 200
    spoiled = logits.clone()
    spoiled[:, :, :3] = 50
    spoiled.requires_grad_()
    loss = segmentation_loss(spoiled, label_maps, task, 200)
    assert torch.equal(loss, segmentation_loss(logits, label_maps, task, 200))
    loss.backward()
    assert spoiled.grad is not None
    assert not spoiled.grad[:, :, :3].any()
    assert spoiled.grad[:, :, 3:].any()


@pytest.mark.parametrize(("task", "count"), [("binary", 1), ("multiclass", 3)])
def test_a_batch_that_is_ignored_altogether_gives_zero(task: Any, count: int) -> None:
    logits = torch.randn(1, count, 4, 4, requires_grad=True)
    loss = segmentation_loss(logits, torch.full((1, 4, 4), 255), task, 255)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize(("task", "count"), [("binary", 1), ("multiclass", 3)])
def test_a_perfect_prediction_costs_nothing(task: Any, count: int) -> None:
    label_maps = torch.randint(0, 2, (1, 9, 9), generator=torch.Generator().manual_seed(0))
    sure = torch.nn.functional.one_hot(label_maps, 3).movedim(-1, 1) if task == "multiclass" else label_maps[:, None]
    logits = (sure.float() - 0.5) * 200
    assert segmentation_loss(logits, label_maps, task, 255).item() == pytest.approx(0, abs=1e-4)
    assert segmentation_loss(logits.bfloat16(), label_maps, task, 255).dtype == torch.float32
    assert segmentation_loss(-logits, label_maps, task, 255).item() > 10
    assert count == logits.shape[1]


# Figures


@settings(deadline=None)
@given(
    num_classes=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    ignored=st.sampled_from([0.0, 0.3, 1.0]),
    pictures=st.integers(0, 3),
)
def test_confusion_matrix_against_sets_of_pixels(num_classes: int, seed: int, ignored: float, pictures: int) -> None:
    random = np.random.default_rng(seed)
    confusion = ConfusionMatrix(num_classes, 77)
    label_maps, predictions = [], []
    for _ in range(pictures):
        label_map = random.integers(0, num_classes, (6, 7), np.uint8)
        label_map[random.random((6, 7)) < ignored] = 77
        label_maps.append(label_map)
        predictions.append(random.integers(0, random.integers(1, num_classes + 1), (6, 7), np.uint8))
        confusion.update(label_maps[-1], predictions[-1])
    pairs = [
        (int(label), int(predicted))
        for label_map, prediction in zip(label_maps, predictions, strict=True)
        for label, predicted in zip(label_map.flat, prediction.flat, strict=True)
        if label != 77
    ]
    expected = []
    for class_id in range(num_classes):
        union = sum(class_id in pair for pair in pairs)
        expected.append(sum(pair == (class_id, class_id) for pair in pairs) / union if union else math.nan)
    assert confusion.iou() == pytest.approx(expected, nan_ok=True)
    there = [value for value in expected if not math.isnan(value)]
    assert confusion.mean_iou() == pytest.approx(np.mean(there) if there else math.nan, nan_ok=True)
    right = sum(label == predicted for label, predicted in pairs)
    assert confusion.accuracy() == pytest.approx(right / len(pairs) if pairs else math.nan, nan_ok=True)
    assert confusion.matrix.sum() == len(pairs)


@pytest.mark.filterwarnings("error")
def test_figures_of_a_checkpoint(tiny_checkpoint: Path) -> None:
    loaded = load_checkpoint(tiny_checkpoint)
    always = Checkpoint("always", replace(loaded.config, threshold=0.0), loaded.model)
    samples = squares(2)
    empty = samples[1]._replace(label_map=np.zeros_like(samples[1].label_map))
    share = float((samples[0].label_map == 1).mean())
    figures = measure(always, [samples[0], empty])
    assert figures == pytest.approx({
        "mean_iou": share / 4, "iou_background": 0.0, "iou_newt": share / 2, "accuracy": share / 2,
        "mean_picture_iou": share / 2,
    })  # fmt: skip
    assert measure(always, []) == {}
