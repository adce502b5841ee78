"""Building what a stranger's config describes: with shapes but hardly any memory, and within bounds."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from seg_demo.errors import UserError, shorten

MAX_CALLS = 60_000  # of torch's functions; the largest published networks make about a third of them
MAX_ELEMENTS = 1 << 33  # of all tensors together, which are shapes alone
MAX_COMPUTED = 1 << 24  # elements of one tensor that has values, such as positions and their distances
MAX_HELD = 1 << 30  # bytes of all that have values, at any time
NOT_COUNTED = 1 << 12  # elements of a tensor that is too small to count
MAX_LISTED = 1 << 16  # tensors that one is taken apart into

_CONSTRUCTORS = frozenset(_device_constructors())
_SHAPES_ALONE = frozenset(
    (torch.empty, torch.empty_strided, torch.empty_permuted, torch.rand, torch.randn, torch.randint, torch.randperm)
)
_FILLED = frozenset((torch.zeros, torch.ones, torch.full))
_TAKEN_APART = frozenset(("__iter__", "unbind", "tolist"))


class ShapesOnly(TorchFunctionMode):
    """While it is entered, weights are made on the meta device, and what is computed has values.

    Weights are what begins empty or random. Small tensors that are filled or computed are real: positions and other
    buffers that no file holds must have their values once the weights are there. Whoever asks for more than the bounds
    of this module gets a `UserError`. It counts for this thread alone.
    """

    def __init__(self, library: str) -> None:
        super().__init__()
        self.library = library
        self.calls = self.elements = self.held = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in ("__get__", "__set__"):  # of attributes such as a tensor's shape
            return func(*args, **kwargs)
        self.calls += 1
        self._bound(self.calls <= MAX_CALLS)
        if func in _CONSTRUCTORS:
            return self._constructed(func, args, kwargs)
        real = [value for value in _tensors((args, kwargs)) if value.device.type != "meta"]
        if not real:
            return func(*args, **kwargs)
        self._check(func, args, kwargs, real)
        result = func(*args, **kwargs)
        for value in _tensors(result):
            if not any(value is given for given in real):
                self._hold(value)
        return result

    def _constructed(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Tensor:
        shape: Tensor = func(*args, **{**kwargs, "device": "meta"})
        self.elements += shape.numel()
        self._bound(self.elements <= MAX_ELEMENTS)
        if func in _SHAPES_ALONE:
            return shape
        if func in _FILLED and (shape.numel() > MAX_COMPUTED or self.held + shape.nbytes > MAX_HELD):
            return shape
        self._bound(shape.numel() <= MAX_COMPUTED)
        value: Tensor = func(*args, **{**kwargs, "device": "cpu"})
        self._hold(value)
        return value

    def _check(self, func: Any, args: Any, kwargs: dict[str, Any], real: list[Tensor]) -> None:
        """Find out without memory what comes of real values."""
        if getattr(func, "__name__", "") in _TAKEN_APART:
            self._bound(real[0].numel() <= MAX_LISTED)
            return
        if sum(value.numel() for value in real) <= 1:
            return
        try:
            result = func(*_on_meta(args), **_on_meta(kwargs))
        except Exception:  # it needs the values, and makes nothing larger of them
            return
        for value in _tensors(result):
            self._bound(value.numel() <= MAX_COMPUTED)

    def _hold(self, value: Tensor) -> None:
        """Count its memory as long as it is there."""
        if value.device.type == "meta" or value.numel() <= NOT_COUNTED:
            return
        self.held += value.nbytes
        weakref.finalize(value, self._release, value.nbytes)
        self._bound(self.held <= MAX_HELD)

    def _release(self, size: int) -> None:
        self.held -= size

    def _bound(self, kept: bool) -> None:
        if not kept:
            raise too_large(self.library)


def too_large(library: str) -> UserError:
    return UserError(
        "The config describes a network larger than any that {library} is published with. Choose another checkpoint.",
        library=library,
    )


def build_within_bounds(library: str, make: Callable[[], nn.Module]) -> nn.Module:
    """What `make` builds with a library; on the meta device, where that is torch's, else filled with new weights.

    `make` runs once as `ShapesOnly` has it, whatever the device. Raises `UserError` for a network that is too large,
    one that the library refuses, and one with buffers too large to be computed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with ShapesOnly(library):
                network = make()
                _fill_buffers(network)
            if torch.get_default_device().type != "meta":
                return make()
        except UserError:
            raise
        except Exception as error:  # whatever a library makes of a config that it does not expect
            raise UserError(
                "{library} cannot build the network of this config ({reason}). Choose another checkpoint.",
                library=library, reason=_reason(error),
            ) from error  # fmt: skip
    return network


def _fill_buffers(network: nn.Module) -> None:
    """Values for buffers that no file holds and that began empty; timm's modules know how to make them."""
    saved = network.state_dict()
    for place, module in network.named_modules():
        begin = f"{place}." if place else ""
        empty = [
            name
            for name, buffer in module.named_buffers(recurse=False)
            if buffer.device.type == "meta" and f"{begin}{name}" not in saved
        ]
        for name in empty:
            setattr(module, name, torch.zeros(module.get_buffer(name).shape, dtype=module.get_buffer(name).dtype))
        if empty:
            module.init_non_persistent_buffers()  # type: ignore[operator]


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return shorten(" ".join(lines[0].split()) if lines else type(error).__name__)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [tensor for part in value for tensor in _tensors(part)] if isinstance(value, list | tuple) else []


def _on_meta(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().to("meta")
    if isinstance(value, dict):
        return {key: _on_meta(part) for key, part in value.items()}
    return type(value)(map(_on_meta, value)) if type(value) in (list, tuple) else value
