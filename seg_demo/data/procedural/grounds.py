"""The grounds that drawn newts lie on: moss, gravel, soil, sand, bark, shavings, leaves, trays, water, hands.

Each ground is a function (canvas, light direction (3,)) -> colours (H,W,3) float32 in about 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from seg_demo.data.procedural.drawing import (
    Canvas,
    FloatArray,
    blur,
    cast_shadow,
    cells,
    mix,
    relief,
    rgb,
    smoothstep,
)
from seg_demo.data.procedural.leaves import DEAD_LEAVES, GREEN_LEAVES, MOSS, STRAW, Colours, lay_blades, scatter_leaves
from seg_demo.data.procedural.tubes import Segments, trace

Ground = Callable[[Canvas, FloatArray], FloatArray]

PEBBLES: list[Colours] = [
    [(0.52, 0.50, 0.47), (0.38, 0.37, 0.36), (0.66, 0.62, 0.56), (0.28, 0.27, 0.27), (0.47, 0.39, 0.32)],
    [(0.62, 0.50, 0.37), (0.72, 0.62, 0.48), (0.47, 0.35, 0.25), (0.82, 0.75, 0.63), (0.55, 0.33, 0.22)],
    [(0.13, 0.13, 0.14), (0.20, 0.20, 0.21), (0.09, 0.09, 0.10), (0.29, 0.28, 0.27), (0.62, 0.60, 0.54)],
    [(0.45, 0.20, 0.12), (0.62, 0.34, 0.16), (0.22, 0.16, 0.13), (0.36, 0.40, 0.26), (0.50, 0.47, 0.40)],
]


def _plain(canvas: Canvas, colour: tuple[float, float, float] | FloatArray) -> FloatArray:
    """One colour everywhere."""
    return np.broadcast_to(rgb(colour), (canvas.height, canvas.width, 3)).copy()


def _palette(canvas: Canvas, name: str, colours: Colours, ident: np.ndarray) -> FloatArray:
    """A colour per cell number `ident` (H,W): the palette with small variations."""
    rng = canvas.rng(name)
    table = rgb(colours)[rng.integers(0, len(colours), 4096)]
    table = table * np.exp(rng.normal(0, 0.16, (4096, 1))) * np.exp(rng.normal(0, 0.04, (4096, 3)))
    return table.astype(np.float32)[ident]


def gravel(canvas: Canvas, light: FloatArray) -> FloatArray:
    """Rounded pebbles of one of several colourings."""
    rng = canvas.rng("gravel")
    cell = float(np.exp(rng.uniform(math.log(0.018), math.log(0.10))))
    colours = PEBBLES[int(rng.integers(len(PEBBLES)))]
    border, ident = cells(canvas, "gravel cells", cell)
    size = cell * canvas.unit
    border = border - canvas.rng("gravel sizes").uniform(-0.04, 0.1, 4096).astype(np.float32)[ident]
    dome = np.sqrt(np.clip(border * 1.7, 0, 1)) * np.float32(size * 0.40)
    grain = canvas.noise("gravel grain", cell * 0.45, 4)
    shade = relief(dome + grain * np.float32(size * 0.012), light, 1.0)
    stone = _palette(canvas, "gravel colours", colours, ident) * (1 + 0.14 * grain)[..., None]
    gaps = smoothstep(-0.05, 0.16, border) * 0.82 + 0.18
    return stone * (shade * gaps)[..., None]


def soil(canvas: Canvas, light: FloatArray) -> FloatArray:
    """Dark crumbly soil, or aquarium sand with bright flecks."""
    rng = canvas.rng("soil")
    dark = [(0.13, 0.09, 0.07), (0.22, 0.15, 0.11), (0.30, 0.21, 0.16)]
    cell = float(rng.uniform(0.015, 0.05))
    border, ident = cells(canvas, "soil cells", cell)
    border = border - canvas.rng("soil sizes").uniform(-0.1, 0.4, 4096).astype(np.float32)[ident]
    lumps = canvas.noise("soil lumps", 0.16, 3)
    crumbs = canvas.noise("soil crumbs", cell * 0.6, 3)
    size = cell * canvas.unit
    height = np.sqrt(np.clip(border, 0, 1)) * np.float32(0.35 * size) + crumbs * np.float32(0.13 * size)
    colour = _palette(canvas, "soil colours", dark, ident) * (1 + 0.25 * lumps + 0.12 * crumbs)[..., None]
    return colour * (relief(height, light, 1.2) * (0.45 + 0.55 * smoothstep(-0.1, 0.25, border)))[..., None]


def dark_sand(canvas: Canvas, light: FloatArray) -> FloatArray:
    """Near-black aquarium gravel with scattered bright grains."""
    rng = canvas.rng("dark sand")
    cell = float(rng.uniform(0.012, 0.022))
    border, ident = cells(canvas, "dark sand cells", cell)
    grey = np.exp(rng.normal(math.log(0.13), 0.45, 4096))
    bright = rng.random(4096) < rng.uniform(0.03, 0.14)
    grey = np.where(bright, rng.uniform(0.5, 0.95, 4096), grey).astype(np.float32)
    shade = relief(np.sqrt(np.clip(border, 0, 1)) * np.float32(cell * canvas.unit * 0.5), light, 0.9)
    lumps = 1 + 0.22 * canvas.noise("dark sand lumps", 0.3, 3)
    value = grey[ident] * shade * lumps * (0.35 + 0.65 * smoothstep(-0.1, 0.2, border))
    return value[..., None] * rgb([1.02, 1.0, 0.93])


def sand(canvas: Canvas, light: FloatArray) -> FloatArray:
    """Fine pale sand, sometimes rippled."""
    rng = canvas.rng("sand")
    tone = rgb([0.74, 0.63, 0.47]) * np.exp(rng.normal(0, 0.12, 3)).astype(np.float32)
    grain = canvas.noise("sand grain", 0.010, 3)
    dunes = canvas.noise("sand dunes", 0.28, 3)
    y, x = _positions(canvas)
    angle, pitch = rng.uniform(0, math.pi), rng.uniform(9, 18)
    way = (x * math.cos(angle) + y * math.sin(angle)) * (pitch * 2 * math.pi)
    ripples = np.sin(way + 1.6 * dunes) * float(rng.uniform(0, 1.2) * (rng.random() < 0.6))
    height = (0.012 * dunes + 0.0032 * ripples + 0.0011 * grain) * np.float32(canvas.unit)
    return tone * (relief(height, light, 0.9) * (1 + 0.10 * grain + 0.06 * dunes))[..., None]


def bark(canvas: Canvas, light: FloatArray) -> FloatArray:
    """Wood or bark: fibres along one direction with dark cracks."""
    rng = canvas.rng("bark")
    tone = rgb([(0.38, 0.27, 0.19), (0.55, 0.42, 0.29), (0.30, 0.25, 0.22)][int(rng.integers(3))])
    upright = rng.random() < 0.4
    sheet = Canvas(canvas.width, canvas.height, canvas.seed) if upright else canvas
    fibre = sheet.noise("bark fibre", 0.035, 5, stretch=9)
    plates = sheet.noise("bark plates", 0.12, 4, stretch=3.2)
    cracks = np.exp(-((plates / 0.10) ** 2)) * float(rng.uniform(0.2, 1.0))
    height = (0.006 * fibre + 0.010 * plates - 0.012 * cracks) * np.float32(canvas.unit)
    if upright:
        fibre, plates, cracks, height = fibre.T, plates.T, cracks.T, np.ascontiguousarray(height.T)
    value = relief(height, light, 1.3) * (1 + 0.16 * fibre + 0.10 * plates) * (1 - 0.75 * cracks)
    moss = smoothstep(0.7, 1.4, canvas.noise("bark moss", 0.2, 5)) * float(rng.random() < 0.5)
    wood = tone * value[..., None]
    return mix(wood, rgb([0.22, 0.32, 0.10]) * value[..., None], moss * 0.8)


def stone(canvas: Canvas, light: FloatArray) -> FloatArray:
    """A rough slab of rock with spots of lichen."""
    rng = canvas.rng("stone")
    tone = rgb([(0.46, 0.46, 0.45), (0.34, 0.33, 0.34), (0.56, 0.50, 0.43)][int(rng.integers(3))])
    rough = canvas.noise("stone rough", 0.30, 7)
    grain = canvas.noise("stone grain", 0.012, 3)
    height = (0.032 * rough + 0.0011 * grain) * np.float32(canvas.unit)
    colour = tone * (relief(height, light, 1.0) * (1 + 0.08 * grain + 0.10 * rough))[..., None]
    patches = canvas.noise("stone lichen", 0.16, 5)
    lichen = smoothstep(1.0, 1.25, patches + 0.25 * grain)
    kind = rgb([(0.62, 0.66, 0.52), (0.72, 0.50, 0.16), (0.30, 0.36, 0.18)][int(rng.integers(3))])
    return mix(colour, kind * (0.85 + 0.15 * grain)[..., None], lichen * 0.75)


def moss(canvas: Canvas, light: FloatArray) -> FloatArray:
    """Wet moss: many short blades in layers, with dark hollows and glittering water."""
    rng = canvas.rng("moss")
    lumps = canvas.noise("moss lumps", 0.20, 4)
    picture = _plain(canvas, MOSS[0]) * (0.7 + 0.25 * lumps)[..., None]
    length = float(rng.uniform(0.035, 0.06))
    layers = [MOSS[0:2], MOSS[1:3], MOSS[2:4]]
    picture = lay_blades(canvas, "moss blades", picture, layers, 800, length, 0.09, 0.4, 0.0)
    picture = picture * np.clip(0.85 + 0.30 * lumps, 0.25, 1.5)[..., None]
    wet = canvas.noise("moss wet", 0.014, 2) + 0.5 * canvas.noise("moss sheen", 0.35, 2)
    glints = smoothstep(1.5, 2.3, wet) * float(rng.uniform(0.2, 0.9))
    return mix(picture, rgb([0.88, 0.92, 0.95]), glints)


def shavings(canvas: Canvas, light: FloatArray) -> FloatArray:
    """Wood shavings or straw lying in all directions."""
    rng = canvas.rng("shavings")
    picture = _plain(canvas, (0.30, 0.23, 0.15))
    length, count = float(rng.uniform(0.07, 0.13)), int(rng.integers(260, 480))
    layers = [STRAW[0:2], STRAW[0:3], STRAW[1:4], STRAW[2:4]]
    picture = lay_blades(canvas, "shavings", picture, layers, count, length, 0.10, 0.16, 1.6)
    return picture * (1 + 0.08 * canvas.noise("shavings grain", 0.02, 3))[..., None]


def leaf_litter(canvas: Canvas, light: FloatArray) -> FloatArray:
    """Dead leaves in several layers on soil."""
    rng = canvas.rng("litter")
    picture = soil(canvas, light)
    size = float(rng.uniform(0.16, 0.34))
    for layer in range(3):
        picture = scatter_leaves(canvas, f"litter {layer}", picture, DEAD_LEAVES, round(0.9 / size**2), size)
        picture *= 1.0 if layer == 2 else 0.86
    return picture * (1 + 0.10 * canvas.noise("litter grain", 0.03, 4))[..., None]


def foliage(canvas: Canvas, light: FloatArray) -> FloatArray:
    """Large glossy green leaves in front of a blurred room or dark plants."""
    rng = canvas.rng("foliage")
    back = [
        (0.80, 0.74, 0.73),
        (0.86, 0.42, 0.40),
        (0.16, 0.20, 0.14),
        (0.55, 0.58, 0.56),
        (0.08, 0.08, 0.07),
    ]
    first, second = (rgb(back[int(index)]) for index in rng.choice(len(back), 2, replace=False))
    picture = mix(_plain(canvas, first), second, smoothstep(-0.4, 0.4, canvas.noise("foliage back", 0.5, 2)))
    size = float(rng.uniform(0.28, 0.50))
    for layer in range(3):
        picture = scatter_leaves(canvas, f"foliage {layer}", picture, GREEN_LEAVES, round(0.55 / size**2), size)
        if layer < 2:
            picture = blur(picture, 0.008 * canvas.unit) * np.float32(0.88)
    sheen = smoothstep(0.8, 2.2, canvas.noise("foliage sheen", 0.22, 2)) * 0.25
    return mix(picture, rgb([0.80, 0.88, 0.90]), sheen)


def tray(canvas: Canvas, light: FloatArray) -> FloatArray:
    """A smooth plastic tray or paper towel with a few stains."""
    rng = canvas.rng("tray")
    tones = [
        (0.88, 0.88, 0.86),
        (0.80, 0.83, 0.86),
        (0.72, 0.78, 0.70),
        (0.42, 0.55, 0.66),
        (0.86, 0.82, 0.72),
    ]
    picture = _plain(canvas, tones[int(rng.integers(len(tones)))])
    dimple = canvas.noise("tray dimple", 0.022, 1) * np.float32(0.0009 * canvas.unit * rng.uniform(0, 1.5))
    picture *= (relief(dimple, light) * (1 + 0.035 * canvas.noise("tray tone", 0.6, 3)))[..., None]
    stains = smoothstep(1.5, 1.9, canvas.noise("tray stains", 0.07, 5))
    picture = mix(picture, rgb([0.45, 0.38, 0.28]), stains * 0.55)
    y, x = _positions(canvas)
    angle, place = rng.uniform(0, 2 * math.pi), rng.uniform(0.28, 0.5)
    edge = x * math.cos(angle) + y * math.sin(angle) - place
    wall = smoothstep(0, 0.004, edge) * 0.35 - np.exp(-((edge / 0.012) ** 2)) * 0.3
    return picture * (1 - wall)[..., None]


def water(canvas: Canvas, light: FloatArray) -> FloatArray:
    """Shallow water over sand or pebbles: blue or green, with a net of bright caustics."""
    rng = canvas.rng("water")
    bed = (sand, gravel, dark_sand)[int(rng.integers(3))](canvas, light)
    tint = rgb([(0.55, 0.88, 1.0), (0.62, 1.0, 0.72), (0.85, 1.0, 0.95)][int(rng.integers(3))])
    deep = rgb([0.20, 0.42, 0.52]) * tint
    picture = mix(bed * tint, deep, np.clip(0.32 + 0.13 * canvas.noise("water depth", 0.7, 2), 0.05, 0.7))
    net = np.abs(canvas.noise("caustics", 0.10, 2)) + 0.6 * np.abs(canvas.noise("more caustics", 0.07, 1))
    caustics = np.exp(-net * 3.2) * float(rng.uniform(0.25, 0.9))
    return picture * (0.9 + caustics)[..., None]


def hand(canvas: Canvas, light: FloatArray) -> FloatArray:
    """A palm with fingers in front of something blurred."""
    rng = canvas.rng("hand")
    room = [(0.45, 0.43, 0.40), (0.25, 0.30, 0.22), (0.70, 0.68, 0.66), (0.30, 0.25, 0.24)]
    picture = _plain(canvas, room[int(rng.integers(len(room)))])
    picture *= (1 + 0.3 * canvas.noise("hand room", 0.4, 3))[..., None]
    tone = rgb([(0.84, 0.66, 0.57), (0.76, 0.56, 0.46), (0.55, 0.38, 0.29)][int(rng.integers(3))])
    unit, centre = canvas.unit, np.array([canvas.width, canvas.height]) / 2
    angle = rng.uniform(0, 2 * math.pi)
    ahead = np.array([math.cos(angle), math.sin(angle)])
    across = np.array([-ahead[1], ahead[0]])
    wrist, palm = centre - ahead * (0.9 * unit), centre - ahead * (0.1 * unit)
    parts = [_finger([wrist, palm], [0.36 * unit, 0.40 * unit])]
    for index in range(4):
        spread = index - 1.5
        root = palm + across * (spread * 0.19 * unit) + ahead * (0.12 * unit)
        tip = root + (ahead + across * (spread * 0.10)) * (0.62 * unit * (1 - 0.07 * spread * spread))
        parts.append(_finger([root, (root + tip) / 2, tip], [0.115 * unit, 0.105 * unit, 0.085 * unit]))
    creases = canvas.noise("hand creases", 0.05, 4, stretch=2.5)
    pores = canvas.noise("hand pores", 0.010, 2)
    for part in parts:
        traced = trace(part, (canvas.height, canvas.width))
        if traced is None:
            continue
        view = (traced.rows, traced.columns)
        cover = np.clip(0.5 - traced.distance, 0, 1)
        cast_shadow(picture, cover, view, 0.45, (0.02 * unit, 0.03 * unit))
        flat = np.sqrt(traced.height + 1) * np.float32(0.16 * math.sqrt(unit))
        bumps = flat + (0.0013 * creases[view] + 0.0004 * pores[view]) * np.float32(unit)
        skin = tone * (relief(bumps, light, 0.8) * (1 + 0.04 * creases[view]))[..., None]
        skin = mix(skin, skin * rgb([1.06, 0.86, 0.82]), smoothstep(0.3, 1.0, np.abs(traced.across)))
        picture[view] = mix(picture[view], skin, cover)
    return picture


def _finger(points: list[FloatArray], radii: list[float]) -> Segments:
    """A thick tube through a few points."""
    return Segments.chain(np.array(points), np.array(radii), np.linspace(0, 1, len(points)))


def _positions(canvas: Canvas) -> tuple[FloatArray, FloatArray]:
    """Coordinates in units from the centre: y (H,1) and x (1,W) float32."""
    y = (np.arange(canvas.height, dtype=np.float32) + 0.5 - canvas.height / 2) / np.float32(canvas.unit)
    x = (np.arange(canvas.width, dtype=np.float32) + 0.5 - canvas.width / 2) / np.float32(canvas.unit)
    return y[:, None], x[None, :]


GROUNDS: dict[str, Ground] = {
    "moss": moss,
    "gravel": gravel,
    "soil": soil,
    "dark sand": dark_sand,
    "sand": sand,
    "bark": bark,
    "stone": stone,
    "shavings": shavings,
    "leaf litter": leaf_litter,
    "foliage": foliage,
    "tray": tray,
    "water": water,
    "hand": hand,
}
