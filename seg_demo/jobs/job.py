"""A training run as a job: what was asked for, and what has become of it, from the files in its folder alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seg_demo.errors import Sentence
from seg_demo.jobs.ending import ending
from seg_demo.jobs.files import alone_in, finite, read_object, write_object
from seg_demo.jobs.latest import Latest
from seg_demo.jobs.process import Process
from seg_demo.jobs.tickets import Ticket, before, read_ticket
from seg_demo.train.run import Run, writing_to

LIVE = ("waiting", "starting", "running", "stopping")  # kinds of states that will become others by themselves


@dataclass(frozen=True)
class Facts:
    """What job.json holds. Times are seconds since 1970, 0 for never.

    flags: of the command that begins the run; more: of the one that resumes it. ticket: its file in the queue. started,
    process, device, log_from: of the process that was started last; log_from: how long process.log was before. exit:
    its exit code, once that is known. stop_asked: when Stop was asked for last. kept: the name that its checkpoint was
    kept by.
    """

    flags: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    submitted: float = 0.0
    ticket: str = ""
    started: float = 0.0
    process: Process | None = None
    device: str = ""
    log_from: int = 0
    stop_asked: float = 0.0
    exit: int | None = None
    kept: str = ""

    @classmethod
    def read(cls, file: Path) -> Facts:
        """What is damaged or missing is as in a folder that nothing was done with yet."""
        document = read_object(file)
        code = document.get("exit")
        return cls(
            _words(document.get("flags")), _words(document.get("more")), _time(document.get("submitted")),
            _text(document.get("ticket")), _time(document.get("started")), Process.read(document.get("process")),
            _text(document.get("device")), int(_time(document.get("log_from"))), _time(document.get("stop_asked")),
            code if type(code) is int else None, _text(document.get("kept")),
        )  # fmt: skip


@dataclass(frozen=True)
class State:
    """How a job is.

    kind: "new" (never submitted), "waiting" (after `position` others), "starting" (there is a process, and no event of
    it yet), "running", "stopping", "stopped", "finished" or "failed". sentence: of the last three, why. step, seconds:
    of training so far. can_resume: whether it can be submitted again, to go on or, where nothing is saved, to begin.
    """

    kind: str
    sentence: Sentence | None = None
    position: int = 0
    step: int = 0
    seconds: float = 0.0
    can_resume: bool = False

    @property
    def live(self) -> bool:
        """Whether it will change by itself."""
        return self.kind in LIVE


class Job:
    """One run of a workspace. `folder` is its folder, with job.json and process.log in it besides what a `Run` has."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(os.path.abspath(folder))
        self.run = Run(self.folder)
        self.log, self.problem_file = self.folder / "process.log", self.folder / "problem.json"
        self._file = self.folder / "job.json"

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def facts(self) -> Facts:
        return Facts.read(self._file)

    @property
    def process(self) -> Process | None:
        """The one that was started for it last, which may have ended."""
        return self.facts.process

    @property
    def stop_asked(self) -> bool:
        """Whether Stop was asked for since it was started; for those who train it in another way than a process."""
        facts = self.facts
        return facts.stop_asked >= facts.started > 0

    def make_folder(self) -> None:
        """Raises `UserError` where it cannot be."""
        with writing_to(self.name):
            self.folder.mkdir(parents=True, exist_ok=True)

    def note(self, **changes: Any) -> Facts:
        """Keep changes of `Facts` in the folder. Raises `UserError` where they cannot be written."""
        with writing_to(self.name), alone_in(self.folder):
            document = {**asdict(self.facts), **changes}
            if isinstance(document["process"], Process):
                document["process"] = asdict(document["process"])
            write_object(self._file, document)
        return self.facts

    def command(self) -> list[str]:
        """The words after `python -m seg_demo` that begin the run or, where it exists, go on with it."""
        facts = self.facts
        if self.run.exists:
            return ["train", "--run", str(self.folder), "--resume", *facts.more]
        return ["train", "--run", str(self.folder), *facts.flags]

    def ticket(self, facts: Facts | None = None) -> Ticket | None:
        """Its place in the queue, while it waits or is trained."""
        name = (facts or self.facts).ticket
        ticket = read_ticket(Path(name)) if name else None
        return ticket if ticket and ticket.folder == self.folder else None

    @property
    def state(self) -> State:
        facts, latest = self.facts, Latest.of(self.folder / "events.jsonl")
        done: dict[str, Any] = {"step": latest.step, "seconds": latest.seconds}
        ticket = self.ticket(facts)
        kind = self._live_kind(facts, latest, ticket)
        if kind == "waiting" and ticket:
            return State(kind, position=before(ticket), **done)
        if kind:
            return State(kind, **done)
        if not facts.submitted and not latest.kind:
            return State("new")
        found = ending(self.run, facts, latest)
        return State(found.kind, found.sentence, can_resume=found.can_resume, **done)

    def _live_kind(self, facts: Facts, latest: Latest, ticket: Ticket | None) -> str:
        """Empty where nobody works on it, or will."""
        process = facts.process
        if ticket and not ticket.device:
            return "running" if self.run.held else "waiting"
        if ticket and process is None and facts.exit is None and not self.run.held:
            return "starting"
        lives = process is not None and facts.exit is None and (process.lives or bool(ticket and process.unnoticed))
        if lives and facts.stop_asked >= facts.started:
            return "stopping"
        if lives:
            return "running" if latest.kind and latest.at >= facts.started else "starting"
        if self.run.held:  # by a command of somebody's own
            return "running" if latest.kind else "starting"
        return ""


def _words(value: object) -> tuple[str, ...]:
    good = isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(word, str) for word in value)
    return tuple(value) if good else ()  # type: ignore[arg-type]


def _text(value: object) -> str:
    return value if isinstance(value, str) and "\0" not in value else ""


def _time(value: object) -> float:
    return max(0.0, finite(value) or 0.0)
