"""One picture that is being labelled, as the painter gets it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seg_demo.classes import IGNORE_INDEX, ClassMap


@dataclass(frozen=True, eq=False)
class LabelWork:
    """What the painter works on.

    name: shown as text, never as HTML
    image: (H, W, 3) uint8 RGB, upright
    classes: a class's id is its position
    label_map: (H, W) uint8, what is labelled so far, `IGNORE_INDEX` elsewhere; or None where nothing is
    draft: (H, W) uint8, what a model predicts; or None
    can_draft: whether the event "draft" makes a prediction when the visitor asks for one
    key: what tells this picture from all others in the visitor's browser, such as a random token of its folder and its
        name; unsaved work is kept under it. By default it follows from the image.
    place: (position from 1, number of pictures), where pictures are walked through

    Raises ValueError where these do not fit together.

    >>> LabelWork("a.png", np.zeros((2, 3, 3), np.uint8), ClassMap.of("background", "cat")).size
    (2, 3)
    """

    name: str
    image: np.ndarray
    classes: ClassMap
    label_map: np.ndarray | None = None
    draft: np.ndarray | None = None
    can_draft: bool = False
    key: str | None = None
    place: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        shape = self.image.shape[:2]
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8 or not self.image.size:
            raise ValueError(f"{self.name}: image is {self.image.shape} {self.image.dtype}, not (H, W, 3) uint8.")
        if self.classes.ignore_index != IGNORE_INDEX:
            raise ValueError(f"{self.name}: the ignore index is {self.classes.ignore_index}, not {IGNORE_INDEX}.")
        for noun, plane in {"label_map": self.label_map, "draft": self.draft}.items():
            if plane is None:
                continue
            if plane.shape != shape or plane.dtype != np.uint8:
                raise ValueError(f"{self.name}: {noun} is {plane.shape} {plane.dtype}, but must be {shape} uint8.")
            strangers = np.flatnonzero(np.bincount(plane.ravel(), minlength=256)[len(self.classes) : IGNORE_INDEX])
            if len(strangers):
                first, last = int(strangers[0]) + len(self.classes), len(self.classes) - 1
                raise ValueError(f"{self.name}: {noun} holds {first}, but the classes are 0 to {last}.")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        height, width = self.image.shape[:2]
        return height, width
