"""What lies in a folder of labelled pictures: its files, and which label file belongs to which image."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TypeVar

from seg_demo.classes import ClassMap
from seg_demo.errors import Sentence, UserError

PICTURE_SUFFIXES = frozenset(".jpg .jpeg .png .webp .gif .bmp .tif .tiff .ppm .pgm .pnm".split())
# Pictures and arrays that cannot be read here; whoever has them should know that they are not used.
FOREIGN_SUFFIXES = frozenset(
    ".heic .heif .avif .jxl .jp2 .svg .psd .xcf .kra .pdf .dng .cr2 .cr3 .nef .arw .npy .npz .nii .dcm".split()
)
MAX_FILES = 300_000
SPLITS = ("train", "val", "test")

File = TypeVar("File", bound=Hashable)


class Tree:
    """The files under a folder, found once: what hides behind a dot is passed over, links to folders are not followed.

    root: the folder. files: all paths relative to it, sorted. Raises `UserError` where there is no such folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise UserError(
                "{folder} is no folder. Give the folder that holds the pictures and their label maps.", folder=root
            )
        self.root = root
        found: list[str] = []
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if not _is_junk(name)]
            inside = os.path.relpath(folder, root)
            inside = "" if inside == "." else inside + os.sep
            # A named pipe that calls itself a picture would be waited for without end.
            found += [
                inside + name for name in names if not _is_junk(name) and os.path.isfile(os.path.join(folder, name))
            ]
            if len(found) > MAX_FILES:
                raise UserError(
                    "{folder} holds more than {limit} files. Give the folder of one data set.",
                    folder=root, limit=MAX_FILES,
                )  # fmt: skip
        names = sorted((name.replace(os.sep, "/") for name in found), key=lambda name: name.split("/"))
        self.files = tuple(PurePosixPath(name) for name in names)  # in the order of their parts
        by_folder: dict[PurePosixPath, list[PurePosixPath]] = {}
        for path in self.files:
            by_folder.setdefault(path.parent, []).append(path)
        self._by_folder = by_folder
        self._all = frozenset(self.files)

    @property
    def folders(self) -> tuple[PurePosixPath, ...]:
        """Every folder that holds a file, sorted."""
        return tuple(sorted(self._by_folder))

    def pictures(self, folder: str | PurePosixPath) -> list[PurePosixPath]:
        """The picture files directly in a folder, by their suffix."""
        return [path for path in self._by_folder.get(PurePosixPath(folder), []) if is_picture(path)]

    def __contains__(self, path: str | PurePosixPath) -> bool:
        return PurePosixPath(path) in self._all

    def path(self, relative: str | PurePosixPath) -> Path:
        return self.root / relative


def is_picture(path: PurePosixPath | Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Pair:
    """An image and its label file; one of them may be missing. split: "train", "val", "test", or None if undecided.

    name: unique in its split, and the file name of what is written for it.
    """

    name: str
    image: Path | None
    label: Path | None
    split: str | None = None


@dataclass(frozen=True)
class Listing:
    """Which files of a folder are a data set, and why.

    layout: name in the registry. reasons: sentences for the user, what was recognised by what. classes: where the
    layout fixes or names them. numbers, colors: where the layout fixes them, the class id of each pixel value and of
    each 0xRRGGBB, 255 for ignored ones. colors_fixed: whether the colours of `classes` are those of the label files.
    passed_over: files that belong to nothing.
    """

    layout: str
    root: Path
    pairs: tuple[Pair, ...]
    reasons: tuple[Sentence, ...]
    classes: ClassMap | None = None
    numbers: Mapping[int, int] | None = None
    colors: Mapping[int, int] | None = None
    colors_fixed: bool = False
    passed_over: tuple[Path, ...] = field(default=(), repr=False)

    def shown(self, path: Path) -> str:
        """A file as it is named to the user: relative to the data set, with forward slashes."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()


def matched(
    images: Iterable[Path],
    labels: Iterable[Path],
    split: str | None = None,
    *,
    image_end: str = "",
    label_end: str = "",
) -> list[Pair]:
    """Pairs by file name without suffix; `image_end` and `label_end` are cut off the names first.

    "cat.jpg" belongs to "cat.png", and to "Cat.PNG" where there is no better one; the two ways of writing an accent
    make no difference. Images and labels without a partner come out as pairs with one side missing.
    """
    names = {image: image.stem.removesuffix(image_end) for image in images}
    label_names = {label: label.stem.removesuffix(label_end) for label in labels}
    partner = partners(
        {image: (name, folded(name)) for image, name in names.items()},
        {label: (name, folded(name)) for label, name in label_names.items()},
    )
    pairs = [Pair(name, image, partner.get(image), split) for image, name in names.items()]
    taken = set(partner.values())
    pairs += [Pair(name, None, label, split) for label, name in label_names.items() if label not in taken]
    return with_unique_names(pairs)


def partners(images: Mapping[File, Sequence[Hashable]], labels: Mapping[File, Sequence[Hashable]]) -> dict[File, File]:
    """The label file of each image that has one.

    Each file comes with its keys, the strictest first: two files belong together where their keys of one rank are
    equal, unless a stricter rank has given one of them another partner. All have the same number of keys.
    """
    found: dict[File, File] = {}
    free = dict(labels)
    for rank in range(min((len(keys) for keys in images.values()), default=0)):
        by_key: dict[Hashable, list[File]] = {}
        for label, keys in free.items():
            by_key.setdefault(keys[rank], []).append(label)
        for image, keys in images.items():
            if image not in found and (there := by_key.get(keys[rank])):
                found[image] = there.pop(0)
                del free[found[image]]
    return found


def folded(name: str) -> str:
    """A name without regard to case and to the two ways of writing an accent."""
    return unicodedata.normalize("NFC", name).casefold()


def with_unique_names(pairs: Iterable[Pair]) -> list[Pair]:
    """Sorted by name; the second of a name in its split gets "_2", the third "_3", whatever the case."""
    done: list[Pair] = []
    taken: set[tuple[str | None, str]] = set()
    for pair in sorted(pairs, key=lambda pair: (pair.name, str(pair.image), str(pair.label))):
        name, number = pair.name, 1
        while (pair.split, folded(name)) in taken:
            number += 1
            name = f"{pair.name}_{number}"
        taken.add((pair.split, folded(name)))
        done.append(replace(pair, name=name))
    return done
