"""The device that computes."""

from __future__ import annotations

import torch

from seg_demo.errors import UserError


def find_device(name: str | None = None) -> torch.device:
    """The device called "cpu", "cuda", "cuda:1", ...; None takes CUDA where there is one.

    Raises `UserError` where nothing can be computed on it.
    """
    name = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # A GPU that is not there shows when it is used; "meta" holds no numbers.
    except (RuntimeError, AssertionError):
        raise UserError("There is no device {name} here. Use cpu.", name=f'"{name}"') from None
    return device
