"""The good data set that faults are planted in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from seg_demo.classes import ClassMap
from seg_demo.data.class_file import write_class_file
from seg_demo.data.masks import palette_image
from seg_demo.data.procedural import ProceduralNewts

PICTURES = 10
CLASSES = ProceduralNewts(1, longest=64).classes


@dataclass
class Good:
    """The data set that faults are planted in: `root`/images, `root`/masks, `root`/classes.txt; a split by chance."""

    root: Path
    truth: dict[str, np.ndarray]

    @classmethod
    def write(cls, root: Path) -> Good:
        (root / "images").mkdir(parents=True)
        (root / "masks").mkdir()
        truth = {}
        for name, image, label_map in ProceduralNewts(PICTURES, longest=160, seed=5):
            Image.fromarray(image).save(root / "images" / f"{name}.jpg", quality=92)
            palette_image(label_map, CLASSES).save(root / "masks" / f"{name}.png")
            truth[name] = label_map
        write_class_file(root / "classes.txt", CLASSES)
        return cls(root, truth)

    @property
    def names(self) -> list[str]:
        return list(self.truth)

    def image(self, number: int) -> Path:
        return self.root / "images" / f"{self.names[number]}.jpg"

    def label(self, number: int) -> Path:
        return self.root / "masks" / f"{self.names[number]}.png"

    def rewrite(self, number: int, change: Callable[[np.ndarray], np.ndarray]) -> None:
        """Replace a label file by a grey one with `change` of its ids."""
        Image.fromarray(change(self.truth[self.names[number]].copy())).save(self.label(number))

    def rewrite_all(self, change: Callable[[np.ndarray], np.ndarray]) -> None:
        for number in range(PICTURES):
            self.rewrite(number, change)

    def unnamed(self) -> None:
        (self.root / "classes.txt").unlink()

    def binary(self) -> None:
        """Make it a set of two classes, in which `truth` is 0 and 1."""
        self.truth = {name: (ids > 0).astype(np.uint8) for name, ids in self.truth.items()}
        write_class_file(self.root / "classes.txt", ClassMap.of("background", "newt"))
        self.rewrite_all(lambda ids: ids)
