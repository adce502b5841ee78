"""Ctrl-C, and the system's request to end, heard as a wish."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from seg_demo.jobs.wish import STOP

STOPPING = b"\nStopping after this step; once more to stop at once.\n"


class StopSignals:
    """The first signal is a wish that is heard between two steps, by calling this; the second ends the command.

    shown: whether to say so. grace: seconds in which a second signal is taken for the first one again: torchrun passes
    on what the terminal has sent to all of its processes already. number: of the signal that was heard; 0 for none.
    """

    def __init__(self, shown: bool = True, grace: float = 0.0) -> None:
        self.shown, self.grace, self.number, self.heard_at = shown, grace, 0, 0.0
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        if not self.number and STOP.get()():
            self.number = signal.SIGTERM
        return self.number > 0

    def __enter__(self) -> StopSignals:
        self._process = os.getpid()
        if threading.current_thread() is threading.main_thread():  # no other may ask for signals
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            if number == signal.SIGTERM:  # how a process that prepares pictures is ended
                os._exit(128 + number)
            return  # A terminal sends Ctrl-C to all processes; those that prepare pictures go on until this one ends.
        if self.number:
            if time.monotonic() - self.heard_at < self.grace:
                return
            raise KeyboardInterrupt
        self.number, self.heard_at = number, time.monotonic()
        if self.shown:
            os.write(2, STOPPING)  # print might have been interrupted in the middle of its own work
