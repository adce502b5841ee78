"""A folder of labelled pictures, opened: found, read and split."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seg_demo.classes import ClassMap
from seg_demo.data.alike import alike_groups
from seg_demo.data.class_file import NamedClasses, read_class_file
from seg_demo.data.dataset import DataSet, Sample
from seg_demo.data.decoding import Reading, find_reading
from seg_demo.data.images import read_image, shown_size
from seg_demo.data.listing import SPLITS, Listing, Pair
from seg_demo.data.masks import Decoding, read_label_file
from seg_demo.data.registry import find_listing, named_splits
from seg_demo.data.splits import assign_splits
from seg_demo.data.survey import ImageFacts, LabelFacts, Look, Progress, classes_in, survey
from seg_demo.errors import Sentence, UserError
from seg_demo.registry import look_up

MOST_TOGETHER = 0.1  # of the pictures; larger groups of pictures that are alike are split all the same


@dataclass(frozen=True)
class LabelledFolder:
    """What was found in a folder and what its label files mean. looks: one per pair, each with a split."""

    listing: Listing
    reading: Reading
    looks: tuple[Look, ...]
    reasons: tuple[Sentence, ...]
    classes_named: bool

    @property
    def classes(self) -> ClassMap:
        return self.reading.classes

    def split(self, name: str) -> FolderDataSet:
        """The pairs of "train", "val", "test" or "trainval" (the first two); incomplete ones are left out."""
        wanted = {**{split: (split,) for split in SPLITS}, "trainval": ("train", "val")}
        splits = look_up("split", wanted, name)
        pairs = [look.pair for look in self.looks if look.pair.split in splits and look.pair.image and look.pair.label]
        if not pairs:
            counts = Counter(look.pair.split for look in self.looks)
            there = ", ".join(f"{split} {count}" for split, count in counts.items())
            raise UserError(
                '{folder} has no labelled pictures in the split "{split}" (there are: {there}). Choose another split.',
                folder=self.listing.root, split=name, there=there or "none",
            )  # fmt: skip
        return FolderDataSet(self.listing, pairs, self.reading.decoding, self.classes)


class FolderDataSet(DataSet):
    """Pairs of image and label file, read when they are asked for.

    Raises `UserError` for a file that cannot be read, a label file of another size, or a value that stands for no
    class; the data check names all of these at once.
    """

    def __init__(self, listing: Listing, pairs: Sequence[Pair], decoding: Decoding, classes: ClassMap) -> None:
        self.listing, self.pairs, self.decoding, self.classes = listing, tuple(pairs), decoding, classes

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]  # no slices
        pair = self.pairs[index]
        assert pair.image and pair.label
        image = read_image(pair.image, name=self.listing.shown(pair.image))
        shown = self.listing.shown(pair.label)
        label_map = self.decoding.decode(read_label_file(pair.label, name=shown), shown)
        if label_map.shape != image.shape[:2]:
            raise UserError(
                "{label} is {label_size} pixels but its image is {image_size}. Run `data check` on the folder, "
                "which says whether that can be repaired.",
                label=shown, label_size=shown_size(label_map.shape), image_size=shown_size(image.shape),
            )  # fmt: skip
        return Sample(pair.name, image, label_map)

    def identity(self, index: int) -> bytes:
        pair = self.pairs[index]
        digest = hashlib.sha256(f"{pair.name}\0{self.decoding}\0".encode())
        for path in (pair.image, pair.label):
            try:
                digest.update(path.read_bytes() if path else b"")
            except OSError as error:
                raise UserError(
                    "{file} cannot be read ({reason}). Check its permissions.", file=path, reason=error.strerror
                ) from None
        return digest.digest()


def open_folder(
    root: Path | str,
    *,
    layout: str = "auto",
    class_file: Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    labels_only: bool = True,
    listing: Listing | None = None,
) -> LabelledFolder:
    """Find the pictures and label files under `root`, what their values mean, and which belong to which split.

    layout: a name in `LAYOUTS`, or "auto". class_file: names (and colours) of the classes, instead of what the folder
    says of them. seed: of the split, where the folder has none. labels_only: leave the images unread where no split has
    to be made. listing: what was found before.
    Raises `UserError` where nothing is recognised or no label file can be read.
    """
    listing = listing or find_listing(Path(root), layout)
    named: NamedClasses | None = read_class_file(class_file) if class_file else None
    if named:
        _must_agree(listing, named, class_file)
        listing = replace(
            listing, classes=named.classes, colors_fixed=named.colors_given,
            colors=None,
            reasons=(*listing.reasons, Sentence("The classes are those of {file}.", file=class_file)),
        )  # fmt: skip
    labels_only = labels_only and not _needs_split(listing.pairs)
    looks = survey(listing, progress, labels_only=labels_only)
    files = [look.label for look in looks if isinstance(look.label, LabelFacts)]
    if not files and (told := next((look.label for look in looks if isinstance(look.label, UserError)), None)):
        raise UserError(
            "None of the {count} label files can be read; the first: {why}",
            count=sum(look.label is not None for look in looks), why=told,
        )  # fmt: skip
    reading = find_reading(
        files, listing.classes, colors_given=listing.colors_fixed, numbers=listing.numbers, colors=listing.colors
    )
    looks, why = _split(looks, reading.decoding, seed)
    classes_named = listing.classes is not None or not reading.classes.names[-1].startswith("class ")
    return LabelledFolder(listing, reading, tuple(looks), (*listing.reasons, *reading.reasons, *why), classes_named)


def _must_agree(listing: Listing, named: NamedClasses, class_file: Path | None) -> None:
    """A layout that says what each value stands for can be given other names, but no other classes."""
    if not listing.numbers or not listing.classes:
        return
    ours, theirs = named.classes.names, listing.classes.names
    if len(ours) != len(theirs) or (ours != theirs and set(ours) == set(theirs)):
        raise UserError(
            "{folder} has the layout {layout} with {count} classes ({first}, ...), but {file} names {named}, or in "
            "another order. Leave the file out.",
            folder=listing.root, layout=listing.layout, count=len(theirs), first=theirs[0], file=class_file,
            named=len(ours),
        )  # fmt: skip


def open_splits(source: Path | str) -> Callable[[str], DataSet]:
    """What gives each split of a folder of labelled pictures, or of what `named_splits` knows."""
    return named_splits(str(source)) or open_folder(source).split


def _split(looks: list[Look], decoding: Decoding, seed: int) -> tuple[list[Look], list[Sentence]]:
    """Every look with a split, and a sentence where they were made up here."""
    if not _needs_split([look.pair for look in looks]):
        return looks, []
    was_split = all(look.pair.split for look in looks)
    free = [look for look in looks if look.pair.image and look.pair.label and look.pair.split in (None, "train")]
    # Pictures that look the same go the same way, so that none is measured on that was learned from.
    leader = list(range(len(free)))
    for group in _groups(free):
        if len(group) <= max(2, MOST_TOGETHER * len(free)):
            for place in group:
                leader[place] = group[0]
    present: dict[str, frozenset[int]] = {}
    for place, look in enumerate(free):
        name = free[leader[place]].pair.name
        held = classes_in(look.label, decoding) if isinstance(look.label, LabelFacts) else frozenset()
        present[name] = present.get(name, frozenset()) | held
    leaders = [free[place].pair for place in sorted(set(leader))]
    assigned = {pair.name: pair.split for pair in assign_splits(leaders, present, seed=seed)}
    split_of = {id(look): assigned[free[leader[place]].pair.name] for place, look in enumerate(free)}
    done = []
    for look in looks:
        split = split_of.get(id(look), look.pair.split) or "train"
        done.append(replace(look, pair=replace(look.pair, split=split)))
    counts = Counter(look.pair.split for look in done if look.pair.image and look.pair.label)
    shown = ", ".join(f"{split} {counts[split]}" for split in SPLITS if counts[split])
    template = (
        "There is no validation split: the pictures were split by classes, at random with seed {seed}: {counts}."
        if was_split
        else "The pictures are not split: they were split by classes, at random with seed {seed}: {counts}."
    )
    return done, [Sentence(template, seed=seed, counts=shown)]


def _needs_split(pairs: Sequence[Pair]) -> bool:
    splits = {pair.split for pair in pairs}
    alone = "val" not in splits and sum(bool(pair.image and pair.label) for pair in pairs if pair.split == "train") > 1
    return None in splits or alone


def _groups(looks: Sequence[Look]) -> list[list[int]]:
    """Positions in `looks` of pictures that look the same."""
    readable = [(place, look.image) for place, look in enumerate(looks) if isinstance(look.image, ImageFacts)]
    groups = alike_groups([image for _, image in readable])
    return [[readable[place][0] for place in group] for group in groups]
