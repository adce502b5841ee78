"""Curves of a whole split of a data set."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg_demo.checkpoint import load_checkpoint
from seg_demo.data.folder import open_folder
from seg_demo.errors import UserError
from seg_demo.evaluate.threshold import measure_thresholds
from seg_demo.infer.library import Library
from seg_demo.infer.predictor import Predictor
from seg_demo.infer.segmentation import Segmentation
from seg_demo.ui.background import Stopped
from seg_demo.ui.measuring import measured
from seg_demo.ui.results import TURN

ONE, SEVERAL = "newts-binary", "newts-species"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, tiny_species_checkpoint: Path) -> Library:
    folder = tmp_path_factory.mktemp("library")
    for name, checkpoint in ((ONE, tiny_checkpoint), (SEVERAL, tiny_species_checkpoint)):
        shutil.copytree(checkpoint, folder / name)
    return Library(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five labelled pictures in three classes, of which two are for validation and none is for testing."""
    folder = tmp_path_factory.mktemp("data") / "newts"
    for number in range(5):
        split = "val" if number < 2 else "train"
        generator = np.random.default_rng(number)
        for kind in ("images", "masks"):
            (folder / split / kind).mkdir(parents=True, exist_ok=True)
        image = generator.integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(image).save(folder / split / "images" / f"p{number}.png")
        label_map = np.kron(np.array([[0, 1], [2, 0]], np.uint8), np.ones((10, 12), np.uint8))
        label_map[:2] = 255
        Image.fromarray(np.roll(label_map, number, axis=1)).save(folder / split / "masks" / f"p{number}.png")
    (folder / "classes.txt").write_text("background\nakahara\nmadara\n")
    return folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders are made; whatever a test does, none is left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def ignored(done: int, total: int) -> None:
    """Progress that nobody watches."""


def packed(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return path


@pytest.mark.parametrize(("model", "class_name", "class_id"), [(SEVERAL, "madara", 2), (SEVERAL, "background", 0)])
def test_the_counts_are_those_of_the_core(
    library: Library, folder: Path, tmp_path: Path, model: str, class_name: str, class_id: int
) -> None:
    predict = Predictor(load_checkpoint(library.folder / model), keep_probabilities=True)
    wanted = measure_thresholds(predict, open_folder(folder).split("val"), class_id)
    told: list[tuple[int, int]] = []
    counts, pictures = measured(
        library, model, class_name, folder, "val", lambda done, total: told.append((done, total))
    )
    assert counts == wanted.counts.tolist()
    assert (pictures, told) == (2, [(1, 2), (2, 2)])
    assert sum(map(sum, counts)) == 2 * 18 * 24, "pixels that are not labelled do not count"
    archive = packed(folder, tmp_path / "set.zip")
    assert measured(library, model, class_name, archive, "val", ignored) == (counts, pictures)


def test_a_binary_model_takes_all_classes_for_one(library: Library, folder: Path) -> None:
    counts, _ = measured(library, ONE, "newt", folder, "train", ignored)
    maps = [np.asarray(Image.open(file)) for file in sorted((folder / "train" / "masks").iterdir())]
    assert sum(counts[1]) == sum(int(((each == 1) | (each == 2)).sum()) for each in maps)
    assert sum(counts[0]) == sum(int((each == 0).sum()) for each in maps)


def test_others_have_a_go_at_the_network_between_pictures(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []
    original = Predictor.__call__

    def watched(self: Predictor, image: np.ndarray) -> Segmentation:
        held.append(TURN.locked())
        return original(self, image)

    def between(done: int, total: int) -> None:
        held.append(TURN.locked())

    monkeypatch.setattr(Predictor, "__call__", watched)
    measured(library, ONE, "newt", folder, "val", between)
    assert held == [True, False] * 2


def test_stop_leaves_nothing_behind(library: Library, folder: Path, tmp_path: Path, temporary: Path) -> None:
    def stop(done: int, total: int) -> None:
        assert list(temporary.iterdir()), "there is something that has to go"
        raise Stopped

    with pytest.raises(Stopped):
        measured(library, ONE, "newt", packed(folder, tmp_path / "set.zip"), "val", stop)


@pytest.mark.parametrize("archived", [False, True])
def test_a_split_without_pictures_is_one_sentence(
    library: Library, folder: Path, tmp_path: Path, archived: bool
) -> None:
    source = packed(folder, tmp_path / "set.zip") if archived else folder
    for name in ("", "the drawn example"):
        with pytest.raises(UserError) as caught:
            measured(library, SEVERAL, "madara", source, "test", ignored, name)
        assert str(caught.value).startswith(
            f'{name or source.name} has no labelled pictures in the split "test" (there are: '
        )
        assert str(caught.value).endswith(". Choose another split.")
        assert str(tmp_path) not in str(caught.value)


def test_another_data_set_is_one_sentence(library: Library, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for file in folder.rglob("*.png"):
        target = other / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    (other / "classes.txt").write_text("background\ncat\ndog\n")
    with pytest.raises(UserError, match='newts-species knows the class "akahara", which the pictures lack'):
        measured(library, SEVERAL, "madara", other, "val", ignored)
    with pytest.raises(UserError, match='There is no class "cat"'):
        measured(library, SEVERAL, "cat", other, "val", ignored)


def test_what_is_no_data_set_is_told_without_the_servers_folders(library: Library, tmp_path: Path) -> None:
    notes = tmp_path / "notes.zip"
    notes.write_text("no archive")
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    for file in (notes, empty):
        with pytest.raises(UserError, match=f"{file.stem}.zip") as caught:
            measured(library, ONE, "newt", file, "val", ignored)
        assert str(tmp_path) not in str(caught.value)
