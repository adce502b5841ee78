"""Painting a drawing: shapes over one another -> a label map."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from seg_demo.classes import IGNORE_INDEX, ClassMap
from seg_demo.data.polygons.rasters import FILLS, LINE_WIDTH, RASTERS, fill_coco
from seg_demo.data.polygons.shapes import BACKGROUND_LABEL, Drawing, RasterName, Shape
from seg_demo.errors import UserError


def paint(drawing: Drawing, classes: ClassMap | Mapping[str, int], order: Sequence[str] | None = None) -> np.ndarray:
    """Return the (height, width) uint8 label map of a drawing whose size is known.

    classes: the classes, or label -> id. order: labels, painted in this sequence, later ones over earlier ones; labels
    that it does not name are painted before them. Without it shapes are painted by their z, and as they stand in the
    file. Unpainted pixels are 0, ignored ones 255; shapes are cut at the picture's borders, empty ones passed over.
    Raises `UserError` naming a label that has no class.
    """
    if drawing.height is None or drawing.width is None:
        raise ValueError(f"the size of {drawing.name} is not known")
    ids = dict(classes) if isinstance(classes, Mapping) else {name: i for i, name in enumerate(classes.names)}
    ids.setdefault(BACKGROUND_LABEL, 0)
    rank = {label: place for place, label in enumerate(order or (), 1)}
    label_map = np.zeros((drawing.height, drawing.width), np.uint8)
    for shape in sorted(drawing.shapes, key=lambda shape: (rank.get(shape.label, 0), shape.z)):
        if not shape.ignore and shape.label not in ids:
            raise unknown_label(drawing, shape.label, 1, [name for name in ids if name != BACKGROUND_LABEL])
        if not shape.is_empty:
            _lay(label_map, shape, IGNORE_INDEX if shape.ignore else ids[shape.label], drawing.raster)
    return label_map


def unknown_label(drawing: Drawing, label: str, count: int, known: Sequence[str]) -> UserError:
    return UserError(
        '{file} has the label "{label}" ({count} shapes in all), which is none of the classes {known}. '
        "Add it to the classes, or rename it in the labelling tool.",
        file=drawing.file, label=label, count=count, known=", ".join(known),
    )  # fmt: skip


def _lay(label_map: np.ndarray, shape: Shape, value: int, raster: RasterName) -> None:
    if shape.patch is not None:
        left, top, mask = shape.patch.left, shape.patch.top, shape.patch.mask()
        mask = mask[max(-top, 0) :, max(-left, 0) :]
    else:
        left, top, mask = _filled(shape, raster, *label_map.shape)
    part = label_map[max(top, 0) :, max(left, 0) :][: mask.shape[0], : mask.shape[1]]
    part[mask[: part.shape[0], : part.shape[1]]] = value


def _filled(shape: Shape, raster: RasterName, height: int, width: int) -> tuple[int, int, np.ndarray]:
    """Left, top and mask of the part of the picture around a shape, so that small shapes cost little."""
    reach = {"polygon": 1, "circle": math.dist(shape.points[0], shape.points[-1]) + 1}.get(shape.kind, LINE_WIDTH)
    low, high = shape.points.min(axis=0) - reach, shape.points.max(axis=0) + reach
    left, top = np.clip(low, 0, (width - 1, height - 1)).astype(int).tolist()
    right, bottom = np.clip(high + 1, (left + 1, top + 1), (width, height)).astype(int).tolist()
    if shape.kind == "polygon" and raster == "coco":
        return left, 0, fill_coco(shape.points, bottom, right, left)
    fill = RASTERS[raster] if shape.kind == "polygon" else FILLS[shape.kind]
    return left, top, fill(shape.points - (left, top), bottom - top, right - left)
