"""Faults in the values of label files."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.faults.fault import fault
from benchmarks.faults.good import CLASSES, PICTURES, Good
from seg_demo.classes import ClassMap
from seg_demo.data.class_file import write_class_file
from seg_demo.palettes import VOC


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
