"""The procedural data set: drawn pictures in the shapes that photos have."""

from __future__ import annotations

import numpy as np

from seg_demo.data.dataset import DataSet, Sample
from seg_demo.data.procedural.picture import draw_newts
from seg_demo.palettes import NEWTS_BINARY, NEWTS_SPECIES

# Height and width as shares of the longest side: 16:9 either way, 4:3, and square.
SHAPES = ((0.5625, 1.0), (1.0, 0.5625), (0.75, 1.0), (1.0, 1.0))


class ProceduralNewts(DataSet):
    """`length` pictures whose longest side is `longest` pixels, drawn when they are asked for.

    species: label maps hold 0 background, 1 akahara, 2 madara; otherwise 0 background, 1 newt. Equal arguments
    give equal pictures; another `seed` gives others.

    >>> ProceduralNewts(2, longest=64)[0].image.shape
    (36, 64, 3)
    """

    def __init__(self, length: int, *, longest: int = 512, species: bool = True, seed: int = 0) -> None:
        self.classes = NEWTS_SPECIES if species else NEWTS_BINARY
        self.length, self.longest, self.species, self.seed = length, longest, species, seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]  # no slices
        if not 0 <= index < self.length:
            raise IndexError(index)
        height, width = (round(share * self.longest) for share in SHAPES[index % len(SHAPES)])
        image, label_map = draw_newts(self.seed * 1_000_003 + index, (height, width))
        return Sample(f"drawn_{index:04}", image, label_map if self.species else (label_map > 0).astype(np.uint8))

    def identity(self, index: int) -> bytes:
        return f"newts {self.seed} {index} {self.longest} {self.species}\0".encode()
