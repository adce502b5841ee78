"""The entries of a zip file (PKWARE APPNOTE 6.3.10), with the tricks the format allows refused."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from seg_demo.data.archive.entries import CHUNK, Entry, Packed, contradicts_itself, special
from seg_demo.data.archive.limits import Meter, too_many
from seg_demo.data.archive.names import decode_names, shown
from seg_demo.errors import UserError

_UTF_8, _ENCRYPTED = 0x800, 0x1 | 0x40 | 0x2000
_DOS_FOLDER = 0x10
_UNICODE_PATH = 0x7075
_DIRECTORY_BYTES = 1024  # for one entry of the central directory: 46 and the name, the extra fields and the comment


def read_zip(packed: Packed, meter: Meter) -> Iterator[Entry]:
    """The entries in the order of the central directory; raises `UserError`, or what `damage_told` knows."""
    archive, limits = meter.archive, meter.limits
    with zipfile.ZipFile(_Directory(packed, meter)) as file:  # type: ignore[arg-type]
        infos = file.infolist()
        _check_directory(packed, file.start_dir, infos, archive)
        names = _names(infos)
        for info, name in zip(infos, names, strict=True):
            _check_entry(info, name, archive)
        packed.done = 0
        for info, name in zip(infos, names, strict=True):
            declared, folder = info.file_size, _is_folder(info, name)
            if folder and declared:
                raise contradicts_itself(archive)
            # zipfile stops at the declared size, so that a forged one would hide the rest.
            info.file_size = limits.file_bytes + 2 * CHUNK
            with file.open(info) as content:

                def read(size: int, content: IO[bytes] = content) -> bytes:
                    data = content.read(size)
                    meter.add(len(data))
                    return data

                yield Entry(name, folder, declared, read)


class _Directory:
    """The file as zipfile sees it: it reads the central directory as a whole, whose size a stranger chose."""

    def __init__(self, packed: Packed, meter: Meter) -> None:
        self._packed = packed
        self._meter = meter
        self.seek, self.tell, self.seekable = packed.seek, packed.tell, packed.seekable

    def read(self, size: int = -1) -> bytes:
        limits = self._meter.limits
        if size > max(limits.entries * _DIRECTORY_BYTES, 2 * CHUNK):
            raise too_many(self._meter.archive, limits)
        data = self._packed.read(size)
        # Each entry becomes an object of some 500 bytes, so they are counted before zipfile makes them.
        if data.startswith(b"PK\1\2") and data.count(b"PK\1\2") > limits.entries:
            raise too_many(self._meter.archive, limits)
        return data


def _check_directory(packed: Packed, directory: int, infos: list[zipfile.ZipInfo], archive: str) -> None:
    """The declared number of entries is the true one, and none shares bytes with another.

    Overlapping entries make 10 MB unpack to 281 TB (D. Fifield, "A better zip bomb", WOOT 2019).
    """
    packed.seek(max(0, packed.total - 65_557))  # 22 bytes and the longest comment
    tail = packed.read()
    (declared,) = struct.unpack_from("<H", tail, tail.rindex(b"PK\5\6") + 10)
    if (len(infos) - declared) % 65_536 and declared != 65_535:  # which sends to the zip64 record
        raise contradicts_itself(archive)
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise contradicts_itself(archive)
        packed.seek(info.header_offset)
        name_bytes, extra_bytes = struct.unpack_from("<HH", packed.read(30), 26)
        end = info.header_offset + 30 + name_bytes + extra_bytes + info.compress_size
    if end > directory:
        raise contradicts_itself(archive)


def _names(infos: list[zipfile.ZipInfo]) -> list[str]:
    # zipfile decodes names without the flag by cp437, which keeps all bytes apart; `filename` ends at a NUL.
    raw = {i: info.orig_filename.encode("cp437") for i, info in enumerate(infos) if not info.flag_bits & _UTF_8}
    decoded = dict(zip(raw, decode_names(list(raw.values())), strict=True))
    return [
        (_unicode_path(info.extra, raw[i]) or decoded[i]) if i in raw else info.orig_filename
        for i, info in enumerate(infos)
    ]


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """The UTF-8 name that WinRAR and Info-ZIP add to one in the system's code page (APPNOTE 4.6.9)."""
    at = 0
    while at + 4 <= len(extra):
        tag, size = struct.unpack_from("<HH", extra, at)
        body = extra[at + 4 : at + 4 + size]
        if tag == _UNICODE_PATH and body[1:5] == struct.pack("<I", zlib.crc32(raw)):
            return body[5:].decode()
        at += 4 + size
    return None


def _check_entry(info: zipfile.ZipInfo, name: str, archive: str) -> None:
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise special(archive, name)
    if info.flag_bits & _ENCRYPTED:
        raise UserError(
            "{entry} in {archive} is encrypted. Pack it without a password.", archive=archive, entry=shown(name)
        )
    # Of the other methods, zipfile unpacks a piece of bzip2 or LZMA as a whole, however much it becomes.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(
            "{entry} in {archive} is compressed by method {method}, which is not read here. Pack it as a usual zip.",
            archive=archive, entry=shown(name), method=info.compress_type,
        )  # fmt: skip


def _is_folder(info: zipfile.ZipInfo, name: str) -> bool:
    by_attribute = stat.S_ISDIR(info.external_attr >> 16) or bool(info.external_attr & _DOS_FOLDER)
    return by_attribute or name.endswith(("/", "\\"))
