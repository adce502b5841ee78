"""One drawn picture: newts on textured ground, with the exact label map."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import ImageFilter

from seg_demo.data.procedural.body import Pose, random_pose, visible_surface
from seg_demo.data.procedural.drawing import (
    Canvas,
    FloatArray,
    Sketch,
    blur,
    cast_shadow,
    mix,
    relief,
    rgb,
    smoothstep,
    to_bytes,
)
from seg_demo.data.procedural.grounds import GROUNDS
from seg_demo.data.procedural.leaves import DEAD_LEAVES, GREEN_LEAVES, draw_leaf, lay_leaves, scatter_leaves
from seg_demo.data.procedural.skin import Light, paint_skin
from seg_demo.data.procedural.tubes import Segments, trace

SPECIES = ("akahara", "madara")
SMALLEST, LARGEST = 32, 2048
# How often each ground is chosen for each species, following where the real photographs were taken.
GROUND_WEIGHTS = {
    "akahara": {"moss": 3, "dark sand": 3, "gravel": 2, "water": 2, "tray": 2, "hand": 1.2},
    "madara": {"shavings": 2.5, "foliage": 2.5, "soil": 2, "leaf litter": 2, "moss": 1.5, "bark": 1.5},
}
# Colours of twigs (the first five) and stones (all); some resemble an animal.
THINGS = (
    (0.33, 0.22, 0.15),
    (0.45, 0.36, 0.27),
    (0.16, 0.13, 0.12),
    (0.58, 0.27, 0.13),
    (0.26, 0.34, 0.16),
    (0.55, 0.54, 0.52),
    (0.75, 0.72, 0.66),
)


@dataclass(frozen=True)
class Scene:
    """Everything decided before drawing; lengths are fractions of the frame or of its unit."""

    species: tuple[str, ...]
    ground: str
    share: float  # of the frame, wanted for the largest animal
    centres: tuple[tuple[float, float], ...]
    headings: tuple[float, ...]
    sun: float  # direction that the light comes from
    height: float  # of the light above the ground
    ambient: float
    tint: FloatArray


def draw_newts(
    seed: int, size: tuple[int, int] = (256, 455), *, species: tuple[str, ...] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the picture number `seed` (>= 0) of `size` (height, width), each 32..2048.

    Returns the image (H,W,3) uint8 RGB and its label map (H,W) uint8: 0 background, 1 akahara, 2 madara. The
    same seed gives the same bytes, and at another size the same scene. `species` names one to three animals;
    None leaves them to the seed.
    """
    height, width = size
    if not (SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST):
        raise ValueError(f"size must be within {SMALLEST}..{LARGEST}, got {size}")
    if species is not None and (not 1 <= len(species) <= 3 or not set(species) <= set(SPECIES)):
        raise ValueError(f"species must be one to three of {SPECIES}, got {species}")
    canvas = Canvas(height, width, seed)
    scene = _plan(canvas, species)
    towards = np.array([math.cos(scene.sun), math.sin(scene.sun), scene.height])
    direction = (towards / np.linalg.norm(towards)).astype(np.float32)
    picture = GROUNDS[scene.ground](canvas, direction).astype(np.float32)
    picture = _clutter(canvas, picture, direction)
    picture = _depth_blur(canvas, picture)
    bounce = picture.mean(axis=(0, 1))
    light = Light(direction, scene.ambient, bounce)
    labels = np.zeros((height, width), np.uint8)
    for index, pose in enumerate(_poses(canvas, scene)):
        picture = _add_newt(canvas, picture, labels, index, pose, scene.species[index], light)
    picture = _occlude(canvas, picture, labels)
    return _finish(canvas, picture, scene, direction), labels


def _plan(canvas: Canvas, species: tuple[str, ...] | None) -> Scene:
    """Decide what is in the picture."""
    rng = canvas.rng("plan")
    drawn = tuple(str(name) for name in rng.choice(SPECIES, 3))
    count = int(rng.choice(3, p=(0.74, 0.21, 0.05)) + 1)
    if count > 1 and rng.random() < 0.7:
        drawn = (drawn[0],) * 3
    chosen = drawn[:count] if species is None else species
    weights = {name: GROUND_WEIGHTS[chosen[0]].get(name, 0.8) for name in GROUNDS}
    odds = np.array(list(weights.values()))
    ground = str(rng.choice(list(weights), p=odds / odds.sum()))
    near, far = (0.13, 0.45) if rng.random() < 0.42 else (0.055, 0.13)
    share = math.exp(rng.uniform(math.log(near), math.log(far)))
    if len(chosen) > 1:
        share = min(share, 0.12) * 0.8
    centres = _centres(rng, len(chosen), share)
    turns = rng.uniform(0, 2 * math.pi, 3)
    # Stretched by the frame so that animals in wide frames mostly lie along them.
    headings = tuple(
        math.atan2(math.sin(turn) * canvas.height, math.cos(turn) * canvas.width) for turn in turns.tolist()
    )
    warmth = rng.normal(0, 0.07)
    tint = np.exp(np.array([warmth, rng.normal(0, 0.025), -warmth])).astype(np.float32)
    sun = -math.pi / 2 + rng.normal(0, 0.8)
    return Scene(chosen, ground, share, centres, headings, sun, rng.uniform(0.8, 1.8), rng.uniform(0.3, 0.65), tint)


def _centres(rng: np.random.Generator, count: int, share: float) -> tuple[tuple[float, float], ...]:
    """Places (x, y) of the animals as fractions of the frame: one near the middle, several apart."""
    spread = 0.10 if share < 0.2 else 0.06
    middle = 0.5 + np.clip(rng.normal(0, spread, 2), -0.2, 0.2)
    if count == 1:
        return ((float(middle[0]), float(middle[1])),)
    first = rng.uniform(0, 2 * math.pi)
    angles = first + np.arange(count) * (2 * math.pi / count) + rng.normal(0, 0.2, count)
    return tuple((0.5 + 0.27 * math.cos(angle), 0.5 + 0.27 * math.sin(angle)) for angle in angles.tolist())


def _poses(canvas: Canvas, scene: Scene) -> list[Pose]:
    """The placed pose of every animal, in pixels."""
    poses = []
    for index, name in enumerate(scene.species):
        rng = canvas.rng(f"pose {index}")
        closeness = max(0.0, rng.normal(0.15, 0.3)) + 1.2 * max(0.0, scene.share - 0.2)
        stout = (1.0 if name == "akahara" else 1.14) * math.exp(rng.normal(0, 0.06))
        pose = random_pose(rng, scene.headings[index], stout=stout, closeness=min(closeness, 0.9))
        share = scene.share * (1 if index == 0 else rng.uniform(0.6, 1.0))
        length = canvas.unit * math.sqrt(share / pose.area())
        points = pose.body.start
        # The middle of a whole animal belongs on its place, the head of one that is larger than the frame.
        middle, head = (points.min(axis=0) + points.max(axis=0)) / 2, points[round(0.13 * len(points))]
        anchor = middle + (head - middle) * np.clip((length / canvas.unit - 0.95) / 0.6, 0, 1)
        x, y = np.array(scene.centres[index]) * (canvas.width, canvas.height) - anchor * length
        poses.append(pose.placed(length, (float(x), float(y))))
    return poses


def _add_newt(
    canvas: Canvas,
    picture: FloatArray,
    labels: np.ndarray,
    index: int,
    pose: Pose,
    species: str,
    light: Light,
) -> FloatArray:
    """The picture with one animal and its shadow; its class goes into `labels`, in place."""
    surface = visible_surface(pose, labels.shape)
    if surface is None:
        return picture
    view = (surface.rows, surface.columns)
    cover = np.clip(0.5 - surface.distance, 0, 1)
    thickness = float(pose.body.radius_start.max())
    fall = thickness / max(float(light.direction[2]), 0.35) * 0.9
    drop = (-float(light.direction[0]) * fall, -float(light.direction[1]) * fall)
    cast_shadow(picture, cover, view, 0.55, drop)
    cast_shadow(picture, cover, view, 0.5, (drop[0] * 0.3, drop[1] * 0.3))
    painted = paint_skin(pose, surface, species, canvas, f"skin {index}", light)
    picture[view] = mix(picture[view], painted, cover)
    labels[view][cover >= 0.5] = SPECIES.index(species) + 1
    return picture


def _clutter(canvas: Canvas, picture: FloatArray, direction: FloatArray) -> FloatArray:
    """Twigs, leaves and stones on the ground, some with the colours or the shape of an animal."""
    rng = canvas.rng("clutter")
    if rng.random() < 0.35:
        colours = (DEAD_LEAVES, GREEN_LEAVES)[int(rng.integers(2))]
        picture = scatter_leaves(
            canvas, "loose leaves", picture, colours, int(rng.integers(1, 6)), float(rng.uniform(0.08, 0.25))
        )
    sticks = int(rng.integers(0, 4)) if rng.random() < 0.45 else 0
    stones = int(rng.integers(1, 5)) if rng.random() < 0.35 else 0
    for index in range(sticks + stones):
        picture = _thing(canvas, picture, direction, f"thing {index}", twig=index < sticks)
    return picture


def _thing(canvas: Canvas, picture: FloatArray, direction: FloatArray, name: str, *, twig: bool) -> FloatArray:
    """One twig or stone on the ground."""
    rng = canvas.rng(name)
    unit = canvas.unit
    place = rng.uniform(0, 1, 2) * (canvas.width, canvas.height)
    angle = rng.uniform(0, 2 * math.pi)
    radius = unit * (rng.uniform(0.008, 0.025) if twig else rng.uniform(0.03, 0.09))
    way, knots = np.linspace(0, 1, 16), np.linspace(0, 1, 6)
    turns = angle + np.interp(way, knots, np.cumsum(rng.normal(0, 0.28 if twig else 0.5, 6)))
    step = unit * rng.uniform(0.025, 0.07) if twig else radius * 0.1
    points = place + np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1) * step, axis=0)
    widths = radius * np.interp(way, knots, np.linspace(1, 0.5, 6) if twig else np.exp(rng.normal(0, 0.1, 6)))
    traced = trace(Segments.chain(points, widths, way), (canvas.height, canvas.width))
    if traced is None:
        return picture
    view = (traced.rows, traced.columns)
    cover = np.clip(0.5 - traced.distance, 0, 1)
    cast_shadow(picture, cover, view, 0.6, (-direction[0] * radius, -direction[1] * radius))
    tone = rgb(THINGS[int(rng.integers(5 if twig else 7))]) * math.exp(rng.normal(0, 0.15))
    grain = canvas.noise(name + " grain", 0.03, 4, stretch=2.0 if twig else 1.0)[view]
    shade = relief(traced.height + grain * np.float32(0.06 * radius), direction, 0.8)
    shade *= 0.55 + 0.45 * np.sqrt(np.clip(1 - traced.across**2, 0, 1))
    picture[view] = mix(picture[view], tone * (shade * (1 + 0.15 * grain))[..., None], cover)
    return picture


def _occlude(canvas: Canvas, picture: FloatArray, labels: np.ndarray) -> FloatArray:
    """Sometimes a leaf or blades of grass in front of the animal; what they cover becomes background."""
    rng = canvas.rng("occluder")
    if rng.random() > 0.22:
        return picture
    sketch = Sketch(labels.shape)
    grass = rng.random() < 0.5
    for _ in range(int(rng.integers(2, 7)) if grass else 1):
        side = rng.uniform(0, 2 * math.pi)
        frame = np.array([canvas.width, canvas.height])
        base = frame * (0.5 + 0.75 * np.array([math.cos(side), math.sin(side)]))
        aim = frame * rng.uniform(0.25, 0.75, 2)
        tip = base + (aim - base) * rng.uniform(0.6, 0.95 if grass else 0.8)
        plump = rng.uniform(0.012, 0.03) if grass else rng.uniform(0.14, 0.24)
        colours = GREEN_LEAVES if rng.random() < 0.75 else DEAD_LEAVES
        colour = rgb(colours[int(rng.integers(len(colours)))]) * math.exp(rng.normal(0.15, 0.2))
        draw_leaf(sketch, base, tip, plump, rng.normal(0, 0.25), colour)
    labels[sketch.layers()[1] > 0.5] = 0
    return lay_leaves(canvas, "occluder", sketch, picture)


def _depth_blur(canvas: Canvas, picture: FloatArray) -> FloatArray:
    """The ground out of focus away from a band of sharpness."""
    rng = canvas.rng("focus")
    depth = float(rng.uniform(0.0, 0.012)) * canvas.unit
    angle, offset, reach = rng.normal(0, 0.4), rng.uniform(-0.15, 0.3), rng.uniform(0.25, 0.7)
    everywhere = float(rng.random() < 0.25)
    if depth < 0.6:
        return picture
    y = (np.arange(canvas.height, dtype=np.float32)[:, None] / canvas.height - 0.5) * math.cos(angle)
    x = (np.arange(canvas.width, dtype=np.float32)[None, :] / canvas.width - 0.5) * math.sin(angle)
    far = np.maximum(smoothstep(0.3 * reach, reach, np.abs(x + y - offset)), np.float32(0.7 * everywhere))
    return mix(picture, blur(picture, depth), far)


def _finish(canvas: Canvas, picture: FloatArray, scene: Scene, direction: FloatArray) -> np.ndarray:
    """The photographic finish: light falling off, haze, cast, softness, sensor noise; (H,W,3) uint8."""
    rng = canvas.rng("finish")
    y = np.linspace(-1, 1, canvas.height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, canvas.width, dtype=np.float32)[None, :]
    fall = 1 + rng.uniform(0.02, 0.22) * (x * direction[0] + y * direction[1])
    fall = (fall - rng.uniform(0.03, 0.16) * (x * x + y * y)).astype(np.float32)
    gain = scene.tint * np.float32(math.exp(rng.normal(0.16, 0.14)))
    picture *= fall[..., None]
    picture *= gain
    if rng.random() < 0.25:
        haze = np.clip(0.16 + 0.10 * canvas.noise("haze", 0.8, 2), 0, 0.5) * float(rng.uniform(0.3, 1.3))
        picture = mix(picture, rgb([0.66, 0.72, 0.80]), haze)
    levels = np.linspace(0, 1, 256)
    curve = levels + rng.uniform(-0.1, 0.25) * (smoothstep(0, 1, levels) - levels)
    lift = rng.uniform(0, 0.05)
    table = ((lift + (1 - lift) * curve) * 255 + 0.5).astype(int).tolist()
    centre = float(rng.uniform(2, 10))
    soft = ImageFilter.Kernel((3, 3), (0.5, 1, 0.5, 1, centre, 1, 0.5, 1, 0.5))
    image = np.asarray(to_bytes(picture).point(table * 3).filter(soft))
    grain = rng.standard_normal((canvas.height, canvas.width, 1), np.float32) * np.float32(rng.uniform(1, 4.5))
    grain += np.float32(0.5)
    noisy = image + grain
    return np.clip(noisy, 0, 255, out=noisy).astype(np.uint8)
