"""Leaves, blades and splinters scattered over a drawn ground, and their colours."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from seg_demo.data.procedural.drawing import Canvas, FloatArray, Sketch, from_bytes, rgb, to_bytes

Colours = list[tuple[float, float, float]]

MOSS: Colours = [(0.10, 0.16, 0.05), (0.20, 0.33, 0.08), (0.33, 0.47, 0.13), (0.47, 0.58, 0.22)]
STRAW: Colours = [(0.42, 0.33, 0.22), (0.66, 0.55, 0.40), (0.82, 0.72, 0.55), (0.90, 0.84, 0.72)]
DEAD_LEAVES: Colours = [
    (0.42, 0.26, 0.13),
    (0.56, 0.36, 0.18),
    (0.33, 0.20, 0.12),
    (0.62, 0.47, 0.28),
    (0.50, 0.22, 0.10),
]
GREEN_LEAVES: Colours = [(0.10, 0.27, 0.11), (0.17, 0.38, 0.16), (0.28, 0.47, 0.19), (0.13, 0.31, 0.20)]


def lay_blades(
    canvas: Canvas,
    name: str,
    picture: FloatArray,
    layers: list[Colours],
    count: int,
    length: float,
    width: float,
    bend: float,
    drop: float,
) -> FloatArray:
    """Bent blades of `length` units, `width` times as wide and bent by about `bend`, over `picture`: `count`
    for each palette in `layers`, each with a hard shadow `drop` 256ths of a unit away (0: none)."""
    rng = canvas.rng(name)
    scale = 2 if canvas.unit < 900 else 1
    size = (canvas.width * scale, canvas.height * scale)
    image = to_bytes(picture).resize(size, Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(image)
    shift = np.tile([drop, drop], 10) * (canvas.unit * scale / 256)
    for colours in layers:
        tone = np.array(colours)[rng.integers(0, len(colours), count)] * np.exp(rng.normal(0, 0.16, (count, 1)))
        outlines = _blades(rng, count, size, 0.5 * length * canvas.unit * scale, width, bend)
        fills = (np.clip(tone, 0, 1) * 255).astype(int)
        darks = (fills * 0.35).astype(int)
        for blade, shadow, fill, dark in zip(
            outlines.tolist(), (outlines + shift).tolist(), fills.tolist(), darks.tolist(), strict=True
        ):
            if drop:
                pen.polygon(shadow, fill=tuple(dark))
            pen.polygon(blade, fill=tuple(fill))
    return from_bytes(image.reduce(scale))


def _blades(
    rng: np.random.Generator, count: int, size: tuple[int, int], half: float, width: float, bend: float
) -> FloatArray:
    """Outlines (count,20), as x,y pairs, of bent blades about 2 * `half` long anywhere in `size` (w, h)."""
    middle = rng.uniform(-0.05, 1.05, (count, 2)) * size
    angle, bow = rng.uniform(0, 2 * math.pi, count), rng.normal(0, bend, (count, 1))
    ahead = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (half * np.exp(rng.normal(0, 0.38, (count, 1))))
    aside = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    way = np.linspace(-1, 1, 6)
    rib = [middle + ahead * t + aside * (bow * (0.5 - t * t)) for t in way]
    thick = [aside * (width * (1 - t**4)) for t in way]
    left = [point + half_width for point, half_width in zip(rib, thick, strict=True)]
    right = [point - half_width for point, half_width in zip(rib[-2:0:-1], thick[-2:0:-1], strict=True)]
    return np.concatenate(left + right, axis=1)


def leaf_outline(base: FloatArray, tip: FloatArray, plump: float, bend: float) -> tuple[FloatArray, FloatArray]:
    """The two halves (each (N,2)) of a leaf from `base` to `tip` (x,y): outline of one side, then midrib."""
    t = np.linspace(0, 1, 11)[:, None]
    ahead = tip - base
    aside = np.array([-ahead[1], ahead[0]])
    rib = base + ahead * t + aside * (bend * t * (1 - t))
    bulge = aside * (plump * np.sin(np.pi * t**0.85) ** 0.9)
    return np.concatenate([rib + bulge, rib[::-1]]), np.concatenate([rib - bulge, rib[::-1]])


def draw_leaf(sketch: Sketch, base: FloatArray, tip: FloatArray, plump: float, bend: float, colour: FloatArray) -> None:
    """A leaf with two differently lit halves, side veins and a pale midrib."""
    upper, lower = leaf_outline(base, tip, plump, bend)
    sketch.polygon(upper, colour * 1.10)
    sketch.polygon(lower, colour * 0.80)
    ribs = len(upper) // 2
    line = 0.006 * (tip - base)[::-1] * (-1, 1)
    for half, shade in ((upper, 1.28), (lower, 0.97)):
        for index in range(1, ribs - 2, 2):
            start, end = half[len(half) - 1 - index], half[min(index + 2, ribs - 1)]
            vein = start + (end - start) * 0.86
            along = (tip - base) * 0.007
            sketch.polygon(np.stack([start - along, vein, start + along]), colour * shade, covered=True)
    rib = upper[ribs:][::-1]
    sketch.polygon(np.concatenate([rib - line, (rib + line)[::-1]]), colour * 1.4 + 0.03)


def scatter_leaves(
    canvas: Canvas, name: str, picture: FloatArray, colours: Colours, count: int, size: float
) -> FloatArray:
    """`count` leaves of about `size` units with a shadow, anywhere over `picture`."""
    rng = canvas.rng(name)
    sketch = Sketch((canvas.height, canvas.width))
    for _ in range(count):
        place = rng.uniform(-0.05, 1.05, 2) * (canvas.width, canvas.height)
        angle, scale = rng.uniform(0, 2 * math.pi), size * canvas.unit * math.exp(rng.normal(0, 0.25))
        ahead = np.array([math.cos(angle), math.sin(angle)]) * scale
        colour = rgb(colours[int(rng.integers(len(colours)))]) * math.exp(rng.normal(0, 0.18))
        draw_leaf(sketch, place - ahead / 2, place + ahead / 2, rng.uniform(0.16, 0.34), rng.normal(0, 0.3), colour)
    return lay_leaves(canvas, name, sketch, picture)


def lay_leaves(canvas: Canvas, name: str, sketch: Sketch, picture: FloatArray) -> FloatArray:
    """`picture` under the leaves of `sketch`, which get a mottled, softly shining surface and a shadow."""
    drop = 0.02 * canvas.unit
    mottle = canvas.noise(f"{name} mottle", 0.09, 3)
    return sketch.onto(picture, 0.55, (0.5 * drop, drop), 1 + 0.13 * mottle)
