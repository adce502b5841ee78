"""Telling how far the work with the Hub has come."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Is told the bytes done, and the bytes in all; what it raises ends the work."""


class Telling:
    """Tells `progress`, and again while nothing moves, so that it can end the work at any time."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress or (lambda done, total: None)
        self._reached = (0, 0)

    def __call__(self, done: int, total: int) -> None:
        self._reached = (done, total)
        self.again()

    def again(self) -> None:
        self._progress(*self._reached)
