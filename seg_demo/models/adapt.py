"""Making a trained model ready for another task: new heads, frozen parts, learning rates by part."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from seg_demo.models.model import SegmentationModel
from seg_demo.models.registry import build_model
from seg_demo.registry import look_up

INITS = {
    "xavier": "Xavier uniform weights and a bias of 0.01",
    "default": "as the architecture begins",
}


def head_names(model: SegmentationModel) -> list[str]:
    """The layers that make class scores: those whose shape depends on the number of classes.

    >>> head_names(build_model("deeplabv3", 21))
    ['classifier.4', 'aux_classifier.4']
    """
    with torch.device("meta"):
        one, two = (dict(_again(model, count).named_parameters()) for count in (1, 2))
    return list(dict.fromkeys(name.rpartition(".")[0] for name in one if one[name].shape != two[name].shape))


def reset_head(model: SegmentationModel, num_classes: int, init: str = "xavier") -> SegmentationModel:
    """Replace the layers that make class scores by new ones for `num_classes`; all other weights stay. Returns `model`.

    init: "xavier" draws the weights of convolutions from Xavier's uniform distribution (Glorot and Bengio, AISTATS
    2010) and sets their biases to 0.01; "default" begins as the architecture does. Learned upsampling begins as
    bilinear either way. New layers learn, even in a part that was frozen. Raises `UserError` for an unknown `init`.
    """
    look_up("init", INITS, init)
    with torch.device("meta"):  # the whole network without memory, of which only the heads get some
        fresh = _again(model, num_classes)
    like = next(model.parameters())
    for name in head_names(model):
        layer: Any = fresh.get_submodule(name).to_empty(device=like.device)
        layer.reset_parameters()
        if init == "xavier" and isinstance(layer, nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, 0.01)
        model.set_submodule(name, layer.to(like.dtype))
    return model.train(model.training)


def freeze(model: SegmentationModel, part: str = "backbone") -> SegmentationModel:
    """Keep a part as it is: its weights do not learn, its BatchNorm keeps its statistics. Returns `model`.

    part: "backbone" for what may come from another task, or the name of any submodule. Raises `UserError` for others.
    """
    if part not in dict(model.named_modules()) or not part:
        look_up("part of the model", {"backbone": model, **dict(model.named_children())}, part)
    names = model.backbone_parts if part == "backbone" else (part,)
    for name in names:
        model.get_submodule(name).requires_grad_(False)
    model.frozen = tuple(dict.fromkeys((*model.frozen, *names)))
    return model.train(model.training)


def parameter_groups(
    model: SegmentationModel, learning_rate: float, weight_decay: float, *, new: float = 10.0, bias: float = 2.0
) -> list[dict[str, Any]]:
    """The parameters that learn, for an optimiser: the backbone's, and those of the `new` layers, which learn faster.

    Biases learn `bias` times as fast and without decay, as in Long, Shelhamer and Darrell (CVPR 2015); where `bias` is
    1, they are as all others and decay, too. Each group has a "name", its "factor" (times `learning_rate` is its "lr"),
    "weight_decay" and "params"; empty ones are left out.
    """
    groups: dict[str, dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        old = any(name.startswith(f"{part}.") for part in model.backbone_parts)
        is_bias = bias != 1 and name.endswith("bias")
        key = ("backbone" if old else "new") + (" biases" if is_bias else "")
        factor = (1.0 if old else new) * (bias if is_bias else 1.0)
        group = groups.setdefault(
            key,
            {
                "name": key,
                "factor": factor,
                "lr": learning_rate * factor,
                "weight_decay": 0.0 if is_bias else weight_decay,
                "params": [],
            },
        )
        group["params"].append(parameter)
    return list(groups.values())


def _again(model: SegmentationModel, num_classes: int) -> SegmentationModel:
    name, arguments = model.origin
    return build_model(name, num_classes, **arguments)
