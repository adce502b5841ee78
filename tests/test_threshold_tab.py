"""The Threshold tab as visitors meet it: what it shows, saves, measures and writes equals Python; links lead back."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import numpy as np
import pytest
from PIL import Image
from test_page import brightness_checkpoint, picture

from seg_demo.checkpoint import load_checkpoint
from seg_demo.data.folder import open_folder
from seg_demo.data.images import read_image
from seg_demo.evaluate.labels import read_labels
from seg_demo.evaluate.threshold import ThresholdHistogram, class_against_rest, measure_thresholds
from seg_demo.infer.binarisation import Binarisation
from seg_demo.infer.library import Library
from seg_demo.infer.predictor import Predictor
from seg_demo.infer.segmentation import Segmentation, threshold_level
from seg_demo.ui import page
from seg_demo.ui.finetune.pictures import EXAMPLE
from seg_demo.ui.kept import KeptPictures
from seg_demo.ui.lab import LabValue
from seg_demo.ui.saving import FORMATS
from seg_demo.ui.segment import DRAWN_EXAMPLES
from seg_demo.ui.threshold import ThresholdTab

LAB = "document.querySelector('#lab .seg-lab')?.segLab"
CANVAS = "document.querySelector('#canvas .seg-canvas')?.segCanvas"
ONE, SEVERAL, OWN = "newts-binary", "newts-species", "mine"
WATER = DRAWN_EXAMPLES / "1_water.jpg"


@dataclass(frozen=True)
class Site:
    """The page, its tab, the models, and the folder for temporary files, outside of which pictures are kept."""

    url: str
    tab: ThresholdTab
    library: Library
    temporary: Path

    def predict(self, file: Path, model: str, depth: Any = 8) -> Segmentation:
        checkpoint = load_checkpoint(self.library.folder / model)
        return Predictor(checkpoint, depth=depth, keep_probabilities=True)(read_image(file))

    def plane(self, file: Path, model: str, class_id: int = 1, depth: Any = 8) -> np.ndarray:
        probabilities = self.predict(file, model, depth).probabilities
        assert probabilities is not None
        return probabilities[class_id if model == SEVERAL else 0]

    def kept(self) -> set[str]:
        folder = self.tab.kept.folder
        return {path.name for path in folder.iterdir()} if folder.is_dir() else set()

    def left_over(self) -> set[str]:
        """Temporary folders of work that is done."""
        folders = (self.temporary.iterdir(), (self.temporary / "gradio").glob("saved-*"))
        return {path.name for each in folders for path in each if path.name != "gradio"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("threshold")
    library = Library(folder / "checkpoints")
    brightness_checkpoint(library.folder / ONE, ONE, [2.0], [-1.0])
    brightness_checkpoint(library.folder / SEVERAL, SEVERAL, [0.0, 2.0, 4.0], [0.0, -1.0, -3.0])
    brightness_checkpoint(library.folder / OWN, ONE, [2.0], [-2.0])
    tabs: list[ThresholdTab] = []

    class Noted(ThresholdTab):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            tabs.append(self)

    with pytest.MonkeyPatch.context() as patch:
        # Gradio serves temporary files to anybody, but not what is kept.
        (folder / "temporary").mkdir()
        patch.setattr(tempfile, "tempdir", str(folder / "temporary"))
        patch.setenv("SEG_DEMO_HOME", str(folder / "home"))
        patch.setattr(page, "ThresholdTab", Noted)
        demo = page.serve(library, "127.0.0.1", block=False)
        yield Site(demo.local_url, tabs[0], library, folder / "temporary")
        demo.close()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return picture(tmp_path / "photo.png", 61, 47)


@pytest.fixture
def labels(tmp_path: Path, site: Site, photo: Path) -> Path:
    """A label map for the photo in three classes, in part wrong, in part not labelled."""
    label_map = site.predict(photo, SEVERAL).label_map.copy()
    label_map[:9] = 255
    label_map[:, 30:40] = 2
    label_map[20:30] = 0
    return saved(tmp_path / "labels.png", label_map)


def saved(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def data_set(path: Path, classes: str = "background\nakahara\nmadara\n", count: int = 6) -> Path:
    """A ZIP of labelled pictures; the names of its folders say which split they are."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            label_map = np.zeros((24, 32), np.uint8)
            label_map[4 + number : 14, 3:12], label_map[15:22, 8 : 20 + number] = 1, 2
            split = "val" if number < 2 else "train"
            photo = picture(path.parent / f"{path.stem}_{number}.png", 32, 24, seed=number)
            archive.write(photo, f"{split}/images/p{number}.png")
            archive.write(saved(path.parent / "mask.png", label_map), f"{split}/masks/p{number}.png")
        archive.writestr("classes.txt", classes)
    return path


# On the server ----------------------------------------------------------------------------------------------


def request_of(language: str = "en", **query: str) -> Any:
    return SimpleNamespace(headers={"accept-language": language}, query_params=query)


def words(updates: dict[Any, Any], tab: ThresholdTab) -> str:
    """What the line on top says."""
    return "".join(node["children"][0] for node in updates[tab.status.words] or [] if node["children"])


def shown(site: Site, updates: dict[Any, Any]) -> Any:
    value = updates[site.tab.lab]
    assert isinstance(value, LabValue) and value.picture, words(updates, site.tab)
    return value.picture


def looked(site: Site, file: Path, model: str, class_name: str = "", labels: Path | None = None) -> tuple[Any, Any]:
    """The states of a page that shows a picture of the visitor's own."""
    tab, request = site.tab, request_of()
    *_, updates = tab.bring(str(file), model, None, None, request)
    if class_name:
        *_, updates = tab.choose_class(class_name, updates[tab.look], updates[tab.value], request)
    if labels:
        *_, updates = tab.choose_labels(str(labels), updates[tab.look], updates[tab.value], request)
    shown(site, updates)
    return updates[site.tab.look], updates[site.tab.value]


def test_a_link_leads_back(site: Site, photo: Path, labels: Path) -> None:
    look, _ = looked(site, photo, SEVERAL, "akahara", labels)
    asked = {"tab": "threshold", **look.link, "t": "0.25", "low": "0.125", "object": "3", "hole": "4"}
    first, *_, updates = site.tab.open_link(request_of(**asked))
    assert first[site.tab.tabs].selected == "threshold"
    again = updates[site.tab.look]
    assert (again.model, again.class_name, again.place) == (SEVERAL, "akahara", look.place)
    assert Path(again.file).read_bytes() == photo.read_bytes()
    assert Path(again.labels).read_bytes() == labels.read_bytes()
    meta = shown(site, updates).meta
    assert meta.state == {"threshold": 0.25, "low": 0.125, "smallest_object": 3, "smallest_hole": 4}
    assert meta.planes == ["probabilities", "labels"]
    assert meta.link == look.link


def test_a_link_may_leave_things_out(site: Site) -> None:
    for asked in ({"example": WATER.name, "model": OWN}, {"example": WATER.name}, {}):
        *_, updates = site.tab.open_link(request_of(tab="threshold", **asked))
        assert shown(site, updates).name == WATER.name
        assert shown(site, updates).meta.state is None, "the checkpoint has a threshold of its own"
        assert updates[site.tab.look].model == asked.get("model", ONE)
    (updates,) = site.tab.open_link(request_of(example=WATER.name, model=OWN))
    assert site.tab.lab not in updates, "the link of another tab"


GOOD = {"tab": "threshold", "example": WATER.name, "model": SEVERAL, "class": "madara", "t": "0.5"}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"model": "newts-spices"}, 'There is no model "newts-spices". Did you mean "newts-species"?'),
        ({"model": ""}, 'There is no model "". Known: newts-binary'),
        ({"model": "../" + SEVERAL}, 'There is no model "../newts-species".'),
        ({"class": "madra"}, 'There is no class "madra". Did you mean "madara"?'),
        ({"example": "../1_water.jpg"}, "There is no such example picture any more. Choose another one, or"),
        ({"example": ""}, "There is no such example picture any more."),
        ({"picture": "../" * 7 + "x"}, "The picture of this link is no longer kept here. Bring the picture again."),
        ({"picture": "A" * 22}, "The picture of this link is no longer kept here."),
        ({"picture": ""}, "The picture of this link is no longer kept here."),
        ({"t": "abc"}, "abc is no number, but a threshold or a size in pixels is one."),
        ({"t": "7"}, "A threshold must be a probability from 0 to 1, not 7.0."),
        ({"t": "nan"}, "nan is no number,"),
        ({"low": "0.75"}, "The lower threshold 0.75 is above the threshold 0.5."),
        ({"object": "-1"}, "The smallest object or hole must be a number of pixels from 0 on, not -1."),
        ({"object": "1e400"}, "1e400 is no number,"),
        ({"hole": "-1e400"}, "-1e400 is no number,"),
    ],
    ids=str,
)
def test_rubbish_in_a_link_is_one_sentence(site: Site, wrong: dict[str, str], sentence: str) -> None:
    before = site.kept()
    *_, updates = site.tab.open_link(request_of(**(GOOD | wrong)))
    assert words(updates, site.tab).startswith(sentence)
    assert updates[site.tab.tabs].selected == "threshold"
    assert site.tab.look not in updates and site.tab.lab not in updates
    assert not updates[site.tab.status.stop].visible
    assert site.kept() == before


@pytest.mark.parametrize(
    ("language", "start"),
    [("ja-JP", "このリンクの画像はもう保存されていません"), ("zh-CN", "此链接的图片已不再保存")],
)
def test_sentences_come_in_the_visitors_language(site: Site, language: str, start: str) -> None:
    *_, updates = site.tab.open_link(request_of(language, tab="threshold", picture="A" * 22))
    assert words(updates, site.tab).startswith(start)
    *_, updates = site.tab.measure("x", "x", "val", None, None, request_of(language))
    assert words(updates, site.tab).startswith(
        {"ja-JP": "ここにはもう画像がありません", "zh-CN": "这里已经没有图片了"}[language]
    )


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("notes.png", b"not a picture", "notes.png is not a picture that can be read. Use JPEG, PNG"),
        ("empty.png", b"", "empty.png is empty."),
        ("cut.png", None, "cut.png is damaged or cut off"),
        ("huge.png", (20000, 20000), "huge.png has many times the 64 megapixels that fit."),
    ],
)
def test_a_bad_picture_leaves_nothing(
    site: Site, photo: Path, tmp_path: Path, name: str, content: Any, sentence: str
) -> None:
    look, value = looked(site, photo, ONE)
    before = site.kept()
    file = tmp_path / name
    if isinstance(content, tuple):
        Image.new("1", content).save(file)
    else:
        file.write_bytes(photo.read_bytes()[:100] if content is None else content)
    *_, updates = site.tab.bring(str(file), ONE, look, value, request_of())
    assert words(updates, site.tab).startswith(sentence)
    assert site.tab.look not in updates and site.tab.lab not in updates
    assert site.kept() == before


@pytest.mark.parametrize("kind", ["another size", "a photo", "a stray value"])
def test_a_wrong_label_map_changes_nothing(site: Site, photo: Path, labels: Path, tmp_path: Path, kind: str) -> None:
    look, value = looked(site, photo, SEVERAL, "madara", labels)
    before = site.kept()
    right = np.asarray(Image.open(labels))
    pixels, sentence = {
        "another size": (right[:, :-1], "wrong.png is 60 x 47 pixels but its image is 61 x 47."),
        "a photo": (np.random.default_rng(0).integers(0, 256, (47, 61, 3), dtype=np.uint8), "wrong.png looks like a"),
        "a stray value": (np.where(right == 255, 77, right).astype(np.uint8), "wrong.png holds the value 77"),
    }[kind]
    *_, updates = site.tab.choose_labels(str(saved(tmp_path / "wrong.png", pixels)), look, value, request_of())
    assert words(updates, site.tab).startswith(sentence)
    assert site.tab.look not in updates and site.tab.lab not in updates
    assert site.kept() == before
    assert Path(updates[site.tab.labels]).read_bytes() == labels.read_bytes(), "the box shows what is in use"


def test_a_failure_on_the_server_is_a_sentence(site: Site, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look, value = looked(site, photo, ONE)
    kept, folders = site.kept(), site.left_over()

    def broken(*_: Any) -> None:
        raise RuntimeError("a secret path")

    monkeypatch.setattr(Predictor, "__call__", broken)
    tab, request = site.tab, request_of()
    state = json.dumps({"threshold": 0.5})
    results = [
        [*tab.bring(str(picture(photo.with_name("other.png"), 30, 20, 1)), ONE, look, value, request)],
        [*tab.choose_model(OWN, look, value, request)],
        [*tab.measure_example("val", look, value, request)],
        [tab.saves.save("probability_16", state, look, request)],
    ]
    for *_, updates in results:
        assert words(updates, tab).startswith("Something went wrong on the server.")
        assert tab.look not in updates and tab.lab not in updates
    assert (site.kept(), site.left_over()) == (kept, folders)


def test_what_is_gone_is_told(site: Site, photo: Path) -> None:
    tab, request = site.tab, request_of()
    look, value = looked(site, Path(shutil.copy(photo, photo.with_name("gone.png"))), ONE)
    shutil.rmtree(site.tab.kept.folder / look.place["picture"])
    told = words(tab.saves.keep_link("http://x", look, request), tab)
    assert told.startswith("The picture of this link is no longer kept here.")
    Path(look.file).unlink()
    folders = site.left_over()
    state = json.dumps({"threshold": 0.5})
    for there in (look, None):
        results = [
            [*tab.choose_class("newt", there, value, request)],
            [*tab.choose_labels(str(photo), there, value, request)],
            [*tab.measure_example("val", there, value, request)],
            [tab.saves.save("mask", state, there, request)],
            [tab.saves.keep_link("http://x", there, request)],
            [*tab.saves.write_threshold(state, there, value, request)],
        ]
        if there:
            results.append([*tab.choose_model(OWN, there, value, request)])
        for *_, updates in results:
            assert words(updates, tab) == "There is no picture here any more. Bring one first."
    for *_, updates in ([*tab.bring_segment([], ONE, 0, None, None, request)],):
        assert words(updates, tab).startswith("There is no picture in the Segment tab yet.")
    look, _ = looked(site, photo, ONE)
    for rubbish in ("", "null", "[]", "{", '"x"'):
        assert words(tab.saves.save("mask", rubbish, look, request), tab).startswith("There is no picture here")
    told = words(tab.saves.save("mask", '{"threshold": 1e400}', look, request), tab)
    assert told.startswith("inf is no number,")
    assert site.left_over() == folders


def test_a_server_that_cannot_keep_pictures_still_shows_them(
    site: Site, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photo.parent / "file").write_text("")
    monkeypatch.setattr(site.tab, "kept", KeptPictures(photo.parent / "file" / "pictures"))
    look, _ = looked(site, photo, ONE)
    assert look.link == {}
    updates = site.tab.saves.keep_link("http://x", look, request_of())
    assert words(updates, site.tab) == (
        "This picture is not kept here, as it is too large or the disk is full, so there is no link. Save the files."
    )
    *_, updates = site.tab.open_link(request_of(**GOOD))
    assert shown(site, updates).meta.link == {"example": WATER.name, "model": SEVERAL, "class": "madara"}


def test_a_link_that_was_asked_for_is_kept_longer(site: Site, photo: Path) -> None:
    look, _ = looked(site, photo, ONE)
    token = look.place["picture"]
    assert not (site.tab.kept.folder / token / "linked").exists()
    updates = site.tab.saves.keep_link("http://x/?y", look, request_of())
    assert updates[site.tab.saves.address].value == "http://x/?y"
    assert (site.tab.kept.folder / token / "linked").exists()


@pytest.mark.parametrize("model", [ONE, SEVERAL])
def test_writing_is_refused_by_the_server_as_well(site: Site, photo: Path, model: str) -> None:
    look, value = looked(site, photo, model)
    config = (site.library.folder / model / "config.json").read_bytes()
    *_, updates = site.tab.saves.write_threshold('{"threshold": 0.25}', look, value, request_of())
    assert words(updates, site.tab).startswith(f"{model} comes with the page and stays as it is.")
    assert (site.library.folder / model / "config.json").read_bytes() == config


@pytest.mark.parametrize(
    ("split", "classes", "sentence"),
    [
        ("test", "background\nakahara\nmadara\n", 'set.zip has no labelled pictures in the split "test"'),
        ("val", "background\ncat\ndog\n", 'newts-species knows the class "akahara", which the pictures lack'),
    ],
)
def test_a_data_set_that_does_not_suit_is_one_sentence(
    site: Site, photo: Path, tmp_path: Path, split: str, classes: str, sentence: str
) -> None:
    look, value = looked(site, photo, SEVERAL)
    folders = site.left_over()
    archive = data_set(tmp_path / "set.zip", classes)
    *_, updates = site.tab.measure_archive(str(archive), split, look, value, request_of())
    assert words(updates, site.tab).startswith(sentence)
    assert site.tab.lab not in updates
    assert site.left_over() == folders
    *_, updates = site.tab.measure_bench(split, None, look, value, request_of())
    assert words(updates, site.tab).startswith("There is no data set in the Fine-tune tab yet.")


# In the browser ---------------------------------------------------------------------------------------------


class Visitor:
    """The page as a visitor meets it, and what its laboratory holds."""

    def __init__(self, context: Any, url: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.set_viewport_size({"width": 1300, "height": 1000})
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url, wait_until="commit")

    def ask(self, expression: str, given: Any = None) -> Any:
        return self.page.evaluate(f"(given) => {LAB}.{expression}", given)

    def see(self, name: str, model: str = "", class_name: str = "", planes: int = 0) -> dict[str, Any]:
        """Waits until the laboratory shows all of this, the address leads to it, and nothing is underway any more."""
        wanted = {"name": name, "model": model, "class_name": class_name}
        self.page.wait_for_function(
            f"""([wanted, planes]) => {{
                const lab = {LAB}, shown = lab?.shown();
                const addressed = !Object.keys(shown?.link ?? {{}}).length || lab.link() === location.href;
                const done = !document.querySelector("#th-status progress");
                return shown && lab.ready() && addressed && done && (!planes || shown.planes.length === planes)
                    && Object.entries(wanted).every(([name, value]) => !value || shown[name] === value);
            }}""",
            arg=[wanted, planes],
        )
        self.page.wait_for_selector("#th-stop", state="detached")
        return self.ask("shown()")

    def told(self, start: str, kind: str = "problem") -> str:
        """Waits for a sentence that begins like this on top of the tab."""
        self.page.wait_for_function(
            "([kind, start]) => document.querySelector(`#th-status .${kind}`)?.textContent.startsWith(start)",
            arg=[kind, start],
        )
        return self.page.locator("#th-status").inner_text()

    def figures(self, *levels: int) -> list[dict[str, float]]:
        self.page.wait_for_function(f"{LAB}.ready()")
        return self.ask("figures && given.map((level) => " + LAB + ".figures(level))", list(levels))

    def open(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def choose(self, dropdown: str, option: str) -> None:
        self.page.click(f"#{dropdown} input")
        self.page.locator(f"#{dropdown} [role=option]", has_text=option).first.click()

    def bring(self, box: str, *files: Path) -> None:
        self.page.set_input_files(f"#{box} input[type=file]", [str(file) for file in files])

    def unfold(self, box: str) -> None:
        self.page.locator(f"#{box} > button").click()

    def saved(self, button: str, folder: Path) -> Path:
        with self.page.expect_download() as download:
            self.page.click(f"#th-save-{button}")
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path


@pytest.fixture
def visit(browser: Any, site: Site) -> Iterator[Any]:
    contexts = []

    def visit_(query: str = "", **options: Any) -> Visitor:
        contexts.append(browser.new_context(accept_downloads=True, **{"locale": "en-US", **options}))
        return Visitor(contexts[-1], f"{site.url.rstrip('/')}/{query}")

    yield visit_
    for context in contexts:
        context.close()


def link_to(example: Path = WATER, model: str = ONE, **more: str) -> str:
    return "?" + urlencode({"tab": "threshold", "example": example.name, "model": model, **more})


def at_least(plane: np.ndarray, *levels: int) -> list[int]:
    return [int((plane >= level).sum()) for level in levels]


def pixels_in(visitor: Visitor, *levels: int) -> list[float]:
    return [each["pixels"] for each in visitor.figures(*levels)]


LEVELS = (1, 40, 128, 200, 255)


def test_the_picture_of_segment_its_model_and_its_classes(visit: Any, site: Site, photo: Path, tmp_path: Path) -> None:
    visitor = visit()
    visitor.page.wait_for_function(f"{CANVAS}?.state().names.length === 1")
    visitor.open("Threshold")
    seen = visitor.see(WATER.name, ONE, "newt")
    assert (seen["threshold"], seen["planes"]) == (0.5, ["probabilities"])
    assert pixels_in(visitor, *LEVELS) == at_least(site.plane(WATER, ONE), *LEVELS)
    assert not visitor.page.locator("#th-class").is_visible()

    # Of several pictures the one that the film strip is at, where not all could be read.
    visitor.open("Segment")
    visitor.page.wait_for_function("!location.search.includes('tab=')")
    files = [picture(tmp_path / f"{name}.png", 40, 30, seed) for seed, name in enumerate("abc")]
    files[1].write_text("no picture")
    visitor.bring("pictures", *files)
    visitor.page.wait_for_function(f"{CANVAS}.state().names.length === 2")
    visitor.page.wait_for_selector("#stop", state="detached")
    visitor.page.locator("#canvas .sc-strip > *").nth(1).click()
    visitor.page.click("#to-threshold")
    visitor.see("c.png", ONE)
    assert visitor.page.locator("#lab").is_visible()
    visitor.open("Segment")
    visitor.page.locator("#canvas .sc-strip > *").nth(0).click()
    visitor.open("Threshold")
    assert visitor.see("c.png"), "what is there stays"
    visitor.page.click("#th-take")
    visitor.see("a.png", ONE)
    assert pixels_in(visitor, *LEVELS) == at_least(site.plane(files[0], ONE), *LEVELS)

    # Another model keeps the picture, another class changes the plane.
    visitor.choose("th-model", SEVERAL)
    visitor.see("a.png", SEVERAL)
    for class_id, name in enumerate(["background", "akahara", "madara"]):
        visitor.choose("th-class", name)
        visitor.see("a.png", SEVERAL, name)
        plane = site.plane(files[0], SEVERAL, class_id)
        assert pixels_in(visitor, *LEVELS) == at_least(plane, *LEVELS)
    # An own picture, and an example, keep model and class.
    visitor.bring("th-picture", photo)
    visitor.see("photo.png", SEVERAL, "madara")
    assert pixels_in(visitor, *LEVELS) == at_least(site.plane(photo, SEVERAL, 2), *LEVELS)
    visitor.page.locator("#th-examples button.thumbnail-item").nth(2).click()
    visitor.see("3_tray.jpg", SEVERAL, "madara")
    assert visitor.errors == []


def test_a_label_map_shows_what_is_right(visit: Any, site: Site, photo: Path, labels: Path, tmp_path: Path) -> None:
    visitor = visit(link_to(model=SEVERAL, **{"class": "madara"}))
    visitor.see(WATER.name, SEVERAL, "madara")
    visitor.bring("th-picture", photo)
    visitor.see("photo.png", SEVERAL, "madara", 1)
    assert not visitor.page.locator("#lab .lab-figures").is_visible()
    visitor.unfold("th-labels-box")
    visitor.bring("th-labels", labels)
    visitor.see("photo.png", SEVERAL, "madara", 2)
    counted = ThresholdHistogram()
    classes = load_checkpoint(site.library.folder / SEVERAL).config.classes
    counted.update(
        class_against_rest(read_labels(labels, classes, "multiclass", (47, 61)), 2), site.plane(photo, SEVERAL, 2)
    )
    sweep = counted.sweep()

    def agrees() -> None:
        found = visitor.figures(*LEVELS)
        for level, figures in zip(LEVELS, found, strict=True):
            wanted = sweep.figures(level)
            assert {name: figures[name] for name in ("precision", "recall", "f1", "iou") if name in wanted} == {
                name: pytest.approx(wanted[name], abs=1e-15)
                for name in ("precision", "recall", "f1", "iou")
                if name in wanted
            }
        assert 0 < sweep.precision[40] < 1 and 0 < sweep.recall[40] < 1
        assert visitor.page.locator("#lab .lab-figures").is_visible()

    agrees()
    visitor.page.locator("#th-labels button[aria-label='Clear'], #th-labels .label-clear-button").first.click()
    visitor.see("photo.png", SEVERAL, "madara", 1)
    assert not visitor.page.locator("#lab .lab-figures").is_visible()
    visitor.bring("th-labels", labels)
    visitor.see("photo.png", SEVERAL, "madara", 2)
    # A wrong one says its sentence; the right one stays in the box and in the laboratory.
    visitor.page.locator("#th-labels button[aria-label='Clear'], #th-labels .label-clear-button").first.click()
    visitor.see("photo.png", SEVERAL, "madara", 1)
    wrong = saved(tmp_path / "wrong.png", np.asarray(Image.open(labels))[:, :-1])
    visitor.bring("th-labels", wrong)
    visitor.told("wrong.png is 60 x 47 pixels but its image is 61 x 47.")
    visitor.page.wait_for_function("!document.querySelector('#th-labels').textContent.includes('wrong')")
    visitor.see("photo.png", SEVERAL, "madara", 1)
    visitor.bring("th-labels", labels)
    visitor.see("photo.png", SEVERAL, "madara", 2)
    agrees()
    # After a reload all of it is there again.
    visitor.page.reload(wait_until="commit")
    visitor.see("photo.png", SEVERAL, "madara", 2)
    agrees()
    visitor.unfold("th-labels-box")
    visitor.page.wait_for_selector("#th-labels :text('labels')")
    assert visitor.errors == []


@pytest.mark.slow
def test_the_curves_of_data_sets(visit: Any, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = data_set(tmp_path / "set.zip")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "set")
    predict = Predictor(load_checkpoint(site.library.folder / SEVERAL), keep_probabilities=True)
    visitor = visit(link_to(model=SEVERAL, **{"class": "madara"}))
    visitor.see(WATER.name, SEVERAL, "madara")
    visitor.unfold("th-data-box")

    def agrees(folder: Path, split: str, name: str) -> None:
        samples = open_folder(folder).split(split)
        sweep = measure_thresholds(predict, samples, 2).sweep()
        told = f"{len(samples)} pictures"
        visitor.page.wait_for_function(
            "words => words.every((word) => document.querySelector('#lab .lab-of').textContent.includes(word))",
            arg=[name, split, told],
        )
        found = visitor.page.evaluate(f"given => given.map((level) => {LAB}.dataFigures(level))", list(LEVELS))
        assert [each["tp"] for each in found] == sweep.true_positives[list(LEVELS)].tolist()
        assert [each["fp"] for each in found] == sweep.false_positives[list(LEVELS)].tolist()
        assert sweep.positives > 0
        visitor.page.wait_for_selector("#th-stop", state="detached")

    visitor.page.click("#th-example-data")
    agrees(EXAMPLE, "val", "the drawn example")
    visitor.bring("th-archive", archive)
    agrees(tmp_path / "set", "val", "set.zip")
    # A split that is not there, and one that is stopped, change nothing.
    visitor.page.locator("#th-split label", has_text="test").click()
    visitor.page.click("#th-example-data")
    visitor.told('the drawn example has no labelled pictures in the split "test"')
    started = slow_down(monkeypatch)
    visitor.page.locator("#th-split label", has_text="train").click()
    visitor.page.click("#th-example-data")
    visitor.page.wait_for_selector("#th-status progress[value]")
    assert "Measuring: " in visitor.page.locator("#th-status").inner_text()
    visitor.page.click("#th-stop")
    visitor.told("Stopped. What was here before is still here.", "stopped")
    deadline = time.monotonic() + 5
    while site.left_over() and time.monotonic() < deadline:
        time.sleep(0.02)
    count = len(started)
    assert site.left_over() == set()
    assert count < len(open_folder(EXAMPLE).split("train"))
    monkeypatch.undo()
    # That of the Fine-tune tab; it replaces what was there.
    visitor.page.locator("#th-split label", has_text="val").click()
    visitor.page.click("#th-bench")
    visitor.told("There is no data set in the Fine-tune tab yet.")
    agrees(tmp_path / "set", "val", "set.zip")
    visitor.open("Fine-tune")
    visitor.page.click("#ft-example")
    visitor.page.wait_for_selector("#ft-verdict h2")
    visitor.page.wait_for_selector("#ft-stop", state="detached")
    visitor.open("Threshold")
    visitor.page.click("#th-bench")
    agrees(EXAMPLE, "val", "newts")
    assert visitor.errors == []


def slow_down(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Every prediction takes longer; what has begun is noted."""
    begun: list[None] = []
    original = Predictor.__call__

    def slow(self: Predictor, image: np.ndarray) -> Segmentation:
        begun.append(None)
        time.sleep(0.3)
        return original(self, image)

    monkeypatch.setattr(Predictor, "__call__", slow)
    return begun


def test_what_is_saved_equals_python(visit: Any, site: Site, photo: Path, tmp_path: Path) -> None:
    visitor = visit(link_to(model=SEVERAL, **{"class": "madara"}))
    visitor.see(WATER.name)
    visitor.bring("th-picture", photo)
    visitor.see("photo.png", SEVERAL, "madara")
    plane, fine = site.plane(photo, SEVERAL, 2), site.plane(photo, SEVERAL, 2, 16)
    high, low = (float(np.quantile(plane, share)) / 255 for share in (0.8, 0.5))
    asked = Binarisation(high, low, 30, 40)
    visitor.ask("set(given)", {"threshold": high, "low": low, "smallestObject": 30, "smallestHole": 40})
    paths = {name: visitor.saved(name.replace("_", "-"), tmp_path) for name in FORMATS}
    assert [path.name for path in paths.values()] == [f"photo-madara.{ending}" for ending, _ in FORMATS.values()]
    wanted = asked.mask(plane)
    assert np.array_equal(np.asarray(Image.open(paths["mask"])), np.where(wanted, 255, 0))
    assert visitor.figures(threshold_level(high))[0]["pixels"] == wanted.sum()
    assert np.array_equal(np.asarray(Image.open(paths["probability_8"])), plane)
    assert np.array_equal(np.asarray(Image.open(paths["probability_16"])), fine)
    values = np.load(paths["probability_npy"], allow_pickle=False)
    assert values.dtype == np.float32
    assert np.array_equal(values, fine.astype(np.float32) / 65535)
    for name, start in (("figure_png", b"\x89PNG"), ("figure_svg", b"<?xml"), ("figure_pdf", b"%PDF")):
        assert paths[name].read_bytes().startswith(start)
    assert f"threshold {high:.6g}" in paths["figure_svg"].read_text("utf-8")
    assert visitor.page.locator("#th-status").inner_text().strip() == ""
    assert visitor.errors == []


STATE = {"threshold": 0.3, "low": 0.2, "smallest_object": 12, "smallest_hole": 7}


def test_a_link_leads_back_to_all_of_it(visit: Any, site: Site, photo: Path, labels: Path) -> None:
    visitor = visit(link_to(model=SEVERAL, **{"class": "akahara"}))
    visitor.see(WATER.name, SEVERAL, "akahara")
    visitor.bring("th-picture", photo)
    visitor.see("photo.png", SEVERAL, "akahara")
    visitor.unfold("th-labels-box")
    visitor.bring("th-labels", labels)
    visitor.see("photo.png", SEVERAL, "akahara", 2)
    visitor.ask("set(given)", {"threshold": 0.3, "low": 0.2, "smallestObject": 12, "smallestHole": 7})
    before = visitor.figures(*LEVELS)
    visitor.page.wait_for_function("location.search.includes('t=0.3')")

    def back(visitor: Visitor) -> None:
        visitor.see("photo.png", SEVERAL, "akahara", 2)
        state = visitor.ask("state()")
        assert {name: state[name] for name in STATE} == STATE
        assert visitor.figures(*LEVELS) == before
        assert visitor.page.locator("#th-model input").input_value() == SEVERAL
        assert visitor.page.locator("#th-class input").input_value() == "akahara"

    visitor.page.reload(wait_until="commit")
    back(visitor)
    visitor.page.click("#th-link")
    address = visitor.page.locator("#th-address textarea, #th-address input").first
    address.wait_for()
    link = address.input_value()
    query = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    token = query.pop("picture")
    assert query == {
        "tab": "threshold", "model": SEVERAL, "class": "akahara", "t": "0.3", "low": "0.2", "object": "12", "hole": "7",
    }  # fmt: skip
    assert (site.tab.kept.folder / token / "linked").exists()
    other = visit("?" + urlsplit(link).query)  # somebody else's browser
    back(other)
    # In another tab the address is the page's own again, and comes back with the tab.
    other.open("Segment")
    other.page.wait_for_function("!location.search.includes('tab=')")
    other.open("Threshold")
    other.page.wait_for_function("picture => location.search.includes(picture)", arg=token)
    assert visitor.errors == other.errors == []


def test_a_page_with_a_bad_link_stays_usable(visit: Any, site: Site, photo: Path) -> None:
    visitor = visit(link_to(model="newts-spices", t="abc") + "&" + quote("<img src=x onerror=alert(1)>"))
    visitor.told("abc is no number, but a threshold or a size in pixels is one.")
    assert visitor.page.locator("#lab").is_visible()
    visitor.choose("th-model", OWN)
    visitor.bring("th-picture", photo)
    seen = visitor.see("photo.png", OWN)
    assert seen["writable"]
    text = photo.with_name("<b>notes.png")
    text.write_text("not a picture")
    before = visitor.figures(*LEVELS)
    visitor.bring("th-picture", text)
    visitor.told("bnotes.png is not a picture that can be read. Use JPEG, PNG")
    visitor.see("photo.png", OWN)
    assert visitor.figures(*LEVELS) == before
    assert visitor.errors == []


@pytest.mark.slow
def test_a_threshold_that_stays(visit: Any, site: Site, photo: Path) -> None:
    visitor = visit(link_to(model=OWN))
    visitor.see(WATER.name, OWN)
    visitor.bring("th-picture", photo)
    visitor.see("photo.png", OWN)
    plane = site.plane(photo, OWN)
    threshold = float(np.quantile(plane, 0.3)) / 255

    def write(value: float, words: str) -> None:
        visitor.ask("set(given)", {"threshold": value})
        visitor.page.click("#th-write")
        visitor.told(words, "good")
        assert load_checkpoint(site.library.folder / OWN).config.threshold == value
        assert visitor.see("photo.png", OWN)["threshold"] == value
        assert visitor.ask("state()")["threshold"] == value

    write(threshold, f"The threshold of {OWN} is {threshold:g} now and is used by every later prediction; it was 0.5.")
    visitor.open("Segment")
    visitor.choose("model", OWN)
    visitor.page.wait_for_function(f"level => {CANVAS}.state().level === level", arg=threshold_level(threshold))
    visitor.page.wait_for_selector("#stop", state="detached")
    visitor.bring("pictures", photo)
    wanted = int((plane >= threshold_level(threshold)).sum())
    assert wanted != int((plane >= 128).sum())
    visitor.page.wait_for_function(
        f"pixels => {CANVAS}.state().names[0] === 'photo.png' && {CANVAS}.counts()[1] === pixels", arg=wanted
    )
    visitor.open("Threshold")
    write(0.5, f"The threshold of {OWN} is 0.5 now and is used by every later prediction; it was {threshold:g}.")
    # Of others it cannot be written.
    for model in (ONE, SEVERAL):
        visitor.choose("th-model", model)
        visitor.see("photo.png", model)
        assert visitor.page.locator("#th-write").is_disabled()
    visitor.choose("th-model", OWN)
    visitor.see("photo.png", OWN)
    assert visitor.page.locator("#th-write").is_enabled()
    assert visitor.errors == []


@pytest.mark.slow
def test_it_speaks_japanese(visit: Any, site: Site, photo: Path) -> None:
    visitor = visit("?tab=threshold&picture=" + "A" * 22, locale="ja-JP")
    visitor.told("このリンクの画像はもう保存されていません。画像をもう一度読み込んでください。")
    visitor.page.get_by_role("button", name="ラベル").first.wait_for()
    visitor.bring("th-picture", photo)
    visitor.see("photo.png")
    svg = visitor.saved("figure-svg", photo.parent)
    assert "しきい値 0.5" in svg.read_text("utf-8")
