"""Fetching files of a repository at one commit: in pieces that are kept, and believed only when their hash is right."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seg_demo.errors import UserError
from seg_demo.hub import patience
from seg_demo.hub.client import Client
from seg_demo.hub.files import git_blob
from seg_demo.hub.remote import Remote, RemoteFile
from seg_demo.hub.trouble import HubError, is_the_hubs

if TYPE_CHECKING:
    import httpx2

PIECE = 1 << 18
INCOMING = ".incoming"  # the folder in which what has come so far is kept, so that the next try goes on with it
KEPT_DAYS = 7

Progress = Callable[[int, int], None]
"""Is told the bytes done, and the bytes in all; what it raises ends the work."""


class Damaged(HubError):
    """What came is not what the repository says it is."""


class Fetcher:
    """Fetches files of `remote`, always those of the commit at which it was looked at."""

    def __init__(self, remote: Remote, client: Client) -> None:
        self.remote, self.client = remote, client

    def read(self, name: str, most: int) -> bytes:
        """A small file as a whole. Raises `HubError`, also for one of more than `most` bytes or with a wrong hash."""
        file = self.file(name, most)
        for failed in range(1, patience.PATIENCE.tries + 1):
            content = self.client.ask(lambda api: self._bytes(file, 0, file.size), self._shown(file))
            if _is_right(file, content):
                return content
            if failed == patience.PATIENCE.tries:
                break
            patience.wait(patience.PATIENCE.pause(failed), self.client.alive)
        raise self._damaged(file)

    def read_start(self, name: str, length: int) -> bytes:
        """The first bytes of a file, of which nothing can be checked yet."""
        file = self.file(name)
        return self.client.ask(lambda api: self._bytes(file, 0, min(length, file.size)), self._shown(file))

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
        incoming.mkdir(parents=True, exist_ok=True)
        with alone_with(incoming / file.id) as part:
            _check_room(incoming, file.size - _length(part))
            for again in (True, False):
                self._fill(file, part, progress)
                if _is_right(file, part):
                    part.replace(target)
                    return
                part.unlink(missing_ok=True)  # Some of it may be of an earlier day; once more from the beginning.
                if not again:
                    raise self._damaged(file)

    def _fill(self, file: RemoteFile, part: Path, progress: Progress) -> None:
        """Append to `part` until it is as long as the file is; as often as something comes."""
        failed = 0
        while (before := _length(part)) < file.size:
            try:
                with part.open("ab") as out, self._stream(file, before, file.size) as pieces:
                    there = before
                    for piece in pieces:
                        out.write(piece)
                        there += len(piece)
                        if there > file.size:
                            raise self._damaged(file)
                        progress(there, file.size)
                if there < file.size:
                    raise _cut_off()
            except Exception as error:
                if not is_the_hubs(error):
                    raise
                # Where something has come, the count begins anew.
                failed = failed + 1 if _length(part) == before else 1
                self.client.before_next(error, self._shown(file), failed, patience.PATIENCE.tries)

    def _bytes(self, file: RemoteFile, begin: int, end: int) -> bytes:
        content = bytearray()
        if begin == end:
            return b""
        with self._stream(file, begin, end) as pieces:
            for piece in pieces:
                content += piece
                if len(content) >= end - begin:
                    break
        if len(content) < end - begin:
            raise _cut_off()
        return bytes(content[: end - begin])

    @contextlib.contextmanager
    def _stream(self, file: RemoteFile, begin: int, end: int) -> Iterator[Iterator[bytes]]:
        """The bytes from `begin` to before `end`, in pieces."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import hf_raise_for_status

        # As they lie there: pieces of something compressed could not be put together.
        headers = {**self.client.headers(), "Accept-Encoding": "identity"}
        if (begin, end) != (0, file.size):
            headers["Range"] = f"bytes={begin}-{end - 1}"
        url = hf_hub_url(self.remote.repo, file.name, revision=self.remote.commit)
        with self.client.session().stream("GET", url, headers=headers) as response:
            hf_raise_for_status(response)
            yield self._pieces(response, begin)

    def _pieces(self, response: httpx2.Response, begin: int) -> Iterator[bytes]:
        skip = begin if response.status_code == 200 else 0  # It answers with all of it.
        for piece in response.iter_bytes(PIECE):
            self.client.alive()
            if skip:
                skip, piece = max(0, skip - len(piece)), piece[skip:]
            if piece:
                yield piece

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
def alone_with(stem: Path) -> Iterator[Path]:
    """The file `stem`.part; where somebody else is filling that one just now, another one that is not kept."""
    part, kept = stem.with_name(f"{stem.name}.part"), True
    lock = part.open("ab")
    try:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows
        pass
    except OSError:
        part, kept = stem.with_name(f"{stem.name}.{time.monotonic_ns()}.part"), False
    try:
        yield part
    finally:
        if not kept or not _length(part):
            part.unlink(missing_ok=True)
        lock.close()


def sweep(incoming: Path) -> None:
    """Remove what nobody has gone on with for days, and the folder where it is empty."""
    for part in incoming.glob("*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > KEPT_DAYS * 24 * 3600:
                part.unlink()
    with contextlib.suppress(OSError):
        incoming.rmdir()
