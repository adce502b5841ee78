"""Names in archives -> names that are safe, and the same file, on every system."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from seg_demo.data.archive.limits import Limits, too_many
from seg_demo.errors import UserError

# What macOS, Windows and version control leave in folders; names with a leading dot come on top of these.
_JUNK = frozenset({"__macosx", "thumbs.db", "desktop.ini", "icon\r"})
# Device names that Windows opens instead of a file, with any suffix (Microsoft: "Naming Files, Paths, and Namespaces").
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?", re.IGNORECASE | re.DOTALL)
_FORBIDDEN = re.compile(r'[<>:"|?*]')
# Turn the direction of writing: "cat<U+202E>gnp.exe" is shown as "catexe.png".
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def decode_names(raw: list[bytes]) -> list[str]:
    """Names of unknown encoding -> text, all by the first encoding that explains every one of them.

    Zip has a flag for UTF-8; without it most tools write the code page of their system. Tried in turn:
    UTF-8, which other text hardly ever happens to be; GB 2312, whose bytes are all above 0xA0, so that
    Japanese kana and nearly all kanji cannot pass for it; cp932 (Japanese Windows), which would take
    Chinese for half-width kana, hence the order; GBK; and cp437, the format's own, which takes any bytes.
    One encoding serves all, for an image and its label map must keep the same stem.
    """
    for encoding in ("utf-8", "gb2312", "cp932", "gbk"):
        try:
            text = b"/".join(raw).decode(encoding)
        except UnicodeDecodeError:
            continue
        # cp932 gives bytes without meaning to control and private characters.
        if not any(char >= "\x80" and unicodedata.category(char) in ("Cc", "Co") for char in text):
            return [name.decode(encoding) for name in raw]
    return [name.decode("cp437") for name in raw]


def shown(name: str) -> str:
    """A stranger's name as it can stand in a message: no control characters, at most 80 characters."""
    return "".join(char if char.isprintable() else "\ufffd" for char in name[:80]) + ("…" if len(name) > 80 else "")


class SafeName(NamedTuple):
    """A path below the output folder: its `parts` (none for the folder itself), and whether they were `changed`."""

    parts: tuple[str, ...]
    changed: bool


def safe_name(name: str, archive: str, limits: Limits) -> SafeName | None:
    r"""The path a name in an archive stands for, or None for junk; raises `UserError` for hostile names.

    Backslashes separate, as old Windows tools write them. Unicode becomes NFC; what Windows cannot store
    (device names, `<>:"|?*`, dots and spaces at the end) gets underscores.

    >>> safe_name("set\\con.png", "a.zip", Limits()).parts
    ('set', '_con.png')
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    # Windows ignores dots and spaces at the end, so that ".. " and "..." may lead upwards as well.
    upwards = any(not part.strip(". ") and part.count(".") > 1 for part in parts)
    if upwards or name.startswith(("/", "\\")) or re.match("[A-Za-z]:", name):
        raise UserError(
            "{entry} in {archive} leads out of the folder it is unpacked to. Pack again with names relative to it.",
            archive=archive,
            entry=shown(name),
        )
    # macOS really names the icon of a folder "Icon\r".
    if any(_is_control(char) for part in parts if part not in ("Icon\r", "._Icon\r") for char in part):
        raise UserError(
            "The name {entry} in {archive} holds control characters. Rename the file and pack again.",
            archive=archive,
            entry=shown(name),
        )
    if any(part.startswith(".") or part.casefold() in _JUNK for part in parts):
        return None
    safe = [_safe_part(part) for part in parts]
    if len(safe) > limits.depth + 1:
        raise UserError(
            "{entry} in {archive} lies in more than {limit} folders. Pack again with fewer.",
            archive=archive, entry=shown(name), limit=limits.depth,
        )  # fmt: skip
    if any(len(part.encode()) > limits.name_bytes for part in safe):
        raise UserError(
            "The name {entry} in {archive} is longer than {limit} bytes. Shorten it and pack again.",
            archive=archive, entry=shown(name), limit=limits.name_bytes,
        )  # fmt: skip
    return SafeName(tuple(safe), safe != parts)


def _is_control(char: str) -> bool:
    return char in _TURNING or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")


def _safe_part(part: str) -> str:
    part = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", part))
    kept = part.rstrip(". ")
    part = kept + "_" * (len(part) - len(kept))
    return "_" + part if _RESERVED.fullmatch(part) else part


class Tree:
    """The paths taken so far, so that no two are one file where upper and lower case are the same."""

    def __init__(self, archive: str, limits: Limits) -> None:
        self._archive = archive
        self._limits = limits
        self._taken: dict[str, tuple[bool, str, str]] = {}  # folded path -> is a folder, path, name in the archive

    def add(self, parts: tuple[str, ...], name: str, *, folder: bool) -> list[str]:
        """Take a path, and return the folders that are new with it, outer ones first; raises `UserError`."""
        new = []
        for count in range(1, len(parts) + 1):
            path = "/".join(parts[:count])
            is_folder = folder or count < len(parts)
            key = unicodedata.normalize("NFC", path.casefold())
            if key not in self._taken:
                self._taken[key] = (is_folder, path, name)
                if len(self._taken) > self._limits.entries:
                    raise too_many(self._archive, self._limits)
                if is_folder:
                    new.append(path)
                continue
            was_folder, path_before, name_before = self._taken[key]
            if was_folder != is_folder:
                raise UserError(
                    "{entry} in {archive} is a file and a folder at once. Rename one of them.",
                    archive=self._archive,
                    entry=shown(path),
                )
            if not is_folder and name_before == name:
                raise UserError(
                    "{entry} is in {archive} twice. Pack again from a folder.", archive=self._archive, entry=shown(name)
                )
            if not is_folder or path_before != path:
                raise UserError(
                    "{entry} and {other} in {archive} are the same name on some systems. Rename one of them.",
                    archive=self._archive, entry=shown(name), other=shown(name_before),
                )  # fmt: skip
        return new
