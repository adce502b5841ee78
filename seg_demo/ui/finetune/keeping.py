"""The fourth step: the new model beside the one it started from, and what becomes of it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_file_to_cache

from seg_demo.errors import UserError
from seg_demo.jobs.job import Job
from seg_demo.jobs.workspace import Workspace
from seg_demo.ui.finetune import comparison_nodes
from seg_demo.ui.finetune.comparing import Compared, compared, newest
from seg_demo.ui.fragment import Fragment
from seg_demo.ui.i18n import explain, language_of, say, text
from seg_demo.ui.remembered import Remembered
from seg_demo.ui.segment import ModelPicker
from seg_demo.ui.status import StatusRow, Updates
from seg_demo.ui.visitors import Visitors

MOST_KNOWN = 8  # comparisons that are kept in memory


class KeepPart:
    """Builds the step inside the `gr.Blocks` that is being built, and answers its events.

    run: the picker of the run that it is about.
    """

    def __init__(self, visitors: Visitors, status: StatusRow, run: gr.Dropdown) -> None:
        self.visitors, self.status, self.run = visitors, status, run
        self._known: Remembered[tuple[Path, float], Compared] = Remembered(MOST_KNOWN)
        with gr.Column(elem_classes="finetune-tab"):
            with gr.Row(elem_classes="run-head"):
                self.name = gr.Textbox(label=text("keep_as"), max_lines=1, min_width=220, elem_id="ft-keep-name")
                with gr.Row(elem_classes="ft-buttons"):
                    self.keep = gr.Button(text("keep_it"), variant="primary", elem_id="ft-keep")
                    self.rename = gr.Button(text("rename"), visible=False, elem_id="ft-rename")
                    self.use = gr.Button(text("use_it"), variant="primary", visible=False, elem_id="ft-use")
                    self.remove = gr.Button(text("remove_kept"), visible=False, elem_id="ft-remove-kept")
            self.kept_words = Fragment(elem_id="ft-kept-words")
            self.card = Fragment(elem_id="ft-compared")
            with gr.Row(elem_id="ft-pictures-box", visible=False) as self.box:
                with gr.Column(scale=1, min_width=240):
                    self.picture = ModelPicker([], label=text("picture"), elem_id="ft-compared-picture")
                with gr.Column(scale=3, min_width=320):
                    self.slider = gr.ImageSlider(
                        label=text("before_after"), type="filepath", format="jpeg", interactive=False,
                        max_height=560, buttons=["fullscreen"], elem_id="ft-slider",
                    )  # fmt: skip
                    self.labelled = gr.Image(
                        label=text("labelled_so"), type="filepath", format="jpeg", interactive=False, buttons=[],
                        height=240, elem_id="ft-labelled",
                    )  # fmt: skip

    def wire(self, refresh: Callable[[gr.Request], Updates], pickers: Sequence[Any]) -> list[Any]:
        """Connect the buttons. refresh: all model pickers of the page, `pickers`, with what there is now.

        Returns what `show` changes.
        """
        self.refresh = refresh
        shown: list[Any] = [
            *self.status.parts,
            self.name,
            self.card,
            self.box,
            self.picture,
            self.slider,
            self.labelled,
        ]
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        told: list[Any] = [
            *self.status.parts, self.name, self.kept_words, self.keep, self.rename, self.use, self.remove,
            *pickers,
        ]  # fmt: skip
        self.picture.select(self.look_at, [self.run, self.picture], [self.slider, self.labelled], **quiet)
        self.keep.click(self.keep_it, [self.run, self.name], told, **quiet)
        self.rename.click(self.rename_it, [self.run, self.name], told, **quiet)
        self.remove.click(self.remove_it, self.run, told, **quiet)
        return [*shown, *(part for part in told if part not in shown and part not in pickers)]

    def show(self, run: str | None, request: gr.Request) -> Iterator[Updates]:
        """Compare the run's model with the one it started from, or show what came out before."""
        language = language_of(request)
        if not run:
            yield self.status.problem(say("run_first", language), "stopped")
            return
        try:
            job = Job(self.visitors.of(request).run_folder(run))
            key = job.folder, newest(job).stat().st_mtime
            found = self._known.get(key)
            fresh = found is None or not found.is_there
            nothing: Updates = {self.card: None, self.box: gr.Row(visible=False)} if fresh else {}
            yield self._kept(job, language, request) | nothing
            if found is None or fresh:
                found = yield from self.status.following(
                    lambda progress: compared(job, progress), say("comparing", language)
                )
                self._known.put(key, found)
            yield self._told(found, job, language) | self.status.done()
        except UserError as error:
            yield self.status.problem(explain(error, language))
        except Exception:
            logging.getLogger(__name__).exception("A comparison failed.")
            yield self.status.problem(say("compare_failed", language))

    def _kept(self, job: Job, language: str, request: gr.Request, words: str = "kept_as") -> Updates:
        """What can be done with the run's model: kept or not, and kept as it is now or as it was before."""
        name = job.facts.kept
        folder = self.visitors.of(request).checkpoints / name
        there = bool(name) and (folder / "config.json").is_file()
        newer = there and newest(job).stat().st_mtime > folder.stat().st_mtime
        sentence = say("kept_before" if newer else words, language, name=name) if there or words != "kept_as" else ""
        return {
            self.name: name if there else job.name,
            self.kept_words: comparison_nodes.kept(sentence) if sentence else None,
            self.keep: gr.Button(visible=newer or not there),
            self.rename: gr.Button(visible=there),
            self.use: gr.Button(visible=there),
            self.remove: gr.Button(visible=there),
        }

    def _told(self, found: Compared, job: Job, language: str) -> Updates:
        pictures = comparison_nodes.pictures(found, language)
        first = str(pictures[0][1]) if pictures else None
        return {
            self.card: comparison_nodes.card(found, job, language),
            self.box: gr.Row(visible=bool(pictures)),
            self.picture: gr.Dropdown(choices=pictures, value=first),  # type: ignore[arg-type]
            **self._picture(found, first),
        }

    def _picture(self, found: Compared, index: str | None) -> Updates:
        shown = next((shown for known, shown in found.shown.items() if str(known) == index), None)
        if shown is None:
            return {self.slider: None, self.labelled: None}
        labelled, base, new = (file and save_file_to_cache(file, self.slider.GRADIO_CACHE) for file in shown)
        title = "before_after" if base else "labelled_new"  # without a base, the label map is what it is held against
        return {
            self.slider: gr.ImageSlider((base or labelled, new), label=text(title)),  # type: ignore[arg-type]
            self.labelled: labelled,
        }

    def look_at(self, run: str | None, index: str, request: gr.Request) -> Updates:
        """Another picture."""
        with contextlib.suppress(UserError):
            folder = Job(self.visitors.of(request).run_folder(run or "")).folder
            found = next((each for (known, _), each in self._known.newest_first() if known == folder), None)
            if found:
                return self._picture(found, index)
        return {self.slider: None, self.labelled: None}

    # What becomes of it ----------------------------------------------------------------------------------

    def keep_it(self, run: str | None, name: str | None, request: gr.Request) -> Updates:
        """Copy the checkpoint to the visitor's own; all model pickers have it at once."""

        def keep(job: Job, workspace: Workspace) -> None:
            kept = job.facts.kept
            job.note(kept=workspace.keep(newest(job), name or "", again=kept).name)

        return self._done(keep, "kept_as", run, request)

    def rename_it(self, run: str | None, name: str | None, request: gr.Request) -> Updates:
        def rename(job: Job, workspace: Workspace) -> None:
            workspace.rename(_kept(job), name or "")

        return self._done(rename, "kept_as", run, request)

    def remove_it(self, run: str | None, request: gr.Request) -> Updates:
        def remove(job: Job, workspace: Workspace) -> None:
            workspace.remove(_kept(job))

        return self._done(remove, "removed_kept", run, request)

    def _done(
        self, work: Callable[[Job, Workspace], None], words: str, run: str | None, request: gr.Request
    ) -> Updates:
        language, workspace = language_of(request), self.visitors.of(request)
        try:
            job = Job(workspace.run_folder(run or ""))
            work(job, workspace)
            return self._kept(job, language, request, words) | self.refresh(request) | self.status.done()
        except UserError as error:
            return self.status.problem(explain(error, language))


def _kept(job: Job) -> str:
    """The name that its checkpoint was kept by. Raises `UserError` where it was deleted in another tab."""
    if not job.facts.kept:
        raise UserError("There is no checkpoint {name} here any more.", name=job.name)
    return job.facts.kept
