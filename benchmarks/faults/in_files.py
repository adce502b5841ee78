"""Faults in the files themselves: missing, damaged, of another size, turned."""

from __future__ import annotations

import numpy as np
from PIL import Image

from benchmarks.faults.fault import fault
from benchmarks.faults.good import PICTURES, Good
from seg_demo.data.images import TURNS


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
