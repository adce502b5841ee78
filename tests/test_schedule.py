"""Schedules against PyTorch's own, where they coincide, and what all of them keep."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from seg_demo.train.config import ScheduleSettings
from seg_demo.train.schedule import SCHEDULES, rate_factor


def test_every_schedule_of_the_settings_is_there() -> None:
    assert tuple(SCHEDULES) == get_args(get_type_hints(ScheduleSettings)["name"])


def rates_of_torch(build: Callable[[torch.optim.Optimizer], Any], steps: int) -> list[float]:
    """The learning rates of a scheduler with a peak of 1, before the first step and after each."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = build(optimizer)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize(
    ("asked", "build"),
    [
        (ScheduleSettings("cosine", 0.0), lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=40)),
        (ScheduleSettings("poly", 0.0, power=0.9), lambda o: lr_scheduler.PolynomialLR(o, total_iters=40, power=0.9)),
        (ScheduleSettings("poly", 0.0, power=2.0), lambda o: lr_scheduler.PolynomialLR(o, total_iters=40, power=2.0)),
        (
            ScheduleSettings("step", 0.0, milestones=(0.25, 0.75, 0.75), drop=0.2),
            lambda o: lr_scheduler.MultiStepLR(o, milestones=[10, 30, 30], gamma=0.2),
        ),
        (ScheduleSettings("constant", 0.0), lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
    ],
)
def test_against_torch(asked: ScheduleSettings, build: Callable[[torch.optim.Optimizer], Any]) -> None:
    expected = rates_of_torch(build, 40)
    assert [rate_factor(asked, step / 40) for step in range(41)] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("warm_up", [0.1, 0.3, 0.75])
def test_one_cycle_against_torch(warm_up: float) -> None:
    steps = 40
    expected = rates_of_torch(
        lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=steps, pct_start=warm_up, cycle_momentum=False), steps - 1
    )
    turn = warm_up * steps - 1  # the step with the peak, counted from 0; that of the end is steps - 1
    places = [
        warm_up * step / turn if step <= turn else warm_up + (1 - warm_up) * (step - turn) / (steps - 1 - turn)
        for step in range(steps)
    ]
    found = [rate_factor(ScheduleSettings("one-cycle", warm_up), place) for place in places]
    assert found == pytest.approx(expected, rel=1e-6)
    assert (found[0], max(found), found[-1]) == pytest.approx((0.04, 1, 4e-6))


@pytest.mark.parametrize(
    ("name", "factors"),
    [  # at 0, 0.1, 0.2, 0.6 and 1, with a warm-up of 0.2
        ("one-cycle", (0.04, 0.52, 1, 0.500002, 4e-6)),
        ("cosine", (0, 0.5, 1, 0.5, 0)),
        ("poly", (0, 0.5, 1, 0.25, 0)),
        ("step", (0, 0.5, 1, 0.1, 0.01)),
        ("constant", (0, 0.5, 1, 1, 1)),
    ],
)
def test_numbers_by_hand(name: Any, factors: tuple[float, ...]) -> None:
    asked = ScheduleSettings(name, warm_up=0.2, power=2.0)
    assert [rate_factor(asked, place) for place in (0, 0.1, 0.2, 0.6, 1)] == pytest.approx(factors)


@settings(deadline=None)
@given(
    name=st.sampled_from(list(SCHEDULES)),
    warm_up=st.floats(0, 1),
    power=st.floats(0, 10),
    milestones=st.lists(st.floats(0, 1), max_size=3).map(tuple),
    drop=st.floats(0, 1),
    places=st.lists(st.floats(0, 1), min_size=2, max_size=20).map(sorted),
)
def test_up_while_warming_and_down_from_then_on(
    name: Any, warm_up: float, power: float, milestones: tuple[float, ...], drop: float, places: list[float]
) -> None:
    asked = ScheduleSettings(name, warm_up, power, milestones, drop)
    factors = np.array([rate_factor(asked, place) for place in places])
    assert np.isfinite(factors).all()
    assert (factors >= 0).all()
    assert (factors <= 1).all()
    late = np.array(places) >= warm_up
    assert (np.diff(factors[late]) <= 1e-12).all()
    if name != "step":
        assert (np.diff(factors[~late]) >= -1e-12).all()
        assert rate_factor(asked, warm_up) == 1


@settings(deadline=None)
@given(
    name=st.sampled_from([name for name in SCHEDULES if name != "step"]),
    warm_up=st.floats(0.05, 0.95),
    place=st.floats(0, 0.999),
)
def test_no_leaps(name: Any, warm_up: float, place: float) -> None:
    asked = ScheduleSettings(name, warm_up, power=1.0)
    steepest = max(1 / warm_up, 1 / (1 - warm_up)) * math.pi / 2
    assert abs(rate_factor(asked, place + 0.001) - rate_factor(asked, place)) <= steepest * 0.00101


def test_before_the_beginning_and_after_the_end() -> None:
    for name in SCHEDULES:
        asked = ScheduleSettings(name)  # type: ignore[arg-type]
        assert rate_factor(asked, -0.1) == rate_factor(asked, 0)
        assert rate_factor(asked, 1.1) == rate_factor(asked, 1)
