"""The body of a drawn newt: a pose (spine, limbs, eyes) and the visible surface that it makes in a frame.

A pose is built in body lengths around the origin, so it does not depend on the size of the picture; placing
it turns it into pixels. Angles around the body: 0 is the middle of the back, +-pi the middle of the belly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from seg_demo.data.procedural.drawing import FloatArray
from seg_demo.data.procedural.tubes import Segments, Traced, trace, window_of

SPINE_POINTS = 96
# Half-widths of the body from snout tip (0) to tail tip (1), in body lengths.
PROFILE_PLACES = (0.0, 0.03, 0.07, 0.11, 0.15, 0.21, 0.30, 0.40, 0.47, 0.53, 0.60, 0.75, 0.90, 1.0)
PROFILE_TOP = (
    0.020,
    0.036,
    0.049,
    0.053,
    0.037,
    0.045,
    0.056,
    0.055,
    0.045,
    0.034,
    0.027,
    0.020,
    0.012,
    0.003,
)
PROFILE_SIDE = (
    0.021,
    0.030,
    0.038,
    0.040,
    0.039,
    0.046,
    0.055,
    0.053,
    0.046,
    0.039,
    0.038,
    0.035,
    0.021,
    0.004,
)
LIMB_ANGLE = 1.95  # where the limbs grow out of the body, as an angle around it
EYE_ANGLE = 0.98
EYE_PLACE = 0.062
FRONT_PLACE, HIND_PLACE = 0.185, 0.495


@dataclass(frozen=True)
class Limb:
    """One limb with its toes; `above` tells whether it lies over the body."""

    segments: Segments
    above: bool


@dataclass(frozen=True)
class Eye:
    """A visible eye: `centre` (x,y), `radius`, and `facing` 0..1 (1 when it looks straight at the viewer)."""

    centre: FloatArray
    radius: float
    facing: float


@dataclass(frozen=True)
class Pose:
    """A newt in some length unit: `roll` is the angle around the body that faces the viewer."""

    body: Segments
    limbs: tuple[Limb, ...]
    eyes: tuple[Eye, ...]
    roll: float
    length: float

    def placed(self, length: float, centre: tuple[float, float]) -> Pose:
        """The same pose with body length `length` pixels around `centre` (x,y)."""
        offset = np.array(centre)

        def move(segments: Segments) -> Segments:
            return Segments(
                segments.start * length + offset,
                segments.end * length + offset,
                segments.radius_start * length,
                segments.radius_end * length,
                segments.along_start,
                segments.along_end,
            )

        limbs = tuple(Limb(move(limb.segments), limb.above) for limb in self.limbs)
        eyes = tuple(Eye(eye.centre * length + offset, eye.radius * length, eye.facing) for eye in self.eyes)
        return Pose(move(self.body), limbs, eyes, self.roll, self.length * length)

    def area(self) -> float:
        """Roughly the area covered by body and limbs, in squared units of the pose."""
        total = 0.0
        for segments in (self.body, *(limb.segments for limb in self.limbs)):
            lengths = np.linalg.norm(segments.end - segments.start, axis=1)
            total += float((lengths * (segments.radius_start + segments.radius_end)).sum())
        return total * 0.92  # limbs partly hidden under the body


def random_pose(rng: np.random.Generator, heading: float, *, stout: float, closeness: float) -> Pose:
    """A pose in body lengths, centred on the middle of the trunk, looking along `heading` (radians).

    `stout` scales the widths; `closeness` (0..1) makes the head nearer to the viewer than the tail.
    """
    roll = _random_roll(rng)
    spine, tangents, radii, growth = _spine(rng, heading, roll, stout, closeness)
    along = np.linspace(0, 1, SPINE_POINTS)
    normals = np.stack([tangents[:, 1], -tangents[:, 0]], axis=1)  # towards positive `across` of the trace

    def frame(place: float) -> tuple[FloatArray, FloatArray, FloatArray, float, float]:
        index = round(place * (SPINE_POINTS - 1))
        return spine[index], tangents[index], normals[index], float(radii[index]), float(growth[index])

    limbs: list[Limb] = []
    for place, hind in ((FRONT_PLACE, False), (HIND_PLACE, True)):
        for side in (-1, 1):
            limbs.append(_limb(rng, frame(place), roll, side, hind, stout))
    eyes: list[Eye] = []
    centre, _, normal, radius, grown = frame(EYE_PLACE)
    for side in (-1, 1):
        angle = side * EYE_ANGLE - roll
        if math.cos(angle) > -0.2:
            spot = centre + normal * (math.sin(angle) * radius * 0.9)
            eyes.append(Eye(spot, 0.0100 * grown * (0.9 + 0.2 * stout), max(math.cos(angle), 0.25)))
    body = Segments.chain(spine, radii, along)
    return Pose(body, tuple(limbs), tuple(eyes), roll, 1.0)


def _random_roll(rng: np.random.Generator) -> float:
    """Mostly seen from above, sometimes from the side, now and then belly up."""
    kind, sign, spread = rng.random(), rng.choice([-1.0, 1.0]), rng.normal()
    if kind < 0.66:
        return float(0.3 * spread)
    if kind < 0.88:
        return float(sign * (1.25 + 0.18 * spread))
    return float(sign * (math.pi - abs(0.25 * spread)))


def _spine(
    rng: np.random.Generator, heading: float, roll: float, stout: float, closeness: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Points (N,2), unit tangents towards the head (N,2), radii (N,), growth by perspective (N,)."""
    place = np.linspace(0, 1, SPINE_POINTS)
    sideways = abs(math.sin(roll))
    bend = rng.normal(0, 1.0, 3) * (1 - 0.5 * sideways)
    curl = rng.normal(0, 1.5)
    curvature = bend[0] * 1.2 + bend[1] * 2.6 * np.sin(2 * np.pi * place) + bend[2] * 2.4 * np.cos(3 * place)
    curvature += curl * 3.2 * np.clip((place - 0.5) / 0.5, 0, 1) ** 1.2
    # A head and shoulders do not bend; the trunk bends less than the tail.
    curvature = np.clip(curvature, -7.5, 7.5) * np.interp(place, (0, 0.12, 0.22, 0.5, 1), (0.1, 0.45, 0.8, 1, 1))
    turn = np.concatenate([[0], np.cumsum(curvature[1:]) / SPINE_POINTS])
    turn -= turn[round(0.3 * SPINE_POINTS)]
    growth = np.exp(closeness * (0.32 - place) * 1.5)
    tangents = np.stack([np.cos(heading + turn), np.sin(heading + turn)], axis=1)
    steps = tangents * (growth * (1 - 0.35 * closeness) / SPINE_POINTS)[:, None]
    spine = -np.cumsum(steps, axis=0)
    profile = np.array(PROFILE_TOP) * (1 - sideways) + np.array(PROFILE_SIDE) * sideways
    fat = np.exp(rng.normal(0, 0.1)) * stout
    radii = np.interp(place, PROFILE_PLACES, profile) * growth
    radii *= np.interp(place, (0, 0.15, 0.3, 0.55, 1), (stout, stout, fat, stout, 1))
    weights = np.array([1, 8, 28, 56, 70, 56, 28, 8, 1]) / 256  # binomial: no kinks in the outline
    radii = np.convolve(np.pad(radii, 4, mode="edge"), weights, mode="valid")
    return spine - spine[round(0.33 * SPINE_POINTS)], tangents, radii, growth


def _limb(
    rng: np.random.Generator,
    frame: tuple[FloatArray, FloatArray, FloatArray, float, float],
    roll: float,
    side: int,
    hind: bool,
    stout: float,
) -> Limb:
    """A front (4 toes) or hind (5 toes) limb growing from the body at `frame`."""
    centre, tangent, normal, radius, grown = frame
    angle = side * LIMB_ANGLE - roll
    lateral = math.sin(angle)
    out = math.copysign(1.0, lateral if abs(lateral) > 0.05 else side)
    root = centre + normal * (lateral * radius * 0.6)

    def direction(swing: float) -> FloatArray:
        """Unit vector turned by `swing` from straight sideways (0) towards the head (pi/2)."""
        return normal * (out * math.cos(swing)) + tangent * math.sin(swing)

    upper_swing = rng.normal(0.25 if hind else -0.3, 0.45)
    lower_swing = upper_swing + (rng.normal(-0.8, 0.4) if hind else rng.normal(1.0, 0.45))
    foot_swing = float(np.clip(rng.normal(0.35 if hind else 0.75, 0.5), -0.9, 1.4))
    upper = (radius * 0.4 + 0.062 * grown) * math.exp(rng.normal(0, 0.12))
    lower = 0.07 * grown * math.exp(rng.normal(0, 0.12))
    knee = root + direction(upper_swing) * upper
    ankle = knee + direction(lower_swing) * lower
    t = np.linspace(0, 1, 7)[:, None]
    bow = knee + (knee - (root + ankle) / 2) * 0.45  # control point so that the curve passes near the knee
    points = (1 - t) ** 2 * root + 2 * t * (1 - t) * bow + t**2 * ankle
    thick = grown * stout * (1.12 if hind else 1.0)
    radii = np.interp(t[:, 0], (0, 0.4, 0.8, 1), (0.0225, 0.0185, 0.0120, 0.0105)) * thick
    parts = [Segments.chain(points, radii, np.linspace(0, 0.14, 7))]
    palm = ankle + direction(foot_swing) * (0.013 * grown)
    parts.append(Segments.chain(np.stack([ankle, palm]), np.array([0.0105, 0.0118]) * thick, np.array([0.14, 0.155])))
    toes = 5 if hind else 4
    for toe in range(toes):
        fan = (toe - (toes - 1) / 2) * (0.95 if hind else 1.05) / (toes - 1) * 2
        reach = (0.036 if hind else 0.031) * grown * (1 - 0.32 * abs(fan) ** 1.5) * math.exp(rng.normal(0, 0.08))
        first = foot_swing + fan * 0.9 + rng.normal(0, 0.07)
        middle = palm + direction(first) * (reach * 0.55)
        tip = middle + direction(first - 0.25 * fan + rng.normal(0, 0.12)) * (reach * 0.55)
        parts.append(
            Segments.chain(
                np.stack([palm, middle, tip]),
                np.array([0.0074, 0.0056, 0.0044]) * thick,
                np.array([0.155, 0.175, 0.195]),
            )
        )
    return Limb(Segments.join(parts), math.cos(angle) > 0.1)


@dataclass
class Surface:
    """The visible surface of a placed newt inside the window `rows`, `columns`; arrays (h,w) float32.

    `distance` to the outline (pixels, negative inside), `height` above the ground (pixels), `along` the body
    (0 snout .. 1 tail; on limbs 0 root .. 0.2 toes), `angle` around the part (radians, 0 = back), `limb` the
    number of the limb (0 = body).
    """

    rows: slice
    columns: slice
    distance: FloatArray
    height: FloatArray
    along: FloatArray
    angle: FloatArray
    limb: FloatArray


def visible_surface(pose: Pose, shape: tuple[int, int]) -> Surface | None:
    """The surface of a placed `pose` in a frame of `shape` (height, width); None when it is outside."""
    window = window_of(Segments.join([pose.body, *(limb.segments for limb in pose.limbs)]), shape)
    if window is None:
        return None
    rows, columns = window
    size = (rows.stop - rows.start, columns.stop - columns.start)
    blank = [np.zeros(size, np.float32) for _ in range(4)]
    surface = Surface(rows, columns, np.full(size, 1e6, np.float32), *blank)
    girth = float(pose.body.radius_start.max())
    numbered = list(enumerate(pose.limbs, start=1))
    for number, limb in numbered:
        if not limb.above:
            _add_part(surface, trace(limb.segments, shape), number, pose.roll, -0.25 * girth, girth)
    _add_part(surface, trace(pose.body, shape), 0, pose.roll, 0.0, girth)
    for number, limb in numbered:
        if limb.above:
            _add_part(surface, trace(limb.segments, shape), number, pose.roll, girth, girth)
    return surface


def _add_part(surface: Surface, part: Traced | None, number: int, roll: float, lift: float, girth: float) -> None:
    """Put a traced part, raised by `lift` pixels, into the surface where it is the highest."""
    if part is None:
        return
    # A limb over the body leaves it gradually, so that its root does not sit on it like a ball joint.
    rise = np.interp(part.along, (0, 0.05, 0.11), (0.1, 0.6, 0.8)) if lift > 0 else 1.0
    rows = slice(part.rows.start - surface.rows.start, part.rows.stop - surface.rows.start)
    columns = slice(part.columns.start - surface.columns.start, part.columns.stop - surface.columns.start)
    view = (rows, columns)
    distance, height = surface.distance[view], surface.height[view]
    lifted = part.height + (np.where(distance < 0, lift, 0) * rise).astype(np.float32)
    inside, covered = part.distance < 0, distance < 0
    visible = np.where(inside & covered, lifted > height, part.distance < np.where(covered, 0, distance))
    blend = np.float32(0.16 * girth)
    gap = np.maximum(1 - np.abs(lifted - height) / blend, 0)
    fillet = np.where(inside & covered, gap * gap * blend * np.float32(0.25), 0)
    np.copyto(height, np.where(inside, lifted, 0), where=visible)
    height += fillet
    np.copyto(surface.along[view], part.along, where=visible)
    turned = np.arcsin(np.clip(part.across, -1, 1)) + np.float32(roll)
    np.copyto(surface.angle[view], turned, where=visible)
    np.copyto(surface.limb[view], np.float32(number), where=visible)
    np.minimum(distance, part.distance, out=distance)
