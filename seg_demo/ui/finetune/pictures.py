"""Labelled pictures in: checked, looked at and repaired before anything is trained with them."""

from __future__ import annotations

import logging
import os
import shutil
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
    still_there,
)
from seg_demo.ui.finetune.check_api import CheckApi
from seg_demo.ui.finetune.pictures_form import PicturesForm
from seg_demo.ui.finetune.shelf import laid_out, last_brought, recorded
from seg_demo.ui.i18n import explain, language_of, say
from seg_demo.ui.remembered import Remembered
from seg_demo.ui.status import StatusRow, Updates, Working
from seg_demo.ui.visitors import Visitors

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "newts"
PICTURES_SHOWN = 12
CHECKS_AT_ONCE = 2
LOADS_AT_ONCE = 4  # pages whose data set is looked at again
MOST_REMEMBERED = 100  # data sets in memory; the others are looked at again when they are wanted


class PicturesPart(PicturesForm):
    """The first step: answers its events."""

    def __init__(self, visitors: Visitors, status: StatusRow) -> None:
        super().__init__(visitors, status)
        # By the folder that a visitor's data sets are brought to.
        self.latest: Remembered[Path, Bench] = Remembered(MOST_REMEMBERED)
        CheckApi(CHECKS_AT_ONCE)

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
        demo.load(self.show_latest, None, shown, concurrency_limit=LOADS_AT_ONCE, **quiet)

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
            for updates in self.take_over(brought, old, request):
                yield always | updates
        finally:
            if not made:
                shutil.rmtree(home, ignore_errors=True)

    def take_over(self, work: Callable[[Progress], Bench], old: Bench | None, request: gr.Request) -> Iterator[Updates]:
        """Check and show the data set that `work` makes, instead of the old one."""
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

        for updates in self._answer(again, "checking", request):
            if not isinstance(updates, Working):  # nobody has asked for it
                yield updates

    def _answer(
        self, work: Callable[[Progress], Bench], doing: str, request: gr.Request
    ) -> Generator[Updates, None, None]:
        """Do the work, show how far it is and what has come of it; what goes wrong is told, and changes nothing."""
        language = language_of(request)
        try:
            bench = recorded((yield from self.status.following(work, say(doing, language))))
            self.latest.put(bench.home.parent, bench)
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
