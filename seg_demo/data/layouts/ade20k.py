"""ADE20K scene parsing as in ADEChallengeData2016: images/{training,validation} + annotations/{training,validation}."""

from __future__ import annotations

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.listing import Listing, Pair, Tree, matched
from seg_demo.errors import Sentence
from seg_demo.palettes import ADE20K

SHAPE = "images/training/ + annotations/training/ with ADE20K's pictures"

FOLDERS = {"train": "training", "val": "validation"}
LISTS = ("sceneCategories.txt", "objectInfo150.txt")


def find(tree: Tree) -> Listing | None:
    pairs: list[Pair] = []
    reasons = []
    named = True
    for split, folder in FOLDERS.items():
        images, labels = tree.pictures(f"images/{folder}"), tree.pictures(f"annotations/{folder}")
        if images and labels:
            named &= all(path.stem.startswith(f"ADE_{split}_") for path in images)
            pairs += matched([tree.path(path) for path in images], [tree.path(path) for path in labels], split)
            reasons.append(
                Sentence(
                    "images/{folder} and annotations/{folder} hold {images} images and {labels} label files.",
                    folder=folder, images=len(images), labels=len(labels),
                )
            )  # fmt: skip
    lists = [name for name in LISTS if name in tree]
    if not pairs or not (named or lists):
        return None
    how = (
        Sentence("{file} lies beside them", file=lists[0]) if lists
        else Sentence("The pictures are named ADE_train_ and ADE_val_")
    )  # fmt: skip
    reasons.append(
        Sentence("{how}: the classes are ADE20K's 150, numbered from 1, and the value 0 is ignored.", how=how)
    )
    numbers = {class_id + 1: class_id for class_id in range(len(ADE20K))} | {0: IGNORE_INDEX}
    return Listing("ade20k", tree.root, tuple(pairs), tuple(reasons), ADE20K, numbers)
