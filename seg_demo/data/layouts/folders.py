"""Images and label maps in folders of their own, or side by side, in whatever way these are usually named."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seg_demo.data.class_file import find_class_file, read_class_file
from seg_demo.data.layouts.names import IMAGE_ENDS, LABEL_ENDS, Place, core, place
from seg_demo.data.listing import FOREIGN_SUFFIXES, SPLITS, Listing, Pair, Tree, folded, partners, with_unique_names
from seg_demo.errors import Sentence

SHAPE = "images/ + masks/, perhaps below train/ and val/; or cat.jpg + cat_mask.png"

_JPEG = (".jpg", ".jpeg")


@dataclass(frozen=True, eq=False)
class _File:
    """A picture file that is an image or a label file. stem: its name without suffix."""

    path: PurePosixPath
    folder: PurePosixPath
    place: Place
    stem: str

    def keys(self, role: str) -> list[str]:
        """From the strictest to the loosest: cat + cat, Cat + cat, cat_image + cat_image_mask, cat_image + cat_mask."""
        name, bare = folded(self.stem), self.core(role)
        return [self.stem, name, bare if role == "label" else name, bare]

    def core(self, role: str) -> str:
        return core(self.stem, LABEL_ENDS if role == "label" else IMAGE_ENDS)


def find(tree: Tree) -> Listing | None:
    files = _files(tree)
    labels = [file for file in files if file.place.role == "label"]
    images = [file for file in files if file.place.role == "image"]
    unnamed = bool(labels) and not images  # train/ + trainannot/
    if unnamed:
        images = [file for file in files if file.place.role is None]
    if not (images and labels):
        images, labels = _side_by_side(files)
        unnamed = False
    if not (images and labels):
        return None
    partner = _partners(images, labels)
    if unnamed:
        fruitful = {image.folder for image in partner}
        images = [image for image in images if image.folder in fruitful]
        if not images:
            return None
    second, taken = _second(labels, partner), set(partner.values())
    rows: list[tuple[_File | None, _File | None]] = [(image, partner.get(image)) for image in images]
    rows += [(None, label) for label in labels if label not in second and label not in taken]
    reasons = _reasons(rows)
    if second:
        reasons.append(
            Sentence(
                "{count} more label files of the same images, in {folder}, were passed over.",
                count=len(second), folder=_common([label.folder for label in second]),
            )
        )  # fmt: skip
    classes, colors_fixed = None, False
    if class_file := _class_file(tree, files):
        classes, colors_fixed = read_class_file(class_file)
        reasons.append(
            Sentence(
                "{file} names {count} classes, with their colours." if colors_fixed
                else "{file} names {count} classes.",
                file=class_file.name, count=len(classes),
            )
        )  # fmt: skip
    used = {file for row in rows for file in row}
    foreign = [path for path in tree.files if path.suffix.lower() in FOREIGN_SUFFIXES]
    passed_over = tuple(map(tree.path, [*(file.path for file in files if file not in used), *foreign]))
    return Listing(
        "folders", tree.root, tuple(_pairs(tree, rows)), tuple(reasons), classes,
        colors_fixed=colors_fixed, passed_over=passed_over,
    )  # fmt: skip


def _class_file(tree: Tree, files: Sequence[_File]) -> Path | None:
    """In the folder itself, or further in as long as all pictures lie there, as archives have it."""
    shared = PurePosixPath(os.path.commonpath({file.folder for file in files}))
    folders = [shared, *shared.parents][::-1]
    return next((found for folder in folders if (found := find_class_file(tree.path(folder)))), None)


def _files(tree: Tree) -> list[_File]:
    folders = {folder: pictures for folder in tree.folders if (pictures := tree.pictures(folder))}
    if not folders:
        return []
    places = _without_a_class_named_train({folder: place(folder) for folder in folders})
    return [
        _File(path, folder, places[folder], path.stem)
        for folder, pictures in folders.items() for path in pictures
    ]  # fmt: skip


def _without_a_class_named_train(places: dict[PurePosixPath, Place]) -> dict[PurePosixPath, Place]:
    """Beside folders of other names, a lone "train" is a vehicle and not a split."""
    deep = [found for found in places.values() if found.role]
    if {found.split for found in deep} != {"train", None}:
        return places
    if not any(found.rest for found in deep if found.split is None):
        return places
    return {
        folder: Place(found.role, None, (*found.rest, *(["train"] if found.split else [])))
        for folder, found in places.items()
    }


def _side_by_side(files: Sequence[_File]) -> tuple[list[_File], list[_File]]:
    """Images and label files of folders that hold both: cat.jpg + cat_mask.png, else cat.jpg + cat.png."""
    labels = {file: bare for file in files if (bare := file.core("label")) != folded(file.stem)}
    images = [file for file in files if file not in labels]
    known = {(image.folder, key) for image in images for key in image.keys("image")}
    if any((label.folder, bare) in known for label, bare in labels.items()):
        return images, list(labels)
    jpegs = [file for file in files if file.path.suffix.lower() in _JPEG]
    pngs = [file for file in files if file.path.suffix.lower() == ".png"]
    both = {(file.folder, folded(file.stem)) for file in jpegs} & {(file.folder, folded(file.stem)) for file in pngs}
    return (jpegs, pngs) if both else ([], [])


def _partners(images: Sequence[_File], labels: Sequence[_File]) -> dict[_File, _File]:
    """Image -> label file."""

    def keyed(files: Sequence[_File], role: str, *, with_split: bool) -> dict[_File, list[Hashable]]:
        return {
            file: [(file.place.split if with_split else None, file.place.rest, key) for key in file.keys(role)]
            for file in files
        }

    def match(images: Sequence[_File], labels: Sequence[_File], *, with_split: bool) -> dict[_File, _File]:
        return partners(keyed(images, "image", with_split=with_split), keyed(labels, "label", with_split=with_split))

    found = match(images, labels, with_split=True)
    # images/train/cat.jpg + masks/cat.png, or the other way round: only one side is sorted into splits.
    for flat_side in ("label", "image"):
        taken = set(found.values())
        free_images, free_labels = (
            [
                file for file in files
                if file not in found and file not in taken and (role != flat_side or file.place.split is None)
            ]
            for role, files in (("image", images), ("label", labels))
        )  # fmt: skip
        found |= match(free_images, free_labels, with_split=False)
    return found


def _second(labels: Sequence[_File], partner: Mapping[_File, _File]) -> set[_File]:
    """Label files of images that have one already, such as masks_rgb/ beside masks/."""
    taken = set(partner.values())
    served = {(label.place.split, label.place.rest, label.core("label")) for label in taken}
    return {
        label for label in labels
        if label not in taken and any(
            (label.place.split, label.place.rest[:end], label.core("label")) in served  # masks_rgb leaves "rgb" behind
            for end in range(len(label.place.rest) + 1)
        )
    }  # fmt: skip


def _split(row: tuple[_File | None, _File | None]) -> str | None:
    return next((file.place.split for file in row if file and file.place.split), None)


def _pairs(tree: Tree, rows: Sequence[tuple[_File | None, _File | None]]) -> list[Pair]:
    found = []
    for image, label in rows:
        named = image or label
        assert named
        found.append((named, _split((image, label)), image, label))
    count = Counter((split, folded(named.stem)) for named, split, _, _ in found)
    pairs = []
    for named, split, image, label in found:
        alone = count[split, folded(named.stem)] == 1
        name = named.stem if alone else "_".join([*named.place.rest, named.stem])
        image_path, label_path = (tree.path(file.path) if file else None for file in (image, label))
        pairs.append(Pair(name, image_path, label_path, split))
    return with_unique_names(pairs)


def _reasons(rows: Sequence[tuple[_File | None, _File | None]]) -> list[Sentence]:
    reasons = []
    splits = sorted({_split(row) for row in rows}, key=lambda split: SPLITS.index(split) if split else -1)
    for split in splits:
        own = [row for row in rows if _split(row) == split]
        complete = [(image, label) for image, label in own if image and label]
        if complete:
            images, labels = (_common([file.folder for file in side]) for side in zip(*complete, strict=True))
            image, label = complete[0]
            same = all(folded(image.stem) == folded(label.stem) for image, label in complete)
            how = (
                Sentence("the same name") if same
                else Sentence("a matching name ({image}, {label})", image=image.path.name, label=label.path.name)
            )  # fmt: skip
            where = (
                Sentence("in {folder}", folder=images) if split is None
                else Sentence('of the split "{split}" in {folder}', split=split, folder=images)
            )  # fmt: skip
            reasons.append(
                Sentence(
                    "Images {where} that have a label file of {how} in {labels}: {count}.",
                    where=where, how=how, labels=labels, count=len(complete),
                )
            )  # fmt: skip
        if alone := [image.folder for image, label in own if image and not label]:
            reasons.append(
                Sentence("Images in {folder} without a label file: {count}.", folder=_common(alone), count=len(alone))
            )
        if alone := [label.folder for image, label in own if label and not image]:
            reasons.append(
                Sentence("Label files in {folder} without an image: {count}.", folder=_common(alone), count=len(alone))
            )
    if splits == [None]:
        reasons.append(Sentence("There are no folders for training and validation."))
    elif "val" not in splits:
        reasons.append(Sentence("There is no folder for validation."))
    return reasons


def _common(folders: Sequence[PurePosixPath]) -> str:
    """The folder that all these lie in, as it is named to the user."""
    common = PurePosixPath(os.path.commonpath(set(folders))).as_posix()
    return Sentence("the folder itself") if common in ("", ".") else common
