"""Values that are no classes: what resampling, smoothing and compression leave in label files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from seg_demo.data.masks import Domain
from seg_demo.data.survey import Values

# A value is rare below this share of all pixels, in at most this share of the files (but one file is always few).
RARE_PIXELS = 1e-4
RARE_PIXELS_AT_LEAST = 12
RARE_FILES = 0.2
# A smeared border is all border: hardly one of its pixels has only its like around.
INNER_SHARE = 0.05
SMEARED_PIXELS = 0.05
BETWEEN_SHARE = 0.6
NEAR_COLOR = (
    24  # largest distance of a compressed colour from its class's, and of a mixed one from the line between two
)


@dataclass(frozen=True)
class Totals:
    """The values of many label files together, most frequent first: `Values` summed, and in how many files each is."""

    domain: Domain
    values: tuple[int, ...]
    counts: dict[int, int]
    inner: dict[int, int]
    between: dict[int, int]
    in_files: dict[int, int]
    files: int
    pixels: int

    @classmethod
    def of(cls, files: Sequence[Values], domain: Domain) -> Totals:
        counts: dict[int, int] = {}
        inner: dict[int, int] = {}
        between: dict[int, int] = {}
        in_files: dict[int, int] = {}
        for file in files:
            for value, count, inside, middle in file.rows():
                counts[value] = counts.get(value, 0) + count
                inner[value] = inner.get(value, 0) + inside
                between[value] = between.get(value, 0) + middle
                in_files[value] = in_files.get(value, 0) + 1
        pixels = sum(counts.values()) + sum(file.rest for file in files)
        ordered = tuple(sorted(counts, key=lambda value: (-counts[value], value)))
        return cls(domain, ordered, counts, inner, between, in_files, len(files), pixels)


def find_strays(totals: Totals, known: Collection[int] = (), *, two_classes: bool = False) -> frozenset[int]:
    """The values of a set that look like traces of processing; never those in `known`, nor the most frequent one.

    two_classes: of a mask that went through compression, even known values between its two ends are strays.

    A number is one if it is rare, or if it forms thin lines only and lies between a smaller and a larger value there,
    as what bilinear resampling makes does. A colour is one if it is rare, or if it has no area of its own and is close
    to the colour of an area or to a mixture of two.
    """
    solid = [
        value for value in totals.values
        if totals.inner[value] > INNER_SHARE * totals.counts[value] and not _is_rare(totals, value)
    ]  # fmt: skip
    if not solid:
        return frozenset()
    candidates = [value for value in totals.values if value not in known and value not in solid[:1]]
    strays = {value for value in candidates if _is_rare(totals, value)}
    thin = [
        value for value in candidates
        if totals.inner[value] <= INNER_SHARE * totals.counts[value]
        and totals.counts[value] <= SMEARED_PIXELS * totals.pixels
    ]  # fmt: skip
    if totals.domain == "number":
        low, high = min(solid), max(solid)
        strays |= {
            value for value in thin
            if low < value < high and totals.between[value] >= BETWEEN_SHARE * totals.counts[value]
        }  # fmt: skip
        strays |= _compressed(totals, solid, totals.values if two_classes else candidates)
    elif thin:
        mixed = _is_mixture(np.array(thin), np.array(solid))
        strays |= {value for value, yes in zip(thin, mixed, strict=True) if yes}
    return frozenset(strays)


def _is_rare(totals: Totals, value: int) -> bool:
    few_pixels = totals.counts[value] <= max(RARE_PIXELS_AT_LEAST, RARE_PIXELS * totals.pixels)
    return few_pixels and totals.in_files[value] <= max(1, RARE_FILES * totals.files)


def _compressed(totals: Totals, solid: Sequence[int], candidates: Collection[int]) -> set[int]:
    """Of a 0/255 mask that went through JPEG or smoothing: all levels but the two, which hold most of the pixels."""
    low, high = min(solid), max(solid)
    ends = sum(count for value, count in totals.counts.items() if min(value - low, high - value) <= NEAR_COLOR)
    peaks = totals.counts.get(low, 0) + totals.counts.get(high, 0)
    looks_so = high - low > 4 * NEAR_COLOR and len(totals.values) > 16 and ends > 0.9 * totals.pixels
    if not looks_so or peaks < 0.5 * totals.pixels:
        return set()
    return {value for value in candidates if value not in (low, high)}


def _is_mixture(colors: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """(K,) 0xRRGGBB, (M,) 0xRRGGBB -> (K,) bool: within `NEAR_COLOR` of the line between two of `solid`."""
    points, ends = _parts(colors), _parts(solid[:64])  # (K, 3), (M, 3)
    nearest = np.linalg.norm(points[:, None] - ends[None], axis=-1).min(1)
    for first in range(len(ends)):
        for second in range(first):
            line = ends[second] - ends[first]
            along = np.clip((points - ends[first]) @ line / (line @ line), 0, 1)
            nearest = np.minimum(nearest, np.linalg.norm(points - ends[first] - along[:, None] * line, axis=1))
    return nearest <= NEAR_COLOR


def _parts(colors: np.ndarray) -> np.ndarray:
    return np.stack([colors >> 16 & 255, colors >> 8 & 255, colors & 255], axis=-1).astype(np.float64)
