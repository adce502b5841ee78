"""Picture files of any usual kind -> image arrays, with the header looked at before anything is decoded."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms, ImageOps

from seg_demo.errors import UserError

# Formats whose decoders run in Pillow itself; EPS, for one, would start another program on a stranger's file.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
MAX_PIXELS = 64_000_000
# EXIF orientation -> what makes the picture upright (Exif 2.3, tag 0x0112; the same table as Pillow's exif_transpose).
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
MAX_SIDE = 65_500  # JPEG, as which a picture travels to the page, can hold no more


def read_image(source: str | Path | BinaryIO, *, name: str | None = None, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a picture as (H, W, 3) uint8 RGB, upright.

    EXIF rotation is applied; transparency is laid on white; palette, grey, 16-bit and CMYK pictures are
    converted; of an animation the first frame is taken. `name` is used in messages instead of the path.
    Raises `UserError` for a file that is no picture, is cut off, or has more than `max_pixels` pixels; the
    size is read from the header, so a small file that unpacks into a huge picture costs nothing.
    """
    with opened(source, name=name, max_pixels=max_pixels) as image:
        return np.array(_to_rgb(upright(image)))


@contextlib.contextmanager
def opened(
    source: str | Path | BinaryIO, *, name: str | None = None, max_pixels: int = MAX_PIXELS
) -> Iterator[Image.Image]:
    """A picture file as Pillow decodes it, once its size is known to be acceptable.

    Raises `UserError` as `read_image` does, also for what goes wrong in the body of the `with` statement.
    """
    shown = name or (Path(source).name if isinstance(source, str | Path) else "The picture")
    try:
        with Image.open(source, formats=FORMATS) as image:
            width, height = image.size
            if max(width, height) > MAX_SIDE:
                raise UserError(
                    "{name} has {width} x {height} pixels, but a side may have {limit} at most. Cut it into pieces.",
                    name=shown,
                    width=width,
                    height=height,
                    limit=MAX_SIDE,
                )
            if width * height > max_pixels:
                raise UserError(
                    "{name} has {width} x {height} pixels ({megapixels} megapixels), more than the {limit} that fit. "
                    "Make it smaller first.",
                    name=shown, width=width, height=height,
                    megapixels=round(width * height / 1e6), limit=f"{max_pixels / 1e6:.3g}",
                )  # fmt: skip
            image.load()
            yield image
    except FileNotFoundError:
        raise UserError("{name} does not exist. Check the path.", name=name or source) from None
    except IsADirectoryError:
        raise UserError("{name} is a folder, not a picture. Give the files in it.", name=name or source) from None
    except Image.DecompressionBombError:  # Pillow's own guard, which other code in the process relies on
        raise UserError(
            "{name} has many times the {limit} megapixels that fit. Make it smaller first.",
            name=shown,
            limit=f"{max_pixels / 1e6:.3g}",
        ) from None
    except Image.UnidentifiedImageError:
        raise _not_a_picture(source, shown) from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, IndexError, KeyError, TypeError) as error:
        # The decoders raise all of these on damaged files, but only the system gives a number to its errors.
        if isinstance(error, OSError) and error.errno is not None:
            raise UserError(
                "{name} cannot be opened ({reason}). Check its name and permissions.", name=shown, reason=error.strerror
            ) from None
        raise UserError(
            "{name} is damaged or cut off and cannot be decoded. Export or download it again.", name=shown
        ) from None


_HEIC_AND_AVIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif", b"avif", b"avis")


def _not_a_picture(source: str | Path | BinaryIO, shown: str) -> UserError:
    head = b""
    if isinstance(source, str | Path):
        with open(source, "rb") as file:
            head = file.read(32)
    if not head and isinstance(source, str | Path):
        return UserError("{name} is empty. Choose another file.", name=shown)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_AND_AVIF:
        return UserError(
            "{name} is a HEIC or AVIF photo, which cannot be read here. Save it as JPEG or PNG.", name=shown
        )
    return UserError("{name} is not a picture that can be read. Use JPEG, PNG, WebP, GIF, BMP or TIFF.", name=shown)


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1, which is upright, where the file says nothing."""
    return int(image.getexif().get(0x0112, 1) or 1)


def shown_size(size: tuple[int, ...]) -> str:
    """(height, width, ...) as it is told to the user: "640 x 480", width first."""
    return f"{size[1]} x {size[0]}"


def upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF block says."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken EXIF block raises nearly anything, and is no reason to refuse a photo
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bit(np.asarray(image))).convert("RGB")
    if image.mode == "CMYK" and (profile := image.info.get("icc_profile")):
        # Where the profile is unusable, Pillow's own conversion below is close enough.
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return converted
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _to_8_bit(values: np.ndarray) -> np.ndarray:
    """Grey (H, W) of 16 or 32 bits or float -> uint8.

    Integers that fit 8, 12 or 16 bits are scaled by that depth, as cameras and microscopes store them;
    anything else is stretched from its smallest to its largest value.
    """
    depths = () if values.dtype.kind == "f" else (255, 4095, 65535)
    values = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    full_scales = [full for full in depths if low >= 0 and 1 < high <= full]
    low, high = (0.0, float(full_scales[0])) if full_scales else (low, high)
    if high == low:
        return np.zeros(values.shape, np.uint8)
    return np.rint((values - low) * (255 / (high - low))).astype(np.uint8)
