"""Training where a GPU is lent for a minute at a time: on a Space with ZeroGPU, in processes that `spaces` forks.

A slice does in its process what `python -m seg_demo train --seconds S` does in one of its own. The next slice finds all
that it needs in the run's folder, so a slice that is killed costs the steps since the state was saved last. Slices
follow each other, at the expense of the visitor who asked for the run, until the run has ended or is to stop.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import runpy
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from seg_demo.errors import Sentence
from seg_demo.infer.lent import refused
from seg_demo.jobs import problem, wish
from seg_demo.jobs.files import read_object, write_object
from seg_demo.jobs.job import Job
from seg_demo.jobs.latest import Latest
from seg_demo.jobs.process import FIRST_VICTIM, SECRETS, Process

DURATION = 60  # seconds; a visitor without an account has two such slices a day
RESERVE = 15  # seconds of them for what comes before the first step and after the last: pictures, weights, saving
LOOK_EVERY = 0.1  # seconds between two looks at whether to stop
TRIES = 2  # slices in a row that may come to nothing
BUSY_PAUSE = 5.0  # seconds until a GPU is asked for again, where all were in use
STOPPED, KILLED = 128 + signal.SIGTERM, -9  # exit codes, as of processes
BUSY = "ZeroGPU queue timeout"


class Order(NamedTuple):
    """What one slice is to do. started: when the job was, which it is not after somebody else has begun it anew.

    duration: the seconds for which the GPU is asked for. reserve: those of them that are not for steps.
    """

    folder: str
    device: str
    started: float
    duration: int
    reserve: int


class SliceRunner:
    """A `Runner` that trains a job in slices of `duration` seconds, of which `reserve` are not for steps.

    To be made before CUDA is used and before the page is launched: `spaces` replaces torch's CUDA by one that waits for
    a slice, and tells ZeroGPU at the launch which functions want a GPU.
    """

    def __init__(self, duration: int = DURATION, reserve: int = RESERVE) -> None:
        self.duration, self.reserve = duration, reserve
        spaces = importlib.import_module("spaces")
        for heavy in ("seg_demo.train.loop", "tensorboardX"):  # What was imported before it, a fork has.
            importlib.import_module(heavy)
        self._lent: Callable[[Order], int] = spaces.GPU(train_slice, duration=lambda order: order.duration)
        self._visitors: dict[Path, Context] = {}
        self._working: dict[Path, threading.Event] = {}
        self._ended: dict[Path, int] = {}
        self._lock = threading.Lock()

    def visited(self, job: Job) -> None:
        """Who is here now pays: ZeroGPU knows visitors by the request that Gradio keeps in the current context.

        A request is good for some time only; the next slice takes the one that was here last.
        """
        with self._lock:
            self._visitors[job.folder] = copy_context()

    def start(self, job: Job, device: str) -> int:
        problem.prepare_file(job.problem_file)
        order = Order(os.fspath(job.folder), device, job.facts.started, self.duration, self.reserve)
        enough = threading.Event()
        with self._lock:
            self._working[job.folder] = enough
        threading.Thread(target=self._work, args=(job, order, enough), name="slices", daemon=True).start()
        return os.getpid()

    def collect(self) -> dict[Path, int]:
        with self._lock:
            ended, self._ended = self._ended, {}
        return ended

    def end(self, job: Job, at_once: bool) -> None:
        with self._lock:
            enough = self._working.get(job.folder)
        if enough:
            enough.set()
        if not at_once and job.stop_asked:
            return  # which the slice sees
        if (fork := _fork_of(job)) and fork.lives:
            with contextlib.suppress(OSError):
                os.kill(fork.number, getattr(signal, "SIGKILL", signal.SIGTERM))
        elif enough:  # It waits for a GPU; where that comes after all, the slice ends by itself.
            self._finish(job, enough, STOPPED)

    def _work(self, job: Job, order: Order, enough: threading.Event) -> None:
        code = 1
        try:
            code = self._slices(job, order, enough)
        except Exception:
            logging.getLogger(__name__).exception("The slices of %s", job.folder)
        finally:
            self._finish(job, enough, code)

    def _finish(self, job: Job, enough: threading.Event, code: int) -> None:
        with self._lock:
            if self._working.get(job.folder) is enough:
                del self._working[job.folder]
                self._visitors.pop(job.folder, None)
                self._ended[job.folder] = code

    def _slices(self, job: Job, order: Order, enough: threading.Event) -> int:
        """One after the other; returns the exit code of the job."""
        in_vain = 0
        while not (enough.is_set() or job.stop_asked):
            before, begun = _reached(job), time.monotonic()
            _mark(job).unlink(missing_ok=True)
            try:
                code = self._at_expense_of_visitor(job, order)
            except Exception as error:  # Gradio's, of which nothing is known here
                if enough.is_set() or job.stop_asked:
                    break
                if _fork_of(job) is None:  # It never began.
                    if getattr(error, "title", "") == BUSY:
                        enough.wait(BUSY_PAUSE)
                        continue
                    return self._refused(job, error)
                code = KILLED
            else:
                if code not in (0, STOPPED) or Latest.of(job.run.folder / "events.jsonl").kind != "RunStopped":
                    return code
            in_vain = in_vain + 1 if _reached(job) == before else 0
            if in_vain == TRIES:
                return self._no_further(job, code, time.monotonic() - begun)
        return STOPPED

    def _at_expense_of_visitor(self, job: Job, order: Order) -> int:
        with self._lock:
            context = self._visitors.get(job.folder)
        return (context.copy() if context else Context()).run(self._lent, order)

    def _refused(self, job: Job, error: Exception) -> int:
        problem.write_problem(job.problem_file, refused(error).sentence)
        return 1

    def _no_further(self, job: Job, code: int, seconds: float) -> int:
        if code == KILLED and seconds < self.duration - 1:
            return code
        told = Sentence(
            "The GPU is lent for {seconds} seconds, which are not enough to get on. Take fewer or smaller pictures.",
            seconds=self.duration,
        )
        problem.write_problem(job.problem_file, told)
        return 1


def train_slice(order: Order) -> int:
    """Train for the time that `order` has, in a process that `spaces` has forked; returns the command's exit code."""
    job = Job(order.folder)
    asked = _Asked(job, order.started, time.monotonic() + order.duration - order.reserve / 2)
    if asked():  # while it waited for a GPU
        return STOPPED
    mark = _mark(job)
    mark.parent.mkdir(parents=True, exist_ok=True)
    write_object(mark, asdict(Process.of(os.getpid())))
    token = wish.STOP.set(asked)
    try:
        with _as_command(job, [
            *job.command(), "--device", order.device, "--seconds", str(order.duration - order.reserve),
            "--data.workers", "0",  # A process of this kind can have no others.
        ]):  # fmt: skip
            return _run()
    finally:
        wish.STOP.reset(token)
        mark.unlink(missing_ok=True)


class _Asked:
    """Whether a slice is to end after its step: it was asked for, the time is up, or nobody waits for it any more."""

    def __init__(self, job: Job, started: float, deadline: float) -> None:
        self.job, self.started, self.deadline = job, started, deadline
        self.parent, self.next_look, self.so = os.getppid(), 0.0, False

    def __call__(self) -> bool:
        now = time.monotonic()
        if not self.so and now >= self.next_look:
            self.next_look = now + LOOK_EVERY
            alone = os.getppid() != self.parent
            other = self.job.facts.started != self.started
            self.so = now > self.deadline or alone or other or self.job.stop_asked
        return self.so


def _run() -> int:
    """What `python -m seg_demo` does with `sys.argv`."""
    try:
        runpy.run_module("seg_demo", run_name="__main__")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


@contextlib.contextmanager
def _as_command(job: Job, words: list[str]) -> Iterator[None]:
    """As if this process were that of a command: its words, its output, and nothing of the server's secrets."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_VICTIM)
    for name in SECRETS:
        os.environ.pop(name, None)
    os.environ[problem.VARIABLE] = os.fspath(job.problem_file)
    before = sys.argv
    sys.argv = ["seg_demo", *words]
    try:
        with (
            open(job.log, "a", buffering=1, encoding="utf-8", errors="backslashreplace") as log,
            contextlib.redirect_stdout(log),
            contextlib.redirect_stderr(log),
        ):
            yield
    finally:
        sys.argv = before


def _mark(job: Job) -> Path:
    """There while a slice is under way, and after it was killed: its process."""
    return job.folder / "state" / "slice.json"


def _fork_of(job: Job) -> Process | None:
    return Process.read(read_object(_mark(job)))


def _reached(job: Job) -> object:
    """How far the saved state is: another one means that something has been learned or measured."""
    progress = job.run.progress()
    return progress and (progress.step, progress.validated)
