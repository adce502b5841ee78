"""Labelling in the page: pictures are painted one after another, by hand or from what a model predicts."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from seg_demo.data.class_file import class_lines
from seg_demo.data.desk import Desk
from seg_demo.data.desk_files import pictures_in
from seg_demo.errors import UserError
from seg_demo.infer.library import Library
from seg_demo.ui.background import Progress
from seg_demo.ui.brush import LabelPainter, LabelWork, read_saved
from seg_demo.ui.finetune.bench import Bench, bring, new_home, still_there, typed_classes, written
from seg_demo.ui.finetune.drafts import draft
from seg_demo.ui.i18n import explain, language_of, say, text
from seg_demo.ui.results import TURN
from seg_demo.ui.segment import PICTURES, ModelPicker
from seg_demo.ui.status import StatusRow, Updates
from seg_demo.ui.visitors import Visitors

FIRST_CLASSES = "background #000000\nobject #e6194b"
LABELLED, WAITS = "✓", "·"


class LabelPart:
    """Builds the step inside the `gr.Blocks` that is being built, and answers its events."""

    def __init__(self, visitors: Visitors, library: Library, status: StatusRow) -> None:
        self.visitors, self.library, self.status = visitors, library, status
        models = [(entry.title, entry.name) for entry in library.entries().values()]
        with gr.Row(elem_classes="finetune-tab"):
            with gr.Column(scale=1, min_width=280):
                self.files = gr.File(
                    label=text("label_files"), file_count="multiple", file_types=PICTURES, height=130,
                    elem_id="ft-label-files",
                )  # fmt: skip
                self.take = gr.Button(text("label_current"), size="sm", elem_id="ft-label-current")
                self.picture = ModelPicker([], label=text("picture"), elem_id="ft-label-picture")
                self.away = gr.Button(text("take_away"), size="sm", visible=False, elem_id="ft-label-away")
                self.model = ModelPicker(
                    models, value=models[0][1], label=text("draft_model"), info=text("draft_info"),
                    elem_id="ft-label-model",
                )  # fmt: skip
                with gr.Accordion(text("edit_classes"), open=False, elem_id="ft-label-edit"):
                    self.names = gr.Textbox(
                        FIRST_CLASSES, label=text("class_names"), info=text("edit_classes_info"), lines=4, max_lines=16,
                        elem_id="ft-label-names",
                    )  # fmt: skip
                    self.rename = gr.Button(text("use_names"), size="sm", elem_id="ft-label-rename")
                self.done = gr.Button(text("use_labels"), variant="primary", elem_id="ft-use-labels")
                self.clear = gr.Button(text("clear_desk"), size="sm", visible=False, elem_id="ft-clear-desk")
            with gr.Column(scale=3, min_width=320):
                self.painter = LabelPainter(elem_id="ft-painter")
        self.armed = gr.State("")  # the picture that is taken away by another click

    def wire(self, tab: gr.Tab, bench: gr.State) -> None:
        """tab: that this is in. bench: the data set of the first step."""
        parts: list[Any] = [*self.status.parts, self.painter, self.picture, self.names, self.files, self.clear]
        parts += [self.away, self.armed]
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        self.files.upload(self.bring, [self.files, self.names], parts, **quiet)
        taken = self.take.click(self.take_bench, bench, parts, concurrency_id="check", **quiet)
        self.status.stop.click(None, None, None, cancels=[taken], **quiet)
        self.picture.select(self.open, self.picture, parts, **quiet)
        tab.select(self.open, self.picture, parts, **quiet)
        self.away.click(self.take_away, [self.picture, self.armed], parts, **quiet)
        self.rename.click(self.use_names, [self.names, self.picture], parts, **quiet)
        self.clear.click(self.clear_desk, None, parts, **quiet)
        self.painter.save(self.save, None, parts, **quiet)
        self.painter.next(self.go_next, None, parts, **quiet)
        self.painter.previous(self.go_back, None, parts, **quiet)
        self.painter.draft(self.predict, self.model, parts, concurrency_id="predict", **quiet)

    # What is on the desk ---------------------------------------------------------------------------------

    def desk(self, request: gr.Request) -> Desk:
        """The visitor's. Raises `UserError` where there is none yet."""
        folder = self.visitors.of(request).desk
        if not folder.is_dir():
            raise UserError("There are no pictures to label yet. Bring some, or take those of step 1.")
        return Desk.open(folder)

    def bring(self, files: list[str] | None, names: str | None, request: gr.Request) -> Updates:
        """Pictures without label maps, besides those that are on the desk."""

        def work() -> Updates:
            folder = self.visitors.of(request).desk
            if not folder.is_dir():
                folder.parent.mkdir(parents=True, exist_ok=True)
                Desk.begin(folder, typed_classes(names or FIRST_CLASSES))
            desk = Desk.open(folder)
            came = desk.bring([Path(file) for file in files or ()])
            shown = {self.files: None} | self.shown(desk, next(iter((*came.taken, *came.known)), None), request)
            if came.refused:
                return shown | self.status.problem(explain(came.refused[0], language_of(request)))
            return shown | self.status.done()

        return self._told(work, request)

    def take_bench(self, bench: Bench | None, request: gr.Request) -> Iterator[Updates]:
        """The pictures of the first step with their label maps, to be corrected."""
        language, folder = language_of(request), self.visitors.of(request).desk
        try:
            brought = still_there(bench)
            if folder.is_dir() and (
                count := sum(picture.label is not None for picture in Desk.open(folder).pictures())
            ):
                raise UserError(
                    "There are {count} labelled pictures here already. Use them, or clear them away first.", count=count
                )
            folder.parent.mkdir(parents=True, exist_ok=True)

            def work(progress: Progress) -> Desk:
                with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".taken-") as place:
                    labelled = written(brought, Path(place) / "set", progress)
                    made = Desk.begin(Path(place) / "desk", brought.shown.report.classes, labelled)
                    made.bring(pictures_in(folder / "waiting"))  # they still wait
                    shutil.rmtree(folder, ignore_errors=True)
                    made.folder.rename(folder)
                    return Desk.open(folder)

            desk = yield from self.status.following(work, say("preparing", language))
            yield self.shown(desk, None, request) | self.status.done()
        except UserError as error:
            yield self.status.problem(explain(error, language))
        except Exception:
            logging.getLogger(__name__).exception("The desk could not be filled.")
            yield self.status.problem(say("check_failed", language))

    def open(self, name: str | None, request: gr.Request) -> Updates:
        """A picture by its name; the first one that waits where there is no such."""
        folder = self.visitors.of(request).desk
        if not folder.is_dir():
            there = _aside(folder).is_dir()
            return {
                self.painter: None, self.picture: gr.Dropdown(choices=[], value=None),
                self.clear: gr.Button(say("bring_back", language_of(request)), visible=there),
                self.away: gr.Button(visible=False),
            }  # fmt: skip
        return self._told(lambda: self.shown(self.desk(request), name, request), request)

    def use_names(self, names: str | None, name: str | None, request: gr.Request) -> Updates:
        """Other names and colours for the classes, or more of them."""
        return self._told(
            lambda: (
                self.shown(self.desk(request).with_classes(typed_classes(names or "")), name, request)
                | self.status.done()
            ),
            request,
        )

    def take_away(self, name: str | None, armed: str, request: gr.Request) -> Updates:
        """Remove a picture and its label map, when asked for twice."""
        if not name or armed != name:
            words = say("really_discard", language_of(request))
            return {self.away: gr.Button(words, variant="stop"), self.armed: name or ""}

        def work() -> Updates:
            desk = self.desk(request)
            after = beside(desk, name, 1)
            desk.remove(name)
            return self.shown(desk, after, request) | self.status.done()

        return self._told(work, request)

    def clear_desk(self, request: gr.Request) -> Updates:
        """Put everything aside; once more brings it back, as long as nothing new was begun."""

        def work() -> Updates:
            folder = self.visitors.of(request).desk
            aside = _aside(folder)
            if not folder.is_dir() and aside.is_dir():
                aside.rename(folder)
            elif folder.is_dir():
                shutil.rmtree(aside, ignore_errors=True)
                folder.rename(aside)
            return self.open(None, request) | self.status.done()

        return self._told(work, request)

    def labelled(self, request: gr.Request) -> Callable[[Progress], Bench]:
        """Makes the labelled pictures a data set in a home of its own."""
        desk, home = self.desk(request), new_home(self.visitors.of(request).brought)

        def work(progress: Progress) -> Bench:
            try:
                if not any(picture.label for picture in desk.pictures()):
                    raise UserError("No picture is labelled yet. Paint one and save it.")
                out = home / "labelled"
                shutil.copytree(desk.labelled, out, copy_function=_link)
                return bring([out], home, "", "", progress)
            except BaseException:
                shutil.rmtree(home, ignore_errors=True)
                raise

        return work

    # Painting --------------------------------------------------------------------------------------------

    def save(self, request: gr.Request, event: gr.EventData) -> Updates:
        """Keep a label map that was painted, and go where the visitor wants to be."""
        data = _data(event)

        def work() -> Updates:
            desk, name = self.desk(request), str(data.get("name"))
            image, _ = desk.read(name)
            desk.save(name, read_saved(data, image.shape[:2], len(desk.classes)))
            steps = {"next": 1, "previous": -1}.get(str(data.get("go")), 0)
            return self.shown(desk, beside(desk, name, steps), request) | self.status.done()

        return self._told(work, request)

    def go_next(self, request: gr.Request, event: gr.EventData) -> Updates:
        return self._walk(event, 1, request)

    def go_back(self, request: gr.Request, event: gr.EventData) -> Updates:
        return self._walk(event, -1, request)

    def _walk(self, event: gr.EventData, steps: int, request: gr.Request) -> Updates:
        name = str(_data(event).get("name"))

        def work() -> Updates:
            desk = self.desk(request)
            return self.shown(desk, beside(desk, name, steps), request)

        return self._told(work, request)

    def predict(self, model: str, request: gr.Request, event: gr.EventData) -> Updates:
        """The same picture with what a model sees in it."""
        name = str(_data(event).get("name"))

        def work() -> Updates:
            desk = self.desk(request)
            predictor = self.library.predictor(model)
            with TURN:
                return self.shown(desk, name, request, lambda image: draft(predictor, image, desk.classes))

        return self._told(work, request)

    # What is shown ---------------------------------------------------------------------------------------

    def shown(
        self, desk: Desk, name: str | None, request: gr.Request, drawn: Callable[[Any], Any] | None = None
    ) -> Updates:
        """A picture of the desk; the first one that waits where `name` is none of them."""
        pictures = desk.pictures()
        names = [picture.name for picture in pictures]
        if name not in names:
            name = next((picture.name for picture in pictures if picture.label is None), names[0] if names else None)
        choices = [(f"{LABELLED if picture.label else WAITS} {picture.name}", picture.name) for picture in pictures]
        updates: Updates = {
            self.clear: gr.Button(say("clear_desk", language_of(request)), visible=True),
            self.away: gr.Button(say("take_away", language_of(request)), variant="secondary", visible=bool(names)),
            self.armed: "",
            self.picture: gr.Dropdown(choices=choices, value=name),  # type: ignore[arg-type]
            self.names: class_lines(desk.classes),
        }
        if name is None:
            return updates | {self.painter: None}
        image, label_map = desk.read(name)
        work = LabelWork(
            name, image, desk.classes, label_map, drawn(image) if drawn else None, can_draft=True,
            key=_key(desk.folder, name), place=(names.index(name) + 1, len(names)),
        )  # fmt: skip
        return updates | {self.painter: work}

    def _told(self, work: Callable[[], Updates], request: gr.Request) -> Updates:
        language = language_of(request)
        try:
            return work()
        except UserError as error:
            return self.status.problem(explain(error, language))
        except Exception:
            logging.getLogger(__name__).exception("Labelling failed.")
            return self.status.problem(say("check_failed", language))


def beside(desk: Desk, name: str, steps: int) -> str | None:
    """The name of the picture so many steps after `name`; the last or first one where there are no more, if any."""
    names = [picture.name for picture in desk.pictures()]
    place = names.index(name) + steps if name in names else 0
    return names[max(0, min(place, len(names) - 1))] if names else None


def _aside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-cleared")


def _key(folder: Path, name: str) -> str:
    return hashlib.sha256(os.fsencode(folder / name)).hexdigest()[:32]


def _data(event: gr.EventData) -> dict[str, Any]:
    data = event._data
    return data if isinstance(data, dict) else {}


def _link(source: str, target: str) -> None:
    """The desk replaces its files and never writes into them, so a link keeps what was there."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
