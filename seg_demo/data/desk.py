"""The desk: a folder in which pictures are labelled one after another."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seg_demo.classes import IGNORE_INDEX, ClassMap
from seg_demo.data.class_file import read_class_file, write_class_file
from seg_demo.data.desk_files import (
    DeskPicture,
    digest_of,
    free_name,
    in_order,
    link,
    pairs_in,
    pictures_in,
    splits_of,
    write_whole,
)  # fmt: skip
from seg_demo.data.images import opened, orientation_of, read_image, shown_size
from seg_demo.data.listing import folded, is_picture
from seg_demo.data.masks import palette_image, read_label_file
from seg_demo.data.new_folder import NewFolder
from seg_demo.errors import UserError, shorten

VAL_SHARE = 5  # one picture in so many goes to validation, where there is a split


@dataclass(frozen=True)
class Arrivals:
    """What came of files that were brought: names taken, names that were there already, and why others were refused."""

    taken: tuple[str, ...]
    known: tuple[str, ...]
    refused: tuple[UserError, ...]


@dataclass(frozen=True)
class Desk:
    """Pictures in `folder`: labelled ones below `folder`/set in our own layout, all others in `folder`/waiting.

    The label map of a picture has its upright size, class ids, and 255 where nothing is labelled; image files are kept
    byte by byte. Whatever is written is there as a whole or not at all.

    >>> desk = Desk.begin(Path("desk"), ClassMap.of("background", "newt"))  # doctest: +SKIP
    >>> desk.bring([Path("photos/newt_1.jpg")]).taken  # doctest: +SKIP
    ('newt_1',)
    """

    folder: Path
    classes: ClassMap

    @classmethod
    def begin(cls, folder: Path, classes: ClassMap, labelled: Path | None = None) -> Desk:
        """Make a new desk. labelled: a folder in our own layout whose pairs are taken over; it is not changed.

        Raises `UserError` where `folder` is not empty, a label map holds a class that is not in `classes`, or the names
        of the classes cannot be written.
        """
        pairs = [picture for picture in pairs_in(labelled) if picture.label] if labelled else []
        with NewFolder(folder) as new:
            desk = cls(new.staging, classes)
            (new.staging / "waiting").mkdir()
            desk.labelled.mkdir()
            desk._write_classes()
            taken: set[str] = set()
            for picture in pairs:
                assert picture.label
                _checked(picture.label, len(classes))
                name = free_name(picture.name, taken)
                link(picture.image, desk._place("images", picture.split) / (name + picture.image.suffix.lower()))
                link(picture.label, desk._place("masks", picture.split) / f"{name}.png")
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> Desk:
        """Raises `UserError` where `folder` is no desk."""
        class_file = folder / "set" / "classes.txt"
        if not class_file.is_file() or not (folder / "waiting").is_dir():
            raise UserError("{folder} is no folder in which pictures are labelled. Begin a new one.", folder=folder)
        desk = cls(folder, read_class_file(class_file).classes)
        desk._finish()
        return desk

    @property
    def labelled(self) -> Path:
        """The labelled pictures, as `seg_demo.data.check.check` and training take them."""
        return self.folder / "set"

    def pictures(self) -> tuple[DeskPicture, ...]:
        """All pictures, by name; saving a label map does not change the order."""
        waiting = [DeskPicture(path.stem, path) for path in pictures_in(self.folder / "waiting")]
        return tuple(sorted([*pairs_in(self.labelled), *waiting], key=lambda picture: in_order(picture.name)))

    def bring(self, files: Iterable[Path]) -> Arrivals:
        """Take copies of pictures without label maps; the same bytes are taken once. A name that is taken gets "_2".

        Raises `UserError` only where the disk refuses.
        """
        there = self.pictures()
        names = {folded(picture.name) for picture in there}
        by_size: dict[int, list[DeskPicture]] = {}
        for picture in there:
            by_size.setdefault(picture.image.stat().st_size, []).append(picture)
        taken, known, refused = [], [], []
        for file in files:
            try:
                with opened(file) as image:
                    suffix = file.suffix.lower() if is_picture(file) else f".{(image.format or 'png').lower()}"
                size = file.stat().st_size
            except UserError as error:
                refused.append(error)
                continue
            alike = by_size.setdefault(size, [])
            digest = digest_of(file) if alike else b""
            if same := next((picture for picture in alike if digest_of(picture.image) == digest), None):
                known.append(same.name)
                continue
            name = free_name(file.stem, names)
            target = self.folder / "waiting" / (name + suffix)
            write_whole(target, lambda path, file=file: shutil.copyfile(file, path))  # type: ignore[misc]
            alike.append(DeskPicture(name, target))
            taken.append(name)
        return Arrivals(tuple(taken), tuple(known), tuple(refused))

    def read(self, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        """The image, (H, W, 3) uint8 RGB, upright, and its label map, (H, W) uint8, or None.

        Raises `UserError` where there is no such picture, or a file was damaged.
        """
        picture = self._find(name)
        image = read_image(picture.image)
        if picture.label is None:
            return image, None
        label_map = _checked(picture.label, len(self.classes))
        _must_fit(name, label_map, image.shape[:2])
        return image, label_map

    def save(self, name: str, label_map: np.ndarray) -> None:
        """Keep the label map of a picture, (H, W) uint8: class ids, 255 where nothing is labelled.

        A picture's first one brings it into the data set: for training, or for validation where there are splits and
        that would have no more than a fifth. Raises `UserError` where it does not fit the picture or the classes,
        or where nothing is labelled.
        """
        picture = self._find(name)
        with opened(picture.image) as image:
            size = image.size if orientation_of(image) >= 5 else image.size[::-1]
        _must_fit(name, label_map, size)
        _must_be_known(name, label_map, len(self.classes))
        if (label_map == IGNORE_INDEX).all():
            raise UserError("Nothing is labelled in {name}. Paint a class before you save it.", name=name)
        split = picture.split if picture.label else self._next_split()
        self._write_label_map(self._place("masks", split) / f"{name}.png", label_map)
        if picture.label is None:  # after its label map: `_finish` does this where it did not come to it
            os.replace(picture.image, self._place("images", split) / picture.image.name)

    def remove(self, name: str) -> None:
        """Take a picture away, with its label map. Raises `UserError` where there is none."""
        picture = self._find(name)
        picture.image.unlink()  # first: a label map without an image is no picture
        if picture.label:
            picture.label.unlink()

    def with_classes(self, classes: ClassMap) -> Desk:
        """Name classes anew, colour them, add some, or drop the last ones; ids stay.

        Raises `UserError` where a class that is dropped is in use, or a class would get another id.
        """
        for old, name in enumerate(self.classes.names):
            if name in classes.names and classes.names.index(name) != old:
                raise UserError(
                    'The class "{name}" would change from id {old} to {new}, and label maps would mean something else. '
                    "Keep the order, and add classes at the end.",
                    name=name, old=old, new=classes.names.index(name),
                )  # fmt: skip
        files = [picture.label for picture in pairs_in(self.labelled) if picture.label]
        for file in files if len(classes) < len(self.classes) else ():
            label_map = _checked(file, len(self.classes))
            used = int(label_map.max(initial=0, where=label_map != IGNORE_INDEX))
            if used >= len(classes):
                raise UserError(
                    'The class "{name}" is in use in {file}. Label these pixels as something else before you drop it.',
                    name=self.classes.names[used], file=file.name,
                )  # fmt: skip
        desk = Desk(self.folder, classes)
        desk._write_classes()
        if classes.colors != self.classes.colors:  # a viewer shows the colours of the file
            for file in files:
                desk._write_label_map(file, _checked(file, len(self.classes)))
        return desk

    def _find(self, name: str) -> DeskPicture:
        found = next((picture for picture in self.pictures() if picture.name == name), None)
        if found is None:
            raise UserError("There is no picture {name} to label any more. Choose another one.", name=shorten(name))
        return found

    def _place(self, kind: str, split: str | None) -> Path:
        """The folder of "images" or "masks", made where it is not there yet."""
        place = self.labelled / (split or "") / kind
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _next_split(self) -> str | None:
        splits = [picture.split for picture in pairs_in(self.labelled) if picture.split]
        if not splits:
            return None
        return "val" if (splits.count("val") + 1) * VAL_SHARE <= len(splits) + 1 else "train"

    def _finish(self) -> None:
        """What a save that was cut off left: a label map in the set, whose image still waits."""
        waiting = {path.stem: path for path in pictures_in(self.folder / "waiting")}
        for split, folder in splits_of(self.labelled):
            for mask in (folder / "masks").glob("*.png"):
                if mask.stem in waiting and not any(path.stem == mask.stem for path in pictures_in(folder / "images")):
                    os.replace(waiting[mask.stem], self._place("images", split) / waiting[mask.stem].name)

    def _write_classes(self) -> None:
        def write(path: Path) -> None:
            write_class_file(path, self.classes)
            if read_class_file(path).classes != self.classes:
                raise UserError(
                    "These class names cannot be kept as they are: a list of names must not be numbered or begin with "
                    '"#". Rename the classes.'
                )

        write_whole(self.labelled / "classes.txt", write)

    def _write_label_map(self, target: Path, label_map: np.ndarray) -> None:
        write_whole(target, lambda path: palette_image(label_map, self.classes).save(path, "PNG"))


def _checked(file: Path, classes: int) -> np.ndarray:
    """The label map of a file in our own layout, (H, W) uint8."""
    label_map = read_label_file(file).values
    if label_map.dtype != np.uint8:
        raise UserError("{name} is no label map of 8 bits. Save it as a palette PNG of class ids.", name=file.name)
    _must_be_known(file.name, label_map, classes)
    return label_map


def _must_be_known(name: str, label_map: np.ndarray, classes: int) -> None:
    strangers = np.flatnonzero(np.bincount(label_map.ravel(), minlength=256)[classes:IGNORE_INDEX])
    if len(strangers):
        raise UserError(
            "The label map of {name} holds the class {value}, but there are {count} classes, 0 to {last}. Add classes.",
            name=name, value=int(strangers[0]) + classes, count=classes, last=classes - 1,
        )  # fmt: skip


def _must_fit(name: str, label_map: np.ndarray, size: tuple[int, ...]) -> None:
    if label_map.shape != tuple(size) or label_map.dtype != np.uint8:
        raise UserError(
            "The label map of {name} is {label_size} pixels but its image is {image_size}. Label the picture again.",
            name=name, label_size=shown_size(label_map.shape), image_size=shown_size(size),
        )  # fmt: skip
