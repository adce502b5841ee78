"""Giving a checkpoint folder another name: its weights are not touched, and its model card says the new name."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from seg_demo.checkpoint.card import model_card
from seg_demo.checkpoint.config import CheckpointConfig, read_config
from seg_demo.checkpoint.folder import CARD_FILE
from seg_demo.errors import UserError

LONGEST_CARD = 1 << 20  # bytes; what is longer is nobody's card, and stays as it is
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def rename_checkpoint(folder: Path, target: Path) -> Path:
    """Move a checkpoint folder to `target`, in the same file system; returns it.

    At every moment there is one whole folder, under one of the two names. A link to the Hub stays.
    Raises `FileExistsError` where something is at `target`, and `UserError` where the disk does not let us; then
    everything is as it was.
    """
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    try:
        made = folder.stat()
        before = _change_card(folder, folder.name, target.name)
        try:
            os.utime(folder, ns=(made.st_atime_ns, made.st_mtime_ns))  # The model is as old as it was.
            folder.rename(target)
        except OSError:
            _put_back(folder, before)
            raise
    except OSError as error:
        if error.errno in _TAKEN:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        raise UserError(
            "The checkpoint {name} could not be moved ({reason}). Check the permissions of its folder and the free "
            "space.",
            name=folder.name, reason=error.strerror or error,
        ) from None  # fmt: skip
    return target


def renamed_card(text: str, config: CheckpointConfig, name: str, other: str) -> str:
    """A model card of the checkpoint `name` as one of `other`: the lines that are written from its name; the rest, and
    what somebody has added, is kept.
    """
    of_name, of_other = (model_card(each, config).split("\n") for each in (name, other))
    if len(of_name) != len(of_other):
        return text
    renamed = {line: after for line, after in zip(of_name, of_other, strict=True) if line != after}
    return "\n".join(renamed.get(line, line) for line in text.split("\n"))


def _change_card(folder: Path, name: str, other: str) -> bytes | None:
    """Returns what the card was; None where it stays as it is. Raises `OSError`."""
    card = folder / CARD_FILE
    try:
        with card.open("rb") as file:
            before = file.read(LONGEST_CARD + 1)
        after = renamed_card(before.decode("utf-8"), read_config(folder), name, other).encode("utf-8")
    except (FileNotFoundError, UnicodeDecodeError, UserError):  # A damaged one has a name all the same.
        return None
    if after == before or len(before) > LONGEST_CARD:
        return None
    _write(folder, after)
    return before


def _put_back(folder: Path, before: bytes | None) -> None:
    with contextlib.suppress(OSError):
        if before is not None:
            _write(folder, before)


def _write(folder: Path, card: bytes) -> None:
    part = folder / f".{CARD_FILE}.new"
    try:
        part.write_bytes(card)
        part.replace(folder / CARD_FILE)
    finally:
        part.unlink(missing_ok=True)
