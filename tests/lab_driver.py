"""Drives the laboratory in a real browser and asks it what it holds."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

ROOT = "#lab .seg-lab"
LAB = f"document.querySelector('{ROOT}').segLab"
PARTS = "pixels tp fp fn tn precision recall f1 iou".split()


class Laboratory:
    """The page as a user meets it, with what it requested and what went wrong."""

    def __init__(self, context, url: str) -> None:
        self.page = context.new_page()
        self.page.set_viewport_size({"width": 1200, "height": 1000})
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.note)
        self.page.goto(url, wait_until="commit")
        self.root = self.page.locator(ROOT)
        self.page.wait_for_function(f"document.querySelector('{ROOT}')?.segLab")
        self.requests: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))

    def note(self, line) -> None:
        if "js_on_load" in line.text:  # Gradio catches what the script throws and prints it
            self.errors.append(line.text)

    def show(self, button: str, name: str) -> None:
        """Clicks the element `button` and waits until the picture `name` is there, with its objects counted."""
        self.page.click(f"#{button}")
        self.page.wait_for_function(f"name => {LAB}.shown()?.name === name", arg=name)
        self.counted()

    def counted(self) -> None:
        """Waits until the worker has answered and what is due has been drawn."""
        self.page.wait_for_function(f"() => {LAB}.figures().objects !== null", polling=10)
        self.settle()

    def settle(self) -> None:
        frame = "new Promise(done => requestAnimationFrame(done))"
        self.page.evaluate(f"() => {frame}.then(() => {frame})")

    def ask(self, expression: str, argument=None):
        """Of an expression such as `state()`; `given` in it is the argument."""
        return self.page.evaluate(f"(given) => {LAB}.{expression}", argument)

    def set(self, **values) -> None:
        self.ask("set(given)", values)
        self.settle()

    @property
    def threshold(self) -> float:
        return self.ask("state().threshold")
