"""Label files in colours over and beside their pictures, also where something is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from seg_demo.data.folder import LabelledFolder
from seg_demo.data.images import opened, read_image, upright
from seg_demo.data.listing import Pair
from seg_demo.data.masks import read_label_file
from seg_demo.data.survey import LabelFacts, Look
from seg_demo.errors import UserError
from seg_demo.viz.overlay import overlay

UNKNOWN = (255, 0, 255)  # what stands for no class is striped in a colour that no palette here has
STRIPE = 8


class Preview(NamedTuple):
    """A picture to look at. overlaid, colors: (h, w, 3) uint8 of the same size, the label map over the image and alone.

    classes: names that occur. wrong: why the picture cannot be used as it is, or None.
    """

    name: str
    split: str
    overlaid: np.ndarray
    colors: np.ndarray
    classes: tuple[str, ...]
    wrong: UserError | None = None


def previews(folder: LabelledFolder, count: int, longest: int = 480) -> Iterator[Preview]:
    """`count` pictures with a label file, evenly over the list; unreadable ones are left out.

    longest: their longest side in pixels.
    """
    for look in chosen(folder, count):
        try:
            yield preview(folder, look.pair, longest)
        except UserError:
            continue


def chosen(folder: LabelledFolder, count: int) -> list[Look]:
    """Evenly over the list, so that every split and whatever the order of the names means gets its share."""
    looks = [look for look in folder.looks if look.pair.image and isinstance(look.label, LabelFacts)]
    places = np.unique(np.linspace(0, len(looks) - 1, min(count, len(looks))).round().astype(int)) if looks else ()
    return [looks[place] for place in places]


def preview(folder: LabelledFolder, pair: Pair, longest: int) -> Preview:
    """One pair. Raises `UserError` where one of its files cannot be read."""
    assert pair.image and pair.label
    with opened(pair.image, name=folder.listing.shown(pair.image)) as picture:
        turned = upright(picture)
        scale = min(1.0, longest / max(turned.size))
        width, height = (max(1, round(side * scale)) for side in turned.size)
    image = np.asarray(Image.fromarray(read_image(pair.image)).resize((width, height), Image.Resampling.LANCZOS))
    shown = folder.listing.shown(pair.label)
    file = read_label_file(pair.label, name=shown)
    wrong = None
    if file.values.shape != (turned.height, turned.width):
        wrong = UserError("{file} is not of the size of its image.", file=shown)
    try:
        folder.reading.decoding.decode(file, shown)
    except UserError as error:
        wrong = error
    ids, unknown = (
        np.asarray(Image.fromarray(each).resize((width, height), Image.Resampling.NEAREST))
        for each in folder.reading.decoding.look_up(file)
    )
    stripes = unknown & ((np.indices(ids.shape).sum(0) // STRIPE) % 2 == 0)
    overlaid, colors = overlay(image, ids, folder.classes), folder.classes.colorize(ids)
    overlaid[stripes] = colors[stripes] = UNKNOWN
    present = [
        folder.classes.names[class_id] for class_id in np.unique(ids[~unknown]) if class_id < len(folder.classes)
    ]
    return Preview(pair.name, pair.split or "train", overlaid, colors, tuple(present), wrong)
