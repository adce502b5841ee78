"""What a labelling tool exports: drawings, each a picture with the shapes that somebody drew on it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from seg_demo.classes import Color
from seg_demo.errors import UserError

Kind = Literal["polygon", "circle", "line", "point", "mask"]
RasterName = Literal["pillow", "opencv", "coco"]

BACKGROUND_LABEL = "_background_"  # what labelme calls class 0, whatever its name is
IGNORE_LABEL = "__ignore__"  # what labelme calls the ignore index


@dataclass(frozen=True)
class Patch:
    """A mask that covers a part of a picture, kept packed: a data set may hold thousands of them.

    left, top: where its first pixel lies, possibly outside of the picture.
    """

    left: int
    top: int
    height: int
    width: int
    packed: bytes
    count: int

    @classmethod
    def of(cls, mask: np.ndarray, left: int = 0, top: int = 0) -> Patch:
        """From an (h, w) bool mask."""
        height, width = mask.shape
        return cls(left, top, height, width, zlib.compress(np.packbits(mask).tobytes(), 1), int(mask.sum()))

    def mask(self) -> np.ndarray:
        """(height, width) bool."""
        bits = np.frombuffer(zlib.decompress(self.packed), np.uint8)
        return np.unpackbits(bits, count=self.height * self.width).reshape(self.height, self.width).astype(bool)


@dataclass(frozen=True, eq=False)
class Shape:
    """One shape of a drawing.

    points: (N, 2) float64 pixel coordinates x, y, where (0, 0) is the upper left corner of the picture; all finite.
    A polygon is closed from the last point to the first, rectangles are polygons of four points; a circle is its
    centre and a point on its rim; a line goes through all its points; a mask has none and a `patch` instead.
    ignore: its pixels are not labelled (255), whatever the label says. z: shapes with a larger one lie on top.
    """

    label: str
    kind: Kind
    points: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    patch: Patch | None = None
    ignore: bool = False
    z: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether it has no area that anybody can have meant, as a stray click leaves: fewer than three points or all
        on one line, a circle without a radius, a line of one point, a mask without a pixel."""
        if self.kind == "mask":
            return self.patch is None or self.patch.count == 0
        if self.kind == "polygon":
            return len(self.points) < 3 or int(np.linalg.matrix_rank(self.points - self.points[0])) < 2
        distinct = len(np.unique(self.points, axis=0))
        return distinct < (1 if self.kind == "point" else 2)

    @property
    def area(self) -> float:
        """In pixels; of a polygon by the shoelace formula, which gives lines and circles next to nothing."""
        if self.patch is not None:
            return float(self.patch.count)
        (x, y), (next_x, next_y) = self.points.T, np.roll(self.points, -1, axis=0).T
        return abs(float(np.sum(x * next_y - next_x * y))) / 2


@dataclass(frozen=True, eq=False)
class Drawing:
    """A picture and what was drawn on it.

    name: of the picture, without folder and suffix. picture: its file as the tool's file names it, never opened as it
    stands. embedded: reads the picture's bytes where the tool's file holds them. height, width: as the tool states
    them. split: "train", "val", "test" where the format tells it. file: where all this was read.
    raster: how its polygons become pixels, see `RASTERS`.
    """

    name: str
    picture: str
    file: Path
    shapes: tuple[Shape, ...]
    height: int | None = None
    width: int | None = None
    split: str | None = None
    embedded: Callable[[], bytes] | None = None
    raster: RasterName = "pillow"


@dataclass(frozen=True, eq=False)
class Export:
    """All that one export holds.

    labels: the tool's own list of labels in its order, empty where it has none. colors: of those labels that have one.
    passed_over: sentences about what was left out, never raised.
    """

    drawings: tuple[Drawing, ...]
    labels: tuple[str, ...] = ()
    colors: Mapping[str, Color] = field(default_factory=dict)
    passed_over: tuple[UserError, ...] = ()
