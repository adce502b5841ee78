"""What the Threshold tab looks at: the class, the label map, the automatic choices, the state of a link."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seg_demo.checkpoint import load_checkpoint, save_checkpoint
from seg_demo.errors import UserError
from seg_demo.evaluate.automatic import Choice
from seg_demo.evaluate.threshold import histogram_of
from seg_demo.infer import planes as planes_module
from seg_demo.infer.binarisation import Binarisation
from seg_demo.infer.library import Library
from seg_demo.infer.planes import Planes
from seg_demo.ui.looking import (
    HISTOGRAM_METHODS,
    Look,
    automatic_levels,
    class_choices,
    class_id_of,
    predicted,
    state_of,
    subject_of,
    visible,
)

ONE, SEVERAL, FROM_9 = "tiny", "tiny-species", "ignores-9"
SIZE = (20, 28)


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, tiny_species_checkpoint: Path) -> Planes:
    """Over a binary checkpoint, one of three classes, and that one with another ignore index."""
    folder = tmp_path_factory.mktemp("library")
    for checkpoint in (tiny_checkpoint, tiny_species_checkpoint):
        shutil.copytree(checkpoint, folder / checkpoint.name)
    known = load_checkpoint(tiny_species_checkpoint)
    classes = replace(known.config.classes, ignore_index=9)
    save_checkpoint(folder / FROM_9, known.model, replace(known.config, classes=classes))
    return Planes(Library(folder))


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(tmp_path_factory.mktemp("photo") / "photo.png", noise((*SIZE, 3)))


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def saved(path: Path, pixels: np.ndarray) -> str:
    Image.fromarray(pixels).save(path)
    return str(path)


def labelled(*ids: int) -> np.ndarray:
    """(20, 28) uint8: upright stripes of these values."""
    return np.repeat(np.array(ids, np.uint8), -(-SIZE[1] // len(ids)))[None, : SIZE[1]].repeat(SIZE[0], axis=0)


# The class --------------------------------------------------------------------------------------------------


def test_the_classes_whose_probability_there_is(planes: Planes) -> None:
    one, several = (planes.library.predictor(name).config for name in (ONE, SEVERAL))
    assert class_choices(one) == ["newt"]
    assert class_choices(several) == ["background", "akahara", "madara"]
    assert [class_id_of(several, name) for name in class_choices(several)] == [0, 1, 2]
    assert class_id_of(one, "newt") == 1
    for config, name in ((one, "background"), (several, "newt"), (several, "../akahara")):
        with pytest.raises(UserError, match="There is no class"):
            class_id_of(config, name)


def test_without_a_class_the_largest_is_looked_at(planes: Planes, photo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    look, prediction = predicted(planes, Look(photo, SEVERAL, place={"example": "x"}))
    sums = {class_id: int(prediction.planes[class_id].sum()) for class_id in (1, 2)}
    assert look == Look(photo, SEVERAL, ["akahara", "madara"][sums[2] > sums[1]], None, {"example": "x"})
    assert predicted(planes, Look(photo, ONE))[0].class_name == "newt"
    other = Look(photo, SEVERAL, "background")
    assert predicted(planes, other)[0] is other
    # Where not all planes are kept, the one that is shown is there.
    monkeypatch.setattr(planes_module, "LARGEST", 0)
    look, prediction = predicted(Planes(planes.library), Look(photo, SEVERAL))
    areas = prediction.areas
    assert look.class_name == ["akahara", "madara"][areas[2] > areas[1]]
    assert list(prediction.planes) == [class_id_of(prediction.config, look.class_name)]


def test_an_unknown_class_is_one_sentence(planes: Planes, photo: str) -> None:
    with pytest.raises(UserError, match='There is no class "madra". Did you mean "madara"'):
        predicted(planes, Look(photo, SEVERAL, "madra"))


# What is shown ----------------------------------------------------------------------------------------------


def test_what_the_laboratory_gets(planes: Planes, photo: str) -> None:
    look = Look(photo, SEVERAL, "madara", place={"picture": "token"})
    subject = subject_of(*predicted(planes, look), state={"threshold": 0.25})
    assert (subject.name, subject.model, subject.class_name) == ("photo.png", SEVERAL, "madara")
    assert np.array_equal(subject.plane, planes.predict(SEVERAL, Path(photo), 2).planes[2])
    assert (subject.task, subject.threshold, subject.writable) == ("multiclass", 0.5, False)
    assert subject.color == planes.library.predictor(SEVERAL).config.classes.colors[2]
    assert subject.link == {"picture": "token", "model": SEVERAL, "class": "madara"}
    assert subject.state == {"threshold": 0.25}
    assert subject.label_map is None
    binary = subject_of(*predicted(planes, Look(photo, ONE)), writable=True)
    assert (binary.task, binary.writable, binary.link) == ("binary", True, {})


def test_a_binary_checkpoint_shows_its_own_threshold(tmp_path: Path, tiny_checkpoint: Path, photo: str) -> None:
    known = load_checkpoint(tiny_checkpoint)
    save_checkpoint(tmp_path / "mine", known.model, replace(known.config, threshold=0.3))
    assert subject_of(*predicted(Planes(Library(tmp_path)), Look(photo, "mine"))).threshold == 0.3


def test_black_is_made_visible() -> None:
    assert visible((0, 0, 0)) != (0, 0, 0)
    assert visible((127, 0, 0)) == (127, 0, 0)


def test_automatic_levels_are_those_of_the_core(planes: Planes, photo: str) -> None:
    subject = subject_of(*predicted(planes, Look(photo, ONE)))
    values = histogram_of(subject.plane)
    assert subject.automatic == {name: Choice.parse(name).level(values) for name in HISTOGRAM_METHODS}
    assert automatic_levels(np.full((3, 4), 7, np.uint8)) == {}


# Labels -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "class_name", "values", "wanted"),
    [
        (SEVERAL, "madara", [0, 1, 2, 255], [0, 0, 1, 255]),
        (SEVERAL, "background", [0, 1, 2, 255], [1, 0, 0, 255]),
        (ONE, "newt", [0, 1, 255], [0, 1, 255]),
        (ONE, "newt", [0, 255], [0, 1]),
        (ONE, "newt", [0, 1, 2], [0, 1, 1]),
        (FROM_9, "madara", [0, 1, 2, 255], [0, 0, 1, 255]),  # the page knows one value for what is not labelled
    ],
)
def test_a_label_map_tells_the_class_from_the_rest(
    planes: Planes, photo: str, tmp_path: Path, model: str, class_name: str, values: list[int], wanted: list[int]
) -> None:
    file = saved(tmp_path / "labels.png", labelled(*values))
    subject = subject_of(*predicted(planes, Look(photo, model, class_name, file)))
    assert np.array_equal(subject.label_map, labelled(*wanted))  # type: ignore[arg-type]
    assert subject.label_map is not None
    assert subject.label_map.dtype == np.uint8


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (lambda: labelled(0, 1)[:, :-3], "labels.png is 25 x 20 pixels but its image is 28 x 20."),
        (lambda: noise((*SIZE, 3)), "labels.png looks like a photo, not like a label map."),
        (lambda: labelled(0, 1, 2, 77), "labels.png holds the value 77"),
    ],
    ids=["another size", "a photo", "a stray value"],
)
def test_a_wrong_label_map_is_one_sentence(
    planes: Planes, photo: str, tmp_path: Path, pixels: Callable[[], np.ndarray], sentence: str
) -> None:
    file = saved(tmp_path / "labels.png", pixels())
    with pytest.raises(UserError) as caught:
        subject_of(*predicted(planes, Look(photo, SEVERAL, "madara", file)))
    assert str(caught.value).startswith(sentence)


# The state of a link ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, Binarisation(0.5)),
        ({"threshold": "0.25"}, Binarisation(0.25)),
        ({"threshold": 0, "low": None, "level": 0}, Binarisation(0.0)),
        ({"threshold": "1", "low": "0"}, Binarisation(1.0, 0.0)),
        ({"threshold": "", "low": ""}, Binarisation(0.5)),
        ({"smallest_object": "12", "smallest_hole": 3.0}, Binarisation(0.5, None, 12, 3)),
        ({"smallest_object": "1e12"}, Binarisation(0.5, None, 10**9)),
    ],
)
def test_a_state_is_read(fields: dict[str, Any], wanted: Binarisation) -> None:
    assert state_of(fields) == wanted


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"threshold": "abc"}, "abc is no number, but a threshold or a size in pixels is one. Correct it."),
        ({"threshold": "nan"}, "nan is no number, but"),
        ({"threshold": "inf"}, "inf is no number, but"),
        ({"low": "1e400"}, "1e400 is no number, but"),
        ({"smallest_object": "1e400"}, "1e400 is no number, but"),
        ({"smallest_hole": "-1e400"}, "-1e400 is no number, but"),
        ({"smallest_object": "nan"}, "nan is no number, but"),
        ({"threshold": {"x": 1}}, "{'x': 1} is no number, but"),
        ({"threshold": True}, "True is no number, but"),
        ({"threshold": "9" * 5000}, f"{'9' * 40} is no number, but"),
        ({"threshold": "7"}, "A threshold must be a probability from 0 to 1, not 7.0."),
        ({"low": "-0.1"}, "A threshold must be a probability from 0 to 1, not -0.1."),
        ({"threshold": "0.2", "low": "0.3"}, "The lower threshold 0.3 is above the threshold 0.2."),
        ({"smallest_object": "-1"}, "The smallest object or hole must be a number of pixels from 0 on, not -1."),
    ],
)
def test_rubbish_is_one_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        state_of(fields)
    assert str(caught.value).startswith(sentence)
