"""The running average of the weights against plain numbers, and restored bit by bit."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from seg_demo.errors import UserError
from seg_demo.models import build_model
from seg_demo.train.average import WeightAverage


def small() -> nn.Module:
    torch.manual_seed(0)
    return build_model("unet", 3, width=4, depth=2).to(memory_format=torch.channels_last)


def change(model: nn.Module, seed: int) -> None:
    """Other weights, other statistics, one more batch."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in model.state_dict().values():
            value.add_(torch.randn(value.shape, generator=generator) if value.is_floating_point() else 1)


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("decay", [0.3, 0.999, 1.0])
def test_against_plain_numbers(decay: float) -> None:
    model = small()
    average = WeightAverage(model, decay)
    expected = {name: value.numpy().astype(float) for name, value in model.state_dict().items()}
    for number in range(1, 9):
        change(model, number)
        average.update(model)
        kept = min(decay, (1 + number) / (10 + number))
        for name, value in model.state_dict().items():
            own = value.numpy().astype(float)
            expected[name] = own if name.endswith("tracked") else kept * expected[name] + (1 - kept) * own
    for name, value in average.model.state_dict().items():
        np.testing.assert_allclose(value.numpy(), expected[name], rtol=1e-4, atol=1e-5, err_msg=name)
    assert average.model.state_dict()["encoder.0.1.num_batches_tracked"] == 8


def test_the_copy_is_ready_to_predict() -> None:
    model = small().train()
    for value in model.parameters():
        value.grad = torch.ones_like(value)
    average = WeightAverage(model, 0.9)
    change(model, 0)
    average.update(model)
    assert model.training
    assert all(value.requires_grad for value in model.parameters())
    assert not any(module.training for module in average.model.modules())
    assert not any(value.requires_grad or value.grad is not None for value in average.model.parameters())
    for one, other in zip(model.state_dict().values(), average.model.state_dict().values(), strict=True):
        assert one.stride() == other.stride()
        assert one.data_ptr() != other.data_ptr()
    assert any(not value.is_contiguous() for value in average.model.parameters()), "channels_last"


def test_weights_that_stay_are_kept_exactly() -> None:
    model = small()
    average = WeightAverage(model, 0.99)
    for _ in range(20):
        average.update(model)
    assert equal(average.model.state_dict(), model.state_dict())


@pytest.mark.parametrize("before", [0, 3])
def test_an_average_that_goes_on_is_the_same_bit_by_bit(before: int, tmp_path: Path) -> None:
    model = small()
    average = WeightAverage(model, 0.5)
    for number in range(before):
        change(model, number)
        average.update(model)
    save_file(average.tensors(), tmp_path / "average.safetensors")
    later = copy.deepcopy(model)
    change(later, 99)  # The copy begins with weights that are not those of the average.
    again = WeightAverage(later, 0.5)
    again.load(load_file(tmp_path / "average.safetensors"))
    assert again.updates == before
    for number in range(before, before + 9):
        change(model, number)
        average.update(model)
        again.update(model)
    assert equal(again.tensors(), average.tensors())


def test_saved_tensors_are_copies() -> None:
    model = small()
    average = WeightAverage(model, 0.5)
    saved = average.tensors()
    kept = {name: value.clone() for name, value in saved.items()}
    average.load(saved)
    change(model, 0)
    average.update(model)
    assert equal(saved, kept)
    assert all(value.is_contiguous() for value in saved.values())


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (lambda tensors: tensors.pop("updates"), "'updates' is nothing there, but a single number of int64 here"),
        (lambda tensors: tensors.update({"model.x": torch.zeros(2)}), "'model.x' is 2 of float32 there, but nothing"),
        (lambda tensors: tensors.update({"model.classifier.bias": torch.zeros(5)}), "is 5 of float32 there, but 3 of"),
        (lambda tensors: tensors.update({"updates": torch.zeros(())}), "is a single number of float32 there, but a"),
    ],
)  # fmt: skip
def test_an_average_that_does_not_fit(changed: Any, told: str) -> None:
    average = WeightAverage(small(), 0.5)
    tensors = average.tensors()
    changed(tensors)
    with pytest.raises(UserError, match="^The saved average of the weights does not fit this run: ") as caught:
        average.load(tensors)
    assert told in str(caught.value)
    assert equal(average.tensors(), WeightAverage(small(), 0.5).tensors())
