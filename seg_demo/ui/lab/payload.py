"""One picture of the laboratory: an image and the probability of one class at each of its pixels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from seg_demo.classes import IGNORE_INDEX, Color, Task


@dataclass(frozen=True, eq=False)
class Subject:
    """What the laboratory looks at.

    name, model, class_name: shown as text, never as HTML
    image: (H, W, 3) uint8 RGB
    plane: (H, W) uint8, the probability of the class, 255 = 1.0
    color: RGB of the class
    task: of the model
    threshold: what the checkpoint has; 0.5 for a class of a multiclass model, which has none
    label_map: (H, W) uint8, 1 for the class, 0 for all others, `IGNORE_INDEX` where nothing is known; or None
    writable: whether the threshold can be written into the checkpoint
    automatic: level by method, of the methods that need nothing but the histogram
    link: what a link to this picture says, such as {"model": ..., "example": ...}
    state: what such a link said of the threshold and the filters, or None

    Raises ValueError where these do not fit together.

    >>> Subject("a.png", "mine", "cat", np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3), np.uint8), (1, 2, 3)).threshold
    0.5
    """

    name: str
    model: str
    class_name: str
    image: np.ndarray
    plane: np.ndarray
    color: Color
    task: Task = "binary"
    threshold: float = 0.5
    label_map: np.ndarray | None = None
    writable: bool = False
    automatic: dict[str, int] = field(default_factory=dict)
    link: dict[str, str] = field(default_factory=dict)
    state: dict[str, float | None] | None = None

    def __post_init__(self) -> None:
        shape = self.image.shape[:2]
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8 or not self.image.size:
            raise ValueError(f"{self.name}: image is {self.image.shape} {self.image.dtype}, not (H, W, 3) uint8.")
        for noun, plane in {"plane": self.plane, "label_map": self.label_map}.items():
            if plane is not None and (plane.shape != shape or plane.dtype != np.uint8):
                raise ValueError(f"{self.name}: {noun} is {plane.shape} {plane.dtype}, but must be {shape} uint8.")
        if self.label_map is not None:
            present = np.flatnonzero(np.bincount(self.label_map.ravel(), minlength=256))
            if not set(present.tolist()) <= {0, 1, IGNORE_INDEX}:
                raise ValueError(f"{self.name}: label_map holds {present[:5]}, but must hold 0, 1 and {IGNORE_INDEX}.")

    @property
    def planes(self) -> list[np.ndarray]:
        """What travels, (H, W) uint8 each."""
        return [self.plane] if self.label_map is None else [self.plane, self.label_map]
