"""Events in words: a line for each, for the terminal and the log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from seg_demo.errors import Sentence
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

HEADLINES = ("loss", "accuracy", "mean_iou")
MOST_CLASSES = 5  # whose IoU is told; all figures are in events.jsonl


def told(event: Event) -> str:
    """One line.

    >>> told(RunStopped(120, "Ctrl-C"))
    'step 120  stopped: Ctrl-C'
    """
    match event:
        case RunStarted():
            length = f"{event.steps} steps" if event.steps else "until the time is over"
            drawn = f" and {event.drawn} drawn ones" if event.drawn else ""
            begin = f", going on after step {event.step}" if event.step else ""
            processes = f", {event.processes} processes" if event.processes > 1 else ""
            return (
                f"{event.pictures} pictures{drawn}, {event.validation} to validate on; {event.trainable:,} of "
                f"{event.parameters:,} parameters learn, on {event.device} in {event.precision}{processes}; "
                f"{length}{begin}"
            )
        case StepDone():
            return (
                f"step {event.step}  loss {event.loss:.4f}  learning rate {event.learning_rate:.3g}  "
                f"{event.images_per_second:.1f} images/s"
            )
        case MemoryShort():
            return (
                f"step {event.step}  memory is short: batches go through the network in {event.parts} parts from now on"
            )
        case SampleDrawn():
            return f"step {event.step}  drew {event.name}"
        case EpochDone():
            if not event.metrics:
                return f"step {event.step}  nothing to validate on"
            figures = "  ".join(f"{name} {event.metrics[name]:.4f}" for name in _headlines(event.metrics))
            return f"step {event.step}  epoch {event.epoch:.1f}  {figures}"
        case CheckpointSaved():
            return f"step {event.step}  saved {event.folder}"
        case RunStopped():
            return f"step {event.step}  stopped: {event.reason}"
        case RunFinished():
            return f"step {event.step}  finished after {event.seconds:.0f} s: {event.reason}"
        case RunFailed():
            return f"step {event.step}  failed: {event.reason}"


def grew(what: str, step: int, last: Path | None) -> Sentence:
    """Why a run failed at `step`, where `what` is no longer finite; last: a checkpoint from before, if there is one."""
    word = {"loss": Sentence("loss"), "gradient": Sentence("gradient"), "weights": Sentence("weights")}[what]
    if last is None:
        return Sentence(
            "The {what} grew beyond all bounds at step {step}. Lower optimizer.learning_rate.", what=word, step=step
        )
    return Sentence(
        "The {what} grew beyond all bounds at step {step}. Lower optimizer.learning_rate; the checkpoint {folder} is "
        "from before.",
        what=word, step=step, folder=last,
    )  # fmt: skip


def _headlines(metrics: Mapping[str, float]) -> list[str]:
    """The names of the figures that a line is for, in their order: the IoU of each class only where they are few."""
    classes = [name for name in metrics if name.startswith("iou_")]
    few = classes if len(classes) <= MOST_CLASSES else []
    return [name for name in metrics if name in HEADLINES or name in few]
