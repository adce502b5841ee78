"""The laboratory in a real browser: its integers equal NumPy's, and playing with it asks the server nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
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
    "two-runs": from_counts({20: 3, 110: 1, 250: 2}, {40: 1, 60: 1, 130: 2, 240: 1}),
    "equal-runs": from_counts({0: 4, 55: 3}, {50: 1, 100: 3, 105: 0, 200: 2}),
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
    _, local_url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
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
    assert [lab.says(f".lab-table [data-value={name}]") for name in ("pixels", "share", "objects", "largest", "near")] == [
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
    thresholds = [level / 255 for level in range(256)] + np.linspace(0, 1, 401).tolist() + RNG.random(300).tolist()
    thresholds += [np.nextafter(value, end) for value in thresholds[1:255] for end in (0, 1)]
    levels = lab.page.evaluate(f"(all) => all.map((t) => {{ {LAB}.set({{threshold: t}}); return {LAB}.state().level; }})",
                               [float(value) for value in thresholds])  # fmt: skip
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
    assert [len(lengths) for lengths in runs.values()] == [2, 2] and len(set(runs["equal-runs"])) == 1


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
