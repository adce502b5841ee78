"""Fetching files of a repository at one commit: in pieces that are kept, and believed only when their hash is right."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from seg_demo.errors import UserError
from seg_demo.hub import patience
from seg_demo.hub.client import Client, Failed
from seg_demo.hub.files import git_blob
from seg_demo.hub.progress import Progress
from seg_demo.hub.remote import Remote, RemoteFile
from seg_demo.hub.trouble import HubError

if TYPE_CHECKING:
    import httpx2

PIECE = 1 << 18
INCOMING = ".incoming"  # the folder in which what has come so far is kept, so that the next try goes on with it
KEPT, KEPT_DAYS = 2, 7  # so much of what was interrupted, and for so long


class Damaged(HubError):
    """What came is not what the repository says it is."""


class Fetcher:
    """Fetches files of `remote`, always those of the commit at which it was looked at."""

    def __init__(self, remote: Remote, client: Client) -> None:
        self.remote, self.client = remote, client

    def read(self, name: str, most: int) -> bytes:
        """A small file as a whole. Raises `HubError`, also for one of more than `most` bytes or with a wrong hash."""
        file = self.file(name, most)
        tries = patience.Tries()
        while not _is_right(file, content := self._bytes(file, file.size)):
            if (pause := tries.pause(None)) is None:
                raise self._damaged(file)
            patience.wait(pause, self.client.alive)
        return content

    def read_start(self, name: str, length: int) -> bytes:
        """The first bytes of a file, of which nothing can be checked yet."""
        file = self.file(name)
        return self._bytes(file, min(length, file.size))

    def file(self, name: str, most: int | None = None) -> RemoteFile:
        """Raises `HubError` where there is none of this name, or it has more than `most` bytes."""
        file = self.remote.files.get(name)
        if file is None:
            raise HubError("{repo} has no file {name}. Choose another one.", repo=self.remote.repo, name=name)
        if most is not None and file.size > most:
            raise HubError(
                "{file} of {repo} has {size} MB, and at most {most} MB are fetched. Choose another one.",
                file=name, repo=self.remote.repo, size=_megabytes(file.size), most=_megabytes(most),
            )  # fmt: skip
        return file

    def fetch(self, name: str, target: Path, incoming: Path, progress: Progress) -> None:
        """A large file, to `target`. incoming: a folder of the same file system for what has come so far.

        What was interrupted goes on where it stopped, also in another process. Raises `HubError`, and `UserError` where
        the disk is full; then nothing is at `target`, and what was damaged is not kept.
        """
        file = self.file(name)
        with alone_with(incoming, file.id) as part:
            _check_room(incoming, file.size - _length(part))
            for again in (True, False):
                self._fill(file, part, progress)
                if _is_right(file, part):
                    part.replace(target)
                    return
                os.truncate(part, 0)  # Some of it may be of an earlier day; once more from the beginning.
                if not again:
                    raise self._damaged(file)

    def _fill(self, file: RemoteFile, part: Path, progress: Progress) -> None:
        """Append to `part` until it is as long as the file is; as often as something comes."""
        tries = patience.Tries()
        while (before := _length(part)) < file.size:
            pieces = self.client.flow(lambda begin=before: self._pieces(file, begin, file.size))  # type: ignore[misc]
            try:
                with part.open("ab") as out, contextlib.closing(pieces):
                    there = before
                    for piece in pieces:
                        out.write(piece)
                        there += len(piece)
                        progress(there, file.size)
            except Failed as failed:
                if _length(part) > before:
                    tries = patience.Tries()
                self.client.before_next(failed.error, self._shown(file), tries)

    def _bytes(self, file: RemoteFile, length: int) -> bytes:
        """The first bytes of a file."""
        return self.client.ask(lambda api: b"".join(self._pieces(file, 0, length)), self._shown(file))

    def _pieces(self, file: RemoteFile, begin: int, end: int) -> Generator[bytes, None, None]:
        """The bytes from `begin` to before `end`, as they come; not one more, and an error of the network for less."""
        if begin >= end:
            return
        with self._answer(file, begin, end) as answer:
            skip = begin if answer.status_code == 200 else 0  # It answers with all of it.
            # As they come: a slow one can be stopped, and nothing unpacks, however it was sent.
            for piece in answer.iter_raw():
                skip, piece = max(0, skip - len(piece)), piece[skip:][: end - begin]
                if piece:
                    begin += len(piece)
                    yield piece
                if begin == end:
                    return
        raise _cut_off()

    @contextlib.contextmanager
    def _answer(self, file: RemoteFile, begin: int, end: int) -> Iterator[httpx2.Response]:
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import hf_raise_for_status

        # As they lie there: pieces of something compressed could not be put together.
        headers = {**self.client.headers(), "Accept-Encoding": "identity"}
        if (begin, end) != (0, file.size):
            headers["Range"] = f"bytes={begin}-{end - 1}"
        url = hf_hub_url(self.remote.repo, file.name, repo_type=self.remote.kind, revision=self.remote.commit)
        with self.client.session().stream("GET", url, headers=headers) as answer:
            hf_raise_for_status(answer)
            wanted = file.size if answer.status_code == 200 else end - begin
            if answer.headers.get("Content-Length", str(wanted)) != str(wanted):
                raise _cut_off()  # It is something else, such as the page of a proxy.
            yield answer

    def _shown(self, file: RemoteFile) -> str:
        return f"{self.remote.repo}/{file.name}"

    def _damaged(self, file: RemoteFile) -> Damaged:
        return Damaged(
            "{file} arrived damaged: its checksum is not the one that the Hub names. Nothing of it was kept; try "
            "again.",
            file=self._shown(file),
        )


def _is_right(file: RemoteFile, content: bytes | Path) -> bool:
    """Whether the bytes, or those of a file, are what the Hub names."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    digest = hashlib.sha256() if file.sha256 else git_blob(size)
    if isinstance(content, bytes):
        digest.update(content)
    else:
        with content.open("rb") as opened:
            while piece := opened.read(PIECE):
                digest.update(piece)
    return size == file.size and digest.hexdigest() == file.id


def _cut_off() -> Exception:
    import httpx2

    return httpx2.RemoteProtocolError("the answer broke off")


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}"


def _check_room(folder: Path, size: int) -> None:
    if shutil.disk_usage(folder).free < size + (64 << 20):
        raise UserError(
            "There is not enough room on the disk for {size} MB. Free some space and try again.", size=_megabytes(size)
        )


@contextlib.contextmanager
def alone_with(folder: Path, stem: str) -> Iterator[Path]:
    """The file `stem`.part in `folder`; where somebody else is filling that one just now, another that is not kept."""
    part = folder / f"{stem}.part"
    lock = _locked(part)
    kept = lock is not None
    if lock is None:
        part = folder / f"{stem}.{time.monotonic_ns()}.part"
    try:
        yield part
    finally:
        if not kept or not _length(part):
            part.unlink(missing_ok=True)
        if lock is not None:
            lock.close()


def _locked(part: Path) -> IO[bytes] | None:
    """The file, made where there is none, and held against others; None where somebody else holds it."""
    while True:
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock = part.open("ab")
        except FileNotFoundError:  # Somebody has just swept the folder.
            continue
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Meanwhile it may have been finished and taken away.
            if part.exists() and part.stat().st_ino == os.fstat(lock.fileno()).st_ino:
                return lock
            lock.close()
        except ImportError:  # Windows
            return lock
        except OSError:
            lock.close()
            return None


def sweep(incoming: Path) -> None:
    """Remove what nobody has gone on with for days, all but the newest, and the folder where it is empty."""
    ages = {}
    for part in incoming.glob("*.part"):
        with contextlib.suppress(OSError):
            ages[part] = time.time() - part.stat().st_mtime
    for number, part in enumerate(sorted(ages, key=ages.__getitem__)):
        if number < KEPT and ages[part] <= KEPT_DAYS * 24 * 3600:
            continue
        with contextlib.suppress(OSError):
            if lock := _locked(part):  # Nobody is filling it.
                part.unlink()
                lock.close()
    with contextlib.suppress(OSError):
        incoming.rmdir()
