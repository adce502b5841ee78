"""The endpoint /threshold for programs: it gives what Python gives, and says in a sentence what it cannot do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from test_page import brightness_checkpoint, picture

from seg_demo.evaluate.automatic import Choice
from seg_demo.evaluate.mask import chosen_threshold, mask_figures
from seg_demo.infer.binarisation import Binarisation
from seg_demo.infer.library import Library
from seg_demo.infer.planes import Planes
from seg_demo.ui.threshold_api import ThresholdApi

REQUEST = SimpleNamespace(headers={})


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Planes:
    folder = tmp_path_factory.mktemp("api")
    brightness_checkpoint(folder / "newts-binary", "newts-binary", [2.0], [-1.0])
    return Planes(Library(folder))


@pytest.fixture
def ask(planes: Planes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    with gr.Blocks():
        api = ThresholdApi(planes, "newts-binary")

    def ask_(photo: Path | None, method: str = "", **given: Any) -> tuple[np.ndarray, dict[str, Any]]:
        sizes = (given.pop("smallest_object", 0), given.pop("smallest_hole", 0))
        named = {"request": REQUEST, **given}
        file, told = api.threshold(photo and str(photo), "newts-binary", "", method, *sizes, **named)  # type: ignore[arg-type]
        return np.asarray(Image.open(file)) > 0, told

    return ask_


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return picture(tmp_path / "photo.png", 61, 47)


def test_the_checkpoints_own_threshold(ask: Any, planes: Planes, photo: Path) -> None:
    mask, told = ask(photo)
    expected = Binarisation(0.5).mask(planes.predict("newts-binary", photo, 1).planes[1])
    assert np.array_equal(mask, expected)
    head = {"model": "newts-binary", "class": "newt", "threshold": 0.5, "level": 128}
    assert told == head | mask_figures(expected)


def test_a_rule_with_labels_and_filters(ask: Any, planes: Planes, photo: Path, tmp_path: Path) -> None:
    plane = planes.predict("newts-binary", photo, 1).planes[1]
    label_map = (plane > 140).astype(np.uint8)
    label_map[:5] = 255
    Image.fromarray(label_map).save(tmp_path / "labels.png")
    filters = Binarisation(1.0, 0.3, 20, 5)
    mask, told = ask(
        photo, "best-f1", low=0.3, smallest_object=20, smallest_hole=5, labels=str(tmp_path / "labels.png")
    )
    chosen = chosen_threshold(Choice.parse("best-f1"), plane, label_map, filters)
    assert told["threshold"] == chosen
    assert np.array_equal(mask, Binarisation(chosen, 0.3, 20, 5).mask(plane))
    assert told.items() >= mask_figures(mask, label_map).items()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"method": "otsu", "threshold": 0.5},
            "A method chooses a threshold, and one is given as well.",
        ),
        ({"method": "best-f1"}, "The method best-f1 needs labels."),
        ({"method": "ostu"}, 'There is no method "ostu". Did you mean "otsu"?'),
        ({"threshold": 7}, "A threshold must be a probability from 0 to 1, not 7.0."),
        ({"threshold": "nan"}, "nan is no number, but a threshold or a size in pixels is one. Correct it."),
        ({"threshold": 0.2, "low": 0.4}, "The lower threshold 0.4 is above the threshold 0.2."),
        ({"smallest_object": -1}, "The smallest object or hole must be a number of pixels from 0 on"),
    ],
)
def test_what_cannot_be_is_a_sentence(ask: Any, photo: Path, tmp_path: Path, given: Any, sentence: str) -> None:
    with pytest.raises(gr.Error) as caught:
        ask(photo, **given)
    assert str(caught.value.message).startswith(sentence)
    assert not list(tmp_path.glob("cache/**/*.png")), "nothing is left behind"


def test_no_picture(ask: Any) -> None:
    with pytest.raises(gr.Error, match="There is no picture here any more"):
        ask(None)
