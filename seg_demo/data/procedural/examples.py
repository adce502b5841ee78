"""The example pictures of the page: which scenes are drawn, at which size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seg_demo.data.dataset import DataSet, Sample
from seg_demo.data.procedural.picture import draw_newts
from seg_demo.palettes import NEWTS_BINARY, NEWTS_SPECIES

# (file name, scene, (height, width)); in the order in which the page shows them.
SCENES: Sequence[tuple[str, int, tuple[int, int]]] = (
    ("1_water", 123, (682, 1024)),
    ("2_leaf_litter", 122, (682, 1024)),
    ("3_tray", 201, (768, 1024)),
    ("4_hand", 104, (682, 1024)),
    ("5_bark", 107, (682, 1024)),
    ("6_moss", 219, (768, 1024)),
)


class ExampleNewts(DataSet):
    """The example pictures with their label maps: 0 background, 1 akahara, 2 madara, or 1 for any newt."""

    def __init__(self, *, species: bool = True) -> None:
        self.classes = NEWTS_SPECIES if species else NEWTS_BINARY
        self.species = species

    def __len__(self) -> int:
        return len(SCENES)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]  # no slices
        name, scene, size = SCENES[index]
        image, label_map = draw_newts(scene, size)
        return Sample(name, image, label_map if self.species else (label_map > 0).astype(np.uint8))
