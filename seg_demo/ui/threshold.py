"""The Threshold tab: one picture, the probability of one class, and the number that makes a mask of it."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from seg_demo.errors import UserError
from seg_demo.infer.binarisation import Binarisation
from seg_demo.infer.library import Library
from seg_demo.infer.planes import Planes
from seg_demo.ui.background import followed
from seg_demo.ui.bench import Bench
from seg_demo.ui.fragment import Fragment, element
from seg_demo.ui.i18n import explain, language_of, say, text
from seg_demo.ui.kept import KeptPictures
from seg_demo.ui.lab import LabDataSet, LabValue, ThresholdLab
from seg_demo.ui.looking import Look, class_choices, predicted, state_of, subject_of, with_class
from seg_demo.ui.measuring import measured, write_threshold
from seg_demo.ui.results import TURN
from seg_demo.ui.saving import FORMATS, Order, saved
from seg_demo.ui.segment import DRAWN_EXAMPLES, EVERYDAY_EXAMPLES, ModelPicker, SegmentTab
from seg_demo.viz.figure import Captions

Updates = dict[gr.blocks.Block, Any]
LAB = "document.querySelector('#lab .seg-lab')?.segLab"
# What the browser knows, read when something is to be done with it.
STATE_OF_LAB = f"JSON.stringify({LAB}?.state() ?? null)"
INDEX_OF_CANVAS = "(document.querySelector('#canvas .seg-canvas')?.segCanvas?.state().index ?? 0)"
OPENED_BY_LINK = "new URLSearchParams(location.search).get('tab') === 'threshold'"
DOWNLOAD = """(file) => {
  if (!file) return;
  const link = Object.assign(document.createElement("a"), { href: file.url, download: file.orig_name });
  document.body.append(link);
  link.click();
  link.remove();
}"""
COPY_LINK = f"""() => {{
  const link = {LAB}?.link() ?? "";
  navigator.clipboard?.writeText(link).catch(() => {{}});
  return link;
}}"""
# Not before the laboratory is there: a page that opens by a link shows the first tab for a moment.
FORGET_LINK = f"""() => {{
  const address = new URL(location.href);
  if (!{LAB} || address.searchParams.get("tab") !== "threshold") return;
  for (const name of [...address.searchParams.keys()]) if (!name.startsWith("__")) address.searchParams.delete(name);
  history.replaceState(history.state, "", address);
}}"""


class PictureInput(gr.Image):
    """One picture as a file that nobody has opened yet: its header is looked at before anything is decoded."""

    is_template = True  # to the browser it is Gradio's own

    def preprocess(self, payload: Any) -> str | None:
        return payload.path if payload else None


class ThresholdTab:
    """Builds the tab inside the `gr.Blocks` that is being built, and answers its events.

    tabs, tab: the page's tabs and this one. segment: the tab whose picture can be taken over. bench: the state that
    holds the data set of the Fine-tune tab.
    """

    def __init__(self, library: Library, segment: SegmentTab, kept: KeptPictures | None = None) -> None:
        self.library, self.segment = library, segment
        self.planes, self.kept = Planes(library, TURN), kept or KeptPictures()
        with gr.Row(elem_classes="status-row"):
            self.status = Fragment(elem_id="th-status")
            self.stop = gr.Button(text("stop"), size="sm", variant="stop", visible=False, elem_id="th-stop")
        with gr.Row(elem_classes="threshold-tab"):
            with gr.Column(scale=1, min_width=280):
                self._build_subject()
            with gr.Column(scale=3, min_width=320):
                self.lab = ThresholdLab(elem_id="lab")
                self._build_save()
        self.look = gr.State(None)  # Look | None
        self.value = gr.State(None)  # LabValue | None: what the laboratory holds

    def _build_subject(self) -> None:
        default = self.segment.default_model()
        self.model = ModelPicker(
            self.segment.model_choices(), value=default, label=text("model"), elem_id="th-model"
        )  # fmt: skip
        self.class_name = ModelPicker(
            [], label=text("th_class"), info=text("th_class_info"), visible=False, elem_id="th-class"
        )
        self.take = gr.Button(text("th_take"), size="sm", elem_id="th-take")
        self.picture = PictureInput(
            label=text("picture"), type="filepath", sources=["upload", "webcam", "clipboard"], height=180,
            buttons=[], elem_id="th-picture",
        )  # fmt: skip
        self.examples = gr.Gallery(
            self.segment.example_files(default), label=text("examples"), columns=3, height="auto",
            object_fit="cover", interactive=False, allow_preview=False, buttons=[], elem_id="th-examples",
            elem_classes="examples",
        )  # fmt: skip
        with gr.Accordion(text("th_labels"), open=False, elem_id="th-labels-box"):
            gr.Markdown(text("th_labels_about"))
            self.labels = gr.File(
                label=text("th_label_map"), file_count="single", height=110, elem_id="th-labels"
            )  # fmt: skip
        with gr.Accordion(text("th_data"), open=False, elem_id="th-data-box"):
            gr.Markdown(text("th_data_about"))
            self.split = gr.Radio(["val", "test", "train"], value="val", label=text("th_split"), elem_id="th-split")
            self.of_bench = gr.Button(text("th_of_bench"), size="sm", elem_id="th-bench")
            self.of_example = gr.Button(text("th_of_example"), size="sm", elem_id="th-example-data")
            self.archive = gr.File(label=text("th_archive"), file_count="single", height=110, elem_id="th-archive")

    def _build_save(self) -> None:
        with gr.Accordion(text("th_save"), open=True, elem_id="th-save"):
            with gr.Row(elem_classes="save-row"):
                self.savers = {
                    name: gr.Button(text(f"save_{name}"), size="sm", elem_id=f"th-save-{name.replace('_', '-')}")
                    for name in FORMATS
                }
            self.file = gr.File(show_label=False, interactive=False, height=64, elem_id="th-file")
            with gr.Row(elem_classes="save-row"):
                self.share = gr.Button(text("th_link"), size="sm", elem_id="th-link")
                self.write = gr.Button(text("th_write"), size="sm", interactive=False, elem_id="th-write")
            self.address = gr.Textbox(
                label=text("th_address"), info=text("th_address_info"), interactive=False, visible=False,
                buttons=["copy"], elem_id="th-address",
            )  # fmt: skip

    # Events ----------------------------------------------------------------------------------------------

    def wire(self, demo: gr.Blocks, tabs: gr.Tabs, tab: gr.Tab, others: list[gr.Tab], bench: gr.State) -> None:
        shown: list[Any] = [
            self.lab, self.look, self.value, self.status, self.stop, self.class_name, self.model, self.examples,
            self.write, self.labels, self.picture, self.address, tabs,
        ]  # fmt: skip
        self.tabs = tabs
        private: dict[str, Any] = {
            "api_visibility": "private", "show_progress": "minimal", "show_progress_on": [self.lab],
            "concurrency_id": "predict", "trigger_mode": "always_last",
        }  # fmt: skip
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        place = gr.Number(0, visible=False)
        held = [self.look, self.value]
        seg = [self.segment.shown, self.segment.model, place]
        bring = f"(shown, model, at, look, value) => [shown, model, {INDEX_OF_CANVAS}, look, value]"
        first = (
            f"(shown, model, at, look, value) => [shown, model, {OPENED_BY_LINK} ? -1 : {INDEX_OF_CANVAS}, look, value]"
        )
        starts = [
            (self.picture.input, self.bring, [self.picture, self.model, *held], None),
            (self.examples.select, self.bring_example, [self.model, *held], None),
            (self.take.click, self.bring_segment, [*seg, *held], bring),
            (self.segment.to_threshold.click, self.bring_segment, [*seg, *held], bring),
            (tab.select, self.bring_first, [*seg, *held], first),
            (self.model.input, self.choose_model, [self.model, *held], None),
            (self.class_name.input, self.choose_class, [self.class_name, *held], None),
            (self.labels.upload, self.choose_labels, [self.labels, *held], None),
            (self.labels.clear, self.choose_labels, [self.labels, *held], None),
            (self.of_example.click, self.measure_example, [self.split, *held], None),
            (self.of_bench.click, self.measure_bench, [self.split, bench, *held], None),
            (self.archive.upload, self.measure_archive, [self.archive, self.split, *held], None),
        ]  # fmt: skip
        runs = [start(answer, inputs, shown, js=js, **private) for start, answer, inputs, js in starts]
        runs.append(demo.load(self.open_link, None, shown, **private))
        for (start, *_), own in zip(starts, runs, strict=False):
            start(None, cancels=[run for run in runs if run is not own], **quiet)
        self.stop.click(self.stopped, None, [self.status, self.stop], cancels=runs, **quiet)
        state = gr.Textbox(visible=False)
        read = f"(state, look) => [{STATE_OF_LAB}, look]"
        for name, button in self.savers.items():
            made = button.click(self.saver(name), [state, self.look], [self.file, self.status], js=read, **quiet)
            made.success(None, self.file, js=DOWNLOAD, **quiet)
        self.share.click(self.keep_link, [state, self.look], [self.address, self.status],
                         js=f"(state, look) => [({COPY_LINK})(), look]", **quiet)  # fmt: skip
        self.write.click(self.write_threshold, [state, *held], shown,
                         js=f"(state, look, value) => [{STATE_OF_LAB}, look, value]", **quiet)  # fmt: skip
        demo.load(self.segment.refresh_models, None, self.model, **quiet)
        tab.select(None, None, None, js=f"() => {LAB}?.remember()", **quiet)
        for other in others:
            other.select(None, None, None, js=FORGET_LINK, **quiet)

    # What is looked at -----------------------------------------------------------------------------------

    def bring(
        self, file: str | None, model: str, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        """A picture of the visitor's own; a copy is kept for a day, so that a reload finds it."""
        if not file:
            yield {self.stop: gr.Button(visible=False)}
            return
        yield from self.show(lambda: self.own(Look(file, model, self.same_class(look, model))), value, request)

    def bring_example(
        self, model: str, look: Look | None, value: LabValue | None, chosen: gr.SelectData, request: gr.Request
    ) -> Iterator[Updates]:
        name = Path(chosen.value["image"]["path"]).name
        yield from self.show(lambda: example(name, model, self.same_class(look, model)), value, request)

    def bring_segment(
        self, shown: list[str], model: str, index: float, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        """The picture that the Segment tab shows, with its model."""
        if not shown:
            yield self._problem(say("th_nothing_in_segment", language_of(request)))
            return
        file = shown[min(max(0, int(index)), len(shown) - 1)]
        own = self.same_class(look, model)
        known = Path(file).name in examples() and str(examples()[Path(file).name]) == file
        made = (lambda: example(Path(file).name, model, own)) if known else (lambda: self.own(Look(file, model, own)))
        yield from self.show(made, value, request, {self.model: model, self.tabs: gr.Tabs(selected="threshold")})

    def bring_first(
        self, shown: list[str], model: str, index: float, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        """What the Segment tab shows, when the tab is opened with nothing in it."""
        if look or index < 0 or not shown:
            yield {self.stop: gr.Button(visible=False)}
            return
        yield from self.bring_segment(shown, model, index, look, value, request)

    def choose_model(
        self, model: str, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        always: Updates = {self.examples: self.segment.example_files(model)}
        if look is None:
            yield always
            return
        made = Look(look.file, model, self.same_class(look, model), look.labels, look.place)
        yield from self.show(lambda: made, value, request, always)

    def choose_class(
        self, class_name: str, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        yield from self.show(lambda: with_class(self.there(look), class_name), value, request)

    def choose_labels(
        self, labels: str | None, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        """A label map for the picture, or none any more."""

        def made() -> Look:
            there = self.there(look)
            return self.own(Look(there.file, there.model, there.class_name, labels))

        yield from self.show(made, value, request)

    def open_link(self, request: gr.Request) -> Iterator[Updates]:
        """What the page's address asks for, if anything."""
        asked = dict(request.query_params) if request else {}
        if asked.get("tab") != "threshold":
            yield {self.stop: gr.Button(visible=False)}
            return
        opened: Updates = {self.tabs: gr.Tabs(selected="threshold"), self.model: asked.get("model", "")}
        names = {"threshold": "t", "low": "low", "smallest_object": "object", "smallest_hole": "hole"}

        def made() -> Look:
            model, class_name = asked.get("model", ""), asked.get("class", "")
            if "picture" not in asked:
                return example(asked.get("example", ""), model, class_name)
            found = self.kept.find(asked["picture"])
            labels = str(found.labels) if found.labels else None
            return Look(str(found.picture), model, class_name, labels, {"picture": found.token})

        state = {name: asked[short] for name, short in names.items() if short in asked}
        yield from self.show(made, None, request, opened, state)

    def show(
        self,
        look_at: Callable[[], Look],
        value: LabValue | None,
        request: gr.Request,
        always: Updates | None = None,
        state: Mapping[str, str] | None = None,
    ) -> Iterator[Updates]:
        """Predict and show; what goes wrong is told, and changes nothing."""
        language = language_of(request)
        try:
            yield (always or {}) | self._working(say("th_predicting", language))
            asked = None if state is None else state_of(state)
            look, prediction = predicted(self.planes, look_at())
            kind = self.library.entries()[look.model].kind
            config = prediction.checkpoint.config
            writable = kind == "own" and config.task == "binary"
            picture = self.lab.send(subject_of(look, prediction, writable, fields_of(asked)))
            value = LabValue(picture=picture, data_set=value.data_set if value else None)
            classes = class_choices(config)
            yield {
                **(always or {}),
                self.lab: value,
                self.value: value,
                self.look: look,
                self.class_name: gr.Dropdown(choices=classes, value=look.class_name, visible=len(classes) > 1),  # type: ignore[arg-type]
                self.write: gr.Button(interactive=writable),
                self.labels: look.labels,
                self.address: gr.Textbox(visible=False),
                self.status: None,
                self.stop: gr.Button(visible=False),
            }
        except UserError as error:
            yield (always or {}) | self._problem(explain(error, language))
        except Exception:
            logging.getLogger(__name__).exception("A prediction for the Threshold tab failed.")
            yield (always or {}) | self._problem(say("failed", language))

    def own(self, look: Look) -> Look:
        """Keep a copy of the visitor's picture, whose token then leads back to it; without one where that fails."""
        try:
            found = self.kept.keep(Path(look.file), Path(look.labels) if look.labels else None)
        except OSError:
            return look
        labels = str(found.labels) if found.labels else None
        return Look(str(found.picture), look.model, look.class_name, labels, {"picture": found.token})

    def there(self, look: Look | None) -> Look:
        if look is None or not Path(look.file).is_file():
            raise UserError("There is no picture here any more. Bring one first.")
        return look

    def same_class(self, look: Look | None, model: str) -> str:
        """The class that is looked at now, which another picture of the model keeps."""
        return look.class_name if look and look.model == model else ""

    # A whole data set ------------------------------------------------------------------------------------

    def measure_example(
        self, split: str, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        from seg_demo.ui.finetune import EXAMPLE

        yield from self.measure(EXAMPLE, say("th_drawn", language_of(request)), split, look, value, request)

    def measure_bench(
        self, split: str, bench: Bench | None, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        if bench is None or not bench.home.is_dir():
            yield self._problem(say("th_no_bench", language_of(request)))
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
        yield self._working(say("th_measuring", language))
        try:
            look = self.there(look)
            model, class_name = look.model, look.class_name
            steps = followed(lambda progress: measured(self.library, model, class_name, source, split, progress))
            try:
                while True:
                    done, total = next(steps)
                    yield self._working(say("th_measured", language, done=done, total=total), done / max(1, total))
            except StopIteration as end:
                counts, pictures = end.value
            finally:
                steps.close()
            data = LabDataSet(
                name=name, split=split, pictures=pictures, model=model, class_name=class_name, counts=counts
            )
            value = LabValue(picture=value.picture if value else None, data_set=data)
            yield {self.lab: value, self.value: value, self.status: None, self.stop: gr.Button(visible=False)}
        except UserError as error:
            yield self._problem(explain(error, language))
        except Exception:
            logging.getLogger(__name__).exception("A measurement for the Threshold tab failed.")
            yield self._problem(say("failed", language))

    # What comes of it ------------------------------------------------------------------------------------

    def saver(self, name: str) -> Callable[..., Updates]:
        """What answers the button of a format; Gradio counts arguments, and those of a partial it counts wrong."""

        def save(state: str, look: Look | None, request: gr.Request) -> Updates:
            return self.save(name, state, look, request)

        return save

    def save(self, name: str, state: str, look: Look | None, request: gr.Request) -> Updates:
        """Write one file of what is shown; the browser downloads it."""
        language = language_of(request)
        try:
            order = Order(self.there(look), binarisation_of(state), captions(language))
            folder = Path(tempfile.mkdtemp(prefix="saved-", dir=cache(self.file)))
            return {self.file: str(saved(name, order, self.planes, folder)), self.status: None}
        except UserError as error:
            return {self.file: None, self.status: self._told(explain(error, language))}

    def keep_link(self, address: str, look: Look | None, request: gr.Request) -> Updates:
        """Keep the picture for longer, because its link was asked for."""
        language = language_of(request)
        try:
            link = self.there(look).link
            if not link:
                raise UserError("This server cannot keep pictures, so there is no link. Save the files instead.")
            if "picture" in link:
                self.kept.link(link["picture"])
            return {self.address: gr.Textbox(value=address, visible=True), self.status: None}
        except UserError as error:
            return {self.address: gr.Textbox(visible=False), self.status: self._told(explain(error, language))}

    def write_threshold(
        self, state: str, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        """Make the threshold that of the checkpoint, for every later prediction."""
        language = language_of(request)
        try:
            look = self.there(look)
            threshold = binarisation_of(state).threshold
            before = write_threshold(self.library, look.model, threshold)
            done = say("th_written", language, threshold=f"{threshold:g}", model=look.model, before=f"{before:g}")
            for updates in self.show(lambda: look, value, request):
                yield updates | ({self.status: [element("p", done, role="status", class_="status good")]}
                                 if self.lab in updates else {})  # fmt: skip
        except UserError as error:
            yield self._problem(explain(error, language))

    def stopped(self, request: gr.Request) -> Updates:
        return self._problem(say("check_stopped", language_of(request)), "stopped")

    def _working(self, sentence: str, share: float | None = None) -> Updates:
        value = {} if share is None else {"value": f"{share:.3f}"}
        bar = element("progress", color=None, max="1", aria_label=sentence, **value)
        told = element("p", sentence, role="status", class_="status")
        return {self.status: [told, bar], self.stop: gr.Button(visible=True)}

    def _problem(self, sentence: str, kind: str = "problem") -> Updates:
        return {self.status: self._told(sentence, kind), self.stop: gr.Button(visible=False)}

    def _told(self, sentence: str, kind: str = "problem") -> list[Any]:
        return [element("p", sentence, role="alert", class_=f"status {kind}")]


def examples() -> dict[str, Path]:
    return {file.name: file for file in (*DRAWN_EXAMPLES.glob("*.jpg"), *EVERYDAY_EXAMPLES)}


def example(name: str, model: str, class_name: str) -> Look:
    """An example picture by its file name. Raises `UserError` where there is none."""
    if name not in examples():
        raise UserError("There is no such example picture any more. Choose another one, or bring your own.")
    return Look(str(examples()[name]), model, class_name, None, {"example": name})


def binarisation_of(state: str) -> Binarisation:
    """What the laboratory tells of itself. Raises `UserError` for what it would never tell."""
    try:
        fields = json.loads(state or "null")
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise UserError("There is no picture here any more. Bring one first.")
    return state_of(fields)


def fields_of(state: Binarisation | None) -> dict[str, float | None] | None:
    """The state as the laboratory takes it."""
    if state is None:
        return None
    return {
        "threshold": state.threshold, "low": state.low, "smallest_object": state.smallest_object,
        "smallest_hole": state.smallest_hole,
    }  # fmt: skip


def captions(language: str) -> Captions:
    return Captions(**{name: say(f"fig_{name}", language) for name in Captions.__dataclass_fields__})


def cache(component: gr.components.Component) -> Path:
    folder = Path(component.GRADIO_CACHE)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
