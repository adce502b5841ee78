"""What was brought is still there after a reload of the page, and after the server was started again."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from test_finetune import files_of_a_set, label_map, packed, png

from seg_demo.errors import Sentence
from seg_demo.jobs.workspace import Workspaces
from seg_demo.ui.finetune import bench
from seg_demo.ui.finetune.bench import RECORD, Bench, report_of
from seg_demo.ui.finetune.pictures import PicturesPart
from seg_demo.ui.finetune.shelf import DAY, laid_out, last_brought, recorded
from seg_demo.ui.i18n import explain
from seg_demo.ui.status import StatusRow
from seg_demo.ui.visitors import Visitors

REPAIRS = ["stray-values", "size-scaled", "missing-label"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "brought"


@pytest.fixture
def brought(tmp_path: Path, place: Path) -> Bench:
    """Checked, with something to mend, and class names that were typed."""
    files = files_of_a_set()
    stray = label_map(1)
    stray[20, 20:23] = 77
    files |= {"masks/p1.png": png(stray), "masks/p2.png": png(label_map(2)[::2, ::2])}
    del files["masks/p3.png"]
    archive = packed(tmp_path / "イモリ {set}.zip", files)
    return bench.bring([archive], bench.new_home(place), "ground\nnewt", "")


def laid(home: Path, tmp_path: Path) -> Bench:
    found = laid_out(home, tmp_path / "downloads")
    assert found is not None
    return found


def change(home: Path, **changes: Any) -> None:
    document = json.loads((home / RECORD).read_text("utf-8"))
    (home / RECORD).write_text(json.dumps({**document, **changes}), "utf-8")


# The same again


def test_what_was_brought_is_laid_out_again(brought: Bench, place: Path, tmp_path: Path) -> None:
    assert last_brought(place) is None
    assert recorded(brought) is brought
    assert last_brought(place) == brought.home
    again = laid(brought.home, tmp_path)
    assert report_of(again) == report_of(brought)
    assert (again.home, again.name, again.folder, again.names) == (
        brought.home, "イモリ {set}.zip", brought.folder, "ground\nnewt",
    )  # fmt: skip
    # What was recognised is still told in the visitor's language.
    assert [explain(each, "ja") for each in again.reasons] == [explain(each, "ja") for each in brought.reasons]
    assert bench.mend(again, REPAIRS, tmp_path / "downloads").shown.report.may_train


def test_a_repaired_copy_and_new_names_as_well(brought: Bench, place: Path, tmp_path: Path) -> None:
    mended = recorded(
        bench.mend(bench.renamed(brought, "floor #ff0000\nlizard #00ff00"), REPAIRS, tmp_path / "downloads")
    )
    again = laid(brought.home, tmp_path)
    assert again.mended and mended.mended
    assert again.mended.done == mended.mended.done
    assert again.shown.report.to_json() == mended.shown.report.to_json()
    assert again.shown.report.classes.names == ("floor", "lizard")
    assert again.checked.report.classes.colors == ((255, 0, 0), (0, 255, 0))
    assert again.mended.archive.is_file() and again.mended.archive != mended.mended.archive
    assert again.mended.archive.name == mended.mended.archive.name
    # Back to the original, which is then what is noted.
    recorded(bench.original(again))
    assert laid(brought.home, tmp_path).mended is None


def test_painted_polygons_keep_names_and_colours(place: Path, tmp_path: Path) -> None:
    shapes = [{"label": "car", "shape_type": "rectangle", "points": [[0, 0], [9, 9]]}]
    files = {}
    for name in ("a", "b"):
        files[f"{name}.png"] = png(np.random.default_rng(len(files)).integers(0, 255, (20, 30, 3), np.uint8))
        document = {"shapes": shapes, "imagePath": f"{name}.png", "imageWidth": 30, "imageHeight": 20, "version": "5"}
        files[f"{name}.json"] = json.dumps(document).encode()
    names = "ground #000000\ncar #0000ff"
    painted = bench.bring([packed(tmp_path / "polygons.zip", files)], bench.new_home(place), names, "")
    again = laid(recorded(painted).home, tmp_path)
    assert (again.names, again.painted) == ("", names)
    assert report_of(again) == report_of(painted)
    assert again.checked.report.classes.colors == ((0, 0, 0), (0, 0, 255))


def test_reasons_keep_their_numbers_and_what_is_told_in_them(brought: Bench, tmp_path: Path) -> None:
    inner = Sentence("{count} label maps were painted from polygons.", count=3)
    told = Sentence("{share:.1%} of {what}: {file}", share=0.25, what=inner, file=brought.home / "unpacked" / "a.png")
    recorded(Bench(brought.home, brought.name, brought.folder, (told,), brought.checked))
    (again,) = laid(brought.home, tmp_path).reasons
    assert again == told
    assert explain(again, "ja") == explain(told, "ja") != str(told)


# What was damaged, or has gone


def test_a_damaged_note_is_as_none(brought: Bench, place: Path, tmp_path: Path) -> None:
    recorded(brought)
    damaged = (b"", b"{", b"[]", b"null", b"7", b"{}", b"\xff\xfe", b'{"name": "x"}', b"[" * 5000, b'"' + b"x" * 9)
    for content in damaged:
        (brought.home / RECORD).write_bytes(content)
        assert last_brought(place) == brought.home
        assert laid_out(brought.home, tmp_path / "downloads") is None, content


def test_a_note_that_is_partly_wrong_is_as_none(brought: Bench, tmp_path: Path) -> None:
    recorded(brought)
    assert laid(brought.home, tmp_path)
    gone = {"out": "gone", "written": 1, "mended": {}, "left_out": []}
    wrong: tuple[dict[str, Any], ...] = (
        {"folder": 7}, {"folder": "/nowhere"}, {"folder": "a\0b"}, {"names": None}, {"names": 5}, {"painted": ["x"]},
        {"names": "ground #ff0000\nnewt"}, {"reasons": 7}, {"mended": 7}, {"mended": {"out": "x"}}, {"mended": gone},
    )  # fmt: skip
    for changes in wrong:
        recorded(brought)
        change(brought.home, **changes)
        assert laid_out(brought.home, tmp_path / "downloads") is None, changes


def test_reasons_that_are_none_are_left_out(brought: Bench, tmp_path: Path) -> None:
    recorded(brought)
    good = {"template": "{file} was unpacked: {count} files.", "fields": {"file": "x.zip", "count": 3}}
    change(brought.home, reasons=[{"template": "{file.__class__}", "fields": {"file": "x"}}, "x", None, good])
    assert laid(brought.home, tmp_path).reasons == ("x.zip was unpacked: 3 files.",)


def test_old_homes_go_but_the_last_one_stays(brought: Bench, place: Path) -> None:
    assert last_brought(place / "nowhere") is None
    recorded(brought)
    other = bench.new_home(place)
    (other / RECORD).write_text("{}")
    os.utime(other / RECORD, (time.time() - 30 * DAY,) * 2)
    recent, forgotten = (bench.new_home(place) for _ in range(2))  # of a check that goes on, and of one that broke off
    for home, days in ((other, 2), (forgotten, 2), (brought.home, 300), (recent, 0.5)):
        os.utime(home, (time.time() - days * DAY,) * 2)
    os.utime(brought.home / RECORD, (time.time() - 3 * DAY,) * 2)
    assert last_brought(place) == brought.home
    assert {home.name for home in place.iterdir()} == {brought.home.name, recent.name}


def test_what_was_removed_is_not_taken_up_again(brought: Bench, place: Path) -> None:
    recorded(brought)
    bench.remove(brought)
    assert last_brought(place) != brought.home


# The page


def test_the_page_shows_it_after_a_restart(brought: Bench, place: Path, tmp_path: Path) -> None:
    def part() -> PicturesPart:
        with gr.Blocks():
            made = PicturesPart(Visitors(Workspaces(tmp_path)), StatusRow("ft"))
        made.also = lambda bench, language: {}
        return made

    request: Any = SimpleNamespace(cookies={}, session_hash=None, headers={"accept-language": "en"})
    mine = Workspaces(tmp_path).of(None).brought
    mine.parent.mkdir()
    first = part()
    assert list(first.show_latest(request)) == [{}]
    (archive,) = tmp_path.glob("*.zip")
    (*_, shown) = first.bring([str(archive)], "ground\nnewt", "", None, [], request)
    assert report_of(shown[first.bench]) == {**report_of(brought)}
    for other in (first, part()):  # the same server, and one that was started again
        (*_, again) = other.show_latest(request)
        assert report_of(again[other.bench]) == report_of(brought)
        assert len(again[other.gallery]) == len(shown[first.gallery]) > 0
    (next(mine.iterdir()) / RECORD).write_text("{")
    (*_, told) = (late := part()).show_latest(request)
    assert "There is no checked data set here any more." in str(told[late.status.words])
    assert late.bench not in told


def test_a_path_that_leads_nowhere_is_one_sentence(tmp_path: Path) -> None:
    with gr.Blocks():
        part = PicturesPart(Visitors(Workspaces(tmp_path)), StatusRow("ft"))
    request: Any = SimpleNamespace(cookies={}, session_hash=None, headers={})
    for path in ("~nobody-of-this-name/x", "/nowhere", "a\0b", "", None, "x" * 5000, "{0}"):
        (told,) = part.bring_path(path, "", "", None, request)
        assert "There is no folder or archive" in str(told[part.status.words]), path
    assert not Workspaces(tmp_path).of(None).brought.exists()


def test_strangers_may_not_name_folders_of_the_server(tmp_path: Path, brought: Bench) -> None:
    with gr.Blocks():
        part = PicturesPart(Visitors(Workspaces(tmp_path, public=True, folder=tmp_path)), StatusRow("ft"))
    request: Any = SimpleNamespace(cookies={}, session_hash="s", headers={})
    assert list(part.bring_path(str(brought.folder), "", "", None, request)) == []
    assert not part.path.visible and not part.take.visible
