"""The Checkpoints tab: what is here and what the Hub has, side by side, and how it gets from one to the other."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from seg_demo.errors import UserError
from seg_demo.hub.account import Account
from seg_demo.infer.library import Library
from seg_demo.jobs.workspace import Workspace
from seg_demo.ui.background import followed
from seg_demo.ui.checkpoints import details, limits
from seg_demo.ui.checkpoints.api import CheckpointsApi
from seg_demo.ui.checkpoints.asking import Asking, Known
from seg_demo.ui.checkpoints.exporting import ExportPart
from seg_demo.ui.checkpoints.managing import ManagePart
from seg_demo.ui.checkpoints.pulling import PullPart
from seg_demo.ui.checkpoints.pushing import PushPart
from seg_demo.ui.checkpoints.rows import REMOTE, Held, held, held_by_key, rows_of
from seg_demo.ui.checkpoints.shelf import Shelf, ShelfValue
from seg_demo.ui.checkpoints.signing import account_of, can_sign_in, told_of
from seg_demo.ui.checkpoints.transfers import Transfers
from seg_demo.ui.checkpoints.under_way import UnderWay
from seg_demo.ui.finetune.tab import FineTuneTab
from seg_demo.ui.fragment import Fragment
from seg_demo.ui.i18n import explain, language_of, say, text
from seg_demo.ui.segment import SegmentTab
from seg_demo.ui.status import StatusRow, Updates
from seg_demo.ui.threshold import ThresholdTab
from seg_demo.ui.visitors import Visitors


class CheckpointsTab:
    """Builds the tab inside the `gr.Blocks` that is being built, and answers what concerns several of its parts."""

    def __init__(self, visitors: Visitors, library: Library) -> None:
        self.visitors, self.library, self.asking = visitors, library, Asking()
        self.transfers = Transfers(limits.AT_ONCE if visitors.public else math.inf)
        self.under_way = UnderWay(self)
        self.status = StatusRow("cp")
        with gr.Row(elem_classes="checkpoints-tab"):
            with gr.Column(scale=7, min_width=320):
                with gr.Row(elem_classes="cp-account"):
                    self.account_line = Fragment(elem_id="cp-account")
                    if can_sign_in():
                        gr.LoginButton(text("cp_sign_in"), size="sm", elem_id="cp-login")
                self.shelf = Shelf(elem_id="cp-shelf")
                self.pull = PullPart(self)
                self.manage = ManagePart(self)
            with gr.Column(scale=5, min_width=320, elem_classes="cp-chosen"):
                with gr.Row(elem_classes="cp-buttons"):
                    self.manage.build_buttons()
                    self.pull.build_offer()
                with gr.Tabs(selected="about", elem_id="cp-parts") as self.parts:
                    with gr.Tab(text("cp_about"), id="about"):
                        self.details = Fragment(elem_id="cp-details")
                    with gr.Tab(text("cp_push"), id="push", visible=False) as self.push_tab:
                        self.push = PushPart(self)
                    with gr.Tab(text("cp_export"), id="export", visible=False) as self.export_tab:
                        self.export = ExportPart(self)
                    with gr.Tab(text("rename"), id="rename", visible=False) as self.rename_tab:
                        self.manage.build_name()
        self.chosen = gr.State("")  # the key of the row
        CheckpointsApi(self)

    def account(self, token: gr.OAuthToken | None) -> Account:
        """Who asks the Hub."""
        return account_of(self.visitors.public, token)

    def wire(
        self, demo: gr.Blocks, tabs: gr.Tabs, tab: gr.Tab, segment: SegmentTab, threshold: ThresholdTab,
        finetune: FineTuneTab,
    ) -> None:  # fmt: skip
        """Connect the parts. tabs, tab: of the page, and this one. The others: where a checkpoint is used."""
        self.finetune = finetune
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        self.of_choice: list[Any] = [
            self.chosen, self.details, self.push_tab, self.export_tab, self.rename_tab, self.parts,
            *self.manage.of_choice, *self.push.of_choice, *self.export.of_choice, *self.pull.of_choice,
        ]  # fmt: skip
        self.shown: list[Any] = [self.shelf, self.account_line, *self.manage.undo_parts, *self.of_choice]
        self.changed: list[Any] = [*self.status.parts, *self.shown, *finetune.pickers]
        seen: list[Any] = [*self.under_way.parts, *self.changed, self.push.pictures, self.pull.box]
        opened = tab.select(self.open, self.chosen, [*self.under_way.parts, *self.shown], **quiet)
        told: list[Any] = [self.shelf, self.account_line, *self.push.of_account]
        asked = [
            start(answer, [self.chosen, self.push.repo], told, **quiet)
            for start, answer in ((opened.then, self.ask_if_old), (self.shelf.ask, self.ask))
        ]
        self.shelf.leave(self.leave, None, self.shelf, cancels=asked, **quiet)
        # While one answer is on its way, only the last of the later choices waits.
        self.shelf.choose(
            self.choose, None, [*self.status.parts, *self.of_choice], trigger_mode="always_last", queue=False, **quiet
        ).then(None, None, None, js=SHOW_DETAILS, **quiet)
        self.under_way.wire(demo, seen, quiet)
        self.push.wire(seen, quiet)
        works = [work for part in (self.manage, self.export, self.pull) for work in part.wire(seen, quiet)]
        self.status.stop.click(self.stopped, None, self.status.parts, cancels=works, **quiet)
        self.manage.wire_use(tabs, segment, threshold, quiet)

    # What is shown ---------------------------------------------------------------------------------------

    def open(self, chosen: str, request: gr.Request, token: gr.OAuthToken | None) -> Updates:
        """The list as it is known, when the tab is opened."""
        return self.under_way.updates(self.transfers.of(self.place(request)), language_of(request)) | self.listed(
            request, token, chosen, stay=True
        )

    def ask_if_old(self, chosen: str, repo: str, request: gr.Request, token: gr.OAuthToken | None) -> Iterator[Updates]:
        """Ask the Hub, unless it has just said how it is."""
        workspace = self.visitors.of(request)
        known = self.asking.known(workspace.checkpoints, self.account(token))
        folders = {one.folder for one in held(self.library, workspace).values()}
        if known and known.is_fresh and folders <= {sync.folder for sync in known.syncs}:
            yield {self.shelf: gr.skip()}
            return
        yield from self.ask(chosen, repo, request, token)

    def ask(self, chosen: str, repo: str, request: gr.Request, token: gr.OAuthToken | None) -> Iterator[Updates]:
        """Ask the Hub how everything stands; the list that is here is there meanwhile.

        chosen: the row that is shown. repo: where it would be pushed.
        """
        workspace, account, language = self.visitors.of(request), self.account(token), language_of(request)
        yield {self.shelf: self.value(workspace, account, language, asked="asking")}
        folders = [one.folder for one in held(self.library, workspace).values()]
        try:
            steps = followed(lambda progress: self.asking.ask(workspace.checkpoints, folders, account, progress))
            yield from ({self.shelf: gr.skip()} for _ in steps)
        except Exception:
            logging.getLogger(__name__).exception("The Hub could not be asked.")
            yield {self.shelf: self.value(workspace, account, language, asked="stopped")}
            return
        known = self.asking.known(workspace.checkpoints, account)
        yield {
            self.shelf: self.value(workspace, account, language),
            self.account_line: told_of(account, known.who if known else "", self.visitors.public, language),
            **self.push.account_is(held(self.library, workspace).get(chosen), repo, known),
        }

    def leave(self, request: gr.Request, token: gr.OAuthToken | None) -> Updates:
        """Stop was pressed while the Hub was asked."""
        workspace, language = self.visitors.of(request), language_of(request)
        return {self.shelf: self.value(workspace, self.account(token), language, asked="stopped")}

    def listed(
        self, request: gr.Request, token: gr.OAuthToken | None, chosen: str, stay: bool = False, ask: bool = False
    ) -> Updates:
        """The whole tab as it is now.

        chosen: the row that is shown. stay: whether the choice stays as the browser has it. ask: whether the Hub is to
        be asked afterwards.
        """
        workspace, account, language = self.visitors.of(request), self.account(token), language_of(request)
        known = self.asking.known(workspace.checkpoints, account)
        here = held(self.library, workspace)
        if chosen not in here and not (chosen.startswith(REMOTE) and self.remote(chosen, known)):
            chosen, stay = next(iter(here), ""), False
        value = self.value(workspace, account, language)
        # A Hub that could not be reached a moment ago is left alone.
        changes = {
            "chosen": None if stay and chosen else chosen,
            "ask": ask and known is not None and not known.problem,
        }
        return {
            self.shelf: value.model_copy(update=changes),
            self.account_line: told_of(account, known.who if known else "", self.visitors.public, language),
            **self.manage.undo_shown(workspace, language),
            **self._chosen(chosen, request, token),
        }

    def value(self, workspace: Workspace, account: Account, language: str, asked: Any = "") -> ShelfValue:
        """The list. asked: what is said of the Hub; "" for what is known."""
        known, here = self.asking.known(workspace.checkpoints, account), held(self.library, workspace).values()
        sentence = ""
        if not asked:
            asked = "unasked" if known is None else "failed" if known.problem else "asked"
        if known and known.problem and asked == "failed":
            from seg_demo.hub.trouble import Unreachable

            # That it cannot be reached is said in one quiet line.
            sentence = "" if isinstance(known.problem, Unreachable) else explain(known.problem, language)
        rows = rows_of(here, known.syncs if known else None, language, failed=bool(known and known.problem))
        return ShelfValue(rows=rows, asked=asked, sentence=sentence)

    # What is chosen --------------------------------------------------------------------------------------

    def choose(self, request: gr.Request, token: gr.OAuthToken | None, event: gr.EventData) -> Updates:
        """A row was clicked."""
        data = event._data if isinstance(event._data, dict) else {}
        return self._chosen(str(data.get("key", "")), request, token) | self.status.done()

    def _chosen(self, key: str, request: gr.Request, token: gr.OAuthToken | None) -> Updates:
        """Everything that is about one row; what a browser names is looked up among what there is."""
        workspace, account, language = self.visitors.of(request), self.account(token), language_of(request)
        known = self.asking.known(workspace.checkpoints, account)
        one = held(self.library, workspace).get(key)
        sync = self.remote(key, known) if key.startswith(REMOTE) else None
        if one is None and sync is None:
            key = ""
        shown = details.of_local(one, language) if one else details.of_remote(sync, language) if sync else None
        readable = one is not None and _is_readable(one)
        return {
            self.chosen: key,
            self.details: shown or details.nothing(language),
            self.push_tab: gr.Tab(visible=readable),
            self.export_tab: gr.Tab(visible=readable),
            self.rename_tab: gr.Tab(visible=one is not None and one.own),
            **({} if readable else {self.parts: gr.Tabs(selected="about")}),
            **self.manage.choice_is(one, readable),
            **self.export.choice_is(one if readable else None),
            **self.push.choice_is(one if readable else None, known),
            **self.pull.choice_is(one, sync, known),
        }

    def remote(self, key: str, known: Known | None) -> Any:
        """What is known of a row that only the Hub has."""
        repo = key.removeprefix(REMOTE)
        return (
            next((sync for sync in known.syncs if sync.folder is None and sync.repo == repo), None) if known else None
        )

    def one(self, key: str, request: gr.Request) -> Held:
        """The checkpoint that is chosen. Raises `UserError` where it is not there any more."""
        return held_by_key(self.library, self.visitors.of(request), key)

    def key_of(self, folder: Any, workspace: Workspace) -> str:
        """The key of the row of a folder."""
        return next((key for key, one in held(self.library, workspace).items() if one.folder == folder), "")

    # What changes ----------------------------------------------------------------------------------------

    def after(
        self, request: gr.Request, token: gr.OAuthToken | None, chosen: str, told: str = "", ask: bool = True
    ) -> Updates:
        """The whole page after something has changed: this tab, and all model pickers."""
        return (
            self.finetune.refresh_models(request)
            | self.status.done(told)
            | self.listed(request, token, chosen, ask=ask)
        )

    def problem(self, error: UserError, request: gr.Request) -> Updates:
        """What went wrong, without the folders in which the server has its things."""
        return self.status.problem(explain(self.plain(error), language_of(request)))

    @staticmethod
    def plain(error: UserError) -> UserError:
        """The same without the folders in which the server has its things."""
        fields = {name: value.name if isinstance(value, Path) else value for name, value in error.fields.items()}
        return UserError(error.template, **fields)

    def failed(self, request: gr.Request, what: str) -> Updates:
        """Called from within `except`. what: for the log."""
        logging.getLogger(__name__).exception(what)
        return self.status.problem(say("cp_failed", language_of(request)))

    def place(self, request: gr.Request) -> Path:
        """What tells one visitor from another."""
        return self.visitors.of(request).checkpoints

    def stopped(self, request: gr.Request) -> Updates:
        """Stop was pressed."""
        return self.status.problem(say("cp_stopped", language_of(request)), "stopped")


SHOW_DETAILS = """() => {
  const box = document.querySelector(".cp-chosen");
  if (!box) return;
  box.scrollTop = 0;
  if (innerWidth > 899) return;
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  box.scrollIntoView({ behavior, block: "start" });
}"""


def _is_readable(one: Held) -> bool:
    try:
        one.config()
    except UserError:
        return False
    return True
