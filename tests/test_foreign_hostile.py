"""Configs of other libraries that mean harm: nothing is run, nothing is asked for, nothing large is made."""

from __future__ import annotations

import json
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_models import CASES, STAGES, SWIN, Saved, save
from torch import Tensor, nn

from seg_demo.errors import UserError
from seg_demo.hub import foreign
from seg_demo.models.imported import smp, transformers
from seg_demo.models.imported.shapes import ShapesOnly, build_within_bounds
from seg_demo.models.registry import build_model


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Who asks another computer is noted, even where a library takes the error for an answer."""
    asked: list[object] = []

    def refuse(*place: object, **_: object) -> None:
        asked.append(place)
        raise OSError("there is no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield asked
    assert not asked


@pytest.fixture(scope="module")
def segformer(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save(CASES["segformer"], tmp_path_factory.mktemp("segformer") / "there")


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save(CASES["smp-unet"], tmp_path_factory.mktemp("unet") / "there")


# Nothing is run, and nothing is asked for


def test_what_does_not_describe_the_network_has_no_say(segformer: Saved, tmp_path: Path) -> None:
    """Code of the repository, kernels and dtypes: with or without them, the config is the same."""
    (segformer.folder / "modeling_evil.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'w')")
    config = segformer.documents["config.json"]
    evil = {
        **config,
        "auto_map": {"AutoConfig": "modeling_evil.Config", "AutoModelForSemanticSegmentation": "modeling_evil.Model"},
        "trust_remote_code": True, "_attn_implementation": "eve/kernels", "attn_implementation": "eve/kernels",
        "_attn_implementation_internal": "eve/kernels", "experts_implementation": "eve/kernels", "use_kernels": True,
        "quantization_config": {"quant_method": "gptq"}, "fusion_config": {"patch_embeddings": True}, "dtype": "load",
        "torch_dtype": "load", "_name_or_path": "eve/net", "name_or_path": "eve/net", "transformers_version": "0.0",
        "per_layer_config": {"0": {}}, "output_hidden_states": True, "return_dict": False, "is_decoder": True,
        "transformers_weights": "../../x", "problem_type": "regression", "architectures": ["os.system"],
    }  # fmt: skip
    layout = foreign.LAYOUTS["transformers"]
    assert layout.describe({"config.json": evil}, segformer.tensors) == segformer.describe()
    assert not (tmp_path / "owned").exists()


def test_what_does_not_describe_a_network_of_smp_has_no_say(unet: Saved) -> None:
    config = unet.documents["config.json"]
    evil = {
        **config, "encoder_weights": "imagenet", "pretrained": True, "checkpoint_path": "/etc/passwd", "_evil": 1,
        "pretrained_cfg": {"url": "http://127.0.0.1"}, "cache_dir": "/", "aux_params": {"classes": 10**9},
        "activation": "softmax2d", "img_size": 10**6,
    }  # fmt: skip
    assert foreign.LAYOUTS["smp"].describe({"config.json": evil}, unet.tensors) == unet.describe()


NETS: dict[str, dict[str, Any]] = {
    "a backbone of the Hub": {"model_type": "upernet", "backbone": "eve/backbone", "use_timm_backbone": False},
    "one that timm would fetch": {"model_type": "upernet", "backbone": "hf-hub:eve/backbone"},
    "a folder": {
        "model_type": "upernet",
        "backbone_config": {"model_type": "timm_backbone", "backbone": "local-dir:/etc", "out_indices": [1, 2, 3, 4]},
    },
    "one inside a backbone": {
        "model_type": "upernet",
        "backbone_config": {"model_type": "dpt", "backbone": "eve/backbone", "out_features": STAGES},
    },
    "no text": {"model_type": "upernet", "backbone": ["resnet18"]},
    "a pretrained one": {"model_type": "maskformer", "backbone": "eve/backbone", "use_pretrained_backbone": True},
}


@pytest.mark.parametrize("name", NETS)
def test_a_backbone_is_not_fetched(name: str) -> None:
    with pytest.raises(UserError, match="only those of timm are known by their names"):
        transformers.tidy(NETS[name])


def test_a_backbone_of_timm_is_known_by_its_name() -> None:
    tidied = transformers.tidy(
        {
            "model_type": "upernet", "backbone": "test_resnet", "use_timm_backbone": True,
            "use_pretrained_backbone": True,
            "backbone_kwargs": {"out_indices": [1, 2, 3, 4], "pretrained": True, "auto_map": {"a": "b"}},
        }
    )  # fmt: skip
    assert tidied == {
        "model_type": "upernet", "use_auxiliary_head": False,
        "backbone_config": {"model_type": "timm_backbone", "backbone": "test_resnet", "out_indices": [1, 2, 3, 4]},
    }  # fmt: skip
    with torch.device("meta"):
        assert build_model("transformers", 3, config=tidied)


@pytest.mark.parametrize("kind", (*transformers.SEMANTIC, *transformers.UNIVERSAL))
def test_no_kind_of_network_asks_for_anything(kind: str) -> None:
    """With the defaults of the library, some of which name a backbone."""
    with torch.device("meta"):
        try:
            build_model("transformers", 3, config={"model_type": kind})
        except UserError as error:  # defaults that do not fit each other
            assert "cannot build" in str(error)


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ({"_model_class": "create_model"}, "There is no network of segmentation-models-pytorch"),
        ({"_model_class": "__init__"}, "There is no network of segmentation-models-pytorch"),
        ({"_model_class": "os.system"}, "There is no network of segmentation-models-pytorch"),
        ({"_model_class": ["Unet"]}, "There is no network of segmentation-models-pytorch"),
        ({}, "There is no network of segmentation-models-pytorch"),
        ({"_model_class": "Unet", "encoder_name": "tu-hf-hub:eve/encoder"}, "There is no encoder"),
        ({"_model_class": "Unet", "encoder_name": "tu-local-dir:/etc"}, "There is no encoder"),
        ({"_model_class": "Unet", "encoder_name": "tu-eve/encoder"}, "There is no encoder"),
        ({"_model_class": "Unet", "encoder_name": "tu-"}, "There is no encoder"),
        ({"_model_class": "Unet", "encoder_name": 5}, "There is no encoder"),
        ({"_model_class": "Unet", "in_channels": 4}, "4 channels"),
        ({"_model_class": "Unet", "activation": "sigmoid", "classes": 3}, "they may overlap"),
        ({"_model_class": "Unet", "activation": "argmax"}, "'argmax', from which no logits"),
        ({"_model_class": "Unet", "activation": {"a": 1}}, "from which no logits"),
    ],
)
def test_what_is_refused_of_smp(config: dict[str, Any], part: str) -> None:
    with pytest.raises(UserError, match=part):
        smp.tidy(config)


def test_a_sigmoid_over_one_class_is_a_binary_task(unet: Saved) -> None:
    config = {**unet.documents["config.json"], "activation": "sigmoid", "classes": 1}
    tensors = {
        name: (dtype, (1, *shape[1:]) if name.startswith("segmentation_head.0") else shape)
        for name, (dtype, shape) in unet.tensors.items()
    }
    described = foreign.LAYOUTS["smp"].describe({"config.json": config}, tensors)
    assert (described.task, described.classes.names) == ("binary", ("background", "foreground"))


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ({"model_type": "gpt2"}, "There is no network of transformers"),
        ({"model_type": "oneformer"}, "There is no network of transformers"),
        ({"model_type": ["segformer"]}, "There is no network of transformers"),
        ({"model_type": "../../etc"}, "There is no network of transformers"),
        ({"model_type": "segformer", "num_channels": 4}, "4 channels"),
        ({"model_type": "upernet", "backbone_config": {**SWIN, "num_channels": 1}}, "1 channels"),
        ({"model_type": "upernet", "backbone_config": {"model_type": "evil"}}, "There is no network of transformers"),
        ({"model_type": "segformer", "id2label": {str(n): "x" for n in range(300)}}, "300 classes"),
        ({"model_type": "segformer", "num_labels": 0}, "0 classes"),
        ({"model_type": "segformer", "num_labels": "many"}, "'many' where the number of classes should be"),
        ({"model_type": "segformer", "hidden_sizes": [1 << 21] * 4}, "must be a JSON object of at most"),
        ({"model_type": "segformer", "hidden_act": "x" * 300}, "must be a JSON object of at most"),
        ({"model_type": "segformer", "hidden_act": "os.system"}, "cannot build the network"),
        ({"model_type": "segformer", "depths": "deep"}, "cannot build the network"),
        ({"model_type": "segformer", "strides": [0, 0, 0, 0], "hidden_sizes": [-1] * 4}, "cannot build the network"),
    ],
)  # fmt: skip
def test_what_is_refused_of_transformers(config: dict[str, Any], part: str, segformer: Saved) -> None:
    with pytest.raises(UserError, match=part):
        foreign.LAYOUTS["transformers"].describe({"config.json": config}, segformer.tensors)


def test_configs_inside_each_other() -> None:
    config: dict[str, Any] = {"model_type": "dpt"}
    for _ in range(transformers.NESTED):
        config = {"model_type": "dpt", "backbone_config": config}
    with pytest.raises(UserError, match="more configs inside each other"):
        transformers.tidy(config)


@pytest.mark.parametrize("value", ["many", [3], None, True, 0, 256, 10**9, -1])
def test_numbers_of_classes(value: object, unet: Saved) -> None:
    config = {**unet.documents["config.json"], "classes": value}
    with pytest.raises(UserError, match="number of classes should be|a label map can hold 1 to 255"):
        foreign.LAYOUTS["smp"].describe({"config.json": config}, unet.tensors)


# Nothing large is made

HUGE: dict[str, tuple[str, dict[str, Any]]] = {
    "layers": ("transformers", {"model_type": "segformer", "depths": [1 << 20] * 2000}),
    "layers by their number": ("transformers", {"model_type": "eomt", "num_hidden_layers": 10**6}),
    "many small layers": ("transformers", {"model_type": "segformer", "depths": [256] * 4}),
    "channels": ("transformers", {"model_type": "segformer", "hidden_sizes": [1 << 20] * 4}),
    "a large image": ("transformers", {"model_type": "dpt", "image_size": 10**6, "patch_size": 1}),
    "a wide window": (
        "transformers", {"model_type": "upernet", "backbone_config": {**SWIN, "window_size": 1000}},
    ),
    "many windows": (
        "transformers", {"model_type": "upernet", "backbone_config": {**SWIN, "window_size": 62, "depths": [500] * 4}},
    ),
    "a multiplier": ("transformers", {"model_type": "mobilenet_v2", "depth_multiplier": 10**6}),
    "decoders": ("smp", {"_model_class": "Unet", "encoder_name": "resnet18", "decoder_channels": [10**6] * 5}),
    "an image of timm": (
        "smp", {"_model_class": "DPT", "encoder_name": "tu-vit_tiny_patch16_224", "img_size": 10**6},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=pytest.mark.slow) if "small" in each else each for each in HUGE]
)
def test_a_network_without_bounds_is_not_built(name: str) -> None:
    library, config = HUGE[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="larger than any"), torch.device("meta"):
        build_model(library, 3, config=config)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # kilobytes


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(1 << 13).expand(1 << 13, 1 << 13) + 1,
        lambda: torch.arange(1 << 16)[:, None] - torch.arange(1 << 16),
        lambda: torch.arange(100).repeat(1 << 25),
        lambda: torch.arange(1 << 40),
        lambda: list(torch.arange(1 << 20)),
        lambda: [torch.arange(1 << 23) for _ in range(64)],
        lambda: [torch.empty(1 << 30) for _ in range(64)],
        lambda: [torch.empty(1) for _ in range(1 << 20)],
        lambda: torch.stack([torch.arange(1 << 20)] * 64),
        lambda: torch.einsum("i,j->ij", torch.ones(1 << 14), torch.ones(1 << 14)),
    ],
)
def test_bounds(make: Any) -> None:
    with pytest.raises(UserError, match="larger than any that it is published with"), ShapesOnly("it"):
        make()


def test_within_the_bounds_what_is_computed_has_values_and_weights_have_none() -> None:
    with torch.device("meta"), ShapesOnly("it") as shapes:
        layer = nn.Linear(3, 4)
        rates = [float(rate) for rate in torch.linspace(0, 1, 5)]
        distances = torch.arange(500)[:, None] - torch.arange(500)
        assert shapes.held == distances.nbytes
        zeros = torch.zeros(1 << 25)
    assert layer.weight.is_meta
    assert rates == [0, 0.25, 0.5, 0.75, 1]
    assert distances[3, 1] == 2
    assert zeros.is_meta  # it is large, and no file can hold so many but as weights
    held = shapes.held
    del distances
    assert shapes.held == held - 500 * 500 * 8


class Positions(nn.Module):
    """As timm's: a buffer that no file holds begins empty, and is filled afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3))
        self.register_buffer("index", torch.empty(3, dtype=torch.long), persistent=False)
        self.init_non_persistent_buffers()

    def init_non_persistent_buffers(self) -> None:
        index: Tensor = self.index  # type: ignore[assignment]
        index.copy_(torch.arange(3))


def test_buffers_that_no_file_holds_are_filled() -> None:
    with torch.device("meta"):
        built = build_within_bounds("it", lambda: nn.Sequential(Positions(), Positions()))
    assert all(value.is_meta for value in built.parameters())
    assert [value.tolist() for value in built.buffers()] == [[0, 1, 2]] * 2


def test_a_library_that_fails_is_told_in_one_sentence() -> None:
    def fail() -> nn.Module:
        raise RuntimeError("a long\nstory " * 50)

    with pytest.raises(UserError, match=r"^it cannot build the network of this config \('a long'\)\. Choose another"):
        build_within_bounds("it", fail)


# Our own config.json, in which a stranger can write what is not tidy


@pytest.mark.parametrize(
    ("architecture", "config", "part"),
    [
        ("transformers", {}, "There is no network of transformers"),
        ("transformers", {"model_type": "upernet", "backbone": "eve/backbone"}, "only those of timm"),
        ("transformers", {"model_type": "segformer", "auto_map": {"a": "b"}, "depths": "x"}, "cannot build"),
        ("smp", {"_model_class": "Unet", "encoder_name": "tu-hf-hub:eve/x"}, "There is no encoder"),
        ("smp", {}, "There is no network of segmentation-models-pytorch"),
    ],
)
def test_a_checkpoint_of_ours_that_means_harm(
    architecture: str, config: dict[str, Any], part: str, segformer: Saved, tmp_path: Path
) -> None:
    from seg_demo.checkpoint import load_checkpoint

    folder = segformer.convert(tmp_path / "model", segformer.describe())
    document = json.loads((folder / "config.json").read_text())
    document |= {"architecture": architecture, "arguments": {"config": config}}
    (folder / "config.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match=part):
        load_checkpoint(folder)
