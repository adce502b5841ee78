"""The optimisers by name, and their state as named tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from seg_demo.errors import UserError, shorten
from seg_demo.models.adapt import head_names, parameter_groups
from seg_demo.models.model import SegmentationModel
from seg_demo.registry import look_up
from seg_demo.train.config import OptimizerSettings
from seg_demo.train.muon import Muon

Groups = list[dict[str, Any]]


def _adamw(groups: Groups, settings: OptimizerSettings) -> torch.optim.Optimizer:
    # Fused takes a fraction of the time on a CPU as well, and gives the same bits each time.
    return torch.optim.AdamW(groups, settings.learning_rate, fused=True)


def _sgd(groups: Groups, settings: OptimizerSettings) -> torch.optim.Optimizer:
    # Fused is slower here, and fails where a parameter gets its first gradient later than others.
    return torch.optim.SGD(
        groups, settings.learning_rate, momentum=settings.momentum, nesterov=settings.nesterov, foreach=True
    )


def _muon(groups: Groups, settings: OptimizerSettings) -> torch.optim.Optimizer:
    return Muon(groups, settings.learning_rate, settings.momentum)


OPTIMIZERS: dict[str, Callable[[Groups, OptimizerSettings], torch.optim.Optimizer]] = {
    "adamw": _adamw,
    "sgd": _sgd,
    "muon": _muon,
}


def build_optimizer(model: SegmentationModel, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """The optimiser of these settings on the parameters of `model` that learn; each group keeps its "factor".

    The model must be on its device and in its memory format already. Raises `UserError` for an unknown name.
    """
    groups = parameter_groups(
        model, settings.learning_rate, settings.weight_decay, new=settings.new_factor, bias=settings.bias_factor
    )
    if settings.name == "muon":
        groups = _split(model, groups, settings.other_factor)
    return look_up("optimiser", OPTIMIZERS, settings.name)(groups, settings)


def _split(model: SegmentationModel, groups: Groups, other_factor: float) -> Groups:
    """Each group as two: weights of convolutions for Muon, and the rest, with the layers that make class scores."""
    heads = tuple(f"{name}." for name in head_names(model))
    muon = {id(value) for name, value in model.named_parameters() if value.ndim == 4 and not name.startswith(heads)}
    split = []
    for group in groups:
        convolutions = [value for value in group["params"] if id(value) in muon]
        others = [value for value in group["params"] if id(value) not in muon]
        factor = group["factor"] * other_factor
        lr = group["lr"] * other_factor
        split += [
            {**group, "muon": True, "params": convolutions},
            {**group, "muon": False, "params": others, "factor": factor, "lr": lr, "weight_decay": 0.0},
        ]
    return [group for group in split if group["params"]]


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let each group of parameters learn with `rate` times its own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """A copy of the state, by the number of the parameter and its own name, such as "3.exp_avg"; all contiguous.

    Step counters are scalars, the others have the shape of their parameter. Parameters that had no gradient yet have
    no state, so there is nothing before the first step. Learning rates are not part of it.
    """
    return {
        f"{number}.{key}": value.detach().clone(memory_format=torch.contiguous_format)
        for number, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
        if isinstance(value, Tensor)
    }


def load_optimizer_tensors(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Go on from what `optimizer_tensors` gave, bit by bit; the tensors are copied, from whatever device.

    Raises `UserError` for names, shapes or dtypes that are not those of this optimiser; then nothing has changed.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    wanted: dict[str, Tensor] = {}
    for number, parameter in enumerate(parameters):
        likes = _state_of(optimizer, parameter)
        if any(f"{number}.{key}" in tensors for key in likes):
            state[number] = likes
            wanted |= {f"{number}.{key}": like for key, like in likes.items()}
    check_tensors("state of the optimiser", wanted, tensors)
    for number, likes in state.items():
        for key, like in likes.items():
            # Into memory in the order of the parameter's: the fused kernel takes that for granted, and does not look.
            like.copy_(tensors[f"{number}.{key}"])
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def check_tensors(what: str, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raise a `UserError` unless both have tensors of the same names, shapes and dtypes."""
    for name in sorted(wanted.keys() | found.keys()):
        if (there := _describe(found.get(name))) != (due := _describe(wanted.get(name))):
            raise UserError(
                "The saved {what} does not fit this run: {name} is {found} there, but {wanted} here. Continue with "
                "the settings that the run began with.",
                what=what, name=shorten(name), found=there, wanted=due,
            )  # fmt: skip


def _state_of(optimizer: torch.optim.Optimizer, parameter: Tensor) -> dict[str, Tensor]:
    """What the optimiser keeps of a parameter: tensors of the right shape, dtype, device and order in memory."""
    if _by_muon(optimizer, parameter):
        return {"step": torch.zeros(()), "momentum_buffer": torch.empty_like(parameter.detach())}
    if isinstance(optimizer, torch.optim.AdamW):
        step = torch.zeros((), device=parameter.device)
        return {"step": step} | {key: torch.empty_like(parameter.detach()) for key in ("exp_avg", "exp_avg_sq")}
    if optimizer.defaults["momentum"]:
        return {"momentum_buffer": torch.empty_like(parameter.detach())}
    return {}


def _by_muon(optimizer: torch.optim.Optimizer, parameter: Tensor) -> bool:
    groups = [group for group in optimizer.param_groups if group.get("muon")]
    return any(parameter is other for group in groups for other in group["params"])


def _describe(tensor: Tensor | None) -> str:
    if tensor is None:
        return "nothing"
    shape = " x ".join(map(str, tensor.shape)) or "a single number"
    return f"{shape} of {str(tensor.dtype).removeprefix('torch.')}"
