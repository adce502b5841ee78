"""How long a run is, when it is validated and over, and its events in words: tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from training import with_

from seg_demo.data.loader import Order
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
from seg_demo.train.progress import VALIDATION_SHARE, Length, Progress
from seg_demo.train.telling import told


@pytest.mark.parametrize(
    ("changes", "pictures", "expected"),
    [
        ({"steps": 10}, 7, Length(10, 0)),
        ({"steps": 0, "epochs": 2, "batch_size": 4}, 7, Length(4, 0)),  # 14 pictures
        ({"steps": 0, "epochs": 0.1, "batch_size": 4}, 7, Length(1, 0)),
        ({"steps": 0, "epochs": 1e-9, "batch_size": 4}, 7, Length(1, 0)),
        ({"steps": 10, "epochs": 2, "batch_size": 4}, 7, Length(4, 0)),
        ({"steps": 3, "epochs": 2, "batch_size": 4}, 7, Length(3, 0)),
        ({"steps": 0, "minutes": 1.5}, 7, Length(0, 90)),
        ({"steps": 5, "minutes": 2}, 7, Length(5, 120)),
    ],
)
def test_length(changes: dict[str, Any], pictures: float, expected: Length) -> None:
    assert Length.of(with_(**changes), pictures) == expected


@given(
    photos=st.integers(1, 500),
    share=st.integers(0, 99),
    epochs=st.integers(1, 100),
    batch_size=st.integers(1, 64),
)
@example(photos=1, share=89, epochs=11, batch_size=1)
def test_epochs_are_counted_without_rounding(photos: int, share: int, epochs: int, batch_size: int) -> None:
    """A step more than is needed would come from 10.000000000000002 pictures in a pass."""
    order = Order((photos, 5), share / 100, 0)
    length = Length.of(with_(steps=0, epochs=epochs, batch_size=batch_size), order.epoch_length)
    assert length.steps == math.ceil(epochs * photos / (1 - Fraction(share, 100)) / batch_size)


@pytest.mark.parametrize(
    ("progress", "length", "share", "ahead"),
    [
        (Progress(0), Length(10, 0), 0.0, 0.05),
        (Progress(3), Length(10, 0), 0.3, 0.35),
        (Progress(10), Length(10, 0), 1.0, 1.0),
        (Progress(12), Length(10, 0), 1.0, 1.0),  # it was made shorter
        (Progress(3, 30.0), Length(0, 60), 0.5, 0.5),
        (Progress(3, 90.0), Length(0, 60), 1.0, 1.0),
        (Progress(3, 6.0), Length(10, 60), 0.3, 0.35),
        (Progress(1, 30.0), Length(10, 60), 0.5, 0.5),
    ],
)
def test_share(progress: Progress, length: Length, share: float, ahead: float) -> None:
    assert progress.share(length) == pytest.approx(share)
    assert progress.share(length, ahead=0.5) == pytest.approx(ahead)
    assert progress.over(length) == (share == 1)


TEN, MINUTE = Length(100, 0), Length(0, 60)
MADE = {"validated": 10}


@pytest.mark.parametrize(
    ("progress", "length", "every", "first", "expected"),
    [
        (Progress(0), TEN, 0, 0.0, False),
        (Progress(9), TEN, 0, 0.0, False),
        (Progress(10), TEN, 0, 0.0, True),
        (Progress(10, **MADE), TEN, 0, 0.0, False),  # type: ignore[arg-type]
        (Progress(19, **MADE), TEN, 0, 0.0, False),  # type: ignore[arg-type]
        (Progress(20, **MADE), TEN, 0, 0.0, True),  # type: ignore[arg-type]
        (Progress(35, **MADE), TEN, 0, 0.0, True),  # type: ignore[arg-type]
        (Progress(100, validated=90), TEN, 0, 0.0, True),
        (Progress(100, validated=100), TEN, 0, 0.0, False),
        (Progress(10, **MADE), TEN, 5, 0.0, False),  # type: ignore[arg-type]
        (Progress(14), TEN, 5, 0.0, False),
        (Progress(15), TEN, 5, 0.0, True),
        (Progress(0), TEN, 5, 0.0, False),
        (Progress(100, validated=95), TEN, 7, 0.0, True),  # always at the end
        (Progress(7, 5.9), MINUTE, 0, 0.0, False),
        (Progress(7, 6.1), MINUTE, 0, 0.0, True),
        (Progress(7, 6.1), MINUTE, 0, 2.0, False),  # the first would cost too much
        (Progress(7, 8.1), MINUTE, 0, 2.0, True),
        (Progress(7, 15.0, 2, 3.0, 9.0), MINUTE, 0, 0.0, False),  # 12 s of training for 3 s
        (Progress(7, 21.1, 2, 3.0, 9.0), MINUTE, 0, 0.0, True),
        (Progress(7, 15.0, 2, 3.0, 9.0), MINUTE, 7, 0.0, True),  # who says how often gets it
        (Progress(7, 60.0, 2, 30.0, 50.0), MINUTE, 0, 0.0, True),
    ],
)
def test_when_a_validation_is_due(progress: Progress, length: Length, every: int, first: float, expected: bool) -> None:
    assert progress.due(length, every, first) is expected


def test_a_run_that_is_made_longer_is_validated_in_its_new_part() -> None:
    progress = Progress(20, validated=20)
    found = []
    for step in range(21, 41):
        progress.step = step
        if progress.due(Length(40, 0), 0):
            found.append(step)
            progress.note_validation(0.0)
    assert found == [24, 28, 32, 36, 40]


def test_a_run_is_not_over_before_its_first_step() -> None:
    assert not Progress(0, seconds=100.0).over(Length(0, 1.0))
    assert Progress(1, seconds=100.0).over(Length(0, 1.0))


@given(cost=st.floats(0.01, 100), minutes=st.floats(1, 20))
def test_validations_take_a_share_of_the_time_at_most(cost: float, minutes: float) -> None:
    length, progress = Length(0, 60 * minutes), Progress()
    made = 0
    while not progress.over(length):
        progress.step += 1
        progress.seconds += 1.0
        if not progress.over(length) and progress.due(length, 0, cost):
            progress.note_validation(cost)
            progress.seconds += cost
            made += 1
    assert made <= 10
    assert made * cost <= VALIDATION_SHARE * progress.seconds * (1 + 1e-9)


@pytest.mark.parametrize(
    ("name", "figures", "better"),
    [
        ("mean_iou", [0.2, 0.3, 0.3, 0.1, 0.4], [True, True, False, False, True]),
        ("loss", [0.2, 0.3, 0.1, 0.1, 0.4], [True, False, True, False, False]),
        ("mean_iou", [None, 0.0, None, 0.1], [False, True, False, True]),
    ],
)
def test_best(name: str, figures: list[float | None], better: list[bool]) -> None:
    progress = Progress()
    found = []
    for figure in figures:
        metrics: Mapping[str, float] = {} if figure is None else {name: figure}
        found.append(progress.note_figure(metrics, name))
    assert found == better


def test_patience_counts_validations_since_the_best() -> None:
    progress = Progress()
    tired = []
    for figure in (0.5, 0.4, 0.6, 0.6, 0.1):
        progress.note_figure({"mean_iou": figure}, "mean_iou")
        tired.append(progress.tired(2))
    assert tired == [False, False, False, False, True]
    assert not progress.tired(0)


def test_a_document_is_the_progress() -> None:
    progress = Progress(3, 4.5, 2, 0.5, 3.0, 0.7, 1, 4)
    assert Progress.of({**progress.document(), "events": 7}) == progress


STARTED = RunStarted(1200, 0, 30, 500, 0, 1234567, 1234, "cpu", "bfloat16", 1)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            STARTED,
            "1200 pictures, 30 to validate on; 1,234 of 1,234,567 parameters learn, on cpu in bfloat16; 500 steps",
        ),
        (
            RunStarted(4, 12, 0, 0, 17, 10, 10, "cuda", "float16", 2),
            "4 pictures and 12 drawn ones, 0 to validate on; 10 of 10 parameters learn, on cuda in float16, 2 "
            "processes; until the time is over, going on after step 17",
        ),
        (
            StepDone(7, 1.5, 0.25, 0.123456, 0.00098765, 12.34, 9.0),
            "step 7  loss 0.1235  learning rate 0.000988  12.3 images/s",
        ),
        (MemoryShort(3, 4), "step 3  memory is short: batches go through the network in 4 parts from now on"),
        (SampleDrawn(4, "cat", Path("cat.jpg")), "step 4  drew cat"),
        (EpochDone(4, 1.25, {"mean_iou": 0.5, "loss": 1.23456}), "step 4  epoch 1.2  mean_iou 0.5000  loss 1.2346"),
        (EpochDone(4, 1.0), "step 4  nothing to validate on"),
        (CheckpointSaved(4, "best", Path("runs/one/best")), "step 4  saved runs/one/best"),
        (RunStopped(4, "as it was asked to"), "step 4  stopped: as it was asked to"),
        (RunFinished(9, 61.6, "its length is reached"), "step 9  finished after 62 s: its length is reached"),
        (RunFailed(9, "The loss grew."), "step 9  failed: The loss grew."),
    ],
)
def test_an_event_in_words(event: Event, line: str) -> None:
    assert told(event) == line
