"""Events in words: a line for each, for the terminal and the log."""

from __future__ import annotations

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
            figures = "  ".join(f"{name} {value:.4f}" for name, value in event.metrics.items())
            return f"step {event.step}  epoch {event.epoch:.1f}  {figures}"
        case CheckpointSaved():
            return f"step {event.step}  saved {event.folder}"
        case RunStopped():
            return f"step {event.step}  stopped: {event.reason}"
        case RunFinished():
            return f"step {event.step}  finished after {event.seconds:.0f} s: {event.reason}"
        case RunFailed():
            return f"step {event.step}  failed: {event.reason}"
