"""The training loop: its events, its end, repeatability, runs that stop and go on, run out of memory, or go wrong."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training import QUICK, THREE, TINY, Tiny, kinds, left_of, pictures, run, same, squares, state, weights, with_

from seg_demo.checkpoint import load_checkpoint
from seg_demo.data.dataset import Sample
from seg_demo.data.loader import Batch
from seg_demo.errors import UserError
from seg_demo.evaluate.report import measure
from seg_demo.infer.memory import is_out_of_memory
from seg_demo.models import build_model
from seg_demo.models.registry import ARCHITECTURES
from seg_demo.train import learner as learner_module
from seg_demo.train import loop
from seg_demo.train.config import TrainConfig
from seg_demo.train.events import (
    CheckpointSaved,
    EpochDone,
    Event,
    MemoryShort,
    RunFailed,
    RunFinished,
    RunStarted,
    RunStopped,
    SampleDrawn,
    StepDone,
)
from seg_demo.train.learner import Learner
from seg_demo.train.losses import Loss
from seg_demo.train.pictures import Pictures
from seg_demo.train.ranks import Ranks
from seg_demo.train.run import Run
from seg_demo.train.schedule import rate_factor


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARCHITECTURES, "tiny", TINY)
    monkeypatch.setattr("os.fsync", lambda file: None)


def tiny(**changes: Any) -> TrainConfig:
    config = with_(model__architecture="tiny", average=0)
    return with_(config, **changes)


def of_kind(events: list[Event], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


# Events, and when they come


def test_events_come_in_order(tmp_path: Path) -> None:
    events = run(QUICK, tmp_path)
    best = [event for event in of_kind(events, CheckpointSaved) if event.kind == "best"]
    assert best
    assert kinds([event for event in events if event not in best]) == [
        "RunStarted",
        *("StepDone", "StepDone", "SampleDrawn", "EpochDone", "CheckpointSaved"),
        *("StepDone", "StepDone", "SampleDrawn", "EpochDone", "CheckpointSaved"),
        "RunFinished",
    ]
    started, finished = events[0], events[-1]
    parameters = sum(value.numel() for value in load_checkpoint(tmp_path / "last").model.parameters())
    assert started == RunStarted(4, 0, 2, 4, 0, parameters, parameters, "cpu", "float32", 1)
    steps = of_kind(events, StepDone)
    assert [(event.step, event.epoch, event.share) for event in steps] == [
        (1, 0.5, 0.25), (2, 1.0, 0.5), (3, 1.5, 0.75), (4, 2.0, 1.0)
    ]  # fmt: skip
    assert all(math.isfinite(event.loss) and event.images_per_second > 0 for event in steps)
    assert all(before.seconds < after.seconds for before, after in zip(steps, steps[1:], strict=False))
    shares = [0.125, 0.375, 0.625, 0.875]  # the middle of each step
    assert [event.learning_rate for event in steps] == [0.01 * rate_factor(QUICK.schedule, share) for share in shares]
    assert events[-2] == CheckpointSaved(4, "last", tmp_path / "last")
    assert isinstance(finished, RunFinished)
    assert (finished.step, finished.reason) == (4, "its length is reached")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best", "config.json", "events.jsonl", "last", "log.txt", "samples", "state", "tensorboard"
    ]  # fmt: skip


@pytest.mark.parametrize(("figure", "better"), [("mean_iou", max), ("loss", min)])
def test_best_is_the_best_so_far(figure: str, better: Callable[..., float], tmp_path: Path) -> None:
    events = run(with_(steps=8, validation__best=figure, optimizer__learning_rate=0.05), tmp_path)
    figures = {event.step: event.metrics for event in of_kind(events, EpochDone)}
    values = [metrics[figure] for metrics in figures.values()]
    expected = [
        step
        for number, step in enumerate(figures)
        if not number or (values[number] not in values[:number] and better(values[: number + 1]) == values[number])
    ]
    saved = [event.step for event in of_kind(events, CheckpointSaved) if event.kind == "best"]
    assert saved == expected
    best = load_checkpoint(tmp_path / "best")
    assert best.config.metrics == {"validation, 2 pictures": figures[saved[-1]]}
    assert best.config.training["steps"] == saved[-1]
    # Another order in memory sums in another order.
    assert measure(best, squares(2), "cpu") == pytest.approx(figures[saved[-1]], rel=1e-6)


def test_patience_ends_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([0.5, 0.4, 0.6, 0.6, 0.1, 0.9])

    def measured(*_: Any, **__: Any) -> Generator[Any, None, dict[str, float]]:
        yield from ()
        return {"mean_iou": next(found)}

    monkeypatch.setattr(loop, "validate", measured)
    config = with_(steps=20, validation__patience=2)
    events = run(config, tmp_path)
    assert [event.step for event in of_kind(events, CheckpointSaved) if event.kind == "best"] == [2, 6]
    assert isinstance(events[-1], RunFinished)
    assert (events[-1].step, events[-1].reason) == (10, "2 validations were no better")
    again = run(config, tmp_path)  # and so it stays
    assert kinds(again) == ["RunStarted", "RunFinished"]
    assert again[-1].step == 10  # type: ignore[union-attr]


def test_without_validation_there_is_no_best(tmp_path: Path) -> None:
    events = run(QUICK, tmp_path, pictures(validation=[]))
    assert [event.metrics for event in of_kind(events, EpochDone)] == [{}, {}]
    assert (tmp_path / "last").is_dir()
    assert not (tmp_path / "best").exists()


def test_validation_pictures_that_are_ignored_altogether(tmp_path: Path) -> None:
    nothing = [sample._replace(label_map=np.full_like(sample.label_map, 255)) for sample in squares(2)]
    assert kinds(run(QUICK, tmp_path, pictures(validation=nothing)))[-1] == "RunFinished"
    assert not (tmp_path / "best").exists()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"steps": 7, "validation__every": 3}, [3, 6, 7]),
        ({"steps": 6, "validation__every": 100}, [6]),
        ({"steps": 20, "validation__every": 0}, list(range(2, 21, 2))),
        ({"steps": 3, "validation__every": 0}, [1, 2, 3]),
        ({"steps": 0, "epochs": 1.5, "validation__every": 2}, [2, 3]),
    ],
)
def test_when_it_is_validated(changes: dict[str, Any], expected: list[int], tmp_path: Path) -> None:
    events = run(tiny(**changes, validation__pictures=0), tmp_path, pictures(validation=squares(1)))
    assert [event.step for event in of_kind(events, EpochDone)] == expected
    assert of_kind(events, RunFinished)[0].step == expected[-1]


def test_samples_are_spread_over_the_pictures(tmp_path: Path) -> None:
    some = pictures(validation=squares(5))
    for number, expected in ((0, []), (2, [0, 2]), (9, [0, 1, 2, 3, 4])):
        events = run(tiny(steps=1, validation__pictures=number), tmp_path / str(number), some)
        drawn = of_kind(events, SampleDrawn)
        assert [event.name for event in drawn] == [f"square_{index}" for index in expected]
        assert all(event.file.is_file() for event in drawn)


class Clock:
    """Each look at it takes a second, and more where it is told so."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    return clock


def test_minutes_end_a_run_and_lead_the_learning_rate(tmp_path: Path, clock: Clock) -> None:
    config = tiny(steps=0, minutes=1, schedule__name="cosine", schedule__warm_up=0, validation__every=1000)
    events = run(config, tmp_path)
    steps = of_kind(events, StepDone)
    assert 10 < len(steps) < 60
    rates = [event.learning_rate for event in steps]
    assert all(after < before for before, after in zip(rates, rates[1:], strict=False))
    assert rates[0] > 0.0095
    assert rates[-1] < 0.0005
    assert of_kind(events, EpochDone)[-1].step == steps[-1].step == len(steps)
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert 60 <= finished.seconds < 70


def test_the_time_of_validations_is_bounded(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: Any, **__: Any) -> Generator[Any, None, dict[str, float]]:
        yield from ()
        clock.now += 20
        return {"mean_iou": 0.5}

    monkeypatch.setattr(loop, "validate", slow)
    events = run(tiny(steps=0, minutes=10, validation__every=0), tmp_path)
    assert 4 <= len(of_kind(events, EpochDone)) <= 7  # of 20 s each in 600 s; ten would be every minute


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_loss_falls_and_the_squares_are_found(task: str, tmp_path: Path) -> None:
    labels = (1,) if task == "binary" else (1, 2)
    config = with_(
        with_(classes=THREE) if task == "multiclass" else QUICK, steps=120, validation__every=120, average=0.8,
        loss__name="cross-entropy+dice", optimizer__learning_rate=0.02,
        augmentation__hue=0, augmentation__grayscale=0,  # the class is in the colour
    )  # fmt: skip
    some = squares(4, labels)
    events = run(config, tmp_path, pictures(some, (), some, config.data.classes or THREE))
    losses = [event.loss for event in of_kind(events, StepDone)]
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])
    assert of_kind(events, EpochDone)[-1].metrics["mean_iou"] > 0.7


# The same again


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    for name, seed, count in (("one", 3, 0), ("same", 3, 0), ("workers", 3, 1), ("other", 4, 0)):
        torch.rand(7)  # The run must not depend on what was drawn before it.
        config = tiny(seed=seed, data__workers=count, model__arguments={"dropout": 20})
        run(config, tmp_path / name, pictures(validation=[]))
    one, again, workers, other = (
        (tmp_path / name / "last/model.safetensors").read_bytes() for name in ("one", "same", "workers", "other")
    )
    assert one == again == workers
    assert one != other


@pytest.mark.parametrize("auxiliary", [0.4, 0.0])
def test_the_auxiliary_head_learns_too(auxiliary: float, tmp_path: Path) -> None:
    arguments = {"backbone": "mobilenet_v3_large"}
    config = with_(
        model__architecture="deeplabv3", model__arguments=arguments, steps=1, average=0, loss__auxiliary=auxiliary
    )
    run(config, tmp_path, pictures(validation=[]))
    torch.manual_seed(config.seed)
    before = build_model("deeplabv3", 1, **arguments).state_dict()
    after = load_checkpoint(tmp_path / "last").model.state_dict()
    for head in ("classifier.4.weight", "aux_classifier.4.weight", "aux_classifier.0.weight"):
        learned = not torch.equal(after[head], before[head])
        assert learned == (head.startswith("classifier") or auxiliary > 0), head


def test_drawn_pictures_alone(tmp_path: Path) -> None:
    config = tiny(data__drawn_share=1, data__drawn_pictures=4)
    assert kinds(run(config, tmp_path, pictures([], squares())))[-1] == "RunFinished"


@pytest.mark.parametrize(("real", "share"), [([], 0.0), ([], 0.5), (squares(1), 0.5)])
def test_no_pictures(real: list[Sample], share: float, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        run(tiny(data__drawn_share=share, data__drawn_pictures=1), tmp_path, pictures(real))
    assert str(caught.value) == "There are no pictures to learn from. Give a folder of photos, or draw some."
    assert not (tmp_path / "last").exists()


# Stopped and resumed


class Stopped(Exception):
    pass


def part(config: TrainConfig, folder: Path, some: Pictures, how: str, after: int) -> None:
    """A part of a run that ends early, in one of the ways in which a run can."""
    holder = Run(folder)
    if holder.exists:
        holder.go_on()
    else:
        holder.begin(config, {})
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return how == "stop" and asked > after

    events = holder.record(loop.train(config, some, holder, {}, device="cpu", stop=stop))
    try:
        for number, event in enumerate(events):
            torch.rand(0)
            if how == "raise" and number == after:
                raise Stopped
            if how == "close" and number == after:
                events.close()  # type: ignore[attr-defined]
            if how == "kill" and number == after:
                # What a kill leaves is what is on the disk now: nothing of what closing does may reach it.
                with pytest.MonkeyPatch.context() as dead:
                    dead.setattr(loop.Saving, "state", lambda *_: None)
                    dead.setattr(loop.Saving, "checkpoint", lambda *_: None)
                    events.close()  # type: ignore[attr-defined]
            if isinstance(event, RunStopped):
                assert load_checkpoint(folder / "last").config.training["steps"] == event.step
                assert how == "stop"
    except Stopped:
        del events  # as the end of a function does
    holder.close()


HOWS = ("close", "raise", "stop", "kill")
SIX = {"steps": 6, "validation__every": 3, "save_every": 0}
CHANGES: dict[str, dict[str, Any]] = {
    "adamw, average": {},
    "sgd": {"average": 0, "optimizer__name": "sgd", "optimizer__learning_rate": 0.1},
    "accumulate": {"batch_size": 4, "accumulate": 2, "data__crop": 40},
    "drawn": {"data__drawn_share": 0.3, "data__drawn_pictures": 3},
    "dropout": {"model__architecture": "tiny", "model__arguments": {"dropout": 50}, "validation__best": "loss"},
    "kept features": {
        "model__architecture": "tiny", "model__arguments": {"dropout": 10}, "model__freeze": True,
        "model__keep_features": 2, "average": 0,
    },
    "bfloat16": {"precision": "bfloat16"},
    "float16": {"precision": "float16", "model__architecture": "tiny", "average": 0},
    "multiclass, epochs": {"classes": THREE, "steps": 0, "epochs": 3, "loss__class_weights": "1,2,3"},
}  # fmt: skip


def case_of(case: str) -> tuple[TrainConfig, Pictures]:
    config = with_(**{**SIX, **CHANGES[case]})
    if config.data.classes == THREE:
        return config, pictures(squares(4, (1, 2)), (), squares(2, (1, 2)), THREE)
    return config, pictures(drawn=squares(3) if case == "drawn" else ())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """What a run leaves that goes on to its end at once, by the name of the case."""
    known: dict[str, dict[str, Any]] = {}

    def of(case: str) -> dict[str, Any]:
        if case not in known:
            folder = tmp_path_factory.mktemp("whole")
            config, some = case_of(case)
            run(config, folder, some)
            known[case] = left_of(folder)
        return known[case]

    return of


def interrupted(case: str, stops: list[tuple[str, int]], folder: Path) -> dict[str, Any]:
    config, some = case_of(case)
    for how, after in stops:
        part(config, folder, some, how, after)
    run(config, folder, some)
    return left_of(folder)


def compare(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found["events"] == expected["events"]
    assert found["files"] == expected["files"]
    assert [name for name in expected if found.get(name) != expected[name]] == []
    assert found.keys() == expected.keys()


@pytest.mark.parametrize("case", CHANGES)
def test_stopped_and_resumed_it_comes_to_the_same(
    case: str, whole: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    chance = random.Random(case)
    hows = [how for how in HOWS for _ in range(1)]
    chance.shuffle(hows)
    compare(interrupted(case, [(how, chance.randrange(1, 7)) for how in hows], tmp_path), whole(case))


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(
    case=st.sampled_from(list(CHANGES)),
    stops=st.lists(st.tuples(st.sampled_from(HOWS), st.integers(0, 20)), min_size=1, max_size=6),
)
def test_any_stops_come_to_the_same(
    case: str,
    stops: list[tuple[str, int]],
    whole: Callable[[str], dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    compare(interrupted(case, stops, tmp_path_factory.mktemp("run")), whole(case))


@pytest.mark.slow
@pytest.mark.parametrize("how", HOWS)
def test_a_stop_after_each_single_event(how: str, whole: Callable[[str], dict[str, Any]], tmp_path: Path) -> None:
    for after in range(18):
        compare(interrupted("dropout", [(how, after)], tmp_path / str(after)), whole("dropout"))


@pytest.mark.parametrize("after", [0, 4, 6, 7])
@pytest.mark.parametrize("how", ["close", "stop"])
def test_a_stop_in_the_middle_of_a_validation(
    how: str, after: int, whole: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    """After 4 events or 4 questions comes the first validation; it is made again as a whole."""
    compare(interrupted("dropout", [(how, after)], tmp_path), whole("dropout"))


def test_workers_change_nothing_when_resumed(whole: Callable[[str], dict[str, Any]], tmp_path: Path) -> None:
    config, some = case_of("adamw, average")
    part(with_(config, data__workers=2), tmp_path, some, "close", 2)
    run(config, tmp_path, some)
    compare(left_of(tmp_path), whole("adamw, average"))


def test_slices_of_time_go_on_to_the_end(whole: Callable[[str], dict[str, Any]], tmp_path: Path, clock: Clock) -> None:
    config, some = case_of("adamw, average")
    reasons = []
    for _ in range(30):
        last = run(config, tmp_path, some, seconds=4)[-1]
        reasons.append(last.reason)  # type: ignore[union-attr]
        if isinstance(last, RunFinished):
            break
    assert set(reasons[:-1]) == {"this part is over"}
    assert len(reasons) == 6
    assert reasons[-1] == "its length is reached"
    compare(left_of(tmp_path), whole("adamw, average"))


@pytest.mark.parametrize(
    ("how", "save_every", "step"), [("kill", 0, 1), ("kill", 1000, 0), ("close", 1000, 2), ("raise", 1000, 2)]
)
def test_what_an_end_costs(how: str, save_every: float, step: int, tmp_path: Path) -> None:
    config = tiny(save_every=save_every, validation__every=100, steps=5)
    part(config, tmp_path, pictures(), how, 2)  # after the second step, before its state is saved in passing
    assert of_kind(run(config, tmp_path), RunStarted)[0].step == step


def test_a_stop_is_told_and_can_be_resumed_at_once(tmp_path: Path) -> None:
    events = run(QUICK, tmp_path, stop=lambda: True)
    assert kinds(events) == ["RunStarted", "CheckpointSaved", "RunStopped"]
    assert events[-1] == RunStopped(0, "as it was asked to")
    assert kinds(run(QUICK, tmp_path))[-1] == "RunFinished"


def test_closing_before_the_first_step_leaves_a_run_to_resume(tmp_path: Path) -> None:
    part(QUICK, tmp_path, pictures(), "close", 0)
    assert not (tmp_path / "last").exists()
    assert kinds(run(QUICK, tmp_path))[-1] == "RunFinished"


def test_a_finished_run_stays_finished(tmp_path: Path) -> None:
    run(QUICK, tmp_path)
    before = left_of(tmp_path)
    assert kinds(run(QUICK, tmp_path)) == ["RunStarted", "RunFinished"]
    compare(left_of(tmp_path), before)


def test_a_stop_that_is_heard_once_only(tmp_path: Path) -> None:
    """It breaks the validation off, and the run must not go on beyond it."""
    asked: list[int] = []

    def once() -> bool:
        asked.append(1)
        return len(asked) == 3

    events = run(tiny(steps=2), tmp_path, stop=once)
    assert kinds(events)[-1] == "RunStopped"
    assert [event.step for event in of_kind(events, StepDone)] == [1, 2]


@pytest.mark.parametrize(
    ("first", "then", "sentence"),
    [
        (
            {"model__arguments": {"width": 4, "depth": 2}}, {"model__arguments": {"width": 8, "depth": 2}},
            "The state of the run belongs to another model. Start a new run.",
        ),
        ({}, {"optimizer__name": "sgd"}, "The saved state of the optimiser does not fit this run: "),
    ],
)  # fmt: skip
def test_a_state_of_another_model(first: Any, then: Any, sentence: str, tmp_path: Path) -> None:
    run(with_(**first), tmp_path, stop=lambda: False)
    with pytest.raises(UserError, match="^" + sentence):
        run(with_(**then), tmp_path)


# Memory


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory: you ..."), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (UserError("There is not enough memory."), False),
        (OSError(12, "Cannot allocate memory"), False),
    ],
)
def test_what_short_memory_is(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


@pytest.mark.parametrize(("most", "parts"), [(2, 2), (1, 4)])
def test_short_memory_cuts_batches_to_the_same_effect(
    most: int, parts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(batch_size=4, optimizer__name="sgd")
    run(with_(config, accumulate=parts), tmp_path / "parts")
    monkeypatch.setattr(Tiny, "most", most)
    events = run(config, tmp_path / "short")
    assert of_kind(events, MemoryShort) == [MemoryShort(1, parts)]
    assert same(weights(tmp_path / "short/last"), weights(tmp_path / "parts/last"))


def test_parts_survive_a_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tiny, "most", 1)
    config = tiny(batch_size=4)
    part(config, tmp_path, pictures(), "close", 2)
    assert of_kind(run(config, tmp_path), MemoryShort) == []


def test_one_picture_that_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tiny, "most", 0)
    with pytest.raises(UserError) as caught:
        run(tiny(batch_size=3), tmp_path)
    expected = "There is not enough memory to learn from one picture at a time. Lower data.crop or batch_size."
    assert str(caught.value) == expected


def test_other_errors_are_not_taken_for_short_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(Tiny, "logits", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        run(tiny(), tmp_path)


@pytest.mark.parametrize("loss", ["cross-entropy", "bce", "focal"])
@pytest.mark.parametrize("parts", [2, 3, 4])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(loss: str, parts: int) -> None:
    """With weights of the classes and ignored pixels that are unevenly spread: one picture has nothing labelled."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn((4, 3, 32, 32), generator=generator)
    label_maps = torch.randint(0, 3, (4, 32, 32), generator=generator)
    for number, rows in enumerate((0, 5, 30, 32)):
        label_maps[number, :rows] = 255
    gradients, losses = [], []
    for count in (1, parts):
        config = tiny(
            classes=THREE, batch_size=4, accumulate=count, loss__name=loss, loss__class_weights="0.2,1,7",
            optimizer__clip=0,
        )  # fmt: skip
        torch.manual_seed(0)
        learner = Learner(build_model("tiny", 3), config, THREE, "multiclass", torch.device("cpu"), Ranks())
        losses.append(learner.step(Batch(images, label_maps, ()), 1e-9))
        gradients.append([value.grad for value in learner.model.parameters() if value.grad is not None])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert len(gradients[0]) == 4
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


# Runs that go wrong


@pytest.mark.parametrize("average", [0.0, 0.5])
@pytest.mark.parametrize("rate", [1e4, 1e18, 1e30])
def test_a_learning_rate_that_is_too_high(rate: float, average: float, tmp_path: Path) -> None:
    """Whatever becomes of the weights: all that is saved is finite."""
    from dataclasses import replace

    config = with_(steps=12, validation__every=12, average=average)
    config = replace(config, optimizer=replace(config.optimizer))
    object.__setattr__(config.optimizer, "learning_rate", rate)  # beyond what it may be
    holder = Run(tmp_path)
    holder.begin(QUICK, {})
    events = list(holder.record(loop.train(config, pictures(), holder, {}, device="cpu")))
    holder.close()
    if rate >= 1e18:
        assert isinstance(events[-1], RunFailed)
        assert "Lower optimizer.learning_rate" in events[-1].reason
        assert ("is from before" in events[-1].reason) == (tmp_path / "last").is_dir()
    if average:
        assert (tmp_path / "last").is_dir()
    for name in ("last", "best"):
        if (tmp_path / name).exists():
            load_checkpoint(tmp_path / name)
            assert all(value.isfinite().all() for value in weights(tmp_path / name).values())


class Broken(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor) -> torch.Tensor:
        return logits.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return gradient * math.inf


@pytest.mark.parametrize("average", [0.0, 0.5])
@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_loss_or_gradient_that_is_not_finite(
    where: str, average: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = learner_module.build_loss
    calls = []

    class ThirdBreaks(Loss):
        def __call__(self, outputs: dict[str, torch.Tensor], label_maps: torch.Tensor) -> torch.Tensor:
            calls.append(1)
            if len(calls) == 3:
                if where == "loss":
                    return outputs["out"].sum() * math.nan
                outputs = {"out": Broken.apply(outputs["out"])}
            return super().__call__(outputs, label_maps)

    monkeypatch.setattr(learner_module, "build_loss", lambda *given, **rest: ThirdBreaks(**vars(built(*given, **rest))))
    events = run(tiny(steps=9, validation__every=9, average=average), tmp_path)
    assert kinds(events) == ["RunStarted", "StepDone", "StepDone", "CheckpointSaved", "RunFailed"]
    assert events[-1] == RunFailed(
        3,
        f"The {where} grew beyond all bounds at step 3. Lower optimizer.learning_rate; the checkpoint "
        f"{tmp_path / 'last'} is from before.",
    )
    run(tiny(steps=2, validation__every=9, average=average), tmp_path / "two")
    assert load_checkpoint(tmp_path / "last").config.training["steps"] == 2
    assert all(value.isfinite().all() for value in weights(tmp_path / "last").values())


def test_a_state_holds_nothing_but_tensors_that_are_finite(tmp_path: Path) -> None:
    run(QUICK, tmp_path)
    found = state(tmp_path)
    assert all(value.isfinite().all() for value in found.values() if value.is_floating_point())
    assert {name.partition(".")[0] for name in found} == {"model", "optimizer", "average", "random", "scaler"}
