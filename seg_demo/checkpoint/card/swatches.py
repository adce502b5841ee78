"""Colours in a Markdown page that takes no styles: the square of Unicode that comes nearest, and the exact value."""

from __future__ import annotations

import colorsys

from seg_demo.classes import Color

# Hues in degrees up to which a colour is called so, as in the colour wheel of HSV; behind the last it is red again.
SQUARES = ((15, "🟥"), (45, "🟧"), (70, "🟨"), (165, "🟩"), (255, "🟦"), (345, "🟪"), (360, "🟥"))
BLACK, WHITE, BROWN = "⬛", "⬜", "🟫"


def swatch(color: Color) -> str:
    """A square of about this colour and its exact value.

    >>> swatch((127, 0, 0))
    '🟥 `#7f0000`'
    """
    return f"{_square(color)} `#{bytes(color).hex()}`"


def _square(color: Color) -> str:
    hue, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in color))
    if value < 0.2 or saturation < 0.15:  # there is no grey one
        return BLACK if value < 0.5 else WHITE
    if 15 / 360 < hue <= 70 / 360 and value < 0.7:  # dark orange and dark yellow
        return BROWN
    return next(square for most, square in SQUARES if hue <= most / 360)
