"""What the names of folders and files say about what lies there: images or label maps, and of which split."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from seg_demo.data.listing import folded

IMAGE = frozenset(
    "image images img imgs im jpegimages pngimages photo photos picture pictures pics frame frames input inputs "
    "original originals rgb sat".split()
)
LABEL = frozenset(
    "mask masks label labels lbl lab annotation annotations annot annots anno ann gt gts groundtruth truth target "
    "targets seg segs segmentation segmentations segmentationclass segmentationclasspng labelmap labelmaps "
    "stuffthingmaps pixelmaps".split()
)
SPLIT_OF = {
    **dict.fromkeys("train training trn trainval".split(), "train"),
    **dict.fromkeys("val valid validation dev eval".split(), "val"),
    **dict.fromkeys("test testing tst".split(), "test"),
}
FILLERS = frozenset("map maps png jpg ids ground semantic set data".split())  # "label_maps", "ground_truth"


def _at_either_end(words: frozenset[str]) -> re.Pattern[str]:
    """These words, set off by a separator or a digit: cat_mask, mask-12, mask12, cat.mask."""
    word = "|".join(sorted(words, key=len, reverse=True))
    return re.compile(rf"^(?:{word})(?:[ _.-]+|(?=\d))(?=.)|(?<=.)(?:[ _.-]+|(?<=\d))(?:{word})$")


LABEL_ENDS = _at_either_end(LABEL | {"labelids", "labeltrainids", "matte", "map"})
IMAGE_ENDS = _at_either_end(IMAGE | {"leftimg8bit"})


@dataclass(frozen=True)
class Place:
    """What the names of a folder and those around it say. rest: what must be equal for an image and its label file."""

    role: str | None
    split: str | None
    rest: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """One folder name. others: its words that say nothing about role or split."""

    role: str | None
    split: str | None
    others: str

    @property
    def pure(self) -> bool:
        return not self.others and bool(self.role or self.split)


def place(folder: PurePosixPath) -> Place:
    """What a folder is for.

    >>> place(PurePosixPath("train/seg_images/akahara"))
    Place(role='label', split='train', rest=('akahara',))
    """
    parts = [_part(name) for name in folder.parts]
    roles = [number for number, part in enumerate(parts) if part.role]
    # The name closest to the file counts; "images/face_mask" is a class of faces, as "images" has no other meaning.
    chosen = max(roles, key=lambda number: (parts[number].pure, number), default=None)
    splits = [number for number, part in enumerate(parts) if part.split and (part.pure or number == chosen)]
    rest = []
    for number, (name, part) in enumerate(zip(folder.parts, parts, strict=True)):
        if number == chosen and part.others:
            rest.append(part.others)
        elif number != chosen and not part.pure:
            rest.append(folded(name))
    return Place(
        None if chosen is None else parts[chosen].role, parts[splits[-1]].split if splits else None, tuple(rest)
    )


def _part(name: str) -> _Part:
    split = role = None
    others = []
    words = re.findall(r"[^\W_]+", folded(name))
    for word in words:
        part_split, part_role = _meaning(word)
        if part_split is None and part_role is None:
            others.append(word)
            continue
        split = part_split or split
        role = "label" if "label" in (role, part_role) else part_role or role
    if split or role:
        others = [word for word in others if word not in FILLERS and not word.isdigit()]
    return _Part(role, split, "_".join(others))


def _meaning(word: str) -> tuple[str | None, str | None]:
    """(split, role) of "train", "train2017", "masks", "trainannot", "imagestrain"."""
    word = word.rstrip("0123456789")
    for cut in range(len(word) + 1):
        for first, second in ((word[:cut], word[cut:]), (word[cut:], word[:cut])):
            split, role = SPLIT_OF.get(first), "image" if second in IMAGE else "label" if second in LABEL else None
            if word and (split or not first) and (role or not second):
                return split, role
    return None, None


def core(stem: str, words: re.Pattern[str]) -> str:
    """A file name without the words at its ends that say image or label; the whole where nothing would be left.

    >>> core("cat_seg_mask", LABEL_ENDS), core("mask12", LABEL_ENDS), core("mask", LABEL_ENDS)
    ('cat', '12', 'mask')
    """
    stem = folded(stem)
    while (cut := words.sub("", stem)) != stem:
        stem = cut
    return stem
