"""The command `data`: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.faults import Good
from seg_demo.cli.main import main


@pytest.fixture
def good(tmp_path: Path) -> Good:
    return Good.write(tmp_path / "data")


def spoil(good: Good) -> None:
    """A value that is no class, a label map of half the size, and an image without one."""
    good.rewrite(1, lambda ids: np.where(ids > 0, 7, 0).astype(np.uint8))
    good.rewrite(2, lambda ids: ids[::2, ::2])
    good.label(3).unlink()


def test_a_good_data_set(good: Good, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(good.root)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "labelled pictures: 8 train, 2 val" in said
    assert "a label file of the same name in masks" in said
    assert "akahara" in said
    assert "Training may start: 0 errors, 0 warnings." in said


def test_mistakes_are_named_and_the_exit_code_is_1(good: Good, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(good)
    assert main(["data", "check", str(good.root)]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "ERROR [unknown-values] masks/drawn_0001.png holds 7 in" in said
    assert "ERROR [size-scaled] masks/drawn_0002.png is" in said
    assert "warning [missing-label] Images without a label map, which will not be used (1): images/drawn_0003" in said
    assert "Training must not start: 2 errors, 1 warnings. --repair OUT writes a copy in which they are mended." in said


def test_a_repaired_copy_passes(good: Good, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(good)
    out = tmp_path / "repaired"
    assert main(["data", "check", str(good.root), "--repair", str(out)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"Wrote 9 pictures to {out} (mended: unknown-values 1, size-scaled 1)." in said
    assert "Left out: 1 images/drawn_0003.jpg" in said
    assert main(["data", "check", str(out)]) == 0
    assert main(["data", "check", str(good.root), "--repair", str(out)]) == 1
    assert "is there already and is not empty" in capsys.readouterr().err


def test_a_repair_that_could_lose_something_is_only_made_when_asked_for(
    good: Good, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(good.image(0), good.image(1))
    shutil.copy(good.label(0), good.label(1))
    assert main(["data", "check", str(good.root), "--repair", str(tmp_path / "all")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Repair (only with --only same-picture): one of each is kept." in said
    assert len(list((tmp_path / "all").rglob("masks/*"))) == 10
    one = tmp_path / "one"
    assert main(["data", "check", str(good.root), "--repair", str(one), "--only", "same-picture"]) == 0
    assert len(list(one.rglob("masks/*"))) == 9


def test_the_class_file_gives_polygons_their_ids(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "labelme"
    source.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 255, (40, 60, 3), np.uint8)
        Image.fromarray(noise).save(source / f"{number}.jpg")
        shapes = [
            {"label": label, "shape_type": "rectangle", "points": [[left, 5], [left + width, 25]]}
            for label, left, width in (("cat", 1, 30), ("dog", 40, 9))
        ]
        document = {"shapes": shapes, "imagePath": f"{number}.jpg", "imageHeight": 40, "imageWidth": 60}
        (source / f"{number}.json").write_text(json.dumps(document))
    (tmp_path / "mine.txt").write_text("background\ndog\ncat\n")
    assert main(["data", "check", str(source), "--classes", str(tmp_path / "mine.txt"), "--json"]) == 0
    shares = {entry["name"]: entry["share"] for entry in json.loads(capsys.readouterr().out)["classes"]}
    assert shares["cat"] > 2 * shares["dog"] > 0


def test_a_copy_must_not_lie_in_the_original(good: Good, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(good.root), "--repair", str(good.root / "mended")]) == 1
    assert "lies in" in capsys.readouterr().err
    assert not (good.root / "mended").exists()


def test_chosen_repairs_leave_out_what_they_do_not_mend(good: Good, tmp_path: Path) -> None:
    spoil(good)
    out = tmp_path / "repaired"
    assert main(["data", "check", str(good.root), "--repair", str(out), "--only", "size-scaled"]) == 0
    assert len(list(out.rglob("masks/*"))) == 8


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--only", "rotated"], "--only chooses among the repairs, so it needs --repair OUT"),
        (["--repair", "OUT", "--only", "rotaded"], "There is no repair for this data set"),
        (["--layout", "vocc"], 'There is no data-set layout "vocc". Did you mean "voc"?'),
        (["--layout", "cityscapes"], "does not have the layout cityscapes, which looks like this"),
        (["--classes", "nowhere.txt"], "nowhere.txt cannot be read"),
    ],
)
def test_flags_that_are_wrong(
    flags: list[str], sentence: str, good: Good, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [str(tmp_path / "out") if flag == "OUT" else flag for flag in flags]
    assert main(["data", "check", str(good.root), *flags]) == 1
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("repair", [False, True])
def test_json_is_one_document_and_nothing_else(
    repair: bool, good: Good, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(good)
    code = main(["data", "check", str(good.root), "--json", *(["--repair", str(tmp_path / "out")] if repair else [])])
    document = json.loads(capsys.readouterr().out)
    assert code == (0 if repair else 1)
    assert document["may_train"] is False
    assert document["splits"] == {"train": 7, "val": 2}
    assert {"kind", "severity", "sentence", "repair", "files"} == set(document["findings"][0])
    assert document["classes"][1]["name"] == "akahara" and document["classes"][1]["pictures"] > 0
    if repair:
        assert document["repaired"]["may_train"] and document["repaired"]["left_out"] == ["images/drawn_0003.jpg"]


@pytest.mark.parametrize(
    "command", [["data", "check", "nowhere"], ["data", "convert", "nowhere", "--out", "x"], ["models", "show", "unett"]]
)
def test_an_error_is_json_too_where_json_was_asked_for(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["error"] in err


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_is_checked_like_its_folder(
    kind: str, good: Good, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(good)
    format_of = {"zip": "zip", "tar.gz": "gztar"}
    archive = shutil.make_archive(str(tmp_path / "mine"), format_of[kind], good.root.parent, good.root.name)
    out = tmp_path / "repaired"
    assert main(["data", "check", archive, "--repair", str(out)]) == 0
    assert "was unpacked: 20 files" in capsys.readouterr().out
    assert main(["data", "check", str(out)]) == 0


def test_a_hostile_archive_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../evil.txt", "out")
    assert main(["data", "check", str(tmp_path / "evil.zip"), "--json"]) == 1
    assert "evil" in json.loads(capsys.readouterr().out)["error"]


def test_polygons_become_label_maps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "labelme", tmp_path / "out"
    source.mkdir()
    for number in range(3):
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (40, 60, 3), np.uint8)).save(
            source / f"{number}.jpg"
        )
        shapes = [
            {"label": label, "shape_type": "rectangle", "points": [[left, 5], [left + 20, 25]]}
            for label, left in (("dog", 5), ("cat", 15))
        ]
        document = {"shapes": shapes, "imagePath": f"{number}.jpg", "imageHeight": 40, "imageWidth": 60}
        (source / f"{number}.json").write_text(json.dumps(document))
    command = ["data", "convert", str(source), "--out", str(out), "--classes", "nothing,cat,dog", "--order", "cat,dog"]
    assert main(command) == 0
    assert "Wrote 3 pictures" in capsys.readouterr().out
    label_map = np.array(Image.open(out / "masks" / "0.png"))
    assert set(np.unique(label_map)) == {0, 1, 2}
    assert label_map[15, 18] == 2  # where both are, the dog was painted last
    assert main(["data", "check", str(source)]) == 0  # the check paints by itself
    assert "3 label maps were painted from polygons" in capsys.readouterr().out


def test_a_preview_shows_colours(good: Good, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(good)  # nothing of which keeps a picture from being shown
    out = tmp_path / "sheet.png"
    assert main(["data", "preview", str(good.root), "--out", str(out), "--count", "9"]) == 0
    pixels = {tuple(color) for color in np.array(Image.open(out).convert("RGB")).reshape(-1, 3).tolist()}
    assert {(127, 0, 0), (0, 127, 0), (0, 0, 0), (255, 0, 255)} <= pixels
    assert main(["data", "preview", str(good.root), "--out", str(tmp_path / "sheet.txt")]) == 1
    assert "must end in .png or .jpg" in capsys.readouterr().err


def test_layouts_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "layouts", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"folders", "voc", "cityscapes", "camvid", "ade20k", "newts", "sbd"} <= set(document["layouts"])
    assert {"labelme-json", "labelme-xml", "cvat", "coco", "voc"} == set(document["polygon_formats"])
    assert main(["data", "layouts"]) == 0
    assert "JPEGImages/" in capsys.readouterr().out


def test_an_unknown_download(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "download", "newt", "--out", str(tmp_path / "out")]) == 1
    assert 'Did you mean "newts"?' in capsys.readouterr().err


def test_two_polygon_formats_in_one_folder_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text('{"shapes": [], "imagePath": "a.jpg"}')
    (tmp_path / "b.xml").write_text("<annotation><imagesize/></annotation>")
    assert main(["data", "check", str(tmp_path)]) == 1
    assert "holds two formats: a.json is labelme-json, b.xml is labelme-xml" in capsys.readouterr().err
