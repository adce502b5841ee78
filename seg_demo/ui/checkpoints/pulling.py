"""The panel that finds checkpoints on the Hub and pulls them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from seg_demo.checkpoint.name import check_name, made_plain
from seg_demo.errors import UserError
from seg_demo.hub.account import Account
from seg_demo.ui.checkpoints import limits
from seg_demo.ui.checkpoints.asking import Known
from seg_demo.ui.checkpoints.details import layout_name
from seg_demo.ui.checkpoints.found import FoundList, FoundRow, FoundValue
from seg_demo.ui.checkpoints.rows import Held
from seg_demo.ui.checkpoints.transfers import Transfer
from seg_demo.ui.i18n import explain, language_of, say, text
from seg_demo.ui.status import Updates

if TYPE_CHECKING:
    from seg_demo.jobs.workspace import Workspace
    from seg_demo.ui.checkpoints.tab import CheckpointsTab

MOST_FOUND = 30
LONGEST_SEARCH = 100


class PullPart:
    """Builds the panel inside the `gr.Blocks` that is being built, and answers its events."""

    def __init__(self, tab: CheckpointsTab) -> None:
        self.tab = tab
        with gr.Accordion(text("cp_pull"), open=False, elem_id="cp-pull-box") as self.box:
            with gr.Row(elem_classes="cp-line"):
                self.words = gr.Textbox(
                    label=text("cp_search"), info=text("cp_search_info"), max_lines=1, scale=4, elem_id="cp-search"
                )
                self.search = gr.Button(text("cp_search_it"), scale=1, min_width=100, elem_id="cp-search-go")
            self.found = FoundList(elem_id="cp-found")
            with gr.Row():
                self.repo = gr.Textbox(
                    label=text("cp_repo"),
                    placeholder="OWNER/NAME@REVISION",
                    max_lines=1,
                    scale=3,
                    elem_id="cp-pull-repo",
                )
                self.name = gr.Textbox(label=text("cp_keep_under"), max_lines=1, scale=2, elem_id="cp-pull-name")
            self.replace = gr.Checkbox(
                label=text("cp_replace"), info=text("cp_replace_info"), visible=False, elem_id="cp-replace"
            )
            self.go = gr.Button(text("cp_pull_it"), variant="primary", elem_id="cp-pull")

    def build_offer(self) -> None:
        """Over the details of what the Hub has, or has newer."""
        self.offered = gr.Button(
            text("cp_pull_this"), variant="primary", size="sm", visible=False, elem_id="cp-pull-this"
        )

    @property
    def of_choice(self) -> list[Any]:
        return [self.offered, self.repo, self.name, self.replace]

    def choice_is(self, one: Held | None, sync: Any, known: Known | None) -> Updates:
        """A row that can be pulled fills the fields: what only the Hub has, or has newer."""
        if one is not None:
            of_one = next((each for each in known.syncs if each.folder == one.folder), None) if known else None
            sync = of_one if of_one and one.own and of_one.state in ("remote newer", "diverged") else None
        if sync is None:
            return {self.offered: gr.Button(visible=False), self.replace: gr.Checkbox(value=False, visible=False)}
        name = one.folder.name if one else made_plain(sync.repo.partition("/")[2])
        return {
            self.offered: gr.Button(visible=True, variant="secondary" if one else "primary"),
            self.repo: sync.repo,
            self.name: name,
            self.replace: gr.Checkbox(value=False, visible=bool(one) and sync.state == "diverged"),
        }

    def may_replace(self, transfer: Transfer, workspace: Workspace) -> Updates:
        """After a pull that failed: what is there under that name may be given up."""
        there = transfer.kind == "pull" and (transfer.folder / "config.json").is_file()
        replaceable = there and not workspace.is_bundled(transfer.folder.name)
        return {self.replace: gr.Checkbox(visible=True), self.box: gr.Accordion(open=True)} if replaceable else {}

    def wire(self, seen: list[Any], quiet: dict[str, Any]) -> list[Any]:
        """seen: everything of the page that may change. Returns what Stop ends."""
        fields = [self.repo, self.name, self.replace]
        for start in (self.go.click, self.repo.submit, self.offered.click):
            start(self.pull, fields, seen, **quiet)
        out = [self.found, *self.tab.status.parts]
        looked = [start(self.look_for, self.words, out, **quiet) for start in (self.search.click, self.words.submit)]
        self.found.take(
            self.take, None, [self.repo, self.name, self.replace], queue=False, trigger_mode="always_last", **quiet
        )
        self.repo.input(_name_for, self.repo, self.name, queue=False, trigger_mode="always_last", **quiet)
        return looked

    def look_for(self, words: str, request: gr.Request, token: gr.OAuthToken | None) -> Iterator[Updates]:
        """Search the Hub."""
        language, account = language_of(request), self.tab.account(token)
        known = self.tab.asking.known(self.tab.place(request), account)
        who = known.who if known else ""
        try:
            rows = yield from self.tab.status.following(
                lambda progress: searched(words, account, who, progress), say("cp_searching", language)
            )
            found = [
                FoundRow(
                    repo=each.repo, layout=layout_name(each.layout, language), downloads=each.downloads,
                    likes=each.likes, private=each.private, own=bool(who) and each.repo.startswith(f"{who}/"),
                )
                for each in rows
            ]  # fmt: skip
            nothing = "" if found else say("cp_found_nothing", language)
            yield {self.found: FoundValue(rows=found, sentence=nothing), **self.tab.status.done()}
        except UserError as error:
            yield {self.found: FoundValue(rows=[], sentence=explain(error, language)), **self.tab.status.done()}
        except Exception:
            logging.getLogger(__name__).exception("The Hub could not be searched.")
            yield {self.found: None, **self.tab.status.problem(say("cp_failed", language))}

    def take(self, request: gr.Request, event: gr.EventData) -> Updates:
        """One of what was found fills the fields."""
        data = event._data if isinstance(event._data, dict) else {}
        repo = str(data.get("repo", ""))[:200]
        return {self.repo: repo, self.name: _name_for(repo), self.replace: gr.Checkbox(value=False, visible=False)}

    def pull(self, repo: str, name: str, replace: bool, request: gr.Request, token: gr.OAuthToken | None) -> Updates:
        """Begin to pull."""
        try:
            transfer = self.begin(repo, name, replace, self.tab.account(token), request)
        except UserError as error:
            return self.tab.problem(error, request)
        return self.tab.under_way.updates(transfer, language_of(request)) | self.tab.status.done()

    def begin(self, repo: str, name: str, replace: bool, account: Account, request: gr.Request) -> Transfer:
        """Pull in a thread of its own. Raises `UserError` for what can be known at once."""
        from seg_demo.hub.limits import LIMITS
        from seg_demo.hub.pull import pull
        from seg_demo.hub.repo import Repo

        workspace, wanted = self.tab.visitors.of(request), Repo.parse(repo)
        name = check_name(name) if name.strip() else made_plain(wanted.name)
        folder = workspace.checkpoints / name
        if workspace.is_bundled(name):
            raise UserError("The checkpoint {name} came with the program. Choose another name.", name=name)
        public = self.tab.visitors.public
        if public and not folder.exists():
            limits.check_room(workspace)
        bounds = limits.PULL if public else LIMITS
        workspace.checkpoints.mkdir(parents=True, exist_ok=True)
        return self.tab.transfers.begin(
            workspace.checkpoints, Transfer("pull", folder, wanted.id),
            lambda progress: pull(
                str(wanted), folder, account=account, limits=bounds, replace=replace, progress=progress
            ),
        )  # fmt: skip


def searched(words: str, account: Account, who: str, progress: Any = None) -> list[Any]:
    """Repositories that can be pulled, those of `who` first. Raises `UserError`."""
    from seg_demo.hub.client import Client
    from seg_demo.hub.remote import list_remote

    client = Client(account, alive=lambda: progress(0, 0) if progress else None)
    found = list_remote(client, search=words.strip()[:LONGEST_SEARCH], foreign=True, most=MOST_FOUND)
    if who:
        mine = list_remote(client, search=words.strip()[:LONGEST_SEARCH], owner=who, most=MOST_FOUND)
        found = [*mine, *(each for each in found if each.repo not in {one.repo for one in mine})]
    return found


def _name_for(repo: str) -> str:
    """A name for what comes from a repository; "" where there is none yet."""
    last = repo.partition("@")[0].rstrip("/").rpartition("/")[2].strip()
    return made_plain(last) if last else ""
