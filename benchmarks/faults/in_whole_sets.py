"""Faults in the set as a whole."""

from __future__ import annotations

import shutil

import numpy as np
from PIL import Image

from benchmarks.faults.fault import fault
from benchmarks.faults.good import PICTURES, Good


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
