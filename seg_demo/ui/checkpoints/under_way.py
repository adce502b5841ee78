"""The line that tells of a push or a pull: how far it is, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from seg_demo.ui.checkpoints import markdown
from seg_demo.ui.checkpoints.transfers import Transfer
from seg_demo.ui.fragment import Node, element
from seg_demo.ui.i18n import explain, language_of, say
from seg_demo.ui.status import StatusRow, Updates

if TYPE_CHECKING:
    from seg_demo.ui.checkpoints.tab import CheckpointsTab

LOOK_EVERY = 0.5  # seconds
SMALL = 1000  # bytes; no transfer is smaller, and what tells of less has not begun yet


class UnderWay:
    """Builds the line; its `updates` are for its `parts`. The timer ticks only while something goes on."""

    def __init__(self, tab: CheckpointsTab) -> None:
        self.tab = tab
        self.row = StatusRow("cp-transfer")
        self.timer = gr.Timer(LOOK_EVERY, active=False)
        self.seen = gr.State(0)  # the number of the transfer that this page has seen go on

    @property
    def parts(self) -> list[Any]:
        return [*self.row.parts, self.timer, self.seen]

    def wire(self, demo: gr.Blocks, seen: list[Any], quiet: dict[str, Any]) -> None:
        """seen: everything of the page that may change."""
        demo.load(self.look, self.seen, seen, **quiet)
        # While the answer to a tick is on its way, the next one waits.
        self.timer.tick(self.look, self.seen, seen, trigger_mode="once", queue=False, **quiet)
        self.row.stop.click(self.stop, None, None, queue=False, **quiet)

    def look(self, seen: int, request: gr.Request, token: gr.OAuthToken | None) -> Updates:
        """How far a transfer is; what follows from its end, once for each page that saw it go on."""
        transfer, language = self.tab.transfers.of(self.tab.place(request)), language_of(request)
        updates = self.updates(transfer, language)
        if transfer is None or transfer.state == "running" or transfer.number != seen:
            return updates
        return self._follows(transfer, request, token) | updates | {self.seen: 0}

    def _follows(self, transfer: Transfer, request: gr.Request, token: gr.OAuthToken | None) -> Updates:
        tab, workspace = self.tab, self.tab.visitors.of(request)
        if transfer.state != "done":
            return tab.push.may_overwrite(transfer) | tab.pull.may_replace(transfer, workspace)
        key = tab.key_of(transfer.folder, workspace)
        if transfer.kind == "pull":
            return tab.after(request, token, key)
        return tab.listed(request, token, key, ask=True) | tab.push.done()

    def stop(self, request: gr.Request) -> Updates | None:
        """Stop was pressed: the transfer ends at its next sign of progress."""
        self.tab.transfers.stop(self.tab.place(request))
        return None

    def updates(self, transfer: Transfer | None, language: str) -> Updates:
        """transfer: of the visitor, which goes on or has ended; None for neither."""
        if transfer is not None and transfer.state == "running":
            share = transfer.done / transfer.total if transfer.total >= SMALL else None
            shown = self.row.working(_sentence(transfer, language), share)
            return shown | {self.timer: gr.Timer(active=True), self.seen: transfer.number}
        return self._ended(transfer, language) | {self.timer: gr.Timer(active=False)}

    def _ended(self, transfer: Transfer | None, language: str) -> Updates:
        if transfer is None:
            return self.row.done()
        names = {"name": transfer.folder.name, "repo": transfer.repo}
        if transfer.state == "stopped":
            return self.row.problem(say(f"cp_{transfer.kind}_stopped", language, **names), "stopped")
        if transfer.state == "failed":
            known = transfer.problem
            return self.row.problem(explain(self.tab.plain(known), language) if known else say("cp_failed", language))
        return self.row.done() | {self.row.words: [_told(transfer, language)]}


def _sentence(transfer: Transfer, language: str) -> str:
    names = {"name": transfer.folder.name, "repo": transfer.repo}
    if transfer.stop.is_set():
        return say("cp_stopping", language)
    if transfer.total < SMALL:
        return say(f"cp_{transfer.kind}_begins", language, **names)
    if transfer.done >= transfer.total:
        return say(f"cp_{transfer.kind}_ends", language, **names)
    done, total = (f"{amount / 1e6:.1f}" for amount in (transfer.done, transfer.total))
    return say(f"cp_{transfer.kind}_goes_on", language, done=done, total=total, **names)


def _told(transfer: Transfer, language: str) -> Node:
    """How a transfer went that came to its end."""
    result, names = transfer.result, {"name": transfer.folder.name, "repo": transfer.repo}
    if transfer.kind == "pull":
        words = say("cp_pulled_now" if result.changed else "cp_pulled_same", language, **names)
        return element("p", words, role="status", class_="status good")
    if result.pull_request:
        words, address = say("cp_pushed_request", language, **names), result.pull_request
    else:
        words, address = say("cp_pushed_now" if result.changed else "cp_pushed_same", language, **names), result.url
    return element("p", words, " ", markdown.link(address), role="status", class_="status good")
