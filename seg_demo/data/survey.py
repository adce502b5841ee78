"""One look at every file of a data set: what each image and each label file holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from seg_demo.classes import IGNORE_INDEX
from seg_demo.data.images import opened, orientation_of, upright
from seg_demo.data.listing import Listing, Pair
from seg_demo.data.masks import Decoding, Domain, Kind, LabelFile, pack, read_label_file
from seg_demo.errors import UserError

# Of a photo that was taken for a label file, only so many values are kept; the rest is counted.
MAX_VALUES = 4096
PHOTO_VALUES = 64  # distinct values, and the share of pixels among their like, from which a file is a photo
PHOTO_INNER = 0.3
SAMPLE_STEP = 8
HASH_SIDE = 16  # of the picture behind a perceptual hash, which has two bits for each pixel
WORKERS = 2  # Pillow decodes outside of Python's lock

Facts = TypeVar("Facts")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Values:
    """The pixel values of one label file in one domain, most frequent first.

    values: (K,) int64 numbers or 0xRRGGBB. counts: (K,) pixels of each. inner: (K,) those whose four neighbours hold
    the same value: an area has many, a smeared border few. between: (K,) those with both a smaller and a larger value
    at most three pixels away. rest: pixels of the values that were not kept.
    """

    values: np.ndarray
    counts: np.ndarray
    inner: np.ndarray
    between: np.ndarray
    rest: int = 0

    def rows(self) -> Iterator[tuple[int, int, int, int]]:
        """(value, count, inner, between) of each value."""
        columns = (self.values, self.counts, self.inner, self.between)
        return zip(*(column.tolist() for column in columns), strict=True)


@dataclass(frozen=True)
class LabelFacts:
    """A label file that could be read. numbers: None for colours. greys: an RGB file that is grey throughout.

    size: (height, width) as stored. palette: colour of each used palette index. digest: of its pixels.
    """

    kind: Kind
    file_format: str
    orientation: int
    size: tuple[int, int]
    numbers: Values | None
    colors: Values
    greys: bool
    palette: dict[int, int]
    digest: bytes

    @property
    def is_photo(self) -> bool:
        """Whether this is no label map at all: many values, and hardly an area of one of them."""
        pixels = int(self.colors.counts.sum()) + self.colors.rest
        return len(self.colors.values) > PHOTO_VALUES and int(self.colors.inner.sum()) < PHOTO_INNER * pixels

    def values(self, domain: Domain) -> Values:
        """In the domain that is asked for; colours where a file has no numbers."""
        return self.numbers if domain == "number" and self.numbers is not None else self.colors


@dataclass(frozen=True)
class ImageFacts:
    """An image that could be read. size: (height, width) upright. stored: before it was turned.

    hash: (512,) bool, equal in most places for pictures that look alike. contrast: standard deviation of the small
    grey version, in grey levels. digest: of the file.
    """

    file_format: str
    orientation: int
    size: tuple[int, int]
    stored: tuple[int, int]
    hash: np.ndarray
    contrast: float
    digest: bytes


@dataclass(frozen=True)
class Look:
    """A pair and what was found: facts, or the sentence that says why a file cannot be read, or None for no file."""

    pair: Pair
    image: ImageFacts | UserError | None
    label: LabelFacts | UserError | None


def survey(listing: Listing, progress: Progress | None = None, *, labels_only: bool = False) -> list[Look]:
    """Look at every file of `listing`, in its order. labels_only: leave the images unread.

    progress is called with (looks done, looks in all).
    """

    def look(pair: Pair) -> Look:
        image = None if labels_only or pair.image is None else _caught(look_at_image, pair.image, listing)
        return Look(pair, image, None if pair.label is None else _caught(look_at_label, pair.label, listing))

    looks = []
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for done in pool.map(look, listing.pairs):
                looks.append(done)
                if progress:
                    progress(len(looks), len(listing.pairs))
        except BaseException:  # Ctrl-C, or a page that was closed: what has not begun never does
            pool.shutdown(cancel_futures=True)
            raise
    return looks


def _caught(look: Callable[[Path, str], Facts], path: Path, listing: Listing) -> Facts | UserError:
    try:
        return look(path, listing.shown(path))
    except UserError as error:
        return error


def look_at_image(path: Path, name: str | None = None) -> ImageFacts:
    """Raises `UserError` for a file that cannot be read to its end."""
    with opened(path, name=name) as image:
        turned = upright(image)
        small = np.asarray(turned.convert("L").resize((HASH_SIDE + 1, HASH_SIDE + 1), Image.Resampling.BOX), np.int16)
        return ImageFacts(
            str(image.format),
            orientation_of(image),
            (turned.height, turned.width),
            (image.height, image.width),
            # Differences along rows and columns (Krawetz 2013, "dHash"), for which brightness makes no difference.
            np.concatenate([(small[:-1, 1:] > small[:-1, :-1]).ravel(), (small[1:, :-1] > small[:-1, :-1]).ravel()]),
            float(small.std()),
            hashlib.blake2b(path.read_bytes(), digest_size=16).digest(),
        )


def look_at_label(path: Path, name: str | None = None) -> LabelFacts:
    """Raises `UserError` for a file that cannot be read to its end."""
    return label_facts(read_label_file(path, name=name))


def label_facts(file: LabelFile) -> LabelFacts:
    values = file.values
    numbers, palette = None, {}
    if file.kind in ("rgb", "rgba"):
        red = values >> 16 & 255
        greys = bool((values == red * 0x010101).all())
        colors = count_values(values)
        if greys:
            numbers = _renamed(colors, lambda value: value & 255)
    else:
        greys = False
        numbers = count_values(values)
        if file.palette is not None:
            packed = pack(file.palette)
            palette = {int(index): int(packed[index]) for index in numbers.values}
            colors = (
                count_values(file.colors())
                if len(set(palette.values())) < len(palette)
                else _renamed(numbers, lambda index: palette[index])
            )
        else:
            table = LabelFile(file.kind, numbers.values).colors()
            shown = dict(zip(numbers.values.tolist(), table.tolist(), strict=True))
            colors = _renamed(numbers, lambda value: shown[value])
    digest = hashlib.blake2b(np.ascontiguousarray(values).data, digest_size=16).digest()
    height, width = values.shape
    return LabelFacts(
        file.kind, file.file_format, file.orientation, (height, width), numbers, colors, greys, palette, digest
    )


def _renamed(values: Values, name: Callable[[int], int]) -> Values:
    """The same pixels under other values."""
    renamed = np.array([name(int(value)) for value in values.values], np.int64)
    return Values(renamed, values.counts, values.inner, values.between, values.rest)


def count_values(pixels: np.ndarray) -> Values:
    """(H, W) integers -> how often, and where, each value occurs; of what is clearly a photo, in a sample only."""
    rows = pixels[::SAMPLE_STEP]
    if pixels.dtype != np.uint8 and pixels.shape[1] > 1 and (rows[:, 1:] == rows[:, :-1]).mean() < PHOTO_INNER:
        values, counts = np.unique(rows[:, ::SAMPLE_STEP], return_counts=True)
        if len(values) > MAX_VALUES:
            order = np.argsort(-counts, kind="stable")[:MAX_VALUES]
            nowhere = np.zeros(len(order), np.int64)
            rest = pixels.size - int(counts[order].sum())
            return Values(values[order].astype(np.int64), counts[order], nowhere, nowhere, rest)
    if pixels.dtype == np.uint8:  # the usual case, and much quicker
        counts = np.bincount(pixels.ravel(), minlength=256)
        values = np.flatnonzero(counts)
        lookup = (np.cumsum(counts > 0) - 1).astype(np.uint8)
        counts, places = counts[values], lookup[pixels]
    else:
        # Label maps are made of runs, so that few pixels need sorting: those that differ from their left neighbour.
        starts = np.ones(pixels.shape, bool)
        starts[:, 1:] = pixels[:, 1:] != pixels[:, :-1]
        values = np.unique(pixels[starts])
        places = np.searchsorted(values, pixels).astype(np.uint8 if len(values) <= 256 else np.int32)
        counts = np.bincount(places.ravel(), minlength=len(values))
    inner = np.bincount(places[_inner(places)], minlength=len(values))
    between = np.bincount(places[_between(places)], minlength=len(values))
    order = np.argsort(-counts, kind="stable")
    kept = order[:MAX_VALUES]
    return Values(
        values[kept].astype(np.int64), counts[kept], inner[kept], between[kept], int(counts[order[MAX_VALUES:]].sum())
    )


def _inner(pixels: np.ndarray) -> np.ndarray:
    """(H, W) bool: the four neighbours are the same; the border of the picture counts as the same."""
    inner = np.ones(pixels.shape, bool)
    down, across = pixels[1:] == pixels[:-1], pixels[:, 1:] == pixels[:, :-1]
    inner[1:] &= down
    inner[:-1] &= down
    inner[:, 1:] &= across
    inner[:, :-1] &= across
    return inner


def _between(pixels: np.ndarray) -> np.ndarray:
    """(H, W) bool: a smaller and a larger value at most three pixels away."""
    low = high = pixels
    for _ in range(3):
        low, high = _around(low, np.minimum), _around(high, np.maximum)
    return (low < pixels) & (high > pixels)


def _around(pixels: np.ndarray, choose: np.ufunc) -> np.ndarray:
    """The smallest or largest of each 3 x 3 window, first along columns, then along rows."""
    for axis in (0, 1):
        moved = np.moveaxis(pixels, axis, 0)
        result = moved.copy()
        choose(result[1:], moved[:-1], out=result[1:])
        choose(result[:-1], moved[1:], out=result[:-1])
        pixels = np.moveaxis(result, 0, axis)
    return pixels


def classes_in(facts: LabelFacts, decoding: Decoding) -> frozenset[int]:
    """The class ids that a file holds, without ignored pixels and what stands for nothing."""
    ids = (class_id for _, _, class_id in decoded_values(facts, decoding))
    return frozenset(class_id for class_id in ids if class_id is not None and class_id != IGNORE_INDEX)


def decoded_values(facts: LabelFacts, decoding: Decoding) -> Iterator[tuple[int, int, int | None]]:
    """(value, pixels, class id or None) for each value of a file, most frequent first."""
    domain = decoding.domain(facts.kind)
    values, table = facts.values(domain), decoding.table(domain)
    for value, count in zip(values.values.tolist(), values.counts.tolist(), strict=True):
        yield value, count, table.get(value)
