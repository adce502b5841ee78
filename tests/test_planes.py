"""Predictions that are kept in memory: another class, depth or file costs a prediction only where it must."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seg_demo.checkpoint import load_checkpoint
from seg_demo.data.images import read_image
from seg_demo.errors import UserError
from seg_demo.infer import planes as module
from seg_demo.infer.library import Library
from seg_demo.infer.planes import Planes
from seg_demo.infer.predictor import Predictor
from seg_demo.infer.segmentation import Segmentation

ONE, SEVERAL = "tiny", "tiny-species"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, tiny_species_checkpoint: Path) -> Library:
    folder = tmp_path_factory.mktemp("library")
    for checkpoint in (tiny_checkpoint, tiny_species_checkpoint):
        (folder / checkpoint.name).symlink_to(checkpoint)
    return Library(folder)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return picture(tmp_path / "photo.png", 0)


def picture(path: Path, seed: int) -> Path:
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 28, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What networks were asked for: `keep_probabilities` of each prediction."""
    asked: list[Any] = []
    original = Predictor.__call__

    def counted(self: Predictor, image: np.ndarray) -> Segmentation:
        asked.append(self.keep_probabilities)
        return original(self, image)

    monkeypatch.setattr(Predictor, "__call__", counted)
    yield asked


def expected(library: Library, model: str, file: Path, depth: Any = 8) -> np.ndarray:
    """(C, H, W): all probabilities, by a predictor of its own."""
    predict = Predictor(load_checkpoint(library.folder / model), depth=depth, keep_probabilities=True)
    probabilities = predict(read_image(file)).probabilities
    assert probabilities is not None
    return probabilities


@pytest.mark.parametrize("depth", [8, 16])
def test_the_planes_are_those_of_the_predictor(library: Library, photo: Path, depth: Any) -> None:
    planes = Planes(library)
    several = planes.predict(SEVERAL, photo, 2, depth)
    wanted = expected(library, SEVERAL, photo, depth)
    assert list(several.planes) == [0, 1, 2]
    assert all(np.array_equal(several.planes[class_id], wanted[class_id]) for class_id in range(3))
    assert several.planes[0].dtype == (np.uint8 if depth == 8 else np.uint16)
    one = planes.predict(ONE, photo, 1, depth)
    assert list(one.planes) == [1]
    assert np.array_equal(one.planes[1], expected(library, ONE, photo, depth)[0])
    assert np.array_equal(one.image, read_image(photo))


def test_only_what_is_new_is_predicted(library: Library, photo: Path, tmp_path: Path, calls: list[Any]) -> None:
    planes = Planes(library)
    first = planes.predict(SEVERAL, photo, 2)
    assert planes.predict(SEVERAL, photo, 0) is first
    assert len(calls) == 1
    planes.predict(SEVERAL, photo, 2, 16)
    planes.predict(ONE, photo, 1)
    planes.predict(SEVERAL, picture(tmp_path / "other.png", 1), 2)
    assert len(calls) == 4
    assert planes.predict(SEVERAL, photo, 1) is first
    assert len(calls) == 4


def test_another_picture_of_the_same_name_is_another_picture(library: Library, photo: Path, calls: list[Any]) -> None:
    planes = Planes(library)
    before = planes.predict(ONE, photo, 1)
    os.utime(picture(photo, 1), ns=(1, 1))
    after = planes.predict(ONE, photo, 1)
    assert len(calls) == 2
    assert not np.array_equal(before.planes[1], after.planes[1])


def test_a_checkpoint_that_was_written_again_is_another_one(
    library: Library, photo: Path, tmp_path: Path, calls: list[Any], tiny_checkpoint: Path
) -> None:
    from dataclasses import replace

    from seg_demo.checkpoint import save_checkpoint

    checkpoint = load_checkpoint(tiny_checkpoint)
    folder = save_checkpoint(tmp_path / "checkpoints" / "mine", checkpoint.model, checkpoint.config)
    planes = Planes(Library(folder.parent))
    assert planes.predict("mine", photo, 1).config.threshold == 0.5
    save_checkpoint(folder, checkpoint.model, replace(checkpoint.config, threshold=0.25))
    os.utime(folder / "config.json", (2e9, 2e9))  # a clock may be too coarse to tell both
    assert planes.predict("mine", photo, 1).config.threshold == 0.25
    assert len(calls) == 2


def test_of_a_large_picture_only_the_class_that_is_asked_for(
    library: Library, photo: Path, calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    planes = Planes(library)
    monkeypatch.setattr(module, "LARGEST", 20 * 28 * 3)
    assert len(planes.predict(SEVERAL, photo, 1).planes) == 3
    assert len(planes.predict(SEVERAL, photo, 1, 16).planes) == 1
    assert calls == [[0, 1, 2], [1]]
    assert np.array_equal(planes.predict(SEVERAL, photo, 2, 16).planes[2], expected(library, SEVERAL, photo, 16)[2])
    assert calls[2:3] == [[2]]


def test_the_largest_class_is_that_of_the_whole_prediction(
    library: Library, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Planes(library).predict(SEVERAL, photo, 1)
    sums = [int(whole.planes[class_id].sum()) for class_id in (1, 2)]
    assert whole.largest == 1 + int(np.argmax(sums))
    assert sum(whole.areas) == 20 * 28
    # Where its planes do not fit, the label map tells.
    monkeypatch.setattr(module, "LARGEST", 0)
    for class_id in (1, 2):
        part = Planes(library).predict(SEVERAL, photo, class_id)
        assert part.largest == (1 if part.areas[1] >= part.areas[2] else 2)
    assert Planes(library).predict(ONE, photo, 1).largest == 1


def test_the_oldest_predictions_go(library: Library, tmp_path: Path, calls: list[Any]) -> None:
    files = [picture(tmp_path / f"{number}.png", number) for number in range(3)]
    planes = Planes(library, kept=2 * (3 + 1) * 20 * 28)
    made = [planes.predict(ONE, file, 1) for file in files[:2]]
    assert [each.nbytes for each in made] == [4 * 20 * 28] * 2
    planes.predict(ONE, files[0], 1)  # used again: it stays
    planes.predict(ONE, files[2], 1)
    planes.predict(ONE, files[0], 1)
    assert len(calls) == 3
    planes.predict(ONE, files[1], 1)
    assert len(calls) == 4
    # The latest one stays however large it is.
    small = Planes(library, kept=0)
    assert small.predict(ONE, files[0], 1) is small.predict(ONE, files[0], 1)


def test_the_turn_is_held_while_a_network_runs(library: Library, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = threading.Lock()
    held = []
    original = Predictor.__call__

    def watched(self: Predictor, image: np.ndarray) -> Segmentation:
        held.append(turn.locked())
        return original(self, image)

    monkeypatch.setattr(Predictor, "__call__", watched)
    planes = Planes(library, turn)
    planes.predict(ONE, photo, 1)
    with turn:  # what is known waits for nobody
        planes.predict(ONE, photo, 1)
    assert held == [True]
    assert not turn.locked()


def test_what_cannot_be_read_is_one_sentence(library: Library, tmp_path: Path) -> None:
    planes = Planes(library)
    (tmp_path / "notes.png").write_text("no picture")
    for name, sentence in (
        ("gone.png", "gone.png does not exist."),
        ("notes.png", "notes.png is not a picture that can be read."),
    ):
        with pytest.raises(UserError, match=f"^{sentence}"):  # no folder of the server
            planes.predict(ONE, tmp_path / name, 1)
    with pytest.raises(UserError, match='There is no model "tony". Did you mean "tiny"'):
        planes.predict("tony", tmp_path / "gone.png", 1)
