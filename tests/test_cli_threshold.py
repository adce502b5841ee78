"""`threshold`: the table, the best threshold and what `--save` makes of it, the diagram."""

from __future__ import annotations

import io
import json
import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seg_demo.checkpoint import load_checkpoint, save_checkpoint
from seg_demo.cli.main import main
from seg_demo.data.procedural import ProceduralNewts
from seg_demo.data.writer import DataSetWriter
from seg_demo.errors import UserError
from seg_demo.evaluate.confusion import ConfusionMatrix
from seg_demo.evaluate.threshold import FIGURES
from seg_demo.infer.predictor import Predictor
from seg_demo.viz.plots import ThresholdPlot, draw_threshold

Captured = pytest.CaptureFixture[str]


def call(*words: object) -> int:
    return main(["threshold", *(str(word) for word in words)])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with three pictures to validate on, and one to test on where nothing is labelled."""
    samples = ProceduralNewts(4, longest=64, species=False)
    with DataSetWriter(tmp_path / "data", samples.classes) as writer:
        for number, (name, image, label_map) in enumerate(samples):
            file = io.BytesIO()
            Image.fromarray(image).save(file, "PNG")
            label_map[:5] = 255
            split = "val" if number < 3 else "test"
            writer.add(split, name, file.getvalue(), label_map if split == "val" else label_map * 0)
    return tmp_path / "data"


@pytest.fixture
def model(tmp_path: Path, tiny_checkpoint: Path) -> Path:
    """A checkpoint that may be written, with figures and a threshold that is not the best."""
    loaded = load_checkpoint(tiny_checkpoint)
    config = replace(loaded.config, threshold=0.99, metrics={"before": {"mean_iou": 0.5}})
    return save_checkpoint(tmp_path / "model", loaded.model, config)


def document_of(capsys: Captured) -> dict[str, Any]:
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def confusion_at(folder: Path, data: Path, threshold: float) -> ConfusionMatrix:
    """By predicting again with that threshold."""
    from seg_demo.data.folder import open_splits

    predict, confusion = Predictor(load_checkpoint(folder)), ConfusionMatrix(2)
    for _, image, label_map in open_splits(data)("val"):
        confusion.update(label_map, predict(image, threshold).label_map)
    return confusion


@pytest.mark.parametrize("by", FIGURES)
def test_the_figures_are_those_of_predicting_again(by: str, model: Path, data: Path, capsys: Captured) -> None:
    assert call(model, "--data", data, "--by", by, "--json") == 0
    document = document_of(capsys)
    assert document["checkpoint"] == "model"
    assert document["split"] == "val"
    assert document["current"]["threshold"] == 0.99
    values = []
    for entry in (document["best"], document["current"], document["thresholds"][4]):
        confusion = confusion_at(model, data, entry["threshold"])
        assert entry["iou"] == pytest.approx(confusion.iou()[1])
        assert entry["f1"] == pytest.approx(confusion.f1()[1])
        assert entry["mean_iou"] == pytest.approx(confusion.mean_iou())
        assert entry["accuracy"] == pytest.approx(confusion.accuracy())
        assert document["pixels"] == confusion.matrix.sum()
        values.append(entry[by])
    assert values[0] == max(values)
    assert 0 < document["average_precision"] <= 1
    assert 0 <= document["expected_calibration_error"] <= 1
    assert sum(entry["pixels"] for entry in document["reliability"]) == document["pixels"]


def test_the_table(model: Path, data: Path, capsys: Captured) -> None:
    assert call(model, "--data", data, "--json") == 0
    document = document_of(capsys)
    assert call(model, "--data", data) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"model on 3 val pictures, {document['pixels']} labelled pixels:"
    best = document["best"]
    row = next(line for line in lines if line.endswith("best by f1")).split()
    assert row[0] == f"{best['threshold']:g}"
    assert row[3] == f"{best['f1']:.4f}"
    assert sum(line.endswith("the checkpoint's") for line in lines) == 1
    thresholds = [float(line.split()[0]) for line in lines[4:] if line.strip()[:1] == "0"]
    assert thresholds == sorted({*(tenth / 10 for tenth in range(1, 10)), 0.99, best["threshold"]})
    assert f"The best threshold by f1 is {best['threshold']:g}, with {best['f1']:.4f};" in lines[-1]


def test_save(model: Path, data: Path, capsys: Captured) -> None:
    weights = (model / "model.safetensors").read_bytes()
    assert call(model, "--data", data) == 0
    assert load_checkpoint(model).config.threshold == 0.99, "nothing is saved unasked"
    capsys.readouterr()
    assert call(model, "--data", data, "--save") == 0
    lines = capsys.readouterr().out.splitlines()
    config = load_checkpoint(model).config
    assert lines[-2] == f"Saved the threshold {config.threshold:g} in {model}; before, it was 0.99."
    assert lines[-1] == "The figures recorded there belong to the old one; `eval --record` measures again."
    assert config.metrics == {"before": {"mean_iou": 0.5}}
    assert (model / "model.safetensors").read_bytes() == weights
    assert f"from a probability of {config.threshold:g} on" in (model / "README.md").read_text("utf-8")
    assert sorted(path.name for path in model.parent.iterdir()) == ["data", "model"]
    assert call(model, "--data", data, "--json") == 0
    document = document_of(capsys)
    assert document["best"] == document["current"]
    assert document["best"]["threshold"] == config.threshold
    assert document["saved"] is False
    assert call(model, "--data", data) == 0
    assert "best by f1, the checkpoint's" in capsys.readouterr().out


def test_a_multiclass_checkpoint(tiny_species_checkpoint: Path, data: Path, capsys: Captured) -> None:
    assert call(tiny_species_checkpoint, "--data", data) == 1
    assert capsys.readouterr().err == (
        'error: tiny-species has the task "multiclass", where the class with the highest probability is taken, so '
        "there is no threshold to choose. Give a checkpoint of the task binary.\n"
    )


def test_nothing_labelled(model: Path, data: Path, capsys: Captured) -> None:
    assert call(model, "--data", data, "--split", "test", "--save") == 1
    sentence = (
        'No pixel of the split "test" is labelled newt, so no threshold is better than another. Choose another split.'
    )
    assert sentence in capsys.readouterr().err
    assert load_checkpoint(model).config.threshold == 0.99


def test_classes_are_merged(model: Path, tmp_path: Path, capsys: Captured) -> None:
    """Pictures of several classes serve a binary checkpoint: every class but the first is one."""
    assert call(model, "--data", "procedural:2", "--split", "val", "--json") == 0
    assert document_of(capsys)["pixels"] > 0


def test_what_it_can_be_chosen_by(capsys: Captured) -> None:
    with pytest.raises(SystemExit):
        call("model", "--data", "data", "--by", "f2")
    last = capsys.readouterr().err.splitlines()[-1]
    assert all(name in last for name in FIGURES)


def test_a_clone_is_not_saved_in(model: Path, data: Path, capsys: Captured) -> None:
    (model / ".git").mkdir()
    assert call(model, "--data", data, "--save") == 1
    captured = capsys.readouterr()
    assert captured.out == ""  # it is told before anything is measured
    assert "model holds .git besides a checkpoint, which would be lost, so it is not replaced." in captured.err
    assert (model / ".git").is_dir()


def test_plot(model: Path, data: Path, tmp_path: Path, capsys: Captured, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "matplotlib"):
        assert call(model, "--data", data, "--plot", tmp_path / "new/curves.png", "--json") == 0
    document_of(capsys)
    assert not caplog.records
    with Image.open(tmp_path / "new/curves.png") as image:
        assert image.format == "PNG"
        assert image.width > 1.5 * image.height
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    for color in ((0, 114, 178), (213, 94, 0), (0, 158, 115)):  # the curves and both thresholds
        assert (np.abs(pixels.astype(int) - color).max(axis=1) < 8).sum() > 100
    assert (pixels == 255).all(axis=1).mean() > 0.5


def test_a_plot_that_is_no_png_is_told_at_once(data: Path, tmp_path: Path, capsys: Captured) -> None:
    assert call(tmp_path / "nowhere", "--data", data, "--plot", tmp_path / "curves.svg") == 1
    assert capsys.readouterr().err == f"error: {tmp_path}/curves.svg must end in .png. Name another file.\n"


def plot_of(**changes: Any) -> ThresholdPlot:
    levels = np.linspace(0, 1, 5)
    shown = ThresholdPlot(
        "title", levels, np.array([0.3, 0.5, 0.7, 0.9, math.nan]), np.array([1, 0.8, 0.5, 0.3, 0]), levels, levels, 0.7,
        {"best": 0.4, "now": 0.5}, np.array([3, 0, 5]), np.array([0.1, math.nan, 0.9]), np.array([0, math.nan, 1]), 0.1,
    )  # fmt: skip
    return replace(shown, **changes)


@pytest.mark.filterwarnings("error")
def test_a_title_is_no_formula_and_no_settings_are_left_behind(tmp_path: Path) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    draw_threshold(plot_of(title="$cash$ \\frac{ a_b^c $x_"), tmp_path / "plot.png")
    assert dict(matplotlib.rcParams) == before
    with Image.open(tmp_path / "plot.png") as image:
        assert image.size == (1848, 630)


def test_a_plot_is_a_png(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must end in .png"):
        draw_threshold(plot_of(), tmp_path / "plot.pdf")
