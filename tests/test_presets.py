"""The presets: each is a recipe that can be run, and docs/training.md tells of all of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seg_demo.classes import ClassMap
from seg_demo.models.registry import ARCHITECTURES
from seg_demo.palettes import CAMVID, CITYSCAPES, NEWTS_BINARY, NEWTS_SPECIES, SKYDIVING, VOC
from seg_demo.settings import from_document, to_document
from seg_demo.train.config import TrainConfig
from seg_demo.train.presets import PRESETS, Preset

DOCS = (Path(__file__).resolve().parent.parent / "docs" / "training.md").read_text("utf-8")
CLASSES: dict[str, ClassMap | None] = {
    "voc-deeplabv3-128": VOC,
    "voc-pspnet": VOC,
    "voc-fcn8s": VOC,
    "cityscapes-pspnet": CITYSCAPES,
    "cityscapes-fcn8s": CITYSCAPES,
    "skydiving-deeplabv3": SKYDIVING,
    "newts-binary-simple": NEWTS_BINARY,
    "newts-binary": NEWTS_BINARY,
    "newts-species": NEWTS_SPECIES,
    "camvid": CAMVID,
    "finetune": None,
}

every_preset = pytest.mark.parametrize(("name", "preset"), PRESETS.items(), ids=list(PRESETS))


def table(after: str) -> dict[str, list[str]]:
    """The cells of the first table behind a heading row that begins with `after`, by the preset's name."""
    rows = DOCS.partition(after)[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {first.strip("`"): rest for first, *rest in cells}


def length(config: TrainConfig) -> str:
    """How long a run is, in words; a preset has one bound alone."""
    bounds = {"steps": config.steps, "epochs": config.epochs, "minutes": config.minutes}
    [(unit, bound)] = [(unit, bound) for unit, bound in bounds.items() if bound]
    return f"{bound:.0f} {unit}"


def test_all_are_there() -> None:
    assert list(PRESETS) == list(CLASSES)


@every_preset
def test_network_takes_its_arguments(name: str, preset: Preset) -> None:
    model = preset.config.model
    architecture = ARCHITECTURES[model.architecture]
    backbone = architecture.check(model.architecture, model.arguments).get("backbone", "none")
    architecture.check_weights(model.architecture, backbone, model.weights or None, model.backbone_weights or None)
    assert not (model.weights and model.backbone_weights)
    assert model.weights or not model.freeze  # random weights would stay as they are


@every_preset
def test_classes_fit_the_task(name: str, preset: Preset) -> None:
    data = preset.config.data
    assert data.classes == CLASSES[name]
    assert data.task == ("auto" if data.classes is None else "binary" if len(data.classes) == 2 else "multiclass")
    assert data.classes in (NEWTS_BINARY, NEWTS_SPECIES) or not data.drawn_pictures  # only newts can be drawn


@every_preset
def test_round_trip(name: str, preset: Preset) -> None:
    document = json.loads(json.dumps(to_document(preset.config)))
    assert from_document(TrainConfig(steps=1), document) == preset.config


@every_preset
def test_says_what_it_is(name: str, preset: Preset) -> None:
    for text in (preset.about, preset.source, preset.published):
        assert text == " ".join(text.split())
        assert text.endswith(".")
    assert preset.about.count(". ") == 0
    made_here = preset.source.startswith("Made in this project")
    assert made_here or "https://" in preset.source
    assert preset.published.startswith("None") or re.search(r"\d\.\d", preset.published)


def test_recipes_are_those_of_their_origins() -> None:
    voc, cityscapes = PRESETS["voc-pspnet"].config, PRESETS["cityscapes-pspnet"].config
    assert [config.optimizer.learning_rate for config in (voc, cityscapes)] == pytest.approx(
        [5e-3, 3.5355e-3], rel=1e-4
    )
    for config in (voc, cityscapes):
        assert config.validation.window == config.data.crop
        assert (config.schedule.name, config.schedule.power, config.loss.auxiliary) == ("poly", 0.9, 0.4)
        assert (config.optimizer.bias_factor, config.optimizer.nesterov) == (2, True)
        assert (config.augmentation.flip, config.augmentation.rotation) == (0.5, 10)
    for name, pixels in (("voc-fcn8s", 187_500), ("cityscapes-fcn8s", 131_072)):
        optimizer = PRESETS[name].config.optimizer
        # A step of SGD is rate x (gradient + decay x weight); the sum's gradient is `pixels` times the mean's.
        assert optimizer.learning_rate == pytest.approx(1e-10 * pixels)
        assert optimizer.learning_rate * optimizer.weight_decay == pytest.approx(1e-10 * 5e-4)
    square = PRESETS["voc-deeplabv3-128"].config
    assert (square.data.preprocessing.resize, square.data.preprocessing.size) == ("shortest", square.data.crop)
    assert (square.augmentation.centred, square.model.head, square.model.weights) == (True, "xavier", "coco-voc")
    simple = PRESETS["newts-binary-simple"].config
    assert simple.data.preprocessing.input_size(480, 640) == (64, 64)
    assert (simple.data.preprocessing.mean, simple.data.preprocessing.std) == ((0, 0, 0), (1, 1, 1))
    assert (simple.data.split, simple.loss.name, simple.steps, simple.batch_size) == ("trainval", "bce", 500, 4)


@every_preset
def test_a_recipe_from_elsewhere_bends_neither_gradients_nor_weights(name: str, preset: Preset) -> None:
    if not preset.source.startswith("Made in this project"):
        assert (preset.config.optimizer.clip, preset.config.average, preset.config.augmentation.color) == (0, 0, 0)


def test_documentation_has_the_recipes() -> None:
    recipes = table("| preset | learns |")
    assert list(recipes) == list(PRESETS)
    for name, (learns, network, *numbers) in recipes.items():
        config = PRESETS[name].config
        model, classes = config.model, config.data.classes
        words = network.split(", ")
        assert words[0] == model.architecture
        assert model.arguments.get("backbone") in (None, *words)
        assert ("trained on COCO" in words) == (model.weights == "coco-voc")
        assert ("backbone of ImageNet" in words) == (model.backbone_weights == "imagenet")
        assert ("frozen" in words) == model.freeze
        count = "the classes" if classes is None else "one class" if len(classes) == 2 else f"{len(classes)} classes"
        assert count in learns
        assert numbers == [str(config.data.crop), str(config.batch_size), length(config)]


def test_documentation_has_the_sources() -> None:
    sources = table("| preset | from |")
    assert list(sources) == list(PRESETS)
    for name, (source, published) in sources.items():
        preset = PRESETS[name]
        for link in re.findall(r"https://[\w./-]*\w", source + published):
            assert link in preset.source + preset.published
        for link in re.findall(r"https://[\w./-]*\w", preset.source + preset.published):
            assert link in source + published
        assert source.startswith("made here") == preset.source.startswith("Made in this project")
        figures = re.findall(r"\d+\.\d+", re.sub(r"\(http\S*\)", "", published))
        assert all(figure in preset.published for figure in figures)
        assert bool(figures) == (published != "none")


def test_importing_needs_no_torch() -> None:
    code = "import sys, seg_demo.train.presets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
