"""The stages of the Fine-tune tab, as a visitor goes through them, each with what must be true after it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.walk.folder import RunFolder, run_folders
from benchmarks.walk.server import Server
from benchmarks.walk.visitor import Visitor

WATCH = "document.querySelector('#ft-watch .seg-watch')?.segWatch?.value()"
STEPS = "#ft-steps button[role=tab]"
CANVAS = "document.querySelector('#canvas .seg-canvas')?.segCanvas"
STOP_WANTED, START_WANTED = 2.0, 5.0  # seconds
PACE = 0.2  # seconds between two looks at a run that shall not be disturbed
TRAINING = 1800.0  # seconds that a run of a minute may take where the machine is shared


def open_tab(visitor: Visitor) -> None:
    with visitor.step("open the tab"):
        visitor.open()
        visitor.click("button[role=tab]:has-text('Fine-tune')")
        visitor.page.wait_for_selector("#ft-files input[type=file]", state="attached")
    visitor.shot("opened")


def bring(visitor: Visitor, archive: Path, step: str = "bring and check") -> None:
    with visitor.step(step):
        visitor.choose("#ft-files input[type=file]", archive)
        checked(visitor)
    visitor.shot("checked")


def checked(visitor: Visitor) -> str:
    """The headline of the check, once there is one for what was brought last."""

    def found() -> str | None:
        busy = visitor.page.locator("#ft-status progress").count()
        heads = visitor.page.locator("#ft-verdict h2").all_inner_texts()
        return heads[0] if heads and not busy else None

    return visitor.until("the check", found)


def findings(visitor: Visitor) -> list[str]:
    """The kinds that are shown."""
    kinds: list[str] = visitor.page.evaluate(
        "[...document.querySelectorAll('#ft-cards [data-kind]')].map((card) => card.dataset.kind)"
    )
    return kinds


def start(visitor: Visitor, runs: Path, minutes: str, base: str = "") -> RunFolder:
    """Choose what to start from ("": nothing) and for how long, and start; returns once the run tells of itself."""
    before = run_folders(runs)
    with visitor.step("choose the start"):
        visitor.click("#ft-to-start")
        visitor.page.wait_for_selector("#ft-start", state="visible")
        if base:
            visitor.pick("ft-start-from", base)
        visitor.type("ft-amount", minutes)
        visitor.shot("start")
        visitor.click("#ft-start")
        clicked = time.perf_counter()
        folder = visitor.until("the run's folder", lambda: next(iter(run_folders(runs) - before), None))
        run = RunFolder(folder)
        visitor.until("the first event, or a place in the queue", lambda: run.begun or run.job.state.position)
        if run.begun:
            visitor.measure("from Start training to the run's first event", time.perf_counter() - clicked)
            visitor.until("the page's word of it", lambda: state(visitor, run.name) == "running")
            visitor.measure("from Start training until the page says that it trains", time.perf_counter() - clicked)
        else:
            visitor.until("the page's word of it", lambda: state(visitor, run.name) == "waiting")
            visitor.measure("from Start training until the page says that it waits", time.perf_counter() - clicked)
    return run


def watched(visitor: Visitor) -> dict[str, Any]:
    """What the page shows of a run; empty where it shows none."""
    return visitor.page.evaluate(WATCH) or {}


def state(visitor: Visitor, name: str) -> str:
    """Of the run of this name, as the page shows it; empty where it shows another or none."""
    value = watched(visitor)
    return value["state"]["kind"] if value.get("name") == name else ""


def trained_for(visitor: Visitor, run: RunFolder, seconds: float) -> None:
    """Wait until it has learned for so long, or has ended."""

    def far_enough() -> bool:
        return run.seconds >= seconds or not run.job.state.live

    with visitor.step("watch it learn"):
        visitor.until(f"{seconds:.0f} s of training", far_enough, TRAINING, PACE)


def reload(visitor: Visitor, run: RunFolder) -> None:
    with visitor.step("reload the page"):
        begun = time.perf_counter()
        visitor.page.reload()
        _find_again(visitor, run)
        visitor.measure("from a reload until the run is seen again", time.perf_counter() - begun)
    visitor.shot("reloaded")


def _find_again(visitor: Visitor, run: RunFolder) -> None:
    """The page shows a run that goes on by itself, and one that has ended meanwhile under Watch."""
    visitor.page.wait_for_selector("#model input")
    visitor.click("button[role=tab]:has-text('Fine-tune')")

    def found() -> bool:
        if not run.job.state.live and not watched(visitor) and visitor.page.is_enabled(f"{STEPS}:has-text('Watch')"):
            visitor.click(f"{STEPS}:has-text('Watch')")
            visitor.page.wait_for_timeout(500)
        return state(visitor, run.name) in ("running", "finished")

    visitor.until("the run after the page was opened again", found)
    visitor.page.wait_for_selector("#ft-watch .watch-head", state="visible")


def stop_and_resume(visitor: Visitor, run: RunFolder) -> int:
    """Returns the step at which it was stopped."""
    with visitor.step("stop"):
        visitor.click("#ft-stop-run")
        begun = time.perf_counter()
        visitor.until("the run's end", lambda: run.job.state.kind == "stopped")
        visitor.measure("from Stop until the run has stopped", ended := time.perf_counter() - begun)
        visitor.until("the page's word of it", lambda: state(visitor, run.name) == "stopped")
        visitor.measure("from Stop until the page says so", time.perf_counter() - begun)
    stopped: int = run.events("RunStopped")[-1]["step"] if run.events("RunStopped") else -1
    visitor.fact("it stops in less than 2 s", ended < STOP_WANTED, f"{ended:.2f} s")
    visitor.fact("it says itself at which step it was stopped", stopped == run.steps[-1], f"step {stopped}")
    visitor.shot("stopped")
    with visitor.step("resume"):
        visitor.page.wait_for_selector("#ft-resume", state="visible")
        visitor.click("#ft-resume")
        begun = time.perf_counter()
        visitor.until("steps after the resumption", lambda: run.steps[-1:] > [stopped])
        visitor.measure("from Resume until the first step", time.perf_counter() - begun)
        visitor.until("the page's word of it", lambda: state(visitor, run.name) == "running")
    went_on = run.events("RunStarted")[-1]["step"]
    visitor.fact("it goes on from the step at which it was stopped", went_on == stopped, f"{stopped} -> {went_on}")
    return stopped


def kill_server(visitor: Visitor, server: Server, run: RunFolder) -> None:
    """SIGKILL to the page while the run trains; it is started again, and the page opened anew."""
    process, step = run.process, run.steps[-1]
    server.kill()
    with visitor.step("server killed, page opened again"):
        time.sleep(2)
        visitor.fact("the run goes on without the server", run.process == process is not None and run.steps[-1] > step,
                     f"step {step} -> {run.steps[-1]}")  # fmt: skip
        visitor.shot("without-server", whole=False)
        visitor.measure("from the server's start until it answers", server.start())
        begun = time.perf_counter()
        visitor.page.goto(server.address)
        _find_again(visitor, run)
        visitor.measure("from opening the page anew until the run is seen", time.perf_counter() - begun)
        visitor.measure("of training when it was seen again", run.seconds)
    still = run.process
    words = f"{state(visitor, run.name)}, process {process} -> {still or 'ended'}"
    visitor.fact("nobody has begun it a second time", still in (process, None), words)
    _full_history(visitor, run, "after the server's restart")
    visitor.shot("after-the-kill")


def _full_history(visitor: Visitor, run: RunFolder, when: str) -> None:
    """The page shows what the folder holds, but for what came within a second."""
    document = watched(visitor)["document"]
    shown, there = [each["step"] for each in document["validations"]], run.validations
    visitor.fact(
        f"{when} the page has all validations", len(there) > 0 and shown == there[: len(shown)] and
        len(there) - len(shown) <= 1, f"{len(shown)} of {len(there)}",
    )  # fmt: skip
    steps = document["steps"]["step"]
    first = max(1, -(-run.steps[-1] // 400) * 2)
    visitor.fact(f"{when} the page has the curve from the first steps on", bool(steps) and steps[0] <= first,
                 f"{len(steps)} points, {steps[0]} to {steps[-1]}")  # fmt: skip


def wait_for_end(visitor: Visitor, run: RunFolder, minutes: float, stops: Sequence[int] = ()) -> None:
    """stops: the steps at which it was stopped."""
    with visitor.step("watch it learn"):
        visitor.until("the run's end", lambda: not run.job.state.live, TRAINING, PACE)
        visitor.until("the page's word of it", lambda: state(visitor, run.name) == "finished")
        visitor.page.wait_for_selector("#ft-compare", state="visible")
    steps, started = run.steps, run.events("RunStarted")
    visitor.fact("every step was done once", steps == list(range(1, steps[-1] + 1)), f"{steps[-1]} steps")
    resumed = [event["step"] for event in started]
    visitor.fact("it was begun once, and resumed as often as asked", resumed == [0, *stops], resumed)
    shown = watched(visitor)["document"]["resumed"]
    visitor.fact("the page marks where it was resumed", shown == list(stops), shown)
    end = run.events("RunFinished")[-1]
    seconds, early = end["seconds"], "no better" in end["reason"]
    visitor.fact(
        "it learned for as long as asked, or until validations were no better",
        (early or seconds >= 60 * minutes) and seconds <= 60 * minutes + 15, f"{seconds:.1f} s: {end['reason']}",
    )  # fmt: skip
    _full_history(visitor, run, "at the end")
    visitor.shot("finished")


def compare(visitor: Visitor) -> str:
    """What the comparison says first."""
    with visitor.step("compare"):
        visitor.click("#ft-compare")
        words = visitor.until("the comparison", lambda: _compared(visitor))
    print(f"{visitor.name}: {words}", flush=True)
    visitor.results.append(f"The page: {words.split('  ')[0]}.")
    visitor.page.wait_for_timeout(1500)
    visitor.shot("compared")
    return words


def _compared(visitor: Visitor) -> str:
    told = [text for text in visitor.page.locator("#ft-compared .verdict").all_inner_texts() if text]
    alert = visitor.page.locator("#ft-status [role=alert]").all_inner_texts()
    return " / ".join(" ".join(text.split("\n")) for text in told or alert)


def keep(visitor: Visitor, name: str) -> None:
    with visitor.step("keep"):
        visitor.type("ft-keep-name", name)
        visitor.click("#ft-keep")
        visitor.page.wait_for_selector("#ft-use", state="visible")
    visitor.shot("kept")


def use(visitor: Visitor, name: str, picture: Path) -> dict[str, float]:
    """Segment a picture with the kept model in the Segment tab: {class id: share}."""
    with Image.open(picture) as image:
        width, height = image.size
    with visitor.step("use it on a photo"):
        visitor.click("#ft-use")
        visitor.until("the model in the Segment tab", lambda: visitor.page.input_value("#model input") == name)
        visitor.choose("#pictures input[type=file]", picture)
        # The result of the picture before goes last, so that it is told by its size.
        counted = f"(({CANVAS}?.state().names || []).includes({picture.name!r}) && {CANVAS}.counts()) || {{}}"

        def result() -> dict[str, int] | None:
            counts: dict[str, int] = visitor.page.evaluate(counted)
            return counts if sum(counts.values()) == width * height else None

        counts = visitor.until("the result", result)
    total = sum(counts.values())
    shares = {key: count / total for key, count in counts.items()}
    found = {key: f"{share:.1%}" for key, share in shares.items()}
    visitor.fact("the Segment tab finds more than background", any(shares.get(key, 0) for key in shares if key != "0"),
                 found)  # fmt: skip
    visitor.shot("used")
    return shares


def in_all_pickers(visitor: Visitor, name: str, wanted: bool = True) -> None:
    """Whether a kept model is in every model picker of the page."""
    pickers = {"model": ("Segment", ""), "th-model": ("Threshold", ""), "ft-label-model": ("Fine-tune", "Label"),
               "ft-start-from": ("Fine-tune", "Start")}  # fmt: skip
    for picker, (tab, inner) in pickers.items():
        visitor.show(tab)
        if inner:
            visitor.show(inner, "#ft-steps")
        offered = visitor.offered(picker)
        there = any(name in entry for entry in offered)
        word = "has" if wanted else "does not have"
        visitor.fact(f"the picker {picker} {word} {name}", there is wanted, ", ".join(offered[:4]) + ", ...")
