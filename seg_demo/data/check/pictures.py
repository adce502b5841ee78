"""Findings about files, sizes and pictures that are alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from seg_demo.data.check.alignment import fits_better_turned
from seg_demo.data.check.finding import Finding, finding
from seg_demo.data.folder import LabelledFolder
from seg_demo.data.listing import Pair
from seg_demo.data.survey import ImageFacts, LabelFacts, Look
from seg_demo.errors import UserError

SAME_ASPECT = 0.01  # relative difference that rounding to whole pixels explains for most sizes
SMALLEST_SIDE = 32  # pixels, the coarsest grid of the networks
# Of 512 that may differ: saving and scaling again changes up to 47, pictures one second apart in a film 52 or more.
ALIKE_BITS = 48
LEAST_CONTRAST = 4.0  # grey levels; flatter pictures are alike without being the same
# Turning a picture by these changes width and height; 2, 3 and 4 turn it by a half or mirror it.
QUARTER_TURNS = (5, 6, 7, 8)


def label_name(folder: LabelledFolder, pair: Pair) -> str:
    assert pair.label
    return folder.listing.shown(pair.label)


def image_name(folder: LabelledFolder, pair: Pair) -> str:
    assert pair.image
    return folder.listing.shown(pair.image)


def readable(looks: Sequence[Look]) -> Iterator[tuple[Look, ImageFacts, LabelFacts]]:
    for look in looks:
        if isinstance(look.image, ImageFacts) and isinstance(look.label, LabelFacts):
            yield look, look.image, look.label


def check_files(folder: LabelledFolder) -> Iterator[Finding]:
    """Missing partners and unreadable files."""
    looks = folder.looks
    without_label = tuple(image_name(folder, look.pair) for look in looks if not look.pair.label)
    without_image = tuple(label_name(folder, look.pair) for look in looks if not look.pair.image)
    both = [look for look in looks if look.pair.image and look.pair.label]
    if not both:
        yield finding(
            "nothing-paired",
            "No image has a label map of the same name (without label map: {images}; without image: {labels}). "
            "Give both files of a pair the same name.",
            images=", ".join(without_label[:3]), labels=", ".join(without_image[:3]),
        )  # fmt: skip
    elif len(both) < 2:
        yield finding(
            "too-few",
            "There is only {pairs} picture with a label map, and training needs 2 at least, one of them to measure "
            "with. Label more pictures; 10 are a start.",
            pairs=len(both),
        )
    if without_label and both:
        yield finding(
            "missing-label",
            "Images without a label map, which will not be used ({count}): {files}. Label them, or leave them out.",
            without_label,
        )
    if without_image and both:
        yield finding(
            "missing-image",
            "Label maps without an image of the same name ({count}): {files}. Add the images, or leave the label maps "
            "out.",
            without_image,
        )
    for look in looks:
        for kind, facts, path in (
            ("image-unreadable", look.image, look.pair.image),
            ("label-unreadable", look.label, look.pair.label),
        ):
            if isinstance(facts, UserError) and path:
                yield finding(kind, "{why}", (folder.listing.shown(path),), why=facts)
    if passed_over := tuple(map(folder.listing.shown, folder.listing.passed_over)):
        template = "Files that belong to no picture and are passed over ({count}): {files}."
        yield finding("passed-over", template, passed_over)


def check_sizes(folder: LabelledFolder) -> Iterator[Finding]:
    """Label maps whose size or turn is not that of their image."""
    small = []
    for look, image, label in readable(folder.looks):
        name = label_name(folder, look.pair)
        fields: dict[str, Any] = {
            "label": name, "label_size": _size(label.size), "image": image_name(folder, look.pair),
            "image_size": _size(image.size), "orientation": image.orientation,
        }  # fmt: skip
        if min(image.size) < SMALLEST_SIDE:
            small.append(fields["image"])
        if is_turned(look, image, label):
            yield finding(
                "rotated",
                "{image} is turned by its camera's note (EXIF orientation {orientation}), but its label map {label} "
                "was drawn on the picture as it lies ({label_size}). Turn the label map, or label the picture again.",
                (name,), **fields,
            )  # fmt: skip
        elif label.size == image.size:
            continue
        elif _same_aspect(label.size, image.size):
            yield finding(
                "size-scaled",
                "{label} is {label_size} pixels but its image is {image_size}, of the same shape. Resize the label map "
                "by nearest, or export it at the image's size.",
                (name,), **fields,
            )  # fmt: skip
        else:
            yield finding(
                "size-other",
                "{label} is {label_size} pixels but its image is {image_size}, of another shape. Export the label map "
                "at the image's size, or leave the picture out.",
                (name,), **fields,
            )  # fmt: skip
    if small:
        yield finding(
            "too-small",
            "Images with a side of less than {limit} pixels ({count}): {files}. Networks see little in them; use "
            "larger pictures.",
            tuple(map(str, small)), limit=SMALLEST_SIDE,
        )  # fmt: skip


def is_turned(look: Look, image: ImageFacts, label: LabelFacts) -> bool:
    """Whether the label map belongs to the picture as it is stored, not as its EXIF block turns it."""
    if image.orientation not in range(2, 9):
        return False
    scaled = _same_aspect(label.size, image.stored)
    if image.orientation in QUARTER_TURNS and not _same_aspect(image.size, image.stored):
        return scaled and not _same_aspect(label.size, image.size)
    assert look.pair.image and look.pair.label
    return scaled and fits_better_turned(look.pair.image, look.pair.label)


def _same_aspect(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= SAME_ASPECT


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"


def check_doubles(folder: LabelledFolder) -> Iterator[Finding]:
    """Pictures that are alike, in one split or in two, and label maps that were used twice."""
    rows = list(readable(folder.looks))
    for first, second in _alike(rows):
        one, two = rows[first][0], rows[second][0]
        names = (image_name(folder, one.pair), image_name(folder, two.pair))
        splits = {one.pair.split, two.pair.split}
        if len(splits) == 2 and "train" in splits:
            if two.pair.split == "train":
                names = names[::-1]
            yield finding(
                "leak",
                "{first} in train and {second} in {split} are nearly the same picture, so that the figures will be too "
                "good. Leave one of them out.",
                names, first=names[0], second=names[1], split=(splits - {"train"}).pop(),
            )  # fmt: skip
        elif len(splits) == 1 and rows[first][1].digest == rows[second][1].digest:
            same = rows[first][2].digest == rows[second][2].digest
            yield finding(
                "same-picture",
                "{first} and {second} are the same picture with the same label map. Leave one of them out."
                if same
                else "{first} and {second} are the same picture, but their label maps differ. Keep the better one.",
                names, repairable=same, first=names[0], second=names[1],
            )  # fmt: skip
    by_label: dict[bytes, list[int]] = defaultdict(list)
    for index, (_, _, label) in enumerate(rows):
        if len(label.colors.values) > 1:
            by_label[label.digest].append(index)
    for indices in by_label.values():
        if len({rows[index][1].digest for index in indices}) > 1 and not _all_alike(rows, indices):
            yield finding(
                "same-label",
                "{count} different images have exactly the same label map: {files}. Look whether it was copied by "
                "mistake.",
                tuple(label_name(folder, rows[index][0].pair) for index in indices),
            )


def _alike(rows: Sequence[tuple[Look, ImageFacts, LabelFacts]]) -> list[tuple[int, int]]:
    """Pairs of indices of pictures that look the same. Flat pictures are only alike if their files are equal."""
    if len(rows) < 2:
        return []
    hashes = np.array([image.hash for _, image, _ in rows], np.float32) * 2 - 1  # (N, 512) of -1 and 1
    flat = np.array([image.contrast < LEAST_CONTRAST for _, image, _ in rows])
    pairs = []
    for start in range(0, len(rows), 256):
        different = (hashes.shape[1] - hashes[start : start + 256] @ hashes.T) / 2  # (256, N) bits
        for first, second in zip(*np.nonzero(different <= ALIKE_BITS), strict=True):
            one, two = start + int(first), int(second)
            if one < two and (not (flat[one] or flat[two]) or rows[one][1].digest == rows[two][1].digest):
                pairs.append((one, two))
    return pairs


def _all_alike(rows: Sequence[tuple[Look, ImageFacts, LabelFacts]], indices: Sequence[int]) -> bool:
    first = rows[indices[0]][1].hash
    return all((rows[index][1].hash != first).sum() <= ALIKE_BITS for index in indices)
