"""Events for TensorBoard: scalars and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seg_demo.train.events import EpochDone, Event, SampleDrawn, StepDone

EVERY_STEPS = 10  # curves of many thousand steps need no more points than that


class Board:
    """Writes events to a folder that `tensorboard --logdir` shows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer: Any = None

    def open(self, first: int) -> None:
        """first: the step from which on nothing counts that was shown before."""
        from tensorboardX import SummaryWriter  # unlike TensorBoard itself, which only the reader needs, it is small

        # Two parts of a run may begin within a second, which is all that would tell their files apart.
        self.writer = SummaryWriter(str(self.folder), purge_step=first, filename_suffix=f".{first:09}")

    def show(self, event: Event) -> None:
        if self.writer is None or not self._writing():
            return
        if isinstance(event, StepDone) and event.step % EVERY_STEPS == 0:
            for name, value in (
                ("loss", event.loss),
                ("learning_rate", event.learning_rate),
                ("images_per_second", event.images_per_second),
            ):
                self.writer.add_scalar(f"train/{name}", value, event.step)
        elif isinstance(event, EpochDone):
            for name, value in event.metrics.items():
                self.writer.add_scalar(f"validation/{name}", value, event.step)
            self.writer.flush()
        elif isinstance(event, SampleDrawn):
            from seg_demo.data.images import read_image

            self.writer.add_image(event.file.stem, read_image(event.file), event.step, dataformats="HWC")

    def close(self) -> None:
        if self.writer is not None and self._writing():
            self.writer.close()

    def _writing(self) -> bool:
        """Whether the writer's thread lives: without it, as after a disk was full, the writer waits for ever."""
        return self.writer.file_writer.event_writer._worker.is_alive()
