"""The Fine-tune tab: labelled pictures in; checked, looked at and repaired before anything is trained with them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
import numpy as np

from seg_demo.data.class_file import class_lines
from seg_demo.errors import UserError
from seg_demo.ui.background import Progress, followed
from seg_demo.ui.finetune import findings
from seg_demo.ui.finetune.bench import (
    Bench,
    bring,
    mend,
    new_home,
    newest,
    original,
    remove,
    renamed,
    report_of,
    still_there,
)
from seg_demo.ui.finetune.folder_picker import FolderPicker
from seg_demo.ui.fragment import Fragment
from seg_demo.ui.i18n import explain, language_of, say, text
from seg_demo.ui.status import StatusRow, Updates

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "newts"
PICTURES_SHOWN = 12
CHECKS_AT_ONCE = 2
Result = TypeVar("Result")


class FineTuneTab:
    """Builds the tab inside the `gr.Blocks` that is being built, and answers its events."""

    def __init__(self) -> None:
        self.status = StatusRow("ft")
        with gr.Row(elem_classes="finetune-tab"):
            with gr.Column(scale=1, min_width=280):
                self._build_bring()
            with gr.Column(scale=3, min_width=320):
                self.welcome = gr.Markdown(text("bring_about"), elem_id="ft-welcome")
                with gr.Column(elem_id="ft-results"):
                    self._build_results()
        self.brought = gr.State([])  # files that were uploaded last, also if they could not be checked
        self.bench = gr.State(None, delete_callback=remove)
        self._wire()

    def _build_bring(self) -> None:
        self.files = gr.File(label=text("bring_files"), file_count="multiple", height=170, elem_id="ft-files")
        self.folder = FolderPicker(elem_id="ft-folder")
        self.example = gr.Button(text("bring_example"), size="sm", elem_id="ft-example")
        with gr.Accordion(text("bring_more"), open=False, elem_id="ft-more"):
            self.names = gr.Textbox(
                label=text("class_names"), info=text("class_names_info"), lines=4, max_lines=12, elem_id="ft-names"
            )
            self.order = gr.Textbox(
                label=text("painting_order"), info=text("painting_order_info"), lines=2, elem_id="ft-order"
            )
            self.again = gr.Button(text("check_again"), size="sm", elem_id="ft-again")

    def _build_results(self) -> None:
        # The style sheet hides what is empty.
        self.verdict = Fragment(elem_id="ft-verdict")
        with gr.Column(elem_id="ft-mended-box"):
            self.mended = Fragment(elem_id="ft-mended")
            with gr.Row(elem_classes="ft-buttons"):
                self.download = gr.DownloadButton(
                    text("download_copy"), variant="primary", size="sm", elem_id="ft-download"
                )
                self.back = gr.Button(text("back"), size="sm", elem_id="ft-back")
        with gr.Row():
            with gr.Column(scale=3, min_width=300, elem_id="ft-findings"):
                with gr.Column(elem_id="ft-repair-box"):
                    self.choices = gr.CheckboxGroup([], label=text("repairs"), elem_id="ft-choices")
                    self.repair = gr.Button(text("repair"), variant="primary", size="sm", elem_id="ft-repair")
                self.cards = Fragment(elem_id="ft-cards")
            with gr.Column(scale=2, min_width=300):
                self.gallery = gr.Gallery(
                    label=text("look"), height="auto", object_fit="contain", interactive=False,
                    buttons=["fullscreen"], elem_id="ft-gallery",
                )  # fmt: skip
                self.classes = Fragment(elem_id="ft-classes")
                with gr.Accordion(text("edit_classes"), open=False, elem_id="ft-edit"):
                    self.edit = gr.Textbox(
                        label=text("class_names"), info=text("edit_classes_info"), lines=4, max_lines=16,
                        elem_id="ft-edit-names",
                    )  # fmt: skip
                    self.rename = gr.Button(text("use_names"), size="sm", elem_id="ft-use-names")
                with gr.Accordion(text("why"), open=False, elem_id="ft-why"):
                    self.reasons = Fragment(elem_id="ft-reasons")

    def _wire(self) -> None:
        shown: list[Any] = [
            *self.status.parts, self.welcome, self.verdict, self.mended, self.download, self.choices, self.cards,
            self.gallery, self.classes, self.edit, self.reasons, self.bench, self.brought, self.files,
        ]  # fmt: skip
        private: dict[str, Any] = {
            "api_visibility": "private", "show_progress": "hidden", "concurrency_id": "check",
            "concurrency_limit": CHECKS_AT_ONCE,
        }  # fmt: skip
        how = [self.names, self.order, self.bench]
        starts = {
            self.files.upload: (self.bring, [self.files, *how, self.brought]),
            self.folder.upload: (self.bring_folder, [self.folder, *how]),
            self.again.click: (self.bring_again, [*how, self.brought]),
            self.example.click: (self.bring_example, [self.bench]),
            self.rename.click: (self.use_names, [self.edit, self.bench]),
            self.repair.click: (self.mend, [self.choices, self.bench]),
        }
        runs = {start: start(answer, inputs, shown, **private) for start, (answer, inputs) in starts.items()}
        # Whatever is started ends what is underway, which would show its own data set over it.
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        for start, own in runs.items():
            start(None, cancels=[run for run in runs.values() if run is not own], **quiet)
        self.status.stop.click(self.stopped, None, self.status.parts, cancels=list(runs.values()), **quiet)
        self.back.click(self.show_original, [self.bench], shown, **quiet)
        self._build_api()

    def _build_api(self) -> None:
        """The endpoint for programs, which has no widgets of its own."""
        archive = gr.File(label="archive", visible=False)
        names = gr.Textbox("", label="class_names", visible=False)
        report = gr.JSON(label="report", visible=False)
        gr.Button(visible=False).click(
            self.check_archive, [archive, names], report, api_name="check", concurrency_id="check",
            concurrency_limit=CHECKS_AT_ONCE,
        )  # fmt: skip

    # Answers ---------------------------------------------------------------------------------------------

    def bring(
        self, files: list[str] | None, names: str | None, order: str | None, bench: Bench | None, brought: list[str],
        request: gr.Request,
    ) -> Iterator[Updates]:  # fmt: skip
        """Check what was uploaded."""
        files = newest(files or [], brought)
        yield from self._bring(files, names, order, bench, request, {self.files: files})

    def bring_folder(
        self, archive: str | None, names: str | None, order: str | None, bench: Bench | None, request: gr.Request
    ) -> Iterator[Updates]:
        """Check a folder that was chosen, instead of the files that were chosen before."""
        brought = [archive] if archive else []
        yield from self._bring(brought, names, order, bench, request, {self.files: None})

    def bring_again(
        self, names: str | None, order: str | None, bench: Bench | None, brought: list[str], request: gr.Request
    ) -> Iterator[Updates]:
        """Check what was uploaded last with other names or another order, also if that went wrong before."""
        yield from self._bring(brought, names, order, bench, request, {})

    def bring_example(self, bench: Bench | None, request: gr.Request) -> Iterator[Updates]:
        """Check the drawn pictures that come along."""
        yield from self._bring([str(EXAMPLE)], "", "", bench, request, {self.files: None})

    def use_names(self, names: str | None, bench: Bench | None, request: gr.Request) -> Iterator[Updates]:
        """Check again with other class names."""
        yield from self._answer(
            lambda progress: renamed(still_there(bench), names or "", progress), "checking", request
        )

    def mend(self, chosen: list[str], bench: Bench | None, request: gr.Request) -> Iterator[Updates]:
        """Write a repaired copy and show it."""
        downloads = Path(self.download.GRADIO_CACHE)
        yield from self._answer(
            lambda progress: mend(still_there(bench), chosen, downloads, progress), "repairing", request
        )

    def show_original(self, bench: Bench | None, request: gr.Request) -> Iterator[Updates]:
        """Back from the repaired copy to what was brought."""
        yield from self._answer(lambda progress: original(still_there(bench)), "checking", request)

    def stopped(self, request: gr.Request) -> Updates:
        return self.status.problem(say("check_stopped", language_of(request)), "stopped")

    def check_archive(self, archive: str, class_names: str, request: gr.Request) -> dict[str, Any]:
        """Check a zip or tar of labelled pictures.

        class_names: one a line in the order of the ids, or nothing. Returns the report: whether training may start,
        classes with their shares, splits, and what was found, with the files and the repair of each finding.
        """
        if not archive:
            raise gr.Error(say("nothing_brought", language_of(request)), print_exception=False)
        home = new_home()
        try:
            return report_of(bring([Path(archive)], home, class_names or "", ""))
        except UserError as error:
            raise gr.Error(explain(error, language_of(request)), print_exception=False) from None
        except Exception:
            logging.getLogger(__name__).exception("A check failed.")
            raise gr.Error(say("check_failed", language_of(request)), print_exception=False) from None
        finally:
            shutil.rmtree(home, ignore_errors=True)

    # How an answer comes about ---------------------------------------------------------------------------

    def _bring(
        self, files: list[str], names: str | None, order: str | None, old: Bench | None, request: gr.Request,
        always: Updates,
    ) -> Iterator[Updates]:  # fmt: skip
        """A data set in a home of its own, which takes the old one's place once it has been checked.

        always: goes with every update.
        """
        always = {**always, self.brought: files}
        if not files:
            yield always | self.status.problem(say("nothing_brought", language_of(request)))
            return
        home = new_home()
        made: list[Bench] = []

        def brought(progress: Progress) -> Bench:
            made.append(bring([Path(file) for file in files], home, names or "", order or "", progress))
            return made[0]

        try:
            for updates in self._answer(brought, "checking", request):
                if self.bench in updates:
                    remove(old)
                    old = None
                yield always | updates
        finally:
            if not made:
                shutil.rmtree(home, ignore_errors=True)

    def _answer(
        self, work: Callable[[Progress], Bench], doing: str, request: gr.Request
    ) -> Generator[Updates, None, None]:
        """Do the work, show how far it is and what has come of it; what goes wrong is told, and changes nothing."""
        language = language_of(request)
        try:
            bench = yield from self._followed(work, doing, language)
            shown = self.show(bench, language)
            yield shown
            pictures = yield from self._followed(lambda progress: previewed(bench, progress), "drawing", language)
            # All of it again: of two updates shortly after one another, the page may pass over the first.
            yield shown | {self.gallery: pictures} | self.status.done()
        except UserError as error:
            yield self.status.problem(explain(error, language))
        except Exception:
            logging.getLogger(__name__).exception("A check failed.")
            yield self.status.problem(say("check_failed", language))

    def _followed(
        self, work: Callable[[Progress], Result], doing: str, language: str
    ) -> Generator[Updates, None, Result]:
        yield self.status.working(say(doing, language))
        steps = followed(work)
        try:
            while True:
                done, total = next(steps)
                yield self.status.working(say(doing, language), done / max(1, total))
        except StopIteration as end:
            return end.value
        finally:
            steps.close()

    def show(self, bench: Bench, language: str) -> Updates:
        """All of the right side but the pictures."""
        mended = bench.mended
        repairs = [] if mended else findings.repair_choices(bench.checked.report.findings, language)
        return {
            self.bench: bench,
            self.welcome: gr.Markdown(visible=False),
            self.verdict: findings.verdict(bench, language),
            self.cards: findings.cards(bench, language),
            self.choices: gr.CheckboxGroup(repairs, value=[kind for _, kind in repairs if findings.by_default(kind)]),
            self.mended: findings.mended(mended.done, language) if mended else None,
            self.download: str(mended.archive) if mended else None,
            self.classes: findings.class_table(bench.shown.report, language),
            self.edit: class_lines(bench.shown.report.classes),
            self.reasons: findings.reasons(bench, language),
        }


def previewed(bench: Bench, progress: Progress) -> list[tuple[np.ndarray, str]]:
    """Pictures with their label maps over them, beside the label maps alone, and captions."""
    from seg_demo.viz.preview import previews

    pictures: list[tuple[np.ndarray, str]] = []
    for each in previews(bench.shown.folder, PICTURES_SHOWN):
        gap = np.full((len(each.colors), 6, 3), 255, np.uint8)
        both = np.concatenate([each.overlaid, gap, each.colors], axis=1)
        mark = f"{findings.ICONS['error']} " if each.wrong else ""
        # The background is nearly everywhere and would only take the room of the others.
        names = [name for name in each.classes if name != bench.shown.report.classes.names[0]] or each.classes
        pictures.append((both, f"{mark}{each.name} · {', '.join(names)} · {each.split}"))
        progress(len(pictures), PICTURES_SHOWN)
    return pictures
