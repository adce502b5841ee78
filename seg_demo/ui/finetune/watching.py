"""The third step: a visitor's runs, how each learns, and what can be done with it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import gradio as gr

from seg_demo.errors import UserError, shorten
from seg_demo.jobs.history import History
from seg_demo.jobs.job import Job, State
from seg_demo.jobs.queue import Queue
from seg_demo.ui.finetune import limits
from seg_demo.ui.finetune.start import MEASURED_ON
from seg_demo.ui.i18n import explain, language_of, say, text
from seg_demo.ui.remembered import Remembered
from seg_demo.ui.segment import ModelPicker
from seg_demo.ui.status import StatusRow, Updates
from seg_demo.ui.visitors import Visitors
from seg_demo.ui.watch import RunWatch, Watched
from seg_demo.ui.watch.component import WatchState

LOOK_EVERY = 1.0  # seconds
MOST_LOOKED_AT = 40  # runs, for one that goes on
MOST_HISTORIES = 16  # that are kept in memory


class WatchPart:
    """Builds the step inside the `gr.Blocks` that is being built, and answers its events."""

    def __init__(self, visitors: Visitors, queue: Queue, status: StatusRow) -> None:
        self.visitors, self.queue, self.status = visitors, queue, status
        self._histories: Remembered[Path, History] = Remembered(MOST_HISTORIES)
        with gr.Column(elem_classes="finetune-tab run-tab"):
            with gr.Row(elem_classes="run-head"):
                self.run = ModelPicker([], label=text("run"), min_width=240, elem_id="ft-run")
                with gr.Row(elem_classes="ft-buttons"):
                    self.stop = gr.Button(text("stop_run"), variant="stop", visible=False, elem_id="ft-stop-run")
                    self.resume = gr.Button(text("resume_run"), variant="primary", visible=False, elem_id="ft-resume")
                    self.compare = gr.Button(text("to_compare"), variant="primary", visible=False, elem_id="ft-compare")
                    self.discard = gr.Button(text("discard_run"), visible=False, elem_id="ft-discard")
            with gr.Row(elem_classes="run-head", visible=False, elem_id="ft-longer-box") as self.longer_box:
                self.more = gr.Textbox(
                    "5", label=text("more_minutes"), max_lines=1, min_width=120, elem_id="ft-more-min"
                )
                self.longer = gr.Button(text("train_longer"), size="sm", elem_id="ft-longer")
                self.again = gr.Button(text("start_again"), size="sm", elem_id="ft-again-from-base")
            self.watch = RunWatch(elem_id="ft-watch")
        self.armed = gr.State("")  # the run that is deleted by another click
        self.timer = gr.Timer(LOOK_EVERY, active=False)

    @property
    def parts(self) -> list[Any]:
        """What `look` may change."""
        return [
            self.run, self.stop, self.resume, self.compare, self.discard, self.longer_box, self.watch, self.timer,
            self.armed,
        ]  # fmt: skip

    # What is seen ----------------------------------------------------------------------------------------

    def look(self, name: str | None, request: gr.Request) -> Updates:
        """The run `name` of the visitor as it is now; the newest one where there is no such run any more."""
        language, workspace = language_of(request), self.visitors.of(request)
        folders = {folder.name: folder for folder in workspace.run_folders()}
        if name not in folders:
            name = self.latest(request)
        if name is None:
            return self._nothing()
        job = Job(folders[name])
        state = job.state
        if state.live:
            self.queue.runner.visited(job)
        ended, learned = not state.live, job.run.last.is_dir() or job.run.best.is_dir()
        return {
            self.run: gr.Dropdown(choices=list(folders), value=name),
            self.stop: gr.Button(visible=not ended, interactive=state.kind != "stopping"),
            self.resume: gr.Button(visible=state.kind in ("stopped", "failed") and state.can_resume),
            self.compare: gr.Button(visible=ended and learned),
            self.discard: gr.Button(say("discard_run", language), variant="secondary", visible=ended),
            self.armed: "",
            self.longer_box: gr.Row(visible=ended and job.run.exists),
            self.watch: Watched(self._history(job).document(), job.folder, name, shown(state, language)),
            self.timer: gr.Timer(active=not ended),
        }

    def _nothing(self) -> Updates:
        hidden = gr.Button(visible=False)
        return {
            self.run: gr.Dropdown(choices=[], value=None), self.stop: hidden, self.resume: hidden,
            self.compare: hidden, self.discard: hidden, self.longer_box: gr.Row(visible=False), self.watch: None,
            self.timer: gr.Timer(active=False),
        }  # fmt: skip

    def latest(self, request: gr.Request) -> str | None:
        """The visitor's run that goes on, or else the newest one."""
        folders = self.visitors.of(request).run_folders()[:MOST_LOOKED_AT]
        alive = (folder.name for folder in folders if Job(folder).state.live)
        return next(alive, None) or (folders[0].name if folders else None)

    def _history(self, job: Job) -> History:
        return self._histories.put(job.folder, self._histories.get(job.folder) or History(job.folder))

    # What is done ----------------------------------------------------------------------------------------

    def job(self, name: str | None, request: gr.Request) -> Job:
        """The visitor's run of this name. Raises `UserError` where there is none."""
        return Job(self.visitors.of(request).run_folder(name or ""))

    def asked(self, name: str | None, request: gr.Request) -> list[str]:
        """The flags that a run was begun with, but for its pictures; of a command's run, all of its settings.

        Raises `UserError` where what it started from is gone.
        """
        job = self.job(name, request)
        words = list(job.facts.flags)
        if not words and job.run.exists:
            words = ["--config", str(job.folder / "config.json")]
        if "--data" in words:
            del words[words.index("--data") : words.index("--data") + 2]
        base = words[words.index("--model") + 1] if "--model" in words else ""
        if not words or (base and not os.path.isdir(base)):
            raise UserError(
                "What the run {name} started from is not there any more. Start a new run in step 2.", name=job.name
            )
        return [word for word in words if word != "--no-check" and not word.startswith(MEASURED_ON)]

    def end(self, name: str | None, request: gr.Request) -> Updates:
        """Stop a run, or let one that waits wait no more."""
        return self._done(lambda: self.queue.stop(self.job(name, request)), name, request)

    def go_on(self, name: str | None, request: gr.Request) -> Updates:
        def submit() -> None:
            if self.visitors.public:
                limits.check_turn(self.visitors.of(request))
            self.queue.submit(self.job(name, request))

        return self._done(submit, name, request)

    def train_longer(self, name: str | None, more: str, request: gr.Request) -> Updates:
        """Go on beyond the run's end, for so many minutes more."""

        def submit() -> None:
            job = self.job(name, request)
            length = job.state.seconds / 60 + minutes(more)
            if self.visitors.public:
                limits.check_turn(self.visitors.of(request))
                limits.check_minutes(length)
            self.queue.submit(job, ["--minutes", f"{length:.3f}", "--validation.patience", "0"])

        return self._done(submit, name, request)

    def throw_away(self, name: str | None, armed: str, request: gr.Request) -> Updates:
        """Delete a run with all that is in it, when asked for twice; checkpoints that were kept stay."""
        if not name or armed != name:
            words = say("really_discard", language_of(request))
            return {self.discard: gr.Button(words, variant="stop"), self.armed: name or ""}

        def delete() -> None:
            job = self.job(name, request)
            self.queue.remove(job)
            self._histories.forget(job.folder)

        return self._done(delete, name, request)

    def _done(self, work: Any, name: str | None, request: gr.Request) -> Updates:
        try:
            work()
        except UserError as error:
            return self.look(name, request) | self.status.problem(explain(error, language_of(request)))
        return self.look(name, request) | self.status.done()


def shown(state: State, language: str) -> WatchState:
    """A state as the page's component takes it."""
    sentence = explain(state.sentence, language) if state.sentence else ""
    if state.kind == "new":
        return WatchState(kind="stopped", sentence=say("run_new", language))
    return WatchState(kind=state.kind, position=state.position, sentence=sentence)


def minutes(given: str) -> float:
    """Minutes as they were typed. Raises `UserError` where they are none."""
    with contextlib.suppress(ValueError):
        if 0 < (number := float(given.strip())) <= 1e5:
            return number
    raise UserError(
        "The length of the run is {amount}. Write a number of {unit}.", amount=shorten(given), unit="minutes"
    )
