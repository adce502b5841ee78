"""Classes: the published palettes, what a ClassMap refuses, and colours that can be told apart."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from seg_demo.classes import ClassMap, distinct_colors
from seg_demo.errors import UserError
from seg_demo.palettes import CLASS_MAPS


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("voc", 21),
        ("cityscapes", 19),
        ("camvid", 11),
        ("ade20k", 150),
        ("newts-binary", 2),
        ("newts-species", 3),
        ("skydiving", 5),
    ],
)
def test_counts(name: str, count: int) -> None:
    classes = CLASS_MAPS[name]
    assert len(classes) == len(classes.names) == len(set(classes.names)) == len(classes.colors) == count


@pytest.mark.parametrize(
    ("data_set", "class_id", "name", "color"),
    [
        ("voc", 0, "background", (0, 0, 0)),
        ("voc", 1, "aeroplane", (128, 0, 0)),
        ("voc", 15, "person", (192, 128, 128)),
        ("voc", 20, "tvmonitor", (0, 64, 128)),
        ("cityscapes", 0, "road", (128, 64, 128)),
        ("cityscapes", 6, "traffic light", (250, 170, 30)),
        ("cityscapes", 18, "bicycle", (119, 11, 32)),
        ("camvid", 0, "sky", (128, 128, 128)),
        ("camvid", 10, "bicyclist", (0, 128, 192)),
        ("ade20k", 0, "wall", (120, 120, 120)),
        ("ade20k", 12, "person", (150, 5, 61)),
        ("ade20k", 149, "flag", (92, 0, 255)),
        ("newts-species", 1, "akahara", (127, 0, 0)),
        ("newts-species", 2, "madara", (0, 127, 0)),
    ],
)
def test_published_colors(data_set: str, class_id: int, name: str, color: tuple[int, int, int]) -> None:
    classes = CLASS_MAPS[data_set]
    assert (classes.names[class_id], classes.colors[class_id]) == (name, color)


BLACK = (0, 0, 0)


@pytest.mark.parametrize(
    ("names", "colors", "ignore_index", "sentence"),
    [
        ((), (), 255, "There are 0 classes, but a label map can hold 1 to 255."),
        (tuple(map(str, range(256))), (BLACK,) * 256, 255, "There are 256 classes, but a label map can hold 1 to 255."),
        (("a", "b"), (BLACK,), 255, "There are 2 class names but 1 colours."),
        (("a", "b", "a"), (BLACK,) * 3, 255, 'Class names must be unique and not empty, but "a" occurs twice.'),
        (("a", " "), (BLACK,) * 2, 255, "Class names must be unique and not empty, but one is empty."),
        (
            ("a", "b" * 201),
            (BLACK,) * 2,
            255,
            f"The class name '{'b' * 56}... has 201 characters, but 200 is the most.",
        ),
        (("a", "b\x1b[2J"), (BLACK,) * 2, 255, r"The class name 'b\x1b[2J' holds a control character, a line break or"),
        (
            ("a\nb",),
            (BLACK,),
            255,
            r"The class name 'a\nb' holds a control character, a line break or a broken character",
        ),
        (("a",), ((0, 0),), 255, "A class colour must be three whole numbers from 0 to 255."),
        (("a",), ((0, 0, 256),), 255, "A class colour must be three whole numbers from 0 to 255."),
        (("a",), ((0, 0, -1),), 255, "A class colour must be three whole numbers from 0 to 255."),
        (("a",), ((0, 0, 0.5),), 255, "A class colour must be three whole numbers from 0 to 255."),
        (("a", "b"), (BLACK,) * 2, 1, "The ignore index is 1, but must be from 2 to 255"),
        (("a", "b"), (BLACK,) * 2, 256, "The ignore index is 256, but must be from 2 to 255"),
    ],
)
def test_refused(names: tuple, colors: tuple, ignore_index: int, sentence: str) -> None:
    with pytest.raises(UserError, match="^" + re.escape(sentence)):
        ClassMap(names, colors, ignore_index)


STRANGE = "\0\t\n\r\x1f\x7f\x85\x9f\u2028\u2029\ud800\udfff"


@pytest.mark.parametrize("character", [*STRANGE], ids=ascii)
def test_characters_that_no_name_holds(character: str) -> None:
    with pytest.raises(UserError) as caught:
        ClassMap.of("background", f"a{character}b")
    told = str(caught.value)
    assert told.endswith(f"(U+{ord(character):04X}). Rename the class.")
    assert told.isprintable()


@pytest.mark.parametrize(
    "name", ["x" * 200, "猫" * 200, " a ", "a\xa0b", "a\u3000b", "\U0001f408", "e\u0301", "\ue000"]
)
def test_a_name_that_is_taken_can_be_read_from_a_checkpoint(name: str, tmp_path: Path) -> None:
    from seg_demo.checkpoint.config import CheckpointConfig, read_config

    config = CheckpointConfig("unet", {}, "binary", ClassMap.of("background", name))
    (tmp_path / "config.json").write_text(config.to_json(), "utf-8")
    assert read_config(tmp_path).classes == config.classes


def test_palette_and_colorize() -> None:
    classes = ClassMap(("background", "cat"), ((1, 2, 3), (40, 50, 60)), ignore_index=200)
    palette = classes.palette()
    assert palette.shape == (256, 3)
    assert palette.dtype == np.uint8
    label_map = np.array([[0, 1], [200, 77]], np.uint8)
    expected = [[(1, 2, 3), (40, 50, 60)], [(255, 255, 255), (128, 128, 128)]]
    assert classes.colorize(label_map).tolist() == np.array(expected).tolist()


def test_of_makes_the_first_class_a_black_background() -> None:
    classes = ClassMap.of("nothing", "cat", "dog")
    assert classes.colors == (BLACK, *distinct_colors(2))


def test_a_longer_list_of_distinct_colors_begins_with_the_shorter() -> None:
    longest = distinct_colors(60)
    for count in (0, 1, 6, 7, 8, 9, 20, 59):
        assert distinct_colors(count) == longest[:count]


def test_distinct_colors_are_unique_and_plain_integers() -> None:
    colors = distinct_colors(200)
    assert len(set(colors)) == 200
    assert BLACK not in colors
    assert {type(part) for color in colors for part in color} == {int}
    assert all(0 <= part <= 255 for color in colors for part in color)


# Vienot, Brettel and Mollon 1999, on linear RGB: another simulation than the one the colours are chosen by.
VIENOT = {
    "normal vision": np.eye(3),
    "protanopia": np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]]),
    "deuteranopia": np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]),
}


def _lab(rgb: tuple[int, int, int], vision: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of an sRGB colour as someone with `vision` sees it; one colour at a time, in plain steps."""
    srgb = np.array(rgb) / 255
    linear = vision @ np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    )
    x, y, z = (
        part ** (1 / 3) if part > 216 / 24389 else (24389 / 27 * part + 16) / 116
        for part in matrix @ linear.clip(0, 1) / (0.95047, 1, 1.08883)
    )
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize(("vision", "bound"), [("normal vision", 20), ("protanopia", 10), ("deuteranopia", 10)])
def test_the_first_twelve_colors_can_be_told_apart(vision: str, bound: float) -> None:
    """A distance of 2.3 is just noticeable; black is the background's."""
    labs = [_lab(color, VIENOT[vision]) for color in (BLACK, *distinct_colors(12))]
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(labs, 2)) > bound
