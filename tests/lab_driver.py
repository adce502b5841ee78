"""Drives the laboratory in a real browser and asks it what it holds."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

ROOT = "#lab .seg-lab"
LAB = f"document.querySelector('{ROOT}').segLab"
BOXES = f"""() => {{
    const from = document.querySelector('{ROOT} .lab-panes').getBoundingClientRect();
    return Object.fromEntries([...document.querySelectorAll('{ROOT} [data-pane]')].map((pane) => {{
        const stage = pane.querySelector('.lab-stage'), box = stage.getBoundingClientRect();
        const sides = [box.left - from.left + stage.clientLeft, box.top - from.top + stage.clientTop,
                       stage.clientWidth, stage.clientHeight];
        return [pane.dataset.pane, sides.map((side) => Math.round(side * devicePixelRatio))];
    }}).filter(([, sides]) => sides[2]));
}}"""

READY = f"""async () => {{
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const end = performance.now() + 10_000;
    await frame();
    do await frame(); while (!{LAB}.ready() && performance.now() < end);
    if (!{LAB}.ready()) throw new Error("The laboratory is not ready after 10 s.");
}}"""


class Laboratory:
    """The page as a user meets it, with what it requested and what went wrong."""

    def __init__(self, context: Any, url: str) -> None:
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
        self.sent = 0

    def note(self, line: Any) -> None:
        if "js_on_load" in line.text:  # Gradio catches what the script throws and prints it
            self.errors.append(line.text)

    def send(self, button: str) -> None:
        """Clicks the element `button` and waits until its value has reached the page."""
        self.sent += 1
        self.page.locator(f"#{button}").evaluate("node => node.click()")
        self.page.wait_for_function(f"document.querySelector('#sent input').value === '{self.sent}'")

    def show(self, button: str) -> None:
        """The same, and waits until its picture is drawn and its objects are counted."""
        self.send(button)
        self.ready()

    def ready(self) -> None:
        """Waits until all that was asked for is drawn, and the worker has counted the objects."""
        self.page.evaluate(READY)

    def settle(self) -> None:
        """Waits until what is due has been drawn."""
        frame = "new Promise(done => requestAnimationFrame(done))"
        self.page.evaluate(f"() => {frame}.then(() => {frame})")

    def ask(self, expression: str, given: Any = None) -> Any:
        """Such as `state()`; `given` stands for the second argument."""
        return self.page.evaluate(f"(given) => {LAB}.{expression}", given)

    def at_levels(self, source: str, *names: str) -> np.ndarray:
        """What `source` ("figures" or "dataFigures") says of all 256 levels, (256, names) float64."""
        row = f"(_, level) => {{ const found = {LAB}.{source}(level); return names.map((name) => found[name]); }}"
        rows = self.page.evaluate(f"(names) => Array.from({{ length: 256 }}, {row})", list(names))
        return np.array(rows, np.float64)

    def set(self, **values: float | None) -> None:
        self.ask("set(given)", values)
        self.ready()

    def reset(self) -> None:
        """All but the picture and the data set, in one go."""
        acts = ["grid", "probability", "errors", "fit"]
        self.page.evaluate(
            f"""(acts) => {{
                if (!{LAB}.shown()) return;
                {LAB}.set({{ threshold: 0.5, low: null, smallestObject: 0, smallestHole: 0 }});
                for (const name of acts) document.querySelector(`{ROOT} [data-act=${{name}}]`).click();
            }}""",
            acts,
        )

    def state(self, *names: str) -> Any:
        found = self.ask("state()")
        return found[names[0]] if len(names) == 1 else tuple(found[name] for name in names)

    def act(self, *names: str) -> None:
        for name in names:
            self.root.locator(f"[data-act={name}]").click()
        self.ready()

    def key(self, *keys: str, on: str = "[data-pane=picture] .lab-stage") -> None:
        for key in keys:
            self.root.locator(on).press(key)
        self.ready()

    def enter(self, name: str, words: str) -> None:
        """Types words into the number `name` and presses Enter."""
        number = self.root.locator(f"[data-number={name}]")
        number.select_text()
        self.page.keyboard.press("Delete")
        self.page.keyboard.type(words)
        self.page.keyboard.press("Enter")
        self.ready()

    def number(self, name: str) -> str:
        return self.root.locator(f"[data-number={name}]").input_value()

    def says(self, selector: str) -> str:
        return self.root.locator(selector).text_content().strip()

    def drag(self, selector: str, *shares: float) -> None:
        """Presses at the first share of an element's width, moves to the others, and lets go."""
        box = self.root.locator(selector).bounding_box()
        mouse = self.page.mouse
        for index, share in enumerate(shares):
            mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
            if index == 0:
                mouse.down()
        self.settle()  # so that something is drawn while it is held
        mouse.up()
        self.ready()

    def panes(self) -> dict[str, np.ndarray]:
        """What the screen shows of each pane, (H, W, 3) int, without the mouse's cross."""
        self.page.mouse.move(2, 2)
        self.ready()
        shot = Image.open(io.BytesIO(self.root.locator(".lab-panes").screenshot())).convert("RGB")
        pixels = np.asarray(shot).astype(int)
        found = {}
        for name, (x, y, width, height) in self.page.evaluate(BOXES).items():
            found[name] = pixels[y : y + height, x : x + width]
        return found
