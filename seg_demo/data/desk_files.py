"""The files of a desk: where pictures and their label files lie, under which names, and how they are written."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seg_demo.data.listing import SPLITS, folded, is_picture
from seg_demo.errors import UserError

LONGEST_STEM = 100  # characters; a file name has room for the number of a second one


@dataclass(frozen=True)
class DeskPicture:
    """A picture on the desk. label: its label file, or None. split: of a labelled one, where there are splits."""

    name: str
    image: Path
    label: Path | None = None
    split: str | None = None


def write_whole(target: Path, write: Callable[[Path], object]) -> None:
    """A file that is there as a whole or not at all. Raises `UserError` where the disk refuses."""
    descriptor, path = tempfile.mkstemp(prefix=".", suffix=target.suffix, dir=target.parent)
    os.close(descriptor)
    part = Path(path)
    try:
        write(part)
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        part.chmod(0o644)  # mkstemp makes it private
        os.replace(part, target)
    except OSError as error:
        raise UserError(
            "{file} could not be written ({reason}). Free some space.",
            file=target.name, reason=error.strerror or error,
        ) from None  # fmt: skip
    finally:
        part.unlink(missing_ok=True)


def splits_of(root: Path) -> Iterator[tuple[str | None, Path]]:
    """The folders of our own layout that may hold images/ and masks/."""
    yield None, root
    for split in SPLITS:
        yield split, root / split


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder; what is being written hides behind a dot."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_picture(path) and not path.name.startswith("."))


def pairs_in(root: Path) -> list[DeskPicture]:
    """What lies in our own layout; an image without a label file has None."""
    found = []
    for split, folder in splits_of(root):
        labels = {path.stem: path for path in pictures_in(folder / "masks")}
        found += [DeskPicture(path.stem, path, labels.get(path.stem), split) for path in pictures_in(folder / "images")]
    return found


def in_order(name: str) -> list[tuple[int, str]]:
    """newt_2 before newt_10."""
    return [(int(digits or 0), text) for text, digits in re.findall(r"(\D*)(\d{0,18})", folded(name))]


def free_name(stem: str, taken: set[str]) -> str:
    """`stem`, or with "_2", "_3", ... where that is taken; the name is then taken too."""
    plain = stem.lstrip(".")[:LONGEST_STEM] or "picture"
    name, number = plain, 1
    while folded(name) in taken:
        number += 1
        name = f"{plain}_{number}"
    taken.add(folded(name))
    return name


def digest_of(file: Path) -> bytes:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


def link(source: Path, target: Path) -> None:
    """One file under two names, or a copy where the disk has no such thing. Nothing here changes a file in place."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
