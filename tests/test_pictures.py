"""What a run begins with: its pictures, its configuration filled up, and the model before the first step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models import get_model
from training import QUICK, THREE, pictures, run, squares, with_

from seg_demo.checkpoint import CheckpointConfig, save_checkpoint
from seg_demo.classes import ClassMap
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.errors import UserError
from seg_demo.models import build_model
from seg_demo.models.model import SegmentationModel
from seg_demo.palettes import NEWTS_BINARY, NEWTS_SPECIES, VOC
from seg_demo.train.balance import median_frequency
from seg_demo.train.config import DataSettings, ModelSettings, TrainConfig
from seg_demo.train.pictures import open_pictures
from seg_demo.train.start import complete, starting_model
from seg_demo.viz.comparison import comparison

MOBILE = {"backbone": "mobilenet_v3_large"}


def of(**data: Any) -> TrainConfig:
    return TrainConfig(data=DataSettings(**data), steps=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled pictures of three classes: four to learn from, two to validate on, one to test on."""
    root = tmp_path_factory.mktemp("pictures") / "cats"
    for split, count in (("train", 4), ("val", 2), ("test", 1)):
        for kind in ("images", "masks"):
            (root / kind / split).mkdir(parents=True)
        for sample in squares(count, (1, 2)):
            Image.fromarray(sample.image).save(root / "images" / split / f"{split}_{sample.name}.png")
            Image.fromarray(sample.label_map).save(root / "masks" / split / f"{split}_{sample.name}.png")
    (root / "classes.txt").write_text("background\ncat\ndog\n")
    return root


@pytest.mark.parametrize(
    ("split", "validation_split", "counts"),
    [
        ("train", "val", (4, 2)),
        ("train", "test", (4, 1)),
        ("train", "", (4, 0)),
        ("trainval", "val", (6, 0)),
        ("trainval", "test", (6, 1)),
        ("val", "test", (2, 1)),
        ("test", "val", (1, 2)),
    ],
)
def test_splits(split: Any, validation_split: Any, counts: tuple[int, int], folder: Path) -> None:
    found = open_pictures(of(source=str(folder), split=split, validation_split=validation_split))
    assert (len(found.real), len(found.validation)) == counts
    assert not {sample.name for sample in found.real} & {sample.name for sample in found.validation}
    assert (found.classes.names, found.task, found.name) == (THREE.names, "multiclass", "cats")


def test_a_fingerprint_is_of_what_is_learned_from(folder: Path) -> None:
    source = str(folder)
    one, same, other, more = (
        open_pictures(config).fingerprint
        for config in (
            of(source=source),
            of(source=source, validation_split=""),
            of(source=source, split="trainval"),
            of(source="procedural:2", drawn_pictures=3, drawn_share=0.5),
        )
    )
    assert one == same
    assert len({one, other, more}) == 3


@pytest.mark.parametrize(
    ("data", "task", "classes", "values"),
    [
        ({}, "multiclass", THREE, {0, 1, 2}),
        ({"task": "binary", "classes": ClassMap.of("background", "animal")}, "binary", None, {0, 1}),
        ({"classes": ClassMap.of("background", "animal")}, "binary", None, {0, 1}),
    ],
)
def test_classes(data: Any, task: str, classes: ClassMap | None, values: set[int], folder: Path) -> None:
    found = open_pictures(of(source=str(folder), **data))
    assert found.task == task
    assert found.classes.names == (classes or data["classes"]).names
    for part in (found.real, found.validation):
        assert {value for sample in part for value in np.unique(sample.label_map).tolist()} == values


def test_two_classes_may_be_many(folder: Path) -> None:
    assert open_pictures(of(source="procedural:4")).task == "multiclass"
    two = of(drawn_pictures=2, drawn_share=1)
    assert open_pictures(two).task == "binary"
    assert open_pictures(replace(two, data=replace(two.data, task="multiclass"))).task == "multiclass"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"task": "binary"},
            "The task binary has 2 classes, but the pictures have 3. Set data.task to multiclass.",
        ),
        (
            {"drawn_pictures": 3},
            "Only newts can be drawn, but the classes are background, cat, dog. "
            "Set data.drawn_pictures and drawn_share to 0.",
        ),
        (
            {"classes": ClassMap.of(*"abcd")},
            "The configuration knows the classes a, b, c, d, but the pictures are labelled background, cat, dog. "
            "Choose another one.",
        ),
    ],
)
def test_pictures_that_do_not_fit(data: Any, message: str, folder: Path) -> None:
    with pytest.raises(UserError) as caught:
        open_pictures(of(source=str(folder), **data))
    assert str(caught.value) == message


def test_drawn_pictures_alone() -> None:
    config = replace(of(drawn_pictures=3), seed=5)
    found = open_pictures(config)
    assert (len(found.real), len(found.drawn), len(found.validation)) == (0, 3, 0)
    assert (found.classes, found.task, found.name) == (NEWTS_BINARY, "binary", "drawn pictures")
    assert max(found.drawn[0].label_map.shape) == config.data.preprocessing.size
    other = open_pictures(replace(config, seed=6))
    assert not np.array_equal(found.drawn[0].image, other.drawn[0].image)
    species = open_pictures(of(drawn_pictures=3, classes=NEWTS_SPECIES))
    assert species.task == "multiclass"
    assert complete(config, found).data.drawn_share == 1


# The configuration filled up


def test_nothing_is_left_open() -> None:
    some = pictures(squares(4, (1, 2)), (), [], THREE)
    filled = complete(with_(loss__balance="median-frequency"), some)
    assert (filled.data.task, filled.data.classes) == ("multiclass", THREE)
    expected = median_frequency([sample.label_map for sample in some.real], 3, 255)
    assert filled.loss.class_weights == expected
    assert filled.loss.balance == "none"
    assert len(set(expected)) > 1
    assert complete(filled, some) == filled
    assert complete(QUICK, pictures()) == QUICK


def test_weights_of_the_classes_of_drawn_pictures() -> None:
    some = pictures([], squares(2))
    filled = complete(with_(loss__balance="median-frequency", data__drawn_pictures=2), some)
    assert filled.loss.class_weights == median_frequency([sample.label_map for sample in some.drawn], 2, 255)


def test_a_checkpoint_brings_network_and_preprocessing(tmp_path: Path) -> None:
    saved = checkpoint(tmp_path, THREE, preprocessing=Preprocessing("longest", 77))
    filled = complete(with_(model__checkpoint=str(saved), classes=THREE), pictures(squares(), (), [], THREE))
    assert (filled.model.architecture, filled.model.arguments) == (
        "unet",
        build_model("unet", 1, width=4, depth=3).origin[1],
    )
    assert filled.data.preprocessing == Preprocessing("longest", 77)


# The model


def checkpoint(
    folder: Path, classes: ClassMap, arguments: Any = None, name: str = "unet", task: Any = "multiclass", **rest: Any
) -> Path:
    arguments = {"width": 4, "depth": 3} if arguments is None else arguments
    torch.manual_seed(77)
    config = CheckpointConfig(name, build_model(name, 1, **arguments).origin[1], task, classes, **rest)
    return save_checkpoint(folder / "start", build_model(name, config.num_outputs, **arguments), config)


def begin(classes: ClassMap = THREE, task: Any = "multiclass", **model: Any) -> SegmentationModel:
    torch.manual_seed(0)
    return starting_model(TrainConfig(ModelSettings(**model), steps=1), classes, task)


def differing(model: nn.Module, other: dict[str, torch.Tensor]) -> set[str]:
    """The names of the tensors that are not equal, and of those that one of both has not."""
    own = model.state_dict()
    both = own.keys() & other.keys()
    differ = {name for name in both if own[name].shape != other[name].shape or not torch.equal(own[name], other[name])}
    return differ | (own.keys() ^ other.keys())


HEAD = {"classifier.weight", "classifier.bias"}


@pytest.mark.parametrize(
    ("classes", "task", "head", "new"),
    [
        (THREE, "multiclass", "keep", set()),
        (ClassMap.of("background", "cat", "bird"), "multiclass", "keep", HEAD),
        (ClassMap.of("background", "cat"), "binary", "keep", HEAD),
        (ClassMap.of(*"abcdef"), "multiclass", "keep", HEAD),
        (THREE, "multiclass", "default", HEAD),
        (THREE, "multiclass", "xavier", HEAD),
    ],
)
def test_a_checkpoint_keeps_all_but_the_head_of_other_classes(
    classes: ClassMap, task: Any, head: Any, new: set[str], tmp_path: Path
) -> None:
    from seg_demo.checkpoint import load_checkpoint

    saved = checkpoint(tmp_path, THREE)
    before = load_checkpoint(saved).model.state_dict()
    model = begin(classes, task, checkpoint=str(saved), head=head)
    assert differing(model, before) == new
    outputs = 1 if task == "binary" else len(classes)
    assert model(torch.zeros(1, 3, 32, 32))["out"].shape == (1, outputs, 32, 32)
    if head == "xavier":
        assert torch.equal(model.get_parameter("classifier.bias"), torch.full((outputs,), 0.01))
        bound = (6 / (sum(model.get_parameter("classifier.weight").shape[:2]))) ** 0.5
        largest = model.get_parameter("classifier.weight").abs().max()
        assert 0.5 * bound < largest <= bound


def test_a_run_that_starts_from_the_checkpoint_of_another(tmp_path: Path) -> None:
    run(QUICK, tmp_path / "one")
    config = with_(model__checkpoint=str(tmp_path / "one/last"), steps=1)
    run(complete(config, pictures()), tmp_path / "two")


def test_published_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(5)
    published = build_model("lraspp", 21, **MOBILE).state_dict()
    monkeypatch.setattr("seg_demo.models.pretrained._fetch", lambda *_: dict(published))
    assert differing(begin(VOC, architecture="lraspp", weights="coco-voc"), published) == set()
    changed = differing(begin(THREE, architecture="lraspp", weights="coco-voc"), published)
    assert changed == {
        f"classifier.{name}_classifier.{part}" for name in ("low", "high") for part in ("weight", "bias")
    }
    assert differing(begin(VOC, architecture="lraspp", weights="coco-voc", head="xavier"), published) == changed
    # "person against the rest", with one output
    assert differing(begin(ClassMap.of("a", "b"), "binary", architecture="lraspp", weights="coco-voc"), published)


def test_published_weights_of_the_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(5)
    classifier = get_model("mobilenet_v3_large")
    monkeypatch.setattr("seg_demo.models.pretrained.imagenet_classifier", lambda backbone: classifier)
    model = begin(THREE, architecture="lraspp", backbone_weights="imagenet", freeze=True)
    known = classifier.state_dict()
    loaded = model.get_submodule("backbone").state_dict()
    assert all(torch.equal(value, known.get(key, known.get(f"features.{key}"))) for key, value in loaded.items())
    learning = {name.partition(".")[0] for name, value in model.named_parameters() if value.requires_grad}
    assert learning == {"classifier"}
    assert not model.train().get_submodule("backbone").training


def test_a_frozen_backbone_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from training import TINY, weights

    from seg_demo.models.registry import ARCHITECTURES

    monkeypatch.setitem(ARCHITECTURES, "tiny", TINY)
    config = with_(model__architecture="tiny", model__freeze=True, average=0)
    before = begin(NEWTS_BINARY, "binary", architecture="tiny", freeze=True).state_dict()
    run(config, tmp_path, pictures(validation=[]))
    after = weights(tmp_path / "last")
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {"classifier.weight", "classifier.bias"}


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ({"checkpoint": "nowhere/at/all"}, "There is no checkpoint folder nowhere/at/all"),
        ({"architecture": "unet", "weights": "coco-voc"}, 'There are no weights "coco-voc" for unet on none.'),
        ({"architecture": "unet", "arguments": {"breadth": 4}}, 'There is no argument of unet "breadth".'),
    ],
)
def test_models_that_cannot_be_started_from(model: Any, sentence: str) -> None:
    with pytest.raises(UserError, match="^" + sentence):
        begin(**model)


# What is drawn of a prediction


@pytest.mark.parametrize(
    ("size", "shown"), [((48, 56), (48, 56)), ((640, 320), (320, 160)), ((2, 1000), (1, 320)), ((1, 1), (1, 1))]
)
def test_a_comparison_lies_side_by_side(size: tuple[int, int], shown: tuple[int, int]) -> None:
    image = np.full((*size, 3), 100, np.uint8)
    label_map = np.zeros(size, np.uint8)
    label_map[: size[0] // 2] = 1
    label_map[:, size[1] // 2 :] = 255
    predicted = np.full(size, 2, np.uint8)
    found = comparison(image, label_map, predicted, THREE)
    height, width = shown
    assert found.shape == (height, 3 * width + 8, 3)
    assert found.dtype == np.uint8
    first, second, third = (found[:, start : start + width] for start in (0, width + 4, 2 * width + 8))
    assert (first == 100).all()
    assert (found[:, width : width + 4] == 255).all()
    assert (second[:, -1] == 255).all()  # ignored
    for panel, class_id in ((third, 2), (second[:1], 1)):
        if min(shown) > 1:
            towards = np.array(THREE.colors[class_id], int) - 100
            moved = panel[0, 0].astype(int) - 100
            assert (np.sign(moved) == np.sign(towards)).all()
            assert moved.any()
