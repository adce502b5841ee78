"""The newts data set: both ways its masks are stored, its splits, and what it says about a folder that is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg_demo.data.dataset import fingerprint
from seg_demo.data.masks import decode_colors
from seg_demo.data.newts import Newts
from seg_demo.errors import UserError

BINARY = np.zeros((6, 9), np.uint8)
BINARY[1:4, 2:7] = 1


def write_mask(path: Path, color: tuple[int, int, int], *, palette: bool) -> None:
    rgb = np.zeros((*BINARY.shape, 3), np.uint8)
    rgb[BINARY == 1] = color
    mask = Image.fromarray(rgb)
    (mask.quantize(4) if palette else mask).save(path)


@pytest.fixture
def newts(tmp_path: Path) -> Path:
    """Eight photos of each species to train, three of each to test; masks of every kind that occurs."""
    for split, count in (("train", 8), ("test", 3)):
        for species in ("akahara", "madara"):
            photos = tmp_path / split / "images" / species
            masks = tmp_path / split / "seg_images" / species
            photos.mkdir(parents=True)
            masks.mkdir(parents=True)
            for number in range(1, count + 1):
                Image.new("RGB", (9, 6), (number, 9, 9)).save(photos / f"{species}_{number}.jpg")
                level = 127 + number % 2
                color = (level, 0, 0) if species == "akahara" else (0, level, 0)
                write_mask(masks / f"{species}_{number}.png", color, palette=number > 2)
    return tmp_path


@pytest.mark.parametrize(("split", "count"), [("train", 12), ("val", 4), ("trainval", 16), ("test", 6)])
def test_splits(split: str, count: int, newts: Path) -> None:
    data_set = Newts(newts, split)
    assert len(data_set) == len(list(data_set)) == count
    names = [sample.name for sample in data_set]
    assert sum(name.startswith("akahara") for name in names) == count / 2


def test_splits_are_disjoint_and_repeatable(newts: Path) -> None:
    train, val, both, test = (Newts(newts, split).photos for split in ("train", "val", "trainval", "test"))
    assert not {*train} & {*val}
    assert {*train} | {*val} == {*both}
    assert not {*both} & {*test}
    assert fingerprint(list(Newts(newts))) == fingerprint(list(Newts(newts)))
    assert fingerprint(list(Newts(newts, "val"))) != fingerprint(list(Newts(newts, "train")))


def test_label_maps(newts: Path) -> None:
    for sample in Newts(newts, "trainval"):
        assert sample.image.shape == (6, 9, 3)
        assert sample.label_map.dtype == np.uint8
        assert np.array_equal(sample.label_map, BINARY)
    for sample in Newts(newts, "trainval", species=True):
        assert np.array_equal(sample.label_map, BINARY * (1 if "akahara" in sample.name else 2))
    assert Newts(newts).classes.names == ("background", "newt")
    assert Newts(newts, species=True).classes.names == ("background", "akahara", "madara")


def test_a_fingerprint_sees_names_pictures_and_label_maps(newts: Path) -> None:
    samples = list(Newts(newts, "val"))
    other = samples[0].label_map.copy()
    other[0, 0] = 1
    variants = [
        samples,
        samples[::-1],
        [samples[0]._replace(name="x"), *samples[1:]],
        [samples[0]._replace(label_map=other), *samples[1:]],
        [samples[0]._replace(image=samples[0].image + 1), *samples[1:]],
    ]
    assert len({fingerprint(variant) for variant in variants}) == len(variants)


MASK = "train/seg_images/akahara/akahara_1.png"


def no_photos(root: Path) -> None:
    for photo in (root / "train/images/madara").iterdir():
        photo.unlink()


def smooth(root: Path) -> None:
    image = np.zeros((6, 9, 3), np.uint8)
    image[0, :3], image[1, 0] = (64, 0, 0), (0, 0, 1)
    Image.fromarray(image).save(root / MASK)


ERRORS = [
    (lambda root: (root / MASK).unlink(), r"akahara_1\.png does not exist"),
    (no_photos, r"images/madara holds no \.jpg photos\. Give the folder of the newts that holds train/ and test/"),
    (smooth, r"akahara_1\.png holds the colour \(64, 0, 0\) in 3 pixels, but no class has it\. Save the mask without"),
    (
        lambda root: Image.new("RGB", (6, 9)).save(root / MASK),
        r"akahara_1\.png is 6 x 9 pixels but its photo is 9 x 6\.",
    ),
    (lambda root: (root / MASK).write_text("none"), r"akahara_1\.png is not a picture that can be read"),
    (
        lambda root: (root / "train/images/akahara/akahara_1.jpg").write_bytes(b""),
        r"akahara_1\.jpg is empty\. Choose another file",
    ),
]


@pytest.mark.parametrize(("spoil", "sentence"), ERRORS, ids=[sentence[:30] for _, sentence in ERRORS])
def test_errors(spoil: Callable[[Path], object], sentence: str, newts: Path) -> None:
    spoil(newts)
    with pytest.raises(UserError, match=sentence):
        list(Newts(newts))


def test_wrong_arguments(newts: Path) -> None:
    with pytest.raises(UserError, match=r"holds no \.jpg photos"):
        Newts(newts / "nowhere")
    with pytest.raises(UserError, match=r'There is no split of the newts "tets"\. Did you mean "test"\?'):
        Newts(newts, "tets")


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ([[(0, 0, 0), (127, 0, 0)]], [[0, 1]]),
        ([[(0, 127, 0)], [(0, 0, 0)]], [[2], [0]]),
        ([[(255, 255, 255)]], [[9]]),
    ],
)
def test_decode_colors(pixels: list, expected: list) -> None:
    ids = {(0, 0, 0): 0, (127, 0, 0): 1, (0, 127, 0): 2, (255, 255, 255): 9}
    label_map = decode_colors(np.array(pixels, np.uint8), ids, "mask.png")
    assert label_map.dtype == np.uint8
    assert label_map.tolist() == expected


def test_decode_colors_names_the_most_frequent_unknown_color() -> None:
    pixels = np.array([[(1, 2, 3), (4, 5, 6), (4, 5, 6), (0, 0, 0)]], np.uint8)
    sentence = "mask.png holds the colour (4, 5, 6) in 2 pixels, but no class has it."
    with pytest.raises(UserError, match=re.escape(sentence)):
        decode_colors(pixels, {(0, 0, 0): 0}, "mask.png")


@pytest.mark.parametrize(("split", "count"), [("train", 12), ("val", 4), ("trainval", 16), ("test", 6)])
def test_real_photos(split: str, count: int, real_data: Path) -> None:
    binary, species = (Newts(real_data / "newts", split, species=species) for species in (False, True))
    assert len(binary) == len(species) == count
    for number in range(0, count, 3):
        one, other = binary[number], species[number]
        assert one.image.shape[:2] == one.label_map.shape == other.label_map.shape
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.label_map > 0, other.label_map > 0)
        assert set(np.unique(other.label_map)) == {0, 1 if species.photos[number].parent.name == "akahara" else 2}
        assert 0.001 < one.label_map.mean() < 0.9
