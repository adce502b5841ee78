"""A run as a folder: its configuration, its events, its state, and what may be looked at while it goes on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seg_demo.errors import Sentence, UserError, document_of
from seg_demo.settings import from_document, to_document
from seg_demo.train.config import TrainConfig
from seg_demo.train.events import Event, RunStarted, StepDone
from seg_demo.train.progress import Progress
from seg_demo.train.telling import told

if TYPE_CHECKING:
    from torch import Tensor

LOGGED_STEPS = 100  # log.txt has every so many steps, and everything else
# What may be in the folder before the run begins: whoever starts it as a process keeps these there, and its pictures.
BESIDE = ("job.json", ".job.json.new", "process.log", "problem.json", "data")
MAX_HEADER = 50_000_000  # bytes; a header has some hundred for each tensor
HOLD_TRIES, HOLD_PAUSE = 3, 0.03  # `held` by another process takes the lock for a moment


class Run:
    """The folder of one run.

    config.json: the configuration, and "about". events.jsonl: one JSON line per event. last/, best/: checkpoints.
    state/: what is needed to go on. samples/: predictions of validation pictures. tensorboard/, log.txt: for people.

    Only one process at a time may hold a run to write it: `begin` or `go_on` takes hold of it, until `close` or the end
    of the process, however it comes.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.last, self.best, self.samples = (self.folder / name for name in ("last", "best", "samples"))
        self.tensorboard, self.log = self.folder / "tensorboard", self.folder / "log.txt"
        self._config, self._events = self.folder / "config.json", self.folder / "events.jsonl"
        self._state = self.folder / "state" / "state.safetensors"
        self._lock_file = self.folder / "state" / "lock"
        self._lock: int | None = None
        self.recorded = 0
        self._first = 0

    @property
    def exists(self) -> bool:
        return os.path.isfile(self._config)  # unlike Path.is_file, it takes a name that is too long

    def begin(self, config: TrainConfig, about: Mapping[str, object]) -> None:
        """Make the folder and hold it. Raises `UserError` where there is something already, or it cannot be written."""
        if self.exists:
            raise UserError(
                "{folder} holds a run already. Add --resume to go on with it, or name a new folder.", folder=self.folder
            )
        ours = {"state", "log.txt", ".config.json.part", *BESIDE} - ({"state"} if self.has_state else set())
        if os.path.isdir(self.folder) and (strange := sorted({path.name for path in self.folder.iterdir()} - ours)):
            raise UserError(
                "{folder} is no run: it holds {file}. Name a new folder.", folder=self.folder, file=strange[0]
            )
        with self._told():
            self._hold()
        self.amend(config, about)

    def go_on(self) -> tuple[TrainConfig, dict[str, Any]]:
        """Hold a run that was begun; its configuration and what it is about.

        Raises `UserError` where there is no run, another process works on it, or its configuration is damaged.
        """
        if not self.exists:
            raise UserError("There is no run in {folder} to resume. Start it without --resume.", folder=self.folder)
        with self._told():
            self._hold()
            self._clean()
        return self.read()

    def read(self) -> tuple[TrainConfig, dict[str, Any]]:
        """The configuration of a run that was begun, and what it is about; another process may hold it.

        Raises `UserError` where its configuration is damaged or cannot be read.
        """
        with self._told():
            text = self._config.read_bytes()
        try:
            document = json.loads(text)
            about = dict(document.pop("about", {}))
            return from_document(TrainConfig(steps=1), document), about
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise UserError(
                "{file} is damaged, so the run cannot be resumed. Start a new run.", file=self._config
            ) from None

    def amend(self, config: TrainConfig, about: Mapping[str, object]) -> None:
        """Go on with another configuration from now on; the run is held."""
        with self._told():
            text = json.dumps({**to_document(config), "about": dict(about)}, indent=2, ensure_ascii=False)
            _write(self._config, text.encode("utf-8", "surrogatepass") + b"\n")

    def save_state(self, tensors: Mapping[str, Tensor], progress: Mapping[str, object]) -> None:
        """Replace the state by another, as one file: whoever looks sees all of the old one or all of the new one.

        progress: with "events", how many of the recorded ones it comes after.
        """
        from safetensors.torch import save

        kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        document = json.dumps(dict(progress))
        with self._told():
            self._state.parent.mkdir(parents=True, exist_ok=True)
            _write(self._state, save(kept, metadata={"format": "pt", "progress": document}))

    @property
    def has_state(self) -> bool:
        return os.path.isfile(self._state)

    def load_state(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors and progress that were last saved; None where nothing was saved yet."""
        from safetensors import SafetensorError, safe_open

        if not self.has_state:
            if any(event.get("event") in ("RunStopped", "RunFinished") for event in self.events()):
                raise UserError(
                    "The state of the run {folder} is gone, so it cannot be resumed. Start a new run; the checkpoints "
                    "in it are good.",
                    folder=self.folder,
                )
            return None
        try:
            with safe_open(self._state, framework="pt", device="cpu") as file:
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - not a dict
                progress = json.loads((file.metadata() or {})["progress"])
                Progress.of(progress), int(progress["events"])
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                "{file} is damaged, so the run cannot be resumed. Start a new run; last and best are still good.",
                file=self._state,
            ) from None
        return tensors, progress

    def forget(self, events: int, first: int) -> None:
        """Keep the first `events` recorded events only: the rest, and all samples from step `first` on, comes again."""
        kept: list[bytes] = []
        with self._told():
            if self._events.is_file():
                kept = [line for line in self._events.read_bytes().splitlines(True)[:events] if line.endswith(b"\n")]
                os.truncate(self._events, len(b"".join(kept)))  # `record` has opened it already
        self.recorded, self._first = len(kept), first
        for folder in self.samples.glob("*"):
            if folder.name.isdecimal() and int(folder.name) >= first:
                shutil.rmtree(folder, ignore_errors=True)

    def record(self, events: Iterable[Event]) -> Iterator[Event]:
        """Pass `events` on, and keep each one before the next thing happens."""
        from seg_demo.train.board import Board

        # Names of files may hold bytes that are no UTF-8; what Python makes of them goes into JSON and back.
        told_anyhow: Any = {"encoding": "utf-8", "errors": "surrogatepass"}
        with self._told(), open(self._events, "a", **told_anyhow) as lines, open(self.log, "a", **told_anyhow) as log:
            board = Board(self.tensorboard)
            try:
                for event in events:
                    if isinstance(event, RunStarted):
                        board.open(self._first)
                    document = {"event": type(event).__name__, **asdict(event)}
                    if isinstance(reason := document.get("reason"), Sentence):
                        document["told"] = document_of(reason)
                    lines.write(json.dumps(document, default=self._relative, ensure_ascii=False) + "\n")
                    lines.flush()
                    self.recorded += 1
                    if not isinstance(event, StepDone) or event.step % LOGGED_STEPS == 0:
                        log.write(told(event).replace(f"{self.folder}{os.sep}", "") + "\n")
                        log.flush()
                    board.show(event)
                    yield event
            finally:
                if isinstance(events, Generator):
                    events.close()
                board.close()

    def events(self) -> list[dict[str, Any]]:
        """What was recorded so far, as JSON objects; a line that is being written is left out."""
        found = []
        with contextlib.suppress(OSError, ValueError):
            for line in self._events.read_bytes().splitlines():
                found.append(json.loads(line))
        return found

    def sample_file(self, step: int, name: str) -> Path:
        """Where a drawn prediction of the picture `name` goes, made ready."""
        plain = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name).lstrip(".")
        folder = self.samples / f"{step:07}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{plain[-60:] or 'picture'}.jpg"

    @property
    def held(self) -> bool:
        """Whether a process holds the run, this one or another."""
        try:
            import fcntl

            lock = os.open(self._lock_file, os.O_RDONLY)
        except (ImportError, OSError):
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(lock, fcntl.LOCK_UN)  # Closing would not do where a process was forked meanwhile.
        except OSError:
            return True
        finally:
            os.close(lock)
        return False

    def progress(self) -> Progress | None:
        """How far the saved state is, without the weights in it; None where there is none, or it is damaged."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            with open(self._state, "rb") as file:
                length = int.from_bytes(file.read(8), "little")
                header = file.read(min(length, MAX_HEADER))
            return Progress.of(json.loads(json.loads(header)["__metadata__"]["progress"]))
        return None

    def close(self) -> None:
        """Let others hold the run."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _relative(self, value: object) -> str:
        """Paths inside the run are told from its folder on, so that it can be moved."""
        if isinstance(value, Path) and value.is_relative_to(self.folder):
            return str(value.relative_to(self.folder))
        return str(value)

    def _hold(self) -> None:
        """The lock is the system's, so that it ends with the process, even if that is killed."""
        self._refuse_links()
        self._state.parent.mkdir(parents=True, exist_ok=True)
        try:
            import fcntl
        except ImportError:  # Windows
            return
        lock = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o644)
        for tries_left in reversed(range(HOLD_TRIES)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if tries_left:
                    time.sleep(HOLD_PAUSE)
                    continue
                os.close(lock)
                raise UserError(
                    "Another process is training in {folder}. Wait for it or stop it.", folder=self.folder
                ) from None
        self._lock = lock
        if hasattr(os, "register_at_fork"):  # a worker that outlives a killed process would hold the run with its copy
            os.register_at_fork(after_in_child=_closing(weakref.ref(self)))

    def _refuse_links(self) -> None:
        """A run of somebody else could lead to any file of this machine, to be overwritten or removed."""
        inside = (self.folder, self._state.parent, self.samples, self.tensorboard)
        for path in (path for folder in inside if os.path.isdir(folder) for path in folder.iterdir()):
            if path.is_symlink():
                raise UserError(
                    "{file} is a link, which a run never makes and does not follow. Put what it leads to in its place.",
                    file=path,
                )

    def _clean(self) -> None:
        """Remove what a killed process left half written, and put back what it had moved aside."""
        for folder in (self.last, self.best):
            for aside in sorted(self.folder.glob(f".{folder.name}.*.old")):
                if not folder.exists():
                    aside.rename(folder)
            for rest in self.folder.glob(f".{folder.name}.*"):
                shutil.rmtree(rest, ignore_errors=True)
        folders = {self.folder: (".*.part", "features.*"), self._state.parent: (".*.part",)}
        for rest in (rest for folder, names in folders.items() for name in names for rest in folder.glob(name)):
            rest.unlink(missing_ok=True)

    def _told(self) -> contextlib.AbstractContextManager[None]:
        return writing_to(self.folder)


@contextlib.contextmanager
def writing_to(folder: object) -> Iterator[None]:
    """What the disk refuses becomes a sentence. folder: of the run, as it is told to the user."""
    try:
        yield
    except OSError as error:
        raise UserError(
            "The run cannot be written to {folder} ({reason}). Free some space or choose another folder.",
            folder=folder, reason=error.strerror or error,
        ) from None  # fmt: skip


def _closing(run: weakref.ref[Run]) -> Callable[[], None]:
    def close() -> None:
        if held := run():
            held.close()

    return close


def _write(path: Path, content: bytes) -> None:
    """Replace a file by another at once."""
    part = path.with_name(f".{path.name}.part")
    with open(part, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
