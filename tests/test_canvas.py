"""The canvas in a real browser: its integers equal NumPy's, and playing with it asks the server nothing."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator

import numpy as np
import pytest
from canvas_driver import ROOT, Canvas

from seg_demo.ui.canvas.payload import CanvasPicture, planes_of
from seg_demo.ui.component import encode_planes

EVIL = "<img src=x onerror=window.hacked=1>${window.hacked=2}{{7*7}}"
CLASSES = [
    (0, "road", (250, 20, 20)),
    (1, EVIL, (20, 20, 250)),
    (2, "tree", (20, 200, 20)),
    (7, "moon", (9, 9, 9)),
]
NEWT = [(0, "background", (0, 0, 0)), (1, "newt", (230, 30, 30))]


def multiclass(name: str, height: int, width: int, seed: int = 0) -> CanvasPicture:
    rng = np.random.default_rng(seed)
    label_map = rng.choice([0, 1, 2, 255], (height, width), p=[0.5, 0.2, 0.2, 0.1]).astype(np.uint8)
    confidence = rng.integers(0, 256, (height, width)).astype(np.uint8)
    image = np.full((height, width, 3), 128, np.uint8)
    return CanvasPicture(name, image, label_map, confidence, CLASSES, notes={"time": 0.4123})


def halves(name: str) -> CanvasPicture:
    """Left half road, right half tree, on a grey photo: easy to recognise in a screenshot."""
    label_map = np.zeros((40, 60), np.uint8)
    label_map[:, 30:] = 2
    image = np.full((40, 60, 3), 128, np.uint8)
    return CanvasPicture(name, image, label_map, np.full((40, 60), 247, np.uint8), CLASSES)


def binary(name: str, height: int, width: int, level: int = 128) -> CanvasPicture:
    probabilities = np.random.default_rng(3).integers(0, 256, (height, width)).astype(np.uint8)
    image, mask = np.full((height, width, 3), 90, np.uint8), probabilities >= level
    confidence = np.where(mask, probabilities, 255 - probabilities)
    return CanvasPicture(name, image, mask.astype(np.uint8), confidence, NEWT, "binary", probabilities, level)


PICTURES = {
    "odd": [multiclass("odd.png", 517, 33)],
    "wide": [multiclass("wide.png", 33, 517)],
    "dot": [multiclass("dot.png", 1, 1)],
    "binary": [binary("newt.png", 64, 48)],
    "halves": [halves("halves.png")],
    "three": [halves("a.png"), multiclass("b.png", 20, 30), binary("c.png", 64, 48)],
}


# Python alone -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["odd", "dot", "binary"])
def test_planes_are_exact(name: str) -> None:
    picture = PICTURES[name][0]
    raw = np.frombuffer(gzip.decompress(encode_planes(planes_of(picture))), np.uint8)
    planes = raw.reshape(-1, *picture.label_map.shape).cumsum(axis=1, dtype=np.uint8)  # (planes, H, W)
    sent = [picture.probabilities] if picture.task == "binary" else [picture.label_map, picture.confidence]
    assert np.array_equal(planes, np.stack(sent))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.zeros((2, 2), np.uint8)}, r"x.png: image is \(2, 2\) uint8, but must be \(H, W, 3\)"),
        ({"label_map": np.zeros((2, 3), np.uint8)}, r"label_map is \(2, 3\) uint8, but must be \(2, 2\)"),
        ({"confidence": np.zeros((2, 2))}, "confidence is .* float64"),
        ({"label_map": np.full((2, 2), 5, np.uint8)}, r"label_map holds \[5\], but the classes are"),
        ({"task": "binary"}, "needs probabilities and level"),
        ({"task": "ternary"}, 'task is "ternary"'),
        (
            {"task": "binary", "classes": NEWT, "level": 9, "probabilities": np.full((2, 2), 9, np.uint8)},
            "label_map differs from probabilities >= 9",
        ),
        ({"task": "binary", "level": 300, "probabilities": np.zeros((2, 2), np.uint8)}, "level is 300"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict, message: str) -> None:
    plane = np.zeros((2, 2), np.uint8)
    good = {"name": "x.png", "image": np.zeros((2, 2, 3), np.uint8), "label_map": plane, "confidence": plane}
    with pytest.raises(ValueError, match=message):
        CanvasPicture(**{**good, "classes": CLASSES, **change})


# In the browser ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A page with one button per list of pictures, and one that yields pictures one by one."""
    import gradio as gr

    from seg_demo.ui.canvas import SegmentationCanvas

    def one_by_one() -> Iterator[list[CanvasPicture]]:
        for count in (1, 2, 3):
            time.sleep(0.5)
            yield PICTURES["three"][:count]

    with gr.Blocks(analytics_enabled=False) as demo, gr.Tabs():
        with gr.Tab("Here"):
            with gr.Row():
                buttons = {name: gr.Button(name, elem_id=name) for name in [*PICTURES, "stream", "empty"]}
            canvas = SegmentationCanvas(elem_id="canvas")
        with gr.Tab("There"):
            gr.Markdown("nothing")
        for name, button in buttons.items():
            if name == "stream":
                button.click(one_by_one, None, canvas)
            else:
                button.click(lambda name=name: PICTURES.get(name), None, canvas)
    _, local_url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", run_history=False)
    yield local_url
    demo.close()


@pytest.fixture(scope="module")
def context(browser):
    return browser.new_context()  # one for most tests: Gradio's own files are then loaded once


@pytest.fixture
def canvas(browser, context, url: str, request) -> Iterator[Canvas]:
    """A fresh page; a parameter holds the options of a browser context of its own (locale, touch)."""
    options = getattr(request, "param", None)
    opened = Canvas(browser.new_context(**options) if options else context, url)
    yield opened
    opened.page.close()
    assert opened.errors == []


def left_and_right(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width, _ = pixels.shape
    return pixels[height // 2, width // 4], pixels[height // 2, 3 * width // 4]


def numpy_counts(label_map: np.ndarray) -> dict[int, int]:
    ids, pixels = np.unique(label_map, return_counts=True)
    return dict(zip(ids.tolist(), pixels.tolist(), strict=True))


def test_integers_equal_numpy(canvas: Canvas) -> None:
    for name in ("odd", "wide", "dot", "binary"):
        canvas.show(name, PICTURES[name][0].name)
        picture = PICTURES[name][0]
        height, width = picture.label_map.shape
        every = canvas.page.evaluate(
            f"""() => {{ const c = document.querySelector('{ROOT}').segCanvas, out = [];
            for (let y = 0; y < {height}; y++) for (let x = 0; x < {width}; x++) {{
              const found = c.labelAt(x, y); out.push(found.id, found.value);
            }} return out; }}"""
        )
        every = np.array(every).reshape(height, width, 2)
        assert np.array_equal(every[..., 0], picture.label_map)
        assert np.array_equal(every[..., 1], picture.confidence)
        assert canvas.counts() == numpy_counts(picture.label_map)
        assert canvas.ask(f"labelAt({width}, 0)") is None


def test_levels_equal_numpy(canvas: Canvas) -> None:
    canvas.show("binary", PICTURES["binary"][0].name)
    canvas.requests.clear()
    probabilities = PICTURES["binary"][0].probabilities
    for level in (0, 1, 77, 128, 254, 255):
        canvas.ask(f"setLevel({level})")
        canvas.settle()
        assert canvas.counts() == numpy_counts((probabilities >= level).astype(np.uint8))
        assert canvas.ask("state()")["level"] == level
    newt_share = f"{100 * (probabilities >= 255).mean():.1f} %"
    assert canvas.root.locator("[data-id='1'] .sc-share").text_content() == newt_share
    assert canvas.requests == []


def test_interactions_change_pixels_and_request_nothing(canvas: Canvas) -> None:
    canvas.show("halves", PICTURES["halves"][0].name)
    canvas.requests.clear()
    plain = [128, 128, 128]
    left, right = left_and_right(canvas.pixels())
    assert np.abs(left - (0.45 * 128 + 0.55 * np.array([250, 20, 20]))).max() <= 3

    canvas.root.locator("input[type=range]").fill("100")
    left, right = left_and_right(canvas.pixels())
    assert np.abs(left - [250, 20, 20]).max() <= 2 and np.abs(right - [20, 200, 20]).max() <= 2
    assert canvas.ask("state()")["opacity"] == 1

    canvas.root.locator("[data-id='0']").click()
    canvas.page.mouse.move(2, 2)  # off the row, which lights its class up
    left, right = left_and_right(canvas.pixels())
    assert np.abs(left - plain).max() <= 3 and np.abs(right - [20, 200, 20]).max() <= 2
    assert canvas.root.locator("[data-id='0']").get_attribute("aria-pressed") == "false"

    canvas.root.locator("[data-id='0']").click(modifiers=["Alt"])
    assert canvas.ask("state()")["hidden"] == [1, 2, 7]
    canvas.root.locator("[data-act=none]").click()
    canvas.page.mouse.move(2, 2)
    assert np.abs(np.array(left_and_right(canvas.pixels())) - 128).max() <= 3
    canvas.root.locator("[data-act=all]").click()

    canvas.root.locator("[data-id='2']").hover()
    canvas.page.wait_for_timeout(50)
    left, right = left_and_right(canvas.pixels())
    assert left.mean() < 70 < right.mean()  # the others are dimmed
    canvas.root.locator("[data-act=outline]").click()
    canvas.root.locator("[data-act=zoom-in]").click()
    canvas.root.locator("[data-act=fit]").click()
    canvas.stage.dblclick(position={"x": 100, "y": 100})
    canvas.page.mouse.wheel(0, -300)
    assert canvas.ask("state()")["scale"] > 3
    assert canvas.requests == []


def test_outline_is_drawn_between_classes(canvas: Canvas) -> None:
    canvas.show("halves", PICTURES["halves"][0].name)
    canvas.root.locator("input[type=range]").fill("0")
    canvas.root.locator("[data-act=outline]").click()
    pixels = canvas.pixels()
    height, width, _ = pixels.shape
    colored = np.abs(pixels[height // 2] - 128).max(axis=1) > 60  # (W,) along the middle of the stage
    columns = np.flatnonzero(colored[10:-10]) + 10
    assert 1 <= columns.size <= 2 and np.abs(columns - width / 2).max() <= 3


def test_label_follows_the_pointer(canvas: Canvas) -> None:
    canvas.show("halves", PICTURES["halves"][0].name)
    tip = canvas.root.locator(".sc-tip")
    box = canvas.stage.bounding_box()
    canvas.page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    assert tip.text_content() == "road 97 %"
    canvas.page.mouse.move(box["x"] + 3 * box["width"] / 4, box["y"] + box["height"] / 2)
    assert tip.text_content() == "tree 97 %"
    canvas.page.mouse.move(2, 2)
    assert not tip.is_visible()


def test_names_are_text(canvas: Canvas) -> None:
    canvas.show("odd", PICTURES["odd"][0].name)
    assert canvas.root.locator("[data-id='1'] .sc-class").text_content() == EVIL
    assert canvas.page.evaluate("window.hacked") is None
    assert canvas.root.locator(".sc-side img").count() == 0


def test_keys(canvas: Canvas) -> None:
    canvas.show("three", PICTURES["three"][0].name)
    canvas.key("o")
    assert canvas.ask("state()")["outlined"]
    canvas.key("2")
    assert canvas.ask("state()")["hidden"] == [2]
    canvas.key("+")
    zoomed = canvas.ask("state()")["scale"]
    canvas.key("-")
    canvas.key("0")
    assert canvas.ask("state()")["scale"] < zoomed
    before = left_and_right(canvas.pixels())[0]
    canvas.page.keyboard.down(" ")
    assert np.abs(left_and_right(canvas.pixels())[0] - 128).max() <= 3
    canvas.page.keyboard.up(" ")
    assert np.array_equal(left_and_right(canvas.pixels())[0], before)
    canvas.key("?")
    assert canvas.root.locator(".sc-help").is_visible()
    canvas.key("Escape")
    assert not canvas.root.locator(".sc-help").is_visible()
    canvas.stage.press("ArrowRight")
    canvas.wait_name("b.png")


def test_film_strip(canvas: Canvas) -> None:
    canvas.show("three", PICTURES["three"][0].name)
    thumbs = canvas.root.locator(".sc-thumb")
    assert thumbs.count() == 3
    thumbs.nth(2).click()
    canvas.wait_name("c.png")
    assert canvas.counts() == numpy_counts(PICTURES["three"][2].label_map)
    assert canvas.root.get_attribute("data-picture") == "2"
    canvas.requests.clear()
    thumbs.nth(0).click()
    canvas.wait_name("a.png")
    assert thumbs.nth(0).get_attribute("aria-current") == "true"
    assert canvas.requests == []  # what was shown once is kept


def test_pictures_arriving_one_by_one_keep_selection_and_settings(canvas: Canvas) -> None:
    canvas.page.click("#stream")
    thumbs = canvas.root.locator(".sc-thumb")
    thumbs.nth(1).click()
    canvas.wait_name("b.png")
    canvas.key("o")
    canvas.root.locator("[data-id='0']").click()
    drawn_picture = canvas.page.locator(f"{ROOT} .sc-world img").element_handle()
    thumbs.nth(2).wait_for()
    state = canvas.ask("state()")
    assert (state["index"], state["outlined"], 0 in state["hidden"]) == (1, True, True)
    assert drawn_picture.evaluate("image => image.isConnected")  # never taken down
    canvas.page.wait_for_timeout(300)  # the generator's end sends its last value once more
    canvas.show("odd", PICTURES["odd"][0].name)  # other pictures, the same class names
    assert 0 in canvas.ask("state()")["hidden"]
    canvas.page.get_by_role("tab", name="There", exact=True).click()
    canvas.page.get_by_role("tab", name="Here", exact=True).click()
    assert canvas.counts() == numpy_counts(PICTURES["odd"][0].label_map)
    canvas.page.click("#empty")
    canvas.page.wait_for_selector(f"{ROOT}[data-state=empty]")
    assert canvas.root.locator(".sc-empty").is_visible()


def test_a_failed_load_is_one_sentence_and_can_be_retried(canvas: Canvas) -> None:
    canvas.page.route("**/planes.bin", lambda route: route.fulfill(status=404))
    canvas.page.click("#three")
    error = canvas.root.locator(".sc-error")
    error.wait_for()
    assert error.text_content() == (
        "The result for “a.png” could not be loaded (HTTP 404); select the picture again to retry."
    )
    canvas.page.unroute("**/planes.bin")
    canvas.root.locator(".sc-thumb").nth(0).click()
    canvas.wait_name("a.png")
    assert not error.is_visible()


@pytest.mark.parametrize(
    ("canvas", "empty", "outline"),
    [
        ({"locale": "ja-JP"}, "まだ画像がありません", "輪郭線"),
        ({"locale": "zh-CN"}, "还没有图片", "轮廓线"),
    ],
    indirect=["canvas"],
)
def test_language(canvas: Canvas, empty: str, outline: str) -> None:
    assert canvas.root.locator(".sc-empty strong").text_content() == empty
    assert canvas.root.locator("[data-act=outline]").text_content().strip() == outline


@pytest.mark.parametrize("canvas", [{"has_touch": True, "is_mobile": True, "locale": "fr-FR"}], indirect=True)
def test_on_a_phone_a_tap_asks_what_is_there(canvas: Canvas) -> None:
    assert canvas.root.locator(".sc-empty strong").text_content() == "No picture yet"  # French falls back
    canvas.page.set_viewport_size({"width": 390, "height": 844})
    canvas.show("halves", PICTURES["halves"][0].name)
    canvas.stage.tap(position={"x": 60, "y": 60})
    assert canvas.root.locator(".sc-tip").text_content() == "road 97 %"
    assert canvas.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
