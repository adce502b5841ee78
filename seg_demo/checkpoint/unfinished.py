"""Folders for what is not finished, of which none is left, not even by a process that was killed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def unfinished(prefix: str, parent: Path) -> Iterator[Path]:
    """A new folder in `parent` with a name that begins with `prefix`, which is gone afterwards.

    Those of the same prefix that a killed process has left go first: each is held by a lock, which the system lets go
    of with the process. Where there are no such locks, they stay. Raises `OSError`.
    """
    for left in parent.iterdir():
        if re.fullmatch(re.escape(prefix) + r"\w{8}", left.name) and left.is_dir():
            _remove_unless_held(left)
    folder, lock = _made(prefix, parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _made(prefix: str, parent: Path) -> tuple[Path, int | None]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            import fcntl
        except ImportError:  # Windows
            return folder, None
        with contextlib.suppress(FileNotFoundError):  # Somebody took it for one that was left, and was quicker.
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _remove_unless_held(folder: Path) -> None:
    with contextlib.suppress(ImportError, OSError):  # It is somebody else's, or held.
        import fcntl

        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)
