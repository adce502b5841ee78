"""Drawing tools of the procedural data set: seeded noise, cells, relief shading, polygons, shadows, blur.

Colours are float32 in 0..1, lengths are pixels. Everything random comes from `Canvas.rng(name)`, a stream
of its own per name, so that one part of a picture can change without shifting all the others.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

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
    """Bicubic value noise, `shape` float32, standard deviation near 1; `cell` is (height, width) pixels."""
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
        layer = Image.fromarray(grid * np.float32(0.5**octave)).resize(
            (width, height), Image.Resampling.BICUBIC, box=(0.0, 0.0, columns, rows)
        )
        total += np.asarray(layer)
        power += 0.25**octave
    total *= np.float32(2.1 / math.sqrt(power))
    return total


def rgb(values: Sequence[float] | Sequence[Sequence[float]] | FloatArray) -> FloatArray:
    """A colour (3,) or several (N,3) as float32."""
    return np.array(values, np.float32)


def smoothstep(low: float, high: float, values: FloatArray) -> FloatArray:
    """0 below `low`, 1 above `high`, a smooth ramp between."""
    ramp = (values - low) * (1 / (high - low))
    np.clip(ramp, 0, 1, out=ramp)
    weight = ramp * -2
    weight += 3
    weight *= ramp
    weight *= ramp
    return weight


def mix(first: FloatArray, second: FloatArray, share: FloatArray) -> FloatArray:
    """`first` where share is 0, `second` where it is 1; shapes broadcast, colours on the last axis."""
    mixed = second - first
    mixed *= share[..., None]
    mixed += first
    return mixed


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
    right *= -float(light[0]) * strength
    down *= -float(light[1]) * strength
    lean = right + down
    lean /= np.sqrt(1 + lean * lean)
    lean += 1
    return np.clip(lean, 0.15, 1.9, out=lean)


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

    def polygon(self, points: FloatArray, colour: FloatArray, *, covered: bool = False) -> None:
        """Fill the polygon `points` (N,2) as (x,y) pixels with `colour` (3,) in 0..1; `covered` promises that
        it lies on what has been drawn before."""
        outline = (points * self.scale).ravel().tolist()
        red, green, blue = (int(min(max(value, 0.0), 1.0) * 255) for value in colour.tolist())
        self._colour_pen.polygon(outline, fill=(red, green, blue))
        if not covered:
            self._cover_pen.polygon(outline, fill=255)

    def layers(self) -> tuple[FloatArray, FloatArray]:
        """What was drawn: colour (H,W,3) float32, cover (H,W) float32 in 0..1."""
        colour = self.colour.reduce(self.scale) if self.scale > 1 else self.colour
        cover = self.cover.reduce(self.scale) if self.scale > 1 else self.cover
        alpha = np.multiply(np.asarray(cover), 1 / 255, dtype=np.float32)
        # The empty sketch is black, so reduced edge pixels are darkened by the missing part: divide it out.
        paint = from_bytes(colour)
        paint /= np.maximum(alpha, 1 / 255)[..., None]
        return np.minimum(paint, 1, out=paint), alpha

    def onto(self, picture: FloatArray, shadow: float, drop: tuple[float, float], shade: FloatArray) -> FloatArray:
        """`picture` (H,W,3) under the sketch, whose brightness is multiplied by `shade` (H,W).

        It casts a soft shadow of strength `shadow`, moved by `drop` (x,y) pixels.
        """
        paint, alpha = self.layers()
        cast_shadow(picture, alpha, (slice(0, self.shape[0]), slice(0, self.shape[1])), shadow, drop)
        paint *= shade[..., None]
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
    """Darken `picture` (H,W,3) in place by the shadow of a thing whose `cover` (h,w) 0..1 lies in `window`;
    the shadow is moved by `drop` (x,y) pixels and is as soft as that is far."""
    reach = math.hypot(*drop)
    margin = math.ceil(2.5 * reach) + 2
    rows, columns = window
    top, left = max(0, rows.start - margin), max(0, columns.start - margin)
    bottom, right = (
        min(end + margin, limit) for end, limit in zip((rows.stop, columns.stop), picture.shape, strict=False)
    )
    padded = np.pad(cover, ((rows.start - top, bottom - rows.stop), (columns.start - left, right - columns.stop)))
    shade = np.clip(soften(shifted(padded, drop), max(1.0, reach)), 0, 1)
    shade *= -strength
    shade += 1
    picture[top:bottom, left:right] *= shade[..., None]


def to_bytes(picture: FloatArray) -> Image.Image:
    """A pillow image of `picture` (H,W,3) float32 in 0..1."""
    levels = np.clip(picture, 0, 1)
    levels *= 255
    levels += 0.5
    return Image.fromarray(levels.astype(np.uint8))


def blur(picture: FloatArray, radius: float) -> FloatArray:
    """`picture` (H,W,3) blurred by a Gaussian of `radius` pixels."""
    sharp = to_bytes(picture)
    if radius <= 2:
        return from_bytes(sharp.filter(ImageFilter.GaussianBlur(radius)))
    small = sharp.reduce(2).filter(ImageFilter.GaussianBlur(radius / 2))  # nothing to lose at half the size
    return from_bytes(small.resize(sharp.size, Image.Resampling.BILINEAR))


def from_bytes(image: Image.Image) -> FloatArray:
    """The (H,W,3) float32 in 0..1 of an RGB pillow image."""
    return np.multiply(np.asarray(image), 1 / 255, dtype=np.float32)
