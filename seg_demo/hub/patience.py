"""How long the Hub is waited for, how often it is asked again, and how a wait is ended."""

from __future__ import annotations

import contextlib
import queue
import random
import threading
import time
from collections.abc import Callable, Generator
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any, TypeVar

LOOK_EVERY = 0.1  # seconds between two looks at whether to stop

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Patience:
    """timeout: seconds without a byte. tries: of each question. first_pause, longest_pause: seconds before the second
    try, and the most before a later one; each is twice as long as the one before. longest_wait: seconds that the Hub
    may ask us to wait (Retry-After) and get its wish. in_all: seconds in which nothing has moved, over all tries.
    """

    timeout: float = 30.0
    tries: int = 5
    first_pause: float = 0.5
    longest_pause: float = 8.0
    longest_wait: float = 60.0
    in_all: float = 90.0

    def pause(self, failed: int) -> float:
        """Seconds to wait after so many tries have failed; not the same for all who failed together."""
        return min(self.longest_pause, self.first_pause * 2 ** (failed - 1)) * random.uniform(0.8, 1.2)


PATIENCE = Patience()


class Tries:
    """The tries of one question."""

    def __init__(self) -> None:
        self.failed = 0
        self._lost = 0.0  # seconds in which nothing has moved
        self.moved()

    def moved(self) -> None:
        """Say that something has come or gone, so that so far the wait was none."""
        self._since = time.monotonic()

    def pause(self, wish: float | None) -> float | None:
        """Seconds to wait after another try has failed; None where it is not worth it. wish: seconds, of the Hub."""
        self.failed += 1
        pause = PATIENCE.pause(self.failed) if wish is None else wish
        self._lost += time.monotonic() - self._since + pause
        self._since = time.monotonic() + pause
        worth = self.failed < PATIENCE.tries and pause <= PATIENCE.longest_wait and self._lost <= PATIENCE.in_all
        return pause if worth else None


def wait(seconds: float, alive: Callable[[], None]) -> None:
    """Sleep. alive: called often meanwhile; what it raises ends the wait."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        alive()
        time.sleep(min(left, LOOK_EVERY))


_ABANDONED: ContextVar[threading.Event | None] = ContextVar("_ABANDONED", default=None)


class Abandoned(Exception):
    """Nobody waits for the work any more."""


def is_waited_for() -> bool:
    """Whether this is the thread of `beside`. Raises `Abandoned` where the one that waited for it has gone."""
    abandoned = _ABANDONED.get()
    if abandoned is not None and abandoned.is_set():
        raise Abandoned
    return abandoned is not None


def beside(work: Callable[[], Generator[Thing, None, None]], alive: Callable[[], None]) -> Generator[Thing, None, None]:
    """What `work` yields, made in a thread of its own, as a socket cannot be waited for and a wish to stop as well.

    alive: called often while nothing comes; what it raises is raised here at once, and the thread is left to itself: it
    ends when its socket does, and sends nothing any more.
    """
    made: queue.Queue[tuple[Any, bool]] = queue.Queue(maxsize=4)
    abandoned = threading.Event()

    def hand_over(thing: object, is_last: bool) -> None:
        while not abandoned.is_set():
            with contextlib.suppress(queue.Full):
                return made.put((thing, is_last), timeout=LOOK_EVERY)
        raise Abandoned

    def thread() -> None:
        _ABANDONED.set(abandoned)
        error: BaseException | None = None
        with contextlib.suppress(Abandoned):
            try:
                with contextlib.closing(work()) as things:
                    for thing in things:
                        hand_over(thing, False)
            except Abandoned:
                raise
            except BaseException as raised:
                error = raised
            hand_over(error, True)

    threading.Thread(target=copy_context().run, args=(thread,), daemon=True, name="asks the Hub").start()
    try:
        while True:
            try:
                thing, is_last = made.get(timeout=LOOK_EVERY)
            except queue.Empty:
                alive()
                continue
            if not is_last:
                yield thing
            elif thing is None:
                return
            else:
                raise thing
    finally:
        abandoned.set()
