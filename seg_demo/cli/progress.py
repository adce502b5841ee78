"""A training run in the terminal: a bar, lines of figures, and Ctrl-C that stops cleanly."""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from seg_demo.train.events import Event, SampleDrawn, StepDone
from seg_demo.train.telling import told

if TYPE_CHECKING:
    from seg_demo.train.config import TrainConfig

LINE_SECONDS = 10  # between two lines about steps, where there is no terminal to draw a bar in


class StopSignals:
    """The first Ctrl-C, or request of the system to end, is a wish that is heard between two steps; the second ends."""

    def __init__(self) -> None:
        self.heard = False
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        return self.heard

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.heard:
            raise KeyboardInterrupt
        self.heard = True
        print("\nStopping after this step; once more to stop at once.", file=sys.stderr, flush=True)


class Watcher:
    """Shows events: steps as a bar on stderr, or now and then as a line; what is worth keeping on stdout."""

    def __init__(self, config: TrainConfig, shown: bool = True) -> None:
        self.shown, self.bar = shown, None
        self.device, self._last_line, self._began = "cpu", 0.0, time.perf_counter()
        if shown and sys.stderr.isatty():
            form = "{percentage:3.0f}% |{bar}| {elapsed} + {remaining} {postfix}"
            self.bar = tqdm(total=1.0, bar_format=form, leave=False, file=sys.stderr, dynamic_ncols=True)

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def show(self, event: Event) -> None:
        if not self.shown or isinstance(event, SampleDrawn):
            return
        self.device = getattr(event, "device", self.device)
        if not isinstance(event, StepDone):
            tqdm.write(told(event), file=sys.stdout)
            sys.stdout.flush()
        elif self.bar is not None:
            figures = f"step {event.step}  loss {event.loss:.3f}  {event.images_per_second:.1f} images/s"
            self.bar.set_postfix_str(f"{figures}  {_memory(self.device)}", refresh=False)
            self.bar.update(event.share - self.bar.n)
        elif (now := time.perf_counter()) - self._last_line > LINE_SECONDS:
            self._last_line = now
            left = event.seconds / event.share - event.seconds if event.share else 0.0
            print(
                f"{told(event)}  {event.share:.0%}, {_clock(left)} left  {_memory(self.device)}",
                file=sys.stderr,
                flush=True,
            )


def _clock(seconds: float) -> str:
    """75 -> "1:15"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _memory(device: str) -> str:
    """The most memory that was used so far, on the GPU where there is one."""
    if device.startswith("cuda"):
        import torch

        return f"{torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB on the GPU"
    try:
        import resource
    except ImportError:  # Windows
        return ""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return f"{used / 1e9:.1f} GB"
