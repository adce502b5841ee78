"""How the learning rate changes in a run: the schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable

from seg_demo.registry import look_up
from seg_demo.train.config import ScheduleSettings

START, END = 1 / 25, 1 / 25e4
"""Of the schedule one-cycle, as shares of its peak; those of PyTorch's `OneCycleLR`."""


def rate_factor(settings: ScheduleSettings, progress: float) -> float:
    """What the highest learning rate is multiplied with at `progress`, the share of the run that is over: from 0 to 1.

    A `progress` below 0 or above 1 is taken as 0 or 1. Raises `UserError` for an unknown schedule.

    >>> rate_factor(ScheduleSettings("cosine", warm_up=0.2), 0.1), rate_factor(ScheduleSettings("cosine"), 1)
    (0.5, 0.0)
    """
    return look_up("schedule", SCHEDULES, settings.name)(settings, min(max(progress, 0.0), 1.0))


def one_cycle(settings: ScheduleSettings, progress: float) -> float:
    """Half a cosine up from 1/25 while warming up, then half a cosine down to almost nothing (Smith and Topin 2018)."""
    if progress < settings.warm_up:
        return _wave(START, 1, progress / settings.warm_up)
    return _wave(1, END, _rest(settings, progress))


def cosine(settings: ScheduleSettings, progress: float) -> float:
    """A linear rise from 0 while warming up, then half a cosine down to 0 (Loshchilov and Hutter, ICLR 2017)."""
    return _rise(settings, progress) * _wave(1, 0, _rest(settings, progress))


def poly(settings: ScheduleSettings, progress: float) -> float:
    """A linear rise, then (1 - share of the rest)^power, as in DeepLab (Chen et al., TPAMI 2017)."""
    return _rise(settings, progress) * (1 - _rest(settings, progress)) ** settings.power


def step(settings: ScheduleSettings, progress: float) -> float:
    """A linear rise, then constant but for the drops at the milestones, which are shares of the whole run."""
    return _rise(settings, progress) * settings.drop ** sum(place <= progress for place in settings.milestones)


def constant(settings: ScheduleSettings, progress: float) -> float:
    """A linear rise, then constant."""
    return _rise(settings, progress)


SCHEDULES: dict[str, Callable[[ScheduleSettings, float], float]] = {
    "one-cycle": one_cycle,
    "cosine": cosine,
    "poly": poly,
    "step": step,
    "constant": constant,
}


def _rise(settings: ScheduleSettings, progress: float) -> float:
    return progress / settings.warm_up if progress < settings.warm_up else 1.0


def _rest(settings: ScheduleSettings, progress: float) -> float:
    """The share that is over of what follows the warm-up; 0 before."""
    return (progress - settings.warm_up) / (1 - settings.warm_up) if progress > settings.warm_up else 0.0


def _wave(start: float, end: float, share: float) -> float:
    """Half a cosine from `start` to `end`."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
