"""The page as visitors meet it: in a real browser, and through gradio_client."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from canvas_driver import ROOT, Canvas
from PIL import Image

from seg_demo.checkpoint import CheckpointConfig, load_checkpoint, save_checkpoint
from seg_demo.classes import Task
from seg_demo.data.images import read_image
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.infer.library import Library
from seg_demo.infer.predictor import Predictor
from seg_demo.infer.segmentation import Segmentation
from seg_demo.models import build_model
from seg_demo.palettes import CLASS_MAPS
from seg_demo.ui.page import serve
from seg_demo.ui.segment import EVERYDAY_EXAMPLES


@dataclass(frozen=True)
class Site:
    url: str
    library: Library


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole page over checkpoints with known behaviour: two named as the bundled ones, one of the user's own."""
    folder = tmp_path_factory.mktemp("library")
    brightness_checkpoint(folder / "newts-binary", "newts-binary", [2.0], [-1.0])
    brightness_checkpoint(folder / "newts-species", "newts-species", [0.0, 2.0, 4.0], [0.0, -1.0, -3.0])
    brightness_checkpoint(folder / "mine", "newts-binary", [2.0], [-2.0])
    library = Library(folder)
    demo = serve(library, "127.0.0.1", block=False)
    yield Site(demo.local_url, library)
    demo.close()


def brightness_checkpoint(folder: Path, class_map: str, weights: list[float], biases: list[float]) -> None:
    """A model whose logits are `weights` x (how far the pixel is above mid-brightness) + `biases`."""
    import torch

    classes = CLASS_MAPS[class_map]
    task: Task = "binary" if len(weights) == 1 else "multiclass"
    preprocessing = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    config = CheckpointConfig("simple", {"width": 1, "layers": 1}, task, classes, preprocessing)
    model = build_model("simple", config.num_outputs, **config.arguments)
    with torch.no_grad():
        convolution = next(model.children())[0]
        convolution.weight.zero_()
        convolution.weight[:, :, 1, 1] = 1 / 3
        convolution.bias.zero_()
        classifier = list(model.children())[-1]
        classifier.weight.copy_(torch.tensor(weights).reshape(-1, 1, 1, 1))
        classifier.bias.copy_(torch.tensor(biases))
    save_checkpoint(folder, model, config)


@pytest.fixture
def open_page(browser: Any, site: Site) -> Iterator[Any]:
    """Opens the page in a fresh browser profile and waits for the first example's result."""
    contexts = []

    def open_(**options: Any) -> Canvas:
        contexts.append(browser.new_context(accept_downloads=True, **options))
        canvas = Canvas(contexts[-1], site.url)
        canvas.wait_name("1_water.jpg")
        return canvas

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return picture(tmp_path / "photo.png", 61, 47)


def picture(path: Path, width: int, height: int, seed: int = 0) -> Path:
    """A smooth random picture, dark in places and bright in others."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path)
    return path


def expected(site: Site, file: Path, model: str = "newts-binary") -> Segmentation:
    return Predictor(load_checkpoint(site.library.folder / model))(read_image(file))


def counts(segmentation: Segmentation) -> dict[int, int]:
    return {class_id: int(pixels) for class_id, pixels in enumerate(segmentation.counts()) if pixels}


def upload(canvas: Canvas, *files: Path) -> None:
    canvas.page.set_input_files("#pictures input[type=file]", [str(file) for file in files])


# In the browser ---------------------------------------------------------------------------------------------


def test_the_first_example_is_there_without_a_click(open_page: Any, site: Site) -> None:
    canvas = open_page()
    first = Path(__file__).resolve().parent.parent / "examples" / "1_water.jpg"
    assert canvas.counts() == counts(expected(site, first))
    assert canvas.errors == []


def test_upload_then_play_without_a_request(open_page: Any, site: Site, photo: Path) -> None:
    canvas = open_page()
    upload(canvas, photo)
    canvas.wait_name("photo.png")
    wanted = expected(site, photo)
    assert 0 < wanted.counts()[1] < wanted.label_map.size, "the picture must hold both classes"
    assert canvas.counts() == counts(wanted)
    y, x = map(int, np.argwhere(wanted.label_map == 1)[0])
    found = canvas.ask(f"labelAt({x}, {y})")
    assert (found["id"], found["name"]) == (1, "newt")
    canvas.page.wait_for_selector("#stop", state="detached")  # the last update of the run has arrived
    canvas.page.wait_for_timeout(300)

    canvas.requests.clear()
    slider = canvas.page.locator(f"{ROOT} .sc-opacity input")
    slider.fill("100")
    strong = canvas.pixels()
    slider.fill("0")
    plain = canvas.pixels()
    assert np.abs(strong - plain).max() > 40, "opacity must change what is seen"
    slider.fill("100")
    row = canvas.page.locator(f"{ROOT} button[aria-pressed]", has_text="newt").first
    row.click()
    assert np.abs(canvas.pixels() - strong).max() > 40, "switching the class off must change what is seen"
    row.click()
    assert np.abs(canvas.pixels() - strong).max() < 3, "and switching it on must bring it back"
    assert canvas.requests == []
    assert canvas.errors == []


def test_the_downloaded_mask_equals_numpy(open_page: Any, site: Site, photo: Path, tmp_path: Path) -> None:
    canvas = open_page()
    upload(canvas, photo)
    canvas.wait_name("photo.png")
    canvas.page.click("#downloads button")
    link = canvas.page.locator("#files a[download='photo.mask.png'], #files a[href*='photo.mask.png']").first
    with canvas.page.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as mask:
        assert mask.mode == "P"
        assert np.array_equal(np.asarray(mask), expected(site, photo).label_map)


def test_several_pictures_make_a_film_strip_and_a_zip(open_page: Any, site: Site, tmp_path: Path) -> None:
    files = [picture(tmp_path / f"{name}.png", 40 + number, 30, seed=number) for number, name in enumerate("abc")]
    broken = tmp_path / "broken.png"
    broken.write_bytes(files[0].read_bytes()[:60])
    canvas = open_page()
    upload(canvas, *files, broken)
    canvas.page.wait_for_function(f"document.querySelector('{ROOT}').segCanvas.state().names.length === 3")
    status = canvas.page.locator("#status textarea")
    canvas.page.wait_for_function("document.querySelector('#status textarea').value.includes('broken.png')")
    assert status.input_value().startswith("3 of 4 pictures segmented.\nbroken.png is damaged or cut off")
    canvas.page.click("#downloads button")
    with canvas.page.expect_download() as download:
        canvas.page.click("#zip")
    download.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        wanted = {f"{name}.{kind}" for name in "abc" for kind in ("mask.png", "overlay.png", "json")}
        assert set(archive.namelist()) == wanted
        areas = json.loads(archive.read("b.json"))
    assert [entry["pixels"] for entry in areas["classes"]] == expected(site, files[1]).counts().tolist()


def test_a_bad_picture_costs_nothing(open_page: Any, tmp_path: Path) -> None:
    canvas = open_page()
    before = canvas.counts()
    bad = tmp_path / "notes.png"
    bad.write_text("not a picture")
    upload(canvas, bad)
    toast = canvas.page.locator("[data-testid=toast-body], .toast-body").first
    toast.wait_for()
    assert "notes.png is not a picture that can be read. Use JPEG, PNG" in toast.inner_text()
    assert canvas.counts() == before
    assert canvas.page.locator("#stop").count() == 0 or not canvas.page.locator("#stop").is_visible()


def test_another_model_takes_the_same_picture(open_page: Any, site: Site, photo: Path) -> None:
    canvas = open_page()
    upload(canvas, photo)
    canvas.wait_name("photo.png")
    choose_model(canvas, "newts-species")
    canvas.page.wait_for_function(f"Object.keys(document.querySelector('{ROOT}').segCanvas.counts()).length === 3")
    assert canvas.counts() == counts(expected(site, photo, "newts-species"))


def test_a_checkpoint_that_appears_later_can_be_chosen(open_page: Any, site: Site, photo: Path) -> None:
    brightness_checkpoint(site.library.folder / "later", "newts-binary", [2.0], [0.5])
    canvas = open_page()
    upload(canvas, photo)
    canvas.wait_name("photo.png")
    wanted = counts(expected(site, photo, "later"))
    assert canvas.counts() != wanted
    choose_model(canvas, "later")
    canvas.page.wait_for_function(f"n => document.querySelector('{ROOT}').segCanvas.counts()[1] === n", arg=wanted[1])
    assert canvas.errors == []


def test_a_pretrained_model_without_a_network_is_one_sentence(open_page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from urllib.error import URLError

    from torchvision.models import WeightsEnum

    def unreachable(*_: Any, **__: Any) -> None:
        raise URLError("no route")

    monkeypatch.setattr(WeightsEnum, "get_state_dict", unreachable)
    canvas = open_page(locale="en-US")
    before = canvas.counts()
    choose_model(canvas, "LR-ASPP")
    sentence = "The weights of LR-ASPP MobileNetV3-Large (12 MB) could not be downloaded"
    canvas.page.wait_for_function(
        "start => document.querySelector('#status textarea').value.startsWith(start)", arg=sentence
    )
    assert canvas.counts() == before
    wanted = len(EVERYDAY_EXAMPLES)
    canvas.page.wait_for_function(f"document.querySelectorAll('#examples img').length === {wanted}")


def slow_down(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Every prediction takes `seconds` longer."""
    original = Predictor.__call__

    def slow(self: Predictor, image: np.ndarray, threshold: float | None = None) -> Segmentation:
        time.sleep(seconds)
        return original(self, image, threshold)

    monkeypatch.setattr(Predictor, "__call__", slow)


def test_stop_keeps_what_is_finished(open_page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canvas = open_page()
    slow_down(monkeypatch, 1.0)
    upload(canvas, *(picture(tmp_path / f"{number}.png", 40, 30, seed=number) for number in range(8)))
    canvas.wait_name("0.png")
    canvas.page.click("#stop")
    canvas.page.wait_for_function("document.querySelector('#status textarea').value.startsWith('Stopped.')")
    canvas.page.wait_for_timeout(1500)
    names = canvas.ask("state()")["names"]
    assert 1 <= len(names) < 8
    assert names == [f"{number}.png" for number in range(len(names))]
    canvas.page.click("#downloads button")
    listed = canvas.page.locator("#files").inner_text()
    assert "1_water" not in listed, "files of the run before must not pass for this one's"


def test_an_unforeseen_failure_ends_in_a_sentence(open_page: Any, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canvas = open_page()
    before = canvas.counts()

    def broken(*_: Any) -> None:
        raise RuntimeError("a secret path")

    monkeypatch.setattr(Predictor, "__call__", broken)
    upload(canvas, photo)
    canvas.page.wait_for_function(
        "document.querySelector('#status textarea').value.startsWith('Something went wrong on the server.')"
    )
    canvas.page.wait_for_selector("#stop", state="detached")
    assert "secret" not in canvas.page.locator("body").inner_text()
    assert canvas.counts() == before


def test_a_new_choice_ends_what_is_underway(open_page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canvas = open_page()
    slow_down(monkeypatch, 0.7)
    upload(canvas, *(picture(tmp_path / f"{number}.png", 40, 30, seed=number) for number in range(6)))
    canvas.wait_name("0.png")
    canvas.page.locator("#examples button.thumbnail-item").nth(2).click()
    canvas.wait_name("3_tray.jpg")
    canvas.page.wait_for_selector("#stop", state="detached")
    canvas.page.wait_for_timeout(2000)
    assert canvas.ask("state()")["names"] == ["3_tray.jpg"]


@pytest.mark.parametrize(
    ("locale", "headline", "button"),
    [
        ("en-GB", "See what is in your photos", "Downloads"),
        ("ja-JP", "写真に何が写っているか", "ダウンロード"),
        ("zh-CN", "逐像素看清照片里有什么", "下载"),
    ],
)
def test_the_page_speaks_the_visitors_language(open_page: Any, locale: str, headline: str, button: str) -> None:
    canvas = open_page(locale=locale)
    text = canvas.page.locator("body").text_content()
    assert headline in text
    assert button in text


def test_errors_are_translated(open_page: Any, tmp_path: Path) -> None:
    bad = tmp_path / "メモ.png"
    bad.write_text("not a picture")
    canvas = open_page(locale="ja-JP")
    upload(canvas, bad)
    toast = canvas.page.locator("[data-testid=toast-body], .toast-body").first
    toast.wait_for()
    assert "は読み込める画像ではありません" in toast.inner_text()


def choose_model(canvas: Canvas, title: str) -> None:
    canvas.page.click("#model input")
    canvas.page.locator("[role=option]", has_text=title).first.click()


# Through gradio_client --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(site: Site) -> Any:
    from gradio_client import Client

    return Client(site.url, verbose=False)


def segment(client: Any, model: str, *files: Path) -> Any:
    from gradio_client import handle_file

    pictures = [{"image": handle_file(str(file)), "caption": None} for file in files]
    return client.predict(pictures, model, api_name="/segment")


def test_the_client_gets_the_same_files(client: Any, site: Site, photo: Path) -> None:
    canvas, files, archive, status = segment(client, "mine", photo)[:4]
    mask, overlay, areas = map(Path, files)
    assert (mask.name, overlay.name, areas.name) == ("photo.mask.png", "photo.overlay.png", "photo.json")
    wanted = expected(site, photo, "mine")
    with Image.open(mask) as opened:
        assert np.array_equal(np.asarray(opened), wanted.label_map)
    assert [entry["pixels"] for entry in json.loads(areas.read_text())["classes"]] == wanted.counts().tolist()
    assert canvas["pictures"][0]["width"] == 61
    assert zipfile.is_zipfile(archive)
    assert status == ""


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("notes.png", b"not a picture", "notes.png is not a picture that can be read."),
        ("empty.png", b"", "empty.png is empty."),
        ("cut.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF", "cut.jpg is"),
        ("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0", "phone.heic is a HEIC or AVIF photo"),
        ("phone.png", b"\0\0\0\x18ftypheic\0\0\0\0", "phone.png is a HEIC or AVIF photo"),
    ],
)
def test_bad_pictures_are_one_sentence(client: Any, tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(Exception, match=sentence.replace(".", r"\.")):
        segment(client, "newts-binary", file)


def test_a_huge_picture_is_refused_by_its_header(client: Any, tmp_path: Path) -> None:
    file = tmp_path / "huge.png"
    Image.new("1", (20000, 20000)).save(file)
    with pytest.raises(Exception, match=r"huge\.png has many times the 64 megapixels"):
        segment(client, "newts-binary", file)


def test_an_unknown_model_is_refused(client: Any, photo: Path) -> None:
    with pytest.raises(Exception, match=r'There is no model "../newts-binary"\. Did you mean "newts-binary"'):
        segment(client, "../newts-binary", photo)


def test_a_checkpoint_that_appeared_later_can_be_chosen_by_clients(client: Any, site: Site, photo: Path) -> None:
    brightness_checkpoint(site.library.folder / "latest", "newts-binary", [2.0], [1.5])
    files = segment(client, "latest", photo)[1]
    with Image.open(files[0]) as opened:
        assert np.array_equal(np.asarray(opened), expected(site, photo, "latest").label_map)


def test_too_many_pictures_are_refused(client: Any, photo: Path) -> None:
    with pytest.raises(Exception, match="51 pictures are too many at once; the limit is 50"):
        segment(client, "newts-binary", *[photo] * 51)
