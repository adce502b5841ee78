"""What a checkpoint may be called, as a folder on every system and as a word in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from seg_demo.errors import UserError, shorten

LONGEST_NAME = 60
_NAME = re.compile(r"\w[\w .+-]*")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no files on Windows


def check_name(name: str) -> str:
    """A name for a checkpoint folder as it was typed. Raises `UserError` where it cannot be one."""
    name = name.strip()
    if not _is_name(name):
        raise UserError(
            "A checkpoint cannot be called {name}. Use up to {most} letters, digits, - and _.",
            name=shorten(name), most=LONGEST_NAME,
        )  # fmt: skip
    return name


def made_plain(text: str) -> str:
    """What of a text can be a name; `check_name` takes whatever comes of it.

    >>> made_plain("../my newts (2).zip")
    'my newts -2-.zip'
    """
    plain = re.sub(r"[^\w .+-]+", "-", text)
    plain = re.sub(r"^[^\w]+", "", plain)[:LONGEST_NAME].rstrip(" .")
    return plain if _is_name(plain) else "checkpoint"


def places(folder: Path, name: str) -> Iterator[Path]:
    """The free places for a checkpoint called `name` in `folder`: NAME, then NAME-2, NAME-3 and so on."""
    number = 1
    while True:
        end = f"-{number}" if number > 1 else ""
        place = folder / (name[: LONGEST_NAME - len(end)].rstrip(" .") + end)
        if not place.exists():
            yield place
        number += 1


def _is_name(text: str) -> bool:
    return bool(
        _NAME.fullmatch(text)
        and not text.endswith((".", " "))
        and len(text) <= LONGEST_NAME
        and not _DEVICES.fullmatch(text)
    )
