"""Class names beside their colours, as a picture."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import ceil

from PIL import Image, ImageDraw, ImageFont

from seg_demo.classes import ClassMap

GAP, LINE = 14, 22
SIZE = 15  # pixels, of letters and of a colour
LONGEST_NAME = 16  # as wide as so many letters are high
TEXT, GREY = (30, 30, 30), (110, 110, 110)
# Names may be Japanese or Chinese; Pillow's own font has Latin letters only.
FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf")


def draw_legend(
    classes: ClassMap, width: int, ids: Sequence[int] | None = None, rows: int | None = None, size: int = SIZE
) -> Image.Image:
    """As many rows of names as are needed in `width` pixels, on white.

    ids: of the classes that are shown, None for all. rows: at most; how many classes do not fit is written instead of
    the last ones. size: of the letters, in pixels.
    """
    font = legend_font(size)
    gap, row_height, beside = GAP * size // SIZE, (LINE + 4) * size // SIZE, size * 3 // 2
    shown = range(len(classes)) if ids is None else ids
    room = max(1, min(LONGEST_NAME * size, width - 2 * gap - beside))
    entries = [(cut(classes.names[number], font, room), classes.colors[number]) for number in shown]
    lengths = [beside + round(font.getlength(text)) + size * 4 // 3 for text, _ in entries]
    counted = beside + round(font.getlength("+ 255"))
    kept = len(entries)
    while True:
        left_out = [f"+ {len(entries) - kept}"] if kept < len(entries) else []
        places, ends = _places(lengths[:kept] + [counted] * len(left_out), width - 2 * gap)
        if rows is None or ends <= rows or not kept:
            break
        kept -= 1
    image = Image.new("RGB", (width, 2 * gap + ends * row_height - 4 * size // SIZE), "white")
    pen = ImageDraw.Draw(image)
    corners = [(gap + left, gap + row * row_height) for left, row in places]
    for (left, top), (text, color) in zip(corners, entries[:kept], strict=False):
        pen.rectangle((left, top + 2, left + size, top + 2 + size), fill=color, outline=GREY)
        pen.text((left + beside, top), text, TEXT, font)
    for (left, top), text in zip(corners[kept:], left_out, strict=True):
        pen.text((left, top), text, GREY, font)
    return image


def _places(lengths: Sequence[int], width: int) -> tuple[list[tuple[int, int]], int]:
    """Where things of these lengths go, (pixels from the left, row), and the number of rows."""
    places, left, row = [], 0, 0
    for length in lengths:
        if left + length > width and left:
            left, row = 0, row + 1
        places.append((left, row))
        left += length
    return places, row + 1


def cut(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """A text of at most `width` pixels, of characters that can be seen; one character stays in any case."""
    text = "".join(character if character.isprintable() else "�" for character in text)
    if len(text) < 2 or font.getlength(text) <= width:
        return text
    fits = bisect_right(range(1, len(text)), width, key=lambda count: ceil(font.getlength(text[:count] + "…")))
    return text[: max(1, fits)] + "…"


def legend_font(size: int) -> ImageFont.FreeTypeFont:
    """Of `FONTS`, the first that is installed."""
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)  # type: ignore[return-value]  # a FreeType font, where a size is given
