"""What a network is made of: its layers as a tree, with output shapes, parameters and multiply-adds."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.conv import _ConvNd
from torch.utils.flop_counter import FlopCounterMode

from seg_demo.models.model import SegmentationModel

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One module of a network, and all that is in it.

    name: dotted, as in the state dict; "" for the network itself. kind: its class and its essential settings. outputs:
    shapes of what it returned when it was last called, without the batch: (C, H, W) for a feature map; none where it
    was not called. calls: how often one picture passes it; 0 for mere containers such as `nn.ModuleList`. parameters:
    of the whole subtree. multiply_adds: of the whole subtree, for one picture.
    """

    name: str
    kind: str
    outputs: tuple[Shape, ...]
    calls: int
    parameters: int
    multiply_adds: int
    layers: tuple[Layer, ...] = ()

    @property
    def own_name(self) -> str:
        """The last part of the dotted name."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Summary:
    """A network and its totals, for pictures of `height` x `width` pixels.

    model: the tree. backbone_parameters: of the parts whose weights may come from another task; all others are new.
    weight_bytes: of all parameters and of BatchNorm's statistics, as a checkpoint keeps them.
    """

    model: Layer
    height: int
    width: int
    backbone_parameters: int
    weight_bytes: int

    @property
    def new_parameters(self) -> int:
        return self.model.parameters - self.backbone_parameters


def summarise(model: SegmentationModel, height: int, width: int) -> Summary:
    """Describe `model` for pictures of `height` x `width` pixels, without computing anything and without changing it.

    The model may be on any device, torch's meta device included. Multiply-adds are those of convolutions and matrix
    products in one prediction of one picture, as torch counts them (half of its FLOPs): BatchNorm, activations, biases,
    pooling and bilinear enlargement are left out, and zeros at the border count as pixels. The picture is first
    padded to the network's grid, and the padding counts. The auxiliary head counts as well unless `model.auxiliary`
    is false; this is how torchvision counts (GFLOPS in its tables).

    >>> with torch.device("meta"):
    ...     model = build_model("simple", 2)
    >>> summarise(model, 512, 512).model.multiply_adds  # (3 * 32 + 5 * 32 * 32) * 9 + 32 * 2, per pixel
    12322865152
    """
    outputs: dict[nn.Module, tuple[Shape, ...]] = {}
    calls: dict[nn.Module, int] = {}
    flops: dict[nn.Module, int] = {}
    begun: list[int] = []  # what was counted when the modules underway were entered, outermost first
    counter = FlopCounterMode(display=False)

    def enter(module: nn.Module, inputs: Any) -> None:
        begun.append(counter.get_total_flops())

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        # The counter's own names of modules are of no use for a container whose layers are called one by one.
        flops[module] = flops.get(module, 0) + counter.get_total_flops() - begun.pop()
        calls[module] = calls.get(module, 0) + 1
        outputs[module] = tuple(_shapes(output))

    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    shapes_only = {name: tensor.to("meta") for name, tensor in tensors.items()}
    dtype = next(model.parameters()).dtype
    images = torch.zeros(1, 3, height, width, dtype=dtype, device="meta")  # (1, 3, H, W)
    with ExitStack() as stack:
        for module in model.modules():
            stack.callback(module.register_forward_pre_hook(enter).remove)
            stack.callback(module.register_forward_hook(leave).remove)
        with model.predicting(), torch.no_grad(), counter:
            functional_call(model, shapes_only, (images,))

    def tree(name: str, module: nn.Module) -> Layer:
        layers = tuple(
            tree(f"{name}.{child}" if name else child, submodule) for child, submodule in module.named_children()
        )
        multiply_adds = flops[module] // 2 if module in flops else sum(layer.multiply_adds for layer in layers)
        return Layer(
            name,
            describe(module),
            outputs.get(module, ()),
            calls.get(module, 0),
            _count(module.parameters()),
            multiply_adds,
            layers,
        )

    parts = nn.ModuleList(model.get_submodule(part) for part in model.backbone_parts)
    weight_bytes = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    return Summary(tree("", model), height, width, _count(parts.parameters()), weight_bytes)


def describe(module: nn.Module) -> str:
    """The class of a module and its essential settings; those that change nothing are left out.

    >>> describe(nn.Conv2d(64, 128, 3, stride=2, dilation=2))
    'Conv2d 64 -> 128, 3x3, stride 2, dilation 2'
    """
    settings: list[str] = []
    if isinstance(module, _ConvNd):
        depthwise = module.groups == module.in_channels == module.out_channels > 1
        channels = str(module.in_channels) if depthwise else f"{module.in_channels} -> {module.out_channels}"
        settings = [channels, _sides(module.kernel_size)]
        settings += [f"stride {_side(module.stride)}"] if set(module.stride) != {1} else []
        settings += [f"dilation {_side(module.dilation)}"] if set(module.dilation) != {1} else []
        settings += ["depthwise"] if depthwise else [f"groups {module.groups}"] if module.groups > 1 else []
    elif isinstance(module, nn.Linear):
        settings = [f"{module.in_features} -> {module.out_features}"]
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        settings = [str(module.num_features)]
    elif isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        settings = [_sides(module.kernel_size), f"stride {_side(module.stride)}"]
    elif isinstance(module, nn.AdaptiveAvgPool2d):
        settings = [f"to {_sides(module.output_size)}"]
    elif isinstance(module, nn.modules.dropout._DropoutNd):
        settings = [f"{module.p:g}"]
    return f"{type(module).__name__} {', '.join(settings)}".rstrip()


def _side(value: Any) -> str:
    """2 or (2, 2) -> "2", (2, 1) -> "2x1"."""
    sides = value if isinstance(value, tuple) else (value,)
    return "x".join(str(side) for side in (sides[:1] if len(set(sides)) == 1 else sides))


def _sides(value: Any) -> str:
    """3 or (3, 3) -> "3x3"."""
    return "x".join(str(side) for side in (value if isinstance(value, tuple) else (value, value)))


def _count(parameters: Iterable[Tensor]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def _shapes(output: Any) -> Iterable[Shape]:
    """The shapes of all tensors in what a module returned: a tensor, or a list or dict of them."""
    if isinstance(output, Tensor):
        yield tuple(output.shape[1:])
    elif isinstance(output, dict):
        for value in output.values():
            yield from _shapes(value)
    elif isinstance(output, list | tuple):
        for value in output:
            yield from _shapes(value)
