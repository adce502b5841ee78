"""New heads, frozen parts and learning rates by part, on real networks of the zoo."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from seg_demo.errors import UserError
from seg_demo.models import ARCHITECTURES, build_model
from seg_demo.models.adapt import freeze, head_names, parameter_groups, reset_head
from seg_demo.models.model import SegmentationModel

HEADS = {
    "simple": ["classifier"],
    "unet": ["classifier"],
    "segnet": ["classifier"],
    "fcn": ["classifier.4", "aux_classifier.4"],
    "fcn32s": ["score", "enlarge"],
    "pspnet": ["classifier.4", "aux_classifier.4"],
    "duc": ["classifier"],
    "refinenet": ["classifier.1"],
    "deeplabv3": ["classifier.4", "aux_classifier.4"],
    "deeplabv3plus": ["classifier"],
    "lraspp": ["classifier.low_classifier", "classifier.high_classifier"],
}


def small() -> SegmentationModel:
    torch.manual_seed(0)
    return build_model("deeplabv3", 5, backbone="mobilenet_v3_large")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_head_is_what_makes_class_scores(name: str) -> None:
    with torch.device("meta"):
        model = build_model(name, 7)
    heads = head_names(model)
    assert heads == HEADS.get(name, heads)
    assert heads
    assert not any(head.startswith(part) for head in heads for part in model.backbone_parts)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_new_head_makes_a_model_for_other_classes(name: str) -> None:
    with torch.device("meta"):
        model = build_model(name, 7)
        wanted = {key: value.shape for key, value in build_model(name, 3).state_dict().items()}
        assert reset_head(model, 3) is model
        assert {key: value.shape for key, value in model.state_dict().items()} == wanted
        assert model.eval()(torch.zeros(1, 3, 64, 64))["out"].shape == (1, 3, 64, 64)


@pytest.mark.parametrize("num_classes", [5, 2])
def test_only_the_head_is_new(num_classes: int) -> None:
    model = small()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    reset_head(model.train(), num_classes)
    heads = ("classifier.4.", "aux_classifier.4.")
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]) is not key.startswith(heads) or value.shape != before[key].shape, key
    for head in (model.get_submodule("classifier.4"), model.get_submodule("aux_classifier.4")):
        assert isinstance(head, nn.Conv2d)
        assert torch.equal(head.bias, torch.full((num_classes,), 0.01))
        bound = (6 / (head.in_channels + num_classes)) ** 0.5  # Glorot and Bengio's, for a 1x1 convolution
        assert 0.8 * bound < head.weight.abs().max() <= bound
        assert head.training


def test_learned_upsampling_is_bilinear_again() -> None:
    model = build_model("fcn8s", 4, backbone="mobilenet_v3_large")
    bilinear = copy.deepcopy(model.get_submodule("enlarge").weight)
    nn.init.normal_(model.get_submodule("enlarge").weight)
    reset_head(model, 2)
    assert torch.equal(model.get_submodule("enlarge").weight, bilinear[:2])


def test_scores_of_fcn_start_small_again() -> None:
    model = reset_head(build_model("fcn32s", 4, backbone="mobilenet_v3_large"), 5, init="default")
    assert 0.005 < model.get_submodule("score").weight.std() < 0.02
    assert not model.get_submodule("score").bias.any()


def test_default_init_and_unknown_ones() -> None:
    model = reset_head(small(), 2, init="default")
    assert not torch.equal(model.get_submodule("classifier.4").bias, torch.full((2,), 0.01))
    with pytest.raises(UserError, match='There is no init "xavir". Did you mean "xavier"'):
        reset_head(model, 2, init="xavir")


def test_a_new_head_has_the_dtype_of_the_model() -> None:
    model = reset_head(small().to(torch.bfloat16), 2)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}


def test_frozen_parts_stay_in_eval_mode_whatever_is_asked() -> None:
    model = freeze(small().train(), "backbone")
    assert not any(module.training for module in model.get_submodule("backbone").modules())
    assert model.get_submodule("classifier").training
    model.eval().train()
    assert not any(module.training for module in model.get_submodule("backbone").modules())
    copied = copy.deepcopy(model).train()
    assert not any(module.training for module in copied.get_submodule("backbone").modules())
    assert {name.partition(".")[0] for name, p in model.named_parameters() if p.requires_grad} == {
        "classifier",
        "aux_classifier",
    }


def test_any_part_can_be_frozen_and_unknown_ones_are_named() -> None:
    model = freeze(freeze(small(), "classifier.0"), "backbone")
    assert model.frozen == ("classifier.0", "backbone")
    with pytest.raises(UserError, match='There is no part of the model "classifer". Did you mean "classifier"'):
        freeze(model, "classifer")
    with pytest.raises(UserError, match='"bakbone". Did you mean "backbone".? Known: backbone, features, classifier.$'):
        freeze(build_model("simple", 2), "bakbone")


def test_parameter_groups() -> None:
    model = build_model("fcn8s", 4, backbone="vgg16_bn")
    groups = {group["name"]: group for group in parameter_groups(model, 0.01, 5e-4)}
    assert {name: (group["lr"], group["weight_decay"]) for name, group in groups.items()} == {
        "backbone": (0.01, 5e-4),
        "backbone biases": (0.02, 0.0),
        "new": (0.1, 5e-4),
        "new biases": (0.2, 0.0),
    }
    grouped = [parameter for group in groups.values() for parameter in group["params"]]
    assert len(grouped) == len(set(grouped)) == len(list(model.parameters()))
    fc6 = model.get_submodule("fully_convolutional.0")
    assert any(parameter is fc6.weight for parameter in groups["backbone"]["params"]), "fc6 comes from ImageNet, too"
    assert any(parameter is fc6.bias for parameter in groups["backbone biases"]["params"])
    torch.optim.SGD(list(groups.values()), momentum=0.9)

    frozen = {group["name"] for group in parameter_groups(freeze(model), 0.01, 5e-4)}
    assert frozen == {"new", "new biases"}


def test_biases_are_like_all_others_unless_they_learn_faster() -> None:
    model = build_model("fcn8s", 4, backbone="vgg16_bn")
    groups = parameter_groups(model, 0.01, 5e-4, new=3.0, bias=1.0)
    assert [(group["name"], group["factor"], group["lr"], group["weight_decay"]) for group in groups] == [
        ("backbone", 1.0, 0.01, 5e-4),
        ("new", 3.0, 0.03, 5e-4),
    ]
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
