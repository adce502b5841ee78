"""What the readers of zip and tar files share: the entry, the archive's bytes, and how damage is told."""

from __future__ import annotations

import contextlib
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from seg_demo.data.archive.limits import Limits, in_words
from seg_demo.data.archive.names import shown
from seg_demo.errors import UserError

CHUNK = 1 << 20
_MAGIC: tuple[tuple[str, tuple[bytes, ...]], ...] = (
    ("zip", (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")),
    ("gz", (b"\x1f\x8b",)),
    ("bz2", tuple(b"BZh%d" % level for level in range(1, 10))),
    ("xz", (b"\xfd7zXZ\x00",)),
    ("7z", (b"7z\xbc\xaf\x27\x1c",)),
    ("rar", (b"Rar!\x1a\x07",)),
    ("zst", (b"\x28\xb5\x2f\xfd",)),
)
_SUFFIXES = tuple(".zip .tar .gz .tgz .bz2 .tbz2 .tbz .xz .txz .7z .rar .zst .tzst".split())
READABLE = ("zip", "gz", "bz2", "xz", "tar")


class Entry(NamedTuple):
    """A file or folder: `name` as the archive has it, `size` in bytes as the archive declares it.

    `read(n)` gives the next n bytes, fewer only at the end.
    """

    name: str
    folder: bool
    size: int
    read: Callable[[int], bytes]


class Packed(io.BufferedReader):
    """The bytes of an archive; `total` of them, of which `done` have been read."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.total = path.stat().st_size
        self.done = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.done = min(self.done + len(data), self.total)
        return data


def kind_of(head: bytes) -> str | None:
    """The kind of archive that starts with these 512 bytes (or is no longer than they are); None for no archive."""
    for kind, starts in _MAGIC:
        if head.startswith(starts):
            return kind
    if head[257:262] == b"ustar":
        return "tar"
    # Tar files older than POSIX have no magic number, but a checksum.
    with contextlib.suppress(tarfile.HeaderError, ValueError):
        tarfile.TarInfo.frombuf(head[:512], "utf-8", "surrogateescape")
        return "tar"
    return None


class Damaged(Exception):
    """The archive cannot be read on; `damage_told` makes a sentence of it."""


@contextlib.contextmanager
def damage_told(archive: str) -> Iterator[None]:
    """Turn all that the standard library raises on damaged archives into one `UserError`."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # the system's own, which has nothing to do with the archive
            raise
        raise _damaged(archive) from None
    except (
        Damaged, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError,
        LookupError, TypeError, AttributeError, ArithmeticError, NotImplementedError, RecursionError, MemoryError,
    ):  # fmt: skip
        raise _damaged(archive) from None


def _damaged(archive: str) -> UserError:
    return UserError("{archive} is damaged or cut off. Upload it again, or pack it again.", archive=archive)


def contradicts_itself(archive: str) -> UserError:
    """The refusal of an archive that no honest tool has written."""
    return UserError(
        "{archive} contradicts itself about the names, number, places or sizes of its entries. Pack it again.",
        archive=archive,
    )


def special(archive: str, entry: str) -> UserError:
    """The refusal of links, devices and pipes."""
    return UserError(
        "{entry} in {archive} is a link, a device or another special file. Pack plain files and folders only.",
        archive=archive,
        entry=shown(entry),
    )


def too_large(archive: str, entry: str, limits: Limits) -> UserError:
    """The refusal of an entry of more than `limits.file_bytes` bytes."""
    return UserError(
        "{entry} in {archive} has more than {limit}, the most for one file. Make it smaller or leave it out.",
        archive=archive, entry=shown(entry), limit=in_words(limits.file_bytes),
    )  # fmt: skip


def refuse_nested(entry: str, head: bytes, archive: str) -> None:
    """Raise `UserError` if an entry is an archive by its name or by its first 512 bytes."""
    if entry.casefold().endswith(_SUFFIXES) or kind_of(head):
        raise UserError(
            "{entry} in {archive} is an archive itself. Unpack it first, and pack the pictures that are in it.",
            archive=archive,
            entry=shown(entry),
        )
