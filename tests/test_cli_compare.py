"""The command `compare`: what it prints and writes, and what it refuses."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from test_compare import ANIMALS, BASE, MASKS, NEW, Given, model
from test_layouts import build_newts

from seg_demo.checkpoint import Checkpoint, load_checkpoint
from seg_demo.classes import ClassMap
from seg_demo.cli.main import main
from seg_demo.data.dataset import DataSet
from seg_demo.data.folder import open_splits
from seg_demo.data.procedural import ProceduralNewts
from seg_demo.data.writer import DataSetWriter
from seg_demo.evaluate.compare import compare
from seg_demo.evaluate.learned import learned_from
from seg_demo.evaluate.report import measure
from seg_demo.palettes import NEWTS_BINARY

Captured = pytest.CaptureFixture[str]


def call(*arguments: object) -> int:
    return main(["compare", *map(str, arguments)])


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> dict[str, Checkpoint]:
    """Models by name whose predictions are painted into the pictures."""
    models = {"base": BASE, "new": NEW, "animals": model("animals", ANIMALS, 0, 1, 2)}
    monkeypatch.setattr("seg_demo.infer.library.open_model", models.__getitem__)
    monkeypatch.setattr("seg_demo.data.folder.open_splits", lambda _: lambda _: MASKS)
    return models


def test_what_people_read(painted: dict[str, Checkpoint], capsys: Captured) -> None:
    assert call("base", "new", "--data", "d", "--list", 1) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert lines[:7] == [
        "base (base) and new (new) on 5 val pictures:",
        "",
        "figure                    base     new  difference",
        "----------------------  ------  ------  ----------",
        "pixel accuracy          0.7500  0.8125     +0.0625",
        "mean accuracy           0.7333  0.7833     +0.0500",
        "mean IoU                0.5833  0.6607     +0.0774",
    ]
    (loss,) = (line.split() for line in lines if line.startswith("cross-entropy"))
    figures = [measure(made, MASKS, "cpu")["loss"] for made in (BASE, NEW)]
    assert loss[1:] == [f"{figures[0]:.4f}", f"{figures[1]:.4f}", f"{figures[1] - figures[0]:+.4f}"]
    start = lines.index("IoU of        base     new  difference")
    assert lines[start + 2 :] == [
        "background  0.6667  0.7500     +0.0833",
        "newt        0.5000  0.5714     +0.0714",
        "",
        "Pictures that got better: 2, worse: 1, the same: 1, not labelled: 1.",
        compare(BASE, NEW, MASKS, "cpu").certainty,
        "",
        "better: mean IoU of    base     new  difference",
        "-------------------  ------  ------  ----------",
        "better               0.3333  1.0000     +0.6667",
        "",
        "worse: mean IoU of    base     new  difference",
        "------------------  ------  ------  ----------",
        "worse               1.0000  0.2500     -0.7500",
    ]


def test_no_difference_has_no_sign(painted: dict[str, Checkpoint], capsys: Captured) -> None:
    assert call("base", "base", "--data", "d") == 0
    said = capsys.readouterr().out
    assert "+" not in said and "-0" not in said
    assert "mean IoU                0.5833  0.5833      0.0000" in said
    assert "better: 0, worse: 0, the same: 4, not labelled: 1." in said


def test_one_json_document(painted: dict[str, Checkpoint], capsys: Captured) -> None:
    assert call("base", "new", "--data", "d", "--split", "test", "--json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    expected = {"data": "d", "split": "test", **compare(BASE, NEW, MASKS, "cpu").to_json()}
    assert json.loads(captured.out) == json.loads(json.dumps(expected))


def test_a_base_that_is_not_measured(painted: dict[str, Checkpoint], capsys: Captured) -> None:
    assert call("animals", "new", "--data", "d") == 0
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines[2:4]) == (
        "Note: animals is not measured, because it knows other classes than the pictures. Only the model has: cat, "
        "dog. Only the pictures have: newt."
    )
    assert "mean IoU                   -  0.6607           -" in lines
    assert not any("got better" in line for line in lines)


def test_pictures_side_by_side(painted: dict[str, Checkpoint], tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "new/compared"
    assert call("base", "new", "--data", "d", "--out", out, "--json") == 0
    assert json.loads((out / "compare.json").read_text("utf-8")) == json.loads(capsys.readouterr().out)
    assert sorted(os.listdir(out)) == sorted(["compare.json", *(f"{sample.name}.png" for sample in MASKS)])
    with Image.open(out / "better.png") as image:
        shown = np.asarray(image)
    assert shown.shape == (1, 4 * 5 + 3 * 4, 3)
    panels = [shown[:, left : left + 5] for left in (0, 9, 18, 27)]
    assert np.array_equal(panels[0], MASKS[0].image)
    for panel, ids in zip(panels[1:], ([0, 0, 1, 1, 255], [1, 0, 1, 0, 1], [0, 0, 1, 1, 0]), strict=True):
        differs = (panel != MASKS[0].image).any(axis=-1)[0]
        assert differs.tolist() == [value != 0 for value in ids]
    assert (shown[:, 13] == 255).all()  # ignored


def test_names_of_strangers_stay_in_the_folder(
    painted: dict[str, Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["../../a", "/b/c", ".d", "e", "e"]
    renamed = Given(NEWTS_BINARY, *(each._replace(name=name) for each, name in zip(MASKS, names, strict=True)))
    monkeypatch.setattr("seg_demo.data.folder.open_splits", lambda _: lambda _: renamed)
    assert call("animals", "new", "--data", "d", "--out", tmp_path / "deep/out") == 0
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {f"deep/out/{name}" for name in ("a.png", "b/c.png", "d.png", "e.png", "e_2.png", "compare.json")}
    with Image.open(tmp_path / "deep/out/a.png") as image:
        assert image.width == 3 * 5 + 2 * 4  # without a base


def test_nothing_is_left_of_a_comparison_that_fails(
    painted: dict[str, Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    class Broken(Given):
        def __getitem__(self, index: int) -> Any:
            if index == 2:
                raise OSError(28, "No space left on device", "disk")
            return super().__getitem__(index)

    broken: DataSet = Broken(NEWTS_BINARY, *MASKS.samples)
    monkeypatch.setattr("seg_demo.data.folder.open_splits", lambda _: lambda _: broken)
    assert call("base", "new", "--data", "d", "--out", tmp_path / "out") == 1
    assert (
        capsys.readouterr().err == "error: disk could not be used (No space left on device). Choose another folder.\n"
    )
    assert os.listdir(tmp_path) == []


def test_a_full_disk(
    painted: dict[str, Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    assert call("base", "new", "--data", "d", "--out", tmp_path / "out") == 1
    sentence = "could not be written (No space left on device). Free some space or name another folder."
    assert capsys.readouterr().err == f"error: {tmp_path}/out {sentence}\n"
    assert os.listdir(tmp_path) == []


def _out(folder: Path) -> list[object]:
    (folder / "taken").mkdir()
    (folder / "taken/file").write_text("")
    return ["base", "new", "--data", "d", "--out", folder / "taken"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (_out, "{folder}/taken is there already and is not empty. Name a new folder."),
        (
            lambda folder: ["base", "animals", "--data", "d"],
            "animals knows the classes background, cat, dog, but the pictures are labelled background, newt. Choose "
            "another one.",
        ),
    ],
)
def test_what_is_refused(
    painted: dict[str, Checkpoint], tmp_path: Path, capsys: Captured, given: Any, sentence: str
) -> None:
    arguments = given(tmp_path)
    expected = sentence.format(folder=tmp_path)
    assert call(*arguments) == 1
    assert capsys.readouterr().err == f"error: {expected}\n"
    assert call(*arguments, "--json") == 1
    assert json.loads(capsys.readouterr().out) == {"error": expected}


def test_what_is_not_there(tiny_checkpoint: Path, tmp_path: Path, capsys: Captured) -> None:
    for arguments, sentence in (
        ([tmp_path / "none", tiny_checkpoint, "--data", "procedural:1"], f"no checkpoint folder {tmp_path}/none."),
        ([tiny_checkpoint, tmp_path, "--data", "procedural:1"], f"{tmp_path} is not a checkpoint"),
        (["unet-resnet1", tiny_checkpoint, "--data", "procedural:1"], 'no pretrained model "unet-resnet1"'),
        ([tiny_checkpoint, tiny_checkpoint, "--data", tmp_path / "none"], f"{tmp_path}/none is no folder."),
        ([tiny_checkpoint, tiny_checkpoint, "--data", "procedural:1", "--split", "vat"], 'no split "vat"'),
        ([tiny_checkpoint, tiny_checkpoint, "--data", "procedural:1", "--device", "gpu7"], "gpu7"),
    ):
        assert call(*arguments) == 1
        error = capsys.readouterr().err
        assert sentence in error and error.startswith("error: ") and error.count("\n") == 1


def test_two_checkpoints_of_one_name_are_told_by_their_folders(
    tiny_checkpoint: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = load_checkpoint(tiny_checkpoint)
    monkeypatch.setattr("seg_demo.infer.library.open_model", lambda _: made)
    monkeypatch.setattr("seg_demo.data.folder.open_splits", lambda _: lambda _: MASKS)
    assert call("runs/a/best", "runs/b/best", "--data", "d") == 0
    assert capsys.readouterr().out.startswith("runs/a/best (base) and runs/b/best (new) on 5 val pictures:")


# Where a published data set is named


@pytest.mark.parametrize(
    ("training", "split", "expected"),
    [
        ({"data": "newts (MIT), split trainval"}, "val", '"newts (MIT)" (split trainval)'),
        ({"data": "newts (MIT)", "split": "trainval", "data_fingerprint": "other"}, "val", '"newts (MIT)"'),
        ({"data": "newts (MIT)", "split": "train"}, "val", None),
        ({"data": "newts (MIT), split trainval"}, "test", None),
        ({"data": "newtsish", "split": "val"}, "val", None),
        ({"data": 3, "split": "val"}, "val", None),
    ],
)
def test_what_is_likely(tmp_path: Path, training: dict[str, Any], split: str, expected: str | None) -> None:
    build_newts(tmp_path)
    made = model("mine", ClassMap.of("background", "newt"), 0, training=training)
    told = learned_from(made, open_splits(tmp_path)(split))
    sentence = f"mine has learned from {expected}"
    assert told is None if expected is None else told is not None and told.startswith(sentence)


# The way from pictures to a better model, as docs/training.md has it


@pytest.mark.slow
def test_the_commands_of_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    section = (ROOT / "docs/training.md").read_text("utf-8").split("## Fine-tuning from the command line")[1]
    commands = [line.split()[3:] for line in section.split("```")[1].strip().splitlines()]
    assert [words[0] for words in commands] == ["data", "train", "eval", "compare"]
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "checkpoints/newts-binary", "checkpoints/newts-binary")
    with DataSetWriter(Path("PICTURES"), NEWTS_BINARY) as writer:
        for split, seed in (("train", 1), ("val", 2)):
            for name, image, label_map in ProceduralNewts(6, longest=128, species=False, seed=seed):
                file = io.BytesIO()
                Image.fromarray(image).save(file, "PNG")
                writer.add(split, f"{split}_{name}", file.getvalue(), label_map)
    for words in commands:
        capsys.readouterr()
        assert main(["0.1" if word == "5" else word for word in words]) == 0, words  # minutes
    said = capsys.readouterr().out
    assert said.startswith("newts-binary (base) and mine (new) on 6 val pictures:")
    assert "95 % interval" in said and "Note:" not in said
    assert len(os.listdir("compared")) == 7
    assert (
        main(["compare", "checkpoints/newts-binary", "checkpoints/mine", "--data", "PICTURES", "--split", "train"]) == 0
    )
    assert "Note: mine has learned from 6 of these 6 pictures" in capsys.readouterr().out
