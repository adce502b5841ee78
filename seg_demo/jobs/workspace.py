"""The folder of one user of the page: runs, checkpoints, and the pictures that were brought last."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seg_demo.checkpoint import load_checkpoint, save_checkpoint
from seg_demo.checkpoint.name import check_name, places
from seg_demo.checkpoint.rename import rename_checkpoint
from seg_demo.errors import UserError, shorten
from seg_demo.infer.library import BUNDLED
from seg_demo.jobs.bin import MOST_BYTES, Bin, Removed
from seg_demo.jobs.job import Job

TOKEN = re.compile(r"[\w-]{32}", re.ASCII)
KEPT_DAYS = 7  # since a visitor was last here, in public
MOST_DELETED = 300_000_000  # bytes of a visitor's checkpoints that can be brought back


def home() -> Path:
    """Where the page keeps things: $SEG_DEMO_HOME, or a folder of the user's cache."""
    return Path(os.environ.get("SEG_DEMO_HOME") or Path.home() / ".cache" / "seg_demo")


@dataclass(frozen=True)
class Workspace:
    """Where the things of one user are.

    runs: a folder for each run. checkpoints: those that are the user's own. brought: data sets as they were brought, of
    which the last one is worked with. desk: pictures that are labelled in the page. public: whether strangers use the
    page, too, who must not see any of it.
    """

    runs: Path
    checkpoints: Path
    brought: Path
    desk: Path
    public: bool = False

    def run_folders(self) -> list[Path]:
        """The folders of all runs, the newest first."""
        found = self.runs.iterdir() if self.runs.is_dir() else ()
        folders = [path for path in found if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")]
        return sorted(folders, key=_age)

    def run_folder(self, name: str) -> Path:
        """The folder of a run by its name, which comes from a browser. Raises `UserError` where it is not there."""
        for folder in self.run_folders():
            if folder.name == name:
                return folder
        raise UserError("There is no run {name} here any more. Choose another one.", name=shorten(name))

    @contextlib.contextmanager
    def new_run(self, name: str) -> Iterator[NewRun]:
        """A folder for a run, which is not among the runs before it is finished; it is deleted if it never is."""
        self.runs.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".preparing-", dir=self.runs))
        try:
            yield NewRun(staging, plain_name(name))
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def keep(self, checkpoint: Path, name: str, again: str = "") -> Path:
        """Copy a checkpoint of a run under a name of its own, with its model card; returns the folder.

        again: the name of one that may be replaced. Raises `UserError` where the name cannot be, is taken, or the
        checkpoint is not there.
        """
        target = self.checkpoints / check_name(name) if name.strip() == again else self._free(name)
        kept = load_checkpoint(checkpoint)
        return save_checkpoint(target, kept.model, kept.config)

    def rename(self, name: str, other: str) -> Path:
        """Give a checkpoint of one's own another name; its model card says so, too, and so do notes of runs.

        Raises `UserError` where there is none, it is bundled, or the name cannot be or is taken.
        """
        folder = self._own(name)
        target = self._free(other)
        noted = self._noted(folder.name)
        try:
            rename_checkpoint(folder, target)
        except FileExistsError:  # It was free a moment ago.
            raise self._taken(target) from None
        for job in noted:
            job.note(kept=target.name)
        return target

    def remove(self, name: str) -> Removed:
        """Delete a checkpoint of one's own, which `restore` brings back for some days.

        Raises `UserError` where there is none of that name, or it is bundled.
        """
        folder = self._own(name)
        noted = self._noted(folder.name)
        removed = self.bin.put(folder, tuple(job.name for job in noted))
        for job in noted:  # Another checkpoint may have the name from now on.
            job.note(kept="")
        return removed

    def removed(self) -> list[Removed]:
        """The checkpoints that `restore` can bring back, the one that was deleted last first."""
        return self.bin.content()

    def restore(self, id: str) -> Path:
        """Bring a deleted checkpoint back, under another name where its own was taken meanwhile; returns its folder.

        id: of what `remove` returned. Raises `UserError` where it is gone for good.
        """
        removed = self.bin.find(id)
        for place in places(self.checkpoints, removed.name):
            with contextlib.suppress(FileExistsError):  # The next one, then.
                target = rename_checkpoint(removed.folder, place)
                break
        self.bin.forget(removed)
        for folder in self.run_folders():
            job = Job(folder)
            if job.name in removed.runs and not job.facts.kept:
                job.note(kept=target.name)
        return target

    def is_bundled(self, name: str) -> bool:
        """Whether a checkpoint here came with the program, so that it stays as it is."""
        return not self.public and name in BUNDLED

    @property
    def bin(self) -> Bin:
        """What was deleted."""
        return Bin(self.checkpoints, MOST_DELETED if self.public else MOST_BYTES)

    def _noted(self, name: str) -> list[Job]:
        """The runs of which it is noted that this checkpoint was kept."""
        return [job for job in map(Job, self.run_folders()) if job.facts.kept == name]

    def _own(self, name: str) -> Path:
        folder = self.checkpoints / check_name(name)
        if not (folder / "config.json").is_file():
            raise UserError("There is no checkpoint {name} here any more.", name=folder.name)
        if self.is_bundled(folder.name):
            raise UserError(
                "The checkpoint {name} came with the program, so it is neither renamed nor deleted. Choose one of "
                "your own.",
                name=folder.name,
            )  # fmt: skip
        return folder

    def _free(self, name: str) -> Path:
        target = self.checkpoints / check_name(name)
        if target.exists():
            raise self._taken(target)
        return target

    @staticmethod
    def _taken(target: Path) -> UserError:
        return UserError("There is a checkpoint {name} already. Choose another name.", name=target.name)


@dataclass(frozen=True)
class NewRun:
    """A run that is being prepared in `staging`. name: what it is to be called, with a number."""

    staging: Path
    name: str

    def finish(self) -> Path:
        """Put it among the runs; returns its folder."""
        number = 1
        while True:
            folder = self.staging.with_name(f"{self.name}-{number}")
            try:
                folder.mkdir()  # whoever makes it has the name
                break
            except FileExistsError:
                number += 1
        os.replace(self.staging, folder)
        folder.chmod(0o755)
        return folder


class Workspaces:
    """Which user has which workspace: on one's own computer there is one; in public each visitor has one.

    root: the folder in which checkpoints/ and runs/ lie on one's own computer.
    """

    def __init__(self, root: Path, public: bool = False, folder: Path | None = None) -> None:
        self.root, self.public = root, public
        self.folder = folder or home()

    def of(self, token: str | None) -> Workspace:
        """The workspace of a visitor; token: a secret of `new_token`, which nobody else knows.

        Who comes without one, as programs do, gets a new one that is forgotten.
        """
        if not self.public:
            runs = self.root / "runs"
            # Beside the runs, so that files can be linked.
            return Workspace(runs, self.root / "checkpoints", runs / ".brought", runs / ".desk")
        token = token if token and TOKEN.fullmatch(token) else new_token()
        # The name of the folder gets into configurations and sentences that others may see; the secret must not.
        place = self.folder / "workspaces" / hashlib.sha256(token.encode()).hexdigest()[:32]
        with contextlib.suppress(OSError):
            os.utime(place)
        return self._in(place)

    @staticmethod
    def _in(place: Path) -> Workspace:
        return Workspace(place / "runs", place / "checkpoints", place / "brought", place / "desk", public=True)

    def clean_up(self) -> None:
        """Remove what visitors have left behind who have not been here for long, and what was deleted long ago."""
        for place in (self.folder / "workspaces").glob("*") if self.public else ():
            with contextlib.suppress(OSError):  # another server was quicker
                if time.time() - place.stat().st_mtime > KEPT_DAYS * 24 * 3600:
                    shutil.rmtree(place, ignore_errors=True)
        for workspace in self.all():
            with contextlib.suppress(OSError):
                workspace.bin.purge()

    def all(self) -> Iterator[Workspace]:
        """Every workspace that there is."""
        if not self.public:
            yield self.of(None)
            return
        for place in sorted((self.folder / "workspaces").glob("*")):
            if TOKEN.fullmatch(place.name):
                yield self._in(place)


def new_token() -> str:
    """A secret that names a workspace and cannot be guessed."""
    return secrets.token_urlsafe(24)


def plain_name(name: str) -> str:
    """What of a name suits a folder on every system."""
    return re.sub(r"[^\w-]+", "-", name.strip())[:40].strip("-_") or "run"


def _age(folder: Path) -> float:
    """For sorting, what was made last first: by its pictures, which come first and stay as they are."""
    for made in (folder / "data", folder):
        with contextlib.suppress(OSError):
            return -made.stat().st_mtime
    return 0.0
