"""The pictures of a model card: pixels of what was given, names of their own, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from seg_demo.checkpoint import Checkpoint, load_checkpoint
from seg_demo.checkpoint.card import model_card
from seg_demo.classes import ClassMap
from seg_demo.data.procedural import ExampleNewts
from seg_demo.errors import UserError
from seg_demo.hub.pictures import LONGEST, MOST, NARROWEST, sample_pictures
from seg_demo.palettes import ADE20K, VOC
from seg_demo.viz.comparison import GAP
from seg_demo.viz.legend import draw_legend

SECRET = "Granny_at_the_lake_48.2082N"
RED, BLUE = (200, 30, 30), (30, 30, 200)


@pytest.fixture
def binary(tiny_checkpoint: Path) -> Checkpoint:
    return load_checkpoint(tiny_checkpoint)


@pytest.fixture
def pets(tiny_species_checkpoint: Path) -> Checkpoint:
    """A model of other things than newts."""
    checkpoint = load_checkpoint(tiny_species_checkpoint)
    classes = ClassMap.of("background", "cat", "犬")
    return replace(checkpoint, config=replace(checkpoint.config, classes=classes))


def photo(path: Path, width: int = 60, height: int = 40, **options: Any) -> Path:
    """Red at the left, blue at the right, as a camera stores it."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    image.save(path, **options)
    return path


def exif(orientation: int = 1) -> Image.Exif:
    found = Image.Exif()
    found[ExifTags.Base.Orientation] = orientation
    found[ExifTags.Base.ImageDescription] = SECRET
    found[ExifTags.Base.Artist] = SECRET
    found.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (48.0, 12.0, 29.5)
    return found


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_each_photo_beside_what_is_found_in_it(binary: Checkpoint, tmp_path: Path) -> None:
    given = [photo(tmp_path / f"{SECRET}-{number}.png") for number in range(MOST)]
    target = tmp_path / "out"
    target.mkdir()
    names = sample_pictures(binary, given, target)
    assert names == files(target) == ["samples/1.jpg", "samples/2.jpg", "samples/3.jpg", "samples/4.jpg"]
    with Image.open(target / names[0]) as picture:
        shown = np.asarray(picture.convert("RGB")).astype(int)
    # On white, as the picture is narrower than the names below it; the left half is the photo.
    left = (NARROWEST - (2 * 60 + GAP)) // 2
    assert np.abs(shown[5:35, left + 5 : left + 25] - RED).max() < 12
    assert np.abs(shown[5:35, left + 35 : left + 55] - BLUE).max() < 12
    assert (shown[:40, : left - 8] > 240).all()


def test_what_is_found_is_painted_and_named(pets: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seg_demo.infer.predictor import Predictor
    from seg_demo.infer.segmentation import Segmentation

    runs = []

    def predict(self: Predictor, image: np.ndarray) -> Segmentation:
        runs.append(self.device.type)
        label_map = np.zeros(image.shape[:2], np.uint8)
        label_map[:, image.shape[1] // 2 :] = 2
        return Segmentation(self.config.classes, "multiclass", label_map, label_map, None, 0.5)

    monkeypatch.setattr(Predictor, "__call__", predict)
    sample_pictures(pets, [photo(tmp_path / "a.png", 400, 300)], tmp_path)
    assert runs == ["cpu"]
    shown = np.asarray(Image.open(tmp_path / "samples/1.jpg").convert("RGB")).astype(int)
    color = np.array(pets.config.classes.colors[2])
    assert np.abs(shown[20:280, 400 + GAP + 10 : 400 + GAP + 190] - RED).max() < 12, "background is left as it is"
    assert np.abs(shown[20:280, 400 + GAP + 210 : 400 + GAP + 390] - (color + BLUE) / 2).max() < 12
    legend = np.asarray(draw_legend(pets.config.classes, 800 + GAP, [2], size=24)).astype(int)
    assert shown.shape[0] == 300 + len(legend)
    assert np.abs(shown[300:] - legend).mean() < 4


@pytest.mark.parametrize("orientation", [1, 6])
def test_nothing_of_a_photo_but_its_pixels(orientation: int, binary: Checkpoint, tmp_path: Path) -> None:
    given = photo(
        tmp_path / f"{SECRET}.jpg", exif=exif(orientation), comment=SECRET.encode(), quality=95, dpi=(300, 300)
    )
    with Image.open(given) as before:
        assert before.getexif().get_ifd(ExifTags.IFD.GPSInfo) and before.info["comment"]
    names = sample_pictures(binary, [given], tmp_path)
    card = model_card("m", binary.config, pictures=names)
    written = (tmp_path / names[0]).read_bytes()
    for secret in (SECRET, "Granny"):
        assert secret.encode() not in written
        assert secret not in card
    assert b"Exif" not in written
    with Image.open(tmp_path / names[0]) as after:
        assert not after.getexif()
        assert after.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert after.info["jfif_density"] == (1, 1)
        assert after.height > 60 if orientation == 6 else after.height >= 40, "upright, as the EXIF block said"
    assert f"]({names[0]})" in card


@given(st.integers(1, 3000), st.integers(1, 3000))
@settings(max_examples=12, deadline=None)
def test_no_side_is_longer_than_the_page_is_wide(
    tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory, width: int, height: int
) -> None:
    folder = tmp_path_factory.mktemp("pictures")
    checkpoint = load_checkpoint(tiny_checkpoint)
    small = replace(checkpoint.config.preprocessing, resize="exact", size=16)
    checkpoint = replace(checkpoint, config=replace(checkpoint.config, preprocessing=small))
    (name,) = sample_pictures(checkpoint, [photo(folder / "a.png", width, height)], folder)
    with Image.open(folder / name) as picture:
        assert picture.format == "JPEG"
        assert NARROWEST <= picture.width <= LONGEST and picture.height <= LONGEST


def test_a_model_of_newts_has_a_drawn_picture(binary: Checkpoint, tmp_path: Path) -> None:
    names = sample_pictures(binary, [], tmp_path)
    assert names == files(tmp_path) == ["samples/drawn.jpg"]
    assert "*Left a drawn picture, right what the model finds in it.*" in model_card("m", binary.config, pictures=names)
    drawn = Image.fromarray(ExampleNewts()[0].image).resize((510, 340), Image.Resampling.BILINEAR)
    with Image.open(tmp_path / names[0]) as picture:
        shown = np.asarray(picture.crop((0, 0, 510, 340))).astype(int)
    assert np.abs(shown - np.asarray(drawn)).mean() < 4


@pytest.mark.parametrize(
    "classes", [None, VOC, ADE20K, ClassMap.of(*(f"{'名' * 190}{number}" for number in range(255)))]
)
def test_any_other_model_has_a_picture_of_its_classes(
    classes: ClassMap | None, pets: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seg_demo.infer.predictor.Predictor.__call__", None)  # the model is not asked
    config = replace(pets.config, classes=classes or pets.config.classes)
    names = sample_pictures(replace(pets, config=config), [], tmp_path)
    assert names == files(tmp_path) == ["samples/classes.png"]
    with Image.open(tmp_path / names[0]) as picture:
        assert picture.width == LONGEST and picture.height <= LONGEST
        assert not picture.info
        colors = {color for _, color in picture.getcolors(1 << 20) or ()}
    assert {*config.classes.colors[:40]} <= colors
    card = model_card("m", config, pictures=names)
    assert "![The classes and their colours](samples/classes.png)" in card
    assert "*Left a" not in card


def test_a_legend_says_how_many_do_not_fit() -> None:
    classes = ClassMap.of(*(f"class number {number}" for number in range(30)))
    short, long = (np.asarray(draw_legend(classes, 640, rows=rows)) for rows in (2, None))
    assert len(short) < len(long)
    colors = {tuple(color) for color in short.reshape(-1, 3).tolist()}
    shown = [color in colors for color in classes.colors]
    assert 3 <= sum(shown) < 30 and shown == sorted(shown, reverse=True)
    few = np.asarray(draw_legend(classes, 640, range(sum(shown)), rows=2))
    assert few.shape == short.shape
    assert (few != short).any(), "what is left out is counted"


@pytest.mark.parametrize("width", [1, 40, 320])
def test_a_legend_of_long_names_stays_within_its_width(width: int) -> None:
    picture = np.asarray(draw_legend(ClassMap.of("W" * 200, "猫" * 200), width, size=24))
    assert picture.shape[1] == width
    if width == 320:
        assert (picture[:, -10:] == 255).all()


def test_too_many_and_unreadable_pictures(binary: Checkpoint, tmp_path: Path) -> None:
    given = [photo(tmp_path / f"{number}.png") for number in range(MOST + 1)]
    with pytest.raises(
        UserError, match=r"^5 pictures were given, but a model card shows 4 at most\. Leave some out\.$"
    ):
        sample_pictures(binary, given, tmp_path)
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    with pytest.raises(UserError, match="notes.txt is not a picture that can be read"):
        sample_pictures(binary, [given[0], text], tmp_path)
    assert not (tmp_path / "samples").exists()
