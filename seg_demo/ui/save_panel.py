"""What the Threshold tab saves: files, a link, the threshold of the checkpoint."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder

from seg_demo.errors import UserError
from seg_demo.infer.binarisation import Binarisation
from seg_demo.infer.planes import Planes
from seg_demo.ui.browser import COPY_LINK, DOWNLOAD, STATE_OF_LAB, replacing
from seg_demo.ui.i18n import explain, language_of, say, text
from seg_demo.ui.kept import KeptPictures
from seg_demo.ui.lab import LabValue
from seg_demo.ui.looking import Look, state_of, there
from seg_demo.ui.saving import FORMATS, Order, saved, write_threshold
from seg_demo.ui.status import StatusRow, Updates
from seg_demo.viz.figure import Captions


class SavePanel:
    """Builds the panel inside the `gr.Blocks` that is being built; `wire` makes it answer."""

    def __init__(self, status: StatusRow) -> None:
        self.status = status
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

    @property
    def parts(self) -> list[gr.blocks.Block]:
        """What changes when another picture is looked at."""
        return [self.write, self.address]

    def fresh(self, writable: bool) -> Updates:
        """For another picture. writable: whether its checkpoint is the visitor's own and has a threshold."""
        return {self.write: gr.Button(interactive=writable), self.address: gr.Textbox(visible=False)}

    def wire(
        self, planes: Planes, kept: KeptPictures, show: Callable[..., Iterator[Updates]], held: list[Any],
        shown: list[Any],
    ) -> None:  # fmt: skip
        """show: looks at a picture, as `ThresholdTab.show` does, and updates what is `shown`.

        held: the states of the look and of the laboratory's value.
        """
        self.planes, self.kept, self.show = planes, kept, show
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        state, look, told = gr.Textbox(visible=False), held[0], self.status.words
        for name, button in self.savers.items():
            read = replacing(2, _0=STATE_OF_LAB)
            made = button.click(self.saver(name), [state, look], [self.file, told], js=read, **quiet)
            made.success(None, self.file, js=DOWNLOAD, **quiet)
        link = replacing(2, _0=COPY_LINK)
        self.share.click(self.keep_link, [state, look], [self.address, told], js=link, **quiet)
        self.write.click(self.write_threshold, [state, *held], shown, js=replacing(3, _0=STATE_OF_LAB), **quiet)

    def saver(self, name: str) -> Callable[..., Updates]:
        """What answers the button of a format; Gradio counts arguments, and those of a partial it counts wrong."""

        def save(state: str, look: Look | None, request: gr.Request) -> Updates:
            return self.save(name, state, look, request)

        return save

    def save(self, name: str, state: str, look: Look | None, request: gr.Request) -> Updates:
        """Write one file of what is shown; the browser downloads it."""
        language = language_of(request)
        try:
            order = Order(there(look), binarisation_of(state), captions(language))
            with tempfile.TemporaryDirectory() as folder:
                return {self.file: cached(saved(name, order, self.planes, Path(folder))), self.status.words: None}
        except UserError as error:
            problem = explain(error, language)
        except Exception:
            logging.getLogger(__name__).exception("A file of the Threshold tab could not be made.")
            problem = say("failed", language)
        return {self.file: None, **self.told(problem)}

    def keep_link(self, address: str, look: Look | None, request: gr.Request) -> Updates:
        """Keep the picture for longer, because its link was asked for."""
        language = language_of(request)
        try:
            link = there(look).link
            if not link:
                raise UserError(
                    "This picture is not kept here, as it is too large or the disk is full, so there is no link. "
                    "Save the files."
                )
            if "picture" in link:
                self.kept.link(link["picture"])
            return {self.address: gr.Textbox(value=address, visible=True), self.status.words: None}
        except UserError as error:
            return {self.address: gr.Textbox(visible=False), **self.told(explain(error, language))}

    def write_threshold(
        self, state: str, look: Look | None, value: LabValue | None, request: gr.Request
    ) -> Iterator[Updates]:
        """Make the threshold that of the checkpoint, for every later prediction."""
        language = language_of(request)
        try:
            looked = there(look)
            threshold = binarisation_of(state).threshold
            before = write_threshold(self.planes.library, looked.model, threshold)
            done = say(
                "th_written", language, threshold=f"{threshold:g}", model=looked.model, before=f"{before.threshold:g}"
            )
            if before.metrics:
                done += " " + say("th_written_metrics", language)
            yield from self.show(lambda: looked, look, value, request, done=done)
        except UserError as error:
            yield self.status.problem(explain(error, language))
        except Exception:
            logging.getLogger(__name__).exception("A threshold could not be written.")
            yield self.status.problem(say("failed", language))

    def told(self, problem: str) -> Updates:
        """What went wrong beside work that may be underway, whose button to stop it stays."""
        return {self.status.words: self.status.problem(problem)[self.status.words]}


def binarisation_of(state: str) -> Binarisation:
    """What the laboratory tells of itself. Raises `UserError` for what it would never tell."""
    try:
        fields = json.loads(state or "null")
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise UserError("There is no picture here any more. Bring one first.")
    return state_of(fields)


def captions(language: str) -> Captions:
    return Captions(**{name: say(f"fig_{name}", language) for name in Captions.__dataclass_fields__})


def cached(file: Path) -> str:
    """A copy in Gradio's cache, which serves it and deletes it after a while."""
    return save_file_to_cache(file, cache_dir=get_upload_folder())
