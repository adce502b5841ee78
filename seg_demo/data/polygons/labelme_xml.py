"""LabelMe XML: one file a picture, as CVAT exports it under "LabelMe 3.0" (labelme.csail.mit.edu/Release3.0)."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

from seg_demo.data.polygons.bitmaps import read_bitmap
from seg_demo.data.polygons.entries import Entry, files_with, read_bytes, read_xml, xml_root_name
from seg_demo.data.polygons.shapes import Drawing, Export, Patch, Shape
from seg_demo.errors import Sentence, UserError

EVIDENCE = Sentence("an XML file with an <annotation> that has polygons or an <imagesize>")


def recognise(source: Path) -> Path | None:
    """The first file that looks like LabelMe XML."""
    return next((file for file in files_with(source, ".xml") if _looks_right(file)), None)


def read(source: Path) -> Export:
    """Read one file, or all under a folder. Raises `UserError` naming the file and the entry that is wrong."""
    drawings: list[Drawing] = []
    passed_over: list[UserError] = []
    for file in files_with(source, ".xml"):
        if _looks_right(file):
            drawings.append(_drawing(file, passed_over))
        else:
            passed_over.append(UserError("{file} is no LabelMe XML and was passed over.", file=file))
    return Export(tuple(drawings), passed_over=tuple(passed_over))


def _looks_right(file: Path) -> bool:
    content = read_bytes(file)
    if xml_root_name(content) != b"annotation" or b"<bndbox" in content:
        return False
    return any(tag in content for tag in (b"<polygon", b"<segm", b"<imagesize"))


def _text(element: Element, path: str, file: Path, where: str = "") -> Entry:
    """The text of a child, or None where there is no child or no text in it."""
    text = (element.findtext(path) or "").strip()
    name = path.replace("/", ", ")
    return Entry(text or None, file, f"{where}, {name}" if where else name)


def _drawing(file: Path, passed_over: list[UserError]) -> Drawing:
    root = read_xml(file)
    filename, folder = _text(root, "filename", file), _text(root, "folder", file)
    picture = filename.text() if filename else file.stem
    objects = root.findall("object")
    shapes = []
    deleted = 0
    for number, element in enumerate(objects, 1):
        if element.findtext("deleted", "").strip() == "1":
            deleted += 1
        else:
            shapes.append(_shape(element, file, f"object {number}"))
    if deleted:
        passed_over.append(
            UserError("{file}: {count} objects are marked as deleted and were passed over.", file=file, count=deleted)
        )
    height, width = _text(root, "imagesize/nrows", file), _text(root, "imagesize/ncols", file)
    return Drawing(
        name=PurePosixPath(picture.replace("\\", "/")).stem or file.stem,
        picture=f"{folder.text()}/{picture}" if folder else picture,
        file=file,
        # The file has no order of painting; the sky must not hide who falls through it.
        shapes=tuple(sorted(shapes, key=lambda shape: -shape.area)),
        height=height.whole(1) if height else None,
        width=width.whole(1) if width else None,
        raster="opencv",
    )


def _shape(element: Element, file: Path, where: str) -> Shape:
    label = _text(element, "name", file, where).text()
    polygon, bitmap = element.find("polygon"), element.find("segm")
    if polygon is not None:
        # A box is a polygon of its four corners, with <type>bounding_box</type> beside it.
        pairs = [
            (_text(point, "x", file, f"{where}, point {number}").number(),
             _text(point, "y", file, f"{where}, point {number}").number())
            for number, point in enumerate(polygon.findall("pt"), 1)
        ]  # fmt: skip
        return Shape(label, "polygon", Entry(None, file, where).checked(pairs))
    if bitmap is not None:
        return Shape(label, "mask", patch=_patch(_text(bitmap, "mask", file, f"{where}, segm"), file))
    raise UserError(
        "{file}: {where} has neither a polygon nor a mask. Delete it or draw it again.", file=file, where=where
    )


def _patch(entry: Entry, file: Path) -> Patch:
    """A mask file in the folder Masks/ beside the XML, as large as the picture, foreground where it is not black."""
    name = entry.text()
    path = Path(os.path.normpath(file.parent / "Masks" / name.replace("\\", "/")))
    inside = (file.parent / "Masks").resolve()
    if inside not in path.resolve().parents or not path.is_file():
        raise UserError(
            "{file}: {where} names {mask}, which is not in the folder Masks beside it. Put it there.",
            file=file, where=entry.where, mask=name,
        )  # fmt: skip
    return Patch.of(read_bitmap(path, str(path)))
