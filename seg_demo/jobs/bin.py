"""Checkpoints that were deleted, which can be brought back for a while: a hidden folder beside those that are there."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from seg_demo.checkpoint.folder import CONFIG_FILE
from seg_demo.errors import UserError
from seg_demo.jobs.files import read_object, write_object

FOLDER = ".deleted"
KEPT_DAYS = 7
MOST = 20  # checkpoints
MOST_BYTES = 2_000_000_000
_ID = re.compile(r"(\d{16})-[0-9a-f]{16}", re.ASCII)  # microseconds since 1970
_RUNS = "runs.json"


@dataclass(frozen=True)
class Removed:
    """A checkpoint that was deleted: `id` is what brings it back.

    when: seconds since 1970. folder: where it is now. bytes: of its files. runs: the names of those that had it noted
    as what was kept of them.
    """

    id: str
    name: str
    when: float
    folder: Path
    bytes: int
    runs: tuple[str, ...] = ()


class Bin:
    """What was deleted of the checkpoints in a folder, for `KEPT_DAYS`, up to `MOST` and `most_bytes` of them.

    The one that was deleted last stays whatever its size, so that there is always a way back.
    """

    def __init__(self, checkpoints: Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder, self.most_bytes = checkpoints / FOLDER, most_bytes

    def put(self, checkpoint: Path, runs: tuple[str, ...] = ()) -> Removed:
        """Move a checkpoint here, and let go of what is too much. Raises `UserError` where the disk does not let us."""
        # Two at the same moment, and names that the id would make too long, are no problem: each has its own folder.
        place = self.folder / f"{time.time_ns() // 1000:016}-{secrets.token_hex(8)}"
        try:
            place.mkdir(parents=True)
            if runs:
                write_object(place / _RUNS, {"runs": runs})
            checkpoint.rename(place / checkpoint.name)
        except OSError as error:
            shutil.rmtree(place, ignore_errors=True)
            raise UserError(
                "The checkpoint {name} could not be deleted ({reason}). Check the permissions of its folder.",
                name=checkpoint.name, reason=error.strerror or error,
            ) from None  # fmt: skip
        removed = Removed(place.name, checkpoint.name, _when(place.name), place / checkpoint.name, _size(place), runs)
        self.purge()
        return removed

    def content(self) -> list[Removed]:
        """What can be brought back, the last one first."""
        found = (self._look(place) for place in self._places())
        return [removed for removed in found if removed is not None]

    def find(self, id: str) -> Removed:
        """One by its id, which comes from a browser. Raises `UserError` where it is gone for good."""
        for removed in self.content():
            if removed.id == id:
                return removed
        raise UserError(
            "This checkpoint is gone for good: what is deleted is kept for {days} days at most.", days=KEPT_DAYS
        )

    def purge(self) -> None:
        """Let go of what is too old or too much."""
        oldest, count, size = time.time() - KEPT_DAYS * 24 * 3600, 0, 0
        for place in self._places():
            removed = self._look(place)
            if removed:
                count, size = count + 1, size + removed.bytes
            too_much = removed and count > 1 and (count > MOST or size > self.most_bytes)
            if too_much or _when(place.name) < oldest:
                with contextlib.suppress(OSError):  # another process was quicker
                    # Under a name that nobody looks for: what is half gone cannot be brought back.
                    place.rename(place.with_name(f".{place.name}"))
        for half_gone in self.folder.glob(".*"):
            shutil.rmtree(half_gone, ignore_errors=True)

    def forget(self, removed: Removed) -> None:
        """Remove what is left of one that was brought back."""
        shutil.rmtree(removed.folder.parent, ignore_errors=True)

    def _places(self) -> list[Path]:
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted((path for path in found if _ID.fullmatch(path.name)), reverse=True)

    @staticmethod
    def _look(place: Path) -> Removed | None:
        """None for an empty place: its checkpoint was brought back, or is just coming."""
        try:
            folder = next(path for path in place.iterdir() if (path / CONFIG_FILE).is_file())
            size = _size(place)
        except (OSError, StopIteration):
            return None
        runs = read_object(place / _RUNS).get("runs")
        names = tuple(name for name in runs if isinstance(name, str)) if isinstance(runs, list) else ()
        return Removed(place.name, folder.name, _when(place.name), folder, size, names)


def _when(id: str) -> float:
    found = _ID.fullmatch(id)
    assert found
    return int(found[1]) / 1e6


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))
