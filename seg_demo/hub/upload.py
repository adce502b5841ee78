"""A file that tells how much of it was read, for the client that uploads it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

from seg_demo.hub import patience
from seg_demo.hub.files import LocalFile

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd


class Tally:
    """How far each of several files was read, in bytes."""

    def __init__(self, files: Iterable[LocalFile]) -> None:
        self._reached = {file.name: 0 for file in files}
        self.total = sum(file.size for file in files)

    def reach(self, name: str, place: int) -> None:
        self._reached[name] = max(self._reached[name], place)

    @property
    def done(self) -> int:
        return sum(self._reached.values())


class Watched(io.BufferedReader):
    """A file that is read by the client; no further than somebody waits for it."""

    def __init__(self, file: LocalFile, tally: Tally) -> None:
        super().__init__(io.FileIO(file.path))  # type: ignore[arg-type]
        self._name, self._tally = file.name, tally
        self.counts = False

    def read(self, size: int | None = -1, /) -> bytes:
        patience.is_waited_for()
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
