"""Pascal VOC as CVAT and others export it: coloured PNG files, which are label maps already.

Folders JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/, and labelmap.txt with one line a class,
"name:r,g,b:parts:actions" (docs.cvat.ai, "Pascal VOC" and "Segmentation mask").
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seg_demo.data.class_file import read_class_file
from seg_demo.data.listing import SPLITS, Tree, is_picture
from seg_demo.data.masks import pack, read_label_file, unpack_color
from seg_demo.data.polygons.entries import files_with, read_bytes, xml_root_name
from seg_demo.data.polygons.shapes import Drawing, Export, Patch, Shape
from seg_demo.errors import Sentence, UserError

EVIDENCE = Sentence("part of Pascal VOC, with labelmap.txt beside SegmentationClass")
VOID = 0xE0E0C0  # the cream colour of VOC's borders, which are not labelled

_MASKS = "SegmentationClass"


def recognise(source: Path) -> Path | None:
    """The labelmap.txt beside a folder SegmentationClass, or else the first XML file that has only boxes."""
    found = _label_map_files(source)
    if found:
        return found[0]
    return next((file for file in files_with(source, ".xml") if _has_only_boxes(file)), None)


def read(source: Path) -> Export:
    """Read all under a folder; each class of a label map becomes a mask.

    Raises `UserError` naming the file and the colour that labelmap.txt lacks, and where there are only boxes.
    """
    label_files = _label_map_files(source)
    if not label_files:
        raise UserError(
            "{source} holds Pascal VOC files with boxes only, and boxes are no masks. "
            "Draw polygons or masks, and export with the folder SegmentationClass.",
            source=source,
        )
    drawings: list[Drawing] = []
    labels: dict[str, None] = {}
    colors = {}
    passed_over: list[UserError] = []
    for file in label_files:
        named = read_class_file(file)
        if not named.colors_given:
            raise UserError('{file} gives no colours. Write one line a class, such as "cat:64,0,0::".', file=file)
        own = dict(zip(named.classes.names, named.classes.colors, strict=True))
        labels.update(dict.fromkeys(own))
        colors.update(own)
        found = _drawings(file.parent, {int(pack(np.array(color, np.uint8))): name for name, color in own.items()})
        drawings += found
        passed_over += _unlabelled(file.parent, {drawing.picture for drawing in found})
    return Export(tuple(drawings), tuple(labels), colors, tuple(passed_over))


def _label_map_files(source: Path) -> list[Path]:
    files = files_with(source, ".txt") if source.is_dir() else []
    return [file for file in files if file.name == "labelmap.txt" and (file.parent / _MASKS).is_dir()]


def _has_only_boxes(file: Path) -> bool:
    content = read_bytes(file)
    return xml_root_name(content) == b"annotation" and b"<bndbox" in content


def _drawings(root: Path, labels: dict[int, str]) -> list[Drawing]:
    splits = {name: split for split in SPLITS for name in _listed(root, split)}
    drawings = []
    for relative in Tree(root / _MASKS).files:
        if not is_picture(relative):
            continue
        file, name = root / _MASKS / relative, str(relative.with_suffix(""))
        shapes = _masks(file, labels)
        patch = shapes[0].patch
        assert patch is not None
        drawings.append(Drawing(relative.stem, name, file, shapes, patch.height, patch.width, splits.get(name)))
    return drawings


def _listed(root: Path, split: str) -> list[str]:
    """The names in ImageSets/Segmentation/<split>.txt, where there is one."""
    file = root / "ImageSets" / "Segmentation" / f"{split}.txt"
    if not file.is_file():
        return []
    return [line.strip() for line in read_bytes(file).decode("utf-8", "replace").splitlines() if line.strip()]


def _unlabelled(root: Path, labelled: set[str]) -> list[UserError]:
    return [
        UserError(
            "{file} lists {name}, but SegmentationClass has no such picture; it was passed over.",
            file=root / "ImageSets" / "Segmentation" / f"{split}.txt", name=name,
        )
        for split in SPLITS for name in _listed(root, split) if name not in labelled
    ]  # fmt: skip


def _masks(file: Path, labels: dict[int, str]) -> tuple[Shape, ...]:
    """A shape of each colour in the picture, so at least one."""
    pixels = read_label_file(file).colors()
    shapes = []
    for color, count in zip(*np.unique(pixels, return_counts=True), strict=True):
        label = labels.get(int(color), "" if color == VOID else None)
        if label is None:
            raise UserError(
                "{file} holds the colour {color} in {count} pixels, which labelmap.txt does not have. "
                "Add a line for it.",
                file=file, color=unpack_color(int(color)), count=int(count),
            )  # fmt: skip
        shapes.append(Shape(label, "mask", patch=Patch.of(pixels == color), ignore=not label))
    return tuple(shapes)
