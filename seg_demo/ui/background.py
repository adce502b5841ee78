"""Long work beside a generator: it tells how far it is, and ends soon after the generator is closed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TypeVar

Result = TypeVar("Result")
Progress = Callable[[int, int], None]
LOOK_EVERY = 0.15  # seconds


class Stopped(BaseException):
    """Ends work from within its call of `progress`; not an `Exception`, so that nothing takes it for a failure."""


def followed(
    work: Callable[[Progress], Result], stop: threading.Event | None = None
) -> Generator[tuple[int, int], None, Result]:
    """Run `work(progress)` in a thread and yield (done, total) whenever that has changed; returns its result.

    Where the generator is closed, the next call of `progress` raises `Stopped` within the work. stop: ends the work
    instead, which then goes on when the generator is closed, as by a page that is loaded again.

    >>> def double(numbers):
    ...     result = yield from followed(lambda progress: [2 * number for number in numbers])
    """
    own = stop is None
    stop = stop or threading.Event()
    latest: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        if stop.is_set():
            raise Stopped
        latest[:] = [(done, total)]

    pool = ThreadPoolExecutor(1)
    try:
        future = pool.submit(copy_context().run, work, progress)  # in which Gradio keeps whose request it is
        seen = None
        while not wait([future], timeout=LOOK_EVERY).done:
            if latest and latest[0] != seen:
                seen = latest[0]
                yield seen
        return future.result()
    finally:
        if own:
            stop.set()
        pool.shutdown(wait=False)
