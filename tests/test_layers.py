"""The parts that networks are made of, each against a plain definition of it or against torchvision."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.models.mobilenetv3 import mobilenet_v3_large

from seg_demo.models.backbones import CHANNELS, Backbone
from seg_demo.models.layers import LearnedUpsampling, PooledBatchNorm2d, average_pool
from seg_demo.models.model import SegmentationModel
from seg_demo.models.registry import BACKBONES
from seg_demo.models.segnet import pool, unpool


def features(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


class Half(SegmentationModel):
    """Gives the image back, or every second pixel of it."""

    multiple = 16
    smallest = 48

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.given: torch.Size | None = None

    def logits(self, images: Tensor) -> dict[str, Tensor]:
        self.given = images.shape
        return {"out": F.avg_pool2d(images, self.stride), "aux": images[:, :1]}


@pytest.mark.parametrize("size", [(1, 1), (16, 47), (48, 49), (63, 64), (97, 131)])
def test_what_is_padded_is_cropped_at_the_same_place(size: tuple[int, int]) -> None:
    model, picture = Half(1), features(2, 3, *size)
    outputs = model(picture)
    assert torch.equal(outputs["out"], picture)
    assert torch.equal(outputs["aux"], picture[:, :1])
    assert model.given is not None
    assert all(
        side % 16 == 0 and side >= 48 and side - given < 48 for side, given in zip(model.given[-2:], size, strict=True)
    )


def test_coarse_logits_are_enlarged_around_their_pixels() -> None:
    ramp = torch.linspace(0, 1, 96).expand(1, 3, 64, 96)
    out = Half(2)(ramp)["out"]
    torch.testing.assert_close(out[..., 1:-1], ramp[..., 1:-1])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 7))
def test_average_pool_is_adaptive_pooling(height: int, width: int, bins: int) -> None:
    x = features(2, 3, height, width)
    torch.testing.assert_close(average_pool(x, bins), F.adaptive_avg_pool2d(x, bins))


@pytest.mark.parametrize("factor", [2, 8, 16, 32])
def test_learned_upsampling_begins_as_bilinear(factor: int) -> None:
    x = features(1, 3, 5, 6)
    wanted = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    torch.testing.assert_close(LearnedUpsampling(3, factor)(x), wanted)


def test_pooling_positions_are_those_of_max_pool2d() -> None:
    x = features(2, 5, 8, 12)
    values, positions = pool(x)
    wanted, indices = F.max_pool2d(x, 2, return_indices=True)
    assert torch.equal(values, wanted)
    assert set(positions.unique().tolist()) == {0, 1, 2, 3}
    assert torch.equal(unpool(values, positions), F.max_unpool2d(wanted, indices, 2))


def test_a_single_value_uses_the_running_statistics() -> None:
    ours = PooledBatchNorm2d(4).train()
    nn.init.uniform_(ours.weight)
    ours.running_mean = torch.arange(4.0)
    one, two = features(1, 4, 1, 1), features(2, 4, 1, 1)
    plain = nn.BatchNorm2d(4)
    plain.load_state_dict(ours.state_dict())
    assert torch.equal(ours(one), plain.eval()(one))
    assert torch.equal(ours.running_mean, torch.arange(4.0))
    assert torch.equal(ours(two), plain.train()(two))


@pytest.fixture(scope="module", params=BACKBONES)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    torch.manual_seed(0)
    return Backbone(request.param).eval()


def test_features_have_the_strides_they_claim(backbone: Backbone) -> None:
    assert backbone.strides == (2, 4, 8, 16, 32)
    with torch.inference_mode():
        shapes = [tuple(x.shape) for x in backbone(features(1, 3, 64, 96))]
    wanted = zip(CHANNELS[backbone.name], backbone.strides, strict=True)
    assert shapes == [(1, channels, 64 // stride, 96 // stride) for channels, stride in wanted]


def test_it_takes_the_weights_of_a_classifier(backbone: Backbone) -> None:
    if backbone.name.startswith("vgg"):
        classifier = get_model(backbone.name, num_classes=2, init_weights=False).eval()
    else:
        classifier = get_model(backbone.name).eval()
    picture = features(1, 3, 64, 64)
    copied = copy.deepcopy(backbone)
    copied.load_classifier(classifier)
    with torch.inference_mode():
        last = copied(picture)[-1]
        if backbone.name.startswith("resnet"):
            wanted = nn.Sequential(*list(classifier.children())[:-2])(picture)
        else:
            wanted = classifier.features(picture)
            wanted = wanted.relu() if backbone.name.startswith("densenet") else wanted
    assert torch.equal(last, wanted)


def test_the_registry_knows_every_backbone() -> None:
    assert list(BACKBONES) == list(CHANNELS)


def settings_of(module: nn.Module) -> list[tuple[object, ...]]:
    convolutions = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    return [(layer.kernel_size, layer.stride, layer.padding, layer.dilation) for layer in convolutions]


@pytest.mark.parametrize("output_stride", [8, 16])
def test_bottlenecks_are_dilated_by_torchvision(output_stride: int) -> None:
    theirs = get_model("resnet50", replace_stride_with_dilation=[False, output_stride == 8, True])
    ours = Backbone("resnet50", output_stride)
    assert settings_of(ours) == settings_of(theirs)
    assert ours.strides == tuple(min(stride, output_stride) for stride in (2, 4, 8, 16, 32))


def test_mobilenet_is_dilated_by_torchvision() -> None:
    layers = [mobilenet_v3_large(dilated=True).features, Backbone("mobilenet_v3_large", 8)]
    assert settings_of(layers[0]) == settings_of(layers[1])
    assert Backbone("mobilenet_v3_large", 8).strides == (2, 4, 8, 16, 16)


@pytest.mark.parametrize("output_stride", [8, 16])
def test_dilated_basic_blocks_see_what_strided_ones_see(output_stride: int) -> None:
    """Dilation instead of strides computes the same values, and others between them (Yu and Koltun, ICLR 2016)."""
    torch.manual_seed(0)
    strided, dilated = Backbone("resnet18").eval(), Backbone("resnet18", output_stride).eval()
    dilated.load_state_dict(strided.state_dict())
    with torch.inference_mode():
        picture = features(1, 3, 256, 256)
        coarse, maps = strided(picture)[-1], dilated(picture)
    assert [256 // x.shape[-1] for x in maps] == list(dilated.strides)
    step = 32 // output_stride
    fine = maps[-1]
    torch.testing.assert_close(fine[..., ::step, ::step], coarse, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["vgg16", "densenet121"])
def test_what_cannot_be_dilated_says_so(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be dilated"):
        Backbone(name, 8)
