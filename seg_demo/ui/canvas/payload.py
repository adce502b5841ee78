"""One picture of the canvas, and the bytes it travels as.

A picture goes to the browser once, as two files: the photo (JPEG) and its planes (exact integers). Everything
the page then draws - opacity, classes on and off, outlines, the label under the pointer, pixel counts - is
computed in the browser from those integers, so a count in the page equals NumPy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from seg_demo.classes import Task

ClassEntry = tuple[int, str, tuple[int, int, int]]


@dataclass(frozen=True, eq=False)
class CanvasPicture:
    """What the canvas shows: a photo with its label map and how sure the model was.

    name: shown as text, never as HTML
    image: (H, W, 3) uint8 RGB
    label_map: (H, W) uint8 class ids, `ignore_index` where nothing is known
    confidence: (H, W) uint8, the probability of the pixel's own class, 255 = 1.0
    classes: (id, name, (r, g, b)) of every class
    task: "binary" or "multiclass"
    probabilities: (H, W) uint8, binary only: the probability of class 1, 255 = 1.0
    level: binary only: a pixel is class 1 iff probabilities >= level
    notes: shown in the caption, in this order, e.g. {"time": "0.41 s"}

    Raises ValueError where these do not fit together.

    >>> plane = np.zeros((2, 3), np.uint8)
    >>> CanvasPicture("road.jpg", np.zeros((2, 3, 3), np.uint8), plane, plane, [(0, "road", (128, 64, 128))]).task
    'multiclass'
    """

    name: str
    image: np.ndarray
    label_map: np.ndarray
    confidence: np.ndarray
    classes: Sequence[ClassEntry]
    task: Task = "multiclass"
    probabilities: np.ndarray | None = None
    level: int | None = None
    ignore_index: int = 255
    notes: dict[str, str | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ValueError(
                f"{self.name}: image is {self.image.shape} {self.image.dtype}, but must be (H, W, 3) uint8."
            )
        shape = self.image.shape[:2]
        planes = {"label_map": self.label_map, "confidence": self.confidence}
        if self.task == "binary":
            if self.probabilities is None or self.level is None:
                raise ValueError(f'{self.name}: the task "binary" needs probabilities and level.')
            if not 0 <= self.level <= 255:
                raise ValueError(f"{self.name}: level is {self.level}, but must be 0-255.")
            planes["probabilities"] = self.probabilities
        elif self.task != "multiclass":
            raise ValueError(f'{self.name}: task is "{self.task}", but must be "binary" or "multiclass".')
        for noun, plane in planes.items():
            if plane.shape != shape or plane.dtype != np.uint8:
                given = f"{plane.shape} {plane.dtype}"
                raise ValueError(f"{self.name}: {noun} is {given}, but must be {shape} uint8.")
        if self.label_map.size == 0:
            raise ValueError(f"{self.name}: the image has no pixels.")
        self._check_label_map()

    def _check_label_map(self) -> None:
        known = {id for id, _, _ in self.classes}
        if self.task == "binary":
            if known != {0, 1}:
                raise ValueError(f"{self.name}: a binary picture has classes 0 and 1, not {sorted(known)}.")
            # The browser derives the label map: with another one here its counts would disagree with ours.
            assert self.probabilities is not None and self.level is not None
            if not np.array_equal(self.label_map, self.probabilities >= self.level):
                raise ValueError(f"{self.name}: label_map differs from probabilities >= {self.level}.")
            return
        present = np.flatnonzero(np.bincount(self.label_map.ravel(), minlength=256))
        strangers = [int(id) for id in present if id not in known and id != self.ignore_index]
        if strangers:
            raise ValueError(
                f"{self.name}: label_map holds {strangers[:5]}, but the classes are {sorted(known)[:5]}..."
                f" ({len(known)} of them) and {self.ignore_index} for ignore."
            )


def plane_names(picture: CanvasPicture) -> list[str]:
    """The planes a picture sends, in their order within the file."""
    return ["probabilities"] if picture.task == "binary" else ["label_map", "confidence"]


def planes_of(picture: CanvasPicture) -> list[np.ndarray]:
    """The planes themselves, (H, W) uint8 each."""
    return [getattr(picture, name) for name in plane_names(picture)]
