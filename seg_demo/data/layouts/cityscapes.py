"""Cityscapes: leftImg8bit/SPLIT/CITY/*_leftImg8bit.png + gtFine/SPLIT/CITY/*_gtFine_label{Ids,TrainIds}.png."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.listing import SPLITS, Listing, Pair, Tree, matched
from seg_demo.errors import Sentence
from seg_demo.palettes import CITYSCAPES

SHAPE = "leftImg8bit/train/CITY/ + gtFine/train/CITY/"

IMAGE_END = "_leftImg8bit"
LABEL_ENDS = {"label ids": "_gtFine_labelIds", "train ids": "_gtFine_labelTrainIds"}
# cityscapesscripts/helpers/labels.py: the label ids of the 19 evaluated classes, in the order of their train ids.
EVALUATED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
LABEL_IDS = dict.fromkeys((-1, *range(34), 255), IGNORE_INDEX) | {
    label_id: class_id for class_id, label_id in enumerate(EVALUATED)
}
TRAIN_IDS = {class_id: class_id for class_id in range(len(CITYSCAPES))} | {-1: IGNORE_INDEX, 255: IGNORE_INDEX}


def find(tree: Tree) -> Listing | None:
    images = {split: _files(tree, "leftImg8bit", split, IMAGE_END) for split in SPLITS}
    labels = {kind: {split: _files(tree, "gtFine", split, end) for split in SPLITS} for kind, end in LABEL_ENDS.items()}
    if not any(images.values()) or not any(files for splits in labels.values() for files in splits.values()):
        return None
    reasons = [Sentence("leftImg8bit/ and gtFine/ hold files whose names end as those of Cityscapes.")]
    if images["test"] and not any(splits["test"] for splits in labels.values()):
        images["test"] = []
        reasons.append(Sentence("gtFine/test holds no label files: the test pictures are left out."))
    kind = "train ids" if _covers(images, labels["train ids"]) else "label ids"
    if kind == "label ids" and not any(labels[kind].values()):
        kind = "train ids"  # of some pictures only, but there is nothing else
    pairs: list[Pair] = []
    for split in SPLITS:
        pairs += matched(images[split], labels[kind][split], split, image_end=IMAGE_END, label_end=LABEL_ENDS[kind])
    numbers = TRAIN_IDS if kind == "train ids" else LABEL_IDS
    counted = ", ".join(f"{split} {len(images[split])}" for split in SPLITS if images[split])
    reasons.append(
        Sentence(
            "The label files *{end}.png hold train ids: the classes are the 19 evaluated ones, the rest is ignored. "
            "Images: {counted}."
            if kind == "train ids"
            else "The label files *{end}.png hold label ids: the classes are the 19 evaluated ones, the rest is "
            "ignored. Images: {counted}.",
            end=LABEL_ENDS[kind], counted=counted,
        )
    )  # fmt: skip
    return Listing("cityscapes", tree.root, tuple(pairs), tuple(reasons), CITYSCAPES, numbers)


def _files(tree: Tree, top: str, split: str, end: str) -> list[Path]:
    cities = [folder for folder in tree.folders if folder.parts[:2] == (top, split)]
    return [tree.path(path) for city in cities for path in tree.pictures(city) if path.name.endswith(f"{end}.png")]


def _covers(images: dict[str, list[Path]], labels: dict[str, list[Path]]) -> bool:
    def names(files: Sequence[Path], end: str) -> set[str]:
        return {path.stem.removesuffix(end) for path in files}

    return all(names(images[split], IMAGE_END) <= names(labels[split], LABEL_ENDS["train ids"]) for split in SPLITS)
