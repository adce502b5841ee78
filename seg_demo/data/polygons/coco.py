"""COCO JSON: one file for a data set or a split of it (cocodataset.org, "Data format", object detection)."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np

from seg_demo.data.polygons.entries import Entry, files_with, read_bytes, read_json
from seg_demo.data.polygons.runs import mask_of_runs, mask_of_text
from seg_demo.data.polygons.shapes import Drawing, Export, Patch, Shape
from seg_demo.data.polygons.splits import split_of
from seg_demo.errors import Sentence, UserError

EVIDENCE = Sentence('a JSON file with "images", "annotations" and "categories"')


def recognise(source: Path) -> Path | None:
    """The first file that looks like COCO JSON."""
    return next((file for file in files_with(source, ".json") if _looks_right(file)), None)


def read(source: Path) -> Export:
    """Read one file, or all of this format under a folder, where the files' names tell the split.

    The shapes of a drawing are sorted so that large objects come first, since COCO stores no order and small things
    mostly lie on large ones. Where files named instances_* exist, others (keypoints, captions) are passed over.
    Raises `UserError` naming the file and the entry that is wrong.
    """
    fitting = [file for file in files_with(source, ".json") if _looks_right(file)]
    chosen = [file for file in fitting if file.name.startswith("instances")] or fitting
    drawings: list[Drawing] = []
    labels: dict[str, None] = {}
    passed_over = [
        UserError("{file} was passed over, because it is no list of COCO instances.", file=file)
        for file in files_with(source, ".json")
        if file not in chosen
    ]
    for file in chosen:
        root = read_json(file)
        categories = {_key(entry["id"]): entry["name"].text() for entry in root["categories"].items("category")}
        labels.update(dict.fromkeys(categories.values()))
        drawings += _drawings(root, categories, passed_over)
    return Export(tuple(drawings), tuple(labels), passed_over=tuple(passed_over))


def _looks_right(file: Path) -> bool:
    content = read_bytes(file)
    return all(key in content for key in (b'"images"', b'"annotations"', b'"categories"'))


def _key(entry: Entry) -> int | str:
    return entry.text() if isinstance(entry.value, str) else entry.whole(0, 10**15)


def _drawings(root: Entry, categories: dict[int | str, str], passed_over: list[UserError]) -> list[Drawing]:
    objects: dict[int | str, list[tuple[float, list[Shape]]]] = {}
    drawings: dict[int | str, Drawing] = {}
    for entry in root["images"].items("image"):
        key, picture = _key(entry["id"]), entry["file_name"].text()
        if key in drawings:
            raise UserError(
                "{file}: {where} has the id {id}, which another image has too. Export the file again.",
                file=entry.file, where=entry.where, id=key,
            )  # fmt: skip
        drawings[key] = Drawing(
            name=PurePosixPath(picture.replace("\\", "/")).stem or f"image_{key}",
            picture=picture, file=entry.file, shapes=(),
            height=entry["height"].whole(1), width=entry["width"].whole(1),
            split=split_of(entry.file.stem), raster="coco",
        )  # fmt: skip
        objects[key] = []
    boxes: Counter[str] = Counter()
    for entry in root["annotations"].items("annotation"):
        image, category = _key(entry["image_id"]), _key(entry["category_id"])
        for kind, key, known in (("image", image, drawings), ("category", category, categories)):
            if key not in known:
                raise UserError(
                    "{file}: {where} belongs to the {kind} {id}, which the file does not list. Export the file again.",
                    file=entry.file, where=entry.where, kind=kind, id=key,
                )  # fmt: skip
        shapes = _shapes(entry, categories[category], drawings[image])
        if shapes:
            objects[image].append((sum(shape.area for shape in shapes), shapes))
        else:
            boxes[drawings[image].picture] += 1
    if boxes:
        passed_over.append(
            UserError(
                "{file}: {count} objects in {pictures} pictures have no outline, only boxes, which are no masks; they "
                "were passed over.",
                file=root.file, count=boxes.total(), pictures=len(boxes),
            )
        )  # fmt: skip
    for key, found in objects.items():
        found.sort(key=lambda pair: -pair[0])
        ordered = tuple(shape for _, shapes in found for shape in shapes)
        drawings[key] = dataclasses.replace(drawings[key], shapes=ordered)
    return list(drawings.values())


def _shapes(entry: Entry, label: str, drawing: Drawing) -> list[Shape]:
    """The parts of one object: a polygon for each ring, or one mask; none where it has only a box."""
    segmentation = entry["segmentation"]
    ignore = bool(entry["iscrowd"]) and entry["iscrowd"].whole(0, 1) == 1
    if isinstance(segmentation.value, dict):
        height, width = _size(segmentation["size"])
        if (height, width) != (drawing.height, drawing.width):
            raise UserError(
                "{file}: {where} is a mask of {width} x {height} pixels, but its picture has {picture_width} x "
                "{picture_height}. Export the file again.",
                file=entry.file, where=entry.where, width=width, height=height,
                picture_width=drawing.width, picture_height=drawing.height,
            )  # fmt: skip
        counts = segmentation["counts"]
        if isinstance(counts.value, str):
            mask = mask_of_text(counts, height, width)
        else:
            mask = mask_of_runs(counts, height, width, by_columns=True)
        return [Shape(label, "mask", patch=Patch.of(mask), ignore=ignore)]
    rings = segmentation.items() if segmentation else []
    return [Shape(label, "polygon", _ring(ring), ignore=ignore) for ring in rings]


def _size(entry: Entry) -> tuple[int, int]:
    sides = [side.whole(1) for side in entry.items()]
    if len(sides) != 2:
        raise UserError(
            "{file}: {where} should be height and width. Export the file again.", file=entry.file, where=entry.where
        )
    return sides[0], sides[1]


def _ring(entry: Entry) -> np.ndarray:
    """x, y, x, y, ... -> (N, 2)."""
    numbers = entry.value if isinstance(entry.value, list) else [number.number() for number in entry.items()]
    if len(numbers) % 2:
        raise UserError(
            "{file}: {where} has {count} numbers, but x and y come in pairs. Export the file again.",
            file=entry.file, where=entry.where, count=len(numbers),
        )  # fmt: skip
    return entry.checked(list(zip(numbers[::2], numbers[1::2], strict=True)))
