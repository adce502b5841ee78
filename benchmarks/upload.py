"""From choosing a 1024 x 1024 photo to seeing its overlay, in a real browser, and where the time goes.

`python -m benchmarks.upload [--runs N] [--size PX]`
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from seg_demo.data.procedural import draw_newts
from seg_demo.infer.predictor import Predictor
from seg_demo.ui import results
from seg_demo.ui.canvas import SegmentationCanvas
from seg_demo.ui.page import serve

ROOT = "#canvas .seg-canvas"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def timed(name: str, function: Callable[..., Any], spent: dict[str, list[float]]) -> Callable[..., Any]:
    def call(*arguments: Any, **keywords: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **keywords)
        finally:
            spent[name].append((time.perf_counter() - started) * 1000)

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--size", type=int, default=1024)
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    spent: dict[str, list[float]] = defaultdict(list)
    results.read_image = timed("decode", results.read_image, spent)
    Predictor.__call__ = timed("forward", Predictor.__call__, spent)  # type: ignore[method-assign]
    SegmentationCanvas.send = timed("encode", SegmentationCanvas.send, spent)  # type: ignore[method-assign]
    demo = serve(host="127.0.0.1", block=False)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(demo.local_url)
        page.wait_for_selector(f"{ROOT}[data-state=ready]")
        page.wait_for_timeout(2000)
        spent.clear()
        for run in range(arguments.runs):
            file = Path(folder) / f"photo-{run}.jpg"
            image, _ = draw_newts(300 + run, (arguments.size, arguments.size))
            Image.fromarray(image).save(file, quality=92)
            # The clock runs in the page, from the moment that it holds the file to the frame that shows it.
            page.evaluate(
                """([root, name]) => { window.done = new Promise(done => {
                    document.querySelector('#pictures input[type=file]').addEventListener('change', () => {
                        const started = performance.now();
                        const look = () => document.querySelector(root + ' .sc-name').textContent === name
                            ? requestAnimationFrame(() => done(performance.now() - started))
                            : requestAnimationFrame(look);
                        look();
                    }, {once: true, capture: true});
                }) }""",
                [ROOT, file.name],
            )
            page.set_input_files("#pictures input[type=file]", str(file))
            spent["whole"].append(page.evaluate("window.done"))
            timing = json.loads(page.get_attribute(ROOT, "data-timing") or "{}")
            spent["transfer"].append(timing["fetch_ms"] + timing["inflate_ms"])
            spent["draw"].append(timing["draw_ms"])
            page.wait_for_timeout(1500)
            page.click("#pictures button[aria-label='Clear']")
            page.wait_for_timeout(500)
        browser.close()
    demo.close()
    print(f"{arguments.size} x {arguments.size}, {arguments.runs} uploads, newts-binary, median (range) in ms:")
    medians = {name: statistics.median(values) for name, values in spent.items()}
    for name in ("decode", "forward", "encode", "transfer", "draw", "whole"):
        print(f"  {name:9} {medians[name]:7.0f}  ({min(spent[name]):.0f}-{max(spent[name]):.0f})")
    rest = medians["whole"] - sum(value for name, value in medians.items() if name != "whole")
    print(f"  rest      {rest:7.0f}  (upload, Gradio's queue and events)")


if __name__ == "__main__":
    main()
