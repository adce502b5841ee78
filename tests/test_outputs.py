"""The files of a segmentation: masks whose integers are the class ids, overlays, areas."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg_demo.classes import ClassMap
from seg_demo.data.masks import palette_image
from seg_demo.errors import UserError
from seg_demo.infer.outputs import SUFFIXES, describe, unique_stems, write_outputs
from seg_demo.infer.segmentation import Segmentation
from seg_demo.palettes import CLASS_MAPS, NEWTS_BINARY
from seg_demo.viz.overlay import borders, overlay

THREE = ClassMap(("background", '猫 "cat"', "dog"), ((0, 0, 0), (200, 10, 20), (1, 2, 3)))


def random_label_map(height: int, width: int, count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, count, (height, width), np.uint8)


def segmentation(label_map: np.ndarray, classes: ClassMap = THREE) -> Segmentation:
    if len(classes) == 2:
        return Segmentation.from_probabilities(classes, label_map[None] * np.uint8(200), 0.75)
    return Segmentation(classes, "multiclass", label_map, np.full_like(label_map, 255), None, 0.5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", CLASS_MAPS)
def test_a_mask_holds_the_class_ids(name: str, tmp_path: Path) -> None:
    classes = CLASS_MAPS[name]
    label_map = random_label_map(37, 53, len(classes))
    image = np.full((37, 53, 3), 90, np.uint8)
    mask, blended, _ = write_outputs(segmentation(label_map, classes), image, tmp_path / "new" / "out", "a", "model")
    with Image.open(mask) as opened:
        assert opened.mode == "P"
        assert np.array_equal(np.asarray(opened), label_map)
        palette = np.array(opened.getpalette("RGB")).reshape(-1, 3)
        assert palette[: len(classes)].tolist() == [list(color) for color in classes.colors]
        assert np.array_equal(np.asarray(opened.convert("RGB")), classes.colorize(label_map))
    with Image.open(blended) as opened:
        assert np.array_equal(np.asarray(opened), overlay(image, label_map, classes))


def test_the_whole_palette_is_kept() -> None:
    """A viewer needs the colour of ignored pixels as well."""
    label_map = np.array([[0, 1, 255]], np.uint8)
    assert palette_image(label_map, THREE).convert("RGB").getpixel((2, 0)) == (255, 255, 255)
    assert palette_image(label_map[:, ::-1], THREE).getpixel((0, 0)) == 255


def test_areas(tmp_path: Path) -> None:
    label_map = random_label_map(20, 30, 3)
    *_, areas = write_outputs(segmentation(label_map), np.zeros((20, 30, 3), np.uint8), tmp_path, "a", "my model")
    text = areas.read_text("utf-8")
    assert "猫" in text
    document = json.loads(text)
    assert {key: document[key] for key in ("model", "task", "width", "height")} == {
        "model": "my model", "task": "multiclass", "width": 30, "height": 20,
    }  # fmt: skip
    assert "threshold" not in document
    assert [entry["id"] for entry in document["classes"]] == [0, 1, 2]
    assert [entry["name"] for entry in document["classes"]] == list(THREE.names)
    assert [entry["color"] for entry in document["classes"]] == ["#000000", "#c80a14", "#010203"]
    assert [entry["pixels"] for entry in document["classes"]] == [(label_map == number).sum() for number in range(3)]
    assert sum(entry["pixels"] for entry in document["classes"]) == 600
    assert sum(entry["share"] for entry in document["classes"]) == pytest.approx(1, abs=2e-6)


def test_areas_of_the_task_binary_tell_the_threshold() -> None:
    document = describe(segmentation(np.array([[0, 1, 1]], np.uint8), NEWTS_BINARY), "model")
    assert (document["threshold"], document["level"]) == (0.75, 192)
    assert [entry["pixels"] for entry in document["classes"]] == [1, 2]


@pytest.mark.parametrize(
    ("paths", "stems"),
    [
        ([], []),
        (["a/cat.png", "b/cat.jpg"], ["cat", "cat-2"]),
        (["cat.png"] * 3, ["cat", "cat-2", "cat-3"]),
        (["cat.png", "cat-2.png", "cat.jpg"], ["cat", "cat-2", "cat-3"]),
        (["cat-2.png", "cat.png", "cat.jpg"], ["cat-2", "cat", "cat-3"]),
        (["Cat.png", "cat.jpg", "CAT-2.jpg"], ["Cat", "cat-2", "CAT-2-2"]),
        (["photo.of.me.jpg", "photo.of.jpg"], ["photo.of.me", "photo.of"]),
        (["猫.png", "猫.jpg"], ["猫", "猫-2"]),
        (["", ""], ["picture", "picture-2"]),
    ],
)
def test_unique_stems(paths: list[str], stems: list[str]) -> None:
    assert unique_stems([Path(path) for path in paths]) == stems


def test_no_two_pictures_share_a_file() -> None:
    stems = unique_stems([Path(name) for name in ("a.mask.png", "a.png", "a.overlay.png", "a.json", "a.mask")])
    names = [stem + suffix for stem in stems for suffix in SUFFIXES]
    assert len({name.casefold() for name in names}) == len(names)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(
            UserError, match=r"The results could not be written to .*file.* \(.+\)\. Choose another fol"
        ):
            write_outputs(segmentation(np.zeros((2, 2), np.uint8)), np.zeros((2, 2, 3), np.uint8), folder, "a", "m")
    with pytest.raises(UserError, match=r"\(File name too long\)"):
        write_outputs(segmentation(np.zeros((2, 2), np.uint8)), np.zeros((2, 2, 3), np.uint8), tmp_path, "a" * 300, "m")


# Overlays


@pytest.mark.parametrize("opacity", [0.0, 0.25, 0.5, 1.0])
def test_overlay(opacity: float) -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    label_map = np.zeros((40, 60), np.uint8)
    label_map[5:30, 10:50] = 1
    label_map[8:20, 20:40] = 255
    before = image.copy()
    mixed = overlay(image, label_map, THREE, opacity)
    assert mixed.dtype == np.uint8
    assert np.array_equal(image, before)
    painted = label_map == 1
    assert np.array_equal(mixed[~painted], image[~painted])
    edge = borders(label_map) & painted
    assert edge.any()
    assert (mixed[edge] == THREE.colors[1]).all()
    inside = painted & ~edge
    expected = image[inside] * (1 - opacity) + np.array(THREE.colors[1]) * opacity
    assert np.abs(mixed[inside] - expected).max() <= 0.51


def test_borders_against_a_plain_loop() -> None:
    label_map = random_label_map(9, 11, 3)
    expected = np.zeros((9, 11), bool)
    for y in range(9):
        for x in range(11):
            for other_y, other_x in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= other_y < 9 and 0 <= other_x < 11:
                    expected[y, x] |= label_map[y, x] != label_map[other_y, other_x]
    assert np.array_equal(borders(label_map), expected)
    assert not borders(np.ones((1, 1), np.uint8)).any()
