"""Small JSON files that several processes read and write: never half of one, and one writer at a time."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LARGEST = 1 << 20  # bytes; more is not read


def read_object(file: Path) -> dict[str, Any]:
    """A JSON object; empty where the file is missing, damaged or something else."""
    try:
        with open(file, "rb") as content:
            document = json.loads(content.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def write_object(file: Path, document: dict[str, Any]) -> None:
    """Replace the file at once. Raises `OSError`."""
    part = file.with_name(f".{file.name}.new")
    with open(part, "wb") as content:
        content.write(json.dumps(document).encode())
        content.flush()
        os.fsync(content.fileno())
    os.replace(part, file)


def finite(value: object) -> float | None:
    """A number of a file; None for what is none, is not finite or has more digits than one can have."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other thread or process is within this for the same folder. The system ends it with the process."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # Closing would not do where a process was forked meanwhile.
        os.close(lock)
