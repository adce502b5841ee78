"""Reading pictures: every usual kind becomes the same RGB, everything else becomes a sentence."""

from __future__ import annotations

import io
import struct
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from seg_demo.data.images import read_image
from seg_demo.errors import UserError

# Four even quarters and a grey dot: no two of its eight orientations are the same.
PICTURE = np.zeros((24, 40, 3), np.uint8)
PICTURE[:12, :20], PICTURE[:12, 20:], PICTURE[12:, :20] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
PICTURE[16:20, 30:34] = 128


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file of these chunks."""
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def encoded(image: Image.Image, kind: str, **options: Any) -> io.BytesIO:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    buffer.seek(0)
    return buffer


# EXIF tag 274 -> how the stored pixels are made from the upright ones.
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", TURNS)
def test_exif_rotation(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    stored = Image.fromarray(np.ascontiguousarray(TURNS[orientation](PICTURE)))
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    image = read_image(encoded(stored, kind, exif=exif, **options))
    assert image.shape == PICTURE.shape
    assert np.abs(image.astype(int) - PICTURE).max() <= (3 if kind == "JPEG" else 0)


def rgba(alpha: int) -> Image.Image:
    return Image.fromarray(np.dstack([PICTURE, np.full(PICTURE.shape[:2], alpha, np.uint8)]))


GREY = np.arange(24 * 40, dtype=np.uint8).reshape(24, 40)


def transparent_palette() -> Image.Image:
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.info["transparency"] = 1
    return image


SOLID = Image.fromarray(PICTURE)
LA = np.dstack([GREY, np.where(GREY < 128, 255, 0).astype(np.uint8)])

CONVERSIONS: list[tuple[str, Image.Image, str, dict[str, Any], np.ndarray, int]] = [
    ("RGB PNG", SOLID, "PNG", {}, PICTURE, 0),
    ("interlaced by rows GIF", SOLID.quantize(), "GIF", {"interlace": 1}, PICTURE, 0),
    ("BMP", SOLID, "BMP", {}, PICTURE, 0),
    ("PPM", SOLID, "PPM", {}, PICTURE, 0),
    ("WebP", SOLID, "WEBP", {"lossless": True}, PICTURE, 0),
    ("TIFF", SOLID, "TIFF", {}, PICTURE, 0),
    ("TIFF, LZW", SOLID, "TIFF", {"compression": "tiff_lzw"}, PICTURE, 0),
    ("JPEG", SOLID, "JPEG", {"quality": 100, "subsampling": 0}, PICTURE, 3),
    ("progressive JPEG", SOLID, "JPEG", {"quality": 100, "subsampling": 0, "progressive": True}, PICTURE, 3),
    ("CMYK JPEG", SOLID.convert("CMYK"), "JPEG", {"quality": 100, "subsampling": 0}, PICTURE, 4),
    ("CMYK TIFF", SOLID.convert("CMYK"), "TIFF", {}, PICTURE, 0),
    (
        "TIFF, JPEG",
        Image.new("RGB", (40, 24), (9, 90, 200)),
        "TIFF",
        {"compression": "jpeg", "quality": 100},
        np.full((24, 40, 3), (9, 90, 200)),
        3,
    ),
    ("palette PNG", SOLID.quantize(), "PNG", {}, PICTURE, 0),
    ("opaque RGBA", rgba(255), "PNG", {}, PICTURE, 0),
    ("clear RGBA on white", rgba(0), "PNG", {}, np.full_like(PICTURE, 255), 0),
    ("half clear RGBA on white", rgba(128), "PNG", {}, 255 - np.rint((255 - PICTURE) * (128 / 255)), 1),
    ("half clear RGBA WebP", rgba(128), "WEBP", {"lossless": True}, 255 - np.rint((255 - PICTURE) * (128 / 255)), 1),
    ("grey", Image.fromarray(GREY), "PNG", {}, np.dstack([GREY] * 3), 0),
    ("grey and alpha on white", Image.fromarray(LA), "PNG", {}, np.dstack([np.where(GREY < 128, GREY, 255)] * 3), 0),
    ("1 bit", Image.fromarray(GREY > 99), "PNG", {}, np.dstack([(GREY > 99) * 255] * 3), 0),
    (
        "1 bit TIFF",
        Image.fromarray(GREY > 99),
        "TIFF",
        {"compression": "group4"},
        np.dstack([(GREY > 99) * 255] * 3),
        0,
    ),
    (
        "palette with a clear colour",
        transparent_palette(),
        "PNG",
        {},
        np.array([[(10, 20, 30), (255,) * 3], [(255,) * 3, (10, 20, 30)]]),
        0,
    ),
    ("one pixel", Image.new("RGB", (1, 1), (7, 8, 9)), "PNG", {}, np.array([[[7, 8, 9]]]), 0),
    ("one grey pixel", Image.new("L", (1, 1), 7), "BMP", {}, np.array([[[7, 7, 7]]]), 0),
    ("one row", Image.new("RGB", (300, 1), (7, 8, 9)), "PNG", {}, np.full((1, 300, 3), (7, 8, 9)), 0),
]


@pytest.mark.parametrize(
    ("name", "image", "kind", "options", "expected", "error"), CONVERSIONS, ids=[row[0] for row in CONVERSIONS]
)
def test_conversions(
    name: str, image: Image.Image, kind: str, options: dict[str, Any], expected: np.ndarray, error: int
) -> None:
    read = read_image(encoded(image, kind, **options))
    assert read.dtype == np.uint8, name
    assert read.flags["C_CONTIGUOUS"]
    assert read.shape == expected.shape, name
    assert np.abs(read.astype(int) - expected.astype(int)).max() <= error, name
    read[0, 0] = 1  # The caller's own, and writable.


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize(("bits", "full"), [(8, 255), (12, 4095), (16, 65535)])
def test_deep_grey_is_scaled_by_its_depth(kind: str, bits: int, full: int) -> None:
    values = np.linspace(0, full * 0.9, 24 * 40).reshape(24, 40).astype(np.uint16)
    read = read_image(encoded(Image.fromarray(values), kind))
    assert np.array_equal(read, np.dstack([np.rint(values * (255 / full))] * 3)), bits


def test_big_endian_tiff_and_negative_integers() -> None:
    ramp = np.arange(6, dtype=np.int32).reshape(2, 3) * 1000 - 2000
    read = read_image(encoded(Image.fromarray(ramp), "TIFF"))
    assert read[..., 0].tolist() == [[0, 51, 102], [153, 204, 255]]
    header = b"MM\0*" + struct.pack(">I", 8)
    entries = [
        (256, 3, 2),
        (257, 3, 1),
        (258, 3, 16),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 122),
        (278, 3, 1),
        (279, 4, 4),
    ]
    table = struct.pack(">H", len(entries)) + b"".join(
        struct.pack(">HHI", tag, kind, 1) + (struct.pack(">HH", value, 0) if kind == 3 else struct.pack(">I", value))
        for tag, kind, value in entries
    )
    data = (header + table + bytes(4)).ljust(122, b"\0") + struct.pack(">HH", 0, 0xFF00)
    assert read_image(io.BytesIO(data))[..., 0].tolist() == [[0, 254]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[0.0, 0.5, 1.0]], [[0, 128, 255]]),
        ([[0.0, 1.0, 4.0]], [[0, 64, 255]]),
        ([[-1.0, 0.0, 1.0]], [[0, 128, 255]]),
        ([[3.0, 3.0, 3.0]], [[0, 0, 0]]),
        ([[float("nan"), 0.0, 2.0]], [[0, 0, 255]]),
        ([[0.0, 1e30, 1e30]], [[0, 255, 255]]),
    ],
)
def test_float_tiff_is_stretched(values: list[list[float]], expected: list[list[int]]) -> None:
    read = read_image(encoded(Image.fromarray(np.array(values, np.float32)), "TIFF"))
    assert read[..., 0].tolist() == expected


def test_16_bit_rgb_png() -> None:
    row = b"\0" + struct.pack(">6H", 0xFF00, 0x8000, 0x0000, 0x1234, 0xFFFF, 0x00FF)
    data = png((b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(row)), (b"IEND", b""))
    read = read_image(io.BytesIO(data))
    assert np.abs(read.astype(int) - [[[255, 128, 0], [18, 255, 0]]]).max() <= 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation(kind: str) -> None:
    frames = [Image.new("RGB", (40, 24), color) for color in ((0, 0, 255), (0, 255, 0), (255, 0, 0))]
    options = {"lossless": True} if kind == "WEBP" else {}
    read = read_image(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    assert (read == (0, 0, 255)).all()


def test_phone_photo_of_several_pictures() -> None:
    """MPO: a JPEG with a second picture behind it, which many phones write under the name .jpg."""
    data = encoded(SOLID, "MPO", save_all=True, append_images=[Image.new("RGB", (40, 24))], quality=100, subsampling=0)
    assert np.abs(read_image(data).astype(int) - PICTURE).max() <= 3


def test_a_cmyk_profile_that_is_none() -> None:
    for profile in (b"no profile", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()):
        data = encoded(SOLID.convert("CMYK"), "JPEG", quality=100, subsampling=0, icc_profile=profile)
        assert np.abs(read_image(data).astype(int) - PICTURE).max() <= 4


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0II*\0" + bytes(range(60)),
        b"Exif\0\0" + b"\xff" * 80,
        # Orientation of a wrong type: a text, a fraction of zero, 77.
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x046\0\0\0\0\0\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x05\0\0\0\x01\0\0\0\x1a\0\0\0\0" + bytes(8),
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x4d\0\0\0\0\0\0",
    ],
)
def test_broken_exif_is_no_reason_to_refuse(exif: bytes) -> None:
    read = read_image(encoded(SOLID, "JPEG", quality=100, subsampling=0, exif=exif))
    assert np.abs(read.astype(int) - PICTURE).max() <= 3


REFUSED: list[tuple[str, bytes, str]] = [
    ("empty.jpg", b"", "empty.jpg is empty. Choose another file."),
    ("notes.txt", b"hello", "notes.txt is not a picture that can be read."),
    ("photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "photo.heic is a HEIC or AVIF photo"),
    ("photo.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "photo.avif is a HEIC or AVIF photo"),
    ("film.heics", b"\0\0\0\x18ftyphevc\0\0\0\0", "film.heics is a HEIC or AVIF photo"),
    ("film.avifs", b"\0\0\0\x18ftypavis\0\0\0\0", "film.avifs is a HEIC or AVIF photo"),
    ("film.mp4", b"\0\0\0\x18ftypisom\0\0\0\0", "film.mp4 is not a picture that can be read."),
    ("plot.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "plot.eps is not a picture that can be read."),
    ("plot.pdf", b"%PDF-1.7\n", "plot.pdf is not a picture that can be read."),
    ("plot.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "plot.svg is not a picture that can be read."),
    ("page.jpg", b"<!DOCTYPE html><html>Not found</html>", "page.jpg is not a picture that can be read."),
    ("a.zip", b"PK\x03\x04" + bytes(40), "a.zip is not a picture that can be read."),
    ("half.png", encoded(SOLID, "PNG").getvalue()[:60], "half.png is damaged or cut off and cannot be decoded."),
    ("half.jpg", encoded(SOLID, "JPEG").getvalue()[:-200], "half.jpg is damaged or cut off and cannot be decoded."),
]


@pytest.mark.parametrize(("name", "content", "sentence"), REFUSED, ids=[name for name, _, _ in REFUSED])
def test_refused(name: str, content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    for source in (tmp_path / name, str(tmp_path / name)):
        with pytest.raises(UserError) as caught:
            read_image(source)
        assert str(caught.value).startswith(sentence)
        assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.png does not exist\. Check the path"):
        read_image(tmp_path / "nowhere.png")
    with pytest.raises(UserError, match=r"^cat\.png does not exist"):
        read_image(tmp_path / "upload-1234", name="cat.png")
    with pytest.raises(UserError, match=r"is a folder, not a picture\. Give the files in it"):
        read_image(tmp_path)
    with pytest.raises(UserError, match=r"cannot be opened \(File name too long\)"):
        read_image("x" * 5000)
    with pytest.raises(UserError):
        read_image("a\0b.png")


def test_names_in_sentences(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello")
    with pytest.raises(UserError, match=r"^\{cat\} is not a picture"):
        read_image(tmp_path / "x", name="{cat}")
    with pytest.raises(UserError, match="^The picture is not a picture"):
        read_image(io.BytesIO(b"hello"))


@pytest.mark.parametrize("size", [(30_000, 30_000), (64_001, 1_000), (1_001, 64_000)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    width, height = size
    start = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = png((b"IHDR", start), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    clock = time.perf_counter()
    wanted = rf"has {width} x {height} pixels \(\d+ megapixels\), more than the 64 that fit|has many times the 64 mega"
    with pytest.raises(UserError, match=wanted):
        read_image(io.BytesIO(data))
    assert time.perf_counter() - clock < 0.5


def test_a_gif_may_not_hide_its_size_in_a_frame() -> None:
    """The frame of a GIF may be larger than the screen that its header tells."""
    data = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    data += b"," + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0) + b"\x02\x02\x44\x01\0;"
    with pytest.raises(UserError, match=r"has many times the 64 megapixels"):
        read_image(io.BytesIO(data))


def test_the_limit_can_be_set() -> None:
    assert read_image(encoded(SOLID, "PNG"), max_pixels=960).shape == PICTURE.shape
    with pytest.raises(UserError, match=r"has 40 x 24 pixels"):
        read_image(encoded(SOLID, "PNG"), max_pixels=959)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_cut_off_files(kind: str) -> None:
    """Whatever is missing: a sentence, or the whole picture where only the end mark has gone."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind).getvalue()
    whole = read_image(io.BytesIO(data))
    lengths = {*range(1, 40), *range(40, len(data), len(data) // 60), *range(len(data) - 30, len(data))}
    for length in sorted(lengths):
        try:
            read = read_image(io.BytesIO(data[:length]))
        except UserError as error:
            assert str(error).endswith(".")
        else:
            assert length > len(data) * 0.9, f"{length} of {len(data)} bytes were taken for a picture"
            assert np.array_equal(read, whole)


def _seeds() -> list[bytes]:
    small = SOLID.resize((9, 7))
    kinds = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM")
    seeds = [encoded(small, kind).getvalue() for kind in kinds]
    deep = Image.fromarray(np.arange(63, dtype=np.uint16).reshape(7, 9) * 900)
    frames = [small, small.rotate(180)]
    exif = Image.Exif()
    exif[274], exif[270] = 6, "a text"
    return [
        *seeds,
        encoded(deep, "PNG").getvalue(),
        encoded(deep, "TIFF", compression="tiff_adobe_deflate").getvalue(),
        encoded(small.quantize(), "PNG", transparency=0).getvalue(),
        encoded(small.convert("CMYK"), "JPEG").getvalue(),
        encoded(small.convert("CMYK"), "TIFF", compression="jpeg").getvalue(),
        encoded(small, "JPEG", exif=exif).getvalue(),
        encoded(small, "PNG", exif=exif).getvalue(),
        encoded(rgba(9).resize((9, 7)), "WEBP").getvalue(),
        *(
            encoded(frames[0], kind, save_all=True, append_images=frames[1:]).getvalue()
            for kind in ("GIF", "PNG", "MPO")
        ),
    ]


SEEDS = _seeds()


def picture_or_sentence(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read = read_image(io.BytesIO(data), max_pixels=1_000_000)
        except UserError:
            return
    assert read.ndim == 3
    assert read.shape[2] == 3
    assert read.dtype == np.uint8
    assert read.size > 0


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_bytes_are_a_picture_or_a_sentence(data: st.DataObject) -> None:
    spoiled = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 6))):
        spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(
            st.sampled_from([0, 1, 127, 128, 255]) | st.integers(0, 255)
        )
    picture_or_sentence(bytes(spoiled[: data.draw(st.just(len(spoiled)) | st.integers(1, len(spoiled)))]))


MAGIC = [
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"P6\n",
    b"RIFF\x40\0\0\0WEBPVP8 ",
]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(magic=st.sampled_from(MAGIC), rest=st.binary(max_size=200))
def test_any_bytes_behind_a_magic_are_a_picture_or_a_sentence(magic: bytes, rest: bytes) -> None:
    picture_or_sentence(magic + rest)
