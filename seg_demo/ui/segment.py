"""The Segment tab: pictures in, coloured masks out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from seg_demo.errors import UserError
from seg_demo.infer.library import Library
from seg_demo.ui.canvas import SegmentationCanvas
from seg_demo.ui.i18n import explain, language_of, say, text
from seg_demo.ui.results import Captions, Results, segment_files
from seg_demo.ui.uploads import PicturesInput

MAX_PICTURES = 50
# What phones save is let through to `read_image`, which says what to do about it.
PICTURES = ["image", ".heic", ".heif", ".avif"]
DRAWN_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
# Photos that Gradio brings along, for models that know everyday things.
_GRADIO_PHOTOS = Path(gr.__file__).parent / "media_assets" / "images"
EVERYDAY_EXAMPLES = [_GRADIO_PHOTOS / name for name in ("cheetah1.jpg", "lion.jpg", "cheetah.jpg")]

TRACK_DOWNLOADS = gr.Progress(track_tqdm=True)  # as a default argument it shows torch's download bars on the page
Updates = dict[gr.components.Component, Any]
WAITING_PREDICTIONS = 8  # that may be underway at once; they take turns at the network


class ModelPicker(gr.Dropdown):
    """A dropdown that leaves the check of what was chosen to the library, which knows what is there now."""

    is_template = True  # to the browser it is Gradio's own dropdown

    def preprocess(self, payload: Any) -> str:
        return "" if payload is None else str(payload)


class SegmentTab:
    """Builds the tab inside `demo`, the `gr.Blocks` that is being built, and answers its events."""

    def __init__(self, demo: gr.Blocks, library: Library) -> None:
        self.library = library
        default = self.default_model()
        with gr.Row(elem_classes="segment-tab"):
            with gr.Column(scale=1, min_width=280):
                self.model = ModelPicker(
                    self.model_choices(), value=default, label=text("model"), info=text("model_info"), elem_id="model"
                )
                self.pictures = PicturesInput(
                    label=text("pictures"), sources=["upload", "webcam", "clipboard"], type="filepath",
                    file_types=PICTURES, columns=3, height=200, object_fit="cover", elem_id="pictures",
                )  # fmt: skip
                self.examples = gr.Gallery(
                    self.example_files(default), label=text("examples"), columns=3, height="auto",
                    object_fit="cover", interactive=False, allow_preview=False, buttons=[], elem_id="examples",
                    elem_classes="examples",
                )  # fmt: skip
            with gr.Column(scale=3, min_width=320):
                self.canvas = SegmentationCanvas(elem_id="canvas")
                with gr.Row(elem_classes="segment-status"):
                    # A text box shows file names as they are; Markdown would make links and pictures of them.
                    self.status = gr.Textbox(
                        show_label=False,
                        container=False,
                        interactive=False,
                        max_lines=6,
                        placeholder=" ",
                        elem_id="status",
                    )
                    self.stop = gr.Button(text("stop"), size="sm", variant="stop", visible=False, elem_id="stop")
                self.to_threshold = gr.Button(text("to_threshold"), size="sm", elem_id="to-threshold")
                with gr.Accordion(text("downloads"), open=False, elem_id="downloads"):
                    self.archive = gr.DownloadButton(text("zip"), size="sm", elem_id="zip")
                    self.files = gr.File(
                        show_label=False, file_count="multiple", interactive=False, height=180, elem_id="files"
                    )
        self.shown = gr.State([])  # the files that were brought, so that another model can have a go at them
        self.read = gr.State([])  # those that could be read, in the order of the film strip
        self._wire(demo)

    def _wire(self, demo: gr.Blocks) -> None:
        outputs = [self.canvas, self.files, self.archive, self.status, self.stop, self.shown, self.read]
        predict: dict[str, Any] = {
            "show_progress": "minimal",
            "show_progress_on": [self.canvas],
            "concurrency_id": "predict",
            "concurrency_limit": WAITING_PREDICTIONS,
            "trigger_mode": "always_last",
        }
        private: dict[str, Any] = {**predict, "api_visibility": "private"}
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        own = self.pictures.change(
            self.segment, [self.pictures, self.model], outputs, **predict, api_name="segment"
        )  # fmt: skip
        back = self.pictures.select(self.segment_own, [self.pictures, self.shown, self.model], outputs, **private)
        example = self.examples.select(self.segment_example, self.model, outputs, **private)
        model = self.model.change(
            self.choose_model, [self.shown, self.model], [*outputs, self.examples], **private
        )  # fmt: skip
        first = demo.load(self.open_page, None, outputs, **private)
        runs = [own, back, example, model, first]
        # Two runs at once would take turns on the canvas, so whatever is started ends what is underway.
        for start, run in (
            (self.pictures.change, own),
            (self.pictures.select, back),
            (self.examples.select, example),
            (self.model.change, model),
        ):
            start(None, cancels=[other for other in runs if other is not run], **quiet)
        self.stop.click(self.stopped, None, [self.status, self.stop], cancels=runs, **quiet)

    def default_model(self) -> str:
        return next(iter(self.library.entries()))

    def model_choices(self, visitor: Path | None = None) -> list[tuple[str, str]]:
        """(shown title, name) of every model that can be chosen now, a visitor's own as `Library.entries` has them."""
        return [(entry.title, entry.name) for entry in self.library.entries(visitor).values()]

    def example_files(self, model: str) -> list[str]:
        """Pictures that suit a model: drawn newts, or everyday photos for the pretrained ones."""
        entry = self.library.entries().get(model)
        everyday = entry is not None and entry.kind == "pretrained"
        return list(map(str, EVERYDAY_EXAMPLES if everyday else sorted(DRAWN_EXAMPLES.glob("*.jpg"))))

    def open_page(self, request: gr.Request, progress: gr.Progress = TRACK_DOWNLOADS) -> Iterator[Updates]:
        """The first example's result, so that the page opens with something to look at."""
        model = self.default_model()
        yield from self.run(self.example_files(model)[:1], model, request)

    def segment_example(
        self, model: str, chosen: gr.SelectData, request: gr.Request, progress: gr.Progress = TRACK_DOWNLOADS
    ) -> Iterator[Updates]:
        name = Path(chosen.value["image"]["path"]).name  # not its place: another model may have other examples
        known = {file.name: str(file) for file in (*DRAWN_EXAMPLES.glob("*.jpg"), *EVERYDAY_EXAMPLES)}
        yield from self.run([known[name]] if name in known else [], model, request)

    def segment_own(
        self,
        pictures: list[tuple[str, str | None]] | None,
        shown: list[str],
        model: str,
        request: gr.Request,
        progress: gr.Progress = TRACK_DOWNLOADS,
    ) -> Iterator[Updates]:
        """Back to the own pictures after an example; nothing where they are on the canvas already."""
        files = [file for file, _ in pictures or []]
        yield from self.run([] if files == shown else files, model, request)

    def choose_model(
        self, shown: list[str], model: str, request: gr.Request, progress: gr.Progress = TRACK_DOWNLOADS
    ) -> Iterator[Updates]:
        """The pictures on the canvas again, and the examples that suit the model."""
        yield {self.examples: self.example_files(model)}
        yield from self.run(shown, model, request)

    def segment(
        self,
        pictures: list[tuple[str, str | None]] | None,
        model: str,
        request: gr.Request,
        progress: gr.Progress = TRACK_DOWNLOADS,
    ) -> Iterator[Updates]:
        """Segment pictures with a model.

        Returns the canvas (photos and exact integer planes), the result files (per picture a palette PNG of class
        ids, an overlay PNG and a JSON with areas), a ZIP of these, and a sentence on how it went.
        """
        yield from self.run([file for file, _ in pictures or []], model, request)

    def stopped(self, request: gr.Request) -> Updates:
        return {self.status: say("stopped", language_of(request)), self.stop: gr.Button(visible=False)}

    def run(self, files: Sequence[str], model: str, request: gr.Request) -> Iterator[Updates]:
        """Segment file after file; all results so far go to the page after each."""
        language = language_of(request)
        if not files:
            yield {self.stop: gr.Button(visible=False)}
            return
        try:
            if len(files) > MAX_PICTURES:
                raise UserError(
                    "{count} pictures are too many at once; the limit is {most}. Take away some of them.",
                    count=len(files), most=MAX_PICTURES,
                )  # fmt: skip
            yield {
                self.status: say("loading", language, model=model),
                self.stop: gr.Button(visible=True),
                self.files: [],  # those of the run before would be taken for this one's
                self.archive: None,
            }
            predictor = self.library.predictor(model)
            captions = Captions(say("threshold", language), say("time", language))
            folder = Path(self.canvas.GRADIO_CACHE)
            for results in segment_files(files, predictor, folder, captions, self.canvas.send):
                yield self._updates(results, list(files), language)
        except UserError as error:
            yield {self.status: explain(error, language), self.stop: gr.Button(visible=False)}
            raise gr.Error(explain(error, language), print_exception=False) from None
        except Exception:
            logging.getLogger(__name__).exception("A prediction failed.")
            yield {self.status: say("failed", language), self.stop: gr.Button(visible=False)}
            raise gr.Error(say("failed", language), print_exception=False) from None
        if not results.pictures:
            raise gr.Error("\n".join(explain(problem, language) for problem in results.problems), print_exception=False)

    def _updates(self, results: Results, files: list[str], language: str) -> Updates:
        sentences = [explain(problem, language) for problem in results.problems]
        if results.done < results.total:
            sentences.insert(0, say("segmenting", language, done=results.done, total=results.total))
        elif results.pictures and results.total > 1:
            sentences.insert(0, say("segmented", language, done=len(results.pictures), total=results.total))
        updates: Updates = {
            self.status: "\n".join(sentences),
            self.stop: gr.Button(visible=results.done < results.total),
        }
        if results.pictures:
            updates |= {self.canvas: results.pictures, self.shown: files, self.read: list(results.read)}
        if results.files:
            updates |= {self.files: list(results.files), self.archive: results.archive}
        return updates
