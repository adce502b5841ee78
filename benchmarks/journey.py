"""The whole way through the Fine-tune tab, in a real browser and from a fresh workspace: is all of it there, how many
clicks is it, and how long does it take?

`python -m benchmarks.journey --data DIR [--only newts|skydiving|mistakes|visitors] [--shots DIR] [--docs]`; DIR holds
newts/ and skydiving/. The page is a process of its own on a root folder of its own.

newts: a ZIP of the training photos is checked and trained for a minute, from the network of the preset newts-binary
with random weights. Meanwhile the page is reloaded, the run stopped and resumed, and the server killed by SIGKILL and
started again. At the end the model is compared, kept, used on a test photo, and measured on the test photos.
skydiving: the same from scratch with a ZIP of photos and polygons, of which the visitor says the classes and which of
them lie over which. mistakes: a ZIP with five mistakes is repaired and trained for half a minute. visitors: two
strangers at the same time; neither may see anything of the other, and the second one's run waits.

Every line of what is said on the way is a fact that was looked up in the run's folder or in the page; the exit code is
0 only if all of them hold. `--docs` writes the tables into docs/finetune.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.markdown import table, write_table
from benchmarks.walk import sets, stages
from benchmarks.walk.pair import two_visitors
from benchmarks.walk.server import Server
from benchmarks.walk.visitor import Visitor
from seg_demo.checkpoint import CheckpointConfig, save_checkpoint
from seg_demo.palettes import NEWTS_BINARY, SKYDIVING
from seg_demo.train.presets import PRESETS

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
RANDOM, KEPT = "newts-random", "kept"
SIZE = {"width": 1280, "height": 900}
OTHERS: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 390, "height": 844}, "locale": "en-US"},
    "ja-dark": {"viewport": SIZE, "locale": "ja-JP", "color_scheme": "dark"},
    "zh-CN-phone-dark": {"viewport": {"width": 390, "height": 844}, "locale": "zh-CN", "color_scheme": "dark"},
}
PAINTING_ORDER = ("sky", "ground", "airplane", "person")


def random_weights(folder: Path) -> Path:
    """A checkpoint like newts-binary that has learned nothing."""
    import torch

    from seg_demo.models import build_model

    preset = PRESETS["newts-binary"].config
    config = CheckpointConfig(
        preset.model.architecture, dict(preset.model.arguments), "binary", NEWTS_BINARY, preset.data.preprocessing,
        training={"about": "Random weights."},
    )  # fmt: skip
    torch.manual_seed(0)
    return save_checkpoint(folder, build_model(config.architecture, 1, **config.arguments), config)


def trained_through(visitor: Visitor, server: Server, minutes: float, base: str = "") -> stages.RunFolder:
    """A run that is disturbed in every way, and comes to its end."""
    run = stages.start(visitor, server.root / "runs", f"{minutes:g}", base)
    stages.trained_for(visitor, run, 5 * minutes)
    visitor.shot("training")
    stages.reload(visitor, run)
    stages.trained_for(visitor, run, 10 * minutes)
    stopped = stages.stop_and_resume(visitor, run)
    stages.trained_for(visitor, run, 16 * minutes)
    stages.kill_server(visitor, server, run)
    stages.wait_for_end(visitor, run, minutes, [stopped])
    return run


def newts(visitor: Visitor, server: Server, data: Path, place: Path) -> None:
    random_weights(server.checkpoints / RANDOM)
    stages.open_tab(visitor)
    stages.bring(visitor, sets.newts(data, place))
    trained_through(visitor, server, 1, RANDOM)
    stages.compare(visitor)
    stages.keep(visitor, KEPT)
    photo = next(iter(sorted((data / "newts" / "test" / "images").glob("*/*.jpg"))))
    stages.use(visitor, KEPT, photo)
    stages.in_all_pickers(visitor, KEPT)
    evaluated(visitor, server, sets.test_newts(data, place), "test")


def skydiving(visitor: Visitor, server: Server, data: Path, place: Path) -> None:
    stages.open_tab(visitor)
    stages.bring(visitor, sets.skydiving(data, place))
    with visitor.step("name the classes"):
        visitor.click("#ft-more button")
        visitor.type("ft-names", "\n".join(SKYDIVING.names))
        visitor.type("ft-order", "\n".join(PAINTING_ORDER))
        visitor.click("#ft-again")
        visitor.page.wait_for_selector("#ft-status progress")
        stages.checked(visitor)
    rows = visitor.page.locator("#ft-classes tbody tr").all_inner_texts()
    names = [row.split("\t")[1].strip() for row in rows]
    visitor.fact("the page shows the five classes in the order of their ids", names == list(SKYDIVING.names), names)
    visitor.shot("named")
    run = trained_through(visitor, server, 1)
    stages.compare(visitor)
    stages.keep(visitor, KEPT)
    stages.use(visitor, KEPT, data / "skydiving" / "unseen_1426.png")
    stages.in_all_pickers(visitor, KEPT)
    evaluated(visitor, server, next((run.folder / "data").iterdir()), "val")


def mistakes(visitor: Visitor, server: Server, data: Path, place: Path) -> None:
    stages.open_tab(visitor)
    stages.bring(visitor, sets.with_mistakes(data, place))
    found = stages.findings(visitor)
    for kind, planted in sets.MISTAKES.items():
        visitor.fact(f"the check finds {planted}", kind in found, kind)
    visitor.fact("training cannot be started", not visitor.page.is_visible("#ft-to-start"))
    with visitor.step("repair"):
        for box in visitor.page.locator("#ft-choices input[type=checkbox]").all():
            if not box.is_checked():  # what could cost good pictures is not ticked
                box.click()
                visitor.clicked()
        visitor.click("#ft-repair")
        visitor.page.wait_for_selector("#ft-mended section")
        stages.checked(visitor)
    visitor.shot("repaired")
    left = [kind for kind in stages.findings(visitor) if kind in sets.MISTAKES]
    visitor.fact("after the repair none of them is left", not left, left)
    run = stages.start(visitor, server.root / "runs", "0.5")
    stages.wait_for_end(visitor, run, 0.5)
    stages.compare(visitor)
    stages.keep(visitor, KEPT)
    photo = next(iter(sorted((data / "newts" / "test" / "images").glob("*/*.jpg"))))
    stages.use(visitor, KEPT, photo)


JOURNEYS: dict[str, Callable[[Visitor, Server, Path, Path], None]] = {
    "newts": newts, "skydiving": skydiving, "mistakes": mistakes,
}  # fmt: skip


def evaluated(visitor: Visitor, server: Server, data: Path, split: str) -> None:
    """The kept model by the `eval` command."""
    words = ["eval", str(server.checkpoints / KEPT), "--data", str(data), "--split", split, "--json"]
    told = subprocess.run([sys.executable, "-m", "seg_demo", *words], capture_output=True, text=True)
    figures = json.loads(told.stdout) if told.returncode == 0 else {}
    mean = figures.get("mean_iou")
    seen = f"mean IoU {mean:.3f}" if mean is not None else told.stderr.strip()[-300:]
    visitor.results.append(f"`eval` on {data.name}, {split}: {seen}.")
    visitor.fact(f"`eval` measures the kept model on {data.name}", mean is not None, seen)


def report(visitor: Visitor) -> str:
    """Markdown: what was done, what was measured, and what held."""
    steps = visitor.steps
    rows = [[step.name, *(str(n or "") for n in (step.clicks, step.files, step.fields)), f"{step.seconds:.1f}"]
            for step in steps]  # fmt: skip
    sums = [sum(values) for values in zip(*((each.clicks, each.files, each.fields) for each in steps), strict=True)]
    rows.append(["**together**", *(f"**{n}**" for n in sums), f"**{sum(each.seconds for each in steps):.0f}**"])
    lines = [table(["step", "clicks", "files", "fields", "seconds"], rows, right=range(1, 5))]
    lines += [f"- {what}: {seconds:.1f} s\n" for what, seconds in visitor.measured]
    lines += [f"- {sentence}\n" for sentence in visitor.results]
    load = os.getloadavg()[1]  # of the last five minutes: what else the machine was doing
    held = sum(holds for _, holds, _ in visitor.facts)
    lines.append(
        f"\n{held} of {len(visitor.facts)} facts hold; {os.cpu_count()} cores, {platform.machine()}, load {load:.1f}.\n"
    )
    return "".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="the folder with newts/ and skydiving/")
    parser.add_argument("--only", choices=[*JOURNEYS, "visitors"], help="one journey instead of all")
    parser.add_argument("--shots", type=Path, metavar="DIR", help="write screenshots into this folder")
    parser.add_argument("--docs", action="store_true", help="write the tables into docs/finetune.md")
    arguments = parser.parse_args()
    data = arguments.data.resolve()
    if arguments.shots:
        arguments.shots.mkdir(parents=True, exist_ok=True)
    from playwright.sync_api import sync_playwright

    visitors: list[Visitor] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name in [arguments.only] if arguments.only else [*JOURNEYS, "visitors"]:
            visitors += travelled(name, browser, data, arguments.shots)
            if arguments.docs and name in JOURNEYS and all(holds for _, holds, _ in visitors[-1].facts):
                write_table(f"journey-{name}", report(visitors[-1]), "finetune.md")
        browser.close()
    broken = [(each.name, what, seen) for each in visitors for what, holds, seen in each.facts if not holds]
    for name, what, seen in broken:
        print(f"{name}: NOT: {what} ({seen})")
    return 1 if broken else 0


def travelled(name: str, browser: Any, data: Path, shots: Path | None) -> list[Visitor]:
    """Everybody who was on the way."""
    with tempfile.TemporaryDirectory() as temporary:
        server = Server(Path(temporary), public=name == "visitors")
        try:
            server.start()
            if name == "visitors":
                return two_visitors(browser, server, Path(temporary), shots)
            with browser.new_context(viewport=SIZE, locale="en-US") as context:
                visitor = Visitor(context.new_page(), server.address, name, shots)
                JOURNEYS[name](visitor, server, data, Path(temporary))
                if shots:
                    others(browser, server, name, shots)
                visitor.fact("no script of the page has failed", not visitor.errors, "; ".join(visitor.errors))
                print(f"\n{name}\n\n{report(visitor)}", flush=True)
                return [visitor]
        finally:
            server.kill()
            server.end_runs()


def others(browser: Any, server: Server, name: str, shots: Path) -> None:
    """The same as seen by others, for looking at: every step of the tab."""
    for kind, settings in OTHERS.items():
        with browser.new_context(**settings) as context:
            visitor = Visitor(context.new_page(), server.address, f"{name}-{kind}", shots)
            visitor.open()
            visitor.page.locator("button[role=tab]:visible").nth(2).click()
            steps = visitor.page.locator("#ft-steps button[role=tab]:visible")
            visitor.page.wait_for_timeout(2000)
            for place in range(steps.count()):
                steps.nth(place).click()
                visitor.page.wait_for_timeout(1500)
                visitor.shot(f"step-{place + 1}")


if __name__ == "__main__":
    sys.exit(main())
