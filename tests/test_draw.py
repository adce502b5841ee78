"""Drawn newts as files: what is written is a data set that trains, and half of one is never there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg_demo.data.check import check
from seg_demo.data.folder import open_splits
from seg_demo.data.procedural import ProceduralNewts
from seg_demo.data.procedural.writing import write_newts
from seg_demo.errors import UserError
from seg_demo.ui.background import Stopped


@pytest.mark.parametrize("species", [False, True])
def test_what_is_drawn_trains(species: bool, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    out = write_newts(
        tmp_path / "new" / "newts", 4, longest=96, species=species, seed=3, progress=lambda *step: steps.append(step)
    )
    assert steps == [(number, 4) for number in (1, 2, 3, 4)]
    report = check(out).report
    assert report.may_train
    samples = ProceduralNewts(4, longest=96, species=species, seed=3)
    assert report.classes == samples.classes
    assert len(open_splits(out)("trainval")) == 4
    for name, image, label_map in samples:
        assert np.array_equal(np.asarray(Image.open(out / "masks" / f"{name}.png")), label_map)
        with Image.open(out / "images" / f"{name}.jpg") as written:
            assert np.abs(np.asarray(written).astype(int) - image).mean() < 8  # JPEG


def test_a_folder_that_is_in_use_stays(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(UserError, match="is there already and is not empty. Name a new folder."):
        write_newts(tmp_path, 1, longest=64)
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]


def test_stop_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        write_newts(tmp_path / "newts", 5, longest=64, progress=stop)
    assert list(tmp_path.iterdir()) == []
