"""Values that are no classes: what resampling, smoothing and compression leave in label files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.masks import Domain
from seg_demo.data.survey import Values

# A value is rare below this share of all pixels, in at most this share of the files (but one file is always few).
RARE_PIXELS = 1e-4
RARE_PIXELS_AT_LEAST = 12
RARE_FILES = 0.2
# An id behind a gap may be a little more than rare.
BEHIND_A_GAP = 1e-2
# A smeared border is all border: few of its pixels have only their like around, and both classes are close by. Enlarged
# four times it has a third of such pixels, and four in five see both classes; poles in a street have half.
INNER_SHARE = 0.35
BETWEEN_SHARE = 0.7
SMEARED_PIXELS = 0.05
# Compression and smoothing leave many values, hardly one of which has an area.
NOISE_INNER_SHARE = 0.05
NOISE_VALUES = 8
# Largest distance of a compressed value from its class's, and of a mixed colour from the line between two.
NEAR = 24
PEAK = 20  # times as frequent is a class than what compression made of it


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


def find_strays(totals: Totals, known: Collection[int] = ()) -> frozenset[int]:
    """The values of a set that look like traces of processing; never the most frequent one.

    A number is one if it is rare, or if it forms thin lines only and lies between a smaller and a larger value there,
    as what bilinear resampling makes does, or, where no ids are known, if it is an id behind a gap in few files. A
    colour is one if it is rare, or if it has no area of its own and is close to the colour of an area or to a mixture
    of two. Values in `known` are none of these. Where there are many values without an area, all are noise, known or
    not.
    """
    rare = {value for value in totals.values if _is_rare(totals, value)}
    solid = [value for value in totals.values if value not in rare and _inner(totals, value) > INNER_SHARE]
    if not solid:
        return frozenset()
    candidates = [value for value in totals.values if value not in known and value != solid[0]]
    strays = rare.intersection(candidates)
    if totals.domain == "number":
        strays |= {value for value in candidates if _lies_between(totals, value, min(solid), max(solid))}
        if not set(known) - {IGNORE_INDEX}:  # nobody has said how many classes there are
            strays |= _behind_a_gap(totals, solid, candidates)
        strays |= _noise(totals, solid)
    elif thin := [value for value in candidates if _is_thin(totals, value, NOISE_INNER_SHARE)]:
        mixed = _is_mixture(np.array(thin), np.array(solid))
        strays |= {value for value, yes in zip(thin, mixed, strict=True) if yes}
        if len(thin) >= max(NOISE_VALUES, 3 * len(solid)):
            strays |= _shadows(totals, solid, _color_distances(solid)).intersection(candidates)
    return frozenset(strays)


def _inner(totals: Totals, value: int) -> float:
    return totals.inner[value] / totals.counts[value]


def _few_files(totals: Totals, value: int) -> bool:
    return totals.in_files[value] <= max(1, RARE_FILES * totals.files)


def _is_rare(totals: Totals, value: int) -> bool:
    few_pixels = totals.counts[value] <= max(RARE_PIXELS_AT_LEAST, RARE_PIXELS * totals.pixels)
    return few_pixels and _few_files(totals, value)


def _is_thin(totals: Totals, value: int, inner_share: float) -> bool:
    return _inner(totals, value) <= inner_share and totals.counts[value] <= SMEARED_PIXELS * totals.pixels


def _lies_between(totals: Totals, value: int, low: int, high: int) -> bool:
    between = totals.between[value] >= BETWEEN_SHARE * totals.counts[value]
    return low < value < high and between and _is_thin(totals, value, INNER_SHARE)


def _behind_a_gap(totals: Totals, solid: Sequence[int], candidates: Collection[int]) -> set[int]:
    """Of ids that count without a gap, those in few files that lie further up: 9 where all others are 0 to 4."""
    common = {value for value in solid if not (_few_files(totals, value) and _share(totals, value) <= BEHIND_A_GAP)}
    if not common or max(common) - min(common) != len(common) - 1 or min(common) > 1:
        return set()
    return {
        value
        for value in candidates
        if value > max(common) + 1 and _few_files(totals, value) and _share(totals, value) <= BEHIND_A_GAP
    }


def _share(totals: Totals, value: int) -> float:
    return totals.counts[value] / totals.pixels


def _noise(totals: Totals, solid: Sequence[int]) -> set[int]:
    """What JPEG or smoothing makes of grey levels: all values without an area, and those close to a class's."""
    thin = {value for value in totals.values if _is_thin(totals, value, NOISE_INNER_SHARE)}
    if len(thin) < max(NOISE_VALUES, 3 * len(solid)):
        return set()
    levels = np.array(solid)
    return thin | _shadows(totals, solid, np.abs(levels[:, None] - levels[None]))


def _shadows(totals: Totals, solid: Sequence[int], distances: np.ndarray) -> set[int]:
    """Values close to one that is far more frequent. distances: (M, M) between those in `solid`."""
    counts = np.array([totals.counts[value] for value in solid])
    outshone = counts[None] >= PEAK * counts[:, None]
    return {solid[int(place)] for place in np.flatnonzero(((distances <= NEAR) & outshone).any(axis=1))}


def _color_distances(colors: Sequence[int]) -> np.ndarray:
    parts = _parts(np.array(colors))
    return np.linalg.norm(parts[:, None] - parts[None], axis=-1)


def _is_mixture(colors: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """(K,) 0xRRGGBB, (M,) 0xRRGGBB -> (K,) bool: within `NEAR` of the line between two of `solid`."""
    points, ends = _parts(colors), _parts(solid[:64])  # (K, 3), (M, 3)
    nearest = np.linalg.norm(points[:, None] - ends[None], axis=-1).min(1)
    for first in range(len(ends)):
        for second in range(first):
            line = ends[second] - ends[first]
            along = np.clip((points - ends[first]) @ line / (line @ line), 0, 1)
            nearest = np.minimum(nearest, np.linalg.norm(points - ends[first] - along[:, None] * line, axis=1))
    return nearest <= NEAR


def _parts(colors: np.ndarray) -> np.ndarray:
    return np.stack([colors >> 16 & 255, colors >> 8 & 255, colors & 255], axis=-1).astype(np.float64)
