"""The formats of labelling tools by name, and which of them a file or folder has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from seg_demo.data.polygons import coco, cvat, labelme_json, labelme_xml, voc
from seg_demo.data.polygons.shapes import Export
from seg_demo.errors import Sentence, UserError


@dataclass(frozen=True)
class PolygonFormat:
    """title: its name for people. evidence: what `recognise` looks for, as the end of "x.json is ...".
    recognise: the file that shows that a file or folder has this format, or None. read: all that it holds. ordered:
    whether it tells which shape lies over which; otherwise the reader puts larger ones first.
    """

    title: str
    evidence: Sentence
    recognise: Callable[[Path], Path | None]
    read: Callable[[Path], Export]
    ordered: bool = True


FORMATS: Mapping[str, PolygonFormat] = {
    "labelme-json": PolygonFormat("LabelMe JSON", labelme_json.EVIDENCE, labelme_json.recognise, labelme_json.read),
    "labelme-xml": PolygonFormat("LabelMe XML", labelme_xml.EVIDENCE, labelme_xml.recognise, labelme_xml.read, False),
    "cvat": PolygonFormat("CVAT for images", cvat.EVIDENCE, cvat.recognise, cvat.read),
    "coco": PolygonFormat("COCO JSON", coco.EVIDENCE, coco.recognise, coco.read, False),
    "voc": PolygonFormat("Pascal VOC", voc.EVIDENCE, voc.recognise, voc.read),
}


def formats_of(source: Path) -> dict[str, Path]:
    """The formats that a file or folder has, each with the file that shows it."""
    return {name: file for name, format in FORMATS.items() if (file := format.recognise(source))}


def detect(source: Path) -> tuple[str, Sentence]:
    """The name of the format of a file or folder, and a sentence that says why.

    Raises `UserError` where none or more than one fits.
    """
    if not source.exists():
        raise UserError("{source} does not exist. Check the path.", source=source)
    found = formats_of(source)
    if not found:
        raise UserError(
            "{source} holds no polygons in a format that is known here. Known: {known}.",
            source=source, known=", ".join(f"{name} ({format.title})" for name, format in FORMATS.items()),
        )  # fmt: skip
    if len(found) > 1:
        (first, first_file), (second, second_file) = list(found.items())[:2]
        raise UserError(
            "{source} holds two formats: {first_file} is {first}, {second_file} is {second}. Name the format to read.",
            source=source, first=first, first_file=first_file.name, second=second, second_file=second_file.name,
        )  # fmt: skip
    ((name, file),) = found.items()
    format = FORMATS[name]
    return name, Sentence(
        "{title}: {file} is {evidence}.", title=format.title, file=file.name, evidence=format.evidence
    )
