"""Somebody in a browser, whose clicks, choices of files and typed fields are counted step by step."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Value = TypeVar("Value")
PATIENCE = 300.0  # seconds for anything but training: the machine may be busy


@dataclass
class Step:
    """clicks, files, fields: what the visitor did; seconds: until the page had answered."""

    name: str
    clicks: int = 0
    files: int = 0
    fields: int = 0
    seconds: float = 0.0


class Visitor:
    """page: of Playwright, opened by `open`. shots: a folder for screenshots, or None.

    steps: what was done. measured: (what, seconds). facts: (what must hold, whether it does, what was seen). results:
    sentences about the model.
    """

    def __init__(self, page: Any, address: str, name: str, shots: Path | None) -> None:
        self.page, self.address, self.name, self.shots = page, address, name, shots
        self.steps: list[Step] = []
        self.measured: list[tuple[str, float]] = []
        self.facts: list[tuple[str, bool, str]] = []
        self.results: list[str] = []
        self.errors: list[str] = []  # of scripts of the page
        page.set_default_timeout(1000 * PATIENCE)
        page.on("pageerror", lambda error: self.errors.append(str(error)[:300]))
        self._shots = 0

    # What a visitor does -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """What is done within counts for the step; a step of the same name goes on."""
        found = next((each for each in self.steps if each.name == name), None)
        step = found or Step(name)
        if found is None:
            self.steps.append(step)
        self._current, begun = step, time.perf_counter()
        yield step
        step.seconds += time.perf_counter() - begun

    def click(self, selector: str) -> None:
        self.page.click(selector)
        self.clicked()

    def clicked(self) -> None:
        """On something that was clicked in another way."""
        self._current.clicks += 1

    def choose(self, selector: str, file: Path) -> None:
        """A file in the system's dialogue, or dropped."""
        self.page.set_input_files(selector, str(file))
        self._current.files += 1

    def type(self, field: str, words: str) -> None:
        """field: the id of a text box."""
        self.page.fill(f"#{field} textarea, #{field} input", words)
        self._current.fields += 1

    def pick(self, picker: str, words: str) -> None:
        """An entry of a dropdown: two clicks."""
        self.click(f"#{picker} input")
        self.click(f"#{picker} [role=option]:has-text('{words}')")

    # What is asked of the page -----------------------------------------------------------------------------

    def open(self) -> None:
        self.page.goto(self.address)
        self.page.wait_for_selector("#model input")

    def offered(self, picker: str) -> list[str]:
        """The entries of a dropdown that is in sight; looking is not counted."""
        self.page.wait_for_timeout(300)
        self.page.click(f"#{picker} input")
        self.page.wait_for_selector(f"#{picker} [role=option]")
        found: list[str] = self.page.locator(f"#{picker} [role=option]").all_inner_texts()
        self.page.keyboard.press("Escape")
        self.page.wait_for_timeout(200)
        return [text.replace("✓", "").strip() for text in found]

    def show(self, tab: str, inside: str = "") -> None:
        """Open a tab of the page, to look; not counted."""
        self.page.click(f"{inside} button[role=tab]:has-text('{tab}')".strip())

    def shot(self, name: str, whole: bool = True) -> None:
        if self.shots:
            self._shots += 1
            self.page.wait_for_timeout(700)  # what moves comes to rest
            path = self.shots / f"{self.name}-{self._shots:02}-{name}.png"
            self.page.screenshot(path=str(path), full_page=whole, animations="disabled")

    def until(
        self, what: str, found: Callable[[], Value | None], patience: float = PATIENCE, every: float = 0.01
    ) -> Value:
        """What `found` returns once that is something, asked every so many seconds; raises where it takes too long."""
        end = time.perf_counter() + patience
        while time.perf_counter() < end:
            if value := found():
                return value
            self.page.wait_for_timeout(1000 * every)  # also lets Playwright take what the browser tells
        self.shot("waited-in-vain")
        raise SystemExit(f"{self.name}: waited in vain: {what}; the page says: {self.said()}")

    def said(self) -> str:
        """The line on top of the Fine-tune tab."""
        return " ".join(self.page.locator("#ft-status").all_inner_texts()).strip()

    # What is kept of it ------------------------------------------------------------------------------------

    def measure(self, what: str, seconds: float) -> None:
        self.measured.append((what, seconds))
        print(f"{self.name}: {what}: {seconds:.2f} s", flush=True)

    def fact(self, what: str, holds: bool, seen: object = "") -> None:
        self.facts.append((what, bool(holds), str(seen)))
        print(f"{self.name}: {'yes' if holds else 'NO '} {what}{f' ({seen})' if str(seen) else ''}", flush=True)
