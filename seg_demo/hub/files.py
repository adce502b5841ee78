"""What a file is known by: the sha256 of its content, and the id that git gives it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

PIECE = 1 << 20


@dataclass(frozen=True)
class LocalFile:
    """A file here. size: bytes. sha256, blob_id: hex; the latter is git's, by which the Hub knows small files."""

    name: str
    path: Path
    size: int
    sha256: str
    blob_id: str


def local_file(path: Path, name: str = "", watch: Callable[[int], None] = lambda done: None) -> LocalFile:
    """Look at a file. watch: called with the bytes read so far. Raises `OSError`."""
    facts = path.stat()
    sha256, blob_id = _hashes(path, facts.st_mtime_ns, facts.st_size, facts.st_ino, watch)
    return LocalFile(name or path.name, path, facts.st_size, sha256, blob_id)


@lru_cache(maxsize=256)
def _remembered(path: Path, modified: int, size: int, inode: int) -> list[str]:
    return []


def _hashes(path: Path, modified: int, size: int, inode: int, watch: Callable[[int], None]) -> tuple[str, str]:
    known = _remembered(path, modified, size, inode)
    if not known:
        sha256, blob = hashlib.sha256(), git_blob(size)
        done = 0
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                sha256.update(piece)
                blob.update(piece)
                done += len(piece)
                watch(done)
        known[:] = [sha256.hexdigest(), blob.hexdigest()]
    return known[0], known[1]


def git_blob(size: int) -> hashlib._Hash:
    """The hash of a file of `size` bytes as git counts it, to be updated with its content."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
