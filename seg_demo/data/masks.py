"""Label files: from what is on disk to a label map, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from seg_demo.classes import IGNORE_INDEX, ClassMap
from seg_demo.data.images import opened, orientation_of
from seg_demo.errors import UserError

Kind = Literal["palette", "grey", "1-bit", "16-bit", "rgb", "rgba"]
Domain = Literal["number", "color"]


@dataclass(frozen=True)
class LabelFile:
    """A label file as it is stored, before anything is known of classes.

    values: (H, W); palette indices and grey levels as they are (uint8, uint16 or int64), 1-bit as 0 and 1, colours
    as uint32 0xRRGGBB, fully transparent pixels as black. palette: (256, 3) uint8 RGB of a palette file. file_format:
    Pillow's name, such as "PNG". orientation: EXIF, 1 for upright; `values` are not turned by it.
    """

    kind: Kind
    values: np.ndarray
    palette: np.ndarray | None = None
    file_format: str = "PNG"
    orientation: int = 1

    def colors(self) -> np.ndarray:
        """(H, W) uint32 0xRRGGBB: what a picture viewer shows."""
        if self.palette is not None:
            return pack(self.palette)[self.values]
        if self.kind in ("rgb", "rgba"):
            return self.values
        scale = {"1-bit": 255, "16-bit": 1 / 257}.get(self.kind, 1)
        return (np.clip(self.values * scale, 0, 255).astype(np.uint32)) * 0x010101


def read_label_file(path: Path, *, name: str | None = None) -> LabelFile:
    """Read a label file by what it is; nothing is converted. Raises `UserError` as `read_image` does.

    Beside pictures, the MATLAB files of the Semantic Boundaries Dataset are read, for which SciPy is needed.
    """
    if path.suffix.lower() == ".mat":
        return LabelFile("grey", _read_sbd(path, name or path.name), None, "MAT")
    with opened(path, name=name) as image:
        return label_file_of(image, name or path.name)


def label_file_of(image: Image.Image, name: str) -> LabelFile:
    """An opened picture as a label file. name: for messages.

    Transparent pixels are black. Where the colour is the same everywhere, the transparency is the mask. Of 32-bit and
    float files the whole numbers are taken.
    """
    file_format = str(image.format or "PNG")
    orientation = orientation_of(image)
    mode = image.mode
    if mode == "P":
        # A file may say that one of its colours is transparent; its indices are what they are all the same.
        palette = np.zeros((256, 3), np.uint8)
        colors = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        palette[: len(colors)] = colors
        return LabelFile("palette", np.array(image), palette, file_format, orientation)
    if mode == "1":
        return LabelFile("1-bit", np.array(image).astype(np.uint8), None, file_format, orientation)
    if mode in ("L", "LA"):
        grey, alpha = np.array(image.getchannel(0)), np.array(image.getchannel(image.getbands()[-1]))
        plain = mode == "LA" and grey.min() == grey.max()
        return LabelFile("grey", alpha if plain else grey, None, file_format, orientation)
    if mode.startswith("I") or mode == "F":
        return LabelFile("16-bit", _whole_numbers(np.array(image), name), None, file_format, orientation)
    if mode in ("RGBA", "PA", "La", "RGBa"):
        rgba = np.array(image.convert("RGBA"))
        solid = rgba[..., 3] >= 128
        rgba[~solid] = 0
        colors = pack(rgba[..., :3])
        if colors.min() == colors.max() and solid.any() and not solid.all():
            return LabelFile("grey", solid.astype(np.uint8) * 255, None, file_format, orientation)
        return LabelFile("rgba", colors, None, file_format, orientation)
    return LabelFile("rgb", pack(np.array(image.convert("RGB"))), None, file_format, orientation)


def _read_sbd(path: Path, name: str) -> np.ndarray:
    """(H, W) uint8 of `GTcls.Segmentation`."""
    try:
        from scipy.io import loadmat  # type: ignore[import-untyped]
    except ImportError:
        raise UserError(
            "{name} is a MATLAB file, for which SciPy is missing. Run: pip install scipy", name=name
        ) from None
    try:
        segmentation = np.asarray(loadmat(path, variable_names=["GTcls"])["GTcls"]["Segmentation"][0, 0])
        if segmentation.ndim != 2 or segmentation.dtype != np.uint8 or not segmentation.size:
            raise ValueError
    except Exception:  # loadmat raises nearly anything on a damaged file
        raise UserError(
            "{name} is no label file of the Semantic Boundaries Dataset (GTcls.Segmentation). Download it again.",
            name=name,
        ) from None
    return segmentation


def _whole_numbers(values: np.ndarray, name: str) -> np.ndarray:
    if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        raise UserError(
            "{name} holds fractions such as {value:.4g}, but a label file holds whole numbers. "
            "Save class ids, not probabilities.",
            name=name, value=float(values[values != np.rint(values)].flat[0]),
        )  # fmt: skip
    return np.clip(values, -1, 0xFFFFFF).astype(np.int64)


def pack(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 RGB -> (...) uint32 0xRRGGBB.

    >>> f"{pack(np.array([127, 0, 1], np.uint8)):06x}"
    '7f0001'
    """
    red, green, blue = (rgb[..., channel].astype(np.uint32) for channel in range(3))
    return red << 16 | green << 8 | blue


def unpack_color(value: int) -> tuple[int, int, int]:
    return value >> 16 & 255, value >> 8 & 255, value & 255


def shown_value(domain: Domain, value: int) -> str:
    """A pixel value as it is told to the user: "7", or "(127, 0, 0)"."""
    return str(value) if domain == "number" else str(unpack_color(value))


@dataclass(frozen=True)
class Decoding:
    """Which class id stands behind a pixel of a label file.

    numbers: palette index or grey level -> id. colors: 0xRRGGBB -> id. 255 stands for ignored pixels in both.
    palettes, rgb: whether palette files and RGB files hold numbers or colours; an RGB file that holds numbers is grey
    and its red channel counts.
    """

    numbers: Mapping[int, int]
    colors: Mapping[int, int]
    palettes: Domain = "number"
    rgb: Domain = "color"

    def domain(self, kind: Kind) -> Domain:
        if kind == "palette":
            return self.palettes
        return self.rgb if kind in ("rgb", "rgba") else "number"

    def table(self, domain: Domain) -> Mapping[int, int]:
        return self.numbers if domain == "number" else self.colors

    def values(self, file: LabelFile) -> np.ndarray:
        """(H, W) integers of the domain that this decoding reads the file in."""
        if self.domain(file.kind) == "number":
            return file.values & 255 if file.kind in ("rgb", "rgba") else file.values
        return file.colors()

    def decode(self, file: LabelFile, name: str) -> np.ndarray:
        """(H, W) uint8 label map. Raises `UserError` naming the most frequent value that stands for nothing.

        >>> Decoding({}, {0x7F0000: 1}).decode(LabelFile("rgb", np.array([[0x7F0000]], np.uint32)), "newt.png")
        array([[1]], dtype=uint8)
        """
        ids, unknown = self.look_up(file)
        if unknown.any():
            domain = self.domain(file.kind)
            values, counts = np.unique(self.values(file)[unknown], return_counts=True)
            worst = int(counts.argmax())
            raise UserError(
                "{name} holds the {what} {value} in {count} pixels, which stands for no class (known: {known}). "
                "Run `data check` on its folder, which can repair it.",
                name=name, what="value" if domain == "number" else "colour",
                value=shown_value(domain, int(values[worst])), count=int(counts[worst]),
                known=self._known(domain),
            )  # fmt: skip
        return ids

    def look_up(self, file: LabelFile) -> tuple[np.ndarray, np.ndarray]:
        """Label map (H, W) uint8 and (H, W) bool, where the value stands for nothing; the label map is 255 there."""
        values = self.values(file)
        table = self.table(self.domain(file.kind))
        keys = np.array(sorted(table), np.int64)
        if not len(keys):
            return np.full(values.shape, IGNORE_INDEX, np.uint8), np.ones(values.shape, bool)
        if values.dtype == np.uint8:  # nearly always, and quicker by far
            keys = keys[(keys >= 0) & (keys < 256)]
            lookup = np.full(256, IGNORE_INDEX, np.uint8)
            known = np.zeros(256, bool)
            lookup[keys], known[keys] = [table[int(key)] for key in keys], True
            return lookup.take(values), ~known.take(values)
        places = np.minimum(np.searchsorted(keys, values), len(keys) - 1)
        found = keys[places] == values
        ids = np.array([table[int(key)] for key in keys], np.uint8)[places]
        ids[~found] = IGNORE_INDEX
        return ids, ~found

    def _known(self, domain: Domain) -> str:
        shown = [shown_value(domain, value) for value in sorted(self.table(domain))]
        return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "") if shown else "none"


def palette_image(label_map: np.ndarray, classes: ClassMap) -> Image.Image:
    """(H, W) uint8 label map -> palette image with the same integers and the classes' colours."""
    image = Image.fromarray(label_map, mode="P")
    image.putpalette(classes.palette().tobytes())
    return image
