"""`threshold`: the table, the best threshold and what `--save` makes of it, the diagram, masks of single pictures."""

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
from seg_demo.data.images import read_image
from seg_demo.data.procedural import ProceduralNewts
from seg_demo.data.writer import DataSetWriter
from seg_demo.errors import UserError
from seg_demo.evaluate.automatic import Choice
from seg_demo.evaluate.confusion import ConfusionMatrix
from seg_demo.evaluate.labels import read_labels
from seg_demo.evaluate.threshold import FIGURES, histogram_of, threshold_of
from seg_demo.infer.binarisation import Binarisation, MaskStatistics
from seg_demo.infer.predictor import Predictor
from seg_demo.palettes import CLASS_MAPS
from seg_demo.viz.plots import ThresholdPlot, draw_threshold

ROOT = Path(__file__).resolve().parent.parent
Captured = pytest.CaptureFixture[str]


def call(*words: object) -> int:
    return main(["threshold", *(str(word) for word in words)])


def png_of(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with three pictures to validate on, and one to test on where nothing is labelled."""
    samples = ProceduralNewts(4, longest=64, species=False)
    with DataSetWriter(tmp_path / "data", samples.classes) as writer:
        for number, (name, image, label_map) in enumerate(samples):
            label_map[:5] = 255
            split = "val" if number < 3 else "test"
            writer.add(split, name, png_of(image), label_map if split == "val" else label_map * 0)
    return tmp_path / "data"


@pytest.fixture
def model(tmp_path: Path, tiny_checkpoint: Path) -> Path:
    """A checkpoint that may be written, with figures and a threshold that is not the best."""
    loaded = load_checkpoint(tiny_checkpoint)
    config = replace(loaded.config, threshold=0.99, metrics={"before": {"mean_iou": 0.5}})
    return save_checkpoint(tmp_path / "model", loaded.model, config)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A checkpoint that may be written and whose probabilities are many: a copy of the bundled one."""
    loaded = load_checkpoint(ROOT / "checkpoints" / "newts-binary")
    return save_checkpoint(tmp_path / "model", loaded.model, replace(loaded.config, threshold=0.99, metrics={}))


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
    assert call(model, "--data", data, "--method", f"best-{by.replace('_', '-')}", "--json") == 0
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


def test_a_method_that_asks_for_no_figure(model: Path, data: Path, capsys: Captured) -> None:
    """Of all pixels, also those without a label, half are kept; a given threshold is treated alike."""
    assert call(model, "--data", data, "--method", "keep:50", "--json") == 0
    document = document_of(capsys)
    assert document["method"] == "keep:50"
    from seg_demo.data.folder import open_splits

    predict = Predictor(load_checkpoint(model))
    planes = [predict(image).probabilities for _, image, _ in open_splits(data)("val")]
    values = np.concatenate([plane.ravel() for plane in planes if plane is not None])
    distance = [abs((values >= level).mean() - 0.5) for level in range(256)]
    assert distance[document["best"]["level"]] == min(distance)
    assert call(model, "--data", data, "--method", "keep:50") == 0
    lines = capsys.readouterr().out.splitlines()
    best, current = document["best"], document["current"]
    assert lines[-1] == (
        f"The threshold by keep:50 is {best['threshold']:g}, with an F1 of {best['f1']:.4f}; the checkpoint has 0.99, "
        f"with {current['f1']:.4f}."
    )
    assert call(model, "--data", data, "--threshold", "0.37", "--save") == 0
    assert "0.37" in next(line for line in capsys.readouterr().out.splitlines() if line.endswith("given"))
    assert load_checkpoint(model).config.threshold == 0.37


def test_a_class_of_several(tiny_species_checkpoint: Path, tmp_path: Path, capsys: Captured) -> None:
    samples = ProceduralNewts(4, longest=64)
    with DataSetWriter(tmp_path / "species", samples.classes) as writer:
        for name, image, label_map in samples:
            writer.add("val", name, png_of(image), label_map)
    asked = [tiny_species_checkpoint, "--data", tmp_path / "species"]
    assert call(*asked) == 1
    assert capsys.readouterr().err == (
        'error: tiny-species has the task "multiclass", so it must be known whose threshold is meant. Add --class '
        "NAME, one of: background, akahara, madara.\n"
    )
    assert call(*asked, "--class", "akhara") == 1
    assert 'There is no class "akhara". Did you mean "akahara"?' in capsys.readouterr().err
    assert call(*asked, "--class", "akahara", "--save") == 1
    assert "no threshold decides, so there is none to save. Leave --save out." in capsys.readouterr().err
    assert call(*asked, "--class", "akahara", "--json") == 0
    document = document_of(capsys)
    predict = Predictor(load_checkpoint(tiny_species_checkpoint), keep_probabilities=True)
    hit = predicted = 0
    for _, image, label_map in samples:
        planes = predict(image).probabilities
        assert planes is not None
        mask = planes[1] >= document["best"]["level"]
        hit, predicted = hit + int((label_map == 1)[mask].sum()), predicted + int(mask.sum())
    assert document["best"]["precision"] == pytest.approx(hit / predicted)
    assert document["class"] == "akahara"
    assert call(*asked, "--class", "akahara") == 0
    assert capsys.readouterr().out.startswith(
        f"tiny-species, akahara, on 4 val pictures, {document['pixels']} labelled"
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
    assert call("model", "--data", "data", "--method", "best-f2") == 1
    told = capsys.readouterr().err
    assert 'There is no method "best-f2". Did you mean "best-f1"?' in told
    assert all(name.replace("_", "-") in told for name in FIGURES)


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


@pytest.fixture
def picture(data: Path) -> tuple[Path, Path]:
    """One of the pictures, and its label file, of which the first rows are not labelled."""
    image = max((data / "val" / "images").iterdir())
    return image, data / "val" / "masks" / f"{image.stem}.png"


def plane_of(model: Path, image: Path) -> np.ndarray:
    planes = Predictor(load_checkpoint(model))(read_image(image)).probabilities
    assert planes is not None
    return planes[0]


def test_the_mask_of_a_picture(trained: Path, picture: tuple[Path, Path], tmp_path: Path, capsys: Captured) -> None:
    """At the checkpoint's own threshold, as files and as told; the figures are those of the filtered mask."""
    image, labels = picture
    plane = plane_of(trained, image)
    filters = ["--low", 0.08, "--smallest-object", 9, "--smallest-hole", 7]
    asked = [trained, image, "--labels", labels, "--threshold", 0.1, *filters, "--out", tmp_path / "out"]
    assert call(*asked, "--json") == 0
    document = document_of(capsys)
    (entry,) = document["images"]
    mask = Binarisation(0.1, 0.08, 9, 7).mask(plane)
    assert 0 < mask.sum() < mask.size
    for fewer in (Binarisation(0.1, None, 9, 7), Binarisation(0.1, 0.08, 0, 7), Binarisation(0.1, 0.08, 9)):
        assert not np.array_equal(mask, fewer.mask(plane)), "every step does something"
    for suffix, expected in (("mask", mask * 255), ("probability", plane)):
        with Image.open(tmp_path / "out" / f"{image.stem}.{suffix}.png") as file:
            assert file.mode == "L"
            np.testing.assert_array_equal(np.asarray(file), expected)
    with Image.open(labels) as file:
        label_map = np.asarray(file)
    hit, known = int((mask & (label_map == 1)).sum()), label_map != 255
    assert not known.all()
    assert entry["precision"] == pytest.approx(hit / (mask & known).sum())
    assert entry["recall"] == pytest.approx(hit / (label_map == 1).sum())
    assert entry["iou"] == pytest.approx(hit / ((mask & known) | (label_map == 1)).sum())
    assert entry["f1"] == pytest.approx(2 * hit / ((mask & known).sum() + (label_map == 1).sum()))
    statistics = MaskStatistics.of(mask)
    assert (entry["pixels"], entry["objects"], entry["largest"]) == (
        statistics.pixels, statistics.objects, statistics.largest,
    )  # fmt: skip
    assert entry["share"] == pytest.approx(mask.mean())
    assert call(*asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "model, newt, threshold as given, hysteresis from 0.08 on, no objects below 9 pixels, no holes below 7 pixels:"
    )
    assert lines[2].split() == "picture threshold level pixels share objects largest precision recall F1 IoU".split()
    row = lines[4].split()
    assert row[0] == str(image)
    assert row[3:7] == [str(statistics.pixels), f"{mask.mean():.2%}", str(statistics.objects), str(statistics.largest)]
    assert row[7:] == [f"{entry[name]:.4f}" for name in ("precision", "recall", "f1", "iou")]


def test_what_a_threshold_is_by_default(trained: Path, picture: tuple[Path, Path], capsys: Captured) -> None:
    """The checkpoint's own without labels, the best by F1 with them."""
    image, labels = picture
    assert call(trained, image, "--class", "newt", "--json") == 0
    document = document_of(capsys)
    assert document["method"] is None
    (entry,) = document["images"]
    assert (entry["threshold"], entry["level"]) == (0.99, 253)
    assert entry["pixels"] == (plane_of(trained, image) >= 253).sum()
    assert "iou" not in entry and "files" not in entry
    assert call(trained, image, "--labels", labels, "--json") == 0
    best = document_of(capsys)
    assert best["method"] == "best-f1"
    for level in range(0, 256, 25):
        assert call(trained, image, "--labels", labels, "--threshold", level / 255, "--json") == 0
        (entry,) = document_of(capsys)["images"]
        assert (entry["f1"] or 0) <= best["images"][0]["f1"]


def test_several_pictures_have_their_own_thresholds(
    trained: Path, data: Path, tmp_path: Path, capsys: Captured
) -> None:
    """Behind a flag as well; a file that is no picture costs the others nothing."""
    first, second = sorted((data / "val" / "images").iterdir())[:2]
    assert call(trained, "--method", "otsu", "--out", tmp_path / "out", first, second, data / "classes.txt") == 1
    captured = capsys.readouterr()
    assert "classes.txt is not a picture that can be read" in captured.err
    levels = [int(line.split()[2]) for line in captured.out.splitlines()[4:]]
    for level, path in zip(levels, (first, second), strict=True):
        assert level == Choice("otsu").level(histogram_of(plane_of(trained, path)))
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {f"{path.stem}.{kind}.png" for path in (first, second) for kind in ("mask", "probability")}


def test_save_and_plot_of_one_picture(
    trained: Path, picture: tuple[Path, Path], tmp_path: Path, capsys: Captured
) -> None:
    image, labels = picture
    assert call(trained, image, "--method", "triangle", "--save") == 0
    level = Choice("triangle").level(histogram_of(plane_of(trained, image)))
    assert load_checkpoint(trained).config.threshold == threshold_of(level)
    assert f"Saved the threshold {threshold_of(level):g} in {trained}; before, it was 0.99." in capsys.readouterr().out
    assert call(trained, image, "--labels", labels, "--plot", tmp_path / "curves.png", "--json") == 0
    with Image.open(tmp_path / "curves.png") as plot:
        assert plot.format == "PNG"
    empty = tmp_path / "empty.png"
    with Image.open(labels) as file:
        Image.new("L", file.size).save(empty)
    capsys.readouterr()
    assert call(trained, image, "--labels", empty, "--method", "half", "--plot", tmp_path / "none.png") == 1
    assert "empty.png labels no pixel as newt, so there are no curves to draw." in capsys.readouterr().err
    assert call(trained, image, "--labels", empty, "--method", "half") == 0
    assert capsys.readouterr().out.splitlines()[4].split()[8] == "-"  # the recall of nothing


def test_a_folder_that_cannot_be_written(
    trained: Path, picture: tuple[Path, Path], tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "file").write_text("")
    assert call(trained, picture[0], "--out", tmp_path / "file") == 1
    assert f"error: The results could not be written to {tmp_path}/file (File exists)." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "Name pictures, or give labelled ones with --data DIR: one of the two."),
        ("a.png --data d", "Name pictures, or give labelled ones with --data DIR: one of the two."),
        ("a.png --method otsu --threshold 0", "--method chooses a threshold and --threshold gives one. Leave one of "
                                              "them out."),
        ("a.png --method recall:1", "The method recall:1 needs labels. Add --labels FILE or --data DIR, or choose a "
                                    "method such as otsu."),
        ("a.png --split val", "--split chooses among the pictures of --data DIR. Add that, or leave it out."),
        ("a.png b.png --labels l.png", "--labels is the label file of one picture, but 2 are named. Name one, or use "
                                       "--data DIR."),
        ("a.png --plot p.png", "--plot draws curves over labels. Add --labels FILE or --data DIR."),
        ("a.png b.png --method otsu --save", "--save writes one threshold, but each picture may have its own. Name "
                                             "one, or use --data DIR."),
        ("a.png --save", "--save writes a threshold that was chosen. Add --method NAME or --threshold T."),
        *(
            (f"--data d {flag} {value}", f"{flag} is for pictures that are named, and --data only counts their pixels. "
                                         "Leave one of them out.")
            for flag, value in {"--labels": "l.png", "--low": "0.0", "--smallest-object": "5", "--smallest-hole": "5",
                                "--out": "o"}.items()
        ),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_at_once(words: str, sentence: str, capsys: Captured) -> None:
    assert call("nowhere", *words.split()) == 1
    assert capsys.readouterr().err == f"error: {sentence}\n"


def test_the_background_of_a_binary_checkpoint(model: Path, capsys: Captured) -> None:
    assert call(model, "a.png", "--class", "background") == 1
    assert capsys.readouterr().err == 'error: There is no class "background". Known: newt.\n'


def label_file(tmp_path: Path, values: list, palette: list | None = None, mode: str = "L") -> Path:
    image = Image.fromarray(np.array(values, np.uint8), mode)
    if palette:
        image.putpalette(palette)
    image.save(tmp_path / "labels.png")
    return tmp_path / "labels.png"


NEWT, SPECIES = CLASS_MAPS["newts-binary"], CLASS_MAPS["newts-species"]


@pytest.mark.parametrize(
    ("values", "mode", "binary", "species"),
    [
        ([[0, 0, 1]], "L", [0, 0, 1], [0, 0, 1]),
        ([[0, 0, 1, 255]], "L", [0, 0, 1, 255], [0, 0, 1, 255]),
        ([[0, 1, 2, 2]], "L", [0, 1, 1, 1], [0, 1, 2, 2]),
        ([[0, 255, 255]], "L", [0, 1, 1], None),
        ([[[0, 0, 0], [127, 0, 0], [0, 127, 0]]] * 9, "RGB", [0, 1, 1] * 9, [0, 1, 2] * 9),
    ],
)
def test_a_label_file_is_read_in_the_classes_of_the_model(
    tmp_path: Path, values: list, mode: str, binary: list[int], species: list[int] | None
) -> None:
    path = label_file(tmp_path, values, mode=mode)
    size = np.asarray(values).shape[:2]
    found = read_labels(path, NEWT, "binary", size)
    assert found.dtype == np.uint8
    assert found.ravel().tolist() == binary
    if species is not None:
        assert read_labels(path, SPECIES, "multiclass", size).ravel().tolist() == species
    moved = replace(NEWT, ignore_index=9)
    assert read_labels(path, moved, "binary", size).ravel().tolist() == [9 if each == 255 else each for each in binary]


def test_label_files_that_cannot_be_used(tmp_path: Path) -> None:
    path = label_file(tmp_path, [[0, 1, 1]])
    with pytest.raises(UserError, match="labels.png is 3 x 1 pixels but its image is 5 x 4. Give the label map of"):
        read_labels(path, NEWT, "binary", (4, 5))
    path = label_file(tmp_path, [[0, 1, 7]])
    with pytest.raises(UserError, match="labels.png holds the value 7 in 1 pixels, which stands for no class"):
        read_labels(path, SPECIES, "multiclass", (1, 3))
    path = label_file(tmp_path, np.random.default_rng(0).integers(0, 256, (40, 40, 3)).tolist(), mode="RGB")
    with pytest.raises(UserError, match="labels.png looks like a photo, not like a label map."):
        read_labels(path, NEWT, "binary", (40, 40))


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
