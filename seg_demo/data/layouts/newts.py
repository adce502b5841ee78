"""The newts of the Deep Learning Mugen Knock: {train,test}/images/SPECIES/ + {train,test}/seg_images/SPECIES/."""

from __future__ import annotations

from seg_demo.data.listing import Listing, Pair, Tree, matched
from seg_demo.errors import Sentence
from seg_demo.palettes import NEWTS_SPECIES

SHAPE = "train/images/akahara/ + train/seg_images/akahara/"

# The published training folder holds eight photos of each species; every fourth is kept for choosing between recipes.
EVERY = 4

# The project describes the colours as 127, its palette PNGs hold 128: both are read.
COLORS = {0x000000: 0, 0x7F0000: 1, 0x800000: 1, 0x007F00: 2, 0x008000: 2}


def find(tree: Tree) -> Listing | None:
    if any(tree.pictures(f"val/images/{species}") for species in NEWTS_SPECIES.names[1:]):
        return None  # Whoever has split them has them so: another layout sees all three.
    pairs: list[Pair] = []
    counts = {"train": 0, "val": 0, "test": 0}
    for folder in ("train", "test"):
        for species in NEWTS_SPECIES.names[1:]:
            photos = [path for path in tree.pictures(f"{folder}/images/{species}") if path.suffix.lower() == ".jpg"]
            masks = tree.pictures(f"{folder}/seg_images/{species}")
            splits = {
                path.stem: "val" if folder == "train" and number % EVERY == 0 else folder
                for number, path in enumerate(photos, 1)
            }
            for split in counts:
                own = [tree.path(path) for path in photos if splits[path.stem] == split]
                labels = [tree.path(path) for path in masks if splits.get(path.stem, folder) == split]
                pairs += matched(own, labels, split)
                counts[split] += len(own)
    if not any(pair.image and pair.label for pair in pairs):
        return None
    reasons = (
        Sentence(
            "images/ and seg_images/ hold folders named akahara or madara: these are the newts, classes are the "
            "species."
        ),
        Sentence(
            "There are {train} photos to train, of which every fourth of a species ({val}) is for validation, and "
            "{test} to test.",
            train=counts["train"] + counts["val"], val=counts["val"], test=counts["test"],
        ),
    )  # fmt: skip
    return Listing("newts", tree.root, tuple(pairs), reasons, NEWTS_SPECIES, colors=COLORS, colors_fixed=True)
