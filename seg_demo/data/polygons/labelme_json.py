"""LabelMe JSON: one file a picture, as labelme writes it (github.com/wkentaro/labelme, versions 3 to 5)."""

from __future__ import annotations

import base64
import binascii
import functools
import io
from pathlib import Path, PurePosixPath

import numpy as np

from seg_demo.data.polygons.bitmaps import read_bitmap
from seg_demo.data.polygons.entries import MAX_POINTS, Entry, files_with, read_bytes, read_json
from seg_demo.data.polygons.shapes import IGNORE_LABEL, Drawing, Export, Kind, Patch, Shape
from seg_demo.errors import Sentence, UserError

EVIDENCE = Sentence('a JSON file with "shapes" and "imagePath"')

# Shape type -> what it becomes here, and its smallest and largest number of points. labelme draws a rectangle from
# corner to corner with both included, which is also what a polygon of these corners gives.
_KINDS: dict[str, tuple[Kind, int, int]] = {
    "polygon": ("polygon", 0, MAX_POINTS),
    "rectangle": ("polygon", 2, 2),
    "oriented_rectangle": ("polygon", 4, 4),
    "circle": ("circle", 2, 2),
    "line": ("line", 2, 2),
    "linestrip": ("line", 0, MAX_POINTS),
    "point": ("point", 1, 1),
    "points": ("point", 0, MAX_POINTS),
    "mask": ("mask", 2, 2),
}


def recognise(source: Path) -> Path | None:
    """The first file that looks like LabelMe JSON."""
    return next((file for file in files_with(source, ".json") if _looks_right(file)), None)


def read(source: Path) -> Export:
    """Read one file, or all under a folder. Raises `UserError` naming the file and the entry that is wrong."""
    drawings, passed_over = [], []
    for file in files_with(source, ".json"):
        if _looks_right(file):
            drawings.append(_drawing(file))
        else:
            passed_over.append(UserError("{file} is no LabelMe JSON and was passed over.", file=file))
    return Export(tuple(drawings), passed_over=tuple(passed_over))


def _looks_right(file: Path) -> bool:
    content = read_bytes(file)
    return b'"shapes"' in content and (b'"imagePath"' in content or b'"imageData"' in content)


def _drawing(file: Path) -> Drawing:
    root = read_json(file)
    picture = root["imagePath"].text() if root["imagePath"] else file.stem
    return Drawing(
        name=PurePosixPath(picture.replace("\\", "/")).stem or file.stem,
        picture=picture,
        file=file,
        shapes=tuple(_shape(entry) for entry in root["shapes"].items("shape")),
        height=root["imageHeight"].whole(1) if root["imageHeight"] else None,
        width=root["imageWidth"].whole(1) if root["imageWidth"] else None,
        embedded=functools.partial(_embedded_picture, file) if root["imageData"] else None,
    )


def _shape(entry: Entry) -> Shape:
    label = entry["label"].text()
    kind_name = entry["shape_type"].text() if entry["shape_type"] else "polygon"
    if kind_name not in _KINDS:
        raise UserError(
            '{file}: {where} has the shape type "{kind}", which is not known here. Known: {known}.',
            file=entry.file, where=entry.where, kind=kind_name, known=", ".join(_KINDS),
        )  # fmt: skip
    kind, least, most = _KINDS[kind_name]
    points = entry["points"].points()
    if not least <= len(points) <= most:
        raise UserError(
            "{file}: {where} is a {kind} with {count} points, but should have {least}. Draw it again.",
            file=entry.file, where=entry.where, kind=kind_name, count=len(points), least=least,
        )  # fmt: skip
    patch = None
    if kind_name == "mask":
        left, top = np.rint(points.min(axis=0)).astype(int)
        bitmap = read_bitmap(io.BytesIO(_decoded(entry["mask"])), f"{entry.file}: {entry.where}, mask")
        patch = Patch.of(bitmap, int(left), int(top))
    elif kind_name == "rectangle":
        (left, top), (right, bottom) = points
        points = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    return Shape(label, kind, points, patch, ignore=label == IGNORE_LABEL)


def _embedded_picture(file: Path) -> bytes:
    return _decoded(read_json(file)["imageData"])


def _decoded(entry: Entry) -> bytes:
    try:
        # Whole megabytes of text, so without the checks that Entry.text() makes.
        return base64.b64decode(entry.value, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise UserError(
            "{file}: {where} should be a picture in base64, but cannot be decoded. Save the file again in labelme.",
            file=entry.file, where=entry.where,
        ) from None  # fmt: skip
