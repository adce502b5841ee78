"""The Semantic Boundaries Dataset (Hariharan et al. 2011): img/*.jpg + cls/*.mat, train.txt, val.txt."""

from __future__ import annotations

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.layouts.lists import read_list
from seg_demo.data.listing import Listing, Pair, Tree
from seg_demo.errors import Sentence
from seg_demo.palettes import VOC

SHAPE = "img/ + cls/*.mat + train.txt"


def find(tree: Tree) -> Listing | None:
    base = next(
        (folder.parent for folder in tree.folders if folder.name == "cls" and tree.pictures(folder.parent / "img")),
        None,
    )
    if base is None:
        return None
    images = {path.stem: tree.path(path) for path in tree.pictures(base / "img")}
    labels = {
        path.stem: tree.path(path) for path in tree.files if path.parent == base / "cls" and path.suffix == ".mat"
    }
    # torchvision adds train_noval.txt: all pictures that are not in VOC's validation list. SBD's own split comes first.
    candidates = {"train": ("train.txt", "train_noval.txt"), "val": ("val.txt",)}
    lists = {
        split: base / next(name for name in names if base / name in tree)
        for split, names in candidates.items() if any(base / name in tree for name in names)
    }  # fmt: skip
    pairs: list[Pair] = []
    reasons = []
    for split, path in lists.items():
        names = [name for name in read_list(tree.path(path)) if name in images or name in labels]
        pairs += [Pair(name, images.get(name), labels.get(name), split) for name in names]
        reasons.append(
            Sentence(
                "{file} names {count} pictures of img/, whose label files are MATLAB files in cls/.",
                file=path, count=len(names),
            )
        )  # fmt: skip
    if not labels or not pairs:
        return None
    reasons.append(Sentence("The classes are the 21 of PASCAL VOC."))
    numbers = {class_id: class_id for class_id in range(len(VOC))} | {IGNORE_INDEX: IGNORE_INDEX}
    return Listing("sbd", tree.root, tuple(pairs), tuple(reasons), VOC, numbers)
