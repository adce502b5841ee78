"""What can be done with a checkpoint here: used, renamed, deleted and brought back; and one that comes as a ZIP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from seg_demo.errors import UserError
from seg_demo.jobs.workspace import Workspace
from seg_demo.ui.background import Progress
from seg_demo.ui.checkpoints import limits
from seg_demo.ui.checkpoints.rows import Held
from seg_demo.ui.i18n import language_of, say, text
from seg_demo.ui.segment import SegmentTab
from seg_demo.ui.status import Updates
from seg_demo.ui.threshold import ThresholdTab
from seg_demo.ui.uploads import FileInput

if TYPE_CHECKING:
    from seg_demo.ui.checkpoints.tab import CheckpointsTab

ARCHIVES = [".zip", ".tar", ".tgz", ".gz"]


class ManagePart:
    """Builds its pieces where the tab calls for them, and answers their events."""

    def __init__(self, tab: CheckpointsTab) -> None:
        self.tab = tab
        with gr.Accordion(text("cp_import"), open=False, elem_id="cp-import-box"):
            self.archive = FileInput(
                label=text("cp_import_about"), file_count="single", file_types=ARCHIVES, height=130, elem_id="cp-import"
            )
        with gr.Row(elem_classes="cp-undo"):
            self.undo = gr.Button("", size="sm", visible=False, elem_id="cp-undo")
        self.removed = gr.State("")  # the id of what Undo brings back

    def build_buttons(self) -> None:
        """What is done most often, over the details."""
        self.use = gr.Button(text("use_it"), variant="primary", size="sm", visible=False, elem_id="cp-use")
        self.threshold = gr.Button(text("to_threshold"), size="sm", visible=False, elem_id="cp-threshold")
        self.remove = gr.Button(text("cp_delete"), size="sm", visible=False, elem_id="cp-delete")

    def build_name(self) -> None:
        """Another name."""
        with gr.Row(elem_classes="cp-form"):
            self.name = gr.Textbox(label=text("keep_as"), max_lines=1, elem_id="cp-name")
            self.rename = gr.Button(text("rename"), variant="primary", elem_id="cp-rename")

    @property
    def of_choice(self) -> list[Any]:
        return [self.use, self.threshold, self.remove, self.name]

    @property
    def undo_parts(self) -> list[Any]:
        return [self.undo, self.removed]

    def choice_is(self, one: Held | None, readable: bool) -> Updates:
        """one: what is chosen. readable: whether a model can be made of it."""
        return {
            self.use: gr.Button(visible=readable),
            self.threshold: gr.Button(visible=readable),
            self.remove: gr.Button(visible=one is not None and one.own),
            self.name: one.folder.name if one else "",
        }

    def undo_shown(self, workspace: Workspace, language: str) -> Updates:
        """What was deleted last can be brought back."""
        last = next(iter(workspace.removed()), None)
        words = say("cp_undo", language, name=last.name) if last else ""
        return {self.undo: gr.Button(words, visible=last is not None), self.removed: last.id if last else ""}

    def wire(self, seen: list[Any], quiet: dict[str, Any]) -> list[Any]:
        """seen: everything of the page that may change. Returns what Stop ends."""
        chosen = self.tab.chosen
        self.remove.click(self.remove_it, chosen, seen, **quiet)
        self.undo.click(self.bring_back, self.removed, seen, **quiet)
        for start in (self.rename.click, self.name.submit):
            start(self.rename_it, [chosen, self.name], seen, **quiet)
        return [self.archive.upload(self.bring, self.archive, [*seen, self.archive], **quiet)]

    def wire_use(self, tabs: gr.Tabs, segment: SegmentTab, threshold: ThresholdTab, quiet: dict[str, Any]) -> None:
        """Where it is used: `tabs` are those of the page."""
        self.tabs, self.segment, self.threshold_tab = tabs, segment, threshold
        self.use.click(self.use_it, self.tab.chosen, [tabs, segment.model, *self.tab.status.parts], **quiet)
        opened = self.threshold.click(
            self.open_in_threshold, self.tab.chosen, [tabs, threshold.model, *self.tab.status.parts], **quiet
        )
        threshold.follow(opened)

    # Events ----------------------------------------------------------------------------------------------

    def use_it(self, chosen: str, request: gr.Request) -> Updates:
        """The Segment tab with this model."""
        return self._opened("segment", self.segment.model, chosen, request)

    def open_in_threshold(self, chosen: str, request: gr.Request) -> Updates:
        """The Threshold tab with this model."""
        return self._opened("threshold", self.threshold_tab.model, chosen, request)

    def _opened(self, tab: str, picker: Any, chosen: str, request: gr.Request) -> Updates:
        try:
            one = self.tab.one(chosen, request)
        except UserError as error:
            return self.tab.problem(error, request)
        return {self.tabs: gr.Tabs(selected=tab), picker: one.key}

    def remove_it(self, chosen: str, request: gr.Request, token: gr.OAuthToken | None) -> Updates:
        """Delete it; Undo brings it back."""
        workspace, language = self.tab.visitors.of(request), language_of(request)
        try:
            removed = workspace.remove(self._own(chosen, request).folder.name)
        except UserError as error:
            return self.tab.problem(error, request) | self.tab.listed(request, token, chosen)
        return self.tab.after(request, token, "", say("cp_deleted", language, name=removed.name))

    def bring_back(self, removed: str, request: gr.Request, token: gr.OAuthToken | None) -> Updates:
        """Undo was pressed."""
        workspace = self.tab.visitors.of(request)
        try:
            if self.tab.visitors.public:
                limits.check_room(workspace)
            folder = workspace.restore(removed)
        except UserError as error:
            return self.tab.problem(error, request) | self.undo_shown(workspace, language_of(request))
        told = say("cp_restored", language_of(request), name=folder.name)
        return self.tab.after(request, token, self.tab.key_of(folder, workspace), told)

    def rename_it(self, chosen: str, name: str, request: gr.Request, token: gr.OAuthToken | None) -> Updates:
        workspace = self.tab.visitors.of(request)
        try:
            one = self._own(chosen, request)
            if name.strip() == one.folder.name:
                return self.tab.status.done()
            folder = workspace.rename(one.folder.name, name)
        except UserError as error:
            return self.tab.problem(error, request)
        told = say("cp_renamed", language_of(request), name=one.name, other=folder.name)
        return self.tab.after(request, token, self.tab.key_of(folder, workspace), told)

    def bring(self, archive: str | None, request: gr.Request, token: gr.OAuthToken | None) -> Iterator[Updates]:
        """A checkpoint that comes as a ZIP or TAR."""
        if not archive:
            yield self.tab.status.done()
            return
        workspace, language = self.tab.visitors.of(request), language_of(request)
        try:
            folder = yield from self.tab.status.following(
                lambda progress: self._taken_in(Path(archive), workspace, progress), say("cp_importing", language)
            )
            told = say("cp_imported", language, name=folder.name)
            yield self.tab.after(request, token, self.tab.key_of(folder, workspace), told) | {self.archive: None}
        except UserError as error:
            yield self.tab.problem(error, request) | {self.archive: None}
        except Exception:
            yield self.tab.failed(request, "A checkpoint could not be imported.") | {self.archive: None}

    def _taken_in(self, archive: Path, workspace: Workspace, progress: Progress) -> Path:
        from seg_demo.checkpoint.package import read_package

        if not self.tab.visitors.public:
            return read_package(archive, workspace.checkpoints, progress=progress)
        limits.check_room(workspace)
        return read_package(archive, workspace.checkpoints, limits=limits.PACKAGE, progress=progress)

    def _own(self, chosen: str, request: gr.Request) -> Held:
        """What is chosen, of the visitor's own. Raises `UserError` for one that all share."""
        one = self.tab.one(chosen, request)
        if not one.own:
            raise UserError("The checkpoint {name} is for everybody here, so it stays as it is.", name=one.name)
        return one
