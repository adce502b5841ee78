"""CVAT for images 1.1: one XML file for a task or project (docs.cvat.ai, "XML annotation format")."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

import numpy as np

from seg_demo.classes import Color
from seg_demo.data.polygons.entries import Entry, files_with, read_bytes, read_xml, xml_root_name
from seg_demo.data.polygons.runs import mask_of_runs
from seg_demo.data.polygons.shapes import Drawing, Export, Patch, Shape
from seg_demo.data.polygons.splits import split_of
from seg_demo.errors import Sentence, UserError

EVIDENCE = Sentence("an XML file with <annotations> of <image> elements")

_NOT_SHAPES = {"attribute"}
_WITHOUT_AREA = {"tag", "skeleton", "cuboid"}
_CIRCLE = np.linspace(0, 2 * np.pi, 180, endpoint=False)
_COLOR = re.compile(r"#([0-9a-fA-F]{6})")


def recognise(source: Path) -> Path | None:
    """The first file that looks like CVAT's XML."""
    return next((file for file in files_with(source, ".xml") if _looks_right(file)), None)


def read(source: Path) -> Export:
    """Read one file, or all of this format under a folder. Raises `UserError` naming the file and the entry."""
    drawings: list[Drawing] = []
    colors: dict[str, Color] = {}
    labels: dict[str, None] = {}
    passed_over: list[UserError] = []
    for file in files_with(source, ".xml"):
        if not _looks_right(file):
            passed_over.append(UserError("{file} is no CVAT XML and was passed over.", file=file))
            continue
        root = read_xml(file)
        if root.find("track") is not None:
            raise UserError(
                '{file} holds tracks of a video ("CVAT for video"). Export it as "CVAT for images 1.1".', file=file
            )
        for label in root.findall("meta/*/labels/label"):
            name = _entry(label.findtext("name"), file, "meta, label, name").text()
            labels[name] = None
            if match := _COLOR.fullmatch((label.findtext("color") or "").strip()):
                red, green, blue = bytes.fromhex(match[1])
                colors[name] = (red, green, blue)
        drawings += [
            _drawing(image, file, number, passed_over) for number, image in enumerate(root.findall("image"), 1)
        ]
    return Export(tuple(drawings), tuple(labels), colors, tuple(passed_over))


def _looks_right(file: Path) -> bool:
    content = read_bytes(file)
    return xml_root_name(content) == b"annotations" and (b"<image" in content or b"<track" in content)


def _entry(value: str | None, file: Path, where: str) -> Entry:
    return Entry(None if value is None else value.strip(), file, where)


def _drawing(image: Element, file: Path, number: int, passed_over: list[UserError]) -> Drawing:
    where = f"image {number}"
    picture = _entry(image.get("name"), file, f"{where}, name").text()
    shapes = []
    without_area: Counter[str] = Counter()
    for place, element in enumerate(image, 1):
        if element.tag in _WITHOUT_AREA:
            without_area[str(element.tag)] += 1
        elif element.tag not in _NOT_SHAPES:
            shapes.append(_shape(element, file, f"{where}, {element.tag} {place}"))
    for tag, count in without_area.items():
        passed_over.append(
            UserError(
                "{file}: {picture} has {count} elements of the type {kind}, which have no area and were passed over.",
                file=file, picture=picture, count=count, kind=tag,
            )
        )  # fmt: skip
    return Drawing(
        name=PurePosixPath(picture.replace("\\", "/")).stem or f"image_{number}",
        picture=picture,
        file=file,
        shapes=tuple(shapes),
        height=_entry(image.get("height"), file, f"{where}, height").whole(1),
        width=_entry(image.get("width"), file, f"{where}, width").whole(1),
        split=split_of(image.get("subset") or ""),
        raster="coco",
    )


def _shape(element: Element, file: Path, where: str) -> Shape:
    def number(name: str, default: str | None = None) -> float:
        return _entry(element.get(name, default), file, f"{where}, {name}").number()

    label = _entry(element.get("label"), file, f"{where}, label").text()
    z = _entry(element.get("z_order", "0"), file, f"{where}, z_order").whole(-(10**9), 10**9)
    whole = Entry(None, file, where)
    if element.tag in ("polygon", "polyline", "points"):
        points = _points(element, file, where)
        kind = {"polygon": "polygon", "polyline": "line", "points": "point"}[element.tag]
        return Shape(label, kind, points, z=z)  # type: ignore[arg-type]
    if element.tag == "box":
        left, top, right, bottom = (number(name) for name in ("xtl", "ytl", "xbr", "ybr"))
        center = np.array([(left + right) / 2, (top + bottom) / 2])
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        points = center + _rotated(corners - center, number("rotation", "0"))
        return Shape(label, "polygon", whole.checked(points.tolist()), z=z)
    if element.tag == "ellipse":
        rim = np.stack([np.cos(_CIRCLE) * number("rx"), np.sin(_CIRCLE) * number("ry")], axis=1)
        points = np.array([number("cx"), number("cy")]) + _rotated(rim, number("rotation", "0"))
        return Shape(label, "polygon", whole.checked(points.tolist()), z=z)
    if element.tag == "mask":
        left, top, width, height = (
            _entry(element.get(name), file, f"{where}, {name}").whole() for name in ("left", "top", "width", "height")
        )
        parts = element.get("rle", "").split(",")
        runs = [int(part) if len(part) < 12 and part.strip().isdecimal() else part for part in parts]
        mask = mask_of_runs(Entry(runs, file, f"{where}, rle"), height, width)
        return Shape(label, "mask", patch=Patch.of(mask, left, top), z=z)
    raise UserError(
        "{file}: {where} is of the type {kind}, which is not known here. Redraw it as a polygon.",
        file=file, where=where, kind=element.tag,
    )  # fmt: skip


def _points(element: Element, file: Path, where: str) -> np.ndarray:
    """ "x,y;x,y;..." -> (N, 2)."""
    text = element.get("points", "")
    pairs = [pair.split(",") for pair in text.split(";") if pair.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise UserError(
            '{file}: {where} should have points such as "1.5,2;3,4". Export the file again.', file=file, where=where
        )
    return Entry(text, file, f"{where}, points").checked(pairs)


def _rotated(offsets: np.ndarray, degrees: float) -> np.ndarray:
    """(N, 2) offsets from a centre, turned clockwise as the picture is seen."""
    angle = np.deg2rad(degrees)
    sine, cosine = np.sin(angle), np.cos(angle)
    return offsets @ np.array([[cosine, sine], [-sine, cosine]])
