"""The Threshold tab: one picture, the probability of one class, and the number that makes a mask of it."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import gradio as gr

from seg_demo.errors import UserError
from seg_demo.infer.binarisation import Binarisation
from seg_demo.infer.library import Library
from seg_demo.infer.planes import Planes
from seg_demo.ui.background import followed
from seg_demo.ui.browser import (
    FORGET_LINK,
    REMEMBER,
    SHOWN_IN_SEGMENT,
    SHOWN_UNLESS_LINKED,
    replacing,
)
from seg_demo.ui.finetune.bench import Bench
from seg_demo.ui.i18n import explain, language_of, say
from seg_demo.ui.kept import KeptPictures
from seg_demo.ui.lab import LabDataSet, LabValue
from seg_demo.ui.looking import Look, class_choices, predicted, subject_of, there
from seg_demo.ui.measuring import measured
from seg_demo.ui.places import draw_labels, example, has_drawn_labels, of_link, of_segment, own, state_in
from seg_demo.ui.results import TURN
from seg_demo.ui.save_panel import cached
from seg_demo.ui.saving import is_writable
from seg_demo.ui.segment import SegmentTab
from seg_demo.ui.status import Updates
from seg_demo.ui.threshold_api import ThresholdApi
from seg_demo.ui.threshold_form import ThresholdForm


class ThresholdTab(ThresholdForm):
    """Builds the tab inside the `gr.Blocks` that is being built, and answers its events.

    segment: the tab whose picture can be taken over. kept: where pictures are kept for links.
    """

    def __init__(self, library: Library, segment: SegmentTab, kept: KeptPictures | None = None) -> None:
        super().__init__(segment)
        self.library, self.planes, self.kept = library, Planes(library, TURN), kept or KeptPictures()
        ThresholdApi(self.planes, segment.default_model())

    # Events ----------------------------------------------------------------------------------------------

    def wire(self, demo: gr.Blocks, tabs: gr.Tabs, tab: gr.Tab, others: list[gr.Tab], bench: gr.State) -> None:
        """tabs, tab, others: the page's tabs, this one and the rest. bench: the data set of the Fine-tune tab."""
        self.tabs = tabs
        shown: list[Any] = [
            self.lab, self.look, self.value, *self.status.parts, self.class_name, self.model, self.examples,
            self.labels, self.drawn_labels, self.picture, *self.saves.parts, tabs,
        ]  # fmt: skip
        private: dict[str, Any] = {
            "api_visibility": "private", "show_progress": "minimal", "show_progress_on": [self.lab],
            "concurrency_id": "predict", "trigger_mode": "always_last",
        }  # fmt: skip
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        held = [self.look, self.value]
        of_segment = [self.segment.read, self.segment.model, gr.Number(0, visible=False), *held]
        of_opened = [self.segment.read, self.model, gr.Number(0, visible=False), *held]
        shown_there = replacing(5, _2=SHOWN_IN_SEGMENT)
        starts = [
            (self.picture.input, self.bring, [self.picture, self.model, *held], None),
            (self.examples.select, self.bring_example, [self.model, *held], None),
            (self.take.click, self.bring_segment, of_segment, shown_there),
            (self.segment.to_threshold.click, self.bring_segment, of_segment, shown_there),
            (self.model.select, self.choose_model, [self.model, *held], None),
            (self.class_name.select, self.choose_class, [self.class_name, *held], None),
            (self.labels.upload, self.choose_labels, [self.labels, *held], None),
            (self.labels.clear, self.choose_labels, [self.labels, *held], None),
            (self.drawn_labels.click, self.choose_drawn_labels, held, None),
            (self.of_example.click, self.measure_example, [self.split, *held], None),
            (self.of_bench.click, self.measure_bench, [self.split, bench, *held], None),
            (self.archive.upload, self.measure_archive, [self.archive, self.split, *held], None),
        ]  # fmt: skip
        runs = [start(answer, inputs, shown, js=js, **private) for start, answer, inputs, js in starts]
        first = tab.select(self.bring_first, of_segment, shown, js=replacing(5, _2=SHOWN_UNLESS_LINKED), **private)
        linked = demo.load(self.open_link, None, shown, **private)
        # Whatever the visitor starts ends what is underway, which would show its own picture over it.
        for (start, *_), own_run in zip(starts, runs, strict=True):
            start(None, cancels=[run for run in (*runs, first, linked) if run is not own_run], **quiet)
        self.status.stop.click(self.stopped, self.look, shown, cancels=[*runs, first, linked], **quiet)
        self.saves.wire(self.planes, self.kept, self.show, held, shown)
        self._with_model = {"inputs": of_opened, "outputs": shown, "js": shown_there, **private}
        tab.select(None, None, None, js=REMEMBER, **quiet)
        for other in others:
            other.select(None, None, None, js=FORGET_LINK, **quiet)

    def follow(self, event: Any) -> None:
        """Show what the picker of the model holds after `event`, which has changed it and opened this tab."""
        event.then(self.open_with, **self._with_model)

    # What is looked at -----------------------------------------------------------------------------------

    def bring(
        self, file: str | None, model: str, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        """A picture of the visitor's own; a copy is kept for a day, so that a reload finds it."""
        if not file:
            yield {self.status.stop: gr.Button(visible=False)}
            return
        yield from self.show(lambda: Look(file, model, self.same_class(look, model)), look, value, request)

    def bring_example(
        self, model: str, look: Look | None, value: LabValue | None, chosen: gr.SelectData, request: gr.Request
    ) -> Iterator[Updates]:
        name = Path(chosen.value["image"]["path"]).name
        made = self.show(
            lambda: example(name, model, self.same_class(look, model)), look, value, request, {self.picture: None}
        )  # fmt: skip
        yield from made

    def bring_segment(
        self, shown: list[str], model: str, index: float, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        """The picture that the Segment tab shows, with its model."""
        if not shown:
            yield self.status.problem(say("th_nothing_in_segment", language_of(request)))
            return
        file = shown[int(index) if index in range(len(shown)) else 0]
        yield from self.show(
            lambda: of_segment(file, model, self.same_class(look, model)), look, value, request,
            {self.tabs: gr.Tabs(selected="threshold"), self.picture: None},
        )  # fmt: skip

    def bring_first(
        self, shown: list[str], model: str, index: float, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        """What the Segment tab shows, when the tab is opened with nothing in it."""
        if look or index not in range(len(shown)):
            yield {self.status.stop: gr.Button(visible=False)}
            return
        yield from self.bring_segment(shown, model, index, look, value, request)

    def choose_model(
        self, model: str, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        if look is None:
            yield {self.examples: self.segment.example_files(model)}
            return
        own_class = self.same_class(look, model)
        yield from self.show(lambda: replace(there(look), model=model, class_name=own_class), look, value, request)

    def open_with(
        self, shown: list[str], model: str, index: float, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        """Another model for the picture here, or where there is none, for the one that the Segment tab shows."""
        if look is None and shown:
            yield from self.bring_segment(shown, model, index, look, value, request)
        else:
            yield from self.choose_model(model, look, value, request)

    def choose_class(
        self, class_name: str, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        yield from self.show(lambda: replace(there(look), class_name=class_name), look, value, request)

    def choose_labels(
        self, labels: str | None, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        """A label map for the picture, or none any more."""
        # Without a place, it is kept anew, together with its picture.
        yield from self.show(lambda: replace(there(look), labels=labels, place=None), look, value, request)

    def choose_drawn_labels(self, look: Look | None, value: LabValue | None, request: gr.Request) -> Iterator[Updates]:
        """The label map of an example, which was drawn together with it."""
        with tempfile.TemporaryDirectory() as folder:
            drawn = draw_labels(look, Path(folder)) if look and has_drawn_labels(look) else None
            labels = self.downloadable(str(drawn))
        yield from self.choose_labels(labels, look, value, request)

    def open_link(self, request: gr.Request) -> Iterator[Updates]:
        """What the page's address asks for, if anything."""
        asked = dict(request.query_params) if request else {}
        if asked.get("tab") != "threshold":
            yield {self.status.stop: gr.Button(visible=False)}
            return
        asked.setdefault("model", self.segment.default_model())
        if not asked.keys() & {"picture", "example"}:
            asked["example"] = Path(self.segment.example_files(asked["model"])[0]).name
        opened: Updates = {self.tabs: gr.Tabs(selected="threshold")}
        yield from self.show(lambda: of_link(self.kept, asked), None, None, request, opened, lambda: state_in(asked))

    def show(
        self,
        look_at: Callable[[], Look],
        before: Look | None,
        value: LabValue | None,
        request: gr.Request,
        always: Updates | None = None,
        state: Callable[[], Binarisation | None] = lambda: None,
        done: str = "",
    ) -> Iterator[Updates]:
        """Predict and show; what goes wrong is told, and changes nothing.

        A picture that no link leads to yet is kept for a day, so that a reload finds it. before, value: what was looked
        at until now. always: goes with every update. state: what a link says of the threshold. done: what is said in
        the end.
        """
        language, always = language_of(request), always or {}
        try:
            yield always | self.status.working(say("th_predicting", language))
            asked = state()
            look, prediction = predicted(self.planes, look_at())
            config = prediction.config
            writable = is_writable(self.library, look.model) and config.task == "binary"
            subject = subject_of(look, prediction, writable, asdict(asked) if asked else None)
            if look.place is None:  # only now is it known to be a picture, and its label file to suit it
                look = own(self.kept, look)
            picture = self.lab.send(replace(subject, link=look.link))
            value = LabValue(picture=picture, data_set=value.data_set if value else None)
            classes = class_choices(config)
            yield {
                **always,
                self.lab: value,
                self.value: value,
                self.look: look,
                self.class_name: gr.Dropdown(choices=classes, value=look.class_name, visible=len(classes) > 1),  # type: ignore[arg-type]
                self.model: look.model,
                self.examples: self.segment.example_files(look.model),
                self.labels: self.downloadable(look.labels),
                self.drawn_labels: gr.Button(visible=has_drawn_labels(look) and not look.labels),
                **self.saves.fresh(writable),
                **self.status.done(done),
            }
        except UserError as error:
            yield always | self.restored(before) | self.status.problem(explain(error, language))
        except Exception:
            logging.getLogger(__name__).exception("A prediction for the Threshold tab failed.")
            yield always | self.restored(before) | self.status.problem(say("failed", language))

    def restored(self, look: Look | None) -> Updates:
        """What the visitor chose and could not have goes back to what is shown."""
        if look is None:
            return {}
        return {
            self.model: look.model, self.class_name: look.class_name, self.labels: self.downloadable(look.labels),
            self.examples: self.segment.example_files(look.model),
        }  # fmt: skip

    def downloadable(self, file: str | None) -> str | None:
        """A copy in Gradio's cache: what the page keeps is not served by its path."""
        return cached(Path(file)) if file and Path(file).is_file() else None

    def same_class(self, look: Look | None, model: str) -> str:
        """The class that is looked at now, which another picture of the model keeps."""
        return look.class_name if look and look.model == model else ""

    # A whole data set ------------------------------------------------------------------------------------

    def measure_example(
        self, split: str, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        from seg_demo.ui.finetune.pictures import EXAMPLE

        yield from self.measure(EXAMPLE, say("th_drawn", language_of(request)), split, look, value, request)

    def measure_bench(
        self, split: str, bench: Bench | None, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        if bench is None or not bench.home.is_dir():
            yield self.status.problem(say("th_no_bench", language_of(request)))
            return
        yield from self.measure(bench.shown.folder.listing.root, bench.name, split, look, value, request)

    def measure_archive(
        self, archive: str | None, split: str, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        if archive:
            yield from self.measure(Path(archive), Path(archive).name, split, look, value, request)

    def measure(
        self, source: Path, name: str, split: str, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        """The curves of a split of a data set, for the model and the class that are looked at."""
        language = language_of(request)
        yield self.status.working(say("th_measuring", language))
        try:
            look = there(look)
            model, class_name = look.model, look.class_name
            steps = followed(lambda progress: measured(self.library, model, class_name, source, split, progress, name))
            with closing(steps):
                while True:
                    try:
                        done, total = next(steps)
                    except StopIteration as end:
                        counts, pictures = end.value
                        break
                    sentence = say("th_measured", language, done=done, total=total)
                    yield self.status.working(sentence, done / max(1, total))
            data = LabDataSet(
                name=name, split=split, pictures=pictures, model=model, class_name=class_name, counts=counts
            )
            value = LabValue(picture=value.picture if value else None, data_set=data)
            yield {self.lab: value, self.value: value, **self.status.done()}
        except UserError as error:
            yield self.status.problem(explain(error, language))
        except Exception:
            logging.getLogger(__name__).exception("A measurement for the Threshold tab failed.")
            yield self.status.problem(say("failed", language))

    def stopped(self, look: Look | None, request: gr.Request) -> Updates:
        return self.restored(look) | self.status.problem(say("check_stopped", language_of(request)), "stopped")
