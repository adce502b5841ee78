"""How soon a move of the threshold is on the page: drawn in the browser, and beside it by a server.

`python -m benchmarks.threshold [--json] [--moves N]`

A mouse drags the slider of the Threshold tab in Chromium, at intervals that fall anywhere in a frame, with the
processor as it is and slowed down four times. Each move is timed from its `input` event to the end of the frame that
draws it: a message that the frame's own callback sends arrives once the page is laid out, painted and handed to the
compositor. "from the mouse" begins when the browser got the mouse's movement, and so includes waiting for a frame. The
browser's own times (Event Timing, up to the pixels on the screen, in steps of 8 ms) exist for keys only, so those come
from moving the slider by the arrow keys, each of which is also a step of undo.

Beside it a conventional page: `gr.Slider` and `gr.Image`, and a function in NumPy between them, which thresholds the
same probabilities. It is timed from the same event to the end of the frame after the new image was loaded, and gets its
next move only then; in a drag it would be behind.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import gradio as gr
import numpy as np
from PIL import Image

from benchmarks.markdown import table
from seg_demo.infer.library import Library
from seg_demo.infer.planes import Planes, Prediction
from seg_demo.ui.kept import KeptPictures
from seg_demo.ui.page import CHECKPOINTS, serve

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
MODEL = "newts-binary"
PICTURE = CHECKPOINTS.parent / "examples" / "1_water.jpg"
SIZES = (1024, 2048)
INTERVAL = (0.020, 0.040)  # seconds between two moves of the mouse, at random
KEYS = 40  # presses of an arrow key, for the browser's own times
WANTED = {(1024, 1): 16.7, (1024, 4): 33.0, (2048, 1): 33.0}  # median in ms, by size and slowing
ROOT = "#lab .seg-lab"
LAB_SLIDER, SERVER_SLIDER = f"{ROOT} .lab-slider", "#slider input[type=range]"
SERVER_IMAGE = "#overlay img"

# Notes the moves of a slider: in the laboratory (root) until the frame that draws them, which its own count of frames
# must tell as well, in the conventional page until the frame after its image was loaded.
RECORD = """([slider, root, image]) => {
  const record = window.record = { moves: [], events: [] };
  const channel = new MessageChannel();
  const waiting = [];
  let mouse = null;
  const end = (move) => requestAnimationFrame(() => channel.port2.postMessage(waiting.push(move)));
  channel.port1.onmessage = () => {
    const move = waiting.shift();
    move.end = performance.now();
    move.drawn = !root || Number(document.querySelector(root).dataset.drawn) > move.before;
    record.moves.push(move);
  };
  addEventListener("pointermove", (event) => {
    mouse = event.getCoalescedEvents()[0]?.timeStamp ?? event.timeStamp;
  }, true);
  let last = null;
  document.addEventListener("input", (event) => {
    if (!event.target.matches(slider)) return;
    last = { mouse, event: event.timeStamp, handler: performance.now() };
    if (!root) return;
    last.before = Number(document.querySelector(root).dataset.drawn);
    end(last);
  }, true);
  document.addEventListener("load", (event) => {
    if (!image || !last || !event.target.matches(image)) return;
    end(last);
    last = null;
  }, true);
  new PerformanceObserver((list) => {
    for (const { name, duration } of list.getEntries()) if (name === "keydown") record.events.push(duration);
  }).observe({ type: "event", durationThreshold: 16 });
}"""


@dataclass(frozen=True)
class Timing:
    """Moves of one slider, all times in ms. `presented` is the 95th percentile of the browser's own times, 16 or more;
    None where nearly all were shorter, and for the conventional page."""

    page: str
    size: int
    slowing: int
    moves: int
    median: float
    p95: float
    handler_median: float
    handler_p95: float
    mouse_median: float
    mouse_p95: float
    requests: int
    presented: float | None = None

    @classmethod
    def of(cls, page: str, size: int, slowing: int, moves: list[dict[str, float]], **other: Any) -> Timing:
        figures = {}
        for start, prefix in (("event", ""), ("handler", "handler_"), ("mouse", "mouse_")):
            spent = [move["end"] - move[start] for move in moves]
            figures[f"{prefix}median"] = statistics.median(spent)
            figures[f"{prefix}p95"] = percentile(spent)
        return cls(page, size, slowing, len(moves), **figures, **other)

    @property
    def wanted(self) -> float | None:
        return WANTED.get((self.size, self.slowing)) if not self.page.startswith("server") else None


def percentile(values: list[float], share: float = 0.95) -> float:
    return float(np.quantile(values, share))


class Slider:
    """A slider in a page, moved by the mouse between a fifth and four fifths of its width.

    root: of the laboratory, whose count of frames tells what is drawn. image: of the conventional page.
    """

    def __init__(self, page: Any, slider: str, root: str = "", image: str = "") -> None:
        self.page, self.root = page, root
        self.requests: list[str] = []
        handle = page.locator(slider)
        handle.scroll_into_view_if_needed()
        page.evaluate(RECORD, [slider, root, image])
        self.session = page.context.new_cdp_session(page)
        box = handle.bounding_box()
        self.left, self.right = box["x"] + box["width"] / 5, box["x"] + box["width"] * 4 / 5
        self.x, self.y = (self.left + self.right) / 2, box["y"] + box["height"] / 2
        self.step = box["width"] / 256  # of one level; its sign is where the mouse goes
        self.chance = random.Random(0)
        page.on("request", lambda request: self.requests.append(request.url))

    def slow_down(self, slowing: int) -> None:
        self.session.send("Emulation.setCPUThrottlingRate", {"rate": slowing})

    def moves(self) -> list[dict[str, float]]:
        found: list[dict[str, float]] = self.page.evaluate("record.moves")
        return found

    def down(self) -> None:
        self.page.mouse.move(self.x, self.y)
        self.page.mouse.down()
        self.page.wait_for_timeout(1000 if self.root else 4000)  # the click itself may move it
        self.page.evaluate("record.moves.length = 0")
        self.requests.clear()

    def up(self) -> None:
        self.page.mouse.up()
        self.page.wait_for_timeout(300)

    def move(self) -> None:
        """By a few levels, enough to be another one, forth and back."""
        if not self.left < self.x + 5 * self.step < self.right:
            self.step = -self.step
        self.x += self.step * self.chance.uniform(2, 5)
        self.page.mouse.move(self.x, self.y)

    def drag(self, count: int) -> tuple[list[dict[str, float]], int]:
        """The moves of a drag, and what the page requested in it."""
        self.down()
        missing = count
        for _ in range(5):  # a frame that takes long takes several moves of the mouse together
            for _ in range(missing):
                self.move()
                time.sleep(self.chance.uniform(*INTERVAL))
            self.page.wait_for_timeout(300)
            moves, requests = self.moves(), len(self.requests)
            missing = count - len(moves)
            if missing <= 0:
                break
        self.up()
        drawn = [move for move in moves if move["drawn"]]
        if len(drawn) < max(len(moves), count):
            raise SystemExit(f"Of {count} moves of the slider {len(drawn)} were drawn; the page must be in front.")
        return moves, requests

    def one_by_one(self, count: int) -> tuple[list[dict[str, float]], int]:
        """The moves, each after the one before was shown, and what the page requested."""
        self.down()
        for number in range(count):
            self.move()
            self.page.wait_for_function("count => record.moves.length > count", arg=number)
            time.sleep(self.chance.uniform(*INTERVAL))
        moves, requests = self.moves(), len(self.requests)
        self.up()
        return moves, requests

    def press_keys(self) -> float | None:
        """95th percentile of the browser's own times, or None where it is too short to be told."""
        self.page.evaluate("record.events.length = 0")
        for number in range(KEYS):
            self.page.keyboard.press("ArrowLeft" if number % 2 else "ArrowRight")
            time.sleep(self.chance.uniform(*INTERVAL))
        self.page.wait_for_timeout(500)
        events = self.page.evaluate("record.events")
        times = [0.0] * (KEYS - len(events)) + events  # shorter ones are not told
        return float(np.quantile(times, 0.95, method="higher")) or None


@dataclass(frozen=True)
class Given:
    """A picture that the page keeps, its token without and with a label map ("": none), and its prediction."""

    size: int
    token: str
    labelled: str
    prediction: Prediction


def given(library: Library, size: int, folder: Path) -> Given:
    file, labels = folder / f"{size}.jpg", folder / f"{size}.png"
    with Image.open(PICTURE) as picture:
        picture.convert("RGB").resize((size, size), Image.Resampling.BICUBIC).save(file, quality=92)
    prediction = Planes(library).predict(MODEL, file, 1)
    kept, labelled = KeptPictures(), ""
    if size == SIZES[0]:
        # The mask beside where it is: so there are pixels of every verdict.
        beside = np.roll(prediction.planes[1] >= 128, size // 40, (0, 1))
        Image.fromarray(beside.astype(np.uint8)).save(labels)
        labelled = kept.keep(file, labels).token
    return Given(size, kept.keep(file).token, labelled, prediction)


@contextlib.contextmanager
def opened(browser: Any, address: str, ready: str) -> Iterator[Any]:
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(120_000)  # a slow machine predicts a large picture
        page.goto(address)
        page.wait_for_function(ready)
        page.wait_for_timeout(1500)  # what else the page does when it opens
        yield page


def laboratory(browser: Any, address: str, picture: Given, moves: int) -> Iterator[Timing]:
    """The Threshold tab in each way to look at the picture."""
    ready = f"document.querySelector('{ROOT}[data-state=ready]')?.segLab.figures().objects != null"
    for kind, token, layouts in (
        ("", picture.token, ("side by side", "blended")),
        (", errors", picture.labelled, ("side by side",)),
    ):
        if not token:
            continue
        query = f"?tab=threshold&model={MODEL}&picture={token}"
        with opened(browser, address + query, ready) as page:
            slider = Slider(page, LAB_SLIDER, root=ROOT)
            for layout, slowing in ((layout, slowing) for layout in layouts for slowing in (1, 4)):
                page.click(f"{ROOT} [data-act={'grid' if layout == 'side by side' else 'blend'}]")
                slider.slow_down(slowing)
                found, requests = slider.drag(moves)
                presented = slider.press_keys()
                slider.slow_down(1)
                yield Timing.of(layout + kind, picture.size, slowing, found, requests=requests, presented=presented)


def conventional(prediction: Prediction, image_format: Literal["webp", "jpeg"]) -> gr.Blocks:
    """What a page without a laboratory does: the slider asks, and the server answers with a whole image."""
    image, plane = prediction.image, prediction.planes[1]
    color = np.array(prediction.config.classes.colors[1])
    covered = (0.4 * image + 0.6 * color).astype(np.uint8)

    def overlay(threshold: float) -> np.ndarray:
        return np.where((plane >= threshold * 255)[..., None], covered, image)

    with gr.Blocks() as demo:
        slider = gr.Slider(0, 1, 0.5, step=1 / 255, elem_id="slider")
        shown = gr.Image(overlay(0.5), format=image_format, elem_id="overlay")
        slider.input(overlay, slider, shown, show_progress="hidden")
    return demo


def from_server(browser: Any, picture: Given, image_format: Literal["webp", "jpeg"], moves: int) -> Timing:
    demo = conventional(picture.prediction, image_format)
    _, address, _ = demo.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    try:
        with opened(browser, address, f"document.querySelector('{SERVER_IMAGE}')?.naturalWidth > 0") as page:
            slider = Slider(page, SERVER_SLIDER, image=SERVER_IMAGE)
            found, requests = slider.one_by_one(moves)
        return Timing.of(f"server, {image_format}", picture.size, 1, found, requests=requests)
    finally:
        demo.close(verbose=False)


def report(timings: list[Timing]) -> str:
    rows = []
    for timing in timings:
        wanted = timing.wanted
        reached = "" if wanted is None else f"{wanted:g}: {'yes' if timing.median <= wanted else 'NO'}"
        both = [
            f"{median:.1f} / {p95:.1f}"
            for median, p95 in (
                (timing.median, timing.p95),
                (timing.handler_median, timing.handler_p95),
                (timing.mouse_median, timing.mouse_p95),
            )
        ]
        by_keys = "" if timing.page.startswith("server") else f"{timing.presented:g}" if timing.presented else "< 16"
        rows.append(
            [timing.page, str(timing.size), f"{timing.slowing}x", *both, reached, by_keys,
             f"{timing.requests} in {timing.moves}"]
        )  # fmt: skip
    header = ["slider", "picture", "slower", "from the event", "from the handler", "from the mouse", "median wanted",
              "by keys, p95", "requests in moves"]  # fmt: skip
    lines = [table(header, rows, right=range(1, 9)), "Times are median / 95th percentile in ms."]
    for server in (timing for timing in timings if timing.page.startswith("server")):
        own = next(timing for timing in timings if (timing.page, timing.size) == ("side by side", server.size))
        lines.append(
            f"{server.page}, {server.size} x {server.size}: {server.median / own.median:.0f} times as long as in the "
            f"browser, side by side ({server.median:.0f} ms and {own.median:.1f} ms, medians, both 1x); "
            f"{server.requests / server.moves:.1f} requests a move, {server.moves} moves, one after the other."
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--moves", type=int, default=200, help="moves of each drag (default: 200)")
    parser.add_argument(
        "--server-moves", type=int, default=50, help="moves that the server answers, at 2048 half of them (default: 50)"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    timings: list[Timing] = []
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        os.environ["SEG_DEMO_HOME"] = str(Path(temporary) / "home")
        library = Library(CHECKPOINTS)
        pictures = [given(library, size, Path(temporary)) for size in SIZES]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        with contextlib.redirect_stdout(sys.stderr):  # what Gradio tells
            demo = serve(library, host="127.0.0.1", block=False)
        for picture in pictures:
            timings += laboratory(browser, demo.local_url, picture, arguments.moves)
        demo.close(verbose=False)
        for picture in pictures:
            moves = max(2, arguments.server_moves * SIZES[0] // picture.size)  # a large one takes a second each
            timings += [from_server(browser, picture, kind, moves) for kind in ("webp", "jpeg")]
        version = browser.version
        browser.close()
    where = {"browser": version, "cores": os.cpu_count(), "machine": platform.machine()}
    if arguments.json:
        print(json.dumps({**where, "timings": [asdict(timing) for timing in timings]}, indent=1))
        return
    print(report(timings))
    print(f"Chromium {version} without a GPU, {os.cpu_count()} cores, {platform.machine()}, one device pixel a pixel.")


if __name__ == "__main__":
    main()
