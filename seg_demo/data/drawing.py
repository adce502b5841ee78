"""Drawing tools of the procedural data set: seeded noise, cells, tubes, relief shading, soft blur.

Colours are float32 in 0..1, lengths are pixels. Everything random comes from `Canvas.rng(name)`, a stream
of its own per name, so that one part of a picture can change without shifting all the others.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

FloatArray = np.ndarray


@dataclass(frozen=True)
class Canvas:
    """The frame that is drawn on: `height` x `width` pixels and the seed of all its randomness."""

    height: int
    width: int
    seed: int

    @property
    def unit(self) -> float:
        """Length in pixels that all drawn sizes are relative to: the side of the square of equal area."""
        return math.sqrt(self.height * self.width)

    def rng(self, name: str) -> np.random.Generator:
        """The random stream called `name`; the same on every platform and at every size."""
        return np.random.Generator(np.random.PCG64([self.seed, zlib.crc32(name.encode())]))

    def noise(self, name: str, cell: float, octaves: int = 1, stretch: float = 1.0) -> FloatArray:
        """Smooth noise, (H,W) float32, mean 0, standard deviation near 1.

        `cell` is the size of the largest features in units; each octave halves size and amplitude.
        `stretch` makes features that many times longer along x than along y.
        """
        rng = self.rng(name)
        cell_px = cell * self.unit
        return grid_noise(rng, (self.height, self.width), (cell_px, cell_px * stretch), octaves)


def grid_noise(
    rng: np.random.Generator, shape: tuple[int, int], cell: tuple[float, float], octaves: int = 1
) -> FloatArray:
    """Bicubic value noise, `shape` float32, standard deviation near 1; `cell` is (height, width) in pixels."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    power = 0.0
    for octave in range(octaves):
        cell_y, cell_x = cell[0] / 2**octave, cell[1] / 2**octave
        if octave and cell_y < 1.2:  # finer than a pixel: it would only alias
            break
        fine = 2 if octave < 2 else 1
        rows, columns = height / cell_y * fine, width / cell_x * fine
        # Rounded up to a multiple of 8 so that nearly equal aspect ratios draw the same grid.
        grid_shape = (8 * math.ceil((rows + 3) / 8), 8 * math.ceil((columns + 3) / 8))
        grid = rng.uniform(-1, 1, grid_shape).astype(np.float32)
        if fine == 2:  # a fine grid, smoothed, shows less of its axes than a coarse one
            grid = grid[:-2] + 2 * grid[1:-1] + grid[2:]
            grid = (grid[:, :-2] + 2 * grid[:, 1:-1] + grid[:, 2:]) * np.float32(0.145)
        layer = Image.fromarray(grid).resize(
            (width, height), Image.Resampling.BICUBIC, box=(0.0, 0.0, columns, rows)
        )
        total += np.asarray(layer) * np.float32(0.5**octave)
        power += 0.25**octave
    return total * np.float32(2.1 / math.sqrt(power))


def smoothstep(low: float, high: float, values: FloatArray) -> FloatArray:
    """0 below `low`, 1 above `high`, a smooth ramp between."""
    ramp = np.clip((values - low) / (high - low), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def mix(first: FloatArray, second: FloatArray, share: FloatArray) -> FloatArray:
    """`first` where share is 0, `second` where it is 1; shapes broadcast, colours on the last axis."""
    return first + (second - first) * share[..., None]


def soften(values: FloatArray, radius: float) -> FloatArray:
    """(H,W) float32 blurred over about `radius` pixels, by shrinking and enlarging."""
    height, width = values.shape
    if radius < 1:
        return values
    small = (max(2, round(width / radius)), max(2, round(height / radius)))
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    shrunk = image.resize(small, Image.Resampling.BILINEAR)
    return np.asarray(shrunk.resize((width, height), Image.Resampling.BICUBIC))


def slopes(height: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Central differences (d/dy, d/dx) of an (H,W) array, zero on the frame's border."""
    down, right = np.zeros_like(height), np.zeros_like(height)
    if min(height.shape) > 2:
        down[1:-1] = (height[2:] - height[:-2]) * 0.5
        right[:, 1:-1] = (height[:, 2:] - height[:, :-2]) * 0.5
    return down, right


def relief(height: FloatArray, light: FloatArray, strength: float = 1.0) -> FloatArray:
    """Brightness, (H,W) float32 around 1, of a bumpy ground of `height` pixels lit from `light` (x,y,z)."""
    down, right = slopes(height)
    lean = -(right * light[0] + down * light[1]) * strength
    return np.clip(1 + lean / np.sqrt(1 + lean * lean), 0.15, 1.9)


def cells(canvas: Canvas, name: str, cell: float) -> tuple[FloatArray, np.ndarray]:
    """Rounded cells (pebbles, crumbs) of about `cell` units.

    Returns the distance from the cell's rounded border, (H,W) float32 in cells (0 on it, up to about 0.6,
    negative in the gaps between), and the cell's number, (H,W) int64 in 0..4095.
    """
    rng = canvas.rng(name)
    size = cell * canvas.unit
    rows, columns = (8 * math.ceil((side / size + 3) / 8) for side in (canvas.height, canvas.width))
    jitter = rng.uniform(0.05, 0.95, (rows, columns, 2)).astype(np.float32)
    number = rng.integers(0, 4096, (rows, columns))
    grid_y = (np.arange(canvas.height, dtype=np.float32) / size + 1)[:, None]
    grid_x = (np.arange(canvas.width, dtype=np.float32) / size + 1)[None, :]
    base_y, base_x = grid_y.astype(np.intp)[:, 0], grid_x.astype(np.intp)[0]
    shape = (canvas.height, canvas.width)
    nearest, second = np.full(shape, 9, np.float32), np.full(shape, 9, np.float32)
    ident = np.zeros(shape, np.int64)
    for step_y in (-1, 0, 1):
        for step_x in (-1, 0, 1):
            pick = np.ix_(base_y + step_y, base_x + step_x)
            away_y = (base_y + step_y)[:, None].astype(np.float32) + jitter[..., 0][pick] - grid_y
            away_x = (base_x + step_x)[None, :].astype(np.float32) + jitter[..., 1][pick] - grid_x
            distance = away_y * away_y + away_x * away_x
            closer = distance < nearest
            np.minimum(second, np.maximum(distance, nearest), out=second)
            np.copyto(nearest, distance, where=closer)
            np.copyto(ident, number[pick], where=closer)
    centre = np.sqrt(nearest)
    return np.minimum(np.sqrt(second) - centre, np.float32(0.68) - centre), ident


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

    `distance` to the outline in pixels (negative inside), `height` of the round surface in pixels (0 outside),
    `along` the tube, `across` it (-1 left border .. 1 right border), `radius` there.
    """

    rows: slice
    columns: slice
    distance: FloatArray
    height: FloatArray
    along: FloatArray
    across: FloatArray
    radius: FloatArray


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
    # dist^2 - r^2 is smallest for the sphere that rises highest: the union of spheres without any square root.
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
    return Traced(rows, columns, distance, np.sqrt(np.maximum(-power, 0)), along, across, radius)


def _trace_piece(
    piece: list[float], view: tuple[slice, slice], buffers: tuple[FloatArray, ...]
) -> None:
    """Lower `power` (and set along, across, radius) in the `view` of `buffers` where the one piece is higher.

    `piece` is x, y of the start and of the end, the two radii, along at the start and at the end.
    """
    power, along, across, radius = (buffer[view] for buffer in buffers)
    x0, y0, x1, y1, r0, r1, begin, end = piece
    step_x, step_y, grow = x1 - x0, y1 - y0, r1 - r0
    length2 = max(step_x * step_x + step_y * step_y, 1e-6)
    # The sphere that rises highest over a pixel is not at its foot when the tube tapers, but shifted by `grow`.
    lean = max(length2 - grow * grow, 0.2 * length2)
    off_x = np.arange(view[1].start, view[1].stop, dtype=np.float32)[None, :] + np.float32(0.5 - x0)
    off_y = np.arange(view[0].start, view[0].stop, dtype=np.float32)[:, None] + np.float32(0.5 - y0)
    place = off_x * (step_x / lean) + (off_y * (step_y / lean) + r0 * grow / lean)
    np.clip(place, 0, 1, out=place)
    here = place * grow + r0
    away_x, away_y = off_x - place * step_x, off_y - place * step_y
    piece_power = away_x * away_x + away_y * away_y - here * here
    nearer = piece_power < power
    scale = 1 / math.sqrt(length2)
    side = (away_y * (step_x * scale) - away_x * (step_y * scale)) / here
    np.copyto(power, piece_power, where=nearer)
    np.copyto(along, place * (end - begin) + begin, where=nearer)
    np.copyto(across, side, where=nearer)
    np.copyto(radius, here, where=nearer)


def sample(texture: FloatArray, rows: FloatArray, columns: FloatArray) -> FloatArray:
    """Bilinear look-up in `texture` (h,w,C) at fractional `rows`, `columns` (P,), clamped; returns (P,C)."""
    height, width = texture.shape[:2]
    rows, columns = np.clip(rows, 0, height - 1.001), np.clip(columns, 0, width - 1.001)
    top, left = rows.astype(np.intp), columns.astype(np.intp)
    part_y, part_x = (rows - top).astype(np.float32), (columns - left).astype(np.float32)
    upper = mix(texture[top, left], texture[top, left + 1], part_x)
    lower = mix(texture[top + 1, left], texture[top + 1, left + 1], part_x)
    return mix(upper, lower, part_y)


class Sketch:
    """Polygons drawn by pillow at twice the size on top of a picture, for smooth edges."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.scale = 2 if max(shape) < 1200 else 1
        self.shape = shape
        size = (shape[1] * self.scale, shape[0] * self.scale)
        self.colour = Image.new("RGB", size)
        self.cover = Image.new("L", size)
        self._colour_pen = ImageDraw.Draw(self.colour)
        self._cover_pen = ImageDraw.Draw(self.cover)

    def polygon(self, points: FloatArray, colour: FloatArray) -> None:
        """Fill the polygon `points` (N,2) as (x,y) pixels with `colour` (3,) in 0..1."""
        outline = (points * self.scale).ravel().tolist()
        red, green, blue = (int(min(max(value, 0.0), 1.0) * 255) for value in colour)
        self._colour_pen.polygon(outline, fill=(red, green, blue))
        self._cover_pen.polygon(outline, fill=255)

    def layers(self) -> tuple[FloatArray, FloatArray]:
        """What was drawn: colour (H,W,3) float32, cover (H,W) float32 in 0..1."""
        colour = self.colour.reduce(self.scale) if self.scale > 1 else self.colour
        cover = self.cover.reduce(self.scale) if self.scale > 1 else self.cover
        alpha = np.asarray(cover, np.float32) / 255
        # The empty sketch is black, so reduced edge pixels are darkened by the missing part: divide it out.
        paint = np.asarray(colour, np.float32) / 255 / np.maximum(alpha, 1 / 255)[..., None]
        return np.minimum(paint, 1), alpha

    def onto(self, picture: FloatArray, shadow: float = 0.0, drop: tuple[float, float] = (0, 0)) -> FloatArray:
        """`picture` (H,W,3) under the sketch, which casts a soft shadow of strength `shadow` moved by `drop`
        (x,y) pixels."""
        paint, alpha = self.layers()
        if shadow:
            everywhere = (slice(0, self.shape[0]), slice(0, self.shape[1]))
            cast_shadow(picture, alpha, everywhere, shadow, drop)
        return mix(picture, paint, alpha)


def shifted(values: FloatArray, drop: tuple[float, float]) -> FloatArray:
    """(H,W) float32 moved by whole pixels `drop` (x,y), zero where nothing comes in."""
    height, width = values.shape
    x, y = round(drop[0]), round(drop[1])
    moved = np.zeros_like(values)
    if abs(x) < width and abs(y) < height:
        moved[max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)] = values[
            max(-y, 0) : height + min(-y, 0), max(-x, 0) : width + min(-x, 0)
        ]
    return moved


def cast_shadow(
    picture: FloatArray,
    cover: FloatArray,
    window: tuple[slice, slice],
    strength: float,
    drop: tuple[float, float],
) -> None:
    """Darken `picture` (H,W,3) in place by the shadow of a thing whose `cover` (h,w) in 0..1 lies in `window`;
    the shadow is moved by `drop` (x,y) pixels and is as soft as that is far."""
    reach = math.hypot(*drop)
    margin = math.ceil(2.5 * reach) + 2
    rows, columns = window
    top, left = max(0, rows.start - margin), max(0, columns.start - margin)
    bottom, right = (
        min(end + margin, limit) for end, limit in zip((rows.stop, columns.stop), picture.shape, strict=False)
    )
    padded = np.pad(
        cover, ((rows.start - top, bottom - rows.stop), (columns.start - left, right - columns.stop))
    )
    shade = np.clip(soften(shifted(padded, drop), max(1.0, reach)), 0, 1) * np.float32(-strength) + 1
    picture[top:bottom, left:right] *= shade[..., None]


def to_bytes(picture: FloatArray) -> Image.Image:
    """A pillow image of `picture` (H,W,3) float32 in 0..1."""
    return Image.fromarray((np.clip(picture, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8))


def from_bytes(image: Image.Image) -> FloatArray:
    """The (H,W,3) float32 in 0..1 of an RGB pillow image."""
    return np.asarray(image).astype(np.float32) * np.float32(1 / 255)
