"""The layers of a network: their counts are those of published tables and of the formulas."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_weight

from seg_demo.models import ARCHITECTURES, build_model
from seg_demo.models.model import SegmentationModel
from seg_demo.models.summary import Layer, Summary, describe, summarise


@functools.cache
def summary_of(name: str, num_classes: int = 21, size: tuple[int, int] = (64, 96), **arguments: object) -> Summary:
    with torch.device("meta"):
        model = build_model(name, num_classes, **arguments)
    return summarise(model, *size)


def layers_of(layer: Layer) -> Iterator[Layer]:
    yield layer
    for inner in layer.layers:
        yield from layers_of(inner)


def by_name(summary: Summary) -> dict[str, Layer]:
    return {layer.name: layer for layer in layers_of(summary.model)}


PUBLISHED = [
    (name, backbone) for name, architecture in ARCHITECTURES.items() for backbone in architecture.published
]  # fmt: skip


def test_there_are_published_numbers() -> None:
    assert {("fcn", "resnet101"), ("deeplabv3", "mobilenet_v3_large"), ("lraspp", "mobilenet_v3_large")} < set(
        PUBLISHED
    )


@pytest.mark.parametrize(("name", "backbone"), PUBLISHED)
def test_counts_are_the_published_ones(name: str, backbone: str) -> None:
    """torchvision's "_ops" are 10^9 multiply-adds of a picture of 520 x 520, with the auxiliary head."""
    meta = get_weight(f"{ARCHITECTURES[name].published[backbone].name}.COCO_WITH_VOC_LABELS_V1").meta
    summary = summary_of(name, size=(520, 520), backbone=backbone)
    assert round(summary.model.multiply_adds / 1e9, 3) == meta["_ops"]
    assert summary.model.parameters == meta["num_params"]
    assert summary.backbone_parameters + summary.new_parameters == meta["num_params"]


def test_without_the_auxiliary_head_its_share_is_missing() -> None:
    summary, less = summary_of("fcn"), summary_of("fcn", aux=False)
    head = by_name(summary)["aux_classifier"]
    assert head.multiply_adds == (9 * 1024 * 256 + 256 * 21) * 8 * 12
    assert summary.model.multiply_adds - less.model.multiply_adds == head.multiply_adds
    assert summary.model.parameters - less.model.parameters == head.parameters
    with torch.device("meta"):
        model = build_model("fcn", 21)
    model.auxiliary = False
    idle = summarise(model, 64, 96)
    assert (by_name(idle)["aux_classifier"].calls, by_name(idle)["aux_classifier"].outputs) == (0, ())
    assert idle.model.multiply_adds == less.model.multiply_adds
    assert idle.model.parameters == summary.model.parameters


def test_simple_by_hand() -> None:
    height, width, wide, classes = 48, 80, 16, 5
    layers = by_name(summary_of("simple", classes, (height, width), width=wide, layers=3))
    pixels = height * width
    for index, before in ((0, 3), (3, wide), (6, wide)):
        layer = layers[f"features.{index}"]
        assert layer.kind == f"Conv2d {before} -> {wide}, 3x3"
        assert layer.multiply_adds == pixels * before * wide * 9
        assert layer.parameters == before * wide * 9 + wide
        assert layer.outputs == ((wide, height, width),)
        assert layers[f"features.{index + 1}"].parameters == 2 * wide
        assert layers[f"features.{index + 2}"].parameters == layers[f"features.{index + 2}"].multiply_adds == 0
    assert layers["features"].multiply_adds == pixels * 9 * (3 * wide + 2 * wide * wide)
    assert layers["classifier"].multiply_adds == pixels * wide * classes
    assert layers[""].multiply_adds == pixels * (9 * (3 * wide + 2 * wide * wide) + wide * classes)
    assert layers[""].outputs == ((classes, height, width),)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_layer_is_the_sum_of_its_parts(name: str) -> None:
    with torch.device("meta"):
        model = build_model(name, 21)
    summary = summary_of(name)
    layers = by_name(summary)
    assert list(layers) == [module_name for module_name, _ in model.named_modules()]
    own = {
        layer.name: layer.multiply_adds - sum(inner.multiply_adds for inner in layer.layers)
        for layer in layers.values()
    }
    # PSPNet averages over regions by matrix products of its own; all else is in layers of torch's.
    assert [key for key, count in own.items() if count and layers[key].layers] == ["pyramid"] * (name == "pspnet")
    assert sum(own.values()) == summary.model.multiply_adds > 0
    for module_name, module in model.named_modules():
        assert layers[module_name].parameters == sum(parameter.numel() for parameter in module.parameters())
        assert layers[module_name].own_name == module_name.split(".")[-1]
    assert set(summary.model.outputs) == {(21, 64, 96)}
    assert 4 * summary.model.parameters <= summary.weight_bytes < 4.2 * summary.model.parameters


def test_convolutions_by_hand() -> None:
    """Transposed ones multiply every input pixel with the whole kernel, grouped ones see their group alone."""
    layers = by_name(summary_of("fcn8s"))
    assert layers["enlarge"].kind == "LearnedUpsampling 21, 16x16, stride 8, depthwise"
    assert layers["enlarge"].multiply_adds == (64 // 8 + 2) * (96 // 8 + 2) * 21 * 16 * 16  # with the repeated border
    assert layers["fully_convolutional.0"].multiply_adds == (64 // 32) * (96 // 32) * 512 * 4096 * 7 * 7
    layers = by_name(summary_of("lraspp"))
    depthwise = layers["backbone.2.block.1.0"]
    assert depthwise.kind == "Conv2d 64, 3x3, stride 2, depthwise"
    assert depthwise.multiply_adds == (64 // 4) * (96 // 4) * 64 * 9


def test_a_matrix_product_by_hand() -> None:
    layers = by_name(summary_of("pspnet"))
    own = layers["pyramid"].multiply_adds - sum(layer.multiply_adds for layer in layers["pyramid"].layers)
    height, width = 64 // 8, 96 // 8
    assert own == 2048 * sum(bins * height * width + bins * width * bins for bins in (1, 2, 3, 6))
    assert layers["pyramid.branches.3"].outputs == ((512, 6, 6),)


def test_containers_and_repeated_layers() -> None:
    layers = by_name(summary_of("segnet"))
    assert (layers["backbone"].calls, layers["backbone"].outputs) == (0, ())  # called layer by layer
    assert layers["backbone"].multiply_adds == sum(layer.multiply_adds for layer in layers["backbone"].layers) > 0
    layers = by_name(summary_of("fcn"))
    assert layers["backbone.layer1.0.relu"].calls == 3
    assert layers["backbone"].outputs == ((64, 32, 48), (256, 16, 24), (512, 8, 12), (1024, 8, 12), (2048, 8, 12))


def test_the_size_counts_as_padded() -> None:
    padded = summary_of("fcn32s", size=(33, 65)).model
    assert padded.outputs == ((21, 33, 65),)
    assert padded.multiply_adds == summary_of("fcn32s").model.multiply_adds


class Grouped(SegmentationModel):
    """Layers that the architectures do not have: groups, a linear layer, and one layer that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(3, 8, 3, padding=1, groups=1)
        self.grouped = nn.Conv2d(8, 8, (1, 3), padding=(0, 1), groups=2)
        self.linear = nn.Linear(8, 4)

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        x = self.grouped(self.grouped(self.backbone(images)))
        return {"out": self.linear(x.movedim(1, -1)).movedim(-1, 1)}


def test_a_built_model_stays_as_it_is() -> None:
    torch.manual_seed(0)
    model = Grouped().train()
    model.linear.eval()
    before, attributes = copy.deepcopy(model.state_dict()), {name: list(vars(m)) for name, m in model.named_modules()}
    layers = by_name(summarise(model, 10, 20))
    assert layers["grouped"].kind == "Conv2d 8 -> 8, 1x3, groups 2"
    assert (layers["grouped"].calls, layers["grouped"].multiply_adds) == (2, 2 * 200 * 8 * 4 * 3)
    assert (layers["linear"].kind, layers["linear"].multiply_adds) == ("Linear 8 -> 4", 200 * 8 * 4)
    assert layers[""].multiply_adds == 200 * (3 * 8 * 9 + 2 * 8 * 4 * 3 + 8 * 4)
    assert (model.training, model.backbone.training, model.linear.training) == (True, True, False)
    assert all(
        torch.equal(value, before[key]) and value.device.type == "cpu" for key, value in model.state_dict().items()
    )
    assert {name: list(vars(m)) for name, m in model.named_modules()} == attributes
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (nn.Conv2d(64, 128, 3, stride=2, dilation=2), "Conv2d 64 -> 128, 3x3, stride 2, dilation 2"),
        (nn.Conv2d(4, 4, (7, 1), stride=(2, 1)), "Conv2d 4 -> 4, 7x1, stride 2x1"),
        (nn.Conv2d(4, 8, 3, groups=4), "Conv2d 4 -> 8, 3x3, groups 4"),
        (nn.Conv2d(1, 1, 3), "Conv2d 1 -> 1, 3x3"),
        (nn.MaxPool2d(3, stride=2, padding=1), "MaxPool2d 3x3, stride 2"),
        (nn.AvgPool2d((2, 4)), "AvgPool2d 2x4, stride 2x4"),
        (nn.AdaptiveAvgPool2d(1), "AdaptiveAvgPool2d to 1x1"),
        (nn.BatchNorm2d(5), "BatchNorm2d 5"),
        (nn.Dropout2d(0.1), "Dropout2d 0.1"),
        (nn.ReLU(inplace=True), "ReLU"),
        (nn.Sequential(nn.ReLU()), "Sequential"),
    ],
)
def test_settings(module: nn.Module, kind: str) -> None:
    assert describe(module) == kind
