"""Looking a name up in a registry: a plain dict from name to thing, one per kind of thing."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from seg_demo.errors import UserError

Thing = TypeVar("Thing")


def look_up(kind: str, registry: Mapping[str, Thing], name: str) -> Thing:
    """Return ``registry[name]``, or raise a `UserError` with the nearest match and every known name.

    >>> look_up("preset", {"newts-binary": 1}, "newts-binary")
    1
    """
    if isinstance(name, str) and name in registry:
        return registry[name]
    shown = f'"{name}"' if isinstance(name, str) and len(name) <= 80 and name.isprintable() else "of this name"
    near = difflib.get_close_matches(str(name)[:80], registry, n=1)
    if near:
        raise UserError(
            'There is no {kind} {name}. Did you mean "{near}"? Known: {known}.',
            kind=kind, name=shown, near=near[0], known=", ".join(registry),
        )  # fmt: skip
    raise UserError("There is no {kind} {name}. Known: {known}.", kind=kind, name=shown, known=", ".join(registry))
