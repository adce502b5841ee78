"""The line on top of a tab: what is being done and how far it is, a button that stops it, and what went wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import gradio as gr

from seg_demo.ui.background import Progress, followed
from seg_demo.ui.fragment import Fragment, Node, element
from seg_demo.ui.i18n import text

Updates = dict[gr.blocks.Block, Any]
Result = TypeVar("Result")


class Working(Updates):
    """Updates that tell of work that goes on, and of nothing else."""


class StatusRow:
    """Builds the line; its methods are updates for both of its `parts`."""

    def __init__(self, prefix: str) -> None:
        """prefix: of the ids of its elements in the page."""
        with gr.Row(elem_classes="status-row"):
            self.words = Fragment(elem_id=f"{prefix}-status")
            self.stop = gr.Button(text("stop"), size="sm", variant="stop", visible=False, elem_id=f"{prefix}-stop")

    @property
    def parts(self) -> list[gr.blocks.Block]:
        return [self.words, self.stop]

    def working(self, sentence: str, share: float | None = None) -> Updates:
        """Work that can be stopped. share: how much of it is done, 0 to 1; None where that is not known."""
        value = {} if share is None else {"value": f"{share:.3f}"}
        bar = element("progress", color=None, max="1", aria_label=sentence, **value)
        told: Node = element("p", sentence, role="status", class_="status")
        return Working({self.words: [told, bar], self.stop: gr.Button(visible=True)})

    def done(self, sentence: str = "") -> Updates:
        told = [element("p", sentence, role="status", class_="status good")] if sentence else None
        return {self.words: told, self.stop: gr.Button(visible=False)}

    def problem(self, sentence: str, kind: str = "problem") -> Updates:
        """kind: "problem", or "stopped" for what the visitor wanted."""
        told: Node = element("p", sentence, role="alert", class_=f"status {kind}")
        return {self.words: [told], self.stop: gr.Button(visible=False)}

    def following(
        self, work: Callable[[Progress], Result], sentence: str, stop: threading.Event | None = None
    ) -> Generator[Updates, None, Result]:
        """Do the work in a thread, telling how far it is; returns its result. Ends it as `followed` does."""
        yield self.working(sentence)
        steps = followed(work, stop)
        try:
            while True:
                done, total = next(steps)
                yield self.working(sentence, done / max(1, total))
        except StopIteration as end:
            return end.value
        finally:
            steps.close()
