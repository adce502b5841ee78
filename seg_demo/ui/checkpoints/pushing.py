"""The panel that pushes a checkpoint to the Hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from seg_demo.checkpoint.licences import LICENCES
from seg_demo.errors import UserError
from seg_demo.hub.account import Account
from seg_demo.ui.checkpoints.asking import Known
from seg_demo.ui.checkpoints.rows import Held
from seg_demo.ui.checkpoints.signing import can_sign_in
from seg_demo.ui.checkpoints.transfers import Transfer
from seg_demo.ui.i18n import language_of, text
from seg_demo.ui.status import Updates
from seg_demo.ui.uploads import PicturesInput

if TYPE_CHECKING:
    from seg_demo.ui.checkpoints.tab import CheckpointsTab

MOST_PICTURES = 4


class PushPart:
    """Builds the panel inside the `gr.Blocks` that is being built, and answers its events."""

    def __init__(self, tab: CheckpointsTab) -> None:
        self.tab = tab
        if tab.visitors.public and not can_sign_in():
            gr.Markdown(text("cp_cannot_push"), elem_id="cp-cannot-push")
        possible = not tab.visitors.public or can_sign_in()
        with gr.Column(visible=possible, elem_classes="cp-form", elem_id="cp-push-form"):
            self.repo = gr.Textbox(
                label=text("cp_repo"),
                info=text("cp_repo_info"),
                placeholder="OWNER/NAME",
                max_lines=1,
                elem_id="cp-repo",
            )
            self.private = gr.Checkbox(
                True, label=text("cp_private"), info=text("cp_private_info"), elem_id="cp-private"
            )
            with gr.Row():
                self.licence = gr.Dropdown(
                    [(text("cp_no_licence"), ""), *((f"{title} ({name})", name) for name, title in LICENCES.items())],  # type: ignore[list-item]
                    value="", label=text("cp_licence"), elem_id="cp-licence",
                )  # fmt: skip
                self.version = gr.Textbox(
                    label=text("cp_tag"), placeholder="v1.0", max_lines=1, min_width=120, elem_id="cp-tag"
                )
            self.message = gr.Textbox(label=text("cp_message"), max_lines=1, elem_id="cp-message")
            self.request = gr.Checkbox(label=text("cp_request"), info=text("cp_request_info"), elem_id="cp-request")
            with gr.Accordion(text("cp_samples"), open=False, elem_id="cp-samples-box"):
                gr.Markdown(text("cp_samples_about"))
                self.pictures = PicturesInput(
                    show_label=False, sources=["upload"], type="filepath", file_types=["image"], columns=4, height=150,
                    object_fit="cover", elem_id="cp-samples",
                )  # fmt: skip
            self.overwrite = gr.Checkbox(
                label=text("cp_overwrite"), info=text("cp_overwrite_info"), visible=False, elem_id="cp-overwrite"
            )
            self.go = gr.Button(text("cp_push_it"), variant="primary", elem_id="cp-push")
        self.for_key = gr.State("")  # the checkpoint that the fields are about

    @property
    def of_choice(self) -> list[Any]:
        return [self.repo, self.overwrite, self.version, self.message, self.for_key, self.request]

    @property
    def of_account(self) -> list[Any]:
        return [self.repo, self.overwrite]

    def choice_is(self, one: Held | None, known: Known | None) -> Updates:
        """Fields for another checkpoint: its repository, or a name for a new one."""
        if one is None:
            return {self.for_key: ""}
        sync = next((sync for sync in known.syncs if sync.folder == one.folder), None) if known else None
        conflict = sync is not None and sync.state in ("remote newer", "diverged")
        repo = sync.repo if sync and sync.repo else _linked(one.folder) or _suggested(one, known.who if known else "")
        return {
            self.for_key: one.key, self.repo: repo, self.version: "", self.message: "", self.request: False,
            self.overwrite: gr.Checkbox(value=False, visible=conflict),
        }  # fmt: skip

    def account_is(self, one: Held | None, repo: str, known: Known | None) -> Updates:
        """What the Hub says is known now. repo: what the field holds, which stays if that is anything."""
        if one is None:
            return {}
        updates = self.choice_is(one, known)
        return {self.overwrite: updates[self.overwrite]} | ({} if repo.strip() else {self.repo: updates[self.repo]})

    def may_overwrite(self, transfer: Transfer) -> Updates:
        """What the Hub has was not what we knew of."""
        from seg_demo.hub.trouble import Stale

        return {self.overwrite: gr.Checkbox(visible=True)} if isinstance(transfer.problem, Stale) else {}

    def done(self) -> Updates:
        return {
            self.overwrite: gr.Checkbox(value=False, visible=False),
            self.version: "",
            self.message: "",
            self.pictures: None,
        }

    def wire(self, seen: list[Any], quiet: dict[str, Any]) -> None:
        fields = [
            self.tab.chosen, self.repo, self.private, self.licence, self.message, self.version, self.request,
            self.overwrite, self.pictures,
        ]  # fmt: skip
        self.go.click(self.push, fields, seen, **quiet)

    def push(
        self, chosen: str, repo: str, private: bool, licence: str | None, message: str, tag: str, pull_request: bool,
        overwrite: bool, pictures: list[tuple[str, str | None]] | None, request: gr.Request,
        token: gr.OAuthToken | None,
    ) -> Updates:  # fmt: skip
        """Begin to push what is chosen."""
        files = [Path(file) for file, _ in pictures or ()]
        try:
            one, account = self.tab.one(chosen, request), self.tab.account(token)
            if len(files) > MOST_PICTURES:
                raise UserError(
                    "At most {most} sample pictures go with a checkpoint. Take some away.", most=MOST_PICTURES
                )
            transfer = self.begin(
                one, repo, account, request, private=private, licence=licence or "", message=message, tag=tag,
                pull_request=pull_request, overwrite=overwrite, pictures=files,
            )  # fmt: skip
        except UserError as error:
            return self.tab.problem(error, request)
        return self.tab.under_way.updates(transfer, language_of(request)) | self.tab.status.done()

    def begin(self, one: Held, repo: str, account: Account, request: gr.Request, **options: Any) -> Transfer:
        """Push in a thread of its own. Raises `UserError` for what can be known at once."""
        from seg_demo.hub.push import push
        from seg_demo.hub.repo import Repo

        self.check_account(account)
        target = Repo.parse(repo)
        transfer = Transfer("push", one.folder, target.id)
        return self.tab.transfers.begin(
            self.tab.place(request), transfer,
            lambda progress: push(one.folder, repo.strip(), account=account, progress=progress, **options),
        )  # fmt: skip

    def check_account(self, account: Account) -> None:
        """Raises `UserError` where nobody is signed in."""
        if account.token is None and self.tab.visitors.public:
            raise UserError("Pushing needs your own account of the Hub. Sign in first, over the list.")
        if account.token is None:
            raise UserError("Pushing needs an account of the Hub. Log in on this computer first: hf auth login.")


def _linked(folder: Path) -> str:
    from seg_demo.checkpoint.link import read_link

    link = read_link(folder)
    return link.repo if link else ""


def _suggested(one: Held, who: str) -> str:
    """A name for a new repository."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", one.folder.name).strip("-") or "checkpoint"
    return f"{who}/{name}" if who else ""
