"""`data`: check, repair, convert, look at and download labelled pictures."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seg_demo.cli.text import table, wrapped, write
from seg_demo.cli.values import names, whole

if TYPE_CHECKING:
    from seg_demo.data.check import Report
    from seg_demo.data.intake import Brought
    from seg_demo.data.survey import Progress

MARKS = {"error": "ERROR  ", "warning": "warning", "note": "note   "}
SHOWN_OF_A_KIND = 5


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, sentence: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=sentence, description=sentence)

    check = action("check", "Find every mistake in labelled pictures; the exit code is 0 if training may start.")
    check.add_argument("source", type=Path, metavar="DIR", help="a folder, or a zip or tar of one")
    _reading(check)
    check.add_argument("--json", action="store_true", help="print one JSON document")
    check.add_argument("--all", action="store_true", help="name every file, not the first few of a kind")
    check.add_argument("--repair", type=Path, metavar="OUT", help="write a repaired copy into this new folder")
    check.add_argument(
        "--only",
        type=names,
        metavar="KIND,...",
        help="the repairs to make, by the kinds in [brackets] (default: those that cannot lose anything good)",
    )

    convert = action("convert", "Paint polygons as label maps.")
    convert.add_argument(
        "source", type=Path, metavar="SRC", help="a file or folder of polygons, or a zip or tar of one"
    )
    convert.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder for images and masks")
    convert.add_argument(
        "--format", default="auto", metavar="NAME", help="labelme-json, labelme-xml, cvat, coco, voc, or auto (default)"
    )
    convert.add_argument(
        "--classes", type=names, metavar="NAME,...", help="class names in the order of their ids, from 0"
    )
    convert.add_argument("--order", type=names, metavar="NAME,...", help="painting order, the last one on top")
    convert.add_argument("--json", action="store_true", help="print one JSON document")

    preview = action("preview", "Draw label maps in colours beside their pictures.")
    preview.add_argument("source", type=Path, metavar="DIR", help="a folder, or a zip or tar of one")
    _reading(preview)
    preview.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .png or .jpg file")
    preview.add_argument(
        "--count", type=whole(1, 200), default=12, metavar="N", help="pictures to show, at most (default: 12)"
    )

    download = action("download", "Download a public data set.")
    download.add_argument("name", metavar="NAME", help="newts, or voc2012 (2 GB)")
    download.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")

    layouts = action("layouts", "List the layouts of folders and the polygon formats that are recognised.")
    layouts.add_argument("--json", action="store_true", help="print one JSON document")


def _reading(parser: argparse.ArgumentParser) -> None:
    """What decides how a folder is read."""
    parser.add_argument(
        "--layout", default="auto", metavar="NAME", help="instead of recognising it; see `data layouts`"
    )
    parser.add_argument("--classes", type=Path, metavar="FILE", help="one class name a line, in the order of the ids")
    parser.add_argument(
        "--seed", type=whole(0, 2**31), default=0, metavar="N", help="of the split, where there is none (default: 0)"
    )


def run(arguments: argparse.Namespace) -> int:
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "check": _check, "convert": _convert, "preview": _preview, "download": _download, "layouts": _layouts,
    }  # fmt: skip
    return actions[arguments.action](arguments)


def _bring(arguments: argparse.Namespace, temporary: Path) -> tuple[Brought, dict[str, Any]]:
    """The folder with label maps, and how it is to be read."""
    from seg_demo.data.class_file import read_class_file
    from seg_demo.data.intake import bring_in

    names = read_class_file(arguments.classes).classes.names if arguments.classes else None
    brought = bring_in(arguments.source, temporary, classes=names, progress=_progress("Unpacking"))
    # Painted label maps have the classes in the file's order already.
    class_file = None if brought.converted else arguments.classes
    return brought, {"layout": arguments.layout, "seed": arguments.seed, "class_file": class_file}


def _check(arguments: argparse.Namespace) -> int:
    from seg_demo.data.check import check, repair
    from seg_demo.data.new_folder import must_be_free
    from seg_demo.errors import UserError

    if arguments.only and not arguments.repair:
        raise UserError("--only chooses among the repairs, so it needs --repair OUT. Add it.")
    if arguments.repair:
        must_be_free(arguments.repair)
    with tempfile.TemporaryDirectory(prefix="seg_demo.") as temporary:
        brought, how = _bring(arguments, Path(temporary))
        checked = check(brought.folder, progress=_progress("Checking"), **how)
        report = checked.report
        document = {**report.to_json(), "folder": str(arguments.source)}
        document["reasons"] = [*brought.reasons, *report.reasons]
        if not arguments.json:
            write("\n".join([f"{arguments.source}: {_layout_line(report)}", *_listed(document["reasons"]), ""]))
            write("\n".join([*_classes(report), "", *_findings(report, arguments.all), "", _verdict(report)]))
        if not arguments.repair:
            if arguments.json:
                write(_json(document))
            return 0 if report.may_train else 1
        repaired = repair(checked, arguments.repair, arguments.only, _progress("Repairing"))
        after = check(repaired.out, progress=_progress("Checking")).report
    document["repaired"] = {
        "folder": str(repaired.out), "pictures": repaired.written, "mended": dict(repaired.mended),
        "left_out": list(repaired.left_out), "may_train": after.may_train,
        "findings": after.to_json()["findings"],
    }  # fmt: skip
    if arguments.json:
        write(_json(document))
    else:
        mended = ", ".join(f"{kind} {count}" for kind, count in repaired.mended.items())
        write(f"\nWrote {repaired.written} pictures to {repaired.out} (mended: {mended or 'nothing'}).")
        if repaired.left_out:
            write("\n".join([f"Left out: {len(repaired.left_out)}", *_listed(repaired.left_out)]))
        write("\n".join([*_findings(after, arguments.all, ("error", "warning")), _verdict(after)]))
    return 0 if after.may_train else 1


def _layout_line(report: Report) -> str:
    from seg_demo.data.registry import LAYOUTS

    counts = ", ".join(f"{count} {split}" for split, count in report.splits.items())
    return f"{LAYOUTS[report.layout].title} ({report.layout}); labelled pictures: {counts or 'none'}"


def _listed(lines: object) -> list[str]:
    return [line for text in lines for line in wrapped(text, indent=2)]  # type: ignore[attr-defined]


def _classes(report: Report) -> list[str]:
    rows = [
        (
            str(class_id),
            name,
            f"#{bytes(color).hex()}",
            f"{report.histogram[name]:.2%}",
            str(report.pictures_with[name]),
        )
        for class_id, (name, color) in enumerate(zip(report.classes.names, report.classes.colors, strict=True))
    ]
    lines = table(("id", "class", "colour", "share", "pictures"), rows, right=(0, 3, 4))
    return [*lines, f"Ignored: {report.ignored:.2%} of all pixels."]


def _findings(report: Report, every: bool, severities: tuple[str, ...] = ("error", "warning", "note")) -> list[str]:
    from seg_demo.data.check import KINDS

    lines: list[str] = []
    shown: dict[str, int] = {}
    for found in report.findings:
        if found.severity not in severities:
            continue
        shown[found.kind] = shown.get(found.kind, 0) + 1
        if every or shown[found.kind] <= SHOWN_OF_A_KIND:
            head, *rest = wrapped(f"[{found.kind}] {found.sentence}", indent=9)
            lines += [f"{MARKS[found.severity]}  {head.strip()}", *rest]
            if found.repair:
                asked = "" if KINDS[found.kind].by_default else f" (only with --only {found.kind})"
                lines += wrapped(f"Repair{asked}: {found.repair}.", indent=9)
    lines += [
        f"         [{kind}] and {count - SHOWN_OF_A_KIND} more of this kind; --all names them."
        for kind, count in shown.items()
        if count > SHOWN_OF_A_KIND and not every
    ]
    return lines or ["Nothing was found that is worth a word."]


def _verdict(report: Report) -> str:
    counts = f"{report.count('error')} errors, {report.count('warning')} warnings"
    if report.may_train:
        return f"Training may start: {counts}."
    repairable = all(found.repair for found in report.findings if found.severity == "error")
    hint = " --repair OUT writes a copy in which they are mended." if repairable else ""
    return f"Training must not start: {counts}.{hint}"


def _convert(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from seg_demo.data.archive import is_archive, unpack
    from seg_demo.data.polygons import convert

    with tempfile.TemporaryDirectory(prefix="seg_demo.") as temporary:
        source = arguments.source
        if source.is_file() and is_archive(source):
            source = unpack(source, Path(temporary) / "unpacked", progress=_progress("Unpacking")).folder
        done = convert(
            source, arguments.out, format=arguments.format, classes=arguments.classes, order=arguments.order,
            progress=_progress("Painting"),
        )  # fmt: skip
    if arguments.json:
        write(_json(asdict(done)))
        return 0
    rows = [(str(class_id), name, str(done.pixels.get(name, 0))) for class_id, name in enumerate(done.classes.names)]
    write("\n".join([done.why, *table(("id", "class", "pixels"), rows, right=(0, 2))]))
    if done.passed_over:
        write("\n".join([f"Passed over: {len(done.passed_over)}", *_listed(done.passed_over)]))
    write(f"Wrote {done.pictures} pictures to {arguments.out}; `data check {arguments.out}` looks at them.")
    return 0


def _preview(arguments: argparse.Namespace) -> int:
    from seg_demo.data.folder import open_folder
    from seg_demo.viz.sheet import draw_sheet, save_sheet

    with tempfile.TemporaryDirectory(prefix="seg_demo.") as temporary:
        brought, how = _bring(arguments, Path(temporary))
        folder = open_folder(brought.folder, progress=_progress("Reading"), **how)
        save_sheet(draw_sheet(folder, arguments.count), arguments.out)
    write(f"Drew {arguments.out}")
    return 0


def _download(arguments: argparse.Namespace) -> int:
    from seg_demo.data.download import download

    download(arguments.name, arguments.out, _progress("Downloading"))
    write(f"Downloaded {arguments.name} to {arguments.out}; `data check {arguments.out}` looks at it.")
    return 0


def _layouts(arguments: argparse.Namespace) -> int:
    from seg_demo.data.polygons import FORMATS
    from seg_demo.data.registry import LAYOUTS

    layouts = {name: {"title": layout.title, "shape": layout.shape} for name, layout in LAYOUTS.items()}
    formats = {name: {"title": entry.title} for name, entry in FORMATS.items()}
    if arguments.json:
        write(_json({"layouts": layouts, "polygon_formats": formats}))
        return 0
    rows = [(name, entry["title"], entry["shape"]) for name, entry in layouts.items()]
    write("\n".join(table(("layout", "of", "looks like"), rows, right=())))
    rows_of_formats = [(name, entry["title"]) for name, entry in formats.items()]
    write("\n".join(["", *table(("polygons", "of"), rows_of_formats, right=())]))
    return 0


def _progress(what: str) -> Progress:
    """A line on standard error that counts up, where somebody is there to see it."""

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"{what} {done}/{total}", end="\n" if done == total else "\r", file=sys.stderr, flush=True)

    return show


def _json(document: object) -> str:
    import json

    return json.dumps(document, indent=2, ensure_ascii=False)
