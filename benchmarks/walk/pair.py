"""Two strangers on one page at the same time: neither sees anything of the other, and one waits for the other."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.walk import sets, stages
from benchmarks.walk.folder import RunFolder
from benchmarks.walk.server import Server
from benchmarks.walk.visitor import Visitor

MINUTES = "0.5"


def two_visitors(browser: Any, server: Server, place: Path, shots: Path | None) -> list[Visitor]:
    contexts = [browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US") for _ in range(2)]
    first, second = (
        Visitor(context.new_page(), server.address, name, shots)
        for context, name in zip(contexts, ("first", "second"), strict=True)
    )
    try:
        for visitor, seed in ((first, 1), (second, 2)):
            stages.open_tab(visitor)
            stages.bring(visitor, sets.drawn(place, f"of-{visitor.name}", seed))
        homes = {visitor.name: _workspace(server, f"of-{visitor.name}") for visitor in (first, second)}
        first.fact("each has a folder of their own", homes["first"] != homes["second"])
        runs = {name: home / "runs" for name, home in homes.items()}
        one = stages.start(first, runs["first"], MINUTES)
        two = stages.start(second, runs["second"], MINUTES)
        _waits(second, two, one)
        for visitor, other in ((first, second), (second, first)):
            visitor.page.reload()
            _at_own_run(visitor)
            _sees_own(visitor, other)
        _follows(second, two, one)
        first.show("Watch", "#ft-steps")
        first.until("the first one's end", lambda: stages.state(first, one.name) == "finished")
        stages.compare(first)
        stages.keep(first, "secret-first")
        stages.in_all_pickers(first, "secret-first")
        second.page.reload()
        _at_own_run(second)
        stages.in_all_pickers(second, "secret-first", wanted=False)
        _asks_for(second, homes["first"], one)
        second.until("the second one's end", lambda: not two.job.state.live, stages.TRAINING, stages.PACE)
        second.fact("the second one's run has finished, too", two.job.state.kind == "finished", two.job.state.kind)
        _nothing_in_common(first, second)
        for visitor in (first, second):
            visitor.fact("no script of the page has failed", not visitor.errors, "; ".join(visitor.errors))
        return [first, second]
    finally:
        for context in contexts:
            context.close()


def _workspace(server: Server, name: str) -> Path:
    """The folder of the visitor who has brought a data set of this name."""
    record = next(iter(
        file for file in server.home.glob("workspaces/*/brought/*/brought.json") if name in file.read_text("utf-8")
    ))  # fmt: skip
    return record.parents[2]


def _waits(visitor: Visitor, own: RunFolder, other: RunFolder) -> None:
    position = visitor.until("the place in the queue", lambda: stages.watched(visitor).get("state"))
    visitor.fact("the second one's run waits", position["kind"] == "waiting" and other.job.state.live, position)
    visitor.fact("it says how many go first", position["position"] == 1, position["position"])
    words = visitor.page.inner_text("#ft-watch .watch-state")
    visitor.fact("and says so in words", bool(words.strip()), words)
    visitor.fact("nothing of it was trained meanwhile", not own.begun)
    visitor.shot("waiting")


def _at_own_run(visitor: Visitor) -> None:
    """After a reload; the page may choose the step Watch itself, so this waits until all of it is there."""
    visitor.page.wait_for_selector("#model input")
    visitor.page.wait_for_timeout(3000)
    visitor.show("Fine-tune")
    visitor.show("Watch", "#ft-steps")
    visitor.until("the own run", lambda: stages.watched(visitor).get("name"))


def _sees_own(visitor: Visitor, other: Visitor) -> None:
    """After a reload, with all that the page holds."""
    runs = visitor.offered("ft-run")
    visitor.fact("the list of runs has one's own alone", runs == [f"of-{visitor.name}-1"], runs)
    visitor.show("Pictures", "#ft-steps")
    head = visitor.page.inner_text("#ft-verdict .file")
    visitor.fact("the data set is one's own", head.startswith(f"of-{visitor.name}"), head)
    content = visitor.page.content()
    visitor.fact(f"nothing in the page names what the {other.name} one has", f"of-{other.name}" not in content)


def _follows(second: Visitor, two: RunFolder, one: RunFolder) -> None:
    second.show("Watch", "#ft-steps")
    second.until("the first one's end", lambda: not one.job.state.live, stages.TRAINING, stages.PACE)
    ended = time.perf_counter()
    second.until("the second one's start", lambda: two.begun, every=0.05)
    second.measure("from the first one's end to the second one's first event", time.perf_counter() - ended)
    second.until("the page's word of it", lambda: stages.state(second, two.name) == "running")
    second.fact("it starts by itself when the first one's has ended", one.job.state.kind == "finished",
                one.job.state.kind)  # fmt: skip
    second.shot("its-turn")


def _asks_for(visitor: Visitor, home: Path, run: RunFolder) -> None:
    """Files of the other one by their places on the server."""
    files = [home / "brought", run.folder / "events.jsonl", home / "checkpoints" / "secret-first" / "config.json"]
    files += sorted(run.folder.rglob("*.jpg"))[:1] + sorted(run.folder.rglob("*.png"))[:1]
    for file in files:
        answer = visitor.page.request.get(f"{visitor.address}gradio_api/file={file}")
        visitor.fact("the server does not hand out a file of the other one", answer.status in (403, 404),
                     f"{file.relative_to(home)}: {answer.status}")  # fmt: skip


def _nothing_in_common(first: Visitor, second: Visitor) -> None:
    """Of the pictures of the check and of the run."""
    own = []
    for visitor in (first, second):
        visitor.page.reload()
        _at_own_run(visitor)
        samples = {sample["file"]["path"] for sample in stages.watched(visitor)["samples"]}
        visitor.show("Pictures", "#ft-steps")
        visitor.page.wait_for_selector("#ft-gallery img", state="attached")
        shown = set(visitor.page.eval_on_selector_all("#ft-gallery img", "images => images.map((each) => each.src)"))
        own.append(samples | shown)
    second.fact("no picture is shown to both", not own[0] & own[1], f"{len(own[0])} and {len(own[1])} pictures")
