"""A file that tells how much of it was read, for the client that uploads it."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from seg_demo.hub.files import LocalFile
from seg_demo.hub.transfer import Progress

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd


class Tally:
    """How far each of several files was read, as one number; the client reads them in threads of its own.

    Once `progress` has raised, every file raises the same when it is read.
    """

    def __init__(self, files: Iterable[LocalFile], progress: Progress) -> None:
        self._reached = {file.name: 0 for file in files}
        self._total = sum(file.size for file in files)
        self._progress, self._lock = progress, threading.Lock()
        self.ended: BaseException | None = None

    def reach(self, name: str, place: int) -> None:
        with self._lock:
            if self.ended is not None:
                raise self.ended
            self._reached[name] = max(self._reached[name], place)
            try:
                self._progress(sum(self._reached.values()), self._total)
            except BaseException as ended:
                self.ended = ended
                raise


class Watched(io.BufferedReader):
    """A file that is read by the client."""

    def __init__(self, file: LocalFile, tally: Tally) -> None:
        super().__init__(io.FileIO(file.path))  # type: ignore[arg-type]
        self._name, self._tally = file.name, tally
        self.counts = False

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        if self.counts:
            self._tally.reach(self._name, self.tell())
        return content


def addition(file: LocalFile, tally: Tally) -> CommitOperationAdd:
    """The file as a part of a commit."""
    from huggingface_hub import CommitOperationAdd

    watched = Watched(file, tally)
    added = CommitOperationAdd(file.name, watched)  # hashes it
    watched.counts = True
    return added
