"""Makes the README's pictures of the page: `python docs/screenshots.py` (needs Chromium and the dev extras)."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

from hub_server import HubServer  # noqa: E402 - found through the line above
from hub_server.client import use as use_hub  # noqa: E402

from seg_demo.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from seg_demo.hub.account import Account  # noqa: E402
from seg_demo.hub.push import push  # noqa: E402
from seg_demo.infer.library import Library  # noqa: E402
from seg_demo.jobs.workspace import Workspaces  # noqa: E402
from seg_demo.ui.page import serve  # noqa: E402

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SHOTS: tuple[dict[str, Any], ...] = (
    {"name": "page-light", "size": (1440, 860), "theme": "light", "locale": "en-US", "example": 0},
    {"name": "page-dark-ja", "size": (1440, 860), "theme": "dark", "locale": "ja-JP", "example": 1},
    {"name": "phone-zh", "size": (390, 844), "theme": "light", "locale": "zh-CN", "example": 0},
)


def opened(browser: Any, shot: dict[str, Any]) -> tuple[Any, Any]:
    """A fresh browser context of the shot's size and language, and a page in it."""
    width, height = shot["size"]
    viewport = {"width": width, "height": height}
    context = browser.new_context(viewport=viewport, locale=shot["locale"], has_touch=width < 600)
    return context, context.new_page()


def save(page: Any, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.save(HERE / "images" / f"{name}.jpg", quality=88)


def shoot(browser: Any, url: str, shot: dict[str, Any]) -> None:
    width, _ = shot["size"]
    context, page = opened(browser, shot)
    page.goto(f"{url}?__theme={shot['theme']}")
    page.wait_for_selector("#canvas [data-state=ready]")
    page.wait_for_timeout(1500)
    if shot["example"]:
        page.locator("#examples button.thumbnail-item").nth(shot["example"]).click()
        page.wait_for_timeout(3000)
        page.click("[data-act=outline]")
    elif width > 600:
        stage = page.locator(".sc-stage").bounding_box()
        page.mouse.move(stage["x"] + 0.40 * stage["width"], stage["y"] + 0.45 * stage["height"])
    page.wait_for_timeout(500)
    save(page, shot["name"])
    context.close()


def with_mistakes(folder: Path) -> list[Path]:
    """The drawn example as cat.jpg + cat_mask.png, with a stray value, a small label map and one that is missing."""
    files = []
    for number, label in enumerate(sorted((HERE.parent / "examples" / "newts" / "masks").glob("*.png"))):
        files.append(shutil.copy(label.parents[1] / "images" / f"{label.stem}.jpg", folder))
        mask: Image.Image = Image.open(label)
        if number == 5:
            mask = mask.resize((mask.width // 2, mask.height // 2), Image.Resampling.NEAREST)
        if number == 7:
            ids, palette = np.array(mask), mask.getpalette()
            ids[40:44, 60:66] = 99
            mask = Image.fromarray(ids, mode="P")
            mask.putpalette(palette or [])
        if number != 3:
            files.append(folder / f"{label.stem}_mask.png")
            mask.save(files[-1])
    (folder / "classes.txt").write_text("background\nakahara\nmadara\n")
    return [*map(Path, files), folder / "classes.txt"]


def shoot_finetune(browser: Any, url: str) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 860}, locale="en-US")
    page.goto(f"{url}?__theme=light")
    page.get_by_role("tab", name="Fine-tune").click()
    with tempfile.TemporaryDirectory() as folder:
        page.set_input_files("#ft-files input[type=file]", list(map(str, with_mistakes(Path(folder)))))
        page.wait_for_selector("#ft-gallery img")
        page.wait_for_selector("#ft-stop", state="detached")
    page.wait_for_timeout(1500)
    save(page, "finetune-light")
    page.close()


THRESHOLD_SHOTS: tuple[dict[str, Any], ...] = (
    {"name": "threshold-light", "size": (1440, 1180), "theme": "light", "locale": "en-US", "labels": True,
     "link": {"example": "2_leaf_litter.jpg", "model": "newts-binary", "t": "0.5"}},
    {"name": "threshold-dark-ja", "size": (1440, 1000), "theme": "dark", "locale": "ja-JP", "uncertain": True,
     "link": {"example": "5_bark.jpg", "model": "newts-species", "class": "madara", "t": "0.4", "low": "0.15"}},
    {"name": "threshold-phone-zh", "size": (390, 844), "theme": "light", "locale": "zh-CN",
     "link": {"example": "1_water.jpg", "model": "newts-binary", "t": "0.5"}},
)  # fmt: skip


def shoot_threshold(browser: Any, url: str, shot: dict[str, Any]) -> None:
    width, _ = shot["size"]
    context, page = opened(browser, shot)
    query = urlencode({"__theme": shot["theme"], "tab": "threshold", **shot["link"]})
    page.goto(f"{url}?{query}")
    page.wait_for_selector("#lab [data-state=ready]")
    if shot.get("labels"):
        page.locator("#th-labels-box button").first.click()
        page.click("#th-drawn-labels")
        page.wait_for_selector("#lab .lab-figures:not([hidden])")
        page.click("[data-choice=best_f1]")
        with page.expect_download() as download:
            page.click("#th-save-figure-png")
        download.value.save_as(HERE / "images" / "threshold-figure.png")
        page.locator("#th-labels-box button").first.click()
        page.evaluate("scrollTo(0, 0)")
    if shot.get("uncertain"):
        page.click("#lab [data-act=uncertainty]")
    page.wait_for_timeout(1500)
    if width > 600:
        stage = page.locator("#lab [data-pane=picture] .lab-stage").bounding_box()
        page.mouse.move(stage["x"] + 0.45 * stage["width"], stage["y"] + 0.55 * stage["height"])
        page.wait_for_timeout(300)
    save(page, shot["name"])
    context.close()


def open_step(page: Any, step: str) -> None:
    """A step of the Fine-tune tab, by its id."""
    page.locator("button[role=tab][data-tab-id=finetune]").click()
    page.locator(f"#ft-steps button[role=tab][data-tab-id={step}]").click()
    page.wait_for_timeout(1500)


def train(page: Any, start: str, minutes: str) -> None:
    """Start a run on what was brought, and wait for its end."""
    open_step(page, "start")
    page.click("#ft-start-from input")
    page.click(f"ul[role=listbox] li:has-text('{start}')")
    page.fill("#ft-amount :is(input, textarea)", minutes)
    page.click("#ft-start")
    page.wait_for_selector("#ft-stop-run", timeout=60_000)
    page.wait_for_selector("#ft-compare", timeout=600_000)


def shoot_runs(browser: Any, url: str) -> None:
    """A run on drawn pictures from random weights; then one from a bundled model, compared with it."""
    page = browser.new_page(viewport={"width": 1440, "height": 1180}, locale="en-US")
    page.goto(f"{url}?__theme=light")
    open_step(page, "pictures")
    page.click("#ft-otherwise > button")
    page.click("#ft-draw")
    page.wait_for_selector("#ft-verdict .file:has-text('drawn-newts')", timeout=60_000)
    page.wait_for_selector("#ft-stop", state="detached", timeout=60_000)
    train(page, "From scratch", "2")
    page.wait_for_timeout(1500)
    save(page, "watch-light")
    train(page, "newts-species", "1")
    page.close()

    page = browser.new_page(viewport={"width": 1440, "height": 1180}, locale="ja-JP")
    page.goto(f"{url}?__theme=dark")
    open_step(page, "watch")
    page.click("#ft-compare")
    page.wait_for_selector("#ft-compared table", timeout=60_000)
    page.wait_for_timeout(2500)
    save(page, "compare-dark-ja")
    page.close()


def shoot_labels(browser: Any, url: str) -> None:
    context, page = opened(browser, {"size": (390, 844), "locale": "zh-CN"})
    page.goto(f"{url}?__theme=light")
    open_step(page, "label")
    page.set_input_files("#ft-label-files input[type=file]", str(HERE.parent / "examples" / "1_water.jpg"))
    page.wait_for_function("document.querySelector('.seg-brush')?.segBrush?.labels()")
    page.click("[data-act=draft-all]")
    page.wait_for_function("document.querySelector('.seg-brush').segBrush.counts()?.[1] > 0")
    page.locator(".seg-brush").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('.seg-brush').scrollIntoView()")
    page.wait_for_timeout(1000)
    save(page, "label-phone-zh")
    context.close()


CHECKPOINT_SHOTS: tuple[dict[str, Any], ...] = (
    {"name": "checkpoints-light", "size": (1440, 860), "theme": "light", "locale": "en-US", "chosen": "pond"},
    {"name": "checkpoints-dark-ja", "size": (1440, 860), "theme": "dark", "locale": "ja-JP", "chosen": "greenhouse"},
    {"name": "checkpoints-phone-zh", "size": (390, 844), "theme": "light", "locale": "zh-CN"},
)  # fmt: skip
# What is pushed: name, bundled checkpoint that it is a copy of, private. Their figures are those that were measured.
PUSHED = (
    ("pond", "newts-species", True), ("greenhouse", "newts-binary", True), ("night-camera", "newts-species", False),
    ("brook", "newts-binary", True), ("aquarium", "newts-binary", False), ("field-trip", "newts-species", True),
)  # fmt: skip


def lab_of(root: Path, hub: HubServer) -> None:
    """Checkpoints in root/checkpoints and on the Hub, one in each state."""
    bundled, here, there = HERE.parent / "checkpoints", root / "checkpoints", root / "there"
    account = Account(hub.token("alice"))
    for name in ("newts-binary", "newts-species"):
        shutil.copytree(bundled / name, here / name)

    def made(folder: Path, base: str, threshold: float = 0.5) -> Path:
        checkpoint = load_checkpoint(bundled / base)
        return save_checkpoint(folder, checkpoint.model, replace(checkpoint.config, threshold=threshold))

    for name, base, private in PUSHED:
        only_there = name in ("aquarium", "field-trip")
        push(made((there if only_there else here) / name, base), f"alice/{name}", account=account, private=private)
    for name in ("greenhouse", "brook"):
        push(made(there / name, "newts-binary", 0.6), f"alice/{name}", account=account, overwrite=True)
    for name, base in (("night-camera", "newts-species"), ("brook", "newts-binary")):
        made(here / name, base, 0.4)
    made(here / "first-try", "newts-species")


def shoot_checkpoints(browser: Any) -> None:
    """A page of its own beside a Hub of its own."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        root = Path(folder)
        with HubServer(root / "hub") as hub:
            use_hub(hub, patch, root / "home")
            patch.setenv("HF_TOKEN", hub.token("alice"))
            lab_of(root, hub)
            demo = serve(Library(root / "checkpoints"), "127.0.0.1", workspaces=Workspaces(root), block=False)
            for shot in CHECKPOINT_SHOTS:
                context, page = opened(browser, shot)
                page.goto(f"{demo.local_url}?__theme={shot['theme']}")
                page.locator("button[role=tab][data-tab-id=checkpoints]").click()
                page.wait_for_selector("#cp-shelf [data-asked=asked]")
                if name := shot.get("chosen"):
                    page.click(f".shelf-row[data-key={name}]")
                    page.wait_for_selector(f"#cp-details h2:text-is('{name}')")
                page.wait_for_timeout(1000)
                save(page, shot["name"])
                context.close()
            demo.close()


def main() -> None:
    home = tempfile.TemporaryDirectory()
    os.environ["SEG_DEMO_HOME"] = home.name
    demo = serve(host="127.0.0.1", workspaces=Workspaces(Path(home.name)), block=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for shot in SHOTS:
            shoot(browser, demo.local_url, shot)
        for shot in THRESHOLD_SHOTS:
            shoot_threshold(browser, demo.local_url, shot)
        shoot_finetune(browser, demo.local_url)
        shoot_labels(browser, demo.local_url)
        shoot_runs(browser, demo.local_url)
        shoot_checkpoints(browser)
        browser.close()
    demo.close()
    home.cleanup()


if __name__ == "__main__":
    main()
