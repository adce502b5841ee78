"""Label files of every kind are read by what they are, and their values decoded by what they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg_demo.classes import ClassMap
from seg_demo.data.decoding import Reading, find_reading
from seg_demo.data.masks import Decoding, LabelFile, palette_image, read_label_file
from seg_demo.data.survey import look_at_label
from seg_demo.errors import UserError
from seg_demo.palettes import CAMVID, VOC

IDS = np.zeros((40, 60), np.uint8)  # background, two classes of which the first is larger
IDS[5:30, 5:30] = 1
IDS[10:25, 40:55] = 2
BINARY = (IDS > 0).astype(np.uint8)
THREE = ClassMap(("background", "cat", "dog"), ((0, 0, 0), (200, 0, 0), (0, 0, 200)))


def save(folder: Path, image: Image.Image, name: str = "label.png") -> Path:
    image.save(folder / name)
    return folder / name


def grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8))


def colored(colors: list[tuple[int, int, int]], ids: np.ndarray = IDS) -> np.ndarray:
    return np.array(colors, np.uint8)[ids]


def with_alpha(rgb: np.ndarray, opaque: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([rgb, np.where(opaque, 255, 0).astype(np.uint8)]))


def read(*paths: Path, classes: ClassMap | None = None, given: bool = False) -> tuple[Reading, list[np.ndarray]]:
    reading = find_reading([look_at_label(path) for path in paths], classes, colors_given=given)
    return reading, [reading.decoding.decode(read_label_file(path), path.name) for path in paths]


def in_palette(order: list[int], colors: list[tuple[int, int, int]]) -> Image.Image:
    """IDS as a palette file in which class i has index order[i] and colour colors[i]."""
    image = Image.fromarray(np.array(order, np.uint8)[IDS], mode="P")
    palette = np.zeros((256, 3), np.uint8)
    palette[order] = colors
    image.putpalette(palette.tobytes())
    return image


RGB = colored([(0, 0, 0), (128, 0, 0), (0, 128, 0)])
KINDS = [
    ("grey ids", grey(IDS), "grey", IDS),
    ("palette by index", palette_image(IDS, THREE), "palette", IDS),
    ("1-bit", Image.fromarray(BINARY * 255).convert("1"), "1-bit", BINARY),
    ("0 and 255", grey(BINARY * 255), "grey", BINARY),
    ("0 and 128", grey(BINARY * 128), "grey", BINARY),
    ("grey levels", grey(IDS * 100), "grey", IDS),
    ("16-bit ids", Image.fromarray(IDS.astype(np.uint16)), "16-bit", IDS),
    ("16-bit levels", Image.fromarray(IDS.astype(np.uint16) * 30000), "16-bit", IDS),
    ("RGB by colours found", Image.fromarray(RGB), "rgb", IDS),
    ("RGB of grey ids", Image.fromarray(np.dstack([IDS] * 3)), "rgb", IDS),
    ("RGB of 0 and 255", Image.fromarray(np.dstack([BINARY * 255] * 3)), "rgb", BINARY),
    ("RGBA, the background transparent", with_alpha(np.where(IDS[..., None] > 0, RGB, 77), IDS > 0), "rgba", IDS),
    ("black on nothing: the transparency is the mask", with_alpha(RGB * 0, IDS > 0), "grey", BINARY),
    ("levels 0, 127, 255", grey(np.array([0, 127, 255])[IDS]), "grey", IDS),
    ("levels 0, 20, 40", grey(IDS * 20), "grey", IDS),
    ("white is a class", Image.fromarray(colored([(0, 0, 0), (255, 255, 255), (0, 0, 200)])), "rgb", IDS),
    ("grey with transparency", Image.merge("LA", (grey(IDS), grey(IDS * 0 + 9))), "grey", IDS),
]


@pytest.mark.parametrize(("image", "kind", "wanted"), [row[1:] for row in KINDS], ids=[row[0] for row in KINDS])
def test_a_label_file_is_decoded_by_what_it_is(
    tmp_path: Path, image: Image.Image, kind: str, wanted: np.ndarray
) -> None:
    path = save(tmp_path, image)
    assert read_label_file(path).kind == kind
    _, (label_map,) = read(path)
    assert label_map.dtype == np.uint8
    np.testing.assert_array_equal(label_map, wanted)


def test_ignored_pixels_stay_ignored(tmp_path: Path) -> None:
    ids = IDS.copy()
    ids[0] = 255
    _, (label_map,) = read(save(tmp_path, grey(ids)))
    np.testing.assert_array_equal(label_map, ids)


def test_colours_that_are_given_decide(tmp_path: Path) -> None:
    swapped = colored([(0, 0, 0), (0, 0, 200), (200, 0, 0)])
    reading, (label_map,) = read(save(tmp_path, Image.fromarray(swapped)), classes=THREE, given=True)
    np.testing.assert_array_equal(label_map, np.array([0, 2, 1], np.uint8)[IDS])
    assert reading.classes is THREE and reading.guess == "none"


def test_colours_of_a_known_data_set_are_recognised(tmp_path: Path) -> None:
    rgb = np.array(CAMVID.colors, np.uint8)[IDS + 3]
    reading, (label_map,) = read(save(tmp_path, Image.fromarray(rgb)))
    assert reading.classes is CAMVID
    np.testing.assert_array_equal(label_map, IDS + 3)


def test_colours_of_named_classes_are_guessed_and_it_is_said(tmp_path: Path) -> None:
    named = ClassMap.of("background", "cat", "dog")
    reading, (label_map,) = read(save(tmp_path, Image.fromarray(RGB)), classes=named)
    assert reading.guess == "likely"
    np.testing.assert_array_equal(label_map, IDS)


def test_colours_numbered_as_voc_does_keep_that_order(tmp_path: Path) -> None:
    """LabelMe and CVAT number their colours so, even where the second class is larger than the first."""
    _, (label_map,) = read(save(tmp_path, Image.fromarray(np.array(VOC.colors, np.uint8)[np.array([0, 2, 1])[IDS]])))
    np.testing.assert_array_equal(label_map, np.array([0, 2, 1], np.uint8)[IDS])


def test_palettes_that_differ_are_read_by_colour(tmp_path: Path) -> None:
    colors = [(0, 0, 0), (128, 0, 0), (0, 128, 0)]
    first = save(tmp_path, in_palette([0, 1, 2], colors), "a.png")
    second = save(tmp_path, in_palette([2, 0, 1], colors), "b.png")
    reading, label_maps = read(first, second)
    assert any("do not share one palette" in reason for reason in reading.reasons)
    for label_map in label_maps:
        np.testing.assert_array_equal(label_map, IDS)


def test_a_palette_with_the_given_colours_elsewhere_is_read_by_colour(tmp_path: Path) -> None:
    path = save(tmp_path, in_palette([7, 3, 5], list(THREE.colors)))
    _, (label_map,) = read(path, classes=THREE, given=True)
    np.testing.assert_array_equal(label_map, IDS)


def test_kinds_may_differ_in_one_set(tmp_path: Path) -> None:
    paths = [
        save(tmp_path, grey(IDS), "a.png"),
        save(tmp_path, palette_image(IDS, THREE), "b.png"),
        save(tmp_path, Image.fromarray(colored(list(THREE.colors))), "c.png"),
    ]
    _, label_maps = read(*paths, classes=THREE, given=True)
    for label_map in label_maps:
        np.testing.assert_array_equal(label_map, IDS)


def test_named_classes_with_as_many_grey_levels(tmp_path: Path) -> None:
    _, (label_map,) = read(save(tmp_path, grey(np.array([0, 127, 255], np.uint8)[IDS])), classes=THREE)
    np.testing.assert_array_equal(label_map, IDS)


@pytest.mark.parametrize(
    ("decoding", "file", "sentence"),
    [
        (
            Decoding({0: 0, 1: 1}, {}),
            LabelFile("grey", np.array([[0, 7, 7]], np.uint8)),
            r"a\.png holds the value 7 in 2 pixels, which stands for no class \(known: 0, 1\)\. Run `data check`",
        ),
        (
            Decoding({}, {0: 0}),
            LabelFile("rgb", np.array([[0, 0x7F0001]], np.uint32)),
            r"a\.png holds the colour \(127, 0, 1\) in 1 pixels, which stands for no class \(known: \(0, 0, 0\)\)",
        ),
        (Decoding({}, {}), LabelFile("grey", np.array([[3]], np.uint8)), r"\(known: none\)"),
    ],
)
def test_an_unknown_value_is_named(decoding: Decoding, file: LabelFile, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        decoding.decode(file, "a.png")


def test_negative_and_huge_values_are_unknown(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(np.array([[0, -5, 1, 70000]], np.int32)), "label.tif")
    ids, unknown = Decoding({0: 0, 1: 1}, {}).look_up(read_label_file(path))
    assert ids.tolist() == [[0, 255, 1, 255]]
    assert unknown.tolist() == [[False, True, False, True]]


def test_fractions_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path, Image.fromarray(np.array([[0, 0.25]], np.float32)), "label.tif")
    with pytest.raises(UserError, match=r"label\.tif holds fractions such as 0\.25.*Save class ids, not probabilities"):
        read_label_file(path)
    whole = save(tmp_path, Image.fromarray(np.array([[0, 2.0]], np.float32)), "whole.tif")
    assert read_label_file(whole).values.tolist() == [[0, 2]]


def test_no_label_file_at_all() -> None:
    with pytest.raises(UserError, match="There is no label file that can be read"):
        find_reading([])
