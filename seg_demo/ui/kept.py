"""Pictures that the page keeps for a while, so that an address with their token leads back to them."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from seg_demo.errors import UserError
from seg_demo.jobs.workspace import home

DAY = 24 * 3600
KEPT_DAYS, LINKED_DAYS = 1, 30  # since it was last opened: any picture, and one whose link was asked for
MOST_BYTES, LARGEST = 2 << 30, 256 << 20  # of all, and of one
TOKEN = re.compile(r"[\w-]{22}")
LINKED = "linked"


@dataclass(frozen=True)
class KeptPicture:
    """A picture that was kept, and its label file, or None. Both have the names they came with."""

    token: str
    picture: Path
    labels: Path | None


class KeptPictures:
    """Pictures in a folder of random names that cannot be guessed: whoever has the token sees the picture."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or home() / "kept-pictures"

    def keep(self, picture: Path, labels: Path | None = None) -> KeptPicture:
        """Copy a picture and its label file under a new token. Raises `OSError` where that cannot be written."""
        if sum(file.stat().st_size for file in (picture, labels) if file) > LARGEST:
            raise OSError(f"{picture.name} is larger than {LARGEST} bytes")
        token = secrets.token_urlsafe(16)
        target = self.folder / token
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.mkdir(mode=0o700)
        try:
            for part, file in (("picture", picture), ("labels", labels)):
                if file is not None:
                    (target / part).mkdir()
                    shutil.copyfile(file, target / part / file.name)
        except OSError:
            shutil.rmtree(target, ignore_errors=True)
            raise
        self.clean_up()
        return self._found(target)

    def find(self, token: str) -> KeptPicture:
        """Raises `UserError` where the token leads nowhere any more."""
        target = self.folder / token
        if not TOKEN.fullmatch(token) or not any((target / "picture").glob("*")) or _is_too_old(target):
            raise UserError("The picture of this link is no longer kept here. Bring the picture again.")
        os.utime(target)
        return self._found(target)

    def link(self, token: str) -> None:
        """Keep a picture for longer, because somebody was given its link. Raises `UserError` as `find` does."""
        self.find(token)
        (self.folder / token / LINKED).touch()

    def clean_up(self) -> None:
        """Remove what is too old, and the oldest ones beyond `MOST_BYTES`."""
        total = 0
        kept = [path for path in self.folder.glob("*") if TOKEN.fullmatch(path.name)]
        # Where there are too many, those go last whose link was given away.
        for path in sorted(kept, key=lambda path: ((path / LINKED).exists(), _last_used(path)), reverse=True):
            if not _is_too_old(path):
                total += _bytes_in(path)
                if total <= MOST_BYTES:
                    continue
            shutil.rmtree(path, ignore_errors=True)

    def _found(self, target: Path) -> KeptPicture:
        picture, labels = (next(iter((target / part).glob("*")), None) for part in ("picture", "labels"))
        assert picture is not None
        return KeptPicture(target.name, picture, labels)


def _last_used(target: Path) -> float:
    """0 where another process was quicker and removed it."""
    try:
        return target.stat().st_mtime
    except OSError:
        return 0.0


def _is_too_old(target: Path) -> bool:
    days = LINKED_DAYS if (target / LINKED).exists() else KEPT_DAYS
    return time.time() - _last_used(target) > days * DAY


def _bytes_in(target: Path) -> int:
    total = 0
    with contextlib.suppress(OSError):  # as above
        for file in target.glob("*/*"):
            total += file.stat().st_size
    return total
