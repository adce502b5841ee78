"""Findings about files, sizes and pictures that are alike."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from seg_demo.data.alike import alike_groups
from seg_demo.data.check.alignment import fits_better_turned
from seg_demo.data.check.finding import Finding, finding
from seg_demo.data.folder import LabelledFolder
from seg_demo.data.images import shown_size
from seg_demo.data.listing import Pair
from seg_demo.data.survey import ImageFacts, LabelFacts, Look
from seg_demo.errors import UserError

SAME_ASPECT = 0.01  # relative difference that rounding to whole pixels explains for most sizes
SMALLEST_SIDE = 32  # pixels, the coarsest grid of the networks
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
    elif not any(look.pair.split == "train" for look in both):
        yield finding(
            "too-few",
            "No picture with a label map is in train (there are: {there}). Move some to train.",
            there=", ".join(f"{split} {count}" for split, count in Counter(look.pair.split for look in both).items()),
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
        yield finding(
            "passed-over", "Files that belong to no picture and are passed over ({count}): {files}.", passed_over
        )


def check_sizes(folder: LabelledFolder) -> Iterator[Finding]:
    """Label maps whose size or turn is not that of their image."""
    small = []
    for look, image, label in readable(folder.looks):
        name = label_name(folder, look.pair)
        fields: dict[str, Any] = {
            "label": name, "label_size": shown_size(label.size), "image": image_name(folder, look.pair),
            "image_size": shown_size(image.size), "orientation": image.orientation,
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


def check_doubles(folder: LabelledFolder) -> Iterator[Finding]:
    """Pictures that are alike, in one split or in two, and label maps that were used twice."""
    rows = list(readable(folder.looks))
    groups = alike_groups([image for _, image, _ in rows])
    for group in groups:
        yield from _leak(folder, [rows[place][0] for place in group])
        by_file: dict[tuple[str | None, bytes], list[int]] = defaultdict(list)
        for place in group:
            by_file[rows[place][0].pair.split, rows[place][1].digest].append(place)
        for places in by_file.values():
            if len(places) > 1:
                yield _same_picture(folder, [rows[place] for place in places])
    together = {place: number for number, group in enumerate(groups) for place in group}
    by_label: dict[bytes, list[int]] = defaultdict(list)
    for index, (_, _, label) in enumerate(rows):
        if len(label.colors.values) > 1:
            by_label[label.digest].append(index)
    for indices in by_label.values():
        if len({together.get(index, -1 - index) for index in indices}) > 1:
            yield finding(
                "same-label",
                "{count} different images have exactly the same label map: {files}. Look whether it was copied by "
                "mistake.",
                tuple(label_name(folder, rows[index][0].pair) for index in indices),
            )


def _leak(folder: LabelledFolder, looks: Sequence[Look]) -> Iterator[Finding]:
    train = [image_name(folder, look.pair) for look in looks if look.pair.split == "train"]
    others = [image_name(folder, look.pair) for look in looks if look.pair.split != "train"]
    if not train or not others:
        return
    split = next(look.pair.split for look in looks if look.pair.split != "train")
    template = (
        "{first} in train and {second} in {split} are nearly the same picture, so that the figures will be too good. "
        "Leave one of them out."
        if len(looks) == 2
        else "{train} pictures in train and {others} in {split} are nearly the same (such as {first} and {second}), so "
        "that the figures will be too good. Leave those of one side out."
    )
    yield finding(
        "leak", template, (*train, *others), first=train[0], second=others[0], split=split, train=len(train),
        others=len(others),
    )  # fmt: skip


def _same_picture(folder: LabelledFolder, rows: Sequence[tuple[Look, ImageFacts, LabelFacts]]) -> Finding:
    names = tuple(image_name(folder, look.pair) for look, _, _ in rows)
    same = len({label.digest for _, _, label in rows}) == 1
    return finding(
        "same-picture",
        "{files} are the same picture with the same label map. Keep one of them."
        if same
        else "{files} are the same picture, but their label maps differ. Keep the better one.",
        names, repairable=same,
    )  # fmt: skip
