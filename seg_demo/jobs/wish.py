"""The wish that a command stops, for one that runs inside of another program, where no signal reaches it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

STOP: ContextVar[Callable[[], bool]] = ContextVar("stop", default=lambda: False)
"""Asked between two steps. Whoever runs a command sets it, in the command's own context."""
