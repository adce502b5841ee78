"""The Fine-tune tab: what visitors bring is checked, shown and repaired, and nothing of it ever runs as code."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from seg_demo.data.check import check
from seg_demo.data.check.finding import KINDS
from seg_demo.data.class_file import class_lines
from seg_demo.errors import Sentence, UserError
from seg_demo.jobs.workspace import Workspaces
from seg_demo.ui.background import followed
from seg_demo.ui.finetune import bench, findings
from seg_demo.ui.finetune.pictures import EXAMPLE, PicturesPart
from seg_demo.ui.fragment import SCRIPT, TEMPLATE, element
from seg_demo.ui.i18n import I18N, LANGUAGES, TEXTS, explain
from seg_demo.ui.status import StatusRow
from seg_demo.ui.theme import CSS
from seg_demo.ui.visitors import Visitors

HOSTILE_FILE = "${document.title='owned'} {{value}} &lt;b&gt;"
HOSTILE_CLASS = "**x** <img src=x onerror=document.title='owned'> ${document.title='owned'} {{value}}"
PICTURES = [f"p{number}" for number in range(6)]


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def label_map(number: int) -> np.ndarray:
    ids = np.zeros((48, 64), np.uint8)
    ids[8 + number : 30, 10 : 40 + number] = 1
    return ids


def files_of_a_set() -> dict[str, bytes]:
    """Pictures with label maps of two classes in images/ and masks/; nothing is wrong with them."""
    files = {}
    for number, name in enumerate(PICTURES):
        noise = np.random.default_rng(number).integers(0, 256, (6, 8, 3)).astype(np.uint8)
        files[f"images/{name}.png"] = png(np.kron(noise, np.ones((8, 8, 1), np.uint8)))
        files[f"masks/{name}.png"] = png(label_map(number))
    return files


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return packed(tmp_path / "good.zip", {**files_of_a_set(), "classes.txt": b"ground\nnewt\n"})


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A stray value, a label map at half the size, two that are missing, a file and a class with hostile names."""
    files = files_of_a_set()
    noise = np.random.default_rng(99).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    files[f"images/{HOSTILE_FILE}.png"] = png(noise)
    stray = label_map(1)
    stray[20, 20:23] = 77
    files["masks/p1.png"] = png(stray)
    files["masks/p2.png"] = png(label_map(2)[::2, ::2])
    del files["masks/p3.png"]
    files["classes.txt"] = f"ground\n{HOSTILE_CLASS}\n".encode()
    return packed(tmp_path / "planted.zip", files)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return bench.new_home(tmp_path / "brought")


# What is brought --------------------------------------------------------------------------------------------


def test_bring_repair_and_pack(planted: Path, home: Path, tmp_path: Path) -> None:
    brought = bench.bring([planted], home, "", "")
    kinds = {found.kind for found in brought.checked.report.findings}
    assert {"stray-values", "size-scaled", "missing-label"} <= kinds
    repaired = bench.mend(brought, ["stray-values", "size-scaled", "missing-label"], tmp_path / "downloads")
    assert repaired.mended
    assert repaired.shown.report.may_train
    assert repaired.mended.archive.name == "planted-repaired.zip"
    with zipfile.ZipFile(repaired.mended.archive) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {"train", "val", "classes.txt"}
        archive.extractall(tmp_path / "again")
    assert check(tmp_path / "again").report.may_train
    assert bench.original(repaired).shown is brought.checked


def test_several_files_are_one_set(home: Path, tmp_path: Path) -> None:
    files = []
    for number, name in enumerate(PICTURES):
        for path, array in ((f"{name}.png", label_map(number) * 100), (f"{name}_mask.png", label_map(number))):
            files.append(tmp_path / path)
            Image.fromarray(array).save(files[-1])
    brought = bench.bring(files, home, "ground\nnewt", "")
    assert sum(brought.checked.report.splits.values()) == len(PICTURES)
    assert brought.checked.report.classes.names == ("ground", "newt")
    assert brought.name == "p0.png (+11)"


def test_polygons_are_painted_in_the_given_order(home: Path, tmp_path: Path) -> None:
    files = {}
    for name in ("a", "b"):
        files[f"{name}.png"] = png(np.zeros((20, 30, 3), np.uint8))
        squares = [("wheel", 5, 15), ("car", 0, 19)]  # the wheel was drawn first and would be covered
        shapes = [
            {"label": label, "points": [[low, low], [high, low], [high, high], [low, high]], "shape_type": "polygon"}
            for label, low, high in squares
        ]
        drawn = {"version": "5.0", "imagePath": f"{name}.png", "imageHeight": 20, "imageWidth": 30, "shapes": shapes}
        files[f"{name}.json"] = json.dumps(drawn).encode()
    archive = packed(tmp_path / "polygons.zip", files)
    names = "ground #000000\ncar #0000ff\nwheel #ff0000"
    brought = bench.bring([archive], home, names, "car\nwheel")
    assert brought.checked.report.classes.colors == ((0, 0, 0), (0, 0, 255), (255, 0, 0))
    assert brought.checked.report.pictures_with == {"ground": 2, "car": 2, "wheel": 2}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["pictures.rar"], "pictures.rar is a rar file, which cannot be unpacked here"),
        (["notes.txt"], "notes.txt holds no pictures"),
        (["a.png", "set.zip"], "set.zip is an archive among other files. Bring it alone."),
        (["a.png", "x/A.png"], "A.png is there twice"),
        (["evil.zip"], "../x.png in evil.zip leads out of the folder"),
    ],
)
def test_what_cannot_be_brought(home: Path, tmp_path: Path, names: list[str], sentence: str) -> None:
    (tmp_path / "x").mkdir()
    packed(tmp_path / "set.zip", {"a.png": b""})
    packed(tmp_path / "evil.zip", {"../x.png": b"x"})
    (tmp_path / "pictures.rar").write_bytes(b"Rar!\x1a\x07\x00" + bytes(600))
    for name in ("notes.txt", "a.png", "x/A.png"):
        (tmp_path / name).write_text("x")
    with pytest.raises(UserError, match=re.escape(sentence)) as caught:
        bench.bring([tmp_path / name for name in names], home, "", "")
    assert str(home) not in str(caught.value)


def test_bad_class_names_are_told_without_the_servers_folders(good: Path, home: Path) -> None:
    with pytest.raises(UserError) as caught:
        bench.bring([good], home, "ground\nnewt #ff0000", "")
    assert str(caught.value).startswith("classes.txt gives a colour for 1 of its 2 classes.")


def test_names_and_colours_can_be_changed(good: Path, home: Path) -> None:
    brought = bench.bring([good], home, "", "")
    assert class_lines(brought.shown.report.classes) == "ground #000000\nnewt #e69f00"
    # The label maps hold numbers: colours may be anything, even each other's.
    changed = bench.renamed(brought, "floor #e69f00\nlizard #000000")
    assert changed.checked.report.classes.names == ("floor", "lizard")
    assert changed.checked.folder.classes.colors == ((230, 159, 0), (0, 0, 0))
    assert list(changed.checked.report.histogram.values()) == list(brought.checked.report.histogram.values())
    with pytest.raises(UserError, match="There is no class name"):
        bench.renamed(brought, "  \n")


def test_where_label_maps_hold_colours_these_tell_the_class(home: Path, tmp_path: Path) -> None:
    files = files_of_a_set()
    colors = np.array([[0, 0, 0], [200, 0, 0]], np.uint8)
    for number, name in enumerate(PICTURES):
        files[f"masks/{name}.png"] = png(colors[label_map(number)])
    brought = bench.bring([packed(tmp_path / "colours.zip", files)], home, "", "")
    named = bench.renamed(brought, "ground #000000\nnewt #c80000")
    assert named.checked.report.may_train
    assert 0 < named.checked.report.histogram["newt"] < 1
    assert not bench.renamed(brought, "ground #000000\nnewt #00c800").checked.report.may_train


def test_what_was_deleted_is_told(good: Path, home: Path) -> None:
    with pytest.raises(UserError, match="Bring the files again"):
        bench.still_there(None)
    folder = home
    brought = bench.bring([good], folder, "", "")
    assert bench.still_there(brought) is brought
    bench.remove(brought)
    deadline = time.monotonic() + 5
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(UserError, match="Bring the files again"):
        bench.still_there(brought)


def test_servers_folders_are_never_named() -> None:
    home = Path("/tmp/homes/abc")
    for text, told in (
        (home / "unpacked/images/a b.png", "images/a b.png"),
        (home / "unpacked", "set.zip"),
        (f"{home}/unpacked holds nothing", "set.zip holds nothing"),
        (home / "classes.txt", "classes.txt"),
        ("images/a.png", "images/a.png"),
    ):
        assert bench.without_paths(text, home, "set.zip") == told
    inner = UserError("{file} is empty.", file=home / "collected/a.png")
    error = bench.without_paths(UserError("{file}: {why}", file="a.png", why=inner), home, "x")
    assert str(error) == "a.png: a.png is empty."
    sentence = bench.without_paths(Sentence("The classes are those of {file}.", file=home / "classes.txt"), home, "x")
    assert sentence == "The classes are those of classes.txt."
    assert explain(sentence, "ja") == "クラスは classes.txt に従います。"


def test_work_ends_soon_after_its_generator() -> None:
    steps = []

    def work(progress: Any) -> int:
        for number in range(200):
            steps.append(number)
            time.sleep(0.01)
            progress(number, 200)
        return 200

    running = followed(work)
    assert next(running)[1] == 200
    running.close()
    time.sleep(0.05)
    count = len(steps)
    time.sleep(0.1)
    assert count < 100
    assert len(steps) == count


@pytest.mark.parametrize(
    ("files", "brought", "checked"),
    [
        (["a.zip"], [], ["a.zip"]),
        (["a.zip", "b.zip"], ["a.zip"], ["b.zip"]),
        (["a.zip", "b.zip"], [], ["a.zip", "b.zip"]),  # chosen together, which is refused with a sentence
        (["a.zip", "c.png", "d.png"], ["a.zip"], ["c.png", "d.png"]),
        (["c.png", "d.png"], ["c.png"], ["c.png", "d.png"]),
        (["a.zip"], ["a.zip"], ["a.zip"]),
    ],
)
def test_an_archive_takes_the_place_of_what_was_there(
    tmp_path: Path, files: list[str], brought: list[str], checked: list[str]
) -> None:
    for name in ("a.zip", "b.zip"):
        packed(tmp_path / name, {"x": b"x"})
    for name in ("c.png", "d.png"):
        (tmp_path / name).write_bytes(png(label_map(0)))
    paths = {name: str(tmp_path / name) for name in files}
    assert bench.newest([paths[name] for name in files], [paths[name] for name in brought]) == [
        paths[name] for name in checked
    ]


# How it is shown --------------------------------------------------------------------------------------------


def test_nothing_that_is_shown_is_parsed_as_html() -> None:
    assert "value" not in TEMPLATE
    assert "innerHTML" not in SCRIPT
    assert element("td", "<b>", color=(1, 2, 3), class_="x", data_kind="y") == {
        "tag": "td",
        "attributes": {"class": "x", "data-kind": "y"},
        "children": ["<b>"],
        "color": "rgb(1, 2, 3)",
    }


@pytest.mark.parametrize(
    ("language", "unpacked", "splits"),
    [
        ("en", "good.zip was unpacked: 13 files.", "5 train, 1 val"),
        ("ja", "good.zip を展開しました: 13 個のファイル。", "学習用 5 枚、検証用 1 枚"),
        ("zh", "已解压 good.zip:13 个文件。", "训练 5 张、验证 1 张"),
    ],
)
def test_what_was_recognised_is_told_in_the_visitors_language(
    good: Path, home: Path, language: str, unpacked: str, splits: str
) -> None:
    brought = bench.bring([good], home, "ground\nnewt", "")
    (told,) = findings.reasons(brought, language)
    lines = [item["children"][0] for item in told["children"]]  # type: ignore[index, call-overload]
    assert lines[0] == unpacked
    assert any("classes.txt" in line for line in lines)
    assert str(home) not in "".join(lines)
    assert splits in json.dumps(findings.verdict(brought, language), ensure_ascii=False)
    assert bench.report_of(brought)["reasons"][0] == "good.zip was unpacked: 13 files."


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_finding_has_a_title(language: str) -> None:
    titles = [TEXTS[language]["kind_" + kind.replace("-", "_")] for kind in KINDS]
    assert len(set(titles)) == len(KINDS)


# Through gradio_client --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("visitors")


def homes(place: Path) -> set[Path]:
    """The folders of all data sets that visitors have brought."""
    return set(place.glob("workspaces/*/brought/*"))


@pytest.fixture(scope="module")
def url(place: Path) -> Iterator[str]:
    """A page with nothing but the first step; each of its sessions is another visitor."""
    with gr.Blocks() as demo:
        part = PicturesPart(Visitors(Workspaces(place, public=True, folder=place)), StatusRow("ft"))
        part.wire(demo, lambda bench, language: {}, [])
    demo.launch(server_name="127.0.0.1", prevent_thread_lock=True, i18n=I18N, css=CSS, quiet=True, run_history=False)
    yield demo.local_url
    demo.close()


@pytest.fixture(scope="module")
def client(url: str) -> Any:
    from gradio_client import Client

    return Client(url, verbose=False)


def test_programs_get_the_report(client: Any, planted: Path, place: Path) -> None:
    from gradio_client import handle_file

    report = client.predict(handle_file(str(planted)), "ground\nnewt", api_name="/check")
    assert report["may_train"] is False
    assert report["folder"] == "planted.zip"
    assert [entry["name"] for entry in report["classes"]] == ["ground", "newt"]
    assert {"stray-values", "size-scaled", "missing-label"} <= {found["kind"] for found in report["findings"]}
    assert "seg_demo-check" not in json.dumps(report), "the server's folders are nobody's business"
    assert not homes(place)


def test_programs_get_a_sentence(client: Any, tmp_path: Path) -> None:
    from gradio_client import handle_file

    evil = packed(tmp_path / "evil.zip", {"../x.png": b"x"})
    with pytest.raises(Exception, match=r"\.\./x\.png in evil\.zip leads out of the folder"):
        client.predict(handle_file(str(evil)), api_name="/check")
    with pytest.raises(Exception, match="Choose a ZIP or TAR"):
        client.predict(None, "", api_name="/check")


def test_check_is_the_only_public_endpoint(client: Any) -> None:
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/check"]


# In the browser ---------------------------------------------------------------------------------------------


@pytest.fixture
def open_page(browser: Any, url: str) -> Iterator[Any]:
    contexts = []

    def open_(**options: Any) -> Any:
        contexts.append(browser.new_context(accept_downloads=True, **{"locale": "en-US", **options}))
        page = contexts[-1].new_page()
        page.set_default_timeout(15_000)
        page.goto(url, wait_until="commit")
        page.wait_for_selector("#ft-files input[type=file]", state="attached")
        page.wait_for_selector("#ft-folder button:not(:empty)")
        return page

    yield open_
    for context in contexts:
        context.close()


def bring(page: Any, *files: Path) -> None:
    page.set_input_files("#ft-files input[type=file]", [str(file) for file in files])


def verdict(page: Any, words: str) -> str:
    page.wait_for_selector(f"#ft-verdict h2:text-is('{words}')")
    page.wait_for_selector("#ft-stop", state="detached")
    return page.locator("#ft-verdict").inner_text()


def problem(page: Any) -> str:
    page.wait_for_selector("#ft-status .problem")
    return page.locator("#ft-status").inner_text()


def test_one_click_shows_the_whole_path(open_page: Any) -> None:
    page = open_page()
    page.click("#ft-example")
    assert "Labelled pictures: 10 train, 2 val." in verdict(page, "Training may start")
    assert page.locator("#ft-gallery img").count() == len(list((EXAMPLE / "images").iterdir()))
    assert "akahara" in page.locator("#ft-gallery").inner_text()
    assert page.locator("#ft-classes tbody tr").count() == 3
    assert not page.locator("#ft-welcome").is_visible()


def test_mistakes_are_told_repaired_and_undone(open_page: Any, planted: Path, tmp_path: Path) -> None:
    page = open_page()
    bring(page, planted)
    assert "Errors: 2" in verdict(page, "Training must not start yet")
    cards = page.locator("#ft-cards .card")
    kinds = [card.get_attribute("data-kind") for card in cards.all()]
    assert kinds[:3] == ["size-scaled", "stray-values", "missing-label"]
    assert "masks/p1.png holds 77 in 3 pixels" in cards.nth(1).inner_text()
    assert "Repair: these pixels take the class next to them." in cards.nth(1).inner_text()
    assert page.locator("#ft-choices input:checked").count() == page.locator("#ft-choices input").count() == 3
    # Hostile names are seen as they are written, everywhere.
    assert HOSTILE_FILE in cards.nth(2).inner_text()
    assert HOSTILE_CLASS in page.locator("#ft-classes").inner_text()
    assert HOSTILE_CLASS in page.locator("#ft-gallery").inner_text()
    page.locator("#ft-gallery button.thumbnail-item").first.click()
    page.wait_for_timeout(200)
    page.keyboard.press("Escape")
    assert page.title() != "owned"

    page.click("#ft-repair")
    verdict(page, "Training may start")
    assert "images/p3.png" in page.locator("#ft-mended").text_content()
    with page.expect_download() as download:
        page.click("#ft-download")
    download.value.save_as(tmp_path / "repaired.zip")
    with zipfile.ZipFile(tmp_path / "repaired.zip") as archive:
        archive.extractall(tmp_path / "again")
    assert check(tmp_path / "again").report.may_train
    assert not page.locator("#ft-repair-box").is_visible()
    page.click("#ft-back")
    verdict(page, "Training must not start yet")
    assert page.locator("#ft-repair-box").is_visible()
    assert not page.locator("#ft-mended-box").is_visible()
    assert page.title() != "owned"


def test_a_problem_is_one_sentence_and_costs_nothing(open_page: Any, good: Path, tmp_path: Path) -> None:
    page = open_page()
    bring(page, good)
    verdict(page, "Training may start")
    bring(page, packed(tmp_path / "evil.zip", {"../x.png": b"x"}))
    assert "../x.png in evil.zip leads out of the folder it is unpacked to" in problem(page)
    assert "good.zip" in page.locator("#ft-verdict").inner_text()
    # Nothing was lost on the server either.
    page.locator("#ft-edit > button").click()
    page.wait_for_function("document.querySelector('#ft-edit-names textarea')?.value.startsWith('ground')")
    page.fill("#ft-edit-names textarea", "floor\nlizard")
    page.click("#ft-use-names")
    page.wait_for_selector("#ft-classes >> text=lizard")


def test_a_folder_keeps_the_names_of_its_folders(open_page: Any, tmp_path: Path) -> None:
    for name, content in files_of_a_set().items():
        path = tmp_path / "イモリ" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    page = open_page()
    page.set_input_files("#ft-folder input", str(tmp_path / "イモリ"))
    verdict(page, "Training may start")
    assert "イモリ.zip" in page.locator("#ft-verdict").inner_text()
    page.locator("#ft-why > button").click()
    page.wait_for_selector("#ft-reasons >> text=イモリ/masks")


def test_stop_ends_the_check(open_page: Any, good: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seg_demo.data import survey

    looked = []
    original = survey.look_at_image

    def slow(path: Path, *shown: Any) -> Any:
        looked.append(path)
        time.sleep(2.0)
        return original(path, *shown)

    monkeypatch.setattr(survey, "look_at_image", slow)
    before = homes(place)
    page = open_page(locale="ja-JP", reduced_motion="reduce")
    bring(page, good)
    page.wait_for_selector("#ft-status progress[value]")
    page.click("#ft-stop")
    assert "停止しました" in page.locator("#ft-status .stopped").inner_text()
    assert not page.locator("#ft-results").is_visible()
    deadline = time.monotonic() + 5
    while homes(place) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert homes(place) == before
    assert len(looked) < len(PICTURES)


def test_it_speaks_japanese(open_page: Any, planted: Path) -> None:
    page = open_page(locale="ja-JP")
    bring(page, planted)
    verdict(page, "まだ学習を始められません")
    text = page.locator("#ft-cards").inner_text()
    assert "エラー" in text
    assert "masks/p1.png" in text
    for sentence in page.locator("#ft-cards li").all_inner_texts():
        assert re.search(r"[ぁ-ん]", sentence), f"not translated: {sentence}"
    bring(page, packed(planted.parent / "evil.zip", {"../x.png": b"x"}))
    assert re.search(r"[ぁ-ん]", problem(page))


def test_a_repair_that_could_lose_something_is_not_ticked_at_first() -> None:
    from seg_demo.data.check import KINDS
    from seg_demo.ui.finetune.findings import by_default

    assert [kind for kind, known in KINDS.items() if known.repair and not by_default(kind)] == [
        "smeared-values", "same-picture", "leak",
    ]  # fmt: skip
