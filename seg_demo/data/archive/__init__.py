"""Zip and tar files from strangers -> a folder with plain files, or a sentence and nothing at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from seg_demo.data.archive.entries import (
    CHUNK,
    READABLE,
    Entry,
    Packed,
    contradicts_itself,
    damage_told,
    kind_of,
    refuse_nested,
    too_large,
)
from seg_demo.data.archive.limits import Limits, Meter, too_many
from seg_demo.data.archive.names import Tree, safe_name
from seg_demo.data.archive.tar_reader import read_tar
from seg_demo.data.archive.zip_reader import read_zip
from seg_demo.errors import UserError

__all__ = ["LIMITS", "Limits", "Unpacked", "is_archive", "unpack"]

LIMITS = Limits()
# Nothing is followed and nothing replaced, even if someone else could write to the folder.
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Unpacked:
    """A folder that `unpack` made, with `files` files of `bytes` bytes together.

    `skipped` are the names of entries passed over: hidden files and what systems leave behind. `renamed` are pairs
    of a name in the archive and the path below `folder` of the file, where that is not the same.
    """

    folder: Path
    files: int
    bytes: int
    skipped: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]


def is_archive(path: str | Path) -> bool:
    """Whether a file starts as the archives do that `unpack` reads; its name does not matter.

    >>> is_archive("README.md")
    False
    """
    try:
        with open(path, "rb") as file:
            return kind_of(file.read(512)) in READABLE
    except OSError:
        return False


def unpack(
    archive: str | Path,
    out: str | Path,
    limits: Limits = LIMITS,
    progress: Callable[[int, int], None] | None = None,
    take: Callable[[tuple[str, ...]], bool] | None = None,
) -> Unpacked:
    """Unpack a zip, tar, tar.gz, tar.bz2 or tar.xz file into the folder `out`, which must be new or empty.

    Memory is bounded, and so is all that `limits` names. Files are made beside `out` in a hidden folder that takes
    its name in the end, so that whatever happens there is all or nothing. They have plain permissions, and neither
    owners nor times of the archive; hidden and system files are passed over, and names made safe for every system.
    `progress` is called with the bytes of the archive that are read, and their total; what it raises ends the work.
    `take`, where it is given, is asked for the parts of each file's path below `out`; what it does not want is passed
    over, and it is no error if nothing is left.

    Raises `UserError` for what is no archive, is damaged, too much, or could do harm: names that lead elsewhere,
    links, devices, encryption, archives in archives, two names for one file.

    >>> unpack("pictures.zip", "pictures").files
    40
    """
    archive, out = Path(archive), Path(out)
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise UserError("{folder} is there already and is not empty. Choose a new folder.", folder=out)
    staging = None
    try:
        with Packed(archive) as packed:
            reader = _reader(packed, archive.name, limits)
            staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
            staging.chmod(0o755)  # mkdtemp makes it private
            writer = _Writer(staging, archive.name, limits, take)
            with contextlib.closing(reader) as entries:
                for entry in entries:
                    for _ in writer.write(entry):
                        if progress:
                            progress(packed.done, packed.total)
            if take is None:
                writer.refuse_empty()
            if progress:
                progress(packed.total, packed.total)
        if out.exists():
            out.rmdir()  # Windows renames over nothing, not even an empty folder
        staging.rename(out)
    except OSError as error:
        raise UserError(
            "{archive} cannot be unpacked to {folder} ({reason}). Check the paths, permissions and free space.",
            archive=archive.name, folder=out, reason=error.strerror or error,
        ) from None  # fmt: skip
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
    return Unpacked(out, writer.files, writer.bytes, tuple(writer.skipped), tuple(writer.renamed))


def _reader(packed: Packed, archive: str, limits: Limits) -> Generator[Entry, None, None]:
    head = packed.read(512)
    packed.seek(0)
    packed.done = 0
    kind = kind_of(head)
    if kind is None:
        raise UserError("{archive} is not a zip or tar file. Pack the pictures as zip, tar or tar.gz.", archive=archive)
    if kind not in READABLE:
        raise UserError(
            "{archive} is a {kind} file, which cannot be unpacked here. Pack the pictures as zip, tar or tar.gz.",
            archive=archive,
            kind=kind,
        )
    meter = Meter(archive, packed.total, limits)
    return _told(read_zip(packed, meter) if kind == "zip" else read_tar(packed, kind, meter), archive)


def _told(entries: Iterator[Entry], archive: str) -> Generator[Entry, None, None]:
    with damage_told(archive):
        yield from entries


class _Writer:
    """Checks entries and writes them below `folder`."""

    def __init__(
        self, folder: Path, archive: str, limits: Limits, take: Callable[[tuple[str, ...]], bool] | None
    ) -> None:
        self._folder = folder
        self._archive = archive
        self._limits = limits
        self._take = take
        self._tree = Tree(archive, limits)
        self._entries = 0
        self.files = 0
        self.bytes = 0
        self.skipped: list[str] = []
        self.renamed: list[tuple[str, str]] = []

    def write(self, entry: Entry) -> Iterator[None]:
        """Write a file or make a folder, with a pause after each piece."""
        self._entries += 1
        if self._entries > self._limits.entries:
            raise too_many(self._archive, self._limits)
        safe = safe_name(entry.name, self._archive, self._limits)
        if safe is None:
            self.skipped.append(entry.name)
            return
        if not safe.parts and not entry.folder:
            raise contradicts_itself(self._archive)
        if self._take and (entry.folder or not self._take(safe.parts)):
            self.skipped.append(entry.name)
            return
        for folder in self._tree.add(safe.parts, entry.name, folder=entry.folder):
            (self._folder / folder).mkdir(0o755)
        if entry.folder:
            return
        path = "/".join(safe.parts)
        if safe.changed:
            self.renamed.append((entry.name, path))
        with open(os.open(self._folder / path, _NEW_FILE, 0o644), "wb") as file:
            for piece in self._pieces(entry):
                file.write(piece)
                yield
        self.files += 1

    def _pieces(self, entry: Entry) -> Iterator[bytes]:
        if entry.size > self._limits.file_bytes:
            raise too_large(self._archive, entry.name, self._limits)
        count = 0
        while True:
            with damage_told(self._archive):
                piece = entry.read(CHUNK)
            if count == 0:
                refuse_nested(entry.name, piece[:512], self._archive)
            count += len(piece)
            self.bytes += len(piece)
            if count > self._limits.file_bytes:
                raise too_large(self._archive, entry.name, self._limits)
            yield piece  # an empty one at the end, so that empty files make progress, too
            if not piece:
                break
        if count != entry.size:
            raise contradicts_itself(self._archive)

    def refuse_empty(self) -> None:
        if not self.files:
            raise UserError(
                "{archive} holds no files, or hidden ones only. Pack the folder with the pictures.",
                archive=self._archive,
            )
