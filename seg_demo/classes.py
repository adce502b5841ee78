"""Classes: ordered names and colours, and the ignore index."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seg_demo.errors import UserError, shorten

IGNORE_INDEX = 255
MAX_CLASSES = 255  # a label map is uint8 and 255 is taken
MAX_NAME_LENGTH = 200  # of a class, and of any other name that a checkpoint holds

# Control characters, what ends a line, what turns the direction of all that follows, and halves of characters, which no
# file in UTF-8 can hold.
_NOT_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

Color = tuple[int, int, int]
Task = Literal["binary", "multiclass"]


@dataclass(frozen=True)
class ClassMap:
    """The classes of a model or a data set; a class id is a position in `names`.

    names: one per class, unique, 1 to 200 characters in one line. colors: one RGB triple of 0..255 per class.
    ignore_index: the label-map value that stands for "not labelled".

    >>> ClassMap.of("background", "cat").names
    ('background', 'cat')
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...]
    ignore_index: int = IGNORE_INDEX

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= MAX_CLASSES:
            raise UserError(
                "There are {count} classes, but a label map can hold 1 to {most}. Merge or drop some.",
                count=len(self.names), most=MAX_CLASSES,
            )  # fmt: skip
        if len(self.colors) != len(self.names):
            raise UserError(
                "There are {names} class names but {colors} colours. Give one colour per class.",
                names=len(self.names), colors=len(self.colors),
            )  # fmt: skip
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice or not all(name.strip() for name in self.names):
            raise UserError(
                "Class names must be unique and not empty, but {names}. Rename them.",
                names=f'"{twice[0]}" occurs twice' if twice else "one is empty",
            )  # fmt: skip
        for name in self.names:
            if len(name) > MAX_NAME_LENGTH:
                raise UserError(
                    "The class name {name} has {count} characters, but {most} is the most. Shorten it.",
                    name=shorten(name), count=len(name), most=MAX_NAME_LENGTH,
                )  # fmt: skip
            if strange := _NOT_IN_A_NAME.search(name):
                raise UserError(
                    "The class name {name} holds a control character, a line break or a broken character "
                    "({character}). Rename the class.",
                    name=shorten(name), character=f"U+{ord(strange[0]):04X}",
                )  # fmt: skip
        if any(len(color) != 3 or not all(part in range(256) for part in color) for color in self.colors):
            raise UserError("A class colour must be three whole numbers from 0 to 255. Mend the palette.")
        if self.ignore_index not in range(len(self.names), 256):
            raise UserError(
                "The ignore index is {value}, but must be from {low} to 255, behind the class ids. Choose 255.",
                value=self.ignore_index, low=len(self.names),
            )  # fmt: skip

    @classmethod
    def of(cls, *names: str) -> ClassMap:
        """Own classes; the first is taken as the background (black), the others get `distinct_colors`."""
        return cls(tuple(names), ((0, 0, 0), *distinct_colors(len(names) - 1)))

    def __len__(self) -> int:
        return len(self.names)

    def palette(self) -> np.ndarray:
        """(256, 3) uint8 RGB table for a palette PNG; ids without a class are mid-grey, ignore is white."""
        table = np.full((256, 3), 128, np.uint8)
        table[: len(self)] = self.colors
        table[self.ignore_index] = 255
        return table

    def colorize(self, label_map: np.ndarray) -> np.ndarray:
        """(H, W) uint8 label map -> (H, W, 3) uint8 RGB."""
        return self.palette()[label_map]


# Okabe & Ito (2008), "Color Universal Design", without black: safe for all common colour-vision deficiencies.
_OKABE_ITO: tuple[Color, ...] = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip


def distinct_colors(count: int) -> tuple[Color, ...]:
    """`count` RGB colours, as far apart as can be for people with and without a colour-vision deficiency.

    The first seven are Okabe and Ito's; each further one is the candidate whose smallest distance to all
    colours before it is largest, where the distance between two colours is the smallest over normal vision,
    protanopia and deuteranopia (matrices: Machado, Oliveira and Fernandes 2009, severity 1) in CIE L*a*b*.
    A longer list begins with the shorter one, so adding a class keeps the colours of the others.
    """
    colors = list(_OKABE_ITO[:count])
    if count <= len(colors):
        return tuple(colors)
    candidates = _candidates()
    seen_candidates = [_lab(_linear(candidates / 255) @ vision.T) for vision in _VISIONS]
    nearest = np.full(len(candidates), np.inf)

    def push_away(color: Sequence[float]) -> None:
        linear = _linear(np.array([color], float) / 255)
        for vision, lab in zip(_VISIONS, seen_candidates, strict=True):
            np.minimum(nearest, np.linalg.norm(lab - _lab(linear @ vision.T), axis=1), out=nearest)

    for color in ((0, 0, 0), *colors):
        push_away(color)
    while len(colors) < count:
        best: Color = tuple(int(part) for part in candidates[int(nearest.argmax())])  # type: ignore[assignment]
        colors.append(best)
        push_away(best)
    return tuple(colors)


_VISIONS = (
    np.eye(3),
    np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
)  # fmt: skip


def _candidates() -> np.ndarray:
    """(M, 3) uint8: a grid over hue, saturation and value that leaves out near-black, near-white and greys."""
    grid = [
        colorsys.hsv_to_rgb(hue / 36, saturation, value)
        for hue in range(36)
        for saturation in (0.4, 0.7, 1.0)
        for value in (0.4, 0.55, 0.7, 0.85, 1.0)
    ]
    return np.rint(np.array(grid) * 255).astype(np.uint8)


def _linear(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _lab(linear_rgb: np.ndarray) -> np.ndarray:
    """Linear sRGB (M, 3) -> CIE L*a*b* (M, 3), D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = np.clip(linear_rgb, 0, 1) @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    lightness = 116 * root[:, 1] - 16
    return np.stack([lightness, 500 * (root[:, 0] - root[:, 1]), 200 * (root[:, 1] - root[:, 2])], axis=1)
