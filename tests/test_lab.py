"""The laboratory in a real browser: its integers equal NumPy's, and playing with it asks the server nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from lab_driver import LAB, Laboratory
from scipy import ndimage

from seg_demo.errors import UserError
from seg_demo.evaluate.automatic import Choice
from seg_demo.evaluate.threshold import Sweep, ThresholdHistogram, histogram_of, threshold_of
from seg_demo.infer.binarisation import Binarisation, MaskStatistics
from seg_demo.infer.segmentation import threshold_level
from seg_demo.ui.lab import LabDataSet, LabValue, Subject, ThresholdLab
from seg_demo.ui.lab.component import heat_colors
from seg_demo.ui.looking import automatic_levels

EVIL = "<img src=x onerror=window.hacked=1>${window.hacked=2}{{7*7}}"
TEXTS = json.loads((Path(__file__).parents[1] / "seg_demo/ui/lab/texts.json").read_text("utf-8"))["en"]
RED = (250, 20, 20)
RNG = np.random.default_rng(11)


def labelled(height: int, width: int, ignored: float) -> tuple[np.ndarray, np.ndarray]:
    """A plane that knows something of its label map."""
    label_map = RNG.choice([0, 1, 255], (height, width), p=[0.7 - ignored, 0.3, ignored])
    plane = np.clip(RNG.normal(90 + 70 * (label_map == 1), 60, (height, width)), 0, 255)
    return plane.round().astype(np.uint8), label_map.astype(np.uint8)


def from_counts(*rows: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A plane in which as many pixels of background and class have a value as are told: {value: pixels} of each."""
    pixels = [(value, label) for label, row in enumerate(rows) for value, count in row.items() for _ in range(count)]
    plane, label_map = np.array(pixels, np.uint8).T[:, None]
    return plane.copy(), label_map.copy()


def blobs() -> tuple[np.ndarray, np.ndarray]:
    field = ndimage.gaussian_filter(RNG.standard_normal((24, 31)), 1.5)
    plane = np.round(255 / (1 + np.exp(-4 * field / field.std()))).astype(np.uint8)
    noisy = np.where(RNG.random(plane.shape) < 0.1, RNG.integers(0, 256, plane.shape), plane).astype(np.uint8)
    return noisy, np.where(RNG.random(plane.shape) < 0.1, 255, field > 0.1).astype(np.uint8)


CASES = {
    "tall": labelled(517, 33, 0.1),
    "wide": labelled(33, 517, 0.0),
    "dot": (np.array([[77]], np.uint8), np.array([[1]], np.uint8)),
    "blobs": blobs(),
    "all-zero": (np.zeros((3, 5), np.uint8), RNG.integers(0, 2, (3, 5), dtype=np.uint8)),
    "no-class": (labelled(9, 7, 0.0)[0], np.zeros((9, 7), np.uint8)),
    "all-ignored": (labelled(9, 7, 0.0)[0], np.full((9, 7), 255, np.uint8)),
    "two-runs": from_counts({20: 3, 110: 4}, {30: 1, 60: 1, 240: 2}),
    "equal-runs": from_counts({20: 3, 110: 4}, {50: 1, 60: 1, 140: 2}),
    "upside-down": from_counts({200: 5, 255: 4}, {0: 5, 30: 2, 220: 1}),
    "halves": from_counts({0: 3, 255: 1}, {0: 1, 255: 3}),
}
# Blocks of 8 x 8 pixels, as a JPEG has them: each has one grey value, one probability that equals it, and one label.
BLOCKS = np.kron(RNG.permutation(5 * np.arange(48) + 2).reshape(6, 8), np.ones((8, 8), int)).astype(np.uint8)
BLOCK_LABELS = np.kron(np.arange(48).reshape(6, 8) % 4, np.ones((8, 8), int))
BLOCK_LABELS = np.array([0, 1, 255, 1], np.uint8)[BLOCK_LABELS]
LARGE = np.kron(np.array([[10, 240, 118], [134, 90, 200]], np.uint8), np.ones((700, 700), np.uint8))


def subject(name: str, plane: np.ndarray, label_map: np.ndarray | None = None, **more: Any) -> Subject:
    """The photo is grey; of a class of its own, so that it does not take over the threshold of the one before."""
    given: dict[str, Any] = {"model": "model", "class_name": name, "image": np.full((*plane.shape, 3), 128, np.uint8)}
    given |= {"color": RED, "automatic": automatic_levels(plane)} | more
    return Subject(name, plane=plane, label_map=label_map, **given)


def grey(plane: np.ndarray) -> np.ndarray:
    return np.repeat(plane[..., None], 3, axis=2)


def histogram(plane: np.ndarray, label_map: np.ndarray) -> ThresholdHistogram:
    found = ThresholdHistogram()
    found.update(label_map, plane)
    return found


def sweep(name: str) -> Sweep:
    return histogram(*CASES[name]).sweep()


LINK = {"model": "mine & yours", "class": EVIL, "example": "a b.jpg"}
STATE: dict[str, float | None] = {"threshold": 0.7, "low": 0.25, "smallest_object": 3, "smallest_hole": 4}
SUBJECTS: dict[str, Subject] = {name: subject(name, *case) for name, case in CASES.items()} | {
    "blocks": subject("blocks", BLOCKS, BLOCK_LABELS, image=grey(BLOCKS)),
    "large": subject("large", LARGE, image=grey(LARGE)),
    "plain": subject("plain", CASES["tall"][0], threshold=0.3),
    "newt": subject("newt", CASES["blobs"][0], class_name="newt", threshold=0.3),
    "newt-too": subject("newt-too", CASES["dot"][0], class_name="newt", threshold=0.3),
    "newt-again": subject("newt-again", CASES["dot"][0], class_name="newt", image=np.zeros((1, 1, 3), np.uint8)),
    "toad": subject("toad", CASES["dot"][0], threshold=0.8),
    "evil": subject(EVIL, *CASES["dot"], model=EVIL, class_name=EVIL, link=LINK),
    "linked": subject("linked", CASES["blobs"][0], link=LINK, state=STATE),
    "linked-more": subject("linked", CASES["blobs"][0], link=LINK, state={"threshold": 0.2}),
}
DATA = {"data": ("blobs", "tall"), "data-alone": ("plain", "two-runs"), "data-none": ("plain", "no-class")}
"""Value: the picture, and the case whose counts stand for a data set of its class."""


def data_set(picture: str, case: str) -> LabDataSet:
    counts = histogram(*CASES[case]).counts.tolist()
    return LabDataSet(name=EVIL, split="val", pictures=1234, model="model", class_name=picture, counts=counts)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A page with one button per value."""
    import gradio as gr

    def value(name: str) -> LabValue | None:
        if name == "nothing":
            return None
        picture, case = DATA.get(name, (name, None))
        return LabValue(picture=lab.send(SUBJECTS[picture]), data_set=data_set(picture, case) if case else None)

    with gr.Blocks(analytics_enabled=False) as demo:
        lab = ThresholdLab(elem_id="lab")
        sent = gr.Number(0, elem_id="sent")
        with gr.Row():
            for name in [*SUBJECTS, *DATA, "nothing"]:
                button = gr.Button(name, size="sm", min_width=60, elem_id=name)
                button.click(lambda count, name=name: (value(name), count + 1), sent, [lab, sent])
    # Gradio would write down every run so far at each click, and the page would become slower and slower.
    _, local_url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", run_history=False)
    yield local_url
    demo.close()


@pytest.fixture(scope="module")
def page(browser: Any, url: str) -> Iterator[Laboratory]:
    opened = Laboratory(browser.new_context(), url)
    yield opened
    opened.page.close()


@pytest.fixture
def lab(page: Laboratory) -> Iterator[Laboratory]:
    """The module's page, as it is at the start but for the picture."""
    page.errors.clear()
    yield page
    assert page.errors == []
    page.reset()


@pytest.fixture(scope="module", params=CASES)
def case(page: Laboratory, request: pytest.FixtureRequest) -> str:
    """The name of one of `CASES`, which is shown; pytest runs the tests of each one after another."""
    page.show(request.param)
    return request.param


# Numbers ----------------------------------------------------------------------------------------------------


def test_figures_of_all_levels_equal_numpy(case: str, lab: Laboratory) -> None:
    plane, label_map = CASES[case]
    found = lab.at_levels("figures", "pixels", "tp", "fp", "fn", "tn")
    for level in range(256):
        mask = plane >= level
        positive, negative = label_map == 1, label_map == 0
        counted = [mask, mask & positive, mask & negative, ~mask & positive, ~mask & negative]
        assert found[level].tolist() == [np.count_nonzero(pixels) for pixels in counted], level
    names = ("precision", "recall", "f1", "iou")
    wanted = np.stack([getattr(sweep(case), figure) for figure in names], axis=1)  # (256, 4)
    np.testing.assert_array_equal(lab.at_levels("figures", *names), wanted)


def test_summaries_of_the_curves_equal_python(case: str, lab: Laboratory) -> None:
    found = [lab.says(f".lab-curves [data-value={value}]") for value in ("average_precision", "calibration_error")]
    wanted = [sweep(case).average_precision(), histogram(*CASES[case]).calibration().error]
    assert found == ["–" if np.isnan(value) else f"{value:.4f}" for value in wanted]
    assert lab.says(".lab-of") == f"Curves of {case}, with the filters that are on"


def test_a_data_set_has_the_figures_of_its_counts(lab: Laboratory) -> None:
    lab.show("data")
    of_data = sweep("tall")
    found = lab.at_levels("dataFigures", "tp", "fp", "f1", "iou")
    wanted = [of_data.true_positives, of_data.false_positives, of_data.f1, of_data.iou]
    np.testing.assert_array_equal(found, np.stack(wanted, axis=1))
    assert lab.says(".lab-of") == f"Curves of {EVIL}: 1,234 pictures of the split “val”, without filters"


def test_the_tables_say_the_figures_of_the_present_level(lab: Laboratory) -> None:
    lab.show("tall")
    lab.set(threshold=0.4)
    plane, level = CASES["tall"][0], threshold_level(0.4)
    mask = MaskStatistics.of(plane >= level)
    near = np.count_nonzero(np.abs(plane - (level - 0.5)) <= 25.5)
    cells = [f".lab-table [data-value={name}]" for name in ("pixels", "share", "objects", "largest", "near")]
    assert [lab.says(cell) for cell in cells] == [
        f"{mask.pixels:,}", f"{100 * mask.share:.1f} %", f"{mask.objects:,}",
        f"{mask.largest:,} px, {100 * mask.largest / plane.size:.1f} %", f"{100 * near / plane.size:.1f} %",
    ]  # fmt: skip
    figures = sweep("tall").figures(level)
    for name in ("precision", "recall", "f1", "iou"):
        assert lab.says(f".lab-table [data-value={name}]") == f"{figures[name]:.4f}"
    lab.show("all-ignored")
    assert [lab.says(f".lab-table [data-value={name}]") for name in ("precision", "f1", "tp")] == ["–", "–", "0"]
    lab.show("plain")
    assert not lab.root.locator(".lab-figures").is_visible()


def test_thresholds_and_levels_are_those_of_python(lab: Laboratory) -> None:
    lab.show("plain")
    rng = np.random.default_rng(5)
    thresholds = [level / 255 for level in range(256)] + np.linspace(0, 1, 401).tolist() + rng.random(300).tolist()
    thresholds += [float(np.nextafter(value, end)) for value in thresholds[1:255] for end in (0, 1)]
    taken = f"(all) => all.map((threshold) => {{ {LAB}.set({{ threshold }}); return {LAB}.state().level; }})"
    levels = lab.page.evaluate(taken, thresholds)
    assert levels == [threshold_level(value) for value in thresholds]
    # The slider has a threshold for each level.
    slide = """(slider) => Array.from({ length: 256 }, (_, level) => {
        slider.value = level;
        slider.dispatchEvent(new Event("input"));
        return document.querySelector("#lab .seg-lab").segLab.state().threshold;
    })"""
    assert lab.root.locator(".lab-slider").evaluate(slide) == [threshold_of(level) for level in range(256)]


FILTERS = [(None, 5, 0), (None, 0, 9), (None, 12, 12), (0, 0, 0), (90, 0, 0), (60, 6, 8)]
"""Level of the lower threshold, smallest object, smallest hole."""


def test_filtered_masks_equal_python(lab: Laboratory) -> None:
    lab.show("blobs")
    plane, label_map = CASES["blobs"]
    plain = histogram_of(plane)[::-1].cumsum()[::-1]
    for filters in FILTERS:
        low, smallest_object, smallest_hole = filters
        lower = None if low is None else threshold_of(low)
        lab.set(threshold=1, low=lower, smallestObject=smallest_object, smallestHole=smallest_hole)
        found = lab.at_levels("figures", "pixels", "objects", "largest", "tp", "fp")
        for level in range(low or 0, 256):
            mask = Binarisation(threshold_of(level), lower, smallest_object, smallest_hole).mask(plane)
            statistics = MaskStatistics.of(mask)
            right, wrong = (np.count_nonzero(mask & (label_map == label)) for label in (1, 0))
            wanted = [statistics.pixels, statistics.objects, statistics.largest, right, wrong]
            assert found[level].tolist() == wanted, (filters, level)
        assert np.count_nonzero(found[:, 0] != plain) > 50  # otherwise nothing was shown


# Choices ----------------------------------------------------------------------------------------------------

ASKED: list[tuple[str, float | None]] = [
    *((name, None) for name in ("half", "otsu", "li", "triangle", "best_f1", "best_iou")),
    *(("keep", value) for value in (0, 1, 10, 25, 37.5, 50, 62.5, 75, 99.9, 100)),
    *(("precision", value) for value in (0, 0.25, 0.3, 0.5, 0.6, 0.9, 1)),
    *(("recall", value) for value in (0, 0.25, 0.5, 0.95, 1)),
]


def wanted_choice(name: str, value: float | None, values: np.ndarray, of: Sweep) -> dict[str, Any]:
    """What the browser should find, as Python's core has it."""
    try:
        return {"level": Choice(name.replace("_", "-"), value).level(values, of)}
    except UserError as error:
        if error.template.startswith("No threshold has a precision"):
            return {"problem": TEXTS["choice_unreached"].replace("{most}", f"{error.fields['best']:.4f}")}
        unlabelled = error.template.startswith("No pixel is labelled")
        return {"problem": TEXTS["choice_no_class" if unlabelled else "choice_flat"]}


def check_choices(lab: Laboratory, picture: str, labels: str) -> None:
    found = lab.page.evaluate(f"(asked) => asked.map(([name, value]) => {LAB}.choose(name, value))", ASKED)
    values = histogram_of(SUBJECTS[picture].plane)
    for (choice, value), answer in zip(ASKED, found, strict=True):
        answer.pop("threshold", None)
        assert answer == wanted_choice(choice, value, values, sweep(labels)), (choice, value)


def test_choices_find_the_levels_of_python(case: str, lab: Laboratory) -> None:
    check_choices(lab, case, case)


@pytest.mark.parametrize("name", DATA)
def test_choices_go_by_a_data_set(name: str, lab: Laboratory) -> None:
    lab.show(name)
    check_choices(lab, *DATA[name])
    if name == "data":  # the picture is labelled as well
        lab.act("of-picture")
        check_choices(lab, "blobs", "blobs")


def test_the_cases_of_choices_hold_what_they_are_for() -> None:
    """Guards the test above: every problem comes up, and so do ties."""
    problems = set()
    for name, (plane, _) in CASES.items():
        for choice, value in ASKED:
            problems.add(wanted_choice(choice, value, histogram_of(plane), sweep(name)).get("problem", "")[:20])
    assert len(problems) == 4  # "" is none
    runs = {}
    for name in ("two-runs", "equal-runs"):
        best = np.flatnonzero(sweep(name).f1 == np.nanmax(sweep(name).f1))
        runs[name] = [len(run) for run in np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)]
    assert runs == {"two-runs": [10, 130], "equal-runs": [30, 30]}


def test_a_choice_is_one_click(lab: Laboratory) -> None:
    lab.show("tall")
    lab.root.locator("[data-choice=best_f1]").click()
    lab.ready()
    level = sweep("tall").best_level()
    assert level is not None and lab.state("threshold", "level") == (threshold_of(level), level)
    assert lab.says(".lab-why") == f"Best F1: {threshold_of(level):g}. {TEXTS['choice_best_f1_about']}"
    assert lab.root.locator("[data-choice=best_f1]").get_attribute("aria-pressed") == "true"
    lab.key("]")
    assert lab.root.locator("[data-choice=best_f1]").get_attribute("aria-pressed") == "false"
    assert lab.says(".lab-why") == ""
    keep = lab.root.locator("[data-choice-value=keep]")
    keep.fill("250")
    keep.press("Enter")
    lab.ready()
    assert keep.input_value() == "100" and lab.state("level") == 0
    lab.show("no-class")
    lab.root.locator("[data-choice=recall]").click()
    assert lab.says(".lab-problem") == TEXTS["choice_no_class"] and lab.state("threshold") == 0.5


# Playing ----------------------------------------------------------------------------------------------------


def test_playing_asks_the_server_nothing(lab: Laboratory) -> None:
    lab.show("linked")
    lab.requests.clear()
    lab.set(threshold=0.5, low=None)
    lab.drag(".lab-slider", 0.5, 0.6, 0.7)
    assert lab.state("level") == pytest.approx(0.7 * 255, abs=4)
    lab.drag(".lab-plot", 0.7, 0.4, 0.25)
    assert lab.state("level") == 64
    lab.key("Control+z")
    assert lab.state("level") == pytest.approx(0.7 * 255, abs=4)  # one step for the whole drag
    lab.act("hysteresis")
    low, high = lab.state("low", "threshold")
    lab.drag(".lab-plot", low + 0.01, 0.1)
    assert lab.state("low", "threshold") == (threshold_of(26), high)
    for choice in ("keep", "half", "otsu"):
        lab.root.locator(f"[data-choice={choice}]").click()
    before = lab.ask("figures().pixels")
    lab.drag("[data-size=smallestObject]", 0.1, 0.6, 0.8)
    assert lab.state("smallest_object") > 20 and lab.ask("figures().pixels") < before
    lab.drag("[data-size=smallestHole]", 0.05, 0.7)
    lab.act("blend", "uncertainty", "grid", "probability", "log", "zoom-in", "zoom-in", "help", "help", "undo", "redo")
    lab.drag("[data-pane=mask] .lab-stage", 0.5, 0.3)
    lab.key("Shift+ArrowLeft", "u", "v", "v", "u")
    lab.panes()
    assert lab.requests == []


def test_undo_and_redo(lab: Laboratory) -> None:
    lab.show("toad")
    undo, redo = lab.root.locator("[data-act=undo]"), lab.root.locator("[data-act=redo]")
    assert undo.is_disabled() and redo.is_disabled()
    for threshold in (0.1, 0.2, 0.3):
        lab.set(threshold=threshold)
    lab.set(smallestHole=7)
    lab.key("Control+z", "Control+z")
    assert lab.state("threshold", "smallest_hole") == (0.2, 0) and lab.number("threshold") == "0.2"
    lab.key("Control+y")
    assert lab.state("threshold", "smallest_hole") == (0.3, 0)
    lab.key("Control+Shift+Z")
    assert lab.state("smallest_hole") == 7 and redo.is_disabled()
    lab.act("undo", "undo", "undo", "undo")
    assert lab.state("threshold") == 0.8 and undo.is_disabled()
    lab.key("Control+z")
    assert lab.state("threshold") == 0.8
    lab.act("redo")
    lab.set(threshold=0.9)  # from here nothing leads to 0.2 any more
    assert redo.is_disabled()
    lab.act("undo")
    assert lab.state("threshold") == 0.1
    lab.show("dot")
    assert undo.is_disabled() and redo.is_disabled()  # of another picture there is nothing to undo


def test_keys_step_through_the_levels(lab: Laboratory) -> None:
    lab.show("plain")
    lab.set(threshold=0.5)
    for keys, level in (("]", 129), ("[", 128), ("}", 138), ("{", 128), (".", 129), (",", 128)):
        lab.key(keys)
        assert lab.state("level", "threshold") == (level, threshold_of(level))
    lab.key("ArrowRight", "ArrowRight", "ArrowLeft", on=".lab-slider")
    assert lab.state("level") == 129
    lab.key("End", on=".lab-slider")
    lab.key("}")
    assert lab.state("level") == 255
    lab.set(threshold=0)
    lab.key("[", "{")
    assert lab.state("level", "threshold") == (0, 0)
    lab.key("h")
    assert lab.state("low") == 0
    lab.key("h", "?")
    assert lab.state("low") is None and lab.root.locator(".lab-help").is_visible()
    lab.key("Escape")
    assert not lab.root.locator(".lab-help").is_visible()
    # Who types a number means its digits, and not what the keys do elsewhere.
    lab.key("0", "h", "[", "Control+z", on="[data-number=smallestHole]")
    assert lab.state("threshold", "low") == (0, None)


def test_a_number_is_taken_exactly_or_refused(lab: Laboratory) -> None:
    lab.show("plain")
    for words, threshold in (("0.123456", 0.123456), ("0", 0), ("1", 1), (".7", 0.7), ("1e-3", 0.001)):
        lab.enter("threshold", words)
        assert lab.state("threshold", "level") == (threshold, threshold_level(threshold))
    lab.enter("threshold", "0.123456")
    assert lab.number("threshold") == "0.1235"
    for words, told in (("1.5", "1.5"), ("-0.1", "-0.1"), ("abc", "–"), ("e", "–"), ("", "–")):
        lab.enter("threshold", words)
        assert lab.says(".lab-problem") == TEXTS["number_probability"].replace("{value}", told)
        assert (lab.state("threshold"), lab.number("threshold")) == (0.123456, "0.1235")
    lab.enter("threshold", "0.5")
    assert lab.says(".lab-why") == ""
    lab.enter("smallestObject", "12")
    lab.enter("smallestObject", "-3")
    assert lab.says(".lab-problem") == TEXTS["number_size"].replace("{value}", "-3")
    assert (lab.state("smallest_object"), lab.number("smallestObject")) == (12, "12")


def test_the_lower_threshold_stays_below(lab: Laboratory) -> None:
    lab.show("plain")
    low = lab.root.locator(".lab-low")
    assert not low.is_visible()
    lab.set(threshold=0.6)
    lab.act("hysteresis")
    assert low.is_visible() and lab.state("low") == threshold_of(77) and lab.number("low") == f"{threshold_of(77):g}"
    lab.enter("low", "0.9")
    assert lab.state("low", "threshold") == (0.6, 0.6)
    lab.enter("low", "0.4")
    lab.drag(".lab-slider", 0.6, 0.1)
    assert lab.state("low", "threshold") == (0.4, 0.4)
    lab.enter("threshold", "0.2")
    assert lab.state("low", "threshold") == (0.4, 0.4) and lab.number("threshold") == "0.4"
    lab.act("hysteresis")
    assert lab.state("low") is None and not low.is_visible()


# What is painted --------------------------------------------------------------------------------------------

VIRIDIS = np.frombuffer(base64.b64decode(heat_colors()), np.uint8).reshape(256, 3).astype(int)
NIGHT, AMBER = np.array([22, 26, 34]), np.array([255, 176, 0])
RIGHT, WRONG, MISSED = (255, 255, 255), (213, 94, 0), (86, 180, 233)


def heat(values: np.ndarray, level: int, uncertainty: bool) -> np.ndarray:
    """(N, 3) float: the colours of the probabilities (N,), or how near they are to the threshold."""
    if not uncertainty:
        return VIRIDIS[values]
    near = np.maximum(0, 1 - np.abs(values + 0.5 - level) / 51)[:, None] ** 2
    return NIGHT + (AMBER - NIGHT) * near


def over(below: np.ndarray, color: np.ndarray, shown: np.ndarray, opacity: float) -> np.ndarray:
    """(N, 3) float: a colour over what lies below, where it is shown."""
    return np.where(shown[:, None], (1 - opacity) * below + opacity * color, below)


def verdicts(labels: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours (N, 3) of true and false, and where there are any (N,)."""
    color = np.where((labels == 1)[:, None], np.where(inside[:, None], RIGHT, MISSED), WRONG)
    return color, (labels == 1) | ((labels == 0) & inside)


def seen(panes: dict[str, np.ndarray], points: np.ndarray) -> dict[str, np.ndarray]:
    """The colours (N, 3) at places (N, 2), y and x from 0 to 1, of each pane."""
    found = {}
    for name, pane in panes.items():
        y, x = (points * pane.shape[:2]).astype(int).T
        found[name] = pane[y, x]
    return found


def centres(rows: int, columns: int) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns]
    return np.stack([(y.ravel() + 0.5) / rows, (x.ravel() + 0.5) / columns], axis=1)


@pytest.mark.parametrize(("threshold", "uncertainty"), [(0.0, False), (0.31, True), (0.8, False), (0.8, True)])
def test_every_pane_has_the_colours_of_its_values(threshold: float, uncertainty: bool, lab: Laboratory) -> None:
    check_colours(threshold, uncertainty, lab)


def test_colours_on_a_fine_screen(browser: Any, url: str) -> None:
    context = browser.new_context(device_scale_factor=2)
    lab = Laboratory(context, url)
    check_colours(0.31, False, lab)
    assert lab.panes()["overlay"].shape[1] > 1000  # two pixels of the screen for one of the page
    context.close()
    assert lab.errors == []


def check_colours(threshold: float, uncertainty: bool, lab: Laboratory) -> None:
    lab.show("blocks")
    lab.set(threshold=threshold)
    lab.act("uncertainty" if uncertainty else "probability")
    level = threshold_level(threshold)
    values, labels = (plane[4::8, 4::8].ravel() for plane in (BLOCKS, BLOCK_LABELS))
    photo, inside = np.repeat(values[:, None], 3, axis=1).astype(int), values >= level
    painted = seen(lab.panes(), centres(6, 8))
    check_near(painted["picture"], photo)
    check_near(painted["probability"], heat(values, level, uncertainty))
    check_near(painted["mask"], np.repeat(255 * inside[:, None], 3, axis=1))
    check_near(painted["overlay"], over(photo, *verdicts(labels, inside), 0.6))
    lab.act("plain")
    check_near(seen(lab.panes(), centres(6, 8))["overlay"], over(photo, np.array(RED), inside, 0.6))
    lab.act("blend")
    lab.root.locator("[data-opacity=heat]").fill("40")
    painted = seen(lab.panes(), centres(6, 8))
    assert list(painted) == ["overlay"]
    below = over(photo, heat(values, level, uncertainty), np.ones_like(inside), 0.4)
    check_near(painted["overlay"], over(below, np.array(RED), inside, 0.6))


def check_near(found: np.ndarray, wanted: np.ndarray) -> None:
    assert np.abs(found - wanted).max() <= 4, np.abs(found - wanted).max(axis=1)


def test_a_large_picture_at_fit(lab: Laboratory) -> None:
    """Several image pixels lie under one of the screen: what is painted is their mean."""
    lab.show("large")
    lab.set(threshold=0.5)
    values = LARGE[::700, ::700].ravel()
    for uncertainty in ("probability", "uncertainty"):
        lab.act(uncertainty)
        painted = seen(lab.panes(), centres(2, 3))
        check_near(painted["probability"], heat(values, 128, uncertainty == "uncertainty"))
        check_near(painted["mask"], np.repeat(255 * (values >= 128)[:, None], 3, axis=1))
    assert lab.panes()["probability"].shape[1] < 0.5 * LARGE.shape[1]


def test_all_panes_show_the_same_part(lab: Laboratory) -> None:
    lab.show("blocks")
    lab.set(threshold=0.45)
    parts = [shown_values(lab)]
    box = lab.root.locator("[data-pane=mask] .lab-stage").bounding_box()
    lab.page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.3 * box["height"])
    lab.page.mouse.wheel(0, -240)
    lab.page.mouse.wheel(0, -240)
    parts.append(shown_values(lab))
    lab.drag("[data-pane=overlay] .lab-stage", 0.3, 0.6)
    parts.append(shown_values(lab))
    lab.key("Shift+ArrowDown")
    lab.act("uncertainty")
    parts.append(shown_values(lab, uncertainty=True))
    lab.act("probability")
    lab.act("fit")
    parts.append(shown_values(lab))
    assert parts[0] == parts[-1] and parts[0] > parts[1]  # all blocks at fit, a part of them when zoomed
    assert len({frozenset(part) for part in parts}) == 4
    lab.root.locator("[data-pane=probability] .lab-stage").dblclick(position={"x": 30, "y": 30})
    assert len(shown_values(lab)) < len(parts[0])


def shown_values(lab: Laboratory, uncertainty: bool = False) -> set[int]:
    """The values of the blocks that are in sight, after it is made sure that all panes show the same ones."""
    panes = lab.panes()
    points = centres(23, 29)
    painted = seen(panes, points)
    around = [seen(panes, points + offset)["picture"] for offset in np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) / 60]
    flat = (np.ptp([painted["picture"], *around], axis=0) <= 2).all(axis=1)  # not at the edge of a block
    values = (np.round((painted["picture"][:, 0] - 2) / 5) * 5 + 2).astype(int)[flat]
    assert flat.mean() > 0.4
    level = lab.state("level")
    check_near(painted["probability"][flat], heat(values, level, uncertainty))
    inside = values >= level
    check_near(painted["mask"][flat], np.repeat(255 * inside[:, None], 3, axis=1))
    return set(values.tolist())


def test_the_pointer_reads_what_is_there(lab: Laboratory) -> None:
    lab.show("blocks")
    lab.set(threshold=0.45)
    readout, level = lab.root.locator(".lab-readout"), threshold_level(0.45)
    box = lab.root.locator("[data-pane=overlay] .lab-stage").bounding_box()
    for row, column in ((0, 1), (3, 4), (5, 7)):
        y, x = 8 * row + 4, 8 * column + 4
        lab.page.mouse.move(box["x"] + (x + 0.5) / 64 * box["width"], box["y"] + (y + 0.5) / 48 * box["height"])
        lab.ready()
        value, label = int(BLOCKS[y, x]), int(BLOCK_LABELS[y, x])
        words = [f"x {x}, y {y}", f"p = {value / 255:.3f} ({value})"]
        words.append(TEXTS["in_mask" if value >= level else "not_in_mask"])
        words += [TEXTS["labelled_class" if label else "labelled_background"]] if label < 2 else []
        assert readout.text_content() == " · ".join(words)
        assert lab.root.locator(".lab-cross:not([hidden])").count() == 4
    lab.page.mouse.move(2, 2)
    lab.ready()
    assert readout.text_content() == TEXTS["readout_hint"]


# Values that come -------------------------------------------------------------------------------------------


def test_names_are_text(lab: Laboratory) -> None:
    lab.show("evil")
    assert lab.says(".lab-name") == EVIL and lab.says(".lab-of").startswith(f"Curves of {EVIL}, ")
    assert lab.says(".lab-caption") == f"1 × 1 · {EVIL} · {EVIL} · checkpoint: 0.5"
    assert lab.page.evaluate("window.hacked") is None
    assert lab.root.locator(":is(.lab-side, .lab-curves) img").count() == 0


def test_another_picture_of_the_class_keeps_the_threshold(lab: Laboratory) -> None:
    lab.show("toad")
    lab.show("newt")
    assert lab.state("threshold") == 0.3
    lab.set(threshold=0.45, low=0.2, smallestHole=7)
    lab.show("newt-too")
    assert lab.says(".lab-name") == "newt-too"
    assert lab.state("threshold", "low", "smallest_hole") == (0.45, 0.2, 7)
    lab.show("toad")
    assert lab.state("threshold", "low") == (0.8, None)
    lab.show("newt")
    assert lab.state("threshold", "low") == (0.3, None)


def test_a_photo_with_the_same_probabilities_is_another_picture(lab: Laboratory) -> None:
    lab.show("newt-too")
    check_near(lab.panes()["picture"][50:60, 50:60], np.full(3, 128))
    lab.show("newt-again")
    check_near(lab.panes()["picture"][50:60, 50:60], np.zeros(3))


def test_the_same_picture_again_keeps_the_state(lab: Laboratory) -> None:
    lab.show("plain")
    lab.set(threshold=0.77, smallestObject=5)
    lab.act("zoom-in")
    zoomed = lab.says(".lab-percent")
    for name in ("plain", "data-alone", "plain"):  # also with a data set, and without it again
        lab.show(name)
        assert lab.state("threshold", "smallest_object") == (0.77, 5) and lab.says(".lab-percent") == zoomed
        measured = lab.root.locator("[data-choice=best_f1]").is_visible()
        assert measured == (name == "data-alone") == lab.root.locator(".lab-curves").is_visible()
    lab.act("undo")
    assert lab.state("threshold") == 0.3


def address(lab: Laboratory) -> dict[str, str]:
    """What the page's address says, after the pause that its changes keep."""
    lab.page.wait_for_function(f"location.href === {LAB}.link()")
    return {name: value for name, (value,) in parse_qs(urlsplit(lab.page.url).query).items()}


def test_the_address_leads_back_to_the_state(lab: Laboratory) -> None:
    lab.show("linked")
    names = ("threshold", "low", "smallest_object", "smallest_hole")
    assert lab.state(*names) == tuple(STATE.values())
    assert address(lab) == LINK | {"tab": "threshold", "t": "0.7", "low": "0.25", "object": "3", "hole": "4"}
    lab.set(threshold=1 / 3, low=0, smallestObject=0, smallestHole=0)
    told = address(lab)
    assert told == LINK | {"tab": "threshold", "t": str(1 / 3), "low": "0"}  # with 0 all is one object, unlike without
    lab.set(low=None)
    lab.key("Control+z")
    assert address(lab) == told
    lab.show("linked")  # the same value again
    assert lab.state("threshold", "low") == (1 / 3, 0)
    lab.show("linked-more")  # another link to the same picture
    assert lab.state(*names) == (0.2, None, 0, 0)
    assert address(lab) == LINK | {"tab": "threshold", "t": "0.2"}
    lab.show("plain")  # nothing leads to this one
    assert parse_qs(urlsplit(lab.page.url).query)["t"] == ["0.2"]


def test_the_address_changes_a_few_times_a_second(lab: Laboratory) -> None:
    """Browsers refuse, or throw, at a hundred changes in some seconds, as a key that is held down would make them."""
    lab.show("evil")
    address(lab)
    changes = lab.page.evaluate(f"""() => {{
        const from = history.length, original = history.replaceState;
        let changes = 0;
        history.replaceState = function (...given) {{ changes += 1; return original.apply(this, given); }};
        for (let step = 1; step <= 150; step++) {LAB}.set({{ threshold: step / 200 }});
        delete history.replaceState;
        return [changes, history.length - from];
    }}""")
    assert changes[0] <= 1 and changes[1] == 0
    assert address(lab)["t"] == "0.75"


def test_a_failed_load_is_one_sentence_and_the_picture_stays(lab: Laboratory) -> None:
    lab.show("plain")
    lab.set(threshold=0.4)
    lab.page.route("**/planes.bin", lambda route: route.fulfill(status=404))
    try:
        check_failed_load(lab)
    finally:
        lab.page.unroute("**/planes.bin")
    lab.send("evil")  # the value that the page has already
    lab.page.wait_for_function(f"name => {LAB}.shown().name === name", arg=EVIL)
    lab.ready()
    assert not lab.root.locator(".lab-error").is_visible()


def check_failed_load(lab: Laboratory) -> None:
    before = lab.ask("figures()")
    lab.send("evil")
    error = lab.root.locator(".lab-error")
    error.wait_for()
    assert error.text_content() == f"“{EVIL}” could not be loaded (HTTP 404); choose the picture again to retry."
    assert lab.ask("figures()") == before and lab.says(".lab-name") == "plain"
    lab.key("]")
    assert lab.state("level") == threshold_level(0.4) + 1  # and it can be worked on


def test_nothing_is_shown_and_then_something_again(lab: Laboratory) -> None:
    lab.show("blobs")
    lab.set(smallestObject=9)
    lab.send("nothing")
    lab.page.wait_for_function(f"!{LAB}.shown()")
    assert lab.says(".lab-empty strong") == TEXTS["empty_title"]
    assert lab.root.get_attribute("data-state") == "empty"
    lab.show("blobs")
    assert lab.ask("figures().pixels") == np.count_nonzero(Binarisation(0.5, None, 9).mask(CASES["blobs"][0]))


def test_planes_of_past_filters_are_let_go(lab: Laboratory) -> None:
    lab.show("blobs")
    for size in range(2, 14):
        lab.set(smallestObject=size)
    # The map of sampled planes is found on the heap; nothing of the page leads to it.
    session = lab.page.context.new_cdp_session(lab.page)
    prototype = session.send("Runtime.evaluate", {"expression": "Map.prototype"})["result"]["objectId"]
    maps = session.send("Runtime.queryObjects", {"prototypeObjectId": prototype})["objects"]["objectId"]
    sizes = """function () {
        return this.filter((map) => [...map.keys()].some((key) => key instanceof Uint8Array)).map((map) => map.size);
    }"""
    asked = {"objectId": maps, "functionDeclaration": sizes, "returnByValue": True}
    (kept,) = session.send("Runtime.callFunctionOn", asked)["result"]["value"]
    assert 2 <= kept <= 3  # the probabilities, the filtered ones, and these with labels
