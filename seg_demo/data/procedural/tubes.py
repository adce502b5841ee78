"""Tapered tubes seen from above: the shape of newts, twigs, stones and fingers in the procedural data set."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from seg_demo.data.procedural.drawing import FloatArray


@dataclass(frozen=True)
class Segments:
    """Straight pieces of round tubes: the pieces run from `start` to `end` (N,2) as (x,y) pixels, with the
    radii `radius_start`, `radius_end` (N,) and the way along the tube `along_start`, `along_end` (N,)."""

    start: FloatArray
    end: FloatArray
    radius_start: FloatArray
    radius_end: FloatArray
    along_start: FloatArray
    along_end: FloatArray

    @staticmethod
    def chain(points: FloatArray, radii: FloatArray, along: FloatArray) -> Segments:
        """One tube through `points` (N,2) with `radii` (N,) and `along` (N,)."""
        return Segments(points[:-1], points[1:], radii[:-1], radii[1:], along[:-1], along[1:])

    @staticmethod
    def join(parts: list[Segments]) -> Segments:
        """All pieces of all parts."""
        names = ("start", "end", "radius_start", "radius_end", "along_start", "along_end")
        return Segments(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True)
class Traced:
    """Tubes seen from above, inside the window `rows`, `columns` of the frame; all arrays (h,w) float32.

    `distance` to the outline (pixels, negative inside), `height` of the round surface (pixels, 0 outside),
    `along` the tube, `across` it (-1 left border .. 1 right border).
    """

    rows: slice
    columns: slice
    distance: FloatArray
    height: FloatArray
    along: FloatArray
    across: FloatArray


def window_of(segments: Segments, shape: tuple[int, int], margin: float = 2.0) -> tuple[slice, slice] | None:
    """The (rows, columns) of the frame that the tubes can touch, None when they lie outside of it."""
    reach = np.maximum(segments.radius_start, segments.radius_end)[:, None] + margin
    low = np.minimum(segments.start, segments.end) - reach
    high = np.maximum(segments.start, segments.end) + reach
    left, top = (max(0, math.floor(value)) for value in low.min(axis=0))
    right, bottom = (math.ceil(value) + 1 for value in high.max(axis=0))
    right, bottom = min(right, shape[1]), min(bottom, shape[0])
    if right <= left or bottom <= top:
        return None
    return slice(top, bottom), slice(left, right)


def trace(segments: Segments, shape: tuple[int, int]) -> Traced | None:
    """Draw tubes into a frame of `shape` (height, width); None when they lie outside of it."""
    window = window_of(segments, shape)
    if window is None:
        return None
    rows, columns = window
    size = (rows.stop - rows.start, columns.stop - columns.start)
    # dist^2 - r^2 is smallest for the sphere that rises highest: a union of spheres without square roots.
    power = np.full(size, 1e12, np.float32)
    along, across = np.zeros(size, np.float32), np.zeros(size, np.float32)
    radius = np.ones(size, np.float32)
    reach = np.maximum(segments.radius_start, segments.radius_end)[:, None] + 2.0
    corner = (columns.start, rows.start)
    low = np.floor(np.minimum(segments.start, segments.end) - reach - corner).astype(int).clip(0)
    high = np.ceil(np.maximum(segments.start, segments.end) + reach - corner).astype(int) + 1
    high = high.clip(0, (size[1], size[0]))
    starts, ends = segments.start - corner, segments.end - corner
    numbers = np.column_stack(
        [starts, ends, segments.radius_start, segments.radius_end, segments.along_start, segments.along_end]
    )
    for (left, top), (right, bottom), piece in zip(low.tolist(), high.tolist(), numbers.tolist(), strict=True):
        if left < right and top < bottom:
            view = (slice(top, bottom), slice(left, right))
            _trace_piece(piece, view, (power, along, across, radius))
    distance = np.sqrt(np.maximum(power + radius * radius, 0)) - radius
    return Traced(rows, columns, distance, np.sqrt(np.maximum(-power, 0)), along, across)


def _trace_piece(piece: list[float], view: tuple[slice, slice], buffers: tuple[FloatArray, ...]) -> None:
    """Lower `power` (and set along, across, radius) in the `view` of `buffers` where the one piece is higher.

    `piece` is x, y of the start and of the end, the two radii, along at the start and at the end.
    """
    power, along, across, radius = (buffer[view] for buffer in buffers)
    x0, y0, x1, y1, r0, r1, begin, end = piece
    step_x, step_y, grow = x1 - x0, y1 - y0, r1 - r0
    length2 = max(step_x * step_x + step_y * step_y, 1e-6)
    # The sphere that rises highest over a pixel is not at its foot where the tube tapers: `grow` shifts it.
    lean = max(length2 - grow * grow, 0.2 * length2)
    off_x = np.arange(view[1].start, view[1].stop, dtype=np.float32)[None, :] + np.float32(0.5 - x0)
    off_y = np.arange(view[0].start, view[0].stop, dtype=np.float32)[:, None] + np.float32(0.5 - y0)
    reach = off_x * (step_x / lean) + (off_y * (step_y / lean) + r0 * grow / lean)
    place = np.clip(reach, 0, 1)
    here = place * grow + r0
    away_x, away_y = off_x - place * step_x, off_y - place * step_y
    piece_power = away_x * away_x + away_y * away_y - here * here
    nearer = piece_power < power
    scale = 1 / math.sqrt(length2)
    side = (away_y * (step_x * scale) - away_x * (step_y * scale)) / here
    np.copyto(power, piece_power, where=nearer)
    # Counting on below zero keeps a pattern from being smeared over the round front end of a tube.
    way = np.minimum(reach, 1) if begin == 0 else place
    np.copyto(along, way * (end - begin) + begin, where=nearer)
    np.copyto(across, side, where=nearer)
    np.copyto(radius, here, where=nearer)
