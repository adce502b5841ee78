"""The Fine-tune tab: from labelled pictures to a model of one's own, step by step."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from seg_demo.errors import UserError
from seg_demo.infer.library import Library
from seg_demo.jobs.job import Job
from seg_demo.jobs.queue import Queue
from seg_demo.jobs.workspace import Workspace, plain_name
from seg_demo.ui.background import Progress
from seg_demo.ui.finetune import limits
from seg_demo.ui.finetune.bench import Bench, still_there, written
from seg_demo.ui.finetune.keeping import KeepPart
from seg_demo.ui.finetune.labelling import LabelPart
from seg_demo.ui.finetune.pictures import PicturesPart
from seg_demo.ui.finetune.start import StartPart, data_name, measurable, nothing_yet, told
from seg_demo.ui.finetune.watching import WatchPart
from seg_demo.ui.i18n import explain, language_of, say, text
from seg_demo.ui.segment import SegmentTab
from seg_demo.ui.status import StatusRow, Updates
from seg_demo.ui.visitors import Visitors


class FineTuneTab:
    """Builds the tab inside the `gr.Blocks` that is being built, and answers what concerns several of its steps."""

    def __init__(self, visitors: Visitors, library: Library, queue: Queue) -> None:
        self.visitors, self.library, self.queue = visitors, library, queue
        self._preparing: dict[Path, threading.Event] = {}  # by the folder of a visitor's runs
        self.status = StatusRow("ft")
        with gr.Tabs(selected="pictures", elem_id="ft-steps") as self.steps:
            with gr.Tab(text("step_pictures"), id="pictures"):
                self.pictures = PicturesPart(visitors, self.status)
            with gr.Tab(text("step_label"), id="label") as self.label_tab:
                self.label = LabelPart(visitors, library, self.status)
            with gr.Tab(text("step_start"), id="start"):
                self.start = StartPart(visitors, library)
            with gr.Tab(text("step_watch"), id="watch") as self.watch_tab:
                self.watch = WatchPart(visitors, queue, self.status)
            with gr.Tab(text("step_compare"), id="compare") as self.compare_tab:
                self.keep = KeepPart(visitors, self.status, self.watch.run)

    @property
    def bench(self) -> gr.State:
        return self.pictures.bench

    def wire(self, demo: gr.Blocks, tabs: gr.Tabs, segment: SegmentTab, other_pickers: list[gr.Dropdown]) -> None:
        """Connect the steps.

        demo, tabs: the page, which is being built. segment: where a new model is tried. other_pickers: of models, which
        are to have it, too.
        """
        start, watch, keep = self.start, self.watch, self.keep
        self.tabs, self.segment = tabs, segment
        self.pickers = [segment.model, *other_pickers, self.label.model, start.start]
        self.pictures.wire(demo, self.ready, [start.about, start.go])
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        self.label.wire(self.label_tab, self.bench)
        used = self.label.done.click(
            self.use_labels, self.bench, [*self.pictures.shown, self.steps], concurrency_id="check", **quiet
        )
        self.status.stop.click(None, None, None, cancels=[used], **quiet)
        seen: list[Any] = [*self.status.parts, *watch.parts, self.steps]
        self.pictures.next.click(lambda: gr.Tabs(selected="start"), None, self.steps, **quiet)
        run = start.go.click(self.begin, [self.bench, *start.inputs], seen, concurrency_id="check", **quiet)
        watch.run.select(watch.look, watch.run, watch.parts, **quiet)
        # While the answer to a tick is on its way, the next one waits.
        watch.timer.tick(watch.look, watch.run, watch.parts, trigger_mode="once", queue=False, **quiet)
        watch.stop.click(watch.end, watch.run, seen, **quiet)
        watch.resume.click(watch.go_on, watch.run, seen, **quiet)
        watch.discard.click(watch.throw_away, [watch.run, watch.armed], seen, **quiet)
        watch.longer.click(watch.train_longer, [watch.run, watch.more], seen, **quiet)
        again = watch.again.click(self.begin_again, [self.bench, watch.run], seen, concurrency_id="check", **quiet)
        self.status.stop.click(self.stop_preparing, None, None, cancels=[run, again], **quiet)
        self.watch_tab.select(watch.look, watch.run, watch.parts, **quiet)
        demo.load(self.open_page, None, seen, **quiet)
        compared = keep.wire(self.refresh_models, self.pickers)
        select = watch.compare.click(lambda: gr.Tabs(selected="compare"), None, self.steps, **quiet)
        # A tab that is selected from here does not say so.
        shown = [
            start(keep.show, watch.run, compared, concurrency_id="compare", concurrency_limit=1, **quiet)
            for start in (select.then, self.compare_tab.select)
        ]
        self.status.stop.click(None, None, None, cancels=shown, **quiet)
        keep.use.click(self.use, watch.run, [tabs, segment.model], **quiet)
        demo.load(self.refresh_models, None, self.pickers, **quiet)

    def ready(self, bench: Bench | None, language: str) -> Updates:
        """What follows from a data set for the steps after it."""
        may_train = bench is not None and bench.shown.report.may_train
        about = told(bench, language) if bench and may_train else nothing_yet(bench, language)
        return {self.start.about: about, self.start.go: gr.Button(visible=may_train)}

    def use_labels(self, bench: Bench | None, request: gr.Request) -> Iterator[Updates]:
        """What was labelled in the page becomes the data set, and is checked as any other."""
        try:
            work = self.label.labelled(request)
        except UserError as error:
            yield self.status.problem(explain(error, language_of(request)))
            return
        for updates in self.pictures.take_over(work, bench, request):
            yield updates | ({self.steps: gr.Tabs(selected="pictures")} if self.pictures.bench in updates else {})

    def open_page(self, request: gr.Request) -> Updates:
        """The visitor's run that goes on, or the newest one, after the page was loaded."""
        seen, newest = self.watch.look(None, request), self.watch.latest(request)
        if newest and self.watch.job(newest, request).state.live:
            seen[self.steps] = gr.Tabs(selected="watch")
        return seen

    def refresh_models(self, request: gr.Request) -> Updates:
        """All model pickers with what there is now."""
        workspace = self.visitors.of(request)
        models = self.segment.model_choices(workspace.checkpoints)
        updates: Updates = {picker: gr.Dropdown(choices=models) for picker in self.pickers}  # type: ignore[arg-type]
        return updates | {self.start.start: gr.Dropdown(choices=self.start.choices(workspace))}  # type: ignore[arg-type]

    def use(self, run: str | None, request: gr.Request) -> Updates:
        """The Segment tab with the model that was kept of a run."""
        folder = self.visitors.of(request).checkpoints
        kept = folder / self.watch.job(run, request).facts.kept
        name = next((entry.name for entry in self.library.entries(folder).values() if entry.folder == kept), None)
        return {self.tabs: gr.Tabs(selected="segment"), self.segment.model: name or gr.skip()}

    def begin(self, request: gr.Request, bench: Bench | None, *values: Any) -> Iterator[Updates]:
        """Start a run as the widgets of the second step say."""
        yield from self._begin(bench, lambda: self.start.flags(values), request)

    def begin_again(self, bench: Bench | None, run: str | None, request: gr.Request) -> Iterator[Updates]:
        """A new run with the settings of another, from what that one started from, on all pictures there are now."""
        yield from self._begin(bench, lambda: self.watch.asked(run, request), request)

    def _begin(self, bench: Bench | None, flags: Callable[[], list[str]], request: gr.Request) -> Iterator[Updates]:
        """Prepare a run and put it into the queue, also where the page is closed meanwhile; only Stop ends that."""
        language, workspace = language_of(request), self.visitors.of(request)
        stop = threading.Event()
        try:
            asked, brought = flags(), still_there(bench)
            if self.visitors.public:
                limits.check_room(workspace)

            def prepare(progress: Progress) -> str:
                if self._preparing.setdefault(workspace.runs, stop) is not stop:
                    raise UserError("A run is being prepared already. Wait a moment, or stop that.")
                try:
                    return self._prepared(workspace, brought, asked, progress)
                finally:
                    self._preparing.pop(workspace.runs, None)

            begun = yield from self.status.following(prepare, say("preparing", language), stop)
            shown = self.watch.look(begun, request) | self.status.done()
            yield shown | {self.steps: gr.Tabs(selected="watch")}
        except UserError as error:
            yield self.status.problem(explain(error, language))
        except Exception:
            logging.getLogger(__name__).exception("A run could not be started.")
            yield self.status.problem(say("start_failed", language))

    def _prepared(self, workspace: Workspace, bench: Bench, asked: list[str], progress: Progress) -> str:
        """The name of a new run that is in the queue, with its own copy of the pictures."""
        name = plain_name(data_name(bench))
        with workspace.new_run(data_name(bench)) as new:
            (new.staging / "data").mkdir()
            written(bench, new.staging / "data" / name, progress)
            folder = new.finish()
        words = [*measurable(asked, bench), "--data", str(folder / "data" / name), "--no-check"]
        try:
            self.queue.submit(Job(folder), words)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder.name

    def stop_preparing(self, request: gr.Request) -> None:
        """Stop was pressed: what is being prepared is not begun."""
        if stop := self._preparing.get(self.visitors.of(request).runs):
            stop.set()
