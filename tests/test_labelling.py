"""Labelling in the page, without a browser: pictures are brought, painted, walked through, and become a data set."""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from seg_demo.data.desk import Desk
from seg_demo.errors import UserError
from seg_demo.infer.library import Library
from seg_demo.jobs.workspace import Workspaces
from seg_demo.ui.brush import LabelWork
from seg_demo.ui.component import encode_planes
from seg_demo.ui.finetune import bench
from seg_demo.ui.finetune.bench import Bench
from seg_demo.ui.finetune.labelling import FIRST_CLASSES, LABELLED, WAITS, LabelPart
from seg_demo.ui.status import StatusRow
from seg_demo.ui.visitors import Visitors

HOSTILE = "<img src=x onerror=alert(1)> ${x} {{y}}"
SIZE = (24, 32)


def request(visitor: str = "one", language: str = "en") -> Any:
    return SimpleNamespace(cookies={}, session_hash=visitor, headers={"accept-language": language})


def event(data: object) -> gr.EventData:
    return gr.EventData(None, data)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, tiny_species_checkpoint: Path) -> Library:
    folder = tmp_path_factory.mktemp("library")
    shutil.copytree(tiny_checkpoint, folder / "newts-binary")
    shutil.copytree(tiny_species_checkpoint, folder / "newts-species")
    return Library(folder)


@pytest.fixture(scope="module")
def built(library: Library) -> LabelPart:
    with gr.Blocks():
        return LabelPart(Visitors(Workspaces(library.folder)), library, StatusRow("ft"))


@pytest.fixture
def part(built: LabelPart, tmp_path: Path) -> LabelPart:
    """In public, with nobody there yet."""
    built.visitors = Visitors(Workspaces(tmp_path, public=True, folder=tmp_path / "home"))
    return built


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    return [photo(tmp_path / "photos" / f"newt_{number}.png", number) for number in (1, 2, 10)]


def photo(path: Path, seed: int) -> str:
    path.parent.mkdir(exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 256, (SIZE[0] // 8, SIZE[1] // 8, 3), np.uint8)
    Image.fromarray(np.kron(blocks, np.ones((8, 8, 1), np.uint8))).save(path)
    return str(path)


def painted(*, top: int = 4) -> np.ndarray:
    """(24, 32) uint8: an object on background, and a strip where nothing is labelled."""
    label_map = np.zeros(SIZE, np.uint8)
    label_map[top : top + 10, 5:20] = 1
    label_map[:, -4:] = 255
    return label_map


def saved(name: object, label_map: np.ndarray, go: str = "next", **changes: Any) -> gr.EventData:
    """As the browser sends it."""
    height, width = label_map.shape
    plane = base64.b64encode(encode_planes([label_map])).decode()
    return event({"name": name, "plane": plane, "height": height, "width": width, "go": go, **changes})


def work_of(part: LabelPart, updates: Any) -> LabelWork:
    assert not told(part, updates)
    work = updates[part.painter]
    assert isinstance(work, LabelWork)
    return work


def told(part: LabelPart, updates: Any) -> str:
    """What the status line says; empty where all went well."""
    nodes = updates.get(part.status.words) or []
    return "".join(child for node in nodes for child in node["children"])


def choices(part: LabelPart, updates: Any) -> list[tuple[str, str]]:
    return [tuple(choice) for choice in updates[part.picture].choices]


def home_of(part: LabelPart, visitor: str = "one") -> Path:
    return part.visitors.of(request(visitor)).desk.parent


# From the first picture to a data set


def test_from_pictures_to_a_data_set(part: LabelPart, photos: list[str]) -> None:
    one = request()
    first = part.bring(photos, "ground #000000\nnewt #ff8800", one)
    work = work_of(part, first)
    assert (work.name, work.place, work.label_map, work.draft) == ("newt_1", (1, 3), None, None)
    assert work.classes.names == ("ground", "newt")
    assert np.array_equal(work.image, np.asarray(Image.open(photos[0])))
    assert choices(part, first) == [(f"{WAITS} {name}", name) for name in ("newt_1", "newt_2", "newt_10")]
    assert (first[part.names], first[part.files], first[part.clear].visible) == (
        "ground #000000\nnewt #ff8800",
        None,
        True,
    )
    # Painted and saved, one after the other.
    assert work_of(part, part.save(one, saved("newt_1", painted()))).name == "newt_2"
    after = part.save(one, saved("newt_2", painted(top=8), "previous"))
    assert np.array_equal(work_of(part, after).label_map, painted())
    marks = [label.split()[0] for label, _ in choices(part, after)]
    assert marks == [LABELLED, LABELLED, WAITS]
    again = work_of(part, part.save(one, saved("newt_1", painted(top=1), "stay")))
    assert (again.name, again.key) == ("newt_1", work.key)
    assert again.label_map is not None and np.array_equal(again.label_map, painted(top=1))
    # After a reload the first one that waits is shown.
    assert work_of(part, part.open(None, one)).name == "newt_10"
    assert work_of(part, part.open("newt_2", one)).name == "newt_2"
    # What is labelled is a data set.
    made = part.labelled(one)(lambda done, total: None)
    assert made.name == "labelled"
    assert made.shown.report.classes.names == ("ground", "newt")
    assert sum(made.shown.report.splits.values()) == 2
    assert made.home.parent == part.visitors.of(one).brought
    # It stays as it is while labelling goes on.
    part.save(one, saved("newt_1", painted(top=12)))
    (file,) = made.folder.rglob("masks/newt_1.png")
    assert np.array_equal(np.asarray(Image.open(file)), painted(top=1))


def test_next_and_previous_end_at_the_ends(part: LabelPart, photos: list[str]) -> None:
    part.bring(photos, "", request())
    for name, forwards, backwards in (
        ("newt_1", "newt_2", "newt_1"),
        ("newt_2", "newt_10", "newt_1"),
        ("newt_10", "newt_10", "newt_2"),
    ):
        assert work_of(part, part.go_next(request(), event({"name": name}))).name == forwards
        assert work_of(part, part.go_back(request(), event({"name": name}))).name == backwards
    for nonsense in ({"name": "../x"}, {}, None, "newt_2", {"name": ["newt_2"]}):
        assert work_of(part, part.go_next(request(), event(nonsense))).name == "newt_1"


def test_pictures_that_are_there_already_are_shown(part: LabelPart, photos: list[str], tmp_path: Path) -> None:
    part.bring(photos, "", request())
    same = shutil.copyfile(photos[1], tmp_path / "other name.png")
    updates = part.bring([str(same)], "", request())
    assert work_of(part, updates).name == "newt_2"
    assert len(choices(part, updates)) == 3
    late = part.bring([photo(tmp_path / "photos" / "newt_3.png", 3)], "x\ny\nz", request())
    assert (work_of(part, late).name, work_of(part, late).place) == ("newt_3", (3, 4))
    assert work_of(part, late).classes.names == ("background", "object")  # those of the desk


def test_what_is_no_picture_does_not_stop_the_others(part: LabelPart, photos: list[str], tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("no picture")
    updates = part.bring([str(tmp_path / "x.png"), *photos], "", request())
    assert told(part, updates).startswith("x.png")
    assert updates[part.painter].name == "newt_1"
    # With nothing on the desk there is nothing to paint, and nothing to walk through.
    alone = part.bring([str(tmp_path / "x.png")], "", request("another"))
    assert told(part, alone).startswith("x.png")
    assert alone[part.painter] is None
    for walk in (part.go_next, part.go_back):
        updates = walk(request("another"), event({"name": "x"}))
        assert (told(part, updates), updates[part.painter]) == ("", None)


def test_names_of_strangers_stay_text(part: LabelPart, tmp_path: Path) -> None:
    path = photo(tmp_path / "photos" / f"{HOSTILE}.png", 1)
    updates = part.bring([path], f"ground #000000\n{HOSTILE} #ff0000", request())
    work = work_of(part, updates)
    assert (work.name, work.classes.names[1]) == (HOSTILE, HOSTILE)
    value = part.painter.send(work)
    assert (value.name, value.classes[1].name) == (HOSTILE, HOSTILE)
    assert work_of(part, part.save(request(), saved(HOSTILE, painted(), "stay"))).label_map is not None


# Nothing there


def test_before_anything_was_brought(part: LabelPart, tmp_path: Path) -> None:
    there = part.open(None, request())
    assert (there[part.painter], there[part.clear].visible) == (None, False)
    for updates in (
        part.save(request(), saved("a", painted())), part.go_next(request(), event({"name": "a"})),
        part.predict("newts-binary", request(), event({"name": "a"})), part.use_names("a\nb", None, request()),
    ):  # fmt: skip
        assert told(part, updates) == "There are no pictures to label yet. Bring some, or take those of step 1."
    with pytest.raises(UserError, match="There are no pictures to label yet"):
        part.labelled(request())
    assert told(part, part.clear_desk(request())) == ""
    assert "ラベル" in told(part, part.save(request(language="ja"), saved("a", painted())))


def test_nothing_is_labelled_yet(part: LabelPart, photos: list[str]) -> None:
    part.bring(photos, "", request())
    work = part.labelled(request())
    with pytest.raises(UserError, match="No picture is labelled yet. Paint one and save it."):
        work(lambda done, total: None)
    assert list(part.visitors.of(request()).brought.iterdir()) == []


@pytest.mark.parametrize("names", ["\n \n", "a\na", "a #ff0000\nb", "x" * 5000 + "\nb", "\udcff\nb"])
def test_classes_that_cannot_be(names: str, part: LabelPart, photos: list[str]) -> None:
    sentence = told(part, part.bring(photos, names, request()))
    assert sentence and "\n" not in sentence and str(home_of(part)) not in sentence
    assert not part.visitors.of(request()).desk.exists()


# What a browser may send


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "newt_3"}, "There is no picture 'newt_3' to label any more."),
        ({"name": "../../photos/newt_1"}, "There is no picture"),
        ({"name": None}, "There is no picture 'None'"),
        ({"name": {"a": 1}}, "There is no picture"),
        ({"name": "x" * 5000}, "There is no picture"),
        ({"plane": None}, "The label map did not arrive as a whole. Save it again."),
        ({"plane": "!!"}, "The label map did not arrive"),
        ({"plane": "é"}, "The label map did not arrive"),
        ({"plane": base64.b64encode(b"x" * 99).decode()}, "The label map did not arrive"),
        ({"plane": base64.b64encode(encode_planes([np.zeros((4000, 4000), np.uint8)])).decode()}, "did not arrive"),
        ({"plane": "A" * 10**7}, "The label map did not arrive"),
        ({"height": 32, "width": 24}, "painted on a picture of another size than 32 x 24 pixels"),
        ({"height": None}, "painted on a picture of another size"),
        ({"height": "24"}, "painted on a picture of another size"),
    ],
)
def test_hostile_data_change_nothing(
    part: LabelPart, photos: list[str], changes: dict[str, Any], sentence: str
) -> None:
    part.bring(photos, "", request())
    updates = part.save(request(), saved(**{"name": "newt_1", "label_map": painted(), **changes}))
    assert sentence in told(part, updates)
    assert part.painter not in updates  # what was painted stays in the browser
    assert [picture.label for picture in part.desk(request()).pictures()] == [None] * 3


@pytest.mark.parametrize("data", [None, "x", 7, [], {}, {"name": "newt_1"}, {"go": "next"}])
def test_an_event_with_other_data(data: object, part: LabelPart, photos: list[str]) -> None:
    part.bring(photos, "", request())
    assert told(part, part.save(request(), event(data)))
    assert all(picture.label is None for picture in part.desk(request()).pictures())


def test_classes_that_are_not_there_are_not_saved(part: LabelPart, photos: list[str]) -> None:
    part.bring(photos, "", request())
    assert "holds the class 2, but there are 2 classes" in told(
        part, part.save(request(), saved("newt_1", painted() * 2 % 255))
    )
    nothing = np.full(SIZE, 255, np.uint8)
    assert told(part, part.save(request(), saved("newt_1", nothing))).startswith("Nothing is labelled in newt_1.")
    assert work_of(part, part.save(request(), saved("newt_1", painted(), go="../x"))).name == "newt_1"


def test_a_desk_is_its_visitors_alone(part: LabelPart, photos: list[str]) -> None:
    part.bring(photos, "", request("one"))
    part.save(request("one"), saved("newt_1", painted()))
    assert "There are no pictures to label yet" in told(part, part.save(request("other"), saved("newt_1", painted())))
    theirs = work_of(part, part.bring(photos, "", request("other")))
    assert theirs.label_map is None
    assert theirs.key != work_of(part, part.open("newt_1", request("one"))).key  # nor what is unsaved in a browser


# Classes, drafts, clearing


def test_other_names_for_the_classes(part: LabelPart, photos: list[str]) -> None:
    part.bring(photos, "", request())
    part.save(request(), saved("newt_1", painted()))
    updates = part.use_names("ground #101010\nnewt #00ff00\nleaf #0000ff", "newt_1", request())
    work = work_of(part, updates)
    assert (work.classes.names, work.name) == (("ground", "newt", "leaf"), "newt_1")
    assert work.label_map is not None and np.array_equal(work.label_map, painted())
    for names, sentence in (
        ("", "There is no class name."), ("newt\nground\nleaf", "would change from id"),
        ("ground", "is in use in newt_1.png"),
    ):  # fmt: skip
        assert sentence in told(part, part.use_names(names, "newt_1", request()))
    assert part.desk(request()).classes.names == ("ground", "newt", "leaf")


def test_a_draft(part: LabelPart, library: Library, photos: list[str]) -> None:
    part.bring(photos, FIRST_CLASSES, request())
    work = work_of(part, part.predict("newts-binary", request(), event({"name": "newt_2"})))
    assert work.name == "newt_2" and work.draft is not None
    assert np.array_equal(work.draft, library.predictor("newts-binary")(work.image).label_map)
    assert work.label_map is None
    assert part.painter.send(work).draft
    for model, sentence in (
        ("newts-species", "knows akahara, madara, none of which is a class here"),
        ("../x", "There is no model"), ("None", "There is no model"),
    ):  # fmt: skip
        assert sentence in told(part, part.predict(model, request(), event({"name": "newt_2"})))


def test_clearing_can_be_taken_back(part: LabelPart, photos: list[str]) -> None:
    part.bring(photos, "", request())
    part.save(request(), saved("newt_1", painted()))
    cleared = part.clear_desk(request())
    assert (cleared[part.painter], cleared[part.picture].choices) == (None, [])
    assert (cleared[part.clear].value, cleared[part.clear].visible) == ("Bring it back", True)
    back = part.clear_desk(request())
    assert work_of(part, back).name == "newt_2"
    assert [label.split()[0] for label, _ in choices(part, back)] == [LABELLED, WAITS, WAITS]
    # What was begun since is not replaced by it.
    part.clear_desk(request())
    part.bring(photos[:1], "", request())
    part.clear_desk(request())
    assert len(choices(part, part.clear_desk(request()))) == 1


# The pictures of the first step


def brought(part: LabelPart, tmp_path: Path) -> Bench:
    for number in range(3):
        photo(tmp_path / "images" / f"s{number}.png", 20 + number)
        (tmp_path / "masks").mkdir(exist_ok=True)
        label_map = painted(top=number)
        label_map[label_map == 255] = 0
        Image.fromarray(label_map).save(tmp_path / "masks" / f"s{number}.png")
    source = tmp_path / "set"
    source.mkdir()
    for kind in ("images", "masks"):
        (tmp_path / kind).rename(source / kind)
    return bench.bring([source], bench.new_home(part.visitors.of(request()).brought), "ground\nnewt", "")


def test_the_pictures_of_step_1_are_corrected(part: LabelPart, photos: list[str], tmp_path: Path) -> None:
    made = brought(part, tmp_path)
    part.bring(photos[:2], "other\nclasses", request())
    (*_, shown) = part.take_bench(made, request())
    work = work_of(part, shown)
    assert work.classes.names == ("ground", "newt")
    # Those that were brought to be labelled still wait; the first of them is shown.
    assert sorted(label for label, _ in choices(part, shown)) == sorted(
        [*(f"{WAITS} newt_{number}" for number in (1, 2)), *(f"{LABELLED} s{number}" for number in range(3))]
    )
    assert work.name == "newt_1"
    again = work_of(part, part.open("s2", request()))
    assert again.label_map is not None and (again.label_map == 1).sum() == 150
    # What is changed here does not change what was brought.
    part.save(request(), saved("s2", painted(top=9), "stay"))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "set" / "masks" / "s2.png"))[:, :28], painted(top=2)[:, :28])
    assert sum(made.shown.report.splits.values()) == 3
    # Taken once more, they would replace what was labelled.
    (refused,) = part.take_bench(made, request())
    assert "There are 3 labelled pictures here already. Use them, or clear them away first." in told(part, refused)
    assert not list(home_of(part).glob(".taken-*"))


def test_there_is_no_step_1_yet(part: LabelPart, photos: list[str], tmp_path: Path) -> None:
    (refused,) = part.take_bench(None, request())
    assert "There is no checked data set here any more. Bring the files again." in told(part, refused)
    made = brought(part, tmp_path)
    bad = Image.new("L", (3, 3))
    for mask in (tmp_path / "set" / "masks").iterdir():
        bad.save(mask)
    broken = bench.bring([tmp_path / "set"], bench.new_home(part.visitors.of(request()).brought), "", "")
    assert not broken.shown.report.may_train
    part.bring(photos, "", request())
    (*_, refused) = part.take_bench(broken, request())
    assert "set still has errors. Repair it" in told(part, refused)
    assert len(part.desk(request()).pictures()) == 3  # nothing was lost
    assert made.home.is_dir()


def test_a_disk_that_refuses_loses_nothing(part: LabelPart, photos: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    part.bring(photos, "", request())
    part.save(request(), saved("newt_1", painted()))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        sentence = told(part, part.save(request(), saved("newt_1", painted(top=9))))
    assert sentence == "newt_1.png could not be written (No space left on device). Free some space."
    _, label_map = Desk.open(part.visitors.of(request()).desk).read("newt_1")
    assert label_map is not None and np.array_equal(label_map, painted())


def test_a_picture_is_taken_away_at_the_second_click(part: LabelPart, photos: list[str]) -> None:
    part.bring(photos, "", request())
    part.save(request(), saved("newt_1", painted()))
    first = part.take_away("newt_1", "", request())
    assert (first[part.armed], first[part.away].variant) == ("newt_1", "stop")
    assert len(part.desk(request()).pictures()) == 3
    gone = part.take_away("newt_1", "newt_1", request())
    assert [picture.name for picture in part.desk(request()).pictures()] == [name for _, name in choices(part, gone)]
    assert "newt_1" not in [name for _, name in choices(part, gone)]
    assert (work_of(part, gone).name, gone[part.armed]) == ("newt_2", "")
    assert "newt_1" in told(part, part.take_away("newt_1", "newt_1", request()))
