"""Drives the canvas in a real browser and asks it what it holds."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

ROOT = "#canvas .seg-canvas"


class Canvas:
    """The page as a user meets it, with what it requested and what went wrong."""

    def __init__(self, context, url: str) -> None:
        self.page = context.new_page()
        self.page.set_viewport_size({"width": 1200, "height": 900})
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.note)
        self.page.goto(url, wait_until="commit")
        self.root = self.page.locator(ROOT)
        self.stage = self.page.locator(f"{ROOT} .sc-stage")
        self.page.wait_for_function(f"document.querySelector('{ROOT}')?.segCanvas")
        self.requests: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))

    def note(self, line) -> None:
        if "js_on_load" in line.text:  # Gradio catches what the script throws and prints it
            self.errors.append(line.text)

    def show(self, button: str, name: str) -> None:
        """Clicks the element `button` and waits until the picture `name` is drawn."""
        self.page.click(f"#{button}")
        self.wait_name(name)

    def wait_name(self, name: str) -> None:
        shown = f"document.querySelector('{ROOT} .sc-name').textContent"
        self.page.wait_for_function(f"name => {shown} === name", arg=name)
        self.settle()

    def settle(self) -> None:
        """Waits until what is due has been drawn."""
        frame = "new Promise(done => requestAnimationFrame(done))"
        self.page.evaluate(f"() => {frame}.then(() => {frame})")

    def ask(self, expression: str):
        return self.page.evaluate(f"document.querySelector('{ROOT}').segCanvas.{expression}")

    def counts(self) -> dict[int, int]:
        return {int(id): pixels for id, pixels in self.ask("counts()").items()}

    def pixels(self) -> np.ndarray:
        """Screenshot of the stage: (H, W, 3) int."""
        self.page.wait_for_timeout(50)
        return np.asarray(Image.open(io.BytesIO(self.stage.screenshot())).convert("RGB")).astype(int)

    def key(self, key: str) -> None:
        self.stage.press(key)
        self.settle()
