"""The command line: quick to answer, results as files, one line per problem."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from seg_demo.checkpoint import load_checkpoint, save_checkpoint
from seg_demo.classes import ClassMap
from seg_demo.cli.main import COMMANDS, main
from seg_demo.cli.text import printable, write
from seg_demo.data.folder import open_splits
from seg_demo.data.procedural import ProceduralNewts
from seg_demo.data.writer import DataSetWriter
from seg_demo.errors import UserError
from seg_demo.evaluate.report import Evaluation
from seg_demo.infer.predictor import Predictor
from seg_demo.models import build_model

Captured = pytest.CaptureFixture[str]


def picture(path: Path, size: tuple[int, int] = (40, 30), seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def call(*words: object) -> int:
    return main([str(word) for word in words])


def python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)


# Start


def test_help_is_quick() -> None:
    """The best of three: another program may take the processor meanwhile."""
    seconds = []
    for _ in range(3):
        clock = time.perf_counter()
        done = python("-m", "seg_demo", "--help")
        seconds.append(time.perf_counter() - clock)
        assert done.returncode == 0
        assert done.stderr == ""
        assert all(command in done.stdout for command in COMMANDS)
    assert min(seconds) < 0.5


@pytest.mark.parametrize(
    ("words", "allowed"),
    [(["--help"], []), *(([name], ["numpy"] if name in ("train", "threshold") else []) for name in COMMANDS)],
)
def test_nothing_heavy_is_imported_to_read_the_arguments(words: list[str], allowed: list[str]) -> None:
    """The flags of `train` are made from its settings, whose class maps know NumPy; `threshold` lists its figures."""
    code = (
        f"import sys; from seg_demo.cli.main import build_parser; build_parser({words});"
        "print([name for name in ('torch', 'torchvision', 'gradio', 'numpy', 'PIL', 'tqdm') if name in sys.modules])"
    )
    done = python("-c", code)
    assert done.stdout == f"{allowed}\n", done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as stop:
        call(command, "--help")
    assert stop.value.code == 0
    assert COMMANDS[command][1] in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], "COMMAND"),
        (["prdict"], "invalid choice: 'prdict'"),
        (["predict", "model", "a.png"], "--out"),
        (["predict", "model", "a.png", "--out", "o", "--threshold", "1.5"], "1.5 is not a probability from 0 to 1"),
        (["predict", "model", "a.png", "--out", "o", "--threshold", "nan"], "nan is not a probability from 0 to 1"),
        (["predict", "model", "a.png", "--out", "o", "--threshold", "high"], "invalid probability value: 'high'"),
        (["draw", "--out", "o", "--count", "0"], "0 is not a whole number from 1 to"),
        (["draw", "--out", "o", "--count", "-3"], "-3 is not a whole number from 1 to"),
        (["draw", "--out", "o", "--longest", "20"], "20 is not a whole number from 64 to 2048"),
        (["draw", "--out", "o", "--longest", "9" * 30], "is not a whole number from 64 to 2048"),
        (["draw", "--out", "o", "--seed", "-1"], "-1 is not a whole number from 0 to"),
        (["eval", "model", "--drawn", "0"], "0 is not a whole number from 1 to"),
        (["eval", "model", "--drawn", "2.5"], "2.5 is not a whole number from 1 to"),
        (["eval", "model"], "one of the arguments --data --drawn --examples is required"),
        (["eval", "model", "--data", "d", "--drawn", "3"], "not allowed with argument"),
        (["eval", "model", "--examples", "--window", "8"], "8 is not a whole number from 32 to 8192"),
        (["eval", "model", "--examples", "--scales", "1,0"], "1,0 is not a list of scales from 0.1 to 4"),
        (["eval", "model", "--examples", "--scales", "nan"], "nan is not a list of scales from 0.1 to 4"),
        (["eval", "model", "--examples", "--scales", "1,,2"], "invalid scales value: '1,,2'"),
        (
            ["eval", "model", "--examples", "--windov", "64"],
            "unrecognized arguments: --windov 64; did you mean --window?",
        ),
    ],
)
def test_wrong_flags(words: list[str], part: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as stop:
        call(*words)
    assert stop.value.code == 2
    assert part in capsys.readouterr().err


# What is printed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\nb"),
        ("\u72ac\u3000\u00e9", "\u72ac\u3000\u00e9"),
        ("a\x1b[2Jb", "a\\u001b[2Jb"),
        ("a\rb\tc", "a\\rb\\tc"),
        ("\x9b2J", "\\u009b2J"),
        ("gpj.\u202eevil", "gpj.\\u202eevil"),
        ("\udcff.png", "\\udcff.png"),
    ],
)
def test_what_is_printed_does_not_steer_the_terminal(text: str, shown: str, capsys: Captured) -> None:
    write(text)
    write(text, sys.stderr)
    assert capsys.readouterr() == (shown + "\n", shown + "\n")


@given(st.text())
def test_printable_json_is_the_same(text: str) -> None:
    document = printable(json.dumps({text: [text]}, ensure_ascii=False))
    assert json.loads(document) == {text: [text]}
    assert not any(unicodedata.category(character).startswith("C") for character in document)


def test_names_that_the_terminal_cannot_show(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Shown as they can be, which is valid JSON as well; nothing ends on them."""
    loaded = load_checkpoint(tiny_checkpoint)
    names = ("\u80cc\u666f", "\u72ac \u00e9\U0001f415")
    folder = save_checkpoint(tmp_path / "model", loaded.model, replace(loaded.config, classes=ClassMap.of(*names)))
    words = ["-m", "seg_demo", "predict", str(folder), str(picture(tmp_path / "a.png")), "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert json.dumps(names[1])[1:-1].encode() in done.stdout


def test_json_where_the_output_is_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
    name = "\u72ac \u00e9\U0001f415"
    assert call("data", "check", f"/nowhere/{name}", "--json") == 1
    assert f"/nowhere/{name}" in json.loads(raw.getvalue())["error"]


# predict


def test_predict_writes_three_files(tiny_checkpoint: Path, tmp_path: Path, capsys: Captured) -> None:
    photo, out = picture(tmp_path / "photo.png"), tmp_path / "results" / "today"
    assert call("predict", tiny_checkpoint, photo, "--out", out, "--device", "cpu") == 0
    assert sorted(path.name for path in out.iterdir()) == ["photo.json", "photo.mask.png", "photo.overlay.png"]
    expected = Predictor(load_checkpoint(tiny_checkpoint), "cpu")(np.asarray(Image.open(photo)))
    assert np.array_equal(np.asarray(Image.open(out / "photo.mask.png")), expected.label_map)
    assert Image.open(out / "photo.overlay.png").size == (40, 30)
    document = json.loads((out / "photo.json").read_text("utf-8"))
    assert (document["model"], document["threshold"], document["level"]) == ("tiny", 0.5, 128)
    assert [entry["pixels"] for entry in document["classes"]] == expected.counts().tolist()
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith(f"{photo} -> {out / 'photo'}.mask.png: background ")


@pytest.mark.parametrize("threshold", ["0", "0.37", "1"])
def test_predict_keeps_to_the_threshold(threshold: str, tiny_checkpoint: Path, tmp_path: Path) -> None:
    photo = picture(tmp_path / "photo.png")
    assert call("predict", tiny_checkpoint, photo, "--out", tmp_path / "out", "--threshold", threshold) == 0
    expected = Predictor(load_checkpoint(tiny_checkpoint))(np.asarray(Image.open(photo)), float(threshold))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out/photo.mask.png")), expected.label_map)
    assert json.loads((tmp_path / "out/photo.json").read_text("utf-8"))["threshold"] == float(threshold)


def test_predict_of_three_classes(tiny_species_checkpoint: Path, tmp_path: Path) -> None:
    photo = picture(tmp_path / "photo.png")
    assert call("predict", tiny_species_checkpoint, photo, "--out", tmp_path / "out") == 0
    document = json.loads((tmp_path / "out/photo.json").read_text("utf-8"))
    assert [entry["name"] for entry in document["classes"]] == ["background", "akahara", "madara"]
    assert "threshold" not in document


def test_equal_names_do_not_overwrite(tiny_checkpoint: Path, tmp_path: Path) -> None:
    photos = [picture(tmp_path / name, seed=seed) for seed, name in enumerate(["a/cat.png", "b/cat.png", "b/cat.bmp"])]
    assert call("predict", tiny_checkpoint, *photos, "--out", tmp_path / "out") == 0
    predict = Predictor(load_checkpoint(tiny_checkpoint))
    for photo, stem in zip(photos, ("cat", "cat-2", "cat-3"), strict=True):
        mask = np.asarray(Image.open(tmp_path / "out" / f"{stem}.mask.png"))
        assert np.array_equal(mask, predict(np.asarray(Image.open(photo))).label_map)
    assert len(list((tmp_path / "out").iterdir())) == 9


def test_a_bad_file_does_not_cost_the_others(tiny_checkpoint: Path, tmp_path: Path, capsys: Captured) -> None:
    first, last = picture(tmp_path / "first.png"), picture(tmp_path / "last.png")
    (tmp_path / "bad.png").write_text("no picture")
    words = [tmp_path / "bad.png", first, tmp_path / "missing.png", last]
    assert call("predict", tiny_checkpoint, *words, "--out", tmp_path / "out") == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert errors[0].startswith("error: bad.png is not a picture that can be read.")
    assert errors[1].endswith("missing.png does not exist. Check the path.")
    assert len(list((tmp_path / "out").iterdir())) == 6


def test_a_picture_too_large_for_the_memory_does_not_cost_the_others(
    tiny_checkpoint: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [picture(tmp_path / "large.png", (80, 30)), picture(tmp_path / "small.png")]
    segment = Predictor.__call__

    def little_memory(self: Predictor, image: np.ndarray, threshold: float | None = None) -> object:
        if image.shape[1] > 50:
            raise UserError("There is not enough memory.")
        return segment(self, image, threshold)

    monkeypatch.setattr(Predictor, "__call__", little_memory)
    assert call("predict", tiny_checkpoint, *photos, "--out", tmp_path / "out") == 1
    assert capsys.readouterr().err == "error: There is not enough memory.\n"
    assert (tmp_path / "out/small.mask.png").is_file()


@pytest.mark.parametrize("command", ["predict", "eval"])
def test_an_unknown_checkpoint(command: str, tmp_path: Path, capsys: Captured) -> None:
    rest = [picture(tmp_path / "a.png"), "--out", tmp_path / "out"] if command == "predict" else ["--drawn", "1"]
    assert call(command, tmp_path / "nowhere", *rest) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: There is no checkpoint folder ")
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_unknown_device(tiny_checkpoint: Path, tmp_path: Path, capsys: Captured) -> None:
    assert call("predict", tiny_checkpoint, picture(tmp_path / "a.png"), "--out", tmp_path, "--device", "gpu") == 1
    assert capsys.readouterr().err == 'error: There is no device "gpu" here. Use cpu.\n'


@pytest.mark.parametrize("command", ["predict", "draw"])
def test_a_folder_that_cannot_be_written(command: str, tiny_checkpoint: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "file").write_text("")
    words = {
        "predict": ["predict", tiny_checkpoint, picture(tmp_path / "a.png"), "--out", tmp_path / "file"],
        "draw": ["draw", "--out", tmp_path / "file", "--count", 1, "--longest", 64],
    }
    assert call(*words[command]) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Drawing")]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert errors[0].endswith({"predict": "Choose another folder.", "draw": "Name a new folder."}[command])
    assert (tmp_path / "file").read_text() == ""


# draw


@pytest.mark.parametrize("binary", [False, True])
def test_draw(binary: bool, tmp_path: Path, capsys: Captured) -> None:
    flags = ["--count", 3, "--longest", 64, "--seed", 5, *(["--binary"] if binary else [])]
    assert call("draw", "--out", tmp_path, *flags) == 0
    assert "Drew 3 pictures" in capsys.readouterr().out
    photos, masks = (sorted((tmp_path / folder).iterdir()) for folder in ("images", "masks"))
    assert [path.stem for path in photos] == [path.stem for path in masks]
    assert len(photos) == 3
    values = set()
    for photo, mask in zip(photos, masks, strict=True):
        with Image.open(photo) as image, Image.open(mask) as label_map:
            assert image.size == label_map.size
            assert max(image.size) == 64
            assert label_map.mode == "P"
            values |= set(np.unique(np.asarray(label_map)).tolist())
    assert values <= ({0, 1} if binary else {0, 1, 2})
    assert len(values) > 1


# eval


def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pictures instead of drawn ones of 512 pixels."""
    from seg_demo.data.procedural import ProceduralNewts

    def small(length: int, *, longest: int, **options: object) -> ProceduralNewts:
        assert longest == 512
        return ProceduralNewts(length, longest=64, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("seg_demo.data.procedural.ProceduralNewts", small)


@pytest.mark.parametrize("kind", ["tiny_checkpoint", "tiny_species_checkpoint"])
def test_eval_prints_one_json_document(
    kind: str, request: pytest.FixtureRequest, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    few_pictures(monkeypatch)
    folder = request.getfixturevalue(kind)
    assert call("eval", folder, "--drawn", 2, "--json") == 0
    captured = capsys.readouterr()
    assert captured.err == "", "a bar is for people"
    document = json.loads(captured.out)
    assert document["checkpoint"] == folder.name
    assert document["split"] == "2 other drawn pictures"
    assert document["loss"] > 0
    assert document["absent"] == []
    classes = load_checkpoint(folder).config.classes.names
    assert [entry["name"] for entry in document["classes"]] == list(classes)
    assert [entry["iou"] for entry in document["classes"]] == [document[f"iou_{name}"] for name in classes]
    figures = {key: value for key, value in document.items() if isinstance(value, float) and key != "loss"}
    means = {"accuracy", "mean_accuracy", "mean_iou", "frequency_weighted_iou", "mean_dice", "boundary_iou"}
    assert set(figures) == means | {f"iou_{name}" for name in classes} | (
        {"mean_picture_iou"} if len(classes) == 2 else set()
    )
    assert all(0 <= value <= 1 for value in figures.values())


def test_eval_prints_a_table(tiny_checkpoint: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    few_pictures(monkeypatch)
    assert call("eval", tiny_checkpoint, "--drawn", 1, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert call("eval", tiny_checkpoint, "--drawn", 1) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "tiny on 1 other drawn pictures:"
    rows = {words[0]: words for words in (line.split() for line in lines if line)}
    assert rows["background"][1] == f"{document['iou_background']:.4f}"
    assert rows["newt"][-1] == str(document["classes"][1]["pixels"])
    assert f"Cross-entropy           {document['loss']:.4f}" in lines
    widths = {len(line) for line in lines[2:6]}
    assert len(widths) == 1, "columns are aligned"


def written_pictures(folder: Path, species: bool) -> Path:
    """A folder of a test split of three pictures, with some pixels ignored."""
    samples = ProceduralNewts(3, longest=64, species=species)
    with DataSetWriter(folder, samples.classes) as writer:
        for name, image, label_map in samples:
            label_map[:9] = 255
            file = io.BytesIO()
            Image.fromarray(image).save(file, "PNG")
            writer.add("test", name, file.getvalue(), label_map)
    return folder


@pytest.mark.parametrize("kind", ["tiny_checkpoint", "tiny_species_checkpoint"])
def test_metrics_of_saved_predictions_are_those_of_eval(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, capsys: Captured
) -> None:
    folder = request.getfixturevalue(kind)
    config = load_checkpoint(folder).config
    data = written_pictures(tmp_path / "data", len(config.classes) > 2)
    out = tmp_path / "new/predicted"
    assert call("eval", folder, "--data", data, "--save-predictions", out, "--json") == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["split"] == "3 test photos"
    flags = ["--num-classes", len(config.classes), "--names", ",".join(config.classes.names), "--json"]
    assert call("metrics", out, data / "test/masks", *flags) == 0
    again = json.loads(capsys.readouterr().out)
    for name in again.keys() & measured.keys() - {"pictures"}:
        assert again[name] == measured[name], name
    assert {"accuracy", "mean_iou", "boundary_iou", "classes", "pixels"} <= again.keys() & measured.keys()
    for path in out.iterdir():
        with Image.open(path) as predicted:
            assert predicted.mode == "P"
            assert predicted.getpalette()[:6] == [part for color in config.classes.colors[:2] for part in color]


def test_eval_options_reach_the_predictor(tiny_checkpoint: Path, tmp_path: Path, capsys: Captured) -> None:
    data = written_pictures(tmp_path / "data", False)
    options = ["--window", 40, "--scales", "0.5,1", "--flip"]
    assert call("eval", tiny_checkpoint, "--data", data, *options, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["split"] == "3 test photos (windows of 40, scales 0.5 1, mirrored)"
    checkpoint = load_checkpoint(tiny_checkpoint)
    evaluation = Evaluation(checkpoint.config.classes, "binary")
    predict = Predictor(checkpoint, window=40, scales=(0.5, 1.0), flip=True)
    for sample in open_splits(data)("test"):
        evaluation.predict(predict, sample)
    assert document["loss"] == pytest.approx(evaluation.figures()["loss"], rel=1e-6)


def test_predictions_stay_in_their_folder(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is a stranger's: it keeps its folders, leads nowhere else, hides nothing and overwrites nothing."""
    names = ["a/b", "a/b", "../../out", "/root/c", ".hidden", "..", "v1.2", "a"]

    class Named(ProceduralNewts):
        def __getitem__(self, index: int) -> Any:
            return super().__getitem__(index)._replace(name=names[index])

    monkeypatch.setattr(
        "seg_demo.data.folder.open_splits", lambda _: lambda _: Named(len(names), longest=64, species=False)
    )
    assert call("eval", tiny_checkpoint, "--data", "d", "--save-predictions", tmp_path / "deep/predicted") == 0
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {
        f"deep/predicted/{name}.png"
        for name in ("a/b", "a/b_2", "out", "root/c", "hidden", "picture", "v1.2", "a")
    }  # fmt: skip


def test_predictions_need_a_new_folder(tiny_checkpoint: Path, tmp_path: Path, capsys: Captured) -> None:
    data = written_pictures(tmp_path / "data", False)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").write_text("")
    assert call("eval", tiny_checkpoint, "--data", data, "--save-predictions", tmp_path / "taken") == 1
    assert "taken is there already and is not empty. Name a new folder." in capsys.readouterr().err
    assert os.listdir(tmp_path / "taken") == ["file"]


def test_predictions_of_a_run_that_fails_are_not_left(
    tiny_checkpoint: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = written_pictures(tmp_path / "data", False)
    next((data / "test/images").iterdir()).write_bytes(b"no picture")
    assert call("eval", tiny_checkpoint, "--data", data, "--save-predictions", tmp_path / "predicted") == 1
    assert "is not a picture that can be read" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["data"]


def test_eval_records(tiny_checkpoint: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    few_pictures(monkeypatch)
    loaded = load_checkpoint(tiny_checkpoint)
    config = replace(loaded.config, metrics={"before": {"mean_iou": 0.5}})
    folder = save_checkpoint(tmp_path / "model", loaded.model, config)
    weights = (folder / "model.safetensors").read_bytes()
    assert call("eval", folder, "--drawn", 1, "--record") == 0
    assert "mean IoU" in capsys.readouterr().out
    metrics = load_checkpoint(folder).config.metrics
    assert metrics["before"] == {"mean_iou": 0.5}
    assert len(metrics) == 2
    assert (folder / "model.safetensors").read_bytes() == weights
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_eval_records_in_no_clone(tiny_checkpoint: Path, tmp_path: Path, capsys: Captured) -> None:
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "model")
    (folder / "notes.md").write_text("mine")
    assert call("eval", folder, "--drawn", 1, "--record") == 1
    captured = capsys.readouterr()
    assert captured.out == ""  # it is told before anything is measured
    assert "model holds notes.md besides a checkpoint, which would be lost, so it is not replaced." in captured.err
    assert (folder / "notes.md").read_text() == "mine"


def test_eval_of_other_classes(tiny_checkpoint: Path, tmp_path: Path, capsys: Captured) -> None:
    loaded = load_checkpoint(tiny_checkpoint)
    config = replace(loaded.config, task="multiclass", classes=ClassMap.of("road", "sky"))
    model = build_model("unet", 2, **config.arguments)
    folder = save_checkpoint(tmp_path / "model", model, config)
    assert call("eval", folder, "--drawn", 1) == 1
    sentence = "model knows the classes road, sky, but the pictures are labelled background, akahara, madara."
    assert sentence in capsys.readouterr().err


def test_eval_of_photos(tiny_checkpoint: Path, real_data: Path, capsys: Captured) -> None:
    assert call("eval", tiny_checkpoint, "--data", real_data / "newts", "--split", "val", "--json") == 0
    assert json.loads(capsys.readouterr().out)["split"] == "4 val photos"
    assert call("eval", tiny_checkpoint, "--data", real_data / "newts", "--split", "vall") == 1
    assert 'There is no split "vall". Did you mean "val"?' in capsys.readouterr().err


# Ctrl-C


def test_ctrl_c(tiny_checkpoint: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Predictor, "__call__", interrupted)
    assert call("predict", tiny_checkpoint, picture(tmp_path / "a.png"), "--out", tmp_path) == 130
    assert capsys.readouterr().err == "Stopped.\n"
    assert os.listdir(tmp_path) == ["a.png"]
