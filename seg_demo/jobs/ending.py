"""How a run ended, told in sentences: what happened, what to do about it, and what is kept."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seg_demo.errors import Sentence, sentence_of
from seg_demo.jobs.files import read_object
from seg_demo.jobs.problem import read_problem

if TYPE_CHECKING:
    from seg_demo.jobs.job import Facts
    from seg_demo.jobs.latest import Latest
    from seg_demo.train.run import Run

LITTLE = 1 << 20  # bytes: where a disk has less, it is full
TAIL = 1 << 14  # bytes of process.log that are looked at
LONGEST = 200  # characters of an error that are shown
KILLED = (-9, 137)
NO_MEMORY = ("MemoryError", "out of memory", "can't allocate memory", "not enough memory", "Cannot allocate memory")
NO_SPACE = ("No space left on device", "Disk quota exceeded")


@dataclass(frozen=True)
class Ending:
    """kind: "stopped", "finished" or "failed". can_resume: whether it can go on or, with nothing saved, begin."""

    kind: str
    sentence: Sentence
    can_resume: bool


def ending(run: Run, facts: Facts, latest: Latest) -> Ending:
    """How a run ended that was begun or submitted, and that no process works on."""
    if told := _told(run, facts, latest):
        return told
    step = latest.step
    asked = facts.stop_asked >= max(facts.started, facts.submitted) > 0
    if asked and facts.started < facts.submitted:
        return _finished(run, latest) or _with_kept(run, "stopped", Sentence("Taken out of the queue."))
    if asked and not step:
        return _with_kept(run, "stopped", Sentence("Stopped before the first step."))
    if asked:
        return _with_kept(run, "stopped", Sentence("Stopped at once, at step {step}.", step=step))
    if facts.submitted and facts.started < facts.submitted:
        return _with_kept(run, "stopped", Sentence("The run has lost its place in the queue."))
    return _with_kept(run, "failed", _broken_off(run, facts, step))


def _told(run: Run, facts: Facts, latest: Latest) -> Ending | None:
    """By the run itself, in its last event, or in the sentence with which its process ended."""
    if facts.started < facts.submitted:  # Not begun again: what was told is of another time.
        return None
    if problem := read_problem(run.folder / "problem.json"):
        return _with_kept(run, "failed", _without_paths(problem, run.folder))
    if latest.at < facts.started:
        return None
    if latest.kind == "RunStopped":
        return _with_kept(run, "stopped", Sentence("Stopped after step {step}.", step=_step(latest)))
    if latest.kind == "RunFailed":
        return Ending("failed", _without_paths(_reason(latest), run.folder), False)
    return _finished(run, latest)


def _finished(run: Run, latest: Latest) -> Ending | None:
    if latest.kind != "RunFinished":
        return None
    finished = Sentence("Finished after {step} steps: {reason}.", step=_step(latest), reason=_reason(latest))
    if (best := _step_of(run.best)) is None:
        return Ending("finished", finished, True)
    kept = Sentence("The best checkpoint is that of step {step}.", step=best)
    return Ending("finished", _joined(finished, kept), True)


def _reason(latest: Latest) -> Sentence:
    text = str(latest.event.get("reason", ""))[:LONGEST]  # of a run that was made before reasons were sentences
    return sentence_of(latest.event.get("told")) or Sentence("{reason}", reason=text)


def _step(latest: Latest) -> int:
    step = latest.event.get("step")
    return step if type(step) is int else latest.step


def _broken_off(run: Run, facts: Facts, step: int) -> Sentence:
    """Why a process ended that told nothing in a way that it chose."""
    line = _last_line(run.folder / "process.log", facts.log_from)
    if facts.exit in KILLED or any(text in line for text in NO_MEMORY):
        return Sentence(
            "The system ended the run at step {step}, most likely because memory ran out. Start a new one with a "
            "smaller batch_size or data.crop, or close other programs.",
            step=step,
        )
    if _is_full(run.folder) or any(text in line for text in NO_SPACE):
        return Sentence("The disk is full, so the run ended at step {step}. Free some space.", step=step)
    if facts.process and facts.process.elsewhere:
        return Sentence("The computer or its container was started again while the run was at step {step}.", step=step)
    if facts.exit is not None and facts.exit < 0:
        return Sentence(
            "The run was ended by the signal {number} of the system at step {step}.", number=-facts.exit, step=step
        )
    if facts.exit or "Error" in line:
        return Sentence(
            "The run ended at step {step} with an error that nobody expected: {error}. Its process.log has more.",
            step=step, error=line.rstrip(".") or facts.exit,
        )  # fmt: skip
    return Sentence("The run ended at step {step} and left no reason; the system may have ended it.", step=step)


def _with_kept(run: Run, kind: str, what: Sentence) -> Ending:
    """With what is kept, and from where it goes on."""
    saved, state_file = run.progress(), run.has_state
    steps = [step for step in (_step_of(run.last), _step_of(run.best)) if step is not None]
    if saved and steps:
        kept = Sentence(
            "The checkpoint of step {checkpoint} is kept, and Resume goes on from step {step}.",
            checkpoint=steps[0], step=saved.step,
        )  # fmt: skip
    elif saved:
        kept = Sentence("Resume goes on from step {step}.", step=saved.step)
    elif steps:
        kept = Sentence("The checkpoint of step {step} is kept.", step=steps[0])
    else:
        kept = Sentence("Nothing was saved yet, so it begins again from the start.")
    return Ending(kind, _joined(what, kept), saved is not None or not state_file)


def _joined(what: Sentence, kept: Sentence) -> Sentence:
    return Sentence("{what} {kept}", what=what, kept=kept)


def _step_of(checkpoint: Path) -> int | None:
    """After how many steps a checkpoint was saved; None where there is none."""
    training = read_object(checkpoint / "config.json").get("training")
    steps = training.get("steps") if isinstance(training, dict) else None
    return steps if type(steps) is int else None


def _last_line(file: Path, start: int) -> str:
    """What the process said last, of an exception its name and message; empty where it said nothing."""
    try:
        with open(file, "rb") as log:
            log.seek(max(start, os.fstat(log.fileno()).st_size - TAIL))
            lines = log.read(TAIL).decode("utf-8", "replace").splitlines()
    except (OSError, ValueError):  # a place that no file has
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    plain = "".join(letter if letter.isprintable() else " " for letter in last)
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 3] + "..."


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < LITTLE
    except OSError:
        return False


def _without_paths(sentence: Sentence, folder: Path) -> Sentence:
    """With paths from the workspace on: where that is, is nobody's business, and long."""
    fields = {}
    for name, value in sentence.fields.items():
        if isinstance(value, Sentence):
            value = _without_paths(value, folder)
        elif isinstance(value, str):
            for above in (folder.parent, folder.parent.parent):
                if above != above.parent:
                    value = value.replace(f"{above}{os.sep}", "")
        fields[name] = value
    return Sentence(sentence.template, **fields)
