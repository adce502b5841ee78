"""Runs that wait for a device, and the thread that starts them one after the other."""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from seg_demo.errors import Sentence, UserError
from seg_demo.jobs.files import alone_in
from seg_demo.jobs.job import Job
from seg_demo.jobs.problem import write_problem
from seg_demo.jobs.process import Process, ProcessRunner, Runner
from seg_demo.jobs.tickets import Ticket, before, new_ticket, tickets

LOOK_EVERY = 0.1  # seconds
PATIENCE = 1.5  # seconds that a run has to save its state and end, once it was asked to stop
START_SECONDS = 10.0  # after which a process that a server has begun, and could not note, holds its run
NOTICE_SECONDS = 2.0  # after which the parent of a process that has ended will not say any more how


class Queue:
    """First come, first served; on each device one run at a time.

    home: where the queue is kept, in a folder of its own; any number of servers may share it. slots: the devices, such
    as "cpu" or "cuda:0"; left out, all CUDA devices or else the CPU, found when the first run begins. runner: how runs
    are trained. longest: seconds after which one is stopped, whatever its own length: a single step may take hours.

    >>> queue = Queue(home)
    >>> queue.open()
    >>> queue.submit(Job(folder), ["--preset", "finetune", "--data", "pictures"])
    """

    def __init__(
        self,
        home: Path | str,
        slots: Sequence[str] | None = None,
        runner: Runner | None = None,
        longest: float = math.inf,
    ) -> None:
        self.place = Path(home).resolve() / "queue"
        self.runner: Runner = runner or ProcessRunner()
        self.longest = longest
        self._slots = tuple(slots) if slots else ()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._dead: dict[Path, float] = {}
        self._codes: dict[Path, int] = {}
        self._said = ""

    def submit(self, job: Job, flags: Sequence[str] = ()) -> None:
        """Have `job` begun with `flags`, or where its run exists, resumed with them; without, as was asked last.

        Raises `UserError` where it waits or is trained already, or the disk is full.
        """
        with self._alone():
            if job.state.live:
                raise UserError(
                    "The run {name} waits or is trained already. Stop it first, or start another one.", name=job.name
                )
            asked = {"more" if job.run.exists else "flags": tuple(flags)} if flags else {}
            if flags:
                job.make_folder()
            try:
                ticket = new_ticket(self.place, job.folder)
            except OSError as error:
                raise _unwritable(error) from None
            try:
                self.runner.visited(job)
                job.note(**asked, submitted=time.time(), ticket=str(ticket.file), stop_asked=0.0)
            except UserError:
                ticket.remove()
                raise

    def stop(self, job: Job) -> None:
        """Take a run that waits out of the queue; have one in training end after its step, or soon in any case.

        Raises `UserError` where it is trained by nobody's queue.
        """
        with self._alone():
            facts, ticket = job.facts, job.ticket()
            if ticket and not ticket.device:
                ticket.remove()
                job.note(stop_asked=time.time())
            elif job.state.kind in ("starting", "running"):
                if not ticket and not (facts.process and facts.process.lives):
                    raise UserError(
                        "The run {name} is trained by a command that was not started here. Stop it there.",
                        name=job.name,
                    )
                self._end(job)

    def remove(self, job: Job) -> None:
        """Delete a run with all that is in it. Raises `UserError` where it waits or is trained."""
        with self._alone():
            if job.state.live:
                raise UserError("The run {name} goes on. Stop it first.", name=job.name)
            aside = job.folder.with_name(f".discarded-{job.name}-{time.time_ns()}")
            with contextlib.suppress(FileNotFoundError):
                job.folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def position(self, job: Job) -> int:
        """How many others go first; 0 for what does not wait."""
        ticket = job.ticket()
        return before(ticket) if ticket and not ticket.device else 0

    def waiting(self) -> list[Job]:
        """Those that wait, first come first."""
        return [Job(ticket.folder) for ticket in tickets(self.place) if not ticket.device]

    def open(self) -> None:
        """Begin to start what waits, in a thread, which also finds what other servers have left."""
        if self._thread is None:
            self._closing.clear()
            self._thread = threading.Thread(target=self._serve, name="queue of runs", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Start no more; runs in training go on."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                self.look()
                self._said = ""
            except Exception as error:  # A full disk may have space again, and the page needs the thread.
                if str(error) != self._said:
                    logging.getLogger(__name__).exception("The queue of runs in %s", self.place)
                self._said = str(error)
            self._closing.wait(LOOK_EVERY)

    def look(self) -> None:
        """Note what has ended, end what was asked to, and start what has a device. Called again and again."""
        self._codes |= self.runner.collect()
        if not self._codes and not tickets(self.place):
            return
        slots = self._devices()
        with self._alone():
            self._note_codes()
            found = tickets(self.place)
            busy = {ticket.device for ticket in found if ticket.device and self._goes_on(ticket)}
            for ticket in found:
                free = next((slot for slot in slots if slot not in busy), None)
                if free is None:
                    break
                with contextlib.suppress(UserError):  # what cannot be written now does not keep others from it
                    if not ticket.device and self._start(ticket, free):
                        busy.add(free)

    def _note_codes(self) -> None:
        for folder, code in list(self._codes.items()):
            with contextlib.suppress(UserError):  # where the disk is full, it is tried again
                if folder.is_dir():
                    Job(folder).note(exit=code)
                del self._codes[folder]

    def _goes_on(self, ticket: Ticket) -> bool:
        """Whether the run that has a device is still in training; else its ticket is removed."""
        job = Job(ticket.folder)
        facts, now = job.facts, time.time()
        if facts.process is None and facts.exit is None and ticket.folder.is_dir():
            # Whoever began it was killed before that was noted.
            if job.run.held or now - facts.started < START_SECONDS:
                return True
            ticket.remove() if facts.stop_asked >= facts.started else ticket.claim("")
            return False
        if facts.process and facts.exit is None and facts.process.lives:
            if facts.stop_asked >= facts.started and now - facts.stop_asked > PATIENCE:
                self.runner.end(job, at_once=True)
            elif facts.stop_asked < facts.started and now - facts.started > self.longest:
                with contextlib.suppress(UserError):
                    self._end(job)
            return True
        unnoticed = facts.process and facts.exit is None and facts.process.unnoticed
        if unnoticed and now - self._dead.setdefault(ticket.folder, now) < NOTICE_SECONDS:
            return True
        self._dead.pop(ticket.folder, None)
        ticket.remove()
        return False

    def _end(self, job: Job) -> None:
        try:
            job.note(stop_asked=time.time())
        finally:  # also on a full disk
            self.runner.end(job, at_once=False)

    def _start(self, ticket: Ticket, device: str) -> bool:
        """Whether the device is taken now."""
        job = Job(ticket.folder)
        if not ticket.folder.is_dir() or job.facts.ticket != str(ticket.file):
            ticket.remove()  # of what was removed, or never submitted as a whole
            return False
        if job.run.held:
            return False
        log_from = job.log.stat().st_size if job.log.is_file() else 0
        job.note(started=time.time(), device=device, process=None, exit=None, log_from=log_from, stop_asked=0.0)
        ticket.claim(device)
        try:
            number = self.runner.start(job, device)
        except (OSError, UserError) as error:
            sentence = error.sentence if isinstance(error, UserError) else _impossible(job, error)
            write_problem(job.problem_file, sentence)
            job.note(exit=1)
            ticket.remove()
            return False
        job.note(process=Process.of(number))
        return True

    def _devices(self) -> tuple[str, ...]:
        if not self._slots:
            import torch  # by now there is something to train

            count = torch.cuda.device_count() if torch.cuda.is_available() else 0
            self._slots = tuple(f"cuda:{index}" for index in range(count)) or ("cpu",)
        return self._slots

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """While no other thread or server changes the queue."""
        try:
            self.place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(error) from None
        with alone_in(self.place):
            yield


def _unwritable(error: OSError) -> UserError:
    return UserError("The queue cannot be written ({reason}). Free some space.", reason=error.strerror or error)


def _impossible(job: Job, error: OSError) -> Sentence:
    return Sentence("{file} could not be used ({reason}). Choose another folder.", file=job.name, reason=error.strerror)
