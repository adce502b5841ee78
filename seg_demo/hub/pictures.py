"""The pictures that a model card shows: what the model makes of photos, or else its classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from seg_demo.checkpoint import Checkpoint
from seg_demo.checkpoint.card.sections import DRAWN, LEGEND
from seg_demo.data.images import read_image
from seg_demo.errors import UserError
from seg_demo.palettes import NEWTS_BINARY, NEWTS_SPECIES
from seg_demo.viz.comparison import GAP, side_by_side
from seg_demo.viz.legend import SIZE, draw_legend

MOST = 4
LONGEST = 1024  # pixels, of a picture with all that is in it
NARROWEST = 320  # what the names of classes need
LETTERS = 24  # pixels; a phone shows the pictures at a third of their size
MANY = 50  # classes, which need smaller letters
ROWS = 3  # of names below a photo
SMALLEST_SHARE = 0.0005  # of the pixels, below which a class is not named
FOLDER = "samples"


def sample_pictures(checkpoint: Checkpoint, given: Sequence[Path], target: Path) -> list[str]:
    """Write pictures into `target`/samples and return their names relative to `target`, with "/".

    given: photos, 4 at most; each gives a JPEG of the photo and, beside it, what the model finds, with the names of
    the classes below. Without any, a model of newts gets a drawn picture, and any other one a PNG of its classes. No
    side is longer than 1024 pixels.

    The files hold pixels alone: nothing of the photos' EXIF data or names. The model is run on the CPU, once per photo.
    Raises `UserError` for a photo that cannot be read and for too many, and `OSError` where `target` cannot be written.
    """
    if len(given) > MOST:
        raise UserError(
            "{count} pictures were given, but a model card shows {most} at most. Leave some out.",
            count=len(given), most=MOST,
        )  # fmt: skip
    drawn = not given and checkpoint.config.classes.names in (NEWTS_BINARY.names, NEWTS_SPECIES.names)
    pictures: dict[str, Image.Image] = {}
    if given:
        for number, path in enumerate(given, 1):
            pictures[f"{number}.jpg"] = _found(checkpoint, read_image(path))
    elif drawn:
        from seg_demo.data.procedural import ExampleNewts

        pictures[DRAWN] = _found(checkpoint, ExampleNewts()[0].image)
    else:
        classes = checkpoint.config.classes
        size = LETTERS if len(classes) <= MANY else SIZE
        pictures[LEGEND] = draw_legend(classes, LONGEST, rows=LONGEST // (2 * size) - 1, size=size)
    folder = target / FOLDER
    folder.mkdir(exist_ok=True)
    for name, picture in pictures.items():
        picture.save(folder / name, quality=90, subsampling=0)  # which PNG does not know
    return [f"{FOLDER}/{name}" for name in pictures]


def _found(checkpoint: Checkpoint, image: np.ndarray) -> Image.Image:
    """image: (H, W, 3) uint8 -> the image, what the model finds over it, and the names of what it finds."""
    from seg_demo.infer.predictor import Predictor

    segmentation = Predictor(checkpoint, "cpu")(image)
    classes = checkpoint.config.classes
    panels = Image.fromarray(side_by_side(image, [segmentation.label_map], classes, (LONGEST - GAP) // 2))
    # Class 0 is not painted, so it needs no colour.
    counts = segmentation.counts()
    found = [
        number for number in range(1, len(classes)) if counts[number] > SMALLEST_SHARE * segmentation.label_map.size
    ]
    width = max(panels.width, NARROWEST)
    legend = draw_legend(classes, width, found, ROWS, LETTERS) if found else None
    whole = Image.new("RGB", (width, panels.height + (legend.height if legend else 0)), "white")
    whole.paste(panels, ((width - panels.width) // 2, 0))
    if legend:
        whole.paste(legend, (0, panels.height))
    return whole
