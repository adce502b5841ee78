"""The end of a run's events: what it has come to, at a look."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seg_demo.jobs.files import finite

NEAR = 1 << 16  # bytes from the end in which the last step nearly always is
LINE = 1 << 20  # bytes; no line is longer


@dataclass(frozen=True)
class Latest:
    """event: the last one, empty where there is none. step, seconds: of training so far. at: when it was written."""

    event: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    seconds: float = 0.0
    at: float = 0.0

    @property
    def kind(self) -> str:
        return str(self.event.get("event", ""))

    @classmethod
    def of(cls, file: Path) -> Latest:
        """Of an events.jsonl, which may be missing or damaged, or be written just now."""
        try:
            with open(file, "rb") as lines:
                size, at = (status := os.fstat(lines.fileno())).st_size, status.st_mtime
                near = NEAR
                while True:
                    lines.seek(max(0, size - near))
                    found = _events(lines.read(near), whole=near >= size)
                    step = next((event for event in reversed(found) if event.get("event") == "StepDone"), None)
                    if step or near >= size or near >= LINE:
                        break
                    near *= 4
        except OSError:
            return cls()
        if not found:
            return cls(at=at)
        last = found[-1]
        steps, seconds = (step or {}).get("step", last.get("step")), (step or {}).get("seconds")
        return cls(last, steps if type(steps) is int else 0, finite(seconds) or 0.0, at)


def _events(lines: bytes, whole: bool) -> list[dict[str, Any]]:
    """Objects with a name; whole: whether the first line is one, and not the rest of one."""
    found = []
    for line in lines.split(b"\n")[0 if whole else 1 : -1]:
        with contextlib.suppress(ValueError, RecursionError):
            event = json.loads(line)
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                found.append(event)
    return found
