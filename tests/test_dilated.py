"""Dilated convolutions whose gradient is computed tap by tap, against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from seg_demo.models import build_model
from seg_demo.models.dilated import DilatedConv2d


@pytest.mark.parametrize("size", [(7, 7), (28, 20), (5, 40), (9, 9)])
@pytest.mark.parametrize("dilation", [6, 12, 36])
@pytest.mark.parametrize("learns", [False, True])
def test_gradients_are_those_of_the_plain_convolution(size: tuple[int, int], dilation: int, learns: bool) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(5, 4, 3, padding=dilation, dilation=dilation, bias=False).double()
    ours = DilatedConv2d(5, 4, 3, padding=dilation, dilation=dilation, bias=False).double()
    ours.load_state_dict(plain.state_dict())
    images = torch.randn(2, 5, *size, dtype=torch.float64)
    found = []
    for layer in (plain, ours):
        x = images.clone().requires_grad_(learns)
        out = layer(x)
        out.square().sum().backward()
        found.append((out.detach(), layer.weight.grad, x.grad))
    for one, other in zip(*found, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other)


def test_small_maps_go_tap_by_tap_and_large_ones_do_not() -> None:
    layer = DilatedConv2d(2, 2, 3, padding=12, dilation=12, bias=False)
    ways = [layer(torch.zeros(1, 2, size, size)).grad_fn.name() for size in (8, 64)]
    assert ["TapByTap" in way for way in ways] == [True, False]
    with torch.no_grad():
        assert layer(torch.zeros(1, 2, 8, 8)).shape == (1, 2, 8, 8)


@pytest.mark.parametrize("name", ["deeplabv3", "deeplabv3plus"])
def test_the_pyramid_of_deeplab_has_them(name: str) -> None:
    names = [type(part).__name__ for part in build_model(name, 2, backbone="resnet18").modules()]
    assert names.count("DilatedConv2d") == 3
