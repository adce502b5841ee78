"""The Checkpoints tab for programs."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from seg_demo.errors import UserError
from seg_demo.ui.checkpoints.limits import AT_ONCE
from seg_demo.ui.checkpoints.rows import held, rows_of
from seg_demo.ui.checkpoints.transfers import Transfer
from seg_demo.ui.i18n import explain, language_of, say

if TYPE_CHECKING:
    from seg_demo.ui.checkpoints.tab import CheckpointsTab

LOOK_EVERY = 0.1  # seconds


class CheckpointsApi:
    """The endpoints /checkpoints, /push and /pull, which have no widgets that are seen.

    Built inside the `gr.Blocks` that is being built. They ask the Hub in the name of whoever is signed in, as the tab.
    """

    def __init__(self, tab: CheckpointsTab) -> None:
        self.tab = tab
        result = gr.JSON(label="result", visible=False)

        def words(label: str, value: str = "") -> gr.Textbox:
            return gr.Textbox(value, label=label, visible=False)

        def flag(label: str, value: bool = False) -> gr.Checkbox:
            return gr.Checkbox(value, label=label, visible=False)

        name, repo = words("checkpoint"), words("repo")
        options = [words("licence"), words("message"), words("tag"), flag("pull_request"), flag("overwrite")]
        shared: dict[str, Any] = {"concurrency_id": "cp-api", "concurrency_limit": AT_ONCE}
        gr.Button(visible=False).click(self.checkpoints, None, result, api_name="checkpoints", **shared)
        gr.Button(visible=False).click(
            self.push, [name, repo, flag("private", True), *options], result, api_name="push", **shared
        )
        gr.Button(visible=False).click(
            self.pull, [repo, words("name"), flag("replace")], result, api_name="pull", **shared
        )

    def checkpoints(self, request: gr.Request, token: gr.OAuthToken | None) -> list[dict[str, Any]]:
        """The checkpoints that are here, then those that only the Hub has.

        Each with its key (which chooses it as a model), name, kind, classes, mean IoU, size in bytes, when it was
        written and pushed (seconds since 1970), repository and state: "local only", "remote only", "equal",
        "local newer", "remote newer", "diverged", or "unknown" where the Hub cannot be asked.
        """

        def listed() -> list[dict[str, Any]]:
            workspace, account = self.tab.visitors.of(request), self.tab.account(token)
            here = held(self.tab.library, workspace)
            known = self.tab.asking.ask(workspace.checkpoints, [one.folder for one in here.values()], account)
            rows = rows_of(here.values(), known.syncs, language_of(request), known.problem is not None)
            return [row.model_dump() for row in rows]

        return self._answered(listed, request)

    def push(
        self, checkpoint: str, repo: str, private: bool, licence: str, message: str, tag: str, pull_request: bool,
        overwrite: bool, request: gr.Request, token: gr.OAuthToken | None,
    ) -> dict[str, Any]:  # fmt: skip
        """Push a checkpoint, by its key or name, to the repository "OWNER/NAME".

        private: whether only its owner sees it. licence: an id such as "mit". tag: a version that names it. overwrite:
        whether what has changed there meanwhile may be put aside. Returns repo, commit, url, pull_request, tag, changed
        and private.
        """

        def pushed() -> dict[str, Any]:
            here = held(self.tab.library, self.tab.visitors.of(request))
            by_name = {one.name: one for one in here.values()} | here
            if checkpoint not in by_name:
                raise UserError("This checkpoint is not here any more. Choose another one.")
            transfer = self.tab.push.begin(
                by_name[checkpoint], repo, self.tab.account(token), request, private=bool(private),
                licence=licence or "", message=message or "", tag=tag or "", pull_request=bool(pull_request),
                overwrite=bool(overwrite), pictures=[],
            )  # fmt: skip
            return dataclasses.asdict(_waited_for(transfer))

        return self._answered(pushed, request)

    def pull(
        self, repo: str, name: str, replace: bool, request: gr.Request, token: gr.OAuthToken | None
    ) -> dict[str, Any]:
        """Pull "OWNER/NAME[@REVISION]" under a name, by default the repository's.

        replace: whether another checkpoint of this name may be lost. Returns key (which chooses it as a model), name,
        repo, commit, layout and changed.
        """

        def pulled() -> dict[str, Any]:
            transfer = self.tab.pull.begin(repo, name or "", bool(replace), self.tab.account(token), request)
            document = dataclasses.asdict(_waited_for(transfer))
            folder = Path(document.pop("folder"))
            key = self.tab.key_of(folder, self.tab.visitors.of(request))
            return {"key": key, "name": folder.name, **document}

        return self._answered(pulled, request)

    def _answered(self, work: Callable[[], Any], request: gr.Request) -> Any:
        """What goes wrong is one sentence."""
        language = language_of(request)
        try:
            return work()
        except UserError as error:
            raise gr.Error(explain(self.tab.plain(error), language), print_exception=False) from None
        except Exception:
            logging.getLogger(__name__).exception("A request about checkpoints failed.")
            raise gr.Error(say("cp_failed", language), print_exception=False) from None


def _waited_for(transfer: Transfer) -> Any:
    """What came of it. Raises `UserError` where nothing did."""
    while transfer.state == "running":
        time.sleep(LOOK_EVERY)
    if transfer.state == "done":
        return transfer.result
    if transfer.state == "stopped":
        raise UserError("The transfer was stopped.")
    raise transfer.problem or RuntimeError("the transfer failed")
