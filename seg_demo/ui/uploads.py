"""Files that visitors bring: taken as they are, unopened, and only from where Gradio puts uploads.

Gradio checks the path of a file only where it is told to be one: `gr.Image` and `gr.Gallery` take a forged path to any
file of the server. And it decodes pictures before anybody has looked at their size.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder


def uploaded(path: str, cache: str) -> str:
    """`path`, if it lies in the folder of uploads or in a component's `cache`. Raises `gr.Error` where it does not."""
    real = Path(path).resolve()
    if not any(real.is_relative_to(Path(folder).resolve()) for folder in (get_upload_folder(), cache)):
        raise gr.Error("This file was not uploaded here. Bring it again.", print_exception=False)
    return path


class PictureInput(gr.Image):
    """One picture as a file: its header is looked at before anything is decoded."""

    is_template = True  # to the browser it is Gradio's own

    def preprocess(self, payload: Any) -> str | None:
        return uploaded(payload.path, self.GRADIO_CACHE) if payload and payload.path else None


class FileInput(gr.File):
    """One file for programs, where it may be left out."""

    is_template = True

    def preprocess(self, payload: Any) -> str | None:
        return uploaded(payload.path, self.GRADIO_CACHE) if payload and payload.path else None


class PicturesInput(gr.Gallery):
    """Several pictures as files."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        for item in payload.root if payload else ():
            brought = getattr(item, "image", None) or getattr(item, "video", None)
            if brought is None or not brought.path:
                raise gr.Error("This file was not uploaded here. Bring it again.", print_exception=False)
            uploaded(brought.path, self.GRADIO_CACHE)
        return super().preprocess(payload)
