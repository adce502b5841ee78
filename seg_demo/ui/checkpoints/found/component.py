"""Search results as a Gradio component: a static page fragment that lists repositories of the Hub."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from gradio.data_classes import GradioModel

from seg_demo.ui.canvas.component import SHARED_SCRIPTS
from seg_demo.ui.component import BrowserComponent

HERE = Path(__file__).parent
SCRIPTS = [*SHARED_SCRIPTS[:2], HERE / "found.js"]

_numbers = itertools.count(1)


class FoundRow(GradioModel):
    """One repository. repo: OWNER/NAME. layout: of its files, in the visitor's language. own: the visitor's."""

    repo: str
    layout: str
    downloads: int
    likes: int
    private: bool
    own: bool


class FoundValue(GradioModel):
    """What was found. sentence: what is said where that is nothing. number: sets apart two values that are alike."""

    rows: list[FoundRow]
    sentence: str = ""
    number: int = 0


class FoundList(BrowserComponent):
    """Lists repositories; a click on one, or Enter, is the event "take", whose data have its "repo".

    >>> import gradio as gr
    >>> with gr.Blocks() as demo:
    ...     found = FoundList()
    """

    data_model = FoundValue

    def __init__(self, value: FoundValue | None = None, **kwargs: Any) -> None:
        """kwargs: as for `gr.HTML` (elem_id, visible, scale, ...)."""
        super().__init__(value, HERE, "found", SCRIPTS, **kwargs)

    def postprocess(self, value: FoundValue | None) -> FoundValue | None:  # type: ignore[override]
        """Parameters: value: what to list, or None for nothing at all."""
        return value and value.model_copy(update={"number": next(_numbers)})
