"""Strangers' archives: the good ones become folders, the others a sentence and nothing on the disk."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import pickle
import re
import stat
import struct
import tarfile
import tempfile
import time
import tracemalloc
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg_demo.data.archive import Limits, is_archive, unpack
from seg_demo.errors import UserError

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(100))
MB = 1_000_000


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in entries:
            file.writestr(name, data, method)
    return buffer.getvalue()


def zip_info(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def tarred(*entries: tuple[str | tarfile.TarInfo, bytes], mode: str = "w", kind: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=kind) as file:  # type: ignore[call-overload]
        for name, data in entries:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = info.size or len(data)
            file.addfile(info, io.BytesIO(data.ljust(info.size, b"\0")))
    return buffer.getvalue()


def tar_info(name: str, **attributes: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


def tar_header(info: tarfile.TarInfo, **patches: Any) -> bytes:
    """One 512-byte header with fields patched at `at` and the checksum made right again."""
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT)[-512:])
    for at, data in patches.get("at", {}).items():
        block[at : at + len(data)] = data
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def pax_record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    while len(b"%d" % length) + len(key) + len(value) + 3 != length:
        length = len(b"%d" % length) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (length, key, value)


def pax(*records: bytes, name: str = "a.png", data: bytes = PNG) -> bytes:
    """A tar file of one entry with an extended header of these records."""
    body = b"".join(records)
    extended = tar_header(tar_info("pax", type=tarfile.XHDTYPE, size=len(body)))
    return extended + padded(body) + tar_header(tar_info(name, size=len(data))) + padded(data) + bytes(1024)


def patched(data: bytes, signature: bytes, offset: int, new: bytes, which: int = 0) -> bytes:
    """The zip file with the `which`th record of this signature changed at `offset`."""
    at = [match.start() for match in re.finditer(re.escape(signature), data)][which] + offset
    return data[:at] + new + data[at + len(new) :]


LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
ONE = zipped(("a.png", PNG))
TWO = zipped(("a.png", PNG), ("b.png", PNG))
TAR = tarred(("a.png", PNG), ("b.png", PNG), ("c.png", PNG))


def encrypted() -> bytes:
    return patched(patched(ONE, LOCAL, 6, b"\1\0"), CENTRAL, 8, b"\1\0")


def quoting_bomb() -> bytes:
    """The first entry's stored data are the second local header and its data, as in a bomb of overlapping files."""
    second = zipped(("b.png", bytes(1000)))
    inner = second[: second.index(CENTRAL)]
    outer = zipped(("a.png", inner), method=zipfile.ZIP_STORED)
    directory = outer.index(CENTRAL)
    at = outer.index(inner)
    record = second[second.index(CENTRAL) : second.index(END)]
    record = record[:42] + struct.pack("<I", at) + record[46:]
    first = outer[directory : outer.index(END)]
    end = struct.pack("<4s4H2IH", END, 0, 0, 2, 2, len(first + record), directory, 0)
    return outer[:directory] + first + record + end


def forged_zip_size(size: int, data: bytes = bytes(3 * MB)) -> bytes:
    return patched(zipped(("a.bmp", data)), CENTRAL, 24, struct.pack("<I", size))


def pax_sparse() -> bytes:
    records = [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"a.png")]
    body = padded(b"1\n0\n512\n")
    return pax(*(pax_record(*one) for one in [*records, (b"GNU.sparse.realsize", b"%d" % 2**40)]), data=body)


def greedy_xz() -> bytes:
    """An xz file whose block header asks for a dictionary of 4 GiB."""
    data = bytearray(lzma.compress(TAR))
    size = (data[12] + 1) * 4
    data[data.index(b"\x21\x01", 12) + 2] = 40
    data[12 + size - 4 : 12 + size] = struct.pack("<I", zlib.crc32(data[12 : 12 + size - 4]))
    return bytes(data)


def turned(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


# Unpacked at most; the ratio is out of the way.
SMALL = Limits(total_bytes=MB, ratio_floor=2 * MB)
USTAR = tarred(("x.png", PNG), kind=tarfile.USTAR_FORMAT)


class Hostile(NamedTuple):
    archive: Callable[[], bytes]
    told: str
    limits: Limits = Limits()


OUT = "leads out of the folder"
SPECIAL = "is a link, a device"
NESTED = "is an archive itself"
DAMAGED = "is damaged or cut off"
CONTROL = "control characters"
CONTRADICTION = "contradicts itself"
SAME = "are the same name on some systems"

HOSTILE: dict[str, Hostile] = {
    **{
        f"{kind}: {name}": Hostile(lambda make=make, name=name: make((name, PNG)), OUT)  # type: ignore[misc]
        for kind, make in (("zip", zipped), ("tar", tarred))
        for name in (
            "../x.png",
            "a/../../x.png",
            "a/..",
            "/etc/x.png",
            "//server/x",
            "C:\\x.png",
            "c:x.png",
            "\\\\server\\share",
            "..\\x.png",
            "a\\..\\..\\x.png",
            ".. /x.png",
            ".../x.png",
            "__MACOSX/../../x",
            ".git/../../x",
            "\\x.png",
        )
    },
    "zip symlink": Hostile(lambda: zipped((zip_info("a.png", stat.S_IFLNK | 0o777), b"/etc/passwd")), SPECIAL),
    "zip symlink in junk": Hostile(lambda: zipped((zip_info("__MACOSX/a", stat.S_IFLNK), b"/etc/passwd")), SPECIAL),
    "zip fifo": Hostile(lambda: zipped((zip_info("a.png", stat.S_IFIFO), b"")), SPECIAL),
    "zip socket": Hostile(lambda: zipped((zip_info("a.png", stat.S_IFSOCK), b"")), SPECIAL),
    "zip device": Hostile(lambda: zipped((zip_info("a.png", stat.S_IFBLK), b"")), SPECIAL),
    "tar symlink": Hostile(lambda: tarred((tar_info("a", type=tarfile.SYMTYPE, linkname="/etc"), b"")), SPECIAL),
    "tar symlink and a file through it": Hostile(
        lambda: tarred((tar_info("a", type=tarfile.SYMTYPE, linkname="../canary"), b""), ("a/x.png", PNG)), SPECIAL
    ),
    "tar hard link": Hostile(
        lambda: tarred(("b", PNG), (tar_info("a", type=tarfile.LNKTYPE, linkname="b"), b"")), SPECIAL
    ),
    "tar fifo": Hostile(lambda: tarred((tar_info("a", type=tarfile.FIFOTYPE), b"")), SPECIAL),
    "tar character device": Hostile(lambda: tarred((tar_info("a", type=tarfile.CHRTYPE), b"")), SPECIAL),
    "tar block device in junk": Hostile(lambda: tarred((tar_info(".a", type=tarfile.BLKTYPE), b"")), SPECIAL),
    "tar unknown type": Hostile(lambda: tar_header(tar_info("a", type=b"V")) + bytes(1024), SPECIAL),
    "encrypted": Hostile(encrypted, "is encrypted"),
    "bzip2 in zip": Hostile(lambda: zipped(("a.png", PNG), method=zipfile.ZIP_BZIP2), "compressed by method 12"),
    "lzma in zip": Hostile(lambda: zipped(("a.png", PNG), method=zipfile.ZIP_LZMA), "compressed by method 14"),
    **{
        f"nested {name}": Hostile(lambda name=name, data=data: zipped((name, data)), NESTED)  # type: ignore[misc]
        for name, data in {
            "zip.png": ONE,
            "tar.png": USTAR,
            "gz.png": gzip.compress(PNG),
            "bz2.png": bz2.compress(PNG),
            "xz.png": lzma.compress(PNG),
            "7z.png": b"7z\xbc\xaf\x27\x1c\0\4",
            "rar.png": b"Rar!\x1a\x07\1\0",
            "zst.png": b"\x28\xb5\x2f\xfd\0\0",
            "a.zip": PNG,
            "a.Tar": PNG,
            "a.tar.GZ": PNG,
            "a.7z": PNG,
            "a.rar": b"",
            "old tar.png": tar_header(tar_info("x"), at={257: bytes(8)}),
        }.items()
    },
    "nested in tar.gz": Hostile(lambda: tarred(("a.png", ONE), mode="w:gz"), NESTED),
    "upper and lower case": Hostile(lambda: zipped(("a/X.png", PNG), ("a/x.png", PNG)), SAME),
    "folders in upper and lower case": Hostile(lambda: zipped(("A/x.png", PNG), ("a/y.png", PNG)), SAME),
    "NFC and NFD": Hostile(lambda: tarred(("\u00e9.png", PNG), ("e\u0301.png", PNG)), SAME),
    "same after made safe": Hostile(lambda: zipped(("a?.png", PNG), ("a*.png", PNG)), SAME),
    "twice": Hostile(lambda: tarred(("a.png", PNG), ("a.png", PNG)), "is in hostile.png twice"),
    "file, then folder": Hostile(lambda: zipped(("a", PNG), ("a/b", PNG)), "a file and a folder at once"),
    "folder, then file": Hostile(lambda: tarred(("a/b", PNG), ("A", PNG)), "a file and a folder at once"),
    "NUL": Hostile(lambda: ONE.replace(b"a.png", b"a\0png"), CONTROL),
    "line feed": Hostile(lambda: zipped(("a\n.png", PNG)), CONTROL),
    "control in junk": Hostile(lambda: zipped(("__MACOSX/\x1b[2J", PNG)), CONTROL),
    "direction override": Hostile(lambda: tarred(("a\u202egnp.exe", PNG)), CONTROL),
    "pax NUL": Hostile(lambda: pax(pax_record(b"path", b"a\0b.png")), CONTROL),
    "pax escape": Hostile(lambda: pax(pax_record(b"path", b"../x.png")), OUT),
    "long name": Hostile(lambda: zipped(("a" * 241, PNG)), "longer than 240 bytes"),
    "long Japanese name": Hostile(lambda: tarred(("犬" * 81, PNG)), "longer than 240 bytes"),
    "deep": Hostile(lambda: zipped(("a/" * 13 + "a.png", PNG)), "in more than 12 folders"),
    "no name": Hostile(lambda: tarred((".", PNG)), CONTRADICTION),
    "folder with bytes": Hostile(lambda: zipped(("a/", PNG)), CONTRADICTION),
    "tar folder with bytes": Hostile(
        lambda: tar_header(tar_info("a", type=tarfile.DIRTYPE, size=512)) + bytes(2048), CONTRADICTION
    ),
    "empty file": Hostile(lambda: b"", "is not a zip or tar file"),
    "picture": Hostile(lambda: PNG * 20, "is not a zip or tar file"),
    "zip after a picture": Hostile(lambda: PNG + ONE, "is not a zip or tar file"),
    "7z": Hostile(lambda: b"7z\xbc\xaf\x27\x1c" + bytes(600), "is a 7z file"),
    "gzip of a picture": Hostile(lambda: gzip.compress(PNG * 20), "holds no tar file"),
    "empty zip": Hostile(lambda: zipped(), "holds no files"),
    "empty tar.gz": Hostile(lambda: tarred(mode="w:gz"), "holds no files"),
    "only junk": Hostile(lambda: zipped((".DS_Store", b"x"), ("a/", b"")), "holds no files"),
    "zip cut off": Hostile(lambda: TWO[:-30], DAMAGED),
    "zip, bad checksum": Hostile(lambda: zipped(("a.png", PNG), method=0).replace(PNG, turned(PNG, 50)), DAMAGED),
    "zip, damaged deflate": Hostile(lambda: turned(zipped(("a", os.urandom(9))), 32), DAMAGED),
    "zip, name not UTF-8": Hostile(lambda: zipped(("é.png", PNG)).replace("é".encode(), b"\xff\xff"), DAMAGED),
    "tar cut off in a file": Hostile(lambda: TAR[:550], DAMAGED),
    "tar cut off in the padding": Hostile(lambda: TAR[:1000], DAMAGED),
    "tar cut off in a header": Hostile(lambda: TAR[:1100], DAMAGED),
    "tar cut off between entries": Hostile(lambda: TAR[:1024], DAMAGED),
    "tar, damaged second header": Hostile(lambda: turned(TAR, 1030), DAMAGED),
    "tar, damaged pax record": Hostile(lambda: tarred(("a", b""))[:512] + pax(b"0 path=a\n"), DAMAGED),
    "tar.gz cut off": Hostile(lambda: gzip.compress(TAR)[:-20], DAMAGED),
    "tar.gz, bad checksum": Hostile(lambda: turned(gzip.compress(TAR), -7), DAMAGED),
    "tar.bz2 cut off": Hostile(lambda: bz2.compress(TAR)[:-20], DAMAGED),
    "tar.bz2 damaged": Hostile(lambda: turned(bz2.compress(TAR), 40), DAMAGED),
    "tar.xz cut off": Hostile(lambda: lzma.compress(TAR)[:-20], DAMAGED),
    "tar.xz of 4 GiB memory": Hostile(greedy_xz, "of memory to unpack"),
    "overlap: the same bytes twice": Hostile(lambda: patched(TWO, CENTRAL, 42, bytes(4), which=1), CONTRADICTION),
    "overlap: quoted header": Hostile(quoting_bomb, CONTRADICTION),
    "overlap: directory": Hostile(lambda: patched(ONE, CENTRAL, 20, struct.pack("<I", 10_000)), CONTRADICTION),
    "more entries than declared": Hostile(lambda: patched(TWO, END, 8, b"\1\0\1\0"), CONTRADICTION),
    "fewer entries than declared": Hostile(lambda: patched(TWO, END, 8, b"\3\0\3\0"), CONTRADICTION),
    "zip, size forged down": Hostile(lambda: forged_zip_size(10), CONTRADICTION),
    "zip, size forged to 0": Hostile(lambda: forged_zip_size(0), CONTRADICTION),
    "zip, size forged up": Hostile(lambda: forged_zip_size(4 * MB), CONTRADICTION),
    "zip, forged size hides too much": Hostile(lambda: forged_zip_size(10), "more than 1 MB", SMALL),
    "zip, forged size hides a large file": Hostile(
        lambda: forged_zip_size(10), "the most for one file", Limits(file_bytes=MB)
    ),
    "zip, absurd size": Hostile(lambda: forged_zip_size(2**32 - 2), "the most for one file"),
    "zip, offset behind the end": Hostile(lambda: patched(ONE, CENTRAL, 42, b"\xff\xff\xff\x7f"), DAMAGED),
    "zip, large file": Hostile(lambda: zipped(("a", bytes(3 * MB))), "the most for one file", Limits(file_bytes=MB)),
    "tar, large file": Hostile(lambda: tarred(("a", bytes(3 * MB))), "the most for one file", Limits(file_bytes=MB)),
    "tar, absurd size": Hostile(
        lambda: tar_header(tar_info("a.png", size=2**60)) + bytes(1024), "the most for one file"
    ),
    "tar, absurd size in junk": Hostile(lambda: tar_header(tar_info(".a", size=2**60)) + bytes(1024), DAMAGED),
    "tar, negative size": Hostile(lambda: tar_header(tar_info("a", size=-512)) + bytes(1024), CONTRADICTION),
    "pax, negative size": Hostile(lambda: pax(pax_record(b"size", b"-1024")), CONTRADICTION),
    "pax, absurd size": Hostile(lambda: pax(pax_record(b"size", b"9" * 30)), "the most for one file"),
    "bomb in many files": Hostile(
        lambda: zipped(*((f"{i}.bmp", bytes(200_000)) for i in range(6))), "unpacks to more than 1 MB", SMALL
    ),
    "bomb by its ratio": Hostile(lambda: zipped(("a.bmp", bytes(3 * MB))), "200 times", Limits(ratio_floor=2 * MB)),
    "gzip bomb": Hostile(lambda: gzip.compress(TAR + bytes(2 * MB)), "unpacks to more than 1 MB", SMALL),
    "gzip bomb in junk": Hostile(lambda: tarred((".a", bytes(2 * MB)), mode="w:gz"), "more than 1 MB", SMALL),
    "gzip bomb of headers": Hostile(
        lambda: tarred(*((f".{i}", b"") for i in range(2100)), mode="w:gz"), "more than 1 MB", SMALL
    ),
    "bzip2 bomb": Hostile(lambda: bz2.compress(TAR + bytes(9 * MB)), "200 times", Limits(ratio_floor=2 * MB)),
    "xz bomb": Hostile(lambda: lzma.compress(TAR + bytes(9 * MB)), "200 times", Limits(ratio_floor=2 * MB)),
    "many entries": Hostile(lambda: zipped(*((str(i), b"") for i in range(11))), "more than 10", Limits(entries=10)),
    "many entries in tar": Hostile(
        lambda: tarred(*((f".{i}", b"") for i in range(11))), "more than 10 files", Limits(entries=10)
    ),
    "many folders": Hostile(
        lambda: tarred(*((f"{i}/a/b/c/d", b"") for i in range(4))), "more than 10 files", Limits(entries=10)
    ),
    "large directory": Hostile(
        lambda: LOCAL + bytes(3 * MB) + struct.pack("<4s4H2IH", END, 0, 0, 9, 9, 3 * MB, 4, 0),
        "more than 10 files",
        Limits(entries=10),
    ),
    "pax header of 1 MB": Hostile(lambda: pax(pax_record(b"comment", bytes(MB))), "extended attributes"),
    "long name of 1 MB": Hostile(
        lambda: tar_header(tar_info("L", type=tarfile.GNUTYPE_LONGNAME, size=MB)) + bytes(2 * MB), "extended attributes"
    ),
    "pax header without end": Hostile(
        lambda: tar_header(tar_info("x", type=tarfile.XHDTYPE, size=2**40)) + bytes(1024), "extended attributes"
    ),
    "pax header of negative size": Hostile(
        lambda: bz2.compress(TAR[:1024] + tar_header(tar_info("x", type=tarfile.XHDTYPE, size=-512)) + bytes(3 * MB)),
        DAMAGED,
        SMALL,
    ),
    "chain of pax headers": Hostile(
        lambda: (tar_header(tar_info("x", type=tarfile.XHDTYPE, size=10)) + padded(b"10 a=bcde\n")) * 2000 + TAR,
        "extended attributes",
    ),
    "pax header slow to search": Hostile(lambda: pax(b"1" * 60_000), DAMAGED),
    "sparse": Hostile(
        lambda: tar_header(tar_info("a", type=tarfile.GNUTYPE_SPARSE), at={483: b"%011o" % 2**32}) + bytes(1024),
        "is a sparse file",
    ),
    "pax sparse": Hostile(pax_sparse, "is a sparse file"),
}


def listing(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the archive's place, `hostile.png`, and a canary beside it."""
    (tmp_path / "canary").mkdir()
    (tmp_path / "canary" / "x.png").write_bytes(b"alive")
    return tmp_path


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_leave_a_sentence_and_nothing_else(name: str, place: Path) -> None:
    archive = place / "hostile.png"  # by its name it is a picture
    archive.write_bytes(HOSTILE[name].archive())
    before = listing(place)
    started = time.process_time()
    with pytest.raises(UserError, match=re.escape(HOSTILE[name].told)) as refusal:
        unpack(archive, place / "out", HOSTILE[name].limits)
    assert time.process_time() - started < 2
    assert listing(place) == before
    sentence = str(refusal.value)
    assert sentence.isprintable() and "hostile.png" in sentence and len(sentence) < 300
    assert str(pickle.loads(pickle.dumps(refusal.value))) == sentence


def hidden_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


MODES = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


@pytest.mark.parametrize("kind", ["zip", "stored zip", *MODES, "ustar", "gnu"])
def test_good_archives(kind: str, place: Path) -> None:
    large = os.urandom(50) * 50_000  # more than one chunk
    entries = [
        ("data/images/a.png", PNG),
        ("data/empty.txt", b""),
        ("data/" + "x" * (80 if kind == "ustar" else 150) + ".png", large),
    ]
    if "zip" in kind:
        data = zipped(("data/", b""), *entries, method=0 if "stored" in kind else 8)
    else:
        formats = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT}
        folder = tar_info("data", type=tarfile.DIRTYPE, mode=0)
        data = tarred((folder, b""), *entries, mode=MODES.get(kind, "w"), kind=formats.get(kind, tarfile.PAX_FORMAT))
    archive = place / "archive"
    archive.write_bytes(data)
    assert is_archive(archive)
    calls: list[tuple[int, int]] = []
    unpacked = unpack(archive, place / "out", progress=lambda done, total: calls.append((done, total)))
    written = {name: data for name, data in listing(place / "out").items() if data is not None}
    assert written == dict(entries)
    assert unpacked.folder == place / "out"
    assert (unpacked.files, unpacked.bytes) == (3, len(PNG) + len(large))
    assert unpacked.skipped == unpacked.renamed == ()
    assert hidden_in(place) == []
    assert len(calls) >= 5 and calls[-1] == (len(data), len(data)) and calls == sorted(calls)
    assert {total for _, total in calls} == {len(data)}


def test_old_tar_and_many_streams(place: Path) -> None:
    old = tar_header(tar_info("a.png", size=len(PNG)), at={257: bytes(8)}) + padded(PNG) + bytes(1024)
    for data in (old, gzip.compress(TAR[:700]) + gzip.compress(TAR[700:]) + bytes(99), lzma.compress(TAR) + bytes(8),
                 bz2.compress(TAR[:9]) + bz2.compress(TAR[9:])):  # fmt: skip
        (place / "a").write_bytes(data)
        assert is_archive(place / "a")
        unpack(place / "a", place / f"out{zlib.crc32(data)}")
    assert len(list(place.glob("out*/a.png"))) == 4


@pytest.mark.parametrize("mode", [0o777, 0o000, 0o4755])
def test_nothing_is_taken_over_but_names_and_bytes(mode: int, place: Path) -> None:
    member = tar_info("s/a.png", mode=mode, mtime=1, uid=12345, gid=12345, pax_headers={"SCHILY.xattr.user.x": "y"})
    for i, data in enumerate([tarred((member, PNG)), zipped((zip_info("s/a.png", mode | stat.S_IFREG), PNG))]):
        (place / "a").write_bytes(data)
        umask = os.umask(0o022)
        try:
            out = unpack(place / "a", place / f"out{i}").folder
        finally:
            os.umask(umask)
        found = (out / "s" / "a.png").stat()
        assert stat.S_IMODE(found.st_mode) == 0o644 and found.st_uid == os.getuid() and found.st_mtime > 1e9
        assert stat.S_IMODE(out.stat().st_mode) == stat.S_IMODE((out / "s").stat().st_mode) == 0o755
        assert not hasattr(os, "listxattr") or os.listxattr(out / "s" / "a.png") == []


def test_junk_is_passed_over_and_listed(place: Path) -> None:
    junk = ("__MACOSX/s/._a.png", "s/.DS_Store", "s/Thumbs.db", "Desktop.ini", "._b.zip", ".git/config", "s/Icon\r",
            "s/.ipynb_checkpoints/a.png")  # fmt: skip
    for make in (zipped, tarred):
        (place / "a").write_bytes(make(*((name, b"\0\5\x16\7") for name in junk), ("s/a.png", PNG)))
        unpacked = unpack(place / "a", place / make.__name__)
        assert set(unpacked.skipped) == set(junk)
        assert listing(place / make.__name__) == {"s": None, "s/a.png": PNG}


def raw_zip(*names: bytes) -> bytes:
    """A zip file with these bytes as names, and no flag for their encoding."""
    stand_ins = [b"%d" % i + b"#" * (len(name) - 1) for i, name in enumerate(names)]
    data = zipped(*((name.decode(), PNG) for name in stand_ins))
    for stand_in, name in zip(stand_ins, names, strict=True):
        data = data.replace(stand_in, name)
    return data


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("utf-8", ["犬と猫.png", "é.png"]),
        ("cp932", ["写真/犬.png", "表示/ソース.png"]),  # in which second bytes are backslashes
        ("cp932", ["ラベル/犬.png", "plain.png"]),
        ("gb2312", ["图片/猫.png", "标签/狗.png"]),
        ("gbk", ["圖片/貓镕.png", "標籤/犬丂.png"]),
        ("cp437", ["café.png", "Ça.png"]),
    ],
)
def test_zip_names_without_the_flag(encoding: str, names: list[str], place: Path) -> None:
    (place / "a").write_bytes(raw_zip(*(name.encode(encoding) for name in names)))
    unpack(place / "a", place / "out")
    assert {name for name, data in listing(place / "out").items() if data} == set(names)


def test_the_unicode_path_of_winrar_wins(place: Path) -> None:
    raw = "表.png".encode("cp932")
    info = zip_info("0" + "#" * (len(raw) - 1), 0)
    text = "图.png".encode()
    info.extra = struct.pack("<HHHHBI", 1234, 0, 0x7075, 5 + len(text), 1, zlib.crc32(raw)) + text
    (place / "a").write_bytes(zipped((info, PNG)).replace(info.filename.encode(), raw))
    unpack(place / "a", place / "out")
    assert list(listing(place / "out")) == ["图.png"]


def test_tar_names_that_are_no_utf_8(place: Path) -> None:
    name = "写真/犬.png".encode("cp932").decode("utf-8", "surrogateescape")
    (place / "a").write_bytes(tarred((name, PNG), kind=tarfile.GNU_FORMAT))
    unpack(place / "a", place / "out")
    assert set(listing(place / "out")) == {"写真", "写真/犬.png"}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("set\\images\\a.png", "set/images/a.png"),
        ("./set//./a.png", "set/a.png"),
        (unicodedata.normalize("NFD", "é/がぎ.png"), "é/がぎ.png"),
        ("CON.png", "_CON.png"),
        ("nul/com1.tar.png", "_nul/_com1.tar.png"),
        ("LPT¹", "_LPT¹"),
        ("console.png", "console.png"),
        ("set. ./a.png. ", "set___/a.png__"),
        ('12:30 <a|b>?*".png', "12_30 _a_b____.png"),
        (" a.png", " a.png"),
        ("~/$HOME/%PATH%/`id`.png", "~/$HOME/%PATH%/`id`.png"),
        ("{archive}{0}.png", "{archive}{0}.png"),
    ],
)
def test_names_made_safe(name: str, path: str, place: Path) -> None:
    for make in (zipped, tarred):
        (place / "a").write_bytes(make((name, PNG)))
        unpacked = unpack(place / "a", place / make.__name__)
        assert [name for name, data in listing(place / make.__name__).items() if data] == [path]
        plain = name.replace("\\", "/").replace("./set//./", "set/")
        assert unpacked.renamed == (() if path == plain else ((name, path),))


def test_windows_folders(place: Path) -> None:
    (place / "a").write_bytes(zipped(("s\\", b""), ("s\\empty\\", b""), ("s\\a.png", PNG)))
    unpack(place / "a", place / "out")
    assert listing(place / "out") == {"s": None, "s/empty": None, "s/a.png": PNG}


def test_label_maps_that_pack_well_are_no_bomb(place: Path) -> None:
    (place / "a").write_bytes(zipped(("a.bmp", bytes(12 * MB))))  # a thousand to one
    assert unpack(place / "a", place / "out").bytes == 12 * MB


@pytest.mark.parametrize("kind", ["zip", *MODES])
def test_memory_is_bounded(kind: str, place: Path) -> None:
    data = bytes(25 * MB)
    (place / "a").write_bytes(zipped(("a", data)) if kind == "zip" else tarred(("a", data), mode=MODES[kind]))
    del data
    tracemalloc.start()
    try:
        unpack(place / "a", place / "out")
        assert tracemalloc.get_traced_memory()[1] < 16 * MB  # of which xz needs 8
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_an_interruption_leaves_nothing(make: Any, interruption: type[BaseException], place: Path) -> None:
    (place / "a").write_bytes(make(("s/a.png", PNG), ("s/b.png", PNG)))
    before = listing(place)
    calls = []

    def stop(done: int, total: int) -> None:
        calls.append(hidden_in(place))
        if len(calls) == 3:
            raise interruption

    with pytest.raises(interruption):
        unpack(place / "a", place / "out", progress=stop)
    assert all(len(hidden) == 1 for hidden in calls)  # it was being written, but not under its name
    assert listing(place) == before


def test_the_folder_must_be_new_or_empty(place: Path) -> None:
    (place / "a").write_bytes(ONE)
    (place / "file").touch()
    (place / "link").symlink_to(place / "empty")
    (place / "empty").mkdir()
    before = listing(place)
    for name in ("canary", "file", "link"):
        with pytest.raises(UserError, match="is there already and is not empty"):
            unpack(place / "a", place / name)
    assert listing(place) == before
    unpack(place / "a", place / "empty")
    assert listing(place / "empty") == {"a.png": PNG}


def test_a_disk_that_does_not_let_us(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "a").write_bytes(ONE)
    before = listing(place)
    for archive, out in (("missing", "out"), ("canary", "out"), ("a", "missing/out")):
        with pytest.raises(UserError, match=f"{archive} cannot be unpacked to .*out"):
            unpack(place / archive, place / out)

    def full(path: Any, flags: int, *arguments: Any, real: Any = os.open, **named: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, flags, *arguments, **named)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(UserError, match="No space left on device"):
        unpack(place / "a", place / "out")
    assert listing(place) == before


def test_is_archive_goes_by_content(place: Path) -> None:
    (place / "a.zip").write_bytes(PNG)
    assert not is_archive(place / "a.zip")
    assert not is_archive(place / "missing.zip")
    assert not is_archive(place)
    (place / "a.png").write_bytes(b"7z\xbc\xaf\x27\x1c")
    assert not is_archive(place / "a.png")  # for it is none that can be unpacked
    (place / "a.png").write_bytes(ONE)
    assert is_archive(place / "a.png")


PIECES = st.sampled_from(
    [
        *r"/ \ . .. ... C: : con NUL.png e é a A ~ ? * .zip .git __MACOSX Icon".split(),
        " ",
        "\0",
        "\r",
        "\n",
        "\u0301",
        "\u202e",
    ]
)
NAMES = st.lists(PIECES | st.text(max_size=3), min_size=1, max_size=8).map("".join)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@settings(max_examples=100, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=3), st.booleans())
def test_whatever_the_names_files_end_inside_or_are_refused(names: list[str], as_zip: bool) -> None:
    if as_zip:
        infos = [zip_info("x", 0) for _ in names]
        for info, name in zip(infos, names, strict=True):
            info.filename = name
        data = zipped(*((info, PNG) for info in infos))
    else:
        data = tarred(*((name, PNG) for name in names))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "place")
        place.mkdir()
        (place / "a").write_bytes(data)
        try:
            unpacked = unpack(place / "a", place / "out")
        except UserError:
            assert set(listing(Path(folder))) == {"place", "place/a"}
            return
        paths = list((place / "out").rglob("*"))
        files = [path for path in paths if path.is_file()]
        assert sorted(os.listdir(place)) == ["a", "out"] and os.listdir(folder) == ["place"]
        assert len(files) == unpacked.files and all(path.read_bytes() == PNG for path in files)
        assert not any(path.is_symlink() for path in paths)
        for part in (path.name for path in paths):
            assert part == unicodedata.normalize("NFC", part) and not part.startswith(".")
            assert not set(part) & set('<>:"|?*\\\0\n\r') and part[-1] not in ". "


SEEDS = [TWO, TAR, gzip.compress(TAR), bz2.compress(TAR), lzma.compress(TAR), pax_sparse()]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_whatever_is_damaged_nothing_but_a_sentence_comes_out(seed: bytes, data: st.DataObject) -> None:
    damaged = bytearray(seed)
    for at in data.draw(st.lists(st.integers(0, len(seed) - 1), min_size=1, max_size=4)):
        damaged[at] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "a").write_bytes(damaged)
        try:
            unpack(place / "a", place / "out", Limits(total_bytes=MB, file_bytes=MB))
        except UserError:
            assert os.listdir(place) == ["a"]
