"""The ZIPs that visitors bring, made of real photos; nothing of these is part of this project."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from seg_demo.data.procedural.writing import write_newts

MISTAKES = {
    "missing-label": "a photo without a label map",
    "size-scaled": "a label map exported at half the size",
    "lossy-label": "a label map saved as JPEG",
    "stray-values": "eight pixels of a colour that no class has",
    "leak": "a photo of train in val as well",
}  # kind of finding -> what was done
VALIDATION = 4  # photos of the newts that go to val/ where a split is wanted


def packed(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "zip", folder))


def newts(data: Path, place: Path) -> Path:
    """The training photos with their coloured masks and LabelMe's JSON, as they are published."""
    return packed(_writable(shutil.copytree(data / "newts" / "train", place / "newts")))


def test_newts(data: Path, place: Path) -> Path:
    """A folder with the test photos, under the class names that the training photos come with."""
    source, out = data / "newts" / "test", place / "test-photos"
    for kind, suffix in (("images", "jpg"), ("seg_images", "png")):
        (out / "test" / kind).mkdir(parents=True)
        for file in source.glob(f"{kind}/*/*.{suffix}"):
            shutil.copyfile(file, out / "test" / kind / file.name)
    shutil.copyfile(source / "labels.txt", out / "labels.txt")
    return out


def skydiving(data: Path, place: Path) -> Path:
    """The photos and the polygons of CVAT; the label maps that were made of them stay behind."""
    out = place / "skydiving"
    for split in ("train", "val"):
        source = data / "skydiving" / split
        for folder in (source / "Images", *source.glob("Annotations*")):
            shutil.copytree(folder, out / split / folder.name)
    return packed(_writable(out))


def with_mistakes(data: Path, place: Path) -> Path:
    """The training photos in train/ and val/, with the `MISTAKES` in them."""
    out, source = place / "mistakes", data / "newts" / "train"
    photos = sorted((source / "images").glob("*/*.jpg"), key=lambda photo: (photo.stem[-4:], photo.parent.name))
    for number, photo in enumerate(photos):
        split = "val" if number < VALIDATION else "train"
        _put(out, split, photo, source / "seg_images" / photo.parent.name / f"{photo.stem}.png")
    shutil.copyfile(source / "labels.txt", out / "labels.txt")
    _writable(out)
    labels = sorted((out / "train").glob("seg_images/*/*.png"))
    labels[0].unlink()
    _rewrite(labels[2], lambda mask: mask.resize((mask.width // 2, mask.height // 2), Image.Resampling.NEAREST))
    _rewrite(labels[6], _with_strays)
    with Image.open(labels[4]) as mask:
        mask.convert("RGB").save(labels[4].with_suffix(".jpg"), quality=90)
    labels[4].unlink()
    label = labels[8]
    photo = out / "train" / "images" / label.parent.name / f"{label.stem}.jpg"
    _put(out, "val", photo, label)
    return packed(out)


def drawn(place: Path, name: str, seed: int) -> Path:
    """Drawn newts; another seed draws others."""
    return packed(write_newts(place / name, 12, seed=seed))


def _put(out: Path, split: str, photo: Path, label: Path) -> None:
    for file, kind in ((photo, "images"), (label, "seg_images")):
        folder = out / split / kind / file.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / file.name)


def _rewrite(label: Path, change: Callable[[Image.Image], Image.Image]) -> None:
    with Image.open(label) as mask:
        changed = change(mask.convert("RGB"))
    changed.save(label)


def _with_strays(mask: Image.Image) -> Image.Image:
    """In the background, beside each other, as a slip of a pen leaves them."""
    colors = np.array(mask)
    colors[10, 10:18] = 9, 200, 240
    return Image.fromarray(colors)


def _writable(folder: Path) -> Path:
    """Copies of files that may only be read may be changed."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    return folder
