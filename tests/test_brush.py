"""The label painter in a real browser: what is painted arrives to the pixel, and nothing is lost on the way."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from seg_demo.classes import ClassMap
from seg_demo.errors import UserError
from seg_demo.ui.brush import LabelPainter, LabelWork, read_saved
from seg_demo.ui.brush.component import travelling
from seg_demo.ui.component import encode_planes

EVIL = "<img src=x onerror=window.hacked=1>${window.hacked=2}{{7*7}}"
ROOT = "#painter .seg-brush"
BRUSH = f"document.querySelector('{ROOT}').segBrush"
TEXTS = json.loads((Path(__file__).parents[1] / "seg_demo/ui/brush/texts.json").read_text("utf-8"))
RNG = np.random.default_rng(7)
CLASSES = ClassMap.of("background", "cat", EVIL)
MANY = ClassMap.of(*(f"class {number}" for number in range(255)))
IMAGE = np.full((60, 90, 3), 128, np.uint8)
LABELS = RNG.choice([0, 1, 2, 255], (60, 90)).astype(np.uint8)
DRAFT = np.kron(np.array([[0, 1], [2, 255]], np.uint8), np.ones((30, 45), np.uint8))
WORKS = {
    "empty": LabelWork("empty", IMAGE, CLASSES, key="empty", place=(1, 3)),
    "labelled": LabelWork("labelled", IMAGE, CLASSES, LABELS, key="labelled", place=(2, 3)),
    "drafted": LabelWork(EVIL, IMAGE, CLASSES, LABELS, DRAFT, key="drafted", place=(3, 3)),
    "asking": LabelWork("asking", IMAGE, CLASSES, can_draft=True, key="asking"),
    "many": LabelWork("many", IMAGE, MANY, key="many"),
    "odd": LabelWork("odd", np.zeros((301, 257, 3), np.uint8), CLASSES, key="odd"),
    "large": LabelWork("large", np.full((1500, 2000, 3), 90, np.uint8), CLASSES, key="large"),
}
ORDER = ["empty", "labelled", "drafted"]


class Desk:
    """The server's side: what it sends for each event, what has arrived, and whether it can save."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.works = dict(WORKS)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.label_maps: dict[str, np.ndarray] = {}
        self.broken = False

    def save(self, data: dict[str, Any]) -> LabelWork:
        self.events.append(("save", data))
        work = self.works[data["key"]]
        label_map = read_saved(data, work.size, len(work.classes))
        if self.broken:
            raise UserError("The disk is full.")
        self.label_maps[data["key"]] = label_map
        self.works[data["key"]] = replace(work, label_map=label_map)
        return self.walk(data["key"], {"stay": 0, "next": 1, "previous": -1}[data["go"]])

    def walk(self, key: str, by: int) -> LabelWork:
        place = ORDER.index(key) if key in ORDER else 0
        return self.works[ORDER[place + by] if by else key]

    def draft(self, data: dict[str, Any]) -> LabelWork:
        self.events.append(("draft", data))
        return replace(self.works[data["key"]], draft=DRAFT)


DESK = Desk()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    def saved(event: gr.EventData, sent: int) -> tuple[Any, int]:
        try:
            return DESK.save(event._data), sent
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def walked(by: int, name: str) -> Any:
        def walk(event: gr.EventData) -> Any:
            DESK.events.append((name, event._data))
            return DESK.walk(event._data["key"], by)

        return walk

    def drafted(event: gr.EventData) -> Any:
        return DESK.draft(event._data)

    with gr.Blocks(analytics_enabled=False) as demo:
        painter = LabelPainter(elem_id="painter")
        sent = gr.Number(0, elem_id="sent")
        with gr.Row():
            for name in [*WORKS, "nothing"]:
                button = gr.Button(name, size="sm", min_width=60, elem_id=name)
                button.click(lambda count, name=name: (DESK.works.get(name), count + 1), sent, [painter, sent])
        painter.save(saved, sent, [painter, sent])
        painter.next(walked(1, "next"), None, painter)
        painter.previous(walked(-1, "previous"), None, painter)
        painter.draft(drafted, None, painter)
    _, local_url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", run_history=False)
    yield local_url
    demo.close()


CLEAR = """() => new Promise((done) => {
    const opening = indexedDB.open("seg-brush", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("work", { keyPath: "key" });
    opening.onsuccess = () => {
        const all = opening.result.transaction("work", "readwrite");
        all.objectStore("work").clear();
        all.oncomplete = () => { opening.result.close(); done(); };
    };
})"""


class Page:
    """The page as a user meets it."""

    def __init__(self, context: Any, url: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(8000)
        self.page.set_viewport_size({"width": 1200, "height": 1000})
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.note)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.open(url)

    def open(self, url: str) -> None:
        self.page.goto(url, wait_until="commit")
        self.root = self.page.locator(ROOT)
        self.stage = self.root.locator(".sb-stage")
        self.page.wait_for_function(f"document.querySelector('{ROOT}')?.segBrush")
        self.sent = 0

    def note(self, line: Any) -> None:
        if "js_on_load" in line.text:  # Gradio catches what the script throws and prints it
            self.errors.append(line.text)

    def show(self, name: str) -> None:
        self.sent += 1
        self.page.locator(f"#{name}").evaluate("node => node.click()")
        self.page.wait_for_function(f"document.querySelector('#sent input').value === '{self.sent}'")
        if name == "nothing":
            return
        self.page.wait_for_function(
            f"key => {{ const s = {BRUSH}.state(); return s.key === key && s.ready; }}", arg=DESK.works[name].key
        )

    def wait(self, condition: str) -> None:
        """condition: of the state `s`."""
        self.page.wait_for_function(f"() => {{ const s = {BRUSH}.state(); return {condition}; }}")

    def settled(self) -> None:
        """Waits until nothing is under way that keeps or saves."""
        self.page.wait_for_function(f"() => {BRUSH}.idle()")

    def state(self, name: str) -> Any:
        return self.page.evaluate(f"{BRUSH}.state()")[name]

    def labels(self) -> np.ndarray:
        """(H, W) uint8, as the browser has them."""
        packed = self.page.evaluate(f"""() => {{
            const all = {BRUSH}.labels();
            let text = "";
            for (let i = 0; i < all.length; i += 32768) text += String.fromCharCode(...all.subarray(i, i + 32768));
            return btoa(text);
        }}""")
        shape = DESK.works[self.state("key")].size
        return np.frombuffer(base64.b64decode(packed), np.uint8).reshape(shape)

    def counts(self) -> np.ndarray:
        return np.array(self.page.evaluate(f"[...{BRUSH}.counts()]"))

    def at(self, x: float, y: float) -> tuple[float, float]:
        return tuple(self.page.evaluate(f"{BRUSH}.toPage({x}, {y})"))

    def drag(self, *points: tuple[float, float], button: str = "left") -> None:
        """In image pixels."""
        mouse = self.page.mouse
        for index, point in enumerate(points):
            mouse.move(*self.at(*point))
            if index == 0:
                mouse.down(button=button)
        mouse.up(button=button)

    def click(self, *points: tuple[float, float]) -> None:
        for point in points:
            self.page.mouse.click(*self.at(*point))

    def act(self, *names: str) -> None:
        for name in names:
            self.root.locator(f"[data-act={name}]").click()

    def key(self, *keys: str) -> None:
        for key in keys:
            self.stage.press(key)

    def size(self, size: int) -> None:
        """By the slider, whose place is the root of the size."""
        slide = """(node, size) => {
            node.value = 1000 * Math.sqrt((size - 1) / 199);
            node.dispatchEvent(new Event("input"));
        }"""
        self.root.locator(".sb-size input").evaluate(slide, size)
        assert self.state("size") == size

    def reset(self) -> None:
        """All but the picture, in one go."""
        self.stage.evaluate("""(stage) => {
            const press = (key) => stage.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
            ["b", "2", "Home"].forEach(press);
        }""")
        self.size(15)
        self.show("nothing")
        self.settled()
        self.page.evaluate(CLEAR)

    def says(self, selector: str) -> str:
        return self.root.locator(selector).text_content().strip()

    def settle(self) -> None:
        frame = "new Promise(done => requestAnimationFrame(done))"
        self.page.evaluate(f"() => {frame}.then(() => {frame})")

    def pixels(self) -> np.ndarray:
        """What the screen shows of the stage, (H, W, 3) int, without the cursor."""
        self.page.mouse.move(2, 2)
        self.settle()
        return np.asarray(Image.open(io.BytesIO(self.stage.screenshot())).convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def page(browser: Any, url: str) -> Iterator[Page]:
    opened = Page(browser.new_context(), url)
    yield opened
    opened.page.close()


@pytest.fixture
def brush(page: Page) -> Iterator[Page]:
    """The module's page, without any work in it."""
    DESK.begin()
    page.show("empty")
    page.reset()
    page.errors.clear()
    yield page
    assert page.errors == []


def disc(size: int) -> np.ndarray:
    """(size, size) bool: pixels whose centres are within half of `size` of the middle."""
    middle = (size - 1) / 2
    y, x = np.mgrid[:size, :size] - middle
    return x**2 + y**2 <= (size / 2) ** 2


def filled(value: int = 255) -> np.ndarray:
    return np.full((60, 90), value, np.uint8)


def block(top: int, left: int, bottom: int, right: int, value: int, on: np.ndarray | None = None) -> np.ndarray:
    label_map = filled() if on is None else on.copy()
    label_map[top:bottom, left:right] = value
    return label_map


# Painting ---------------------------------------------------------------------------------------------------


def test_a_stroke_is_saved_to_the_pixel(brush: Page) -> None:
    brush.show("empty")
    assert brush.says(".sb-state") == TEXTS["en"]["nothing_yet"]
    brush.size(5)
    brush.requests.clear()
    brush.drag((20.5, 30.5), (40.5, 30.5))
    wanted = filled()
    for x in range(20, 41):
        wanted[28:33, x - 2 : x + 3][disc(5)] = 1
    np.testing.assert_array_equal(brush.labels(), wanted)
    np.testing.assert_array_equal(brush.counts(), np.bincount(wanted.ravel(), minlength=256))
    brush.wait("s.kept")
    brush.settle()
    assert [url for url in brush.requests if not url.startswith("blob:")] == []  # nothing is asked of the server
    assert brush.says(".sb-state") == TEXTS["en"]["unsaved"]
    brush.act("save")
    brush.wait("!s.dirty && !s.sending")
    np.testing.assert_array_equal(DESK.label_maps["empty"], wanted)
    brush.settle()
    assert brush.says(".sb-state") == TEXTS["en"]["saved"]
    ((name, data),) = DESK.events
    assert (name, data["go"], data["name"], data["width"], data["height"]) == ("save", "stay", "empty", 90, 60)


@pytest.mark.parametrize("size", [1, 2, 3, 16, 200])
def test_a_brush_is_a_disc_of_whole_pixels(brush: Page, size: int) -> None:
    brush.show("odd")
    brush.size(size)
    middle = 150 if size % 2 == 0 else 150.5
    brush.click((middle, middle))
    wanted = np.full((301, 257), 255, np.uint8)
    corner = 150 - size // 2
    rows, columns = min(size, 301 - corner), min(size, 257 - corner)
    wanted[corner : corner + rows, corner : corner + columns][disc(size)[:rows, :columns]] = 1
    np.testing.assert_array_equal(brush.labels(), wanted)
    assert brush.state("size") == size


def test_a_stroke_has_no_gap_and_ends_at_the_border(brush: Page) -> None:
    brush.show("empty")
    brush.size(1)
    brush.drag((5.5, 5.5), (85.5, 45.5))
    labels = brush.labels()
    y, x = np.nonzero(labels == 1)
    assert (x.min(), x.max(), y.min(), y.max()) == (5, 85, 5, 45)
    assert np.unique(x).size == 81  # one pixel in each column
    assert x.size == 81
    assert np.abs(np.diff(y[np.argsort(x)])).max() == 1
    brush.key("Control+z")
    brush.size(3)
    brush.drag((80, 50), (200, 50))  # beyond the picture, which is as wide as the stage
    assert brush.labels()[49:52, 82:].min() == 1


def test_each_tool(brush: Page) -> None:
    brush.show("empty")
    brush.key("l", "3")
    brush.drag((10, 10), (50, 10), (50, 40), (10, 40))
    wanted = block(10, 10, 40, 50, 2)
    np.testing.assert_array_equal(brush.labels(), wanted)
    brush.click((60, 20), (80, 20), (80, 30), (60, 30))
    assert brush.counts()[2] == 30 * 40
    brush.key("Enter")  # closes the line, and does not save
    wanted = block(20, 60, 30, 80, 2, wanted)
    np.testing.assert_array_equal(brush.labels(), wanted)
    brush.key("f", "2")
    brush.click((20, 20))
    wanted = block(10, 10, 40, 50, 1, wanted)
    np.testing.assert_array_equal(brush.labels(), wanted)
    brush.click((0.5, 0.5))
    np.testing.assert_array_equal(brush.labels(), np.where(wanted == 255, 1, wanted))
    brush.key("Control+z", "e")
    brush.size(5)
    brush.drag((12.5, 12.5), (12.5, 37.5))
    assert brush.labels()[15:35, 10:15].min() == 255
    assert brush.labels()[15:35, 15].max() == 1
    brush.act("rest")
    assert brush.counts()[255] == 0
    assert brush.labels()[15:35, 10:15].max() == 0
    assert DESK.events == []


@pytest.mark.slow
def test_a_line_in_the_making_can_be_taken_back(brush: Page) -> None:
    brush.show("asking")
    brush.key("l")
    brush.click((10, 10), (50, 10), (50, 40), (20, 50))
    brush.key("Backspace", "Control+z", "Enter")  # undo takes the line, and nothing is left to close
    assert brush.labels().min() == 255
    brush.click((10, 10), (50, 10), (50, 40), (10, 40), (10, 10))  # on its first corner
    np.testing.assert_array_equal(brush.labels(), block(10, 10, 40, 50, 1))


def test_a_region_of_any_shape_is_filled(brush: Page) -> None:
    brush.show("labelled")

    brush.key("f", "3")
    wanted = LABELS.copy()
    for y, x in [(0, 0), (59, 89), (30, 44), (12, 70)]:
        regions, _ = ndimage.label(wanted == wanted[y, x])
        wanted[regions == regions[y, x]] = 2
        brush.click((x + 0.5, y + 0.5))
        np.testing.assert_array_equal(brush.labels(), wanted)
        np.testing.assert_array_equal(brush.counts(), np.bincount(wanted.ravel(), minlength=256))


def test_a_prediction_is_a_draft(brush: Page) -> None:
    brush.show("drafted")
    np.testing.assert_array_equal(brush.labels(), LABELS)
    rest = np.where(LABELS == 255, DRAFT, LABELS)
    for act, wanted in {"draft-rest": rest, "undo": LABELS, "draft-all": DRAFT}.items():
        brush.act(act)
        brush.page.wait_for_function(f"want => {BRUSH}.counts()[255] === want", arg=int((wanted == 255).sum()))
        np.testing.assert_array_equal(brush.labels(), wanted)
    brush.show("asking")
    brush.act("draft-all")
    brush.page.wait_for_function(f"() => {BRUSH}.counts()[1] > 0")
    np.testing.assert_array_equal(brush.labels(), DRAFT)
    assert DESK.events == [("draft", {"key": "asking", "name": "asking"})]


def test_undo_and_redo_lead_back_and_forth(brush: Page) -> None:
    brush.show("odd")
    states = [brush.labels()]
    brush.size(9)
    for number, act in enumerate(["b", "e", "b", "f", "l", "b"]):
        brush.key(act, str(number % 3 + 1) if act != "e" else "e")
        brush.drag((20 + 30 * number, 40), (60 + 20 * number, 250), (150, 20))
        if not np.array_equal(states[-1], brush.labels()):
            states.append(brush.labels())
    brush.act("rest")
    states.append(brush.labels())
    assert len(states) > 5
    for wanted in states[-2::-1]:
        brush.key("Control+z")
        np.testing.assert_array_equal(brush.labels(), wanted)
    brush.key("Control+z")
    for wanted in states[1:]:
        brush.key("Control+Shift+z")
        np.testing.assert_array_equal(brush.labels(), wanted)
        np.testing.assert_array_equal(brush.counts(), np.bincount(wanted.ravel(), minlength=256))
    brush.key("Control+y", "Control+z")
    brush.click((5, 5))
    brush.root.locator("[data-act=redo][aria-disabled=true]").wait_for()


@pytest.mark.slow
def test_what_undo_keeps_is_bounded(brush: Page) -> None:
    brush.show("large")
    bytes_kept = brush.page.evaluate(f"""() => {{
        const noise = [0, 1].map((shift) => Uint8Array.from({{ length: 3e6 }}, (_, i) => ((i * 7919) % 5 + shift) % 3));
        return Array.from({{ length: 45 }}, (_, step) => {{
            {BRUSH}.merge(noise[step % 2]);
            return {BRUSH}.state().bytes;
        }});
    }}""")
    assert 80e6 < max(bytes_kept) <= 96 * 2**20
    assert brush.state("steps") >= 30


# Looking ----------------------------------------------------------------------------------------------------


def show_labels_only(brush: Page) -> None:
    slide = "node => { node.value = 100; node.dispatchEvent(new Event('input')); }"
    brush.root.locator(".sb-opacity input").evaluate(slide)


def assert_shown(brush: Page, least: int) -> None:
    """Where the middle of an image pixel is on the screen, there is the colour of its class."""
    shot, labels, scale = brush.pixels(), brush.labels(), brush.state("scale")
    box = brush.stage.bounding_box()
    left, top = np.subtract(brush.at(0, 0), (box["x"], box["y"]))
    rows, columns = (
        (np.arange(side) + 0.5) * scale + start for side, start in zip(labels.shape, (top, left), strict=True)
    )
    y, x = (
        np.flatnonzero((at > 12) & (at < end)) for at, end in ((rows, box["height"] - 60), (columns, box["width"] - 12))
    )
    assert y.size * x.size >= least
    colors = np.full((256, 3), 128)  # the photo's
    colors[: len(CLASSES)] = CLASSES.colors
    found = shot[rows[y].astype(int)][:, columns[x].astype(int)]
    assert np.abs(found - colors[labels[np.ix_(y, x)]]).max() <= 3


def test_the_screen_shows_the_labels_at_any_zoom(brush: Page) -> None:
    brush.show("labelled")
    show_labels_only(brush)
    for keys in [(), ("+",) * 3, ("+",) * 3, ("ArrowRight", "ArrowDown")]:
        brush.key(*keys)
        assert_shown(brush, 60)
    brush.size(3)
    brush.drag((41, 28), (46, 30), (42, 31))
    assert brush.state("steps") == 1
    assert_shown(brush, 60)  # only a rectangle was painted again
    brush.key("Control+z")
    assert_shown(brush, 60)


@pytest.mark.slow
def test_a_thin_stroke_is_seen_in_a_large_picture(brush: Page) -> None:
    brush.show("large")
    show_labels_only(brush)
    brush.size(1)
    brush.drag((300.5, 701.5), (1700.5, 701.5))
    assert brush.state("scale") < 0.5
    shot = brush.pixels()
    row = int(brush.at(0, 701)[1] - brush.stage.bounding_box()["y"])
    orange = np.abs(shot[row - 1 : row + 2] - CLASSES.colors[1]).max(axis=2) <= 3
    assert orange.any(axis=0).sum() > 1300 * brush.state("scale")


@pytest.mark.slow
def test_moving_the_picture_paints_nothing(brush: Page) -> None:
    brush.show("empty")
    brush.key("+", "+")
    before = brush.at(0, 0)
    brush.drag((40, 30), (45, 33), button="middle")
    moved = brush.at(0, 0)
    assert moved[0] > before[0]
    brush.page.keyboard.down(" ")
    brush.drag((40, 30), (30, 25))
    brush.page.keyboard.up(" ")
    assert brush.at(0, 0)[0] < moved[0]
    brush.key("h")
    brush.drag((40, 30), (43, 32))
    assert brush.labels().min() == 255
    brush.key("b")
    brush.drag((40, 30), (43, 32))
    assert brush.labels().min() == 1


@pytest.mark.slow
def test_a_finger_paints_and_two_zoom(browser: Any, url: str) -> None:
    DESK.begin()
    context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 844})
    brush = Page(context, url)
    brush.page.set_viewport_size({"width": 390, "height": 844})
    brush.show("empty")
    assert brush.page.evaluate("document.documentElement.scrollWidth") == 390
    session = context.new_cdp_session(brush.page)
    brush.stage.scroll_into_view_if_needed()

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [dict(zip("xy", brush.at(*point), strict=True), id=number) for number, point in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", (20, 30))
    touch("touchMove", (50, 30))
    touch("touchEnd")
    brush.wait("s.steps === 1")
    labels = brush.labels()
    assert labels[30, 22:48].max() == 1
    scale = brush.state("scale")
    touch("touchStart", (40, 10))
    touch("touchMove", (45, 12))
    touch("touchStart", (45, 12), (60, 50))
    touch("touchMove", (40, 5), (70, 55))
    touch("touchEnd")
    assert brush.state("scale") > scale
    np.testing.assert_array_equal(brush.labels(), labels)  # the first finger's beginning is taken back
    assert brush.state("steps") == 1
    assert brush.errors == []
    context.close()


@pytest.mark.slow
def test_classes_are_found_by_key_by_name_and_by_click(brush: Page) -> None:
    brush.show("many")
    brush.key("4")
    assert brush.state("id") == 3
    brush.root.locator(".sb-search").fill("ss 20")
    assert brush.root.locator(".sb-class:visible").count() == 12  # 20, 200 to 209, and the eraser
    brush.root.locator(".sb-search").press("Enter")
    assert brush.state("id") == 20
    brush.root.locator(".sb-search").fill("zebra")
    assert brush.root.locator(".sb-nothing").is_visible()
    brush.root.locator(".sb-search").fill("254")
    brush.root.locator(".sb-choose").filter(has_text="class 254").click()
    brush.click((10, 10))
    assert brush.labels()[10, 10] == 254
    brush.key("0")
    assert brush.state("tool") == "eraser"
    brush.key("2")
    assert (brush.state("tool"), brush.state("id")) == ("brush", 1)
    brush.show("empty")
    assert not brush.root.locator(".sb-search").is_visible()
    brush.key("9")  # no such class
    assert brush.state("id") == 1


def test_names_are_text(brush: Page) -> None:
    brush.show("drafted")
    assert brush.says(".sb-title") == EVIL
    assert brush.root.locator(".sb-name").nth(2).text_content() == EVIL
    assert brush.page.evaluate("window.hacked") is None


@pytest.mark.slow
def test_another_language(browser: Any, url: str) -> None:
    DESK.begin()
    context = browser.new_context(locale="zh-CN")
    brush = Page(context, url)
    brush.show("labelled")
    assert brush.says("[data-act=save]") == TEXTS["zh"]["save"]
    assert brush.root.locator("[data-act=brush]").get_attribute("title") == TEXTS["zh"]["brush"]
    context.close()


@pytest.mark.parametrize("language", TEXTS)
def test_every_language_has_every_text(language: str) -> None:
    slots = {name: sorted(part.split("}")[0] for part in words.split("{")[1:]) for name, words in TEXTS["en"].items()}
    there = {
        name: sorted(part.split("}")[0] for part in words.split("{")[1:]) for name, words in TEXTS[language].items()
    }
    assert there == slots


# Nothing is lost --------------------------------------------------------------------------------------------


def test_work_survives_a_reload_until_it_is_saved(brush: Page, url: str) -> None:
    brush.show("labelled")
    brush.drag((10, 10), (40, 30))
    work = brush.labels()
    brush.wait("s.dirty && s.kept")
    brush.open(url)
    brush.show("labelled")
    np.testing.assert_array_equal(brush.labels(), work)
    assert brush.says(".sb-notice span") == TEXTS["en"]["restored"]
    brush.key("Control+s")
    brush.wait("!s.dirty && !s.sending")
    assert not brush.root.locator(".sb-notice").is_visible()
    np.testing.assert_array_equal(DESK.label_maps["labelled"], work)
    brush.settled()
    brush.show("nothing")
    brush.show("labelled")
    assert not brush.state("dirty")
    assert not brush.root.locator(".sb-notice").is_visible()


@pytest.mark.slow
def test_work_comes_back_with_its_picture(brush: Page) -> None:
    brush.show("empty")
    brush.click((40, 30))
    work = brush.labels()
    brush.key("PageDown")  # at once: nothing is kept yet
    brush.wait("s.name === 'labelled' && s.ready")
    np.testing.assert_array_equal(brush.labels(), LABELS)
    brush.key("PageUp")
    brush.wait("s.name === 'empty' && s.ready")
    np.testing.assert_array_equal(brush.labels(), work)
    assert brush.state("dirty")
    assert [name for name, _ in DESK.events] == ["next", "previous"]
    brush.act("discard")
    brush.wait("!s.dirty")
    assert brush.labels().min() == 255
    brush.key("Control+z")  # discarding is a step as any other
    np.testing.assert_array_equal(brush.labels(), work)


def test_enter_saves_and_goes_on(brush: Page) -> None:
    brush.show("empty")
    brush.click((40, 30))
    work = brush.labels()
    brush.key("Enter")
    brush.wait("s.name === 'labelled' && s.ready")
    np.testing.assert_array_equal(DESK.label_maps["empty"], work)
    brush.key("Enter")  # nothing to save
    brush.wait("s.key === 'drafted' && s.ready")
    brush.key("Enter")  # the last one
    brush.key("PageDown")
    brush.settle()
    assert [(name, data.get("go")) for name, data in DESK.events] == [("save", "next"), ("next", None)]


def test_a_save_that_fails_loses_nothing(brush: Page) -> None:
    brush.show("labelled")
    DESK.broken = True
    brush.drag((10, 10), (40, 30))
    brush.key("Control+s")
    brush.page.get_by_text("The disk is full.").first.wait_for()
    brush.wait("!s.sending")
    assert brush.state("dirty")
    DESK.broken = False
    brush.key("Control+s")
    brush.wait("!s.dirty")
    np.testing.assert_array_equal(DESK.label_maps["labelled"], brush.labels())


@pytest.mark.slow
def test_what_is_painted_while_saving_stays_unsaved(brush: Page) -> None:
    brush.show("empty")
    brush.click((20, 30))
    first = brush.labels()
    done = "new Promise((done) => setTimeout(done, 0))"
    x, y = brush.at(60, 30)
    event = f"new PointerEvent(kind, {{ pointerId: 1, clientX: {x}, clientY: {y}, bubbles: true }})"
    stage = f"document.querySelector('{ROOT} .sb-stage')"
    brush.page.evaluate(
        f"""async () => {{
            const stage = {stage};
            stage.setPointerCapture = () => {{}};
            {BRUSH}.save();
            await {done};
            for (const kind of ["pointerdown", "pointerup"]) stage.dispatchEvent({event});
        }}"""
    )
    brush.wait("!s.sending && s.kept")
    np.testing.assert_array_equal(DESK.label_maps["empty"], first)
    assert brush.state("dirty")
    second = brush.labels()
    assert not np.array_equal(first, second)
    brush.key("Control+s")
    brush.wait("!s.dirty && !s.sending")
    np.testing.assert_array_equal(DESK.label_maps["empty"], second)


@pytest.mark.slow
def test_a_label_map_that_was_saved_elsewhere(brush: Page) -> None:
    brush.show("labelled")
    DESK.works["labelled"] = replace(WORKS["labelled"], label_map=DRAFT)
    brush.show("labelled")  # nothing was done here: the new one is shown
    brush.page.wait_for_function(f"want => {BRUSH}.counts()[255] === want", arg=int((DRAFT == 255).sum()))
    np.testing.assert_array_equal(brush.labels(), DRAFT)
    assert not brush.state("dirty")
    brush.click((40, 30))
    work = brush.labels()
    DESK.works["labelled"] = replace(WORKS["labelled"], label_map=filled(1))
    brush.show("labelled")
    brush.settle()
    np.testing.assert_array_equal(brush.labels(), work)
    assert brush.says(".sb-notice span") == TEXTS["en"]["restored_older"]
    brush.act("discard")
    brush.wait("!s.dirty")
    np.testing.assert_array_equal(brush.labels(), filled(1))


# What arrives -----------------------------------------------------------------------------------------------


def sent(label_map: np.ndarray, **other: Any) -> dict[str, Any]:
    height, width = label_map.shape
    plane = base64.b64encode(encode_planes([label_map])).decode()
    return {"height": height, "width": width, "plane": plane, "go": "stay"} | other


def packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content)).decode()


def test_what_was_sent_is_read() -> None:
    for label_map in (LABELS, filled(), RNG.integers(0, 3, (1, 1)).astype(np.uint8)):
        np.testing.assert_array_equal(read_saved(sent(label_map), label_map.shape, 3), label_map)
    noise = RNG.integers(0, 256, (64, 80)).astype(np.uint8)
    np.testing.assert_array_equal(read_saved(sent(noise), (64, 80), 255), noise)


WHOLE = r"^The label map did not arrive as a whole\. Save it again\.$"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, WHOLE),
        ("plane", WHOLE),
        ({}, WHOLE),
        (sent(LABELS, plane=5), WHOLE),
        (sent(LABELS, plane="ü"), WHOLE),
        (sent(LABELS, plane="AAAA"), WHOLE),
        (sent(LABELS, plane="A" * 10_000_000), WHOLE),
        (sent(LABELS, plane=sent(LABELS)["plane"][:-16]), WHOLE),
        (sent(LABELS, plane=packed(bytes(60 * 90 - 1))), WHOLE),
        (sent(LABELS, plane=packed(bytes(60 * 90 + 1))), WHOLE),
        (sent(LABELS, plane=packed(bytes(4_000_000))), WHOLE),  # a few kilobytes that unpack into megabytes
        (sent(LABELS, plane=base64.b64encode(gzip.compress(bytes(5400)) + b"more").decode()), WHOLE),
        (sent(LABELS, width=91), r"^The label map was painted on a picture of another size than 90 x 60 pixels\. Relo"),
        (sent(LABELS, height="60"), r"^The label map was painted on a picture of another size than 90 x 60 pixels"),
        (sent(filled(3)), r"^The label map holds the class 3, but there are 3 classes, 0 to 2\. Reload the page\.$"),
        (sent(filled(254)), r"^The label map holds the class 254, but there are 3 classes"),
    ],
)
def test_what_is_no_label_map_is_refused(data: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_saved(data, (60, 90), 3)


def test_a_bomb_takes_no_memory() -> None:
    import tracemalloc

    data = sent(LABELS, plane=packed(bytes(100_000_000))[:7000])
    bomb = sent(LABELS, plane=base64.b64encode(gzip.compress(bytes(5_000_000))).decode())
    tracemalloc.start()
    for hostile in (data, bomb):
        with pytest.raises(UserError, match=WHOLE):
            read_saved(hostile, (60, 90), 3)
    assert tracemalloc.get_traced_memory()[1] < 500_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"image": np.zeros((2, 3), np.uint8)}, "image is"),
        ({"label_map": np.zeros((3, 3), np.uint8)}, "label_map is"),
        ({"draft": np.full((60, 90), 3, np.uint8)}, "draft holds 3"),
    ],
)
def test_work_that_does_not_fit_together(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(WORKS["empty"], **given)


def test_a_large_image_travels_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seg_demo.ui.brush.component.MOST_IMAGE_PIXELS", 1000)
    assert travelling(IMAGE).shape == (25, 38, 3)
    assert travelling(IMAGE[:10, :10]).shape == (10, 10, 3)


# Speed ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_painting_is_immediate(browser: Any, url: str) -> None:
    """Strokes of the largest brush on three megapixels: half of the events take less than a quarter of a frame."""
    DESK.begin()
    context = browser.new_context()
    brush = Page(context, url)
    brush.show("large")
    brush.size(200)
    times = []
    for row in range(8):
        brush.page.mouse.move(*brush.at(100, 150 * row + 100))
        brush.page.mouse.down()
        for step in range(1, 12):
            brush.page.mouse.move(*brush.at(100 + 150 * step, 150 * row + 100 + 40 * (step % 3)))
            brush.settle()
            times.append(brush.state("strokeMs") + float(brush.root.get_attribute("data-draw-ms")))
        brush.page.mouse.up()
    assert np.median(times) < 4
    assert np.quantile(times, 0.9) < 16
    context.close()
