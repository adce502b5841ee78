"""Training as a process of its own, which goes on when the one that started it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import seg_demo
from seg_demo.jobs import problem

if TYPE_CHECKING:
    from seg_demo.jobs.job import Job

NICER = 5  # The page comes first, and it is short of cores while a run goes on.
NICER_AFTER = 10.0  # seconds; before, somebody waits for the run to begin
FIRST_VICTIM = "500"  # of 1000: where memory runs out, the run goes, not the page
# A run needs none of them, and whatever it does is not done in the name of the server's owner.
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_TOKEN", "HF_OIDC_ID_TOKEN", "OAUTH_CLIENT_SECRET")


@dataclass(frozen=True)
class Process:
    """A process of this machine, told from a later one with the same number.

    began: when, as the system counts. machine: changes when the computer or the container is started again; both are
    empty where the system does not tell.
    """

    number: int
    began: str
    machine: str

    @classmethod
    def of(cls, number: int) -> Process:
        return cls(number, _began(number), _machine())

    @classmethod
    def read(cls, document: object) -> Process | None:
        """Of a file; None for what is no process."""
        if not isinstance(document, dict):
            return None
        number, began, machine = (document.get(name) for name in ("number", "began", "machine"))
        if type(number) is not int or not 1 < number < 1 << 31 or not isinstance(began, str):
            return None
        return cls(number, began, machine) if isinstance(machine, str) else None

    @property
    def elsewhere(self) -> bool:
        """Whether it belongs to a computer or container that has been started again since."""
        return self.machine != _machine()

    @property
    def unnoticed(self) -> bool:
        """Whether it has ended, and its parent, which will know how, has not noticed yet."""
        stat = [] if self.elsewhere else _stat(self.number)
        return len(stat) > 19 and stat[0] == "Z" and stat[19] == self.began

    @property
    def lives(self) -> bool:
        """Whether it has not ended yet."""
        if self.elsewhere:
            return False
        if os.path.isdir("/proc/self"):
            return bool(self.began) and _began(self.number) == self.began
        try:
            os.kill(self.number, 0)
        except OSError:
            return False
        return True


def _stat(number: int) -> list[str]:
    """What Linux says of a process, from its state on; nothing where there is none."""
    try:
        return Path(f"/proc/{number}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return []


def _began(number: int) -> str:
    stat = _stat(number)
    return stat[19] if len(stat) > 19 and stat[0] not in "ZX" else ""


def _machine() -> str:
    """The system's start, and that of the first process, which a container has of its own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        boot = ""
    return f"{boot}:{_began(1)}"


class Runner(Protocol):
    """How a job is trained. A queue asks for one thing at a time."""

    def visited(self, job: Job) -> None:
        """Called in the thread and context of whoever submits a job, or looks at it later."""
        ...

    def start(self, job: Job, device: str) -> int:
        """Begin with it, or go on; returns the number of the process with which it ends at the latest.

        Raises `UserError` or `OSError` where it cannot.
        """
        ...

    def collect(self) -> dict[Path, int]:
        """The folders of jobs begun by this runner that have ended since this was asked last, with their exit codes."""
        ...

    def end(self, job: Job, at_once: bool) -> None:
        """Have a job end after its step, or at once, whichever server has begun it; it may have ended already."""
        ...


class ProcessRunner:
    """A job is `python -m seg_demo train` in a session of its own; what it prints goes to process.log."""

    def __init__(self) -> None:
        self._children: dict[Path, subprocess.Popen[bytes]] = {}
        self._young: dict[int, float] = {}
        self._told: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()

    def visited(self, job: Job) -> None:
        pass  # A process costs nobody a share of anything.

    def start(self, job: Job, device: str) -> int:
        problem.prepare_file(job.problem_file)
        with open(job.log, "ab") as log:
            child = subprocess.Popen(
                self.command(job, device),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(job),
                start_new_session=True,
            )
        with self._lock:
            self._children[job.folder] = child
            self._young[child.pid] = time.monotonic()
        with contextlib.suppress(OSError):
            Path(f"/proc/{child.pid}/oom_score_adj").write_text(FIRST_VICTIM)
        return child.pid

    def command(self, job: Job, device: str) -> list[str]:
        return [sys.executable, "-m", "seg_demo", *job.command(), "--device", device]

    def collect(self) -> dict[Path, int]:
        ended, now = {}, time.monotonic()
        with self._lock:
            for number, began in list(self._young.items()):
                if now - began > NICER_AFTER:
                    _step_back(number)
                    del self._young[number]
            while self._told:  # Their exit codes have been noted by now: until then, others see that there is one.
                self._told.pop().wait()
            for folder, child in list(self._children.items()):
                if (code := _exit_code(child)) is not None:
                    ended[folder] = code
                    _kill_group(child.pid)  # processes that prepare pictures, after a kill
                    self._young.pop(child.pid, None)
                    self._told.append(self._children.pop(folder))
        return ended

    def end(self, job: Job, at_once: bool) -> None:
        process = job.process
        if process is None or not process.lives:
            return
        if at_once:
            _kill_group(process.number)
        else:  # Only the first process: those that prepare pictures are needed for the step.
            with contextlib.suppress(OSError):
                os.kill(process.number, signal.SIGTERM)


def _exit_code(child: subprocess.Popen[bytes]) -> int | None:
    """None while it lives. One that has ended is left so where that can be, for others to see it as `unnoticed`."""
    if not hasattr(os, "waitid"):
        return child.poll()
    try:
        ended = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # somebody else has waited for it
        return child.poll()
    if ended is None:
        return None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _environment(job: Job) -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if name not in SECRETS}
    found.setdefault("GOMP_SPINCOUNT", "10000")  # as in app.py
    code = Path(seg_demo.__file__).resolve().parent.parent
    if code.name not in ("site-packages", "dist-packages"):  # a clone, which may be another folder than this one
        found["PYTHONPATH"] = os.pathsep.join(filter(None, (str(code), found.get("PYTHONPATH"))))
    return {**found, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", problem.VARIABLE: str(job.problem_file)}


def _step_back(number: int) -> None:
    """Let others go first. On Linux threads have priorities of their own, which new ones take over."""
    try:
        threads = [int(name) for name in os.listdir(f"/proc/{number}/task")]
    except OSError:
        threads = [number]
    for thread in threads:
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, thread, NICER)


def _kill_group(number: int) -> None:
    kill: Any = getattr(os, "killpg", os.kill)  # Windows has no groups
    with contextlib.suppress(OSError):
        kill(number, getattr(signal, "SIGKILL", signal.SIGTERM))
