"""A button that brings a whole folder, with the names of the folders in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from seg_demo.ui.i18n import LANGUAGES, TEXTS

TEMPLATE = (
    '<div class="folder-picker"><button type="button" class="sm secondary"></button>'
    '<input type="file" webkitdirectory multiple hidden><p role="status"></p></div>'
)
WORDS = ("choose_folder", "folder_empty", "folder_failed")


class FolderPicker(gr.HTML):
    """Its value is the path of a ZIP of the folder that was chosen last; listen to `upload`."""

    data_model = FileData

    def __init__(self, **kwargs: Any) -> None:
        """kwargs: as for `gr.HTML` (elem_id, visible, ...)."""
        words = {language: {word: TEXTS[language][word] for word in WORDS} for language in LANGUAGES}
        script = Path(__file__).with_suffix(".js").read_text("utf-8")
        super().__init__(
            None, html_template=TEMPLATE, apply_default_css=False,
            js_on_load=f"const TEXTS = {json.dumps(words, ensure_ascii=False)};\n{script}", **kwargs,
        )  # fmt: skip

    def preprocess(self, payload: FileData | None) -> str | None:  # type: ignore[override]
        """The path, if it is one that was uploaded: the browser names it, and could name any."""
        if payload is None or not Path(payload.path).resolve().is_relative_to(Path(self.GRADIO_CACHE).resolve()):
            return None
        return payload.path

    def postprocess(self, value: None) -> None:  # type: ignore[override]
        """Nothing is ever shown."""

    def api_info(self) -> dict[str, Any]:
        return FileData.model_json_schema()
