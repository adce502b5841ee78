"""How far a command has come: a bar on standard error where somebody is there to see it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from seg_demo.cli.text import write
from seg_demo.train.events import Event, RunStarted, SampleDrawn, StepDone
from seg_demo.train.telling import told

Thing = TypeVar("Thing")

LINE_SECONDS = 10  # between two lines about steps, where there is no terminal to draw a bar in


@contextmanager
def counting(what: str, unit: str = "picture") -> Iterator[Callable[[int, int], None]]:
    """A bar that is told how many pictures, or bytes ("B"), are done, and of how many; none without a terminal."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    with tqdm(desc=what, leave=False, unit=unit, unit_scale=unit == "B", disable=None, dynamic_ncols=True) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def with_progress(samples: Sequence[Thing], what: str) -> Iterator[Thing]:
    """`samples`, with a bar that counts them."""
    with counting(what) as show:
        for done, sample in enumerate(samples, start=1):
            yield sample
            show(done, len(samples))


class Watcher:
    """Shows the events of a run: steps as a bar on stderr, or as a line now and then; what is worth keeping on stdout.

    shown: whether there is anything to see; of several processes, only one shows it.
    """

    def __init__(self, shown: bool = True) -> None:
        self.shown, self.device, self.bar = shown, "cpu", None
        self.pace = 0.0  # seconds for a picture, of late
        self.began: tuple[float, float] | None = None  # the first step of this part: when, and the share of the run
        self.last_line = time.perf_counter()

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def show(self, event: Event) -> None:
        if not self.shown or isinstance(event, SampleDrawn):
            return
        if isinstance(event, RunStarted):
            self.device = event.device
        if isinstance(event, StepDone):
            self._step(event)
        else:
            self._say(told(event))

    def _say(self, line: str) -> None:
        if self.bar is not None:
            self.bar.clear()
        write(line)
        if self.bar is not None:
            self.bar.refresh()

    def _step(self, event: StepDone) -> None:
        now = time.perf_counter()
        self.pace = (0.9 * self.pace if self.pace else 0.9 / event.images_per_second) + 0.1 / event.images_per_second
        self.began = self.began or (now, event.share)
        line = f"step {event.step}  loss {event.loss:.4f}  {1 / self.pace:.1f} images/s  {self._left(event.share, now)}"
        if sys.stderr.isatty():
            bar = self._bar(event.share)
            bar.set_description_str(f"{line}  {memory(event.memory, self.device)}", refresh=False)
            bar.update(event.share - bar.n)
        elif now - self.last_line >= LINE_SECONDS:
            self.last_line = now
            print(f"{event.share:4.0%}  {line}  {memory(event.memory, self.device)}", file=sys.stderr, flush=True)

    def _bar(self, share: float) -> Any:
        if self.bar is None:
            from tqdm import tqdm

            form = "{percentage:3.0f}% |{bar}| {desc}"
            self.bar = tqdm(
                total=1.0, initial=share, bar_format=form, leave=False, dynamic_ncols=True, miniters=0, file=sys.stderr
            )
        return self.bar

    def _left(self, share: float, now: float) -> str:
        """By what this part of the run has come to: the parts before may have been on another machine."""
        assert self.began is not None
        begun, before = self.began
        return f"{clock((1 - share) * (now - begun) / (share - before))} left" if share > before else "-:-- left"


def clock(seconds: float) -> str:
    """75 -> "1:15"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def memory(used: int, device: str) -> str:
    """The most bytes that were used so far: 1234567890 -> "1.2 GB"; nothing where that is not known."""
    if not used:
        return ""
    return f"{used / 1e9:.1f} GB" + (" on the GPU" if device.startswith("cuda") else "")
