"""The newts data set: photos of two species with masks painted in the species' colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seg_demo.classes import Color
from seg_demo.data.dataset import DataSet, Sample
from seg_demo.data.images import read_image
from seg_demo.data.masks import decode_colors
from seg_demo.errors import UserError
from seg_demo.palettes import NEWTS_BINARY, NEWTS_SPECIES
from seg_demo.registry import look_up

# Split -> (folder, which photos of each species there, counted from one). The published training folder
# holds eight photos of each species; two of each are kept for choosing between recipes.
SPLITS = {
    "train": ("train", lambda number: number % 4 != 0),
    "val": ("train", lambda number: number % 4 == 0),
    "trainval": ("train", lambda number: True),
    "test": ("test", lambda number: True),
}


class Newts(DataSet):
    """Photos of akahara and madara newts under `root`, in the layout of the Deep Learning Mugen Knock:
    `{train,test}/images/<species>/<name>.jpg` and `{train,test}/seg_images/<species>/<name>.png`.

    split: "train", "val", "trainval" (both of these) or "test". species: label maps hold 0 background,
    1 akahara, 2 madara; otherwise 0 background, 1 newt. Source: yoyoyo-yo/DeepLearningMugenKnock, MIT.
    """

    def __init__(self, root: str | Path, split: str = "train", *, species: bool = False) -> None:
        folder, keeps = look_up("split of the newts", SPLITS, split)
        self.root = Path(root) / folder
        self.classes = NEWTS_SPECIES if species else NEWTS_BINARY
        madara = 2 if species else 1
        # The project describes the colours as 127, its palette PNGs hold 128: both are read.
        self._ids: dict[Color, int] = {(0, 0, 0): 0}
        for level in (127, 128):
            self._ids |= {(level, 0, 0): 1, (0, level, 0): madara}
        self.photos: list[Path] = []
        for name in NEWTS_SPECIES.names[1:]:
            photos = sorted((self.root / "images" / name).glob("*.jpg"))
            if not photos:
                raise UserError(
                    "{folder} holds no .jpg photos. Give the folder of the newts that holds train/ and test/.",
                    folder=self.root / "images" / name,
                )
            self.photos += [photo for number, photo in enumerate(photos, 1) if keeps(number)]

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]  # no slices
        photo = self.photos[index]
        mask = self.root / "seg_images" / photo.parent.name / f"{photo.stem}.png"
        image = read_image(photo)
        label_map = decode_colors(read_image(mask), self._ids, str(mask))
        if label_map.shape != image.shape[:2]:
            raise UserError(
                "{mask} is {mask_size} pixels but its photo is {photo_size}. Export the mask at the photo's size.",
                mask=mask, mask_size=_size(label_map), photo_size=_size(image),
            )  # fmt: skip
        return Sample(photo.stem, image, label_map)


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]} x {array.shape[0]}"
