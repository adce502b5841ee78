"""Optimisers: their steps against PyTorch's plain ones, and a state that is restored bit by bit."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from seg_demo.errors import UserError
from seg_demo.models import build_model
from seg_demo.models.adapt import freeze, head_names
from seg_demo.models.model import SegmentationModel
from seg_demo.train.config import OptimizerSettings
from seg_demo.train.muon import orthogonal
from seg_demo.train.optimizers import (
    OPTIMIZERS,
    build_optimizer,
    load_optimizer_tensors,
    optimizer_tensors,
    set_rate,
)

ADAMW = OptimizerSettings(weight_decay=0.1, new_factor=4.0, bias_factor=2.0)
SETTINGS = {
    "adamw": ADAMW,
    "sgd": OptimizerSettings("sgd", 0.1, 0.1, momentum=0.9, new_factor=4.0, bias_factor=2.0),
    "sgd with nesterov": OptimizerSettings("sgd", 0.1, momentum=0.9, nesterov=True),
    "sgd without momentum": OptimizerSettings("sgd", 0.1, momentum=0.0),
    "muon": OptimizerSettings("muon", 0.02, 0.1, new_factor=4.0),
}


def small(name: str = "unet") -> SegmentationModel:
    torch.manual_seed(0)
    arguments: dict[str, Any] = {"width": 4, "depth": 2} if name == "unet" else {}
    return build_model(name, 3, **arguments).to(memory_format=torch.channels_last)


def step(model: SegmentationModel, optimizer: torch.optim.Optimizer, number: int) -> None:
    """One step on pictures that depend on `number` alone."""
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(number))
    set_rate(optimizer, 0.01 * (number + 1))
    optimizer.zero_grad()
    model.train()(images)["out"].square().mean().backward()
    optimizer.step()


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_every_optimiser_of_the_settings_is_there() -> None:
    assert tuple(OPTIMIZERS) == get_args(get_type_hints(OptimizerSettings)["name"])


def test_groups_keep_their_factors() -> None:
    optimizer = build_optimizer(small("simple"), OptimizerSettings("sgd", 0.1, 0.2, 0.5, True, 4.0, 2.0))
    found = {group["name"]: (group["factor"], group["lr"], group["weight_decay"]) for group in optimizer.param_groups}
    assert found == {
        "backbone": (1, pytest.approx(0.1), 0.2), "backbone biases": (2, pytest.approx(0.2), 0),
        "new": (4, pytest.approx(0.4), 0.2), "new biases": (8, pytest.approx(0.8), 0),
    }  # fmt: skip
    assert all((group["momentum"], group["nesterov"]) == (0.5, True) for group in optimizer.param_groups)
    set_rate(optimizer, 3.0)
    assert [group["lr"] for group in optimizer.param_groups] == [3, 6, 12, 24]


def test_what_is_frozen_does_not_learn() -> None:
    model = freeze(small("simple"))
    optimizer = build_optimizer(model, OptimizerSettings())
    assert {group["name"] for group in optimizer.param_groups} == {"new"}


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "muon"])
def test_steps_are_those_of_plain_loops(name: str) -> None:
    """Four steps like those of PyTorch's own loop over single parameters, for weights in any order in memory."""
    asked = SETTINGS[name]
    model = small()
    other = copy.deepcopy(model)
    optimizer, plain = build_optimizer(model, asked), build_optimizer(other, asked)
    for group in plain.param_groups:
        group["fused"], group["foreach"] = False, False
    for number in range(4):
        step(model, optimizer, number)
        step(other, plain, number)
    for (key, one), two in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5, msg=key)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_run_that_goes_on_is_the_same_bit_by_bit(name: str, before: int, tmp_path: Path) -> None:
    whole = small()
    optimizer = build_optimizer(whole, SETTINGS[name])
    for number in range(before):
        step(whole, optimizer, number)
    save_file(optimizer_tensors(optimizer), tmp_path / "optimizer.safetensors")
    resumed = copy.deepcopy(whole)
    for number in range(before, before + 3):
        step(whole, optimizer, number)

    again = build_optimizer(resumed, SETTINGS[name])
    load_optimizer_tensors(again, load_file(tmp_path / "optimizer.safetensors"))
    for number in range(before, before + 3):
        step(resumed, again, number)
    assert equal(weights(whole), weights(resumed))
    assert equal(optimizer_tensors(optimizer), optimizer_tensors(again))
    assert [group["lr"] for group in optimizer.param_groups] == [group["lr"] for group in again.param_groups]


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_parameters_whose_first_gradient_comes_later(name: str) -> None:
    """Such as those of an auxiliary head that is switched on in the middle."""
    model = nn.ModuleDict({"out": nn.Conv2d(3, 2, 1), "aux": nn.Conv2d(3, 2, 1)})
    model.backbone_parts = ()  # type: ignore[assignment]
    optimizer = build_optimizer(model, SETTINGS[name])  # type: ignore[arg-type]
    for heads in (["out"], ["out"], ["out", "aux"]):
        saved, known = optimizer_tensors(optimizer), optimizer.state_dict()["state"].keys()
        optimizer = build_optimizer(model, SETTINGS[name])  # type: ignore[arg-type]
        load_optimizer_tensors(optimizer, saved)
        assert optimizer.state_dict()["state"].keys() == known
        assert equal(optimizer_tensors(optimizer), saved)
        optimizer.zero_grad()
        sum(model[head](torch.ones(1, 3, 2, 2)).sum() for head in heads).backward()
        optimizer.step()
    assert len(optimizer.state_dict()["state"]) == 4


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon"])
def test_equal_runs_give_equal_bits(name: str) -> None:
    ends = []
    for _ in range(2):
        model = small()
        optimizer = build_optimizer(model, SETTINGS[name])
        for number in range(3):
            step(model, optimizer, number)
        ends.append(weights(model))
    assert equal(*ends)


# Muon


@settings(deadline=None, max_examples=30)
@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    scale=st.sampled_from([1e-6, 1.0, 1e4]),
    seed=st.integers(0, 99),
)
def test_an_orthogonal_matrix_has_singular_values_near_one(rows: int, columns: int, scale: float, seed: int) -> None:
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * scale
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonal(matrix)
    assert found.shape == matrix.shape
    assert found.dtype == torch.float32
    inner = left.T @ found @ right.T  # diagonal, with what has become of the singular values
    kept = values > 0.05 * values.max()  # the smallest need more iterations
    assert (inner.diagonal()[kept] > 0.3).all()
    assert (inner.diagonal() < 1.35).all()
    assert (inner - inner.diagonal().diag()).abs().max() < 0.1


def test_muon_learns_convolutions_and_adamw_the_rest() -> None:
    model = small()
    plain = copy.deepcopy(model)
    optimizer = build_optimizer(model, SETTINGS["muon"])
    heads = tuple(f"{name}." for name in head_names(model))
    by_muon = {name for name, value in model.named_parameters() if value.ndim == 4 and not name.startswith(heads)}
    number_of = {id(value): name for name, value in model.named_parameters()}
    groups = {number_of[id(value)]: group for group in optimizer.param_groups for value in group["params"]}
    assert {name for name, group in groups.items() if group["muon"]} == by_muon
    assert len(by_muon) >= 4
    for name, group in groups.items():
        share = group["factor"] * (1 if name in by_muon else 4)  # 0.25 of Muon's rate
        assert share in (1, 4)
        assert group["weight_decay"] == (0.1 if name in by_muon else 0)
    before = weights(model)
    for number in range(3):
        step(model, optimizer, number)
    assert all(not torch.equal(value, before[name]) for name, value in model.named_parameters())

    # The first step by hand: momentum times gradient is added to the gradient, which changes its length only.
    optimizer = build_optimizer(plain, OptimizerSettings("muon", 0.02, 0.1, momentum=0.9))
    before = weights(plain)
    step(plain, optimizer, 1)  # with the rate 0.02
    for name, value in plain.named_parameters():
        if name in by_muon:
            assert value.grad is not None
            update = orthogonal((value.grad * 1.9).flatten(1)).view_as(value)
            longer = max(1, value.shape[0] / (value.numel() / value.shape[0])) ** 0.5
            expected = before[name] * (1 - 0.02 * 0.1) - 0.02 * longer * update
            torch.testing.assert_close(value.detach(), expected)
        else:  # AdamW's first step is its rate, whatever the gradient is
            assert value.grad is not None
            large = value.grad.abs() > 1e-5
            moved = (value.detach() - before[name])[large]
            torch.testing.assert_close(moved.abs(), torch.full_like(moved, 0.005), rtol=0.01, atol=1e-6)


def test_saved_tensors_are_copies() -> None:
    model = small()
    optimizer = build_optimizer(model, ADAMW)
    step(model, optimizer, 0)
    saved = optimizer_tensors(optimizer)
    kept = {name: value.clone() for name, value in saved.items()}
    load_optimizer_tensors(optimizer, saved)
    step(model, optimizer, 1)
    assert equal(saved, kept)
    assert saved["0.step"].item() == 1
    assert all(value.is_contiguous() for value in saved.values())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda tensors: tensors.pop("0.exp_avg"), "'0.exp_avg' is nothing there, but 4 x 3 x 3 x 3 of float32 here"),
        (lambda tensors: tensors.update({"999.step": torch.zeros(())}), "'999.step' is a single number of float32"),
        (lambda tensors: tensors.update({"x": torch.zeros(2)}), "'x' is 2 of float32 there, but nothing here"),
        (lambda tensors: tensors.update({"0.exp_avg": torch.zeros(4)}), "is 4 of float32 there, but 4 x 3 x 3 x 3 of"),
        (lambda tensors: tensors.update({"0.step": torch.tensor(1)}), "is a single number of int64 there, but a"),
        (lambda tensors: tensors.update({"0.momentum_buffer": torch.zeros(4)}), "'0.momentum_buffer' is 4 of float32"),
    ],
)  # fmt: skip
def test_a_state_that_does_not_fit(change: Any, told: str) -> None:
    model = small()
    optimizer = build_optimizer(model, ADAMW)
    step(model, optimizer, 0)
    tensors = optimizer_tensors(optimizer)
    before = {name: value.clone() for name, value in tensors.items()}
    change(tensors)
    with pytest.raises(UserError, match="^The saved state of the optimiser does not fit this run: ") as caught:
        load_optimizer_tensors(optimizer, tensors)
    assert told in str(caught.value)
    assert str(caught.value).endswith("Continue with the settings that the run began with.")
    assert equal(optimizer_tensors(optimizer), before)


def test_the_state_of_another_optimiser() -> None:
    model = small()
    states = {}
    for name, asked in SETTINGS.items():
        optimizer = build_optimizer(model, asked)
        step(model, optimizer, 0)
        states[name] = optimizer_tensors(optimizer)
    assert states["sgd without momentum"] == {}
    for name, other in (("adamw", "sgd"), ("sgd", "adamw"), ("sgd without momentum", "sgd")):
        with pytest.raises(UserError, match="does not fit this run"):
            load_optimizer_tensors(build_optimizer(model, SETTINGS[name]), states[other])
