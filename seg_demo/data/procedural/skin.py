"""The skin of a drawn newt: colour patterns of the two species, lit as a wet rounded body."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from seg_demo.data.procedural.body import Pose, Surface
from seg_demo.data.procedural.drawing import (
    Canvas,
    FloatArray,
    grid_noise,
    mix,
    rgb,
    sample,
    slopes,
    smoothstep,
    soften,
)

GIRTH = 0.05  # nominal radius in body lengths, for wrapping the skin texture around the body
TEXTURE_LIMIT = 1400  # pixels; longer animals get an enlarged texture


@dataclass(frozen=True)
class Light:
    """A main light from `direction` (3,) unit vector (x,y,z; z to the viewer), the share of light that comes
    from everywhere `ambient` (0..1), and the colour `bounce` (3,) of the ground."""

    direction: FloatArray
    ambient: float
    bounce: FloatArray


@dataclass(frozen=True)
class SkinPoints:
    """What a pattern may look at for each of P visible points; arrays (P,) float32.

    `along` (a little below 0 at the snout tip), `angle` (-pi..pi) and `limb` are as in Surface; noise of
    standard deviation 1: `blotch` (large), `speck` (small), `grain` (finest).
    """

    along: FloatArray
    angle: FloatArray
    limb: FloatArray
    blotch: FloatArray
    speck: FloatArray
    grain: FloatArray


def paint_skin(pose: Pose, surface: Surface, species: str, canvas: Canvas, name: str, light: Light) -> FloatArray:
    """The lit animal, (h,w,3) float32 in the window of `surface`; black where there is no animal.

    `name` is that of the random streams of `canvas` that its skin comes from.
    """
    rng = canvas.rng(name)
    visible = surface.distance < 1
    points = _skin_points(pose, surface, visible, canvas, name)
    pattern = {"akahara": _akahara, "madara": _madara}[species]
    albedo = np.zeros((*visible.shape, 3), np.float32)
    albedo[visible] = pattern(points, rng)
    bumps = np.zeros(visible.shape, np.float32)
    rough = float(rng.uniform(0.5, 1.1))
    body = points.limb < 0.5
    trunk = smoothstep(0.2, 0.26, points.along) * smoothstep(0.5, 0.44, points.along)
    flank = smoothstep(0.4, 0.9, np.abs(np.sin(points.angle))) * trunk * body
    grooves = np.cos(points.along * (2 * np.pi / 0.026)) * flank
    scale = np.float32(pose.length * GIRTH * 0.011 * rough)
    bumps[visible] = (points.speck + 1.1 * points.grain) * scale * np.where(
        body, np.float32(1), np.float32(0.45)
    ) + grooves * scale * 0.6
    _mark_face(points, albedo, visible)
    _draw_eyes(pose, surface, albedo, bumps, species)
    gloss = float(rng.uniform(0.4, 1.0)) * (1.0 if species == "akahara" else 0.6)
    # The traced surface is made of straight pieces; smoothing hides their joints in close-ups.
    smooth = soften(surface.height, 0.004 * pose.length)
    return _lit(albedo, smooth + bumps, light, gloss)


def _skin_points(pose: Pose, surface: Surface, visible: np.ndarray, canvas: Canvas, name: str) -> SkinPoints:
    """Look up the skin texture, which is wrapped around body and limbs, at the visible points."""
    facing = surface.angle[visible] - np.float32(pose.roll)
    angle = surface.angle[visible]
    angle = (angle + np.float32(np.pi)) % np.float32(2 * np.pi) - np.float32(np.pi)
    along, limb = surface.along[visible], surface.limb[visible]
    length = min(pose.length, TEXTURE_LIMIT)
    shape = (max(8, round(2 * math.pi * GIRTH * length)), max(16, round(length)))
    noises = [
        grid_noise(canvas.rng(f"{name} {cell}"), shape, (max(cell * length, 0.5),) * 2, octaves)
        for cell, octaves in ((0.052, 3), (0.017, 2), (0.0062, 1))
    ]
    wrap = np.where(limb > 0.5, 0.36, 1.0)
    rows = (facing * wrap / (2 * np.pi) + 0.5) * (shape[0] - 1)
    columns = np.where(limb > 0.5, along + 0.18 * limb, 0.03 + 0.97 * along) * (shape[1] - 1)
    found = sample(np.stack(noises, axis=-1), rows, columns)
    return SkinPoints(along, angle, limb, found[:, 0], found[:, 1], found[:, 2])


def _jittered(rng: np.random.Generator, colour: tuple[float, float, float], spread: float) -> FloatArray:
    """A colour (3,) near `colour`: brightness and tint vary by about `spread`."""
    value = np.array(colour) * math.exp(rng.normal(0, spread)) * np.exp(rng.normal(0, spread * 0.4, 3))
    return np.clip(value, 0, 1).astype(np.float32)


def _akahara(points: SkinPoints, rng: np.random.Generator) -> FloatArray:
    """Fire-belly newt: dark back, red-orange belly with black blotches; colours (P,3)."""
    backs = (
        (0.14, 0.10, 0.09),
        (0.30, 0.19, 0.18),
        (0.37, 0.23, 0.22),
        (0.20, 0.14, 0.11),
        (0.36, 0.31, 0.19),
    )
    back = _jittered(rng, backs[int(rng.integers(len(backs)))], 0.16)
    belly = _jittered(rng, (0.80, 0.29, 0.08), 0.10)
    border = rng.uniform(1.55, 2.0)
    blotched = rng.uniform(-0.2, 0.6)
    orange_limbs = rng.uniform(0.0, 1.0)
    away = np.abs(points.angle)
    lighter = 1 + 0.12 * points.blotch + 0.10 * points.speck + 0.07 * points.grain
    colour = back * lighter[:, None]
    ridge = np.exp(-((away / 0.16) ** 2)) * (points.limb < 0.5)
    colour = mix(colour, colour * 1.35, ridge * 0.6)
    colour = mix(colour, colour * rgb([1.25, 0.95, 0.8]), smoothstep(0.7, 1.7, away))
    red = smoothstep(-0.10, 0.10, away - border - 0.16 * points.blotch - 0.10 * points.speck)
    red *= 1 - smoothstep(0.90, 1.0, points.along) * (points.limb < 0.5)
    dark = smoothstep(0.0, 0.35, points.blotch + 0.45 * points.speck - blotched)
    orange = belly * (1 + 0.07 * points.speck + 0.05 * points.blotch)[:, None]
    colour = mix(colour, mix(orange, back * 0.8, dark * 0.92), red)
    toes = smoothstep(0.09, 0.17, points.along) * (points.limb > 0.5) * orange_limbs
    return mix(colour, belly * 0.8 + back * 0.35, toes * 0.75).astype(np.float32)


def _madara(points: SkinPoints, rng: np.random.Generator) -> FloatArray:
    """Marbled newt: black blotches on green, often an orange line on the back, white-flecked dark belly."""
    green = _jittered(rng, (0.385, 0.485, 0.21), 0.13)
    black = _jittered(rng, (0.085, 0.085, 0.075), 0.15)
    belly = _jittered(rng, (0.27, 0.22, 0.18), 0.15)
    amount = rng.uniform(-0.25, 0.3)
    line = rng.uniform(0.0, 1.0) if rng.random() < 0.6 else 0.0
    away = np.abs(points.angle)
    mottled = green * (1 + 0.10 * points.blotch + 0.10 * points.speck + 0.08 * points.grain)[:, None]
    dots = smoothstep(1.15, 1.5, points.speck + 0.4 * points.grain)
    colour = mix(mottled, black * 1.3, dots * 0.85)
    edge = points.blotch + 0.14 * points.speck - amount
    blotches = smoothstep(-0.09, 0.09, edge)
    colour = mix(colour, colour * 1.18, smoothstep(-0.5, -0.1, edge) * (1 - blotches))
    tint = black * (1 + 0.25 * points.speck + 0.12 * points.grain)[:, None]
    colour = mix(colour, tint, blotches)
    stripe = np.exp(-((away / 0.11) ** 2)) * (points.limb < 0.5) * smoothstep(0.02, 0.08, points.along)
    stripe *= smoothstep(-0.9, 0.3, points.speck + 0.3)
    colour = mix(colour, rgb([0.66, 0.36, 0.13]), stripe * line)
    under = smoothstep(-0.2, 0.2, away - 1.95 - 0.15 * points.blotch)
    flecks = smoothstep(1.7, 2.0, points.grain + 0.5 * points.speck)
    below = belly * (1 + 0.25 * points.blotch + 0.12 * points.grain)[:, None]
    colour = mix(colour, below, under * 0.92)
    flank = smoothstep(0.9, 1.6, away) * flecks
    colour = mix(colour, rgb([0.86, 0.87, 0.80]), flank * (0.8 - 0.45 * under))
    return colour.astype(np.float32)


def _mark_face(points: SkinPoints, albedo: FloatArray, visible: np.ndarray) -> None:
    """Darken the mouth line along the jaw and the two nostrils in `albedo` (h,w,3), in place."""
    away = np.abs(points.angle)
    head = (points.limb < 0.5) & (points.along < 0.1)
    mouth = np.exp(-(((away - 1.72 - 2.0 * points.along) / 0.055) ** 2)) * smoothstep(0.1, 0.08, points.along)
    nostrils = np.exp(-(((away - 0.55) / 0.13) ** 2) - ((points.along + 0.006) / 0.0035) ** 2)
    dark = np.where(head, np.maximum(0.65 * mouth, 0.8 * nostrils), 0)
    albedo[visible] *= (1 - dark)[:, None]


def _draw_eyes(pose: Pose, surface: Surface, albedo: FloatArray, bumps: FloatArray, species: str) -> None:
    """Put bulging eyes with a pupil and a golden iris into `albedo` and `bumps`, in place."""
    height, width = bumps.shape
    iris = rgb([0.58, 0.40, 0.13] if species == "akahara" else [0.48, 0.45, 0.17])
    for eye in pose.eyes:
        x, y = eye.centre[0] - surface.columns.start, eye.centre[1] - surface.rows.start
        reach = eye.radius * 2.0
        top, bottom = max(0, math.floor(y - reach)), min(height, math.ceil(y + reach))
        left, right = max(0, math.floor(x - reach)), min(width, math.ceil(x + reach))
        if top >= bottom or left >= right:
            continue
        off_y = np.arange(top, bottom, dtype=np.float32)[:, None] + 0.5 - y
        off_x = np.arange(left, right, dtype=np.float32)[None, :] + 0.5 - x
        off = np.sqrt(off_x * off_x + off_y * off_y) / eye.radius
        view = (slice(top, bottom), slice(left, right))
        soft = max(0.12, 0.7 / eye.radius)
        skin = albedo[view]
        lid = skin * 1.2 + 0.02
        paint = mix(skin, lid, smoothstep(1.65, 1.25, off))
        paint = mix(paint, paint * 0.6, smoothstep(1.15 + soft, 1.15 - soft, off))
        paint = mix(paint, iris, smoothstep(1.0 + soft, 1.0 - soft, off) * 0.8)
        pupil = rgb([0.02, 0.02, 0.02])
        albedo[view] = mix(paint, pupil, smoothstep(0.82 + soft, 0.82 - soft, off))
        dome = np.sqrt(np.maximum(1 - (off / 1.35) ** 2, 0)) * np.float32(eye.radius * 1.1)
        bumps[view] = np.maximum(bumps[view], dome)


def _lit(albedo: FloatArray, height: FloatArray, light: Light, gloss: float) -> FloatArray:
    """Colour (h,w,3) of the surface `height` (pixels): diffuse light, wet highlights, ground glow."""
    down, right = slopes(height)
    # Slopes grow without bound at the outline; bounded ones keep it from turning into a black line.
    right, down = right / (1 + 0.12 * np.abs(right)), down / (1 + 0.12 * np.abs(down))
    upright = 1 / np.sqrt(1 + right * right + down * down)
    towards_x, towards_y, towards_z = (float(part) for part in light.direction)
    facing = (-right * towards_x - down * towards_y + towards_z) * upright
    diffuse = np.maximum(facing * 0.85 + 0.15, 0)
    brightness = light.ambient * (0.45 + 0.55 * upright) + (1 - light.ambient) * 1.35 * diffuse
    half = np.array([towards_x, towards_y, towards_z + 1.0])
    half /= np.linalg.norm(half)
    half_x, half_y, half_z = half.tolist()
    shine = np.maximum((-right * half_x - down * half_y + half_z) * upright, 0)
    squared = shine * shine
    sheen, glint = squared * squared * squared * squared, smoothstep(0.945, 0.99, shine)
    steep = 1 - upright
    rim = steep * steep * steep
    colour = albedo * brightness[..., None]
    colour += (gloss * (0.15 * sheen + 0.62 * glint))[..., None]
    colour += (0.16 * rim)[..., None] * light.bounce
    return colour
