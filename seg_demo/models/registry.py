"""The architectures by name, with what may be asked of each. Importing this does not import torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seg_demo.classes import MAX_CLASSES
from seg_demo.errors import UserError
from seg_demo.registry import look_up

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Argument:
    """A whole-number constructor argument of an architecture, `low <= value <= high`."""

    default: int
    low: int
    high: int


@dataclass(frozen=True)
class Architecture:
    """A network that can be built by name.

    builder: "module:class", called as `class(num_classes, **arguments)`; imported only when it is built.
    source: the paper or project it comes from.
    arguments: every argument besides `num_classes`; a checkpoint may name no other.
    """

    builder: str
    source: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)

    def check(self, name: str, arguments: Mapping[str, object]) -> dict[str, int]:
        """Return `arguments` filled up with the defaults, or raise a `UserError` that names the wrong one."""
        for key, value in arguments.items():
            argument = look_up(f"argument of {name}", self.arguments, key)
            if type(value) is not int or not argument.low <= value <= argument.high:
                raise UserError(
                    'The argument "{key}" of {name} must be a whole number from {low} to {high}, not {value}.',
                    key=key, name=name, low=argument.low, high=argument.high, value=shorten(value),
                )  # fmt: skip
        return {key: argument.default for key, argument in self.arguments.items()} | dict(arguments)  # type: ignore[return-value]


ARCHITECTURES: dict[str, Architecture] = {
    "simple": Architecture(
        "seg_demo.models.simple:SimpleNet",
        "yoyoyo-yo, Deep Learning Mugen Knock, semantic segmentation chapter",
        {"width": Argument(32, 1, 512), "layers": Argument(6, 1, 32)},
    ),
    "unet": Architecture(
        "seg_demo.models.unet:UNet",
        "Ronneberger, Fischer and Brox, U-Net, MICCAI 2015",
        {"width": Argument(16, 1, 128), "depth": Argument(5, 2, 7), "stem": Argument(1, 1, 4)},
    ),
}


def build_model(name: str, num_classes: int, **arguments: object) -> nn.Module:
    """Build the architecture `name` with `num_classes` output channels (1 for the task "binary").

    The model takes images (N, 3, H, W), float and normalised as the checkpoint says, and returns a dict
    whose "out" is (N, num_classes, H, W) logits at the size of the input. Raises `UserError` for an unknown
    name or argument, or a value out of range, before anything is built.

    >>> build_model("unet", 1, width=8, depth=3)(torch.zeros(1, 3, 33, 47))["out"].shape
    torch.Size([1, 1, 33, 47])
    """
    architecture = look_up("architecture", ARCHITECTURES, name)
    if type(num_classes) is not int or not 1 <= num_classes <= MAX_CLASSES:
        raise UserError("A model has 1 to {most} classes, not {value}.", most=MAX_CLASSES, value=shorten(num_classes))
    checked = architecture.check(name, arguments)
    module, _, attribute = architecture.builder.partition(":")
    return getattr(importlib.import_module(module), attribute)(num_classes, **checked)


def shorten(value: object) -> str:
    """`repr` of a value from a file, cut so that a huge one still makes a readable sentence."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
