"""The shelf as a Gradio component: a static page fragment that lists checkpoints, here and on the Hub side by side."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Literal

from gradio.data_classes import GradioModel
from pydantic import Field

from seg_demo.ui.canvas.component import SHARED_SCRIPTS
from seg_demo.ui.component import BrowserComponent

HERE = Path(__file__).parent
# One noun a file; each may use those before it. Of the shared ones, those of texts and nodes.
NAMES = "amounts icons row keys shelf handle".split()
SCRIPTS = [*SHARED_SCRIPTS[:2], *(HERE / f"{name}.js" for name in NAMES)]

Kind = Literal["bundled", "own", "foreign", "remote"]
# "unasked": what the Hub has is not known yet.
State = Literal[
    "unasked", "local only", "remote only", "equal", "local newer", "remote newer", "diverged", "unknown",
]  # fmt: skip
Asked = Literal["unasked", "asking", "asked", "failed", "stopped"]

_numbers = itertools.count(1)


class ShelfClass(GradioModel):
    """A class: its name, and its colour as [r, g, b]."""

    name: str
    color: list[int]


class ShelfRow(GradioModel):
    """One checkpoint.

    key: names it in events. classes: the first few of `class_count`. iou: mean IoU, 0 to 1, on the split `measured`.
    bytes: of all its files here. written, pushed: seconds since 1970. problem: why it cannot be used, in the visitor's
    language. repo, url, private, pushed: of what the Hub has, "" or None where that is nothing.
    """

    key: str
    name: str
    kind: Kind
    classes: list[ShelfClass] = Field(default_factory=list)
    class_count: int = 0
    iou: float | None = None
    measured: str = ""
    bytes: int | None = None
    written: float | None = None
    problem: str = ""
    repo: str = ""
    url: str = ""
    private: bool | None = None
    pushed: float | None = None
    state: State = "unasked"


class ShelfValue(GradioModel):
    """All that is listed.

    asked: whether the Hub was asked; sentence: why it could not be, in the visitor's language. chosen: the key of the
    row that is chosen from now on, None: as the visitor has it. ask: the list is to ask at once, by its event. number:
    sets apart two values that are alike, because the browser is told only of what is new.
    """

    rows: list[ShelfRow]
    asked: Asked = "unasked"
    sentence: str = ""
    chosen: str | None = None
    ask: bool = False
    number: int = 0


class Shelf(BrowserComponent):
    """Lists checkpoints; one of them is chosen by mouse, touch or keyboard.

    Takes a `ShelfValue` or None (nothing yet) as an event's output. Events: "choose", whose data have the "key" of the
    row; "ask" and "leave": the Hub is to be asked again, or no longer.

    >>> import gradio as gr
    >>> with gr.Blocks() as demo:
    ...     shelf = Shelf()
    """

    data_model = ShelfValue

    def __init__(self, value: ShelfValue | None = None, **kwargs: Any) -> None:
        """kwargs: as for `gr.HTML` (elem_id, visible, scale, ...)."""
        super().__init__(value, HERE, "shelf", SCRIPTS, **kwargs)

    def postprocess(self, value: ShelfValue | None) -> ShelfValue | None:  # type: ignore[override]
        """Parameters: value: what to list, or None."""
        return value and value.model_copy(update={"number": next(_numbers)})
