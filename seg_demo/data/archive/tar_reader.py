"""The entries of a tar file, packed by gzip, bzip2, xz or not at all, read forwards once in bounded memory."""

from __future__ import annotations

import bz2
import contextlib
import io
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator

from seg_demo.data.archive.entries import CHUNK, Damaged, Entry, Packed, contradicts_itself, special
from seg_demo.data.archive.limits import Meter, in_words
from seg_demo.data.archive.names import decode_names, shown
from seg_demo.errors import UserError

_PIECE = 1 << 16
_XZ_MEMORY = 128 << 20  # xz -9 needs 65 MiB, but a header may ask for 4 GiB
# Before 3.11.10 and 3.12.6 Python searches headers in time that is quadratic in a run of digits (CVE-2024-6232).
_ENDLESS_NUMBER = re.compile(rb"[0-9]{64}")


def read_tar(packed: Packed, kind: str, meter: Meter) -> Iterator[Entry]:
    """The entries of a tar file of kind "tar", "gz", "bz2" or "xz"; raises `UserError`, or what `damage_told` knows."""
    archive = meter.archive
    stream = _TarStream(packed, kind, meter)
    with stream.headers():
        try:
            file = tarfile.TarFile(
                fileobj=stream,  # type: ignore[arg-type]
                tarinfo=_Header,
                encoding="utf-8",
                errors="surrogateescape",
            )
        except Damaged:
            if kind == "tar":
                raise
            raise UserError(
                "{archive} is compressed, but holds no tar file. Pack the pictures as zip, tar or tar.gz.",
                archive=archive,
            ) from None
    if file.firstmember is None:  # type: ignore[attr-defined]  # Python 3.10 fails when asked again
        return stream.drain()
    while True:
        with stream.headers():
            info = file.next()
        if info is None:
            break
        # tarfile would keep all of these, and a stranger decides how large they are.
        file.members.clear()  # type: ignore[attr-defined]
        file.pax_headers = {}
        name = decode_names([info.name.encode("utf-8", "surrogateescape")])[0]
        if info.issparse():
            raise UserError(
                "{entry} in {archive} is a sparse file. Pack again without --sparse.",
                archive=archive,
                entry=shown(name),
            )
        if not (info.isreg() or info.isdir()):
            raise special(archive, name)
        if info.size < 0 or (info.isdir() and info.size):
            raise contradicts_itself(archive)
        yield Entry(name, info.isdir(), info.size, stream.reader(info.size))
    stream.drain()


class _Header(tarfile.TarInfo):
    """A header that is refused when damaged; tarfile takes one after the first for the end of the archive."""

    @classmethod
    def fromtarfile(cls, file: tarfile.TarFile) -> _Header:  # type: ignore[override]
        try:
            return super().fromtarfile(file)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError:
            raise Damaged from None


class _TarStream(io.BufferedIOBase):
    """The unpacked tar file, forwards only; every byte of it is counted, and headers end at `header_bytes`."""

    def __init__(self, packed: Packed, kind: str, meter: Meter) -> None:
        self._packed = packed
        self._meter = meter
        self._new_decoder = _DECODERS.get(kind)
        self._decoder = self._new_decoder() if self._new_decoder else None
        self._position = 0
        self._header_left: int | None = None

    @contextlib.contextmanager
    def headers(self) -> Iterator[None]:
        """What is read inside are headers: long names and pax records, which tarfile takes in as a whole."""
        self._header_left = self._meter.limits.header_bytes
        yield
        self._header_left = None

    def tell(self) -> int:
        return self._position

    def seek(self, position: int, whence: int = io.SEEK_SET, /) -> int:
        if whence != io.SEEK_SET or position < self._position:
            raise Damaged
        while self._position < position and self._read(min(CHUNK, position - self._position)):
            pass
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:  # from a size below zero in a header
            raise Damaged
        if self._header_left is not None:
            self._header_left -= size
            if self._header_left < 0:
                raise UserError(
                    "{archive} has an entry with more than {limit} of long names and extended attributes. "
                    "Pack again without attributes, or as zip.",
                    archive=self._meter.archive,
                    limit=in_words(self._meter.limits.header_bytes),
                )
        data = self._read(size)
        if self._header_left is not None and _ENDLESS_NUMBER.search(data):
            raise Damaged
        return data

    def reader(self, size: int) -> Callable[[int], bytes]:
        """Reads the `size` bytes after the header just read."""
        end = self._position + size

        def read(count: int) -> bytes:
            wanted = min(count, end - self._position)
            data = self._read(wanted)
            if len(data) < wanted:
                raise Damaged
            return data

        return read

    def drain(self) -> None:
        """Read what follows the end mark, for the checksum comes last."""
        while self._read(CHUNK):
            pass

    def _read(self, size: int) -> bytes:
        pieces = []
        while size and (piece := self._some(min(size, CHUNK))):
            self._meter.add(len(piece))
            self._position += len(piece)
            size -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def _some(self, limit: int) -> bytes:
        if self._decoder is None or self._new_decoder is None:
            return self._packed.read(limit)
        while True:
            ended = False
            data = b""
            if self._decoder.eof:
                # Parallel packers write many streams, one after the other, and padding is zeros.
                data = self._decoder.unused_data.lstrip(b"\0")
                while not data:
                    block = self._packed.read(_PIECE)
                    if not block:
                        return b""
                    data = block.lstrip(b"\0")
                self._decoder = self._new_decoder()
            elif self._decoder.needs_input:
                data = self._packed.read(_PIECE)
                ended = not data
            piece = self._unpack(data, limit)
            if piece:
                return piece
            if ended and not self._decoder.eof:
                raise EOFError

    def _unpack(self, data: bytes, limit: int) -> bytes:
        assert self._decoder is not None
        try:
            return self._decoder.decompress(data, limit)
        except lzma.LZMAError as error:
            if "Memory usage limit" not in str(error):
                raise
            raise UserError(
                "{archive} needs more than {limit} of memory to unpack. Pack again by xz -9 or less, or as zip.",
                archive=self._meter.archive,
                limit=in_words(_XZ_MEMORY),
            ) from None


class _Gunzip:
    """zlib's decoder with the interface of bz2's and lzma's."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


_Decoder = _Gunzip | bz2.BZ2Decompressor | lzma.LZMADecompressor
_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gz": _Gunzip,
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY),
}
