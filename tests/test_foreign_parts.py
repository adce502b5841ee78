"""The parts of a foreign checkpoint: network, classes, colours and preprocessing; and what is said of other files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from foreign_models import CASES
from hypothesis import given, settings
from hypothesis import strategies as st

from seg_demo.checkpoint import CheckpointConfig
from seg_demo.checkpoint.header import Tensors
from seg_demo.classes import MAX_NAME_LENGTH
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.errors import UserError
from seg_demo.hub import foreign
from seg_demo.hub.foreign import smp as foreign_smp
from seg_demo.hub.foreign.labels import classes_of, colors_of
from seg_demo.hub.foreign.processor import from_albumentations, from_processor
from seg_demo.models import ARCHITECTURES
from seg_demo.models.arguments import Document
from seg_demo.models.registry import IMPORTED, find_architecture
from seg_demo.palettes import ADE20K, CITYSCAPES, VOC

# torchvision, by its tensors alone


def tensors_of(name: str, classes: int, prefix: str = "", **arguments: Any) -> dict[str, tuple[str, tuple[int, ...]]]:
    """What torchvision's own network would be saved as."""
    from torchvision.models import get_model

    with torch.device("meta"):
        network = get_model(name, weights=None, weights_backbone=None, num_classes=classes, **arguments)
    dtypes = {torch.float32: "F32", torch.int64: "I64"}
    return {prefix + key: (dtypes[value.dtype], tuple(value.shape)) for key, value in network.state_dict().items()}


def described(tensors: Tensors, config: dict[str, Any] | None = None) -> CheckpointConfig:
    documents = {} if config is None else {"config.json": config}
    return foreign.LAYOUTS["torchvision"].describe(documents, tensors)


@pytest.mark.parametrize(
    ("name", "architecture", "backbone"),
    [
        ("fcn_resnet50", "fcn", "resnet50"),
        ("fcn_resnet101", "fcn", "resnet101"),
        ("deeplabv3_resnet50", "deeplabv3", "resnet50"),
        ("deeplabv3_resnet101", "deeplabv3", "resnet101"),
        ("deeplabv3_mobilenet_v3_large", "deeplabv3", "mobilenet_v3_large"),
    ],
)
@pytest.mark.parametrize("aux", [True, False])
def test_every_network_of_torchvision_is_known(name: str, architecture: str, backbone: str, aux: bool) -> None:
    config = described(tensors_of(name, 21, aux_loss=aux))
    assert (config.architecture, config.arguments) == (architecture, {"backbone": backbone, "aux": aux})
    assert config.classes == VOC
    assert config.preprocessing == Preprocessing("shortest", 520)


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module.", "net."])
def test_what_programs_put_before_all_names_is_left_out(prefix: str) -> None:
    config = described(tensors_of("lraspp_mobilenet_v3_large", 2, prefix))
    assert (config.architecture, config.task, config.classes.names) == ("lraspp", "multiclass", ("class_0", "class_1"))


@pytest.mark.parametrize("backbone", ["resnet18", "resnet34", "resnet152"])
def test_smaller_and_larger_backbones(backbone: str) -> None:
    """torchvision has no builder for these, but its classes take them, and so do ours."""
    from seg_demo.models import build_model

    with torch.device("meta"):
        model = build_model("deeplabv3", 4, backbone=backbone, aux=False)
    tensors = {
        name: ("F32" if value.is_floating_point() else "I64", tuple(value.shape))
        for name, value in model.state_dict().items()
    }
    assert described(tensors).arguments == {"backbone": backbone, "aux": False}


def test_one_output_is_a_binary_task_and_counters_may_be_missing() -> None:
    tensors = tensors_of("lraspp_mobilenet_v3_large", 1)
    tensors = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    config = described(tensors, {"id2label": {"0": "crack"}})
    assert (config.task, config.classes.names) == ("binary", ("background", "crack"))


def test_tensors_of_something_else_are_refused() -> None:
    lraspp, wide = (tensors_of(name, 3) for name in ("lraspp_mobilenet_v3_large", "deeplabv3_resnet50"))
    dtype, shape = lraspp["backbone.0.0.weight"]
    for tensors, part in (
        ({}, "no network that is understood"),
        ({"lm_head.weight": ("F32", (8, 8))}, "no network that is understood"),
        ({**lraspp, "classifier.low_classifier.weight": ("F32", ())}, "no network that is understood"),
        ({**lraspp, "backbone.0.0.weight": (dtype, (shape[0], 4, *shape[2:]))}, "4 channels"),
        (tensors_of("lraspp_mobilenet_v3_large", 256), "256 classes"),
        (
            {
                name: ("F32", tuple(2 * n for n in s)) if "layer3.1." in name else (d, s)
                for name, (d, s) in wide.items()
            },
            "have the shape",
        ),
    ):
        with pytest.raises(UserError, match=part):
            described(tensors)


# Classes


@given(
    st.dictionaries(st.one_of(st.integers(-1, 6).map(str), st.text()), st.one_of(st.text(), st.none(), st.integers())),
    st.integers(1, 6),
)
@settings(deadline=None)
def test_whatever_id2label_says_there_are_classes(id2label: dict[str, object], outputs: int) -> None:
    task, classes = classes_of(id2label, outputs)
    assert (task, len(classes)) == (("binary", 2) if outputs == 1 else ("multiclass", outputs))
    for number, name in enumerate(classes.names if outputs > 1 else ()):
        given_name = id2label.get(str(number))
        if not isinstance(given_name, str):
            assert name.startswith(f"class_{number}")


@pytest.mark.parametrize(
    ("id2label", "outputs", "names"),
    [
        ({"0": "wall", "1": "tree"}, 2, ("wall", "tree")),
        ({0: "wall", 1: "tree"}, 2, ("wall", "tree")),
        ({"0": "a", "1": "a", "2": "a (2)"}, 3, ("a", "a (2)", "a (2) (2)")),
        ({"0": "bed ", "1": "line\nbreak\u2028end", "2": "\u202egnp"}, 3, ("bed", "line break end", "gnp")),
        ({"0": "n" * 500, "1": "n" * 500}, 2, ("n" * MAX_NAME_LENGTH, "n" * (MAX_NAME_LENGTH - 6) + " (2)")),
        ({"1": "road"}, 3, ("class_0", "road", "class_2")),
        (None, 2, ("class_0", "class_1")),
        ([["road"]], 2, ("class_0", "class_1")),
        ({}, 1, ("background", "foreground")),
        ({"0": "newt"}, 1, ("background", "newt")),
        ({"0": "ground", "1": "newt"}, 1, ("ground", "newt")),
        ({"0": "background"}, 1, ("background", "background (2)")),
    ],
)
def test_names(id2label: object, outputs: int, names: tuple[str, ...]) -> None:
    assert classes_of(id2label, outputs)[1].names == names


def test_known_classes_have_the_colours_that_people_know() -> None:
    assert colors_of(CITYSCAPES.names) == CITYSCAPES.colors
    assert colors_of(tuple(name.upper() for name in ADE20K.names)) == ADE20K.colors
    road, puddle, sidewalk = colors_of(("road", "puddle", "sidewalk"))
    assert (road, sidewalk) == (CITYSCAPES.colors[0], CITYSCAPES.colors[1])
    assert puddle not in CITYSCAPES.colors[:2]
    strange = colors_of(("background", "tumour", "vessel", "car"))
    assert strange[0] == (0, 0, 0)
    assert len(set(strange)) == 4


# Preprocessing


@pytest.mark.parametrize(
    ("document", "square", "expected"),
    [
        ({"size": {"height": 512, "width": 512}}, True, Preprocessing("exact", 512)),
        ({"size": {"height": 512, "width": 1024}}, True, Preprocessing("shortest", 512)),
        ({"size": {"shortest_edge": 800, "longest_edge": 1333}}, False, Preprocessing("shortest", 800)),
        ({"size": {"longest_edge": 640}}, False, Preprocessing("longest", 640)),
        ({"size": 384}, True, Preprocessing("exact", 384)),
        ({"size": 384}, False, Preprocessing("shortest", 384)),
        ({"size": [256, 256]}, True, Preprocessing("exact", 256)),
        ({"do_resize": False, "size": "large"}, True, Preprocessing("none")),
        ({"size": 64, "do_normalize": False}, True, Preprocessing("exact", 64, (0, 0, 0), (1, 1, 1))),
        (
            {"size": 64, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.5, 0.5]}, True,
            Preprocessing("exact", 64, (0.5, 0.4, 0.3), (0.5, 0.5, 0.5)),
        ),
        ({"size": 64, "image_mean": 0.5, "image_std": 0.5}, True, Preprocessing("exact", 64, (0.5,) * 3, (0.5,) * 3)),  # type: ignore[arg-type]
        (
            {"size": 64, "do_rescale": False, "image_mean": [127.5] * 3, "image_std": [127.5] * 3}, True,
            Preprocessing("exact", 64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ),
        (
            {"size": 64, "rescale_factor": 1 / 127.5, "image_mean": [1, 1, 1], "image_std": [1, 1, 1]}, True,
            Preprocessing("exact", 64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ),
    ],
)  # fmt: skip
def test_an_image_processor_as_ours(document: dict[str, Any], square: bool, expected: Preprocessing) -> None:
    assert from_processor(document, square=square) == expected


@pytest.mark.parametrize(
    "document",
    [
        {}, {"size": 0}, {"size": 10**9}, {"size": "512"}, {"size": {"height": 5}}, {"size": {"shortest_edge": None}},
        {"size": 64, "image_mean": "grey"}, {"size": 64, "image_mean": [1, 2]}, {"size": 64, "image_std": [0, 0, 0]},
        {"size": 64, "image_mean": [1e9] * 3}, {"size": 64, "rescale_factor": 0}, {"size": 64, "rescale_factor": [1]},
        {"size": 64, "rescale_factor": -1}, {"size": True}, {"size": 64, "image_std": [True] * 3},
        {"size": 64, "image_mean": [10**400, 0, 0]},
    ],
)  # fmt: skip
def test_a_processor_that_makes_no_sense_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"must be|cannot be used"):
        from_processor(document, square=True)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers(), lambda part: (
    st.lists(part) | st.dictionaries(st.sampled_from(["size", "image_mean", "height", "width", "transforms"]), part)
)), st.sampled_from(["size", "image_mean", "image_std", "rescale_factor", "do_resize", "transform"]))  # fmt: skip
@settings(deadline=None)
def test_any_processor_is_understood_or_refused(value: Any, entry: str) -> None:
    for read in (
        lambda: from_processor({"size": 64, entry: value}, square=True),
        lambda: from_albumentations({entry: value}),
    ):
        try:
            assert isinstance(read(), Preprocessing)
        except UserError as error:
            assert str(error)


def albumentations(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"transform": {"__class_fullname__": "Compose", "transforms": list(steps)}}


def test_a_pipeline_of_albumentations_as_ours() -> None:
    resize = {"__class_fullname__": "Resize", "height": 512, "width": 512}
    normalize = {"__class_fullname__": "albumentations.Normalize", "mean": [0.5] * 3, "std": [0.25] * 3}
    half, quarter = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
    assert from_albumentations(albumentations(resize, normalize)) == Preprocessing("exact", 512, half, quarter)
    grey = {**normalize, "mean": [127.5] * 3, "std": [63.75] * 3, "max_pixel_value": 1.0}
    assert from_albumentations(albumentations(grey)) == Preprocessing("none", 512, half, quarter)
    longest = {"__class_fullname__": "LongestMaxSize", "max_size": 640}
    assert from_albumentations(albumentations(longest, {"__class_fullname__": "PadIfNeeded"})) == Preprocessing(
        "longest", 640
    )
    assert from_albumentations({"transform": []}) == Preprocessing("none")
    with pytest.raises(UserError, match='"size" is'):
        from_albumentations(albumentations({**resize, "height": "large"}))


@pytest.mark.parametrize(
    ("encoder", "mean"),
    [
        ("resnet50", 0.485), ("mit_b5", 0.485), ("xception", 0.5), ("inceptionv4", 0.5), ("tu-resnet18", 0.485),
        ("tu-vit_base_patch16_224.augreg_in21k", 0.5), ("timm-tf_efficientnet_lite0", 0.5), ("dpn68", 124 / 255),
    ],
)  # fmt: skip
def test_what_an_encoder_was_pretrained_with(encoder: str, mean: float) -> None:
    assert foreign_smp._statistics(encoder)[0][0] == pytest.approx(mean)


# What is said of repositories


@pytest.mark.parametrize(
    ("files", "part"),
    [
        (["config.json", "pytorch_model.bin"], r"torch\.load\('pytorch_model.bin'"),
        (["weights/best.pth"], r"torch\.load\('weights/best.pth'"),
        (["a.ckpt", "README.md"], r"torch\.load\('a.ckpt'"),
        (["a.pkl"], r"weights_only=True"),
        (["model.safetensors.index.json", "model-00001-of-00002.safetensors"], "in several files"),
        (["unet.safetensors", "x.bin"], "holds unet.safetensors, but no model.safetensors"),
        (["tf_model.h5"], "only another framework reads"),
    ],
)
def test_what_is_said_of_weights_in_another_form(files: list[str], part: str) -> None:
    assert foreign.recognise(files, None) is None
    with pytest.raises(UserError, match=part):
        raise foreign.conversion_hint("alice/net", files) or AssertionError


def test_nothing_is_said_where_there_are_no_weights() -> None:
    assert foreign.conversion_hint("alice/net", ["README.md", "notes.txt"]) is None


def test_the_command_that_is_suggested_converts(tmp_path: Any) -> None:
    from safetensors.torch import load_file

    weights = {"a.weight": torch.arange(6.0).reshape(2, 3).T, "b": torch.ones(2)}
    torch.save({"state_dict": weights, "epoch": 3}, tmp_path / "best.pth")
    told = str(foreign.conversion_hint("alice/net", ["best.pth"]))
    command = told.partition('python -c "')[2].rpartition('", and put')[0]
    subprocess.run([sys.executable, "-c", command], cwd=tmp_path, check=True)
    found = load_file(tmp_path / "model.safetensors")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], value) for name, value in weights.items())


def test_libraries_are_imported_when_they_are_needed() -> None:
    code = (
        "import sys; from seg_demo.hub import foreign; from seg_demo.models.registry import IMPORTED; "
        "foreign.recognise(['model.safetensors'], {'model_type': 'dpt'}); "
        "sys.exit(' '.join({'torch', 'transformers', 'segmentation_models_pytorch', 'timm'} & set(sys.modules)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr == ""


@pytest.mark.parametrize(
    ("layout", "config", "module", "part"),
    [
        ("smp", {"_model_class": "Unet"}, "segmentation_models_pytorch", 'pip install "segmentation-models-pytorch'),
        ("transformers", {"model_type": "segformer"}, "transformers", 'pip install "transformers'),
    ],
)
def test_a_library_that_is_not_installed(
    layout: str, config: dict[str, Any], module: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=part):
        foreign.LAYOUTS[layout].describe({"config.json": config}, {})


# The registry


def test_imported_networks_are_none_of_ours() -> None:
    assert not IMPORTED.keys() & ARCHITECTURES.keys()
    assert find_architecture("smp") is IMPORTED["smp"]
    assert {case.layout for case in CASES.values()} == foreign.LAYOUTS.keys()
    with pytest.raises(UserError, match=r'There is no architecture "mask2former"\. Known: simple, '):
        find_architecture("mask2former")


def nested(depth: int) -> dict[str, Any]:
    document: dict[str, Any] = {"a": 1}
    for _ in range(depth - 1):
        document = {"a": document}
    return document


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": [1, 2.5, "x", None, True, {"b": []}]},
        '{"a": {"b": [1]}}',
        nested(6),
        {"a": [0] * 2046},
        {"a": 1 << 20},
    ],
)
def test_documents(value: Any) -> None:
    found = Document().check("smp", "config", value)
    assert isinstance(found, dict)
    assert Document().check("smp", "config", found) == found
    if isinstance(value, dict):
        assert found == value
        assert found is not value


def refused_documents() -> Iterator[Any]:
    yield from (None, [], 3, "text", "[1]", "[" * 100_000, '{"a": NaN}')
    yield from ({"a": float("nan")}, {"a": float("inf")}, {"a": 1 << 21}, {"a": -(10**400)}, {1: 2}, {"a": {1: 2}})
    yield from (
        {"a": "x" * 201},
        {"x" * 201: 1},
        {"a": [0] * 2048},
        {"a": object()},
        nested(7),
        nested(900),
        {"a": {1}},
    )


@pytest.mark.parametrize("value", list(refused_documents()), ids=lambda value: str(type(value)))
def test_documents_out_of_bounds(value: Any) -> None:
    with pytest.raises(
        UserError, match='The argument "config" of smp must be a JSON object of at most 2048 entries, 6 deep'
    ):
        Document().check("smp", "config", value)
