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
from seg_demo.errors import UserError, shorten

TOKEN = re.compile(r"[\w-]{32}", re.ASCII)
KEPT_DAYS = 7  # since a visitor was last here, in public
LONGEST_NAME = 60
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no files on Windows


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
        """Give a checkpoint of one's own another name; its model card says so, too."""
        folder = self._own(name)
        target = self._free(other)
        kept = load_checkpoint(folder)
        save_checkpoint(target, kept.model, kept.config)
        shutil.rmtree(folder)
        return target

    def remove(self, name: str) -> None:
        """Delete a checkpoint of one's own. Raises `UserError` where there is none of that name."""
        shutil.rmtree(self._own(name))

    def _own(self, name: str) -> Path:
        folder = self.checkpoints / check_name(name)
        if not (folder / "config.json").is_file():
            raise UserError("There is no checkpoint {name} here any more.", name=folder.name)
        return folder

    def _free(self, name: str) -> Path:
        target = self.checkpoints / check_name(name)
        if target.exists():
            raise UserError("There is a checkpoint {name} already. Choose another name.", name=target.name)
        return target


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
        """Remove what visitors have left behind who have not been here for long."""
        for place in (self.folder / "workspaces").glob("*") if self.public else ():
            with contextlib.suppress(OSError):  # another server was quicker
                if time.time() - place.stat().st_mtime > KEPT_DAYS * 24 * 3600:
                    shutil.rmtree(place, ignore_errors=True)

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


def check_name(name: str) -> str:
    """A name for a checkpoint folder as it was typed. Raises `UserError` where it cannot be one."""
    name = name.strip()
    plain = re.fullmatch(r"\w[\w .+-]*", name) and not name.endswith(".")
    if not plain or len(name) > LONGEST_NAME or _DEVICES.fullmatch(name):
        raise UserError(
            "A checkpoint cannot be called {name}. Use up to {most} letters, digits, - and _.",
            name=shorten(name), most=LONGEST_NAME,
        )  # fmt: skip
    return name


def plain_name(name: str) -> str:
    """What of a name suits a folder on every system."""
    return re.sub(r"[^\w-]+", "-", name.strip())[:40].strip("-_") or "run"


def _age(folder: Path) -> float:
    """For sorting, what was made last first: by its pictures, which come first and stay as they are."""
    for made in (folder / "data", folder):
        with contextlib.suppress(OSError):
            return -made.stat().st_mtime
    return 0.0
