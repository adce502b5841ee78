"""The component that shows a run, in a real browser: what it reads, what it keeps, and what it asks the server."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import gradio as gr
import numpy as np
import orjson
import pytest
from gradio import processing_utils
from PIL import Image

from seg_demo.jobs.history import History
from seg_demo.ui.watch import RunWatch, Watched, WatchState
from seg_demo.ui.watch.component import MOST_SAMPLES, thinned

EVIL = "<img src=x onerror=window.hacked=1>${window.hacked=2}{{7*7}}"
ROOM = Path(__file__).parents[1] / "seg_demo/ui/watch"
TEXTS = json.loads((ROOM / "texts.json").read_text("utf-8"))
ROOT = "#watch .seg-watch"
WATCH = f"document.querySelector('{ROOT}').segWatch"
COLORS = [[0, 0, 0], [127, 0, 0], [255, 255, 0]]
NAMES = ["background", EVIL, "newt"]
PICTURES = ("a.jpg", "b.jpg")
EVERY = 50  # steps between two validations


def document(steps: int = 0, **more: Any) -> dict[str, Any]:
    """A run of 1000 steps after `steps` of them, whose figures can be computed again."""
    done = list(range(1, steps + 1))
    at = list(range(EVERY, steps + 1, EVERY))
    made = {
        "share": steps / 1000, "step": steps, "steps_in_all": 1000, "epoch": steps / 20, "seconds": 0.5 * steps,
        "left": 0.5 * (1000 - steps), "images_per_second": 12.345, "learning_rate": 3e-5, "memory": 1_834_000_000,
        "device": "cpu", "precision": "float32", "pictures": 16, "drawn": 200, "validation": 6,
        "classes": [{"name": name, "color": color} for name, color in zip(NAMES, COLORS, strict=True)],
        "steps": {
            "step": done, "loss": [loss(step) for step in done], "learning_rate": [3e-5] * steps,
            "images_per_second": [12.0] * steps,
        },
        "validations": [validation(step) for step in at],
        "best": 100 if steps >= 100 else None, "resumed": [], "memory_short": [],
        "samples": [{"step": step, "name": name, "file": sample(step, name)} for step in at for name in PICTURES],
        "log": [f"step {step}" for step in done],
    }  # fmt: skip
    return made | more


def loss(step: int) -> float:
    return 2 / math.sqrt(step) + 0.1 * (step % 3)


def validation(step: int) -> dict[str, Any]:
    iou = [step / 1000, None, 0.9 if step == 100 else 0.5]
    mean = (iou[0] + iou[2]) / 2  # type: ignore[operator]
    return {"step": step, "epoch": step / 20, "metrics": {"loss": 3 / step, "mean_iou": mean}, "iou": iou}


def sample(step: int, name: str) -> str:
    return f"samples/{step:07}/{name}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the samples of 300 steps, all of them different."""
    root = tmp_path_factory.mktemp("runs") / "run"
    for step in range(EVERY, 301, EVERY):
        for index, name in enumerate(PICTURES):
            file = root / sample(step, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (60, 20), (step % 256, 100 * index, 0)).save(file)
    return root


# Python -----------------------------------------------------------------------------------------------------


def watched(folder: Path, value: dict[str, Any], kind: Any = "running", name: str = "run", **more: Any) -> Watched:
    return Watched(value, folder, name, WatchState(kind=kind, **more))


def test_the_document_is_what_a_history_makes(tmp_path: Path) -> None:
    made = History(tmp_path).document()
    assert set(made) == set(document()) and set(made["steps"]) == set(document()["steps"])


def test_a_file_is_read_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    real = processing_utils.save_file_to_cache

    def save(path: Path, *given: Any) -> str:
        read.append(path)
        return real(path, *given)

    monkeypatch.setattr(processing_utils, "save_file_to_cache", save)
    component = RunWatch(render=False)
    component.GRADIO_CACHE = str(tmp_path / "cache")
    value = document(100)
    first = component.postprocess(watched(folder, value))
    assert first is not None and len(read) == 4
    for sample_, given in zip(first.samples, value["samples"], strict=True):
        assert (sample_.step, sample_.name) == (given["step"], given["name"])
        assert Path(sample_.file.path).read_bytes() == (folder / given["file"]).read_bytes()
    assert component.postprocess(watched(folder, value)) == first and len(read) == 4
    Path(first.samples[1].file.path).unlink()  # as Gradio does after a day
    assert component.postprocess(watched(folder, value)) == first
    assert read[4:] == [folder / sample(50, "b.jpg")]
    file = folder / sample(50, "a.jpg")
    os.utime(file, ns=(1, 1))  # a run that goes on from an earlier step writes it again
    component.postprocess(watched(folder, value))
    assert read[5:] == [file]


def test_files_that_are_gone_or_elsewhere_are_left_out(folder: Path, tmp_path: Path) -> None:
    component = RunWatch(render=False)
    component.GRADIO_CACHE = str(tmp_path / "cache")
    secret = folder.parent / "secret.jpg"
    secret.write_bytes(b"secret")
    (folder / "samples" / "link.jpg").symlink_to(secret)
    files = ["../secret.jpg", str(secret), "samples/link.jpg", "samples/none.jpg", sample(100, "a.jpg")]
    samples = [{"step": 100, "name": "x", "file": file} for file in files]
    found = component.postprocess(watched(folder, document(100, samples=samples)))
    (folder / "samples" / "link.jpg").unlink()
    assert found is not None and [Path(each.file.path).name for each in found.samples] == ["a.jpg"]


def test_samples_are_thinned_and_what_is_kept_stays() -> None:
    samples: list[dict[str, Any]] = []
    before: set[int] = set()
    for step in range(10, 5001, 10):
        samples += [{"step": step, "name": str(index)} for index in range(4)]
        kept = thinned(samples, MOST_SAMPLES, 20)
        steps = {each["step"] for each in kept}
        assert len(kept) == 4 * len(steps) <= MOST_SAMPLES + 8
        assert len(kept) == len(samples) or len(kept) >= MOST_SAMPLES / 2
        assert {10, step} <= steps and (20 in steps or step == 10)
        assert steps - before == {step}  # all others have been sent before
        before = steps
    assert thinned([], 200, None) == []
    many = [{"step": 1, "name": str(index)} for index in range(500)]
    assert thinned(many, 200, None) == many


def test_the_value_of_a_long_run_is_small(folder: Path, tmp_path: Path) -> None:
    component = RunWatch(render=False)
    component.GRADIO_CACHE = str(tmp_path / "cache")
    value = document(300)
    rng = np.random.default_rng(0)
    columns = ("loss", "learning_rate", "images_per_second")
    steps = {name: rng.random(400).tolist() for name in columns} | {"step": list(range(75, 30_001, 75))}
    at = range(1000, 30_001, 1000)
    samples = [value["samples"][index] | {"step": step} for step in at for index in range(4)]
    validations = [
        {"step": step, "epoch": step / 3, "iou": rng.random(5).tolist(), "metrics": {"loss": 1 / 3, "mean_iou": 2 / 3}}
        for step in at
    ]
    log = ["step 12345  loss 0.1234  learning rate 0.000123  12.3 images/s"] * 200
    value |= {"steps": steps, "samples": samples, "validations": validations, "log": log}
    found = component.postprocess(watched(folder, value))
    assert found is not None
    size = len(orjson.dumps(found.model_dump()))
    print(f"{size} bytes, of them samples {len(orjson.dumps([each.model_dump() for each in found.samples]))}")
    assert size < 130_000


def test_texts_are_complete() -> None:
    used, mentioned = set(), set()
    for file in [*ROOM.glob("*.js"), ROOM / "watch.html"]:
        source = file.read_text("utf-8")
        used |= set(re.findall(r"""\btext\("(\w+)"[,)]""", source))
        mentioned |= set(re.findall(r'"(\w+)"', source))
        used |= set(re.findall(r'data-(?:text|label|title|hint)="(\w+)"', source))
    slots = {name: set(re.findall(r"\{(\w+)\}", words)) for name, words in TEXTS["en"].items()}
    assert used <= set(slots)
    kinds = {"state_" + kind for kind in get_args(WatchState.model_fields["kind"].annotation)} - {"state_waiting"}
    assert kinds <= set(slots) <= mentioned | kinds
    for language in ("ja", "zh"):
        assert {name: set(re.findall(r"\{(\w+)\}", words)) for name, words in TEXTS[language].items()} == slots
        assert all(TEXTS[language].values())


# Browser ----------------------------------------------------------------------------------------------------


class Page:
    """The page as a visitor meets it, with what it requested and what went wrong."""

    def __init__(self, context: Any, url: str, values: dict[str, Any]) -> None:
        self.page = context.new_page()
        self.values = values
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.note)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url, wait_until="commit")
        self.page.wait_for_function(f"document.querySelector('{ROOT}')?.segWatch")
        self.root = self.page.locator(ROOT)
        self.sent = 0

    def note(self, line: Any) -> None:
        if "js_on_load" in line.text:  # Gradio catches what the script throws and prints it
            self.errors.append(line.text)

    def show(self, value: Watched | None) -> None:
        """Sends a value as the server would, and waits until it is shown."""
        self.values["now"] = value
        self.sent += 1
        self.page.locator("#send").evaluate("node => node.click()")
        self.page.wait_for_function(f"document.querySelector('#sent input').value === '{self.sent}'")
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def ask(self, expression: str) -> Any:
        return self.page.evaluate(f"{WATCH}.{expression}")

    def wait(self, expression: str) -> None:
        self.page.wait_for_function(f"{WATCH}.{expression}")

    def says(self, selector: str) -> str:
        return self.root.locator(selector).first.text_content().strip()

    def all(self, selector: str) -> list[str]:
        return self.root.locator(selector).all_text_contents()

    def legend(self, plot: str) -> list[str]:
        """Such as "mean 0.500": what the curves have at the step that is read."""
        entries = f"figure:has([data-plot={plot}]) .watch-legend > span"
        return self.root.locator(entries).evaluate_all(
            "nodes => nodes.map((node) => [...node.children].slice(1).map((each) => each.textContent).join(' ').trim())"
        )

    def facts(self) -> dict[str, str]:
        return self.root.locator(".watch-facts dd").evaluate_all(
            "nodes => Object.fromEntries(nodes.map((node) => [node.dataset.value, node.textContent]))"
        )

    def pictures(self) -> list[str]:
        """Addresses in sight."""
        return self.root.locator(".watch-screen img").evaluate_all("nodes => nodes.map((node) => node.src)")


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    values: dict[str, Any] = {}
    with gr.Blocks(analytics_enabled=False) as demo:
        watch = RunWatch(elem_id="watch")
        sent = gr.Number(0, elem_id="sent")
        gr.Button("send", elem_id="send").click(lambda count: (values["now"], count + 1), sent, [watch, sent])
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", run_history=False)
    yield url, values
    demo.close()


@pytest.fixture(scope="module")
def opened(browser: Any, served: tuple[str, dict[str, Any]]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 1000})
    yield Page(context, *served)
    context.close()


@pytest.fixture
def page(opened: Page) -> Iterator[Page]:
    opened.show(None)
    yield opened
    assert opened.errors == []
    assert opened.page.evaluate("window.hacked") is None


def test_before_anything(page: Page, folder: Path) -> None:
    assert page.says(".watch-empty strong") == TEXTS["en"]["empty_title"]
    assert not page.root.locator(".watch-main").is_visible()
    page.show(watched(folder, History(folder / "none").document(), "starting"))
    assert page.says("[data-plot=iou] p") == TEXTS["en"]["no_validation"] and set(page.facts().values()) == {"–"}
    for position, words in ((0, "it is next"), (1, "1 run goes first"), (2345, "2,345 runs go first")):
        page.show(watched(folder, document(), "waiting", position=position))
        assert page.says(".watch-state") == f"Waiting: {words}"
    assert page.root.locator(".watch-main").is_visible() and not page.root.locator(".watch-empty").is_visible()
    facts = page.facts()
    assert [facts.pop(name) for name in ("memory", "device")] == ["1.83 GB", "cpu · float32"]
    assert set(facts.values()) == {"–"}
    assert page.says("[data-plot=loss] p") == page.says("[data-plot=rate] p") == TEXTS["en"]["no_step"]
    assert page.says("[data-plot=iou] p") == page.says(".watch-classes .watch-none") == TEXTS["en"]["no_validation"]
    assert page.says(".watch-film .watch-none") == TEXTS["en"]["no_sample"]
    assert page.root.locator(".watch-film .watch-none").is_visible()
    assert not page.root.locator(".watch-theatre").is_visible()


def test_nothing_to_measure_on(page: Page, folder: Path) -> None:
    page.show(watched(folder, document(60, validation=0, validations=[], samples=[], best=None)))
    assert page.says("[data-plot=iou] p") == TEXTS["en"]["no_pictures"]
    assert page.root.locator("[data-plot=iou] p").is_visible()
    assert not page.root.locator(".watch-film").is_visible() and not page.root.locator(".watch-classes").is_visible()
    assert not page.root.locator("[data-plot=loss] p").is_visible()
    assert [words.split()[0] for words in page.legend("loss")] == ["training"]


def test_the_head(page: Page, folder: Path) -> None:
    short = [{"step": 3, "parts": 2}, {"step": 1234, "parts": 4}]
    page.show(watched(folder, document(250, memory_short=short), "stopping", sentence=EVIL))
    assert page.facts() == {
        "step": "250 / 1,000", "epoch": "12.5", "time": "2 min 5 s", "left": "6 min 15 s", "speed": "12.3",
        "learning_rate": "3e-5", "memory": "1.83 GB", "device": "cpu · float32",
    }  # fmt: skip
    assert page.says(".watch-state") == "Stopping" and page.says(".watch-sentence") == EVIL
    assert page.says(".watch-percent") == "25 %"
    assert page.root.locator(".watch-bar").get_attribute("aria-valuenow") == "25"
    assert page.says(".watch-short").startswith("Memory was short at step 1,234: ")
    assert "16 to learn from and 200 drawn ones, 6 to validate on" in page.says(".watch-pictures")
    page.show(watched(folder, document(250, steps_in_all=0, seconds=7261, drawn=0), "stopped"))
    assert [page.facts()[name] for name in ("step", "time", "left")] == ["250", "2 h 1 min", "–"]
    assert not page.root.locator(".watch-sentence").is_visible() and not page.root.locator(".watch-short").is_visible()
    page.show(watched(folder, document(999, share=0.9999, samples=[])))
    assert page.says(".watch-percent") == "99 %"


def smoothed(values: list[float]) -> list[float]:
    keep = 1 - 1 / min(20, max(2, len(values) / 15))
    weights = [keep**age for age in range(len(values))]
    return [
        sum(w * v for w, v in zip(weights, reversed(values[: end + 1]), strict=False)) / sum(weights[: end + 1])
        for end in range(len(values))
    ]


def test_curves_are_read_at_a_step(page: Page, folder: Path) -> None:
    value = document(300, resumed=[0, 120])
    page.show(watched(folder, value))
    smooth = smoothed(value["steps"]["loss"])
    for step, near in ((None, 300), (100, 100), (210, 200), (3, 50)):
        page.ask(f"point({json.dumps(step)})")
        at = validation(near)
        read = f"step {step or 300:,} · epoch {(step or 300) / 20:g}"
        assert page.says("figure:has([data-plot=loss]) .watch-at") == read
        training = f"training {smooth[(step or 300) - 1]:.3f}"
        assert page.legend("loss") == [training, f"validation {at['metrics']['loss']:.3f}", "resumed here"]
        values = ["–" if iou is None else f"{iou:.3f}" for iou in at["iou"]]
        classes = [f"{name} {value}" for name, value in zip(NAMES, values, strict=True)]
        mean = f"mean {at['metrics']['mean_iou']:.3f}"
        assert page.legend("iou") == [mean, "best (step 100) 0.500", *classes, "resumed here"]
    assert page.root.locator(".watch-resumed:is(line)").count() == 3  # once in each diagram; none where a run begins
    best = page.root.locator("circle.watch-best")
    y = [float(best.get_attribute(name)) for name in ("cx", "cy")]
    mean_d = page.root.locator("path.watch-mean").get_attribute("d")
    x, height = (float(number) for number in re.split("[ML]", mean_d)[2].split())  # of the second validation
    assert y == pytest.approx([x + 58, height + 8], abs=0.1)
    page.ask("point(null)")


def test_keys_and_pointer_read_the_curves(page: Page, folder: Path) -> None:
    page.show(watched(folder, document(300)))
    iou, at = page.root.locator("[data-plot=iou]"), "figure:has([data-plot=iou]) .watch-at"
    for key, step in (("ArrowLeft", 300), ("ArrowLeft", 250), ("Home", 50), ("ArrowRight", 100), ("End", 300)):
        iou.press(key)
        assert page.says(at) == f"step {step} · epoch {step / 20:g}"
        assert iou.get_attribute("aria-valuenow") == str(step)
        assert iou.get_attribute("aria-valuetext").startswith(f"step {step} · epoch {step / 20:g}, mean 0.")
    page.root.locator("[data-plot=loss]").press("ArrowLeft")
    assert page.says(at).startswith("step 300")
    page.page.keyboard.press("ArrowLeft")
    assert page.says(at).startswith("step 299")
    box = page.root.locator("[data-plot=rate]").bounding_box()
    page.page.mouse.move(box["x"] + 58 + (box["width"] - 70) / 3, box["y"] + 30)
    assert page.says(at).startswith("step 100 ")
    assert page.root.locator("g:has(> .watch-cursor)[visibility=visible]").count() == 3
    page.page.mouse.move(2, 2)
    assert page.says(at).startswith("step 300 ")
    assert page.root.locator("g:has(> .watch-cursor)[visibility=visible]").count() == 0


@pytest.mark.slow
def test_a_part_of_the_steps(page: Page, folder: Path) -> None:
    page.show(watched(folder, document(300)))
    feet = "[data-plot=iou] > svg > g text[text-anchor=middle]"
    assert {"0", "100"} <= set(page.all(feet))
    box = page.root.locator("[data-plot=loss]").bounding_box()
    left, width, y = box["x"] + 58, box["width"] - 70, box["y"] + 50
    page.page.mouse.move(left + width / 3, y)
    page.page.mouse.down()
    page.page.mouse.move(left + width / 2, y)
    assert page.root.locator(".watch-chosen[visibility=visible]").count() == 1
    page.page.mouse.up()
    assert page.root.locator(".watch-chosen[visibility=visible]").count() == 0
    assert page.root.locator("[data-act=whole]").is_visible()
    page.show(watched(folder, document(301)))  # stays while the run goes on
    seen = set(page.all(feet))
    assert {"100", "120", "140"} <= seen and not {"0", "200"} & seen
    iou = page.root.locator("[data-plot=iou]")
    iou.press("Home")
    assert page.says("figure:has([data-plot=iou]) .watch-at").startswith("step 100 ")
    iou.press("+")
    assert "120" in page.all(feet) and "140" not in page.all(feet)
    iou.press("0")
    assert {"0", "100"} <= set(page.all(feet)) and not page.root.locator("[data-act=whole]").is_visible()
    page.root.locator("[data-plot=loss]").click(position={"x": 200, "y": 50})  # chooses nothing
    assert {"0", "100"} <= set(page.all(feet))
    page.page.mouse.move(2, 2)


@pytest.mark.slow
def test_the_loss_in_log_scale(page: Page, folder: Path) -> None:
    page.show(watched(folder, document(300)))
    labels = "[data-plot=loss] > svg > g text[text-anchor=end]"
    before = page.all(labels)
    page.root.locator("[data-act=log]").click()
    after = page.all(labels)
    assert "0" in before and "0.01" not in before and "0.01" in after and after != before
    page.show(watched(folder, document(301)))
    assert page.root.locator("[data-act=log]").get_attribute("aria-pressed") == "true"
    assert page.all(labels) == after
    page.root.locator("[data-act=log]").click()


def test_bars(page: Page, folder: Path) -> None:
    page.show(watched(folder, document(300)))
    cells = "[...node.querySelectorAll('.watch-class, b, .watch-was')].map((cell) => cell.textContent)"
    rows = page.root.locator(".watch-row").evaluate_all(f"nodes => nodes.map((node) => {cells})")
    means = ["mean", "0.400", "0.500"]
    assert rows == [means, ["background", "0.300", "0.100"], [EVIL, "–", "–"], ["newt", "0.500", "0.900"]]
    scale = page.root.locator(".watch-fill").nth(3).evaluate("node => node.style.transform")
    assert scale == "scaleX(0.5)"
    assert page.root.locator(".watch-tick").nth(3).evaluate("node => node.style.left") == "90%"
    assert not page.root.locator(".watch-tick").nth(2).is_visible()
    page.root.locator(".watch-row").nth(3).hover()
    assert page.root.locator(".watch-lit").evaluate_all("nodes => nodes.map((n) => n.dataset.name)") == ["class:2"]
    page.page.mouse.move(2, 2)


def test_pictures_follow_the_newest_until_moved(page: Page, folder: Path) -> None:
    page.show(watched(folder, document(200)))
    page.wait("film().loaded === 8")
    assert page.ask("film()") == {"step": 200, "following": True, "picked": None, "playing": False, "loaded": 8}
    seen = page.pictures()
    assert len(set(seen)) == 2
    page.show(watched(folder, document(260)))
    page.wait("film().loaded === 10")
    assert page.ask("film().step") == 250 and not set(page.pictures()) & set(seen)
    slider = page.root.locator(".watch-film input")
    for key, step in (("ArrowLeft", 200), ("Home", 50), ("ArrowRight", 100)):
        slider.press(key)
        assert page.ask("film().step") == step and page.ask("film().following") is False
    assert page.says(".watch-when") == "step 100 · epoch 5 · best"
    before = page.pictures()
    page.show(watched(folder, document(300)))
    page.wait("film().loaded === 12")
    assert page.ask("film().step") == 100 and page.pictures() == before
    page.root.locator(".watch-pick", has_text="b.jpg").click()
    assert page.ask("film().picked") == "b.jpg"
    assert page.root.locator(".watch-frame:visible").count() == 1
    page.root.locator("[data-act=newest]").click()
    assert page.ask("film().step") == 300 and page.ask("film().following") is True
    page.show(watched(folder, document(300), name="another"))
    assert page.ask("film().picked") is None


@pytest.mark.slow
def test_no_picture_is_fetched_twice(page: Page, folder: Path) -> None:
    session = page.page.context.new_cdp_session(page.page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.requests.clear()
    page.show(watched(folder, document(250), name="once"))
    page.wait("film().loaded === 10")
    assert len([url for url in page.requests if ".jpg" in url]) == 10
    page.root.locator(".watch-film input").press("Home")
    for _ in range(3):
        page.page.keyboard.press("ArrowRight")
        page.show(watched(folder, document(251), name="once"))
    page.show(watched(folder, document(300), name="once"))
    page.wait("film().loaded === 12")
    assert len([url for url in page.requests if ".jpg" in url]) == 12
    session.detach()


@pytest.mark.slow
def test_play(page: Page, folder: Path) -> None:
    page.show(watched(folder, document(150), name="played"))
    page.root.locator("[data-act=play]").click()
    assert page.ask("film().playing") is True and page.ask("film().step") == 50  # from the start, as it was at the end
    page.wait("film().step === 100")
    page.wait("film().playing === false")
    assert page.ask("film().step") == 150 and page.says("[data-act=play]") == "Play"


@pytest.mark.slow
def test_an_update_draws_only_what_changed(page: Page, folder: Path) -> None:
    value = document(200)
    page.show(watched(folder, value))
    page.wait("film().loaded === 8")
    parts = "path, .watch-row, .watch-frame, .watch-screen img, .watch-facts dd, .watch-legend > span"
    page.root.locator(parts).evaluate_all("nodes => nodes.forEach((node) => (node.kept = true))")
    before = page.ask("drawn()")
    page.show(watched(folder, value | {"seconds": 101.5}))
    assert page.ask("drawn()") == before | {"head": before["head"] + 1}
    page.show(watched(folder, value | {"log": [*value["log"], "more"]}))
    assert page.ask("drawn().log") == before["log"] + 1 and page.ask("drawn().curves") == before["curves"]
    page.show(watched(folder, document(240)))
    assert page.ask("drawn().curves") == before["curves"] + 1 and page.ask("drawn().bars") == before["bars"]
    assert page.root.locator(parts).evaluate_all("nodes => nodes.every((node) => node.kept)")


@pytest.mark.slow
def test_the_log_follows_its_end_unless_scrolled_up(page: Page, folder: Path) -> None:
    page.show(watched(folder, document(120)))
    page.root.locator(".watch-log summary").click()
    box = page.root.locator(".watch-lines")
    end = "node => Math.round(node.scrollHeight - node.clientHeight - node.scrollTop)"
    page.page.wait_for_function(f"({end})(document.querySelector('{ROOT} .watch-lines')) < 3")
    lines = document(120)["log"]
    page.show(watched(folder, document(120, log=[*lines[30:], EVIL, "x"])))
    assert page.all(".watch-lines > div") == [*lines[30:], EVIL, "x"] and box.evaluate(end) < 3
    # What is selected stays, and so does the place.
    select = f"""() => {{
        const box = document.querySelector('{ROOT} .watch-lines');
        getSelection().selectAllChildren(box.children[50]);
        box.scrollTop = 200;
        return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(box.scrollTop))));
    }}"""
    top = page.page.evaluate(select)
    page.show(watched(folder, document(120, log=[*lines[30:], EVIL, "x", *"abcdefgh"])))
    assert box.evaluate("node => node.scrollTop") == top
    assert page.page.evaluate("getSelection().toString().trim()") == lines[80]
    page.show(watched(folder, document(120, log=["all", "new"])))
    assert page.all(".watch-lines > div") == ["all", "new"]
    page.root.locator(".watch-log summary").click()


HOSTILE = [None, float("nan"), float("inf"), -float("inf"), 1e300, -1e300, 5e-324, 0.0, -1.0, "7", True]


def test_hostile_numbers_do_not_break_it(page: Page, folder: Path) -> None:
    """Every number of the document in turn, and all values together in the curves."""
    numbers = [name for name, value in document(60).items() if isinstance(value, int | float) or name == "best"]
    for hostile in HOSTILE:
        page.show(watched(folder, document(60) | dict.fromkeys(numbers, hostile)))
        assert not re.search("NaN|Infinity|undefined|null", page.root.inner_text())
    steps = dict.fromkeys(("loss", "learning_rate"), HOSTILE * 2) | {"step": [*range(1, 12), *HOSTILE]}
    metrics = [{"loss": value, "mean_iou": value} for value in HOSTILE]
    validations = [
        {"step": 5 * index, "epoch": value, "metrics": figures, "iou": [value]}
        for index, (value, figures) in enumerate(zip(HOSTILE, metrics, strict=True))
    ]
    validations += [{"step": 90, "epoch": 1, "metrics": {}, "iou": []}]
    for best in (0, 20, 90):
        value = {"steps": steps, "validations": validations, "best": best, "resumed": HOSTILE}
        page.show(watched(folder, document(60) | value))
        page.root.locator("[data-act=log]").click()
        for step in (0, 20, 25, 1e300):
            page.ask(f"point({step})")
            assert not re.search("NaN|Infinity|undefined|null", page.root.inner_text())
    drawn = page.root.locator("svg *").evaluate_all("nodes => nodes.map((node) => node.outerHTML).join()")
    assert "NaN" not in drawn and "Infinity" not in drawn
    page.ask("point(null)")
    page.root.locator("[data-act=log]").click()


@pytest.mark.slow
def test_nothing_is_animated_without_end(page: Page, folder: Path) -> None:
    page.show(watched(folder, document(200)))
    page.page.wait_for_function("document.getAnimations().length === 0", timeout=3000)


@pytest.mark.slow
@pytest.mark.parametrize(("locale", "language"), [("ja", "ja"), ("zh-CN", "zh")])
def test_on_a_phone_in_other_languages(
    browser: Any, served: tuple[str, dict[str, Any]], folder: Path, locale: str, language: str
) -> None:
    context = browser.new_context(locale=locale, viewport={"width": 390, "height": 800}, color_scheme="dark")
    page = Page(context, *served)
    page.show(watched(folder, document(300, resumed=[120]), "waiting", position=1))
    assert page.says(".watch-state") == TEXTS[language]["waiting_one"]
    assert page.facts()["time"] == TEXTS[language]["minutes"].format(m=2, s=30)
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # A class that is black is a line that can be seen in the dark.
    stroke = page.root.locator("path.watch-class").first.evaluate("node => getComputedStyle(node).stroke")
    assert float(re.findall(r"oklch\(([\d.]+)", stroke)[0]) > 0.6
    assert page.errors == []
    context.close()
