"""A contact sheet of label maps in colours, with a legend, as one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from seg_demo.classes import ClassMap
from seg_demo.data.folder import LabelledFolder
from seg_demo.errors import UserError
from seg_demo.viz.preview import Preview, previews

PANEL = 300  # pixels, the longest side of a picture on the sheet
GAP = 14
COLUMNS = 3
LINE = 22
TEXT, GREY = (30, 30, 30), (110, 110, 110)
# Names may be Japanese or Chinese; Pillow's own font has Latin letters only.
FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf")


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
    legend = _legend(folder.classes, width)
    heights = [max(len(each.colors) for each in row) + LINE + GAP for row in rows]
    sheet = Image.new("RGB", (width, legend.height + sum(heights) + GAP), "white")
    sheet.paste(legend, (0, 0))
    pen, font = ImageDraw.Draw(sheet), _font(15)
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
    pen.text((left, top), _cut(f"{each.name} · {each.split}", font, both.shape[1]), TEXT, font)
    sheet.paste(Image.fromarray(both), (left, top + LINE))


def _legend(classes: ClassMap, width: int) -> Image.Image:
    font = _font(15)
    places, left, top = [], GAP, GAP
    for name, color in zip(classes.names, classes.colors, strict=True):
        text = _cut(name, font, 240)
        needed = 22 + round(font.getlength(text)) + 20
        if left + needed > width - GAP:
            left, top = GAP, top + LINE + 4
        places.append((left, top, text, color))
        left += needed
    image = Image.new("RGB", (width, top + LINE + GAP), "white")
    pen = ImageDraw.Draw(image)
    for left, top, text, color in places:
        pen.rectangle((left, top + 2, left + 15, top + 17), fill=color, outline=GREY)
        pen.text((left + 22, top), text, TEXT, font)
    return image


def _cut(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    text = "".join(character if character.isprintable() else "�" for character in text)
    while font.getlength(text) > width and len(text) > 1:
        text = text[:-2] + "…"
    return text


def _font(size: int) -> ImageFont.FreeTypeFont:
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)  # type: ignore[return-value]  # a FreeType font, where a size is given


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """As what the suffix says. Raises `UserError` for one that is none."""
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError("{path} must end in .png or .jpg. Name another file.", path=path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
