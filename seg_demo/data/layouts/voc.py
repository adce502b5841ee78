"""PASCAL VOC 2012: JPEGImages/ + SegmentationClass/, and lists of names in ImageSets/Segmentation/."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.class_file import find_class_file, read_class_file
from seg_demo.data.layouts.lists import read_list
from seg_demo.data.listing import Listing, Pair, Tree, is_picture, with_unique_names
from seg_demo.errors import Sentence
from seg_demo.palettes import VOC

SHAPE = "JPEGImages/ + SegmentationClass/ + ImageSets/Segmentation/train.txt"

LISTS = PurePosixPath("ImageSets/Segmentation")


def find(tree: Tree) -> Listing | None:
    bases = [folder.parent.parent for folder in tree.folders if folder.parts[-2:] == LISTS.parts]
    # VOCdevkit may hold several years, of which the last has the most label maps.
    for base in reversed(bases):
        images, labels = (_by_name(tree, base / folder) for folder in ("JPEGImages", "SegmentationClass"))
        if images and labels:
            return _listing(tree, base, images, labels)
    return None


def _listing(
    tree: Tree, base: PurePosixPath, images: dict[str, PurePosixPath], labels: dict[str, PurePosixPath]
) -> Listing | None:
    splits = {split: base / LISTS / f"{split}.txt" for split in ("train", "val", "test")}
    lists = {split: path for split, path in splits.items() if path in tree}
    wholes = [path for name in ("trainval", "default") if (path := base / LISTS / f"{name}.txt") in tree]
    if "train" not in lists and wholes:  # one list for all; CVAT calls it default.txt
        lists.pop("val", None)
        lists[""] = wholes[0]
    pairs: list[Pair] = []
    reasons = []
    for split, path in lists.items():
        names = read_list(tree.path(path))
        own = [
            Pair(name.replace("/", "_"), _at(tree, images.get(name)), _at(tree, labels.get(name)), split or None)
            for name in names if name in images or name in labels
        ]  # fmt: skip
        if split == "test" and own and not any(pair.label for pair in own):
            reasons.append(
                Sentence(
                    "{file} names {count} pictures without label files: they are left out.", file=path, count=len(own)
                )
            )
            continue
        if not own:
            continue
        pairs += own
        reasons.append(
            Sentence(
                "{file} names {count} pictures, of which {labelled} have a label file.",
                file=path, count=len(names), labelled=sum(bool(pair.label) for pair in own),
            )
        )  # fmt: skip
        if len(own) < len(names):
            reasons.append(Sentence("{count} of them are missing altogether.", count=len(names) - len(own)))
    if not pairs:
        return None
    listed = {pair.label for pair in pairs}
    if others := sum(_at(tree, path) not in listed for path in labels.values()):
        reasons.append(Sentence("{count} more label files are in none of the lists and are left out.", count=others))
    if class_file := find_class_file(tree.path(base)):
        classes, colors_given = read_class_file(class_file)
        reasons.append(Sentence("{file} names {count} classes.", file=class_file.name, count=len(classes)))
        return Listing(
            "voc", tree.root, tuple(with_unique_names(pairs)), tuple(reasons), classes, colors_fixed=colors_given
        )
    reasons.append(Sentence("The classes are the 21 of PASCAL VOC, and the border (255) is ignored."))
    numbers = {class_id: class_id for class_id in range(len(VOC))} | {IGNORE_INDEX: IGNORE_INDEX}
    return Listing("voc", tree.root, tuple(with_unique_names(pairs)), tuple(reasons), VOC, numbers, colors_fixed=True)


def _by_name(tree: Tree, folder: PurePosixPath) -> dict[str, PurePosixPath]:
    """Path below the folder without suffix -> file."""
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in tree.files if is_picture(path) and path.is_relative_to(folder)
    }  # fmt: skip


def _at(tree: Tree, path: PurePosixPath | None) -> Path | None:
    return None if path is None else tree.path(path)
