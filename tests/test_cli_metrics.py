"""The command `metrics`: what it prints, what it refuses, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seg_demo.cli.main import main

TRUTH = np.array([[0, 0, 0, 1], [0, 0, 255, 1]], np.uint8)
GUESS = np.array([[0, 0, 2, 1], [0, 0, 7, 1]], np.uint8)


def save(path: Path, ids: np.ndarray, mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == "P":
        image = Image.fromarray(ids).copy()
        image.putpalette(bytes(range(255, -1, -1)) * 3)
        image.save(path)
    else:
        Image.fromarray(ids).save(path)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Predictions and label maps: "good" is right, "sub/bad" has one pixel wrong."""
    predictions, labels = tmp_path / "pred", tmp_path / "gt"
    for name, guess in (("good", TRUTH), ("sub/bad", GUESS)):
        save(labels / f"{name}.png", TRUTH, "P")
        save(predictions / f"{name}.png", guess)
    return predictions, labels


def metrics(folders: tuple[Path, Path], *flags: str) -> int:
    return main(["metrics", str(folders[0]), str(folders[1]), "--num-classes", "4", *flags])


def json_of(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, Any]:
    assert metrics(folders, "--json", *flags) == 0
    return json.loads(capsys.readouterr().out)


def test_what_people_read(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert metrics(folders, "--names", "sky,ground,plane,person", "--worst", "1") == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "class      IoU  precision  recall      F1  boundary IoU  pixels",
        "------  ------  ---------  ------  ------  ------------  ------",
        "sky     0.9000     1.0000  0.9000  0.9474        0.9000      10",
        "ground  1.0000     1.0000  1.0000  1.0000        1.0000       4",
        "plane   0.0000     0.0000       -  0.0000        0.0000       0",
        "person       -          -       -       -             -       0",
        "",
        "figure                  short     value",
        "----------------------  -------  ------",
        "pixel accuracy          acc      0.9286",
        "mean accuracy           acc_cls  0.9500",
        "mean IoU                mean_iu  0.6333",
        "frequency weighted IoU  fwavacc  0.9286",
        "mean Dice (F1)                   0.6491",
        "mean boundary IoU                0.6333",
        "",
        "2 pictures, 14 labelled pixels.",
        "Absent, neither labelled nor predicted, and left out of all means: person.",
        "Predicted but never labelled, so that the IoU is 0 and the mean accuracy leaves them out: plane.",
        "",
        "worst pictures  mean IoU  accuracy  pixels",
        "--------------  --------  --------  ------",
        "sub/bad           0.6000    0.8571       7",
    ]
    assert captured.err == ""  # the progress line is for terminals


def test_one_json_document(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    told = json_of(folders, capsys)
    assert {name: told[name] for name in ("num_classes", "ignore_index", "pixels", "absent", "never_labelled")} == {
        "num_classes": 4, "ignore_index": 255, "pixels": 14, "absent": ["3"], "never_labelled": ["2"],
    }  # fmt: skip
    figures = "accuracy mean_accuracy mean_iou frequency_weighted_iou mean_dice boundary_iou".split()
    assert [round(told[name], 4) for name in figures] == [0.9286, 0.95, 0.6333, 0.9286, 0.6491, 0.6333]
    assert set(told["classes"][0]) == set("id name iou precision recall f1 boundary_iou pixels".split())
    assert told["classes"][3]["iou"] is None
    assert told["pictures"] == [
        {"name": "sub/bad", "mean_iou": pytest.approx(0.6), "accuracy": pytest.approx(6 / 7), "pixels": 7},
        {"name": "good", "mean_iou": 1.0, "accuracy": 1.0, "pixels": 7},
    ]


def test_an_ignored_class(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    save(folders[1] / "good.png", np.minimum(TRUTH, 1))
    save(folders[0] / "good.png", np.minimum(TRUTH, 1))
    for file in ("sub/bad.png",):
        (folders[0] / file).unlink()
        (folders[1] / file).unlink()
    assert metrics(folders, "--ignore-index", "0", "--names", "void,a,b,c") == 0
    said = capsys.readouterr().out
    assert "1 picture, 3 labelled pixels." in said
    assert "left out of all means: b, c." in said
    assert "Ignored, and left out of all means: void." in said


def test_suffixes_may_differ_and_photos_are_passed_over(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (folders[0] / "good.png").rename(folders[0] / "good.bmp")  # Pillow looks at what is in a file, not at its name
    Image.new("RGB", (4, 2)).save(folders[1] / "good.jpg")
    assert len(json_of(folders, capsys)["pictures"]) == 2


@pytest.mark.parametrize("wide", [np.uint16, np.int32])
def test_16_bit_files_hold_ids_as_well(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str], wide: type
) -> None:
    save(folders[0] / "good.tif", TRUTH.astype(wide))
    (folders[0] / "good.png").unlink()
    assert json_of(folders, capsys)["mean_iou"] == pytest.approx(0.6333, abs=1e-4)


def test_predictions_too_many_are_told(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    save(folders[0] / "more.png", TRUTH)
    assert metrics(folders, "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["unused_predictions"] == ["more.png"]
    assert captured.err == "note: 1 predictions have no label file and are not used; the first is more.png.\n"


def _missing(predictions: Path, labels: Path) -> None:
    save(labels / "a.png", TRUTH)
    save(labels / "b.png", TRUTH)


def _twice(predictions: Path, labels: Path) -> None:
    save(predictions / "good.bmp", TRUTH)


def _no_labels(predictions: Path, labels: Path) -> None:
    for path in labels.rglob("*.png"):
        path.unlink()


def _colors(predictions: Path, labels: Path) -> None:
    Image.new("RGB", (4, 2)).save(labels / "good.png")


def _damaged(predictions: Path, labels: Path) -> None:
    (predictions / "good.png").write_bytes((labels / "good.png").read_bytes()[:60])


@pytest.mark.parametrize(
    "spoil, sentence",
    [
        (
            _missing,
            "2 of the 4 label files in {labels} have no prediction of the same name in {predictions}, the first is "
            "a.png. Predict them, or take them out.",
        ),
        (_twice, "{predictions} holds both good.bmp and good.png, so it is unclear which one counts. Take one out."),
        (
            _no_labels,
            "{labels} holds no label files. Give the folder of the label maps, as PNG, BMP, GIF or TIFF.",
        ),
        (
            _colors,
            "{labels}/good.png holds colours, but its values must be class ids. Save it as a palette or grey picture; "
            "`data check DIR --repair OUT` can turn the colours of a data set into ids.",
        ),
        (_damaged, "{predictions}/good.png is damaged or cut off and cannot be decoded. Export or download it again."),
        (
            lambda predictions, labels: save(labels / "sub/bad.png", TRUTH + 4),
            "{labels}/sub/bad.png holds the value 4 in 5 pixels that count, but there are 4 classes (0 to 3; pixels "
            "labelled 255 are ignored). Set the number of classes or the ignore index right, or mend the file.",
        ),
        (
            lambda predictions, labels: save(predictions / "sub/bad.png", TRUTH * 9),
            "{predictions}/sub/bad.png holds the value 9 in 2 pixels that count, but there are 4 classes (0 to 3; "
            "pixels labelled 255 are ignored). Set the number of classes or the ignore index right, or mend the file.",
        ),
        (
            lambda predictions, labels: save(predictions / "sub/bad.png", TRUTH[:, :3]),
            "{predictions}/sub/bad.png has 3 x 2 pixels, but {labels}/sub/bad.png has 4 x 2. "
            "Predict at the picture's own size, or scale the class ids back with nearest neighbour.",
        ),
    ],
)
def test_what_is_refused(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str], spoil: Any, sentence: str
) -> None:
    spoil(*folders)
    expected = sentence.format(predictions=folders[0], labels=folders[1])
    assert metrics(folders) == 1
    assert capsys.readouterr().err == f"error: {expected}\n"
    assert metrics(folders, "--json") == 1
    assert json.loads(capsys.readouterr().out) == {"error": expected}


def test_names_for_each_class(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert metrics(folders, "--names", "sky,ground") == 1
    said = capsys.readouterr().err
    assert said == "error: --names has 2 names, but --num-classes says 4. Give one name per class.\n"


def test_no_folder(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert metrics((folders[0] / "nowhere", folders[1])) == 1
    assert "nowhere is no folder." in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--ignore-index", "256"], ["--num-classes", "0"], ["--worst", "0"]])
def test_flags_have_ranges(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str], flags: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        metrics(folders, *flags)
    assert ended.value.code == 2
    assert "is not a whole number from" in capsys.readouterr().err
