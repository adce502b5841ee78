"""Labelled pictures in: checked, looked at and repaired before anything is trained with them."""

from __future__ import annotations

import logging
import os
import shutil
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from seg_demo.data.class_file import class_lines
from seg_demo.data.procedural.writing import write_newts
from seg_demo.errors import UserError
from seg_demo.ui.background import Progress
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
from seg_demo.ui.finetune.shelf import laid_out, last_brought, recorded
from seg_demo.ui.fragment import Fragment
from seg_demo.ui.i18n import explain, language_of, say, text
from seg_demo.ui.status import StatusRow, Updates
from seg_demo.ui.visitors import Visitors

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "newts"
PICTURES_SHOWN = 12
CHECKS_AT_ONCE = 2
MOST_REMEMBERED = 100  # data sets in memory


class PicturesPart:
    """Builds the first step inside the `gr.Blocks` that is being built, and answers its events.

    visitors: whose data set it is. status: the line that tells how it goes.
    """

    def __init__(self, visitors: Visitors, status: StatusRow) -> None:
        self.visitors, self.status = visitors, status
        self.latest: OrderedDict[Path, Bench] = OrderedDict()  # by the folder that a visitor's data sets are brought to
        with gr.Row(elem_classes="finetune-tab"):
            with gr.Column(scale=1, min_width=280):
                self._build_bring()
            with gr.Column(scale=3, min_width=320):
                self.welcome = gr.Markdown(text("bring_about"), elem_id="ft-welcome")
                with gr.Column(elem_id="ft-results"):
                    self._build_results()
        self.brought = gr.State([])  # files that were uploaded last, also if they could not be checked
        self.bench = gr.State(None)

    def _build_bring(self) -> None:
        self.files = gr.File(label=text("bring_files"), file_count="multiple", height=170, elem_id="ft-files")
        self.folder = FolderPicker(elem_id="ft-folder")
        self.example = gr.Button(text("bring_example"), size="sm", elem_id="ft-example")
        with gr.Accordion(text("bring_otherwise"), open=False, elem_id="ft-otherwise"):
            self.count = gr.Slider(6, 200, 40, step=2, label=text("draw_count"), elem_id="ft-count")
            self.draw = gr.Button(text("draw_newts"), size="sm", elem_id="ft-draw")
            self.fetch = gr.Button(text("fetch_newts"), size="sm", elem_id="ft-fetch")
            # Whoever may name a folder may read it.
            local = not self.visitors.public
            self.path = gr.Textbox(
                label=text("server_path"), info=text("server_path_info"), visible=local, elem_id="ft-path"
            )
            self.take = gr.Button(text("take_path"), size="sm", visible=local, elem_id="ft-take")
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
        self.next = gr.Button(text("to_start"), variant="primary", visible=False, elem_id="ft-to-start")
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

    def wire(self, demo: gr.Blocks, also: Callable[[Bench | None, str], Updates], others: Sequence[Any]) -> None:
        """also: what else of the page changes with the data set, all of it among `others`."""
        self.also = also
        shown: list[Any] = [
            *self.status.parts, self.welcome, self.verdict, self.next, self.mended, self.download, self.choices,
            self.cards, self.gallery, self.classes, self.edit, self.reasons, self.bench, self.brought, self.files,
            *others,
        ]  # fmt: skip
        self.shown = shown
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
            self.draw.click: (self.bring_drawn, [self.count, self.bench]),
            self.fetch.click: (self.bring_newts, [self.bench]),
            self.rename.click: (self.use_names, [self.edit, self.bench]),
            self.repair.click: (self.mend, [self.choices, self.bench]),
        }
        if not self.visitors.public:
            named = (self.bring_path, [self.path, *how])
            starts |= {self.take.click: named, self.path.submit: named}
        runs = {start: start(answer, inputs, shown, **private) for start, (answer, inputs) in starts.items()}
        # Whatever is started ends what is underway, which would show its own data set over it.
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        for start, own in runs.items():
            start(None, cancels=[run for run in runs.values() if run is not own], **quiet)
        self.status.stop.click(self.stopped, None, self.status.parts, cancels=list(runs.values()), **quiet)
        self.back.click(self.show_original, [self.bench], shown, **quiet)
        demo.load(self.show_latest, None, shown, **quiet)
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

    def bring_drawn(self, count: float, bench: Bench | None, request: gr.Request) -> Iterator[Updates]:
        """Check pictures that are drawn now."""

        def drawn(home: Path, progress: Progress) -> Path:
            return write_newts(home / "drawn-newts", min(200, max(1, int(count))), progress=progress)

        yield from self._bring([], "", "", bench, request, {self.files: None}, drawn)

    def bring_newts(self, bench: Bench | None, request: gr.Request) -> Iterator[Updates]:
        """Fetch the newts' photos and check them."""

        def fetched(home: Path, progress: Progress) -> Path:
            from seg_demo.data.download import download

            return download("newts", home / "newts", progress)

        yield from self._bring([], "", "", bench, request, {self.files: None}, fetched)

    def bring_path(
        self, path: str | None, names: str | None, order: str | None, bench: Bench | None, request: gr.Request
    ) -> Iterator[Updates]:
        """Check a folder or an archive that lies on this computer, which stays where it is."""
        if self.visitors.public:  # the event is not there either, but a client may call what it likes
            return
        place = Path(os.path.expanduser(path.strip())) if path and path.strip() else None
        if place is None or not os.path.exists(place):
            error = UserError("There is no folder or archive {path}. Write its whole path.", path=path or '""')
            yield self.status.problem(explain(error, language_of(request)))
            return
        yield from self._bring([str(place)], names, order, bench, request, {self.files: None})

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
        home = new_home(self.visitors.of(request).brought)
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
        always: Updates, made_by: Callable[[Path, Progress], Path] | None = None,
    ) -> Iterator[Updates]:  # fmt: skip
        """A data set in a home of its own, which takes the old one's place once it has been checked.

        always: goes with every update. made_by: makes the folder to check in the home, where no files were brought.
        """
        always = {**always, self.brought: files}
        if not files and made_by is None:
            yield always | self.status.problem(say("nothing_brought", language_of(request)))
            return
        home = new_home(self.visitors.of(request).brought)
        made: list[Bench] = []

        def brought(progress: Progress) -> Bench:
            sources = [made_by(home, progress)] if made_by else [Path(file) for file in files]
            made.append(bring(sources, home, names or "", order or "", progress))
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

    def take_over(self, work: Callable[[Progress], Bench], old: Bench | None, request: gr.Request) -> Iterator[Updates]:
        """Show a data set that another part of the page makes, instead of the old one."""
        for updates in self._answer(work, "checking", request):
            if self.bench in updates:
                remove(old)
                old = None
            yield updates

    def show_latest(self, request: gr.Request) -> Iterator[Updates]:
        """What was worked with before the page was loaded again, or the server was started again."""
        brought = self.visitors.of(request).brought
        bench = self.latest.get(brought)
        home = bench.home if bench and bench.home.is_dir() else last_brought(brought)
        if home is None:
            yield self.also(None, language_of(request))
            return
        downloads, known = Path(self.download.GRADIO_CACHE), bench if bench and bench.home == home else None

        def again(progress: Progress) -> Bench:
            found = known or laid_out(home, downloads, progress)
            if found is None:
                raise UserError("There is no checked data set here any more. Bring the files again.")
            return found

        for updates in self._answer(again, "checking", request):  # Nobody has asked for it, so nothing is told of it.
            if untold := {part: value for part, value in updates.items() if part not in self.status.parts}:
                yield untold

    def _remember(self, bench: Bench) -> None:
        self.latest.pop(bench.home.parent, None)
        self.latest[bench.home.parent] = bench
        while len(self.latest) > MOST_REMEMBERED:  # the others are looked at again when they are wanted
            self.latest.popitem(last=False)

    def _answer(
        self, work: Callable[[Progress], Bench], doing: str, request: gr.Request
    ) -> Generator[Updates, None, None]:
        """Do the work, show how far it is and what has come of it; what goes wrong is told, and changes nothing."""
        language = language_of(request)
        try:
            bench = recorded((yield from self.status.following(work, say(doing, language))))
            self._remember(bench)
            shown = self.show(bench, language) | self.also(bench, language)
            yield shown
            pictures = yield from self.status.following(
                lambda progress: previewed(bench, progress), say("drawing", language)
            )
            # All of it again: of two updates shortly after one another, the page may pass over the first.
            yield shown | {self.gallery: pictures} | self.status.done()
        except UserError as error:
            yield self.status.problem(explain(error, language))
        except Exception:
            logging.getLogger(__name__).exception("A check failed.")
            yield self.status.problem(say("check_failed", language))

    def show(self, bench: Bench, language: str) -> Updates:
        """All of the right side but the pictures."""
        mended = bench.mended
        repairs = [] if mended else findings.repair_choices(bench.checked.report.findings, language)
        return {
            self.bench: bench,
            self.welcome: gr.Markdown(visible=False),
            self.verdict: findings.verdict(bench, language),
            self.next: gr.Button(visible=bench.shown.report.may_train),
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
