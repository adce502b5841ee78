"""The fourth step: the new model beside the one it started from, and what becomes of it."""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from seg_demo.errors import UserError
from seg_demo.jobs.job import Job
from seg_demo.ui.finetune import comparison_nodes
from seg_demo.ui.finetune.comparing import Compared, compared, newest
from seg_demo.ui.fragment import Fragment
from seg_demo.ui.i18n import explain, language_of, say, text
from seg_demo.ui.segment import ModelPicker
from seg_demo.ui.status import StatusRow, Updates
from seg_demo.ui.visitors import Visitors

MOST_KNOWN = 8  # comparisons that are kept in memory


class KeepPart:
    """Builds the step inside the `gr.Blocks` that is being built, and answers its events.

    run: the picker of the run that it is about. refresh: the model pickers of the whole page, with a new one in them;
    it is told the name of a model to choose, or nothing.
    """

    def __init__(self, visitors: Visitors, status: StatusRow, run: gr.Dropdown) -> None:
        self.visitors, self.status, self.run = visitors, status, run
        self._known: OrderedDict[tuple[Path, float], Compared] = OrderedDict()
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
        self.kept = gr.State("")  # the name that the run's checkpoint was kept by

    def wire(self, refresh: Callable[[gr.Request, str], Updates], pickers: Sequence[Any]) -> list[Any]:
        """Connect the buttons; pickers: what `refresh` changes. Returns what `show` changes."""
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
            *self.status.parts, self.name, self.kept, self.kept_words, self.keep, self.rename, self.use, self.remove,
            *pickers,
        ]  # fmt: skip
        self.picture.select(self.look_at, [self.run, self.picture], [self.slider, self.labelled], **quiet)
        self.keep.click(self.keep_it, [self.run, self.name, self.kept], told, **quiet)
        self.name.submit(self.keep_it, [self.run, self.name, self.kept], told, **quiet)
        self.rename.click(self.rename_it, [self.name, self.kept], told, **quiet)
        self.remove.click(self.remove_it, [self.kept], told, **quiet)
        return [*shown, *(part for part in told if part not in shown and part not in pickers)]

    def show(self, run: str | None, request: gr.Request) -> Iterator[Updates]:
        """Compare the run's model with the one it started from, or show what came out before."""
        language = language_of(request)
        try:
            job = Job(self.visitors.of(request).run_folder(run or ""))
            key = job.folder, newest(job).stat().st_mtime
            found = self._known.get(key)
            yield self._not_kept(job) | {self.card: None, self.box: gr.Row(visible=False)}
            if found is None:
                cache = Path(self.slider.GRADIO_CACHE)
                found = yield from self.status.following(
                    lambda progress: compared(job, cache, progress), say("comparing", language)
                )
                self._known[key] = found
                while len(self._known) > MOST_KNOWN:
                    self._known.popitem(last=False)
            yield self._told(found, job, language) | self.status.done()
        except UserError as error:
            yield self.status.problem(explain(error, language))
        except Exception:
            logging.getLogger(__name__).exception("A comparison failed.")
            yield self.status.problem(say("compare_failed", language))

    def _not_kept(self, job: Job) -> Updates:
        hidden = gr.Button(visible=False)
        return {
            self.name: job.name, self.kept: "", self.kept_words: None, self.keep: gr.Button(visible=True),
            self.rename: hidden, self.use: hidden, self.remove: hidden,
        }  # fmt: skip

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
        shown = found.shown.get(int(index)) if index is not None and index.isdecimal() else None
        if shown is None:
            return {self.slider: None, self.labelled: None}
        return {self.slider: (shown.base or shown.labelled, shown.new), self.labelled: shown.labelled}

    def look_at(self, run: str | None, index: str, request: gr.Request) -> Updates:
        """Another picture."""
        with contextlib.suppress(UserError):
            folder = Job(self.visitors.of(request).run_folder(run or "")).folder
            found = next((each for (known, _), each in reversed(self._known.items()) if known == folder), None)
            if found:
                return self._picture(found, index)
        return {self.slider: None, self.labelled: None}

    # What becomes of it ----------------------------------------------------------------------------------

    def keep_it(self, run: str | None, name: str | None, kept: str, request: gr.Request) -> Updates:
        """Copy the checkpoint to the visitor's own; all model pickers have it at once."""

        def keep() -> str:
            workspace = self.visitors.of(request)
            return workspace.keep(newest(Job(workspace.run_folder(run or ""))), name or "").name

        return self._done(keep, "kept_as", kept, request)

    def rename_it(self, name: str | None, kept: str, request: gr.Request) -> Updates:
        return self._done(lambda: self.visitors.of(request).rename(kept, name or "").name, "kept_as", kept, request)

    def remove_it(self, kept: str, request: gr.Request) -> Updates:
        def remove() -> str:
            self.visitors.of(request).remove(kept)
            return ""

        return self._done(remove, "removed_kept", kept, request)

    def _done(self, work: Callable[[], str], words: str, before: str, request: gr.Request) -> Updates:
        language = language_of(request)
        try:
            name = work()
        except UserError as error:
            return self.status.problem(explain(error, language))
        there = bool(name)
        return {
            self.kept: name,
            self.kept_words: comparison_nodes.kept(say(words, language, name=name or before)),
            self.keep: gr.Button(visible=not there),
            self.rename: gr.Button(visible=there),
            self.use: gr.Button(visible=there),
            self.remove: gr.Button(visible=there),
            **self.refresh(request, name),
            **self.status.done(),
        }
