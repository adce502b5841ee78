"""How much an archive may hold, and the count that is kept while it is read."""

from __future__ import annotations

from dataclasses import dataclass

from seg_demo.errors import UserError


@dataclass(frozen=True)
class Limits:
    """What `unpack` accepts; all sizes are counted while they are read, whatever the archive says of them."""

    entries: int = 20_000
    """Entries in the archive, junk included, and files and folders made from them."""
    total_bytes: int = 4_000_000_000
    """Bytes of everything unpacked; in a tar file with its headers, padding and passed-over entries."""
    file_bytes: int = 256_000_000
    """Bytes of one unpacked file."""
    ratio: int = 200
    """Unpacked bytes per byte of the archive. A mixed data set has 1 to 20; a bomb made with deflate up to 1032."""
    ratio_floor: int = 256_000_000
    """Bytes that may always be unpacked, whatever the ratio: an empty label map of 12 megapixels as BMP or TIFF
    packs a thousandfold, and twenty of them are no attack."""
    depth: int = 12
    """Folders around a file. With `name_bytes` it keeps paths below the 4096 bytes that Linux takes."""
    name_bytes: int = 240
    """UTF-8 bytes in the name of one file or folder; file systems end at 255."""
    header_bytes: int = 65_536
    """Bytes of tar headers before one entry (long names, extended attributes): they are read as a whole."""


class Meter:
    """Counts unpacked bytes and ends the reading where they become too many for the archive's own size."""

    def __init__(self, archive: str, packed_bytes: int, limits: Limits) -> None:
        self.archive = archive
        self.limits = limits
        self.bytes = 0
        self._by_ratio = max(limits.ratio_floor, limits.ratio * packed_bytes)

    def add(self, count: int) -> None:
        """Count these bytes; raises `UserError` beyond `total_bytes` or `ratio`."""
        self.bytes += count
        if self.bytes > self.limits.total_bytes:
            raise UserError(
                "{archive} unpacks to more than {limit}, the most that fits. Pack fewer or smaller pictures.",
                archive=self.archive,
                limit=in_words(self.limits.total_bytes),
            )
        if self.bytes > self._by_ratio:
            raise UserError(
                "{archive} unpacks to more than {ratio} times its own size, as only bombs do. "
                "Save its pictures as PNG or JPEG and pack them again.",
                archive=self.archive,
                ratio=self.limits.ratio,
            )


def too_many(archive: str, limits: Limits) -> UserError:
    """The refusal of an archive with more than `limits.entries` entries."""
    return UserError(
        "{archive} holds more than {limit} files and folders. Split it into several.",
        archive=archive,
        limit=limits.entries,
    )


def in_words(count: int) -> str:
    """A number of bytes for people: 256000000 -> '256 MB'."""
    for unit, size in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"
