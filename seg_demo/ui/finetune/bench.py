"""What one visitor has brought to the page: a data set, what the check says of it, and a repaired copy."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import threading
import uuid
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seg_demo.errors import Sentence, UserError

if TYPE_CHECKING:
    from seg_demo.classes import ClassMap
    from seg_demo.data.check import Checked
    from seg_demo.data.check.repair import Repaired
    from seg_demo.data.class_file import NamedClasses
    from seg_demo.data.survey import Progress

# Folders in a home, which are never named to the visitor.
UNPACKED, COLLECTED, CONVERTED, REPAIRED = "unpacked", "collected", "converted", "repaired"
CLASSES, RECORD = "classes.txt", "brought.json"


@dataclass(frozen=True)
class Mended:
    """A repaired copy: what was done, what the check says of it, and a ZIP of it."""

    done: Repaired
    checked: Checked
    archive: Path


@dataclass(frozen=True)
class Bench:
    """A data set that was brought and checked.

    home: a folder of its own, which goes when the next data set comes. name: what the visitor calls it. folder: in it
    or elsewhere, with label maps. reasons: how it came to be. names: class names by which the label maps are read, or
    nothing. painted: class names whose colours are shown instead of those that were found, or nothing.
    """

    home: Path
    name: str
    folder: Path
    reasons: tuple[Sentence, ...]
    checked: Checked
    mended: Mended | None = None
    names: str = ""
    painted: str = ""

    @property
    def shown(self) -> Checked:
        return self.mended.checked if self.mended else self.checked


# Homes -----------------------------------------------------------------------------------------------------


def new_home(brought: Path) -> Path:
    """A new empty folder in `brought` for one data set of one visitor; its name cannot be guessed."""
    home = brought / uuid.uuid4().hex
    home.mkdir(parents=True)
    return home


def remove(bench: Bench | None) -> None:
    """Delete what a bench has on disk, without making the caller wait."""
    if bench:
        (bench.home / RECORD).unlink(missing_ok=True)  # so that it is not taken up again
        threading.Thread(target=shutil.rmtree, args=(bench.home,), kwargs={"ignore_errors": True}).start()


def still_there(bench: Bench | None) -> Bench:
    """Raises `UserError` where nothing was brought, or where it was deleted since."""
    if bench is None or not bench.home.is_dir():
        raise UserError("There is no checked data set here any more. Bring the files again.")
    return bench


# Bringing and checking -------------------------------------------------------------------------------------


def newest(files: Sequence[str], brought: Sequence[str]) -> list[str]:
    """What to check of the files in the box, which adds new ones to those that were `brought` before.

    An archive takes the place of what was there, and gives its own to what comes after it.
    """
    from seg_demo.data.archive import is_archive

    fresh = [file for file in files if file not in brought]
    return fresh if fresh and any(map(is_archive, files)) else list(files)


def bring(files: Sequence[Path], home: Path, names: str, order: str, progress: Progress | None = None) -> Bench:
    """Make what was uploaded, or one folder on the server, a data set in `home` and check it.

    names: class names, one a line, as in a classes.txt, or nothing. order: painting order of polygons, the same way.
    """
    from seg_demo.data.intake import bring_in

    name = files[0].name if len(files) == 1 else f"{files[0].name} (+{len(files) - 1})"
    with as_brought(home, name):
        named = _named(home / CLASSES, names)
        brought = bring_in(
            collect(files, home), home, classes=named.classes.names if named else None,
            order=[line.strip() for line in order.splitlines() if line.strip()] or None, progress=progress,
        )  # fmt: skip
        # What was painted has the names in their places already.
        used, painted = ("", names) if brought.converted else (names, "")
        checked = check_again(brought.folder, home, used, painted, progress)
    return Bench(home, name, brought.folder, brought.reasons, checked, None, used, painted)


def collect(files: Sequence[Path], home: Path) -> Path:
    """One archive or folder as it is, or a folder in `home` with all files. Raises `UserError` where that cannot be."""
    from seg_demo.data.archive import is_archive

    if len(files) == 1 and not _is_part(files[0]):
        return files[0]
    names: set[str] = set()
    for file in files:
        if is_archive(file):
            raise UserError("{file} is an archive among other files. Bring it alone.", file=file.name)
        if file.name.lower() in names:
            raise UserError(
                "{file} is there twice, and folders are lost when files are chosen one by one. Pack the folder as ZIP.",
                file=file.name,
            )
        names.add(file.name.lower())
    folder = home / COLLECTED
    folder.mkdir()
    for file in files:
        try:
            os.link(file, folder / file.name)
        except OSError:
            shutil.copyfile(file, folder / file.name)
    return folder


def _is_part(file: Path) -> bool:
    """Whether a file belongs into a data set rather than being one."""
    from seg_demo.data.listing import is_picture

    return is_picture(file) or file.suffix.lower() in (".txt", ".json", ".xml")


def renamed(bench: Bench, names: str, progress: Progress | None = None) -> Bench:
    """Check again with other names and colours of the classes.

    Where the label maps hold colours, a colour is what tells a class; where they hold numbers, it only shows it.
    """
    by_color = bool(bench.checked.folder.reading.decoding.colors)
    with as_brought(bench.home, bench.name):
        named = _named(bench.home / CLASSES, names)
        if named is None:
            raise UserError("There is no class name. Write one a line, the background first.")
        used, painted = (names, "") if by_color else ("\n".join(named.classes.names), names)
        checked = check_again(bench.folder, bench.home, used, painted, progress)
    return replace(bench, checked=checked, mended=None, names=used, painted=painted)


def recolored(checked: Checked, named: NamedClasses) -> Checked:
    """The same with other colours."""
    if checked.report.classes.names != named.classes.names:
        return checked
    reading = replace(checked.folder.reading, classes=named.classes)
    return replace(
        checked, folder=replace(checked.folder, reading=reading), report=replace(checked.report, classes=named.classes)
    )


def check_again(folder: Path, home: Path, names: str, painted: str, progress: Progress | None) -> Checked:
    """What the check says, by class names and colours as `Bench` has them."""
    from seg_demo.data.check import check

    class_file = home / CLASSES
    checked = check(folder, class_file=class_file if _named(class_file, names) else None, progress=progress)
    shown = _named(class_file, painted)
    return recolored(checked, shown) if shown and shown.colors_given else checked


def _named(path: Path, names: str) -> NamedClasses | None:
    """The classes that a text names, which is written to `path`; None where it is empty."""
    from seg_demo.data.class_file import read_class_file

    if not names.strip():
        return None
    path.write_text(names, "utf-8")
    return read_class_file(path)


def typed_classes(names: str) -> ClassMap:
    """Classes as they were typed, one a line. Raises `UserError` where there is none, or one cannot be."""
    with tempfile.TemporaryDirectory() as place:
        found = _named(Path(place) / CLASSES, names)
    if found is None:
        raise UserError("There is no class name. Write one a line, the background first.")
    return found.classes


def report_of(bench: Bench) -> dict[str, Any]:
    """The report as a JSON document."""
    document = bench.checked.report.to_json()
    document["folder"] = bench.name
    reasons = (*bench.reasons, *document["reasons"])
    document["reasons"] = [without_paths(each, bench.home, bench.name) for each in reasons]
    for found in document["findings"]:
        found["sentence"] = without_paths(found["sentence"], bench.home, bench.name)
    return document


# Repairing -------------------------------------------------------------------------------------------------


def mend(bench: Bench, chosen: Collection[str], downloads: Path, progress: Progress | None = None) -> Bench:
    """Write and check a repaired copy, with a ZIP of it in a new folder in `downloads`; the original stays."""
    from seg_demo.data.check import check, repair

    out = bench.home / f"{REPAIRED}-{uuid.uuid4().hex}"
    with as_brought(bench.home, bench.name):
        done = repair(bench.checked, out, chosen, progress)
        checked = check(out, progress=progress)
    return replace(original(bench), mended=Mended(done, checked, download_of(out, bench.name, downloads)))


def original(bench: Bench) -> Bench:
    """The same without the repaired copy."""
    if bench.mended:
        shutil.rmtree(bench.mended.done.out, ignore_errors=True)
    return replace(bench, mended=None)


def download_of(folder: Path, name: str, downloads: Path) -> Path:
    """A ZIP of a folder for the visitor, in a new folder in `downloads`."""
    place = downloads / uuid.uuid4().hex
    place.mkdir(parents=True)
    return packed(folder, place / f"{_file_name(name)}-repaired.zip")


def packed(folder: Path, archive: Path) -> Path:
    """All files of a folder as a ZIP."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:  # pictures are packed already
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                target.write(file, file.relative_to(folder))
    return archive


def _file_name(name: str) -> str:
    """What is safe in a file name on every system."""
    stem = re.sub(r"\.(zip|tar|tgz|tbz2|txz|gz|bz2|xz)$|\.tar\.\w+$| \(\+\d+\)$", "", name, flags=re.IGNORECASE)
    return re.sub(r"[^\w.-]+", "_", stem)[:80].strip("._") or "data"


def written(bench: Bench, out: Path, progress: Progress | None = None) -> Path:
    """Write what is shown to `out`, in this project's layout, for a run that keeps it whatever is brought next.

    Pictures with errors are left out. Raises `UserError` where nothing could be learned from it, or the disk is full.
    """
    from seg_demo.data.check import repair

    if not bench.shown.report.may_train:
        raise UserError("{name} still has errors. Repair it, or mend the files that the check names.", name=bench.name)
    with as_brought(bench.home, bench.name):
        repair(bench.shown, out, (), progress)
    return out


# Words -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def as_brought(home: Path, name: str) -> Iterator[None]:
    """Errors that are raised name files as they were brought."""
    try:
        yield
    except UserError as error:
        raise without_paths(error, home, name) from None


def without_paths(value: Any, home: Path, name: str) -> Any:
    """A text without the server's folders: files are named as they were brought.

    An error stays one, and a `Sentence` too: it is their fields that change, so that both can still be translated.
    """
    if isinstance(value, (UserError, Sentence)):
        fields = {key: without_paths(field, home, name) for key, field in value.fields.items()}
        return type(value)(value.template, **fields)
    text = str(value)
    if str(home) not in text:
        return value
    folders = rf"{re.escape(str(home))}(?:/(?:{UNPACKED}|{COLLECTED}|{CONVERTED}|{REPAIRED}-\w+))?"
    return re.sub(rf"{folders}(/?)(?=(.?))", lambda found: "" if found[1] and found[2].strip() else name, text)
