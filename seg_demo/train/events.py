"""What a training run tells while it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from seg_demo.errors import Sentence


@dataclass(frozen=True)
class RunStarted:
    """The run is set up, or goes on after `step` steps.

    pictures, drawn, validation: how many there are to learn from, brought and drawn, and to measure on. steps: that the
    run has in all, 0 where minutes decide. parameters: of the model; trainable: those of them that learn.
    """

    pictures: int
    drawn: int
    validation: int
    steps: int
    step: int
    parameters: int
    trainable: int
    device: str
    precision: str
    processes: int


@dataclass(frozen=True)
class StepDone:
    """One optimisation step: its number from one, passes over the pictures and share of the run so far, its figures.

    seconds: of training, all parts of the run together. images_per_second: of this step alone. memory: the most bytes
    that this part of the run has used so far, on the GPU where there is one.
    """

    step: int
    epoch: float
    share: float
    loss: float
    learning_rate: float
    images_per_second: float
    seconds: float
    memory: int = 0


@dataclass(frozen=True)
class MemoryShort:
    """A step did not fit into memory; batches now go through the network in `parts` parts."""

    step: int
    parts: int


@dataclass(frozen=True)
class SampleDrawn:
    """A validation picture with what the model sees in it, as a file: image, label map and prediction side by side."""

    step: int
    name: str
    file: Path


@dataclass(frozen=True)
class EpochDone:
    """A validation: figures by name, at the step it was made. The figures may be empty: nothing to validate on."""

    step: int
    epoch: float
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint folder was written: `kind` is "last" or "best"."""

    step: int
    kind: str
    folder: Path


@dataclass(frozen=True)
class RunStopped:
    """The run was stopped after `step` steps and can be resumed to the same end."""

    step: int
    reason: Sentence | str


@dataclass(frozen=True)
class RunFinished:
    """The run is done, for a reason told in one sentence. seconds: of training, all parts of the run together."""

    step: int
    seconds: float
    reason: Sentence | str


@dataclass(frozen=True)
class RunFailed:
    """The run ended early for a reason told in one sentence; checkpoints saved before are good."""

    step: int
    reason: Sentence | str


Event = (
    RunStarted
    | StepDone
    | MemoryShort
    | SampleDrawn
    | EpochDone
    | CheckpointSaved
    | RunStopped
    | RunFinished
    | RunFailed
)
