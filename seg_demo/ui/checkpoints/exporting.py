"""A checkpoint as a file: a network for other runtimes, weights alone, or all of it as a ZIP."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.processing_utils import save_file_to_cache

from seg_demo.errors import UserError
from seg_demo.ui.background import Progress
from seg_demo.ui.browser import DOWNLOAD
from seg_demo.ui.checkpoints import limits
from seg_demo.ui.checkpoints.rows import Held
from seg_demo.ui.i18n import language_of, say, text
from seg_demo.ui.status import Updates

if TYPE_CHECKING:
    from seg_demo.ui.checkpoints.tab import CheckpointsTab

FORMATS = ("zip", "safetensors", "onnx", "torch-export")
SIZED = ("onnx", "torch-export")


class ExportPart:
    """Builds the panel inside the `gr.Blocks` that is being built, and answers its events."""

    def __init__(self, tab: CheckpointsTab) -> None:
        self.tab = tab
        with gr.Column(elem_classes="cp-form"):
            self.format = gr.Radio(
                [(text(f"cp_format_{name.replace('-', '_')}"), name) for name in FORMATS],  # type: ignore[misc]
                value="zip", label=text("cp_format"), elem_id="cp-format",
            )  # fmt: skip
            with gr.Row(visible=False) as self.size:
                self.width = gr.Number(288, label=text("cp_width"), precision=0, minimum=1, elem_id="cp-width")
                self.height = gr.Number(288, label=text("cp_height"), precision=0, minimum=1, elem_id="cp-height")
            self.go = gr.Button(text("cp_export_it"), variant="primary", elem_id="cp-export")
            self.file = gr.File(show_label=False, interactive=False, visible="hidden", elem_id="cp-file")

    @property
    def of_choice(self) -> list[Any]:
        return [self.width, self.height]

    def choice_is(self, one: Held | None) -> Updates:
        if one is None:
            return {}
        from seg_demo.checkpoint.export import default_size

        try:
            height, width = default_size(one.config())
        except UserError:
            return {}
        return {self.width: width, self.height: height}

    def wire(self, seen: list[Any], quiet: dict[str, Any]) -> list[Any]:
        """Returns what Stop ends."""
        self.format.change(lambda name: gr.Row(visible=name in SIZED), self.format, self.size, **quiet)
        made = self.go.click(
            self.export, [self.tab.chosen, self.format, self.width, self.height], [*self.tab.status.parts, self.file],
            concurrency_id="cp-export", concurrency_limit=2, **quiet,
        )  # fmt: skip
        made.then(None, self.file, None, js=DOWNLOAD, **quiet)
        return [made]

    def export(
        self, chosen: str, format: str, width: float | None, height: float | None, request: gr.Request
    ) -> Iterator[Updates]:
        """Write the file; the browser downloads it."""
        language = language_of(request)
        yield {self.file: None}
        try:
            one = self.tab.one(chosen, request)
            if format not in FORMATS:
                raise UserError("This is no format that a checkpoint can be exported to. Choose one of the list.")
            size = self._size(height, width) if format in SIZED else None
            path = yield from self.tab.status.following(
                lambda progress: self._made(one, format, size, progress), say("cp_exporting", language)
            )
            yield {self.file: path, **self.tab.status.done(say("cp_exported", language, file=Path(path).name))}
        except UserError as error:
            yield self.tab.problem(error, request)
        except Exception:
            yield self.tab.failed(request, "A checkpoint could not be exported.")

    def _size(self, height: float | None, width: float | None) -> tuple[int, int]:
        if not height or not width:
            raise UserError("Say how many pixels wide and high the pictures are that the network takes.")
        size = int(height), int(width)
        if self.tab.visitors.public:
            limits.check_side(*size)
        return size

    def _made(self, one: Held, format: str, size: tuple[int, int] | None, progress: Progress) -> str:
        """A file in Gradio's cache, which serves it and deletes it after a while."""
        from seg_demo.checkpoint.export import FORMATS as known
        from seg_demo.checkpoint.export import export_checkpoint

        with tempfile.TemporaryDirectory(prefix="seg_demo-export-") as folder:
            out = Path(folder) / f"{one.folder.name}{known[format].suffix}"
            return save_file_to_cache(
                export_checkpoint(one.folder, format, out, size, progress), self.file.GRADIO_CACHE
            )
