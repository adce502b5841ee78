"""Mistakes that people make with labelled pictures, planted one at a time into a good data set.

`python -m benchmarks.faults` checks and repairs each and prints the table of docs/data.md; `--docs` writes it there.
The tests run every row: `kinds` must be found, and the repair must do what `mended` says.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.markdown import table, write_table
from seg_demo.classes import ClassMap
from seg_demo.data.check import Checked, Repaired, check, repair, repairs_of
from seg_demo.data.class_file import write_class_file
from seg_demo.data.folder import open_folder
from seg_demo.data.masks import palette_image
from seg_demo.data.procedural import ProceduralNewts
from seg_demo.errors import UserError
from seg_demo.palettes import VOC

PICTURES = 10
CLASSES = ProceduralNewts(1, longest=64).classes
AGREES = 0.97  # share of pixels in which a mended label map is the one before the fault


@dataclass
class Good:
    """The data set that faults are planted in: `root`/images, `root`/masks, `root`/classes.txt; a split by chance."""

    root: Path
    truth: dict[str, np.ndarray]

    @classmethod
    def write(cls, root: Path) -> Good:
        (root / "images").mkdir(parents=True)
        (root / "masks").mkdir()
        truth = {}
        for name, image, label_map in ProceduralNewts(PICTURES, longest=160, seed=5):
            Image.fromarray(image).save(root / "images" / f"{name}.jpg", quality=92)
            palette_image(label_map, CLASSES).save(root / "masks" / f"{name}.png")
            truth[name] = label_map
        write_class_file(root / "classes.txt", CLASSES)
        return cls(root, truth)

    @property
    def names(self) -> list[str]:
        return list(self.truth)

    def image(self, number: int) -> Path:
        return self.root / "images" / f"{self.names[number]}.jpg"

    def label(self, number: int) -> Path:
        return self.root / "masks" / f"{self.names[number]}.png"

    def rewrite(self, number: int, change: Callable[[np.ndarray], np.ndarray]) -> None:
        """Replace a label file by a grey one with `change` of its ids."""
        Image.fromarray(change(self.truth[self.names[number]].copy())).save(self.label(number))

    def rewrite_all(self, change: Callable[[np.ndarray], np.ndarray]) -> None:
        for number in range(PICTURES):
            self.rewrite(number, change)

    def unnamed(self) -> None:
        (self.root / "classes.txt").unlink()

    def binary(self) -> None:
        """Make it a set of two classes, in which `truth` is 0 and 1."""
        self.truth = {name: (ids > 0).astype(np.uint8) for name, ids in self.truth.items()}
        write_class_file(self.root / "classes.txt", ClassMap.of("background", "newt"))
        self.rewrite_all(lambda ids: ids)


@dataclass(frozen=True)
class Fault:
    """kinds: what the check must find. may_train: what it must say. mended: "yes", "left out" or "by hand"."""

    planted: str
    plant: Callable[[Good], None]
    kinds: tuple[str, ...]
    mended: str
    may_train: bool


FAULTS: list[Fault] = []


def fault(planted: str, *kinds: str, mended: str = "yes", may_train: bool = False) -> Callable:
    def keep(plant: Callable[[Good], None]) -> Callable[[Good], None]:
        FAULTS.append(Fault(planted, plant, kinds, mended, may_train))
        return plant

    return keep


# Files


@fault("An image without a label map", "missing-label", mended="left out", may_train=True)
def _(good: Good) -> None:
    good.label(2).unlink()


@fault("A label map without an image", "missing-image", mended="left out", may_train=True)
def _(good: Good) -> None:
    good.image(2).unlink()


@fault("All label maps under other names than the images", "nothing-paired", mended="by hand")
def _(good: Good) -> None:
    for number in range(PICTURES):
        good.label(number).rename(good.root / "masks" / f"other_{number}.png")


@fault("Only one picture", "too-few", mended="by hand")
def _(good: Good) -> None:
    for number in range(1, PICTURES):
        good.image(number).unlink()
        good.label(number).unlink()


@fault("An image cut off in the middle", "image-unreadable", mended="left out")
def _(good: Good) -> None:
    data = good.image(3).read_bytes()
    good.image(3).write_bytes(data[: len(data) // 2])


@fault("A label file cut off in the middle", "label-unreadable", mended="left out")
def _(good: Good) -> None:
    data = good.label(3).read_bytes()
    good.label(3).write_bytes(data[: len(data) // 2])


@fault("An empty label file", "label-unreadable", mended="left out")
def _(good: Good) -> None:
    good.label(3).write_bytes(b"")


@fault("A text file that calls itself .jpg", "image-unreadable", mended="left out")
def _(good: Good) -> None:
    good.image(3).write_text("not a picture")


@fault("The folders of images and of label maps changed places", "swapped")
def _(good: Good) -> None:
    (good.root / "images").rename(good.root / "aside")
    (good.root / "masks").rename(good.root / "images")
    (good.root / "aside").rename(good.root / "masks")


@fault("A photo in place of a label map", "label-is-photo", mended="left out")
def _(good: Good) -> None:
    Image.open(good.image(4)).save(good.label(4))


@fault("A photo as HEIC among the images, which nothing here can read", "passed-over", may_train=True)
def _(good: Good) -> None:
    (good.root / "images" / "IMG_1234.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))


# Sizes and turns


@fault("A label map exported at half the size", "size-scaled")
def _(good: Good) -> None:
    label_map = Image.fromarray(good.truth[good.names[1]])
    half = label_map.resize((label_map.width // 2, label_map.height // 2), Image.Resampling.NEAREST)
    half.save(good.label(1))


@fault("All label maps exported at twice the size", "size-scaled")
def _(good: Good) -> None:
    good.rewrite_all(lambda ids: ids.repeat(2, 0).repeat(2, 1))


@fault("A label map that was cropped", "size-other", mended="left out")
def _(good: Good) -> None:
    good.rewrite(1, lambda ids: ids[:, : ids.shape[1] // 2])


@fault("A label map with width and height exchanged", "size-other", mended="left out")
def _(good: Good) -> None:
    good.rewrite(1, lambda ids: ids.T)


def _turn(good: Good, number: int, orientation: int) -> None:
    """Let the camera's note turn the picture; the label map stays as the picture lies."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(good.image(number)) as image:
        image.save(good.image(number), quality=92, exif=exif)
    stored = Image.fromarray(good.truth[good.names[number]])
    stored.getexif()[0x0112] = orientation
    from seg_demo.data.images import TURNS

    good.truth[good.names[number]] = np.asarray(stored.transpose(TURNS[orientation]))


@fault("A photo turned by EXIF (6), its label map drawn as the file lies", "rotated")
def _(good: Good) -> None:
    _turn(good, 0, 6)


@fault("A photo turned by EXIF (8), its label map at half the size and not turned", "rotated")
def _(good: Good) -> None:
    ids = good.truth[good.names[0]]
    Image.fromarray(ids[::2, ::2]).save(good.label(0))
    _turn(good, 0, 8)


@fault("A photo upside down by EXIF (3), its label map not: sizes agree", "rotated")
def _(good: Good) -> None:
    _turn(good, 2, 3)


@fault("A square photo turned by EXIF (6), its label map not: sizes agree", "rotated")
def _(good: Good) -> None:
    _turn(good, 7, 6)  # every fourth drawn picture is square


@fault("An image of 20 pixels", "too-small", mended="by hand", may_train=True)
def _(good: Good) -> None:
    for path, filter in ((good.image(1), Image.Resampling.BOX), (good.label(1), Image.Resampling.NEAREST)):
        with Image.open(path) as image:
            image.resize((20, 20), filter).save(path)
    good.truth[good.names[1]] = np.asarray(Image.open(good.label(1)))


# Values


@fault("The value 7 in five pixels of one file, classes not named", "stray-values")
def _(good: Good) -> None:
    good.unnamed()

    def change(ids: np.ndarray) -> np.ndarray:
        ids[10, 10:15] = 7
        return ids

    good.rewrite(6, change)


@fault("The value 9 in a large patch of one file, classes not named", "stray-values")
def _(good: Good) -> None:
    good.unnamed()

    def change(ids: np.ndarray) -> np.ndarray:
        ids[4:20, 4:20] = 9
        return ids

    good.rewrite(6, change)


@fault("The value 7 in a large patch of one file, classes named", "unknown-values")
def _(good: Good) -> None:
    def change(ids: np.ndarray) -> np.ndarray:
        ids[:8, :8] = 7
        return ids

    good.rewrite(6, change)


@fault("A class more in the label maps than in the list", "unknown-values")
def _(good: Good) -> None:
    write_class_file(good.root / "classes.txt", ClassMap.of("background", "akahara"))


@fault("One 0/255 mask resized smoothly, classes not named", "stray-values")
def _(good: Good) -> None:
    good.binary()
    good.unnamed()
    good.rewrite_all(lambda ids: ids * 255)
    with Image.open(good.label(2)) as mask:
        small = mask.resize((mask.width // 2, mask.height // 2), Image.Resampling.NEAREST)
        small.resize(mask.size, Image.Resampling.BILINEAR).save(good.label(2))


@fault(
    "All label maps of ids 0, 1, 2 resized smoothly: class 1 around each area of 2", "smeared-values", may_train=True
)
def _(good: Good) -> None:
    for number in range(PICTURES):
        ids = Image.fromarray((good.truth[good.names[number]] > 0).astype(np.uint8) * 2)
        good.truth[good.names[number]] = np.asarray(ids)
        ids.resize((ids.width * 2, ids.height * 2), Image.Resampling.NEAREST).filter(ImageFilter.BoxBlur(1)).resize(
            ids.size, Image.Resampling.BILINEAR
        ).save(good.label(number))


@fault("One label map of ids 0 and 2 made smaller and larger again, smoothly", "smeared-values", may_train=True)
def _(good: Good) -> None:
    ids = (good.truth[good.names[6]] > 0).astype(np.uint8) * 2
    good.truth[good.names[6]] = ids
    small = Image.fromarray(ids).resize((ids.shape[1] // 2, ids.shape[0] // 2), Image.Resampling.BILINEAR)
    small.resize((ids.shape[1], ids.shape[0]), Image.Resampling.BILINEAR).save(good.label(6))


@fault("Grey levels 0, 100, 200 saved as JPEG", "lossy-label")
def _(good: Good) -> None:
    good.unnamed()
    for number in range(PICTURES):
        levels = Image.fromarray(good.truth[good.names[number]] * 100)
        levels.save(good.label(number).with_suffix(".jpg"), quality=85)
        good.label(number).unlink()


@fault("0/255 masks where three classes are named", "one-class", mended="by hand")
def _(good: Good) -> None:
    good.rewrite_all(lambda ids: (ids > 0).astype(np.uint8) * 255)


@fault("All 0/255 masks saved as JPEG", "lossy-label")
def _(good: Good) -> None:
    good.binary()
    for number in range(PICTURES):
        mask = Image.fromarray(good.truth[good.names[number]] * 255)
        mask.save(good.label(number).with_suffix(".jpg"), quality=75)
        good.label(number).unlink()


@fault("A 0/255 mask saved as JPEG, then as PNG, classes not named", "stray-values")
def _(good: Good) -> None:
    good.binary()
    good.unnamed()
    good.rewrite_all(lambda ids: ids * 255)
    Image.fromarray(good.truth[good.names[5]] * 255).save(good.label(5).with_suffix(".jpg"), quality=60)
    with Image.open(good.label(5).with_suffix(".jpg")) as mask:
        mask.save(good.label(5))
    good.label(5).with_suffix(".jpg").unlink()


@fault("Coloured label maps saved as JPEG", "lossy-label")
def _(good: Good) -> None:
    for number in range(PICTURES):
        colors = Image.fromarray(CLASSES.colorize(good.truth[good.names[number]]))
        colors.save(good.label(number).with_suffix(".jpg"), quality=90, subsampling=0)
        good.label(number).unlink()


@fault("Label maps of ids 0, 1, 2 saved as JPEG", "lossy-label", mended="by hand")
def _(good: Good) -> None:
    for number in range(PICTURES):
        ids = Image.fromarray(good.truth[good.names[number]])
        ids.save(good.label(number).with_suffix(".jpg"), quality=75)
        good.label(number).unlink()


@fault("Coloured label maps with smoothed borders", "stray-values")
def _(good: Good) -> None:
    for number in range(PICTURES):
        colors = Image.fromarray(CLASSES.colorize(good.truth[good.names[number]]))
        double = colors.resize((colors.width * 2, colors.height * 2), Image.Resampling.NEAREST)
        double.resize(colors.size, Image.Resampling.BICUBIC).save(good.label(number))


@fault("A coloured label map with one colour that no class has", "unknown-values")
def _(good: Good) -> None:
    colors = CLASSES.colorize(good.truth[good.names[7]])
    colors[:20, :20] = (9, 200, 240)
    Image.fromarray(colors).save(good.label(7))


@fault("Ids that begin with 1", "ids-from-one")
def _(good: Good) -> None:
    good.rewrite_all(lambda ids: ids + 1)


@fault(
    "Colours in the order in which LabelMe and CVAT give them, names without colours", "guessed-classes", may_train=True
)
def _(good: Good) -> None:
    (good.root / "classes.txt").write_text("background\nakahara\nmadara\n")
    for number in range(PICTURES):
        Image.fromarray(VOC.colorize(good.truth[good.names[number]])).save(good.label(number))


@fault("A palette in which black is 1 and the object 0", "odd-palette", mended="by hand")
def _(good: Good) -> None:
    good.binary()
    good.unnamed()
    for number in range(PICTURES):
        label = Image.fromarray(1 - good.truth[good.names[number]], mode="P")
        label.putpalette([255, 255, 255, 0, 0, 0])
        label.save(good.label(number))


@fault("One 0/255 mask among label maps of ids", "mask-among-ids", mended="left out")
def _(good: Good) -> None:
    good.rewrite(4, lambda ids: (ids > 0).astype(np.uint8) * 255)


@fault("0/1 masks, 0/255 masks and 1-bit masks together", may_train=True)
def _(good: Good) -> None:
    good.binary()
    for number in range(4):
        good.rewrite(number, lambda ids: ids * 255)
    for number in range(4, 7):
        Image.fromarray(good.truth[good.names[number]] * 255).convert("1").save(good.label(number))


@fault("Grey levels 0, 127, 255, classes not named", may_train=True)
def _(good: Good) -> None:
    good.unnamed()
    good.rewrite_all(lambda ids: np.array([0, 127, 255], np.uint8)[ids])


@fault("White as a class of coloured label maps", may_train=True)
def _(good: Good) -> None:
    good.unnamed()
    for number in range(PICTURES):
        colors = np.array([(0, 0, 0), (255, 255, 255), (0, 0, 200)], np.uint8)
        Image.fromarray(colors[good.truth[good.names[number]]]).save(good.label(number))


@fault("One RGB label map among palette files, classes not named", may_train=True)
def _(good: Good) -> None:
    good.unnamed()
    number = next(place for place, name in enumerate(good.names) if good.truth[name].max() == 2)
    Image.fromarray(CLASSES.colorize(good.truth[good.names[number]])).save(good.label(number))


@fault("A grey photo in place of a label map", "label-is-photo", mended="left out")
def _(good: Good) -> None:
    Image.open(good.image(4)).convert("L").save(good.label(4))


@fault("Colours without a word which class is which", "unassigned-colors", mended="by hand")
def _(good: Good) -> None:
    (good.root / "classes.txt").write_text("background\nakahara\nmadara\n")
    table = np.array([(0, 0, 0), (250, 120, 10), (10, 120, 250)], np.uint8)
    for number in range(PICTURES):
        Image.fromarray(table[good.truth[good.names[number]]]).save(good.label(number))


@fault("Classes without names", "classes-unnamed", may_train=True)
def _(good: Good) -> None:
    good.unnamed()


@fault("Label files of three kinds: palette, grey, RGB", "mixed-kinds", may_train=True)
def _(good: Good) -> None:
    good.rewrite(0, lambda ids: ids)
    Image.fromarray(CLASSES.colorize(good.truth[good.names[1]])).save(good.label(1))


@fault("Palette files whose palettes differ", may_train=True)
def _(good: Good) -> None:
    good.unnamed()
    for number in range(PICTURES):
        image = Image.fromarray(CLASSES.colorize(good.truth[good.names[number]]))
        image.quantize(3 + number % 2, dither=Image.Dither.NONE).save(good.label(number))


@fault("0/255 masks, which look right but hold no class ids", may_train=True)
def _(good: Good) -> None:
    good.binary()
    good.rewrite_all(lambda ids: ids * 255)


@fault("Ids saved as RGB pictures, all black to the eye", may_train=True)
def _(good: Good) -> None:
    good.rewrite_all(lambda ids: np.dstack([ids] * 3))


@fault("Probabilities instead of class ids", "label-unreadable", mended="left out")
def _(good: Good) -> None:
    Image.fromarray(good.truth[good.names[3]] * np.float32(0.37)).save(good.label(3).with_suffix(".tif"))
    good.label(3).unlink()


# The set as a whole


@fault("All label maps are black", "one-class", mended="by hand")
def _(good: Good) -> None:
    good.rewrite_all(lambda ids: ids * 0)


@fault("A class in the list that no label map holds", "absent-class", mended="by hand", may_train=True)
def _(good: Good) -> None:
    with open(good.root / "classes.txt", "a") as file:
        file.write("axolotl #ffffaa\n")


def _in_splits(good: Good) -> None:
    """Pictures 0 to 5 below train/, 6 and 7 below val/, 8 and 9 below test/."""
    for number in range(PICTURES):
        for kind, path in (("images", good.image(number)), ("masks", good.label(number))):
            folder = good.root / ("train" if number < 6 else "val" if number < 8 else "test") / kind
            folder.mkdir(parents=True, exist_ok=True)
            path.rename(folder / path.name)
    shutil.rmtree(good.root / "images")
    shutil.rmtree(good.root / "masks")


@fault("A class that only the test pictures have", "class-not-in-train", mended="by hand", may_train=True)
def _(good: Good) -> None:
    for number in range(8):
        good.rewrite(number, lambda ids: np.minimum(ids, 1))
    good.rewrite(9, lambda ids: np.where(ids > 0, 2, 0).astype(np.uint8))
    _in_splits(good)


@fault("A picture of train in test as well, smaller and saved again", "leak", mended="left out", may_train=True)
def _(good: Good) -> None:
    with Image.open(good.image(1)) as image:
        image.resize((image.width * 3 // 4, image.height * 3 // 4)).save(good.image(9), quality=60)
    with Image.open(good.label(1)) as label:
        label.resize((label.width * 3 // 4, label.height * 3 // 4), Image.Resampling.NEAREST).save(good.label(9))
    good.truth[good.names[9]] = np.asarray(Image.open(good.label(9)))
    _in_splits(good)


@fault("The same picture twice, with the same label map", "same-picture", mended="left out", may_train=True)
def _(good: Good) -> None:
    shutil.copy(good.image(1), good.image(5))
    shutil.copy(good.label(1), good.label(5))
    good.truth[good.names[5]] = good.truth[good.names[1]]
    _in_splits(good)


@fault("The same picture twice, with different label maps", "same-picture", mended="by hand", may_train=True)
def _(good: Good) -> None:
    shutil.copy(good.image(1), good.image(5))
    good.rewrite(5, lambda ids: good.truth[good.names[1]][:, ::-1])
    good.truth[good.names[5]] = good.truth[good.names[1]][:, ::-1]
    _in_splits(good)


@fault("One label map copied under three names", "same-label", mended="by hand", may_train=True)
def _(good: Good) -> None:
    for number in (4, 8):
        good.truth[good.names[number]] = good.truth[good.names[0]]
        shutil.copy(good.label(0), good.label(number))


@fault("Hardly anything labelled", "mostly-background", mended="by hand", may_train=True)
def _(good: Good) -> None:
    for number, name in enumerate(good.names):
        ids = np.zeros_like(good.truth[name])
        ids[20:26, 20:26] = 1 + number % 2
        good.truth[name] = ids
    good.rewrite_all(lambda ids: ids)


@fault("Masks that are inverted", "mostly-object", mended="by hand", may_train=True)
def _(good: Good) -> None:
    good.binary()
    for ids in good.truth.values():
        ids[:] = 1 - ids
        ids[40:45, 40:45] = 0
    good.rewrite_all(lambda ids: ids)


@fault("Scribbles: nearly everything ignored", "mostly-ignored", mended="by hand", may_train=True)
def _(good: Good) -> None:
    for ids in good.truth.values():
        ids[12:-12, 12:-12] = 255
    good.rewrite_all(lambda ids: ids)


@fault("A label map that is ignored altogether", "all-ignored", mended="left out", may_train=True)
def _(good: Good) -> None:
    good.rewrite(4, lambda ids: ids * 0 + 255)


@fault("A picture in which there is nothing to find", "no-class", may_train=True)
def _(good: Good) -> None:
    good.truth[good.names[4]][:] = 0
    good.rewrite(4, lambda ids: ids)


@dataclass(frozen=True)
class Outcome:
    """What became of a fault. agreement: smallest share of pixels in which a written label map is the true one."""

    fault: Fault
    checked: Checked
    repaired: Repaired | None
    may_train: bool
    agreement: float

    @property
    def said(self) -> str:
        found = [each for each in self.checked.report.findings if each.kind in self.fault.kinds]
        return found[0].sentence if found else self.checked.folder.reading.reasons[-1]

    @property
    def repair(self) -> str:
        if not self.fault.kinds:
            return "not needed, it is read right"
        possible = repairs_of(self.checked.report.findings)
        mended = next((possible[kind] for kind in self.fault.kinds if kind in possible), None)
        if mended:
            return f"yes: {mended}"
        return "by hand" if self.fault.mended == "by hand" else "not needed"


def run(fault: Fault, folder: Path) -> Outcome:
    """Plant a fault into a good data set below `folder`, check it, repair all that can be, and compare."""
    good = Good.write(folder / "data")
    fault.plant(good)
    checked = check(good.root)
    try:
        repaired = repair(checked, folder / "repaired", repairs_of(checked.report.findings))
    except UserError:
        return Outcome(fault, checked, None, False, 0.0)
    after = check(repaired.out)
    return Outcome(fault, checked, repaired, after.report.may_train, _agreement(good, repaired.out))


def _agreement(good: Good, folder: Path) -> float:
    """Over the pixels that are not ignored."""
    opened = open_folder(folder)
    shares = []
    for split in sorted({look.pair.split or "" for look in opened.looks}):
        for name, _, label_map in opened.split(split):
            counted = label_map != 255
            shares.append(float((label_map == good.truth[name])[counted].mean()) if counted.any() else 1.0)
    return min(shares)


def rows() -> list[tuple[str, str, str]]:
    found = []
    for fault in FAULTS:
        with tempfile.TemporaryDirectory() as folder:
            outcome = run(fault, Path(folder))
            said = outcome.said.replace(folder, "").replace("|", "\\|")
            severity = "passes" if outcome.checked.report.may_train else "refused"
            found.append((fault.planted, f"{severity}: {said}", outcome.repair))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", action="store_true", help="write the table into docs/data.md")
    text = table(("planted", "what the check says", "repair"), rows())
    if parser.parse_args().docs:
        write_table("faults", text, "data.md")
    print(text, end="")


if __name__ == "__main__":
    main()
