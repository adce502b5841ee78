"""What a training run tells while it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class RunStarted:
    """The run is set up: pictures to learn from, steps to do, parameters of the model."""

    pictures: int
    steps: int
    parameters: int


@dataclass(frozen=True)
class StepDone:
    """One optimisation step: its number from one, loss, learning rate and pictures per second."""

    step: int
    loss: float
    learning_rate: float
    images_per_second: float


@dataclass(frozen=True)
class EpochDone:
    """A validation: figures by name, at the step it was made. The figures may be empty: nothing to validate on."""

    step: int
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint folder was written: `kind` is "last" or "best"."""

    step: int
    kind: str
    folder: Path


@dataclass(frozen=True)
class RunFinished:
    """All steps are done."""

    step: int
    seconds: float


@dataclass(frozen=True)
class RunFailed:
    """The run ended early for a reason told in one sentence; checkpoints saved before are good."""

    step: int
    reason: str


Event = RunStarted | StepDone | EpochDone | CheckpointSaved | RunFinished | RunFailed
