"""Putting a folder in another's place, so that there is one of them at every moment."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

AT_FDCWD = {"linux": -100, "darwin": -2}
EXCHANGE = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


def replace_folder(new: Path, old: Path) -> Path | None:
    """`new` takes the name `old`; returns where the old folder is now, if there was one. Raises `OSError`.

    Both are in one file system. Where the system can exchange two names at once, somebody who looks always finds a
    whole folder; elsewhere there is none for the moment between two renames, and the old one is `new` + ".old" then.
    """
    if not old.exists():
        new.rename(old)
        return None
    if _exchange(new, old):
        return new
    aside = new.with_name(new.name + ".old")
    old.rename(aside)
    try:
        new.rename(old)
    except OSError:
        aside.rename(old)
        raise
    return aside


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names; False where this system, or this file system, cannot."""
    here = AT_FDCWD.get(sys.platform)
    name = {"linux": "renameat2", "darwin": "renameatx_np"}.get(sys.platform, "")
    try:
        rename = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (AttributeError, OSError, TypeError):
        return False
    rename.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    return rename(here, os.fsencode(one), here, os.fsencode(other), EXCHANGE) == 0
