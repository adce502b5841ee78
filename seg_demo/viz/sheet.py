"""A contact sheet of label maps in colours, with a legend, as one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from seg_demo.data.folder import LabelledFolder
from seg_demo.errors import UserError
from seg_demo.viz.legend import GAP, LINE, TEXT, cut, draw_legend, legend_font
from seg_demo.viz.preview import Preview, previews

PANEL = 300  # pixels, the longest side of a picture on the sheet
COLUMNS = 3


def draw_sheet(folder: LabelledFolder, count: int) -> Image.Image:
    """`count` pictures at most, each over its name: the label map over the image, and in colours alone.

    Raises `UserError` where no picture has a label map that can be read.
    """
    shown = list(previews(folder, count, PANEL))
    if not shown:
        raise UserError(
            "{folder} has no picture with a label map that can be read. Run `data check` on it.",
            folder=folder.listing.root,
        )
    columns = min(COLUMNS, len(shown))
    rows = [shown[start : start + columns] for start in range(0, len(shown), columns)]
    width = max(columns * (2 * PANEL + 4 + GAP) + GAP, 640)
    legend = draw_legend(folder.classes, width)
    heights = [max(len(each.colors) for each in row) + LINE + GAP for row in rows]
    sheet = Image.new("RGB", (width, legend.height + sum(heights) + GAP), "white")
    sheet.paste(legend, (0, 0))
    pen, font = ImageDraw.Draw(sheet), legend_font(15)
    top = legend.height
    for row, height in zip(rows, heights, strict=True):
        for place, each in enumerate(row):
            left = GAP + place * (2 * PANEL + 4 + GAP)
            _panel(sheet, pen, font, each, left, top)
        top += height
    return sheet


def _panel(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, each: Preview, left: int, top: int
) -> None:
    both = np.concatenate([each.overlaid, np.full((len(each.colors), 4, 3), 255, np.uint8), each.colors], axis=1)
    pen.text((left, top), cut(f"{each.name} · {each.split}", font, both.shape[1]), TEXT, font)
    sheet.paste(Image.fromarray(both), (left, top + LINE))


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """As what the suffix says. Raises `UserError` for one that is none."""
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError("{path} must end in .png or .jpg. Name another file.", path=path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
