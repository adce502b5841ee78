"""What the arguments of an architecture may be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from seg_demo.errors import UserError, shorten
from seg_demo.registry import look_up


@dataclass(frozen=True)
class Whole:
    """A whole number, `low <= value <= high`."""

    default: int
    low: int
    high: int

    def check(self, name: str, key: str, value: object) -> int:
        if type(value) is not int or not self.low <= value <= self.high:
            raise UserError(
                'The argument "{key}" of {name} must be a whole number from {low} to {high}, not {value}.',
                key=key, name=name, low=self.low, high=self.high, value=shorten(value),
            )  # fmt: skip
        return value


@dataclass(frozen=True)
class Flag:
    """True or false."""

    default: bool

    def check(self, name: str, key: str, value: object) -> bool:
        if type(value) is not bool:
            raise UserError(
                'The argument "{key}" of {name} must be true or false, not {value}.',
                key=key, name=name, value=shorten(value),
            )  # fmt: skip
        return value


@dataclass(frozen=True)
class Choice:
    """One of several names."""

    default: str
    choices: tuple[str, ...]

    def check(self, name: str, key: str, value: object) -> str:
        if not isinstance(value, str):
            raise UserError(
                'The argument "{key}" of {name} must be a name such as "{default}", not {value}.',
                key=key, name=name, default=self.default, value=shorten(value),
            )  # fmt: skip
        return look_up(f"{key} of {name}", {choice: choice for choice in self.choices}, value)


@dataclass(frozen=True)
class Document:
    """A JSON object, such as the config of another library; its bounds keep a stranger's from being a burden.

    It may be given as JSON text as well, as settings hold it, which have texts but no objects inside their tables.
    entries: values in all, however deep; depth: objects and lists inside each other; length: characters of a text or a
    name; largest: what no number is beyond, either way.
    """

    default: Mapping[str, object] = field(default_factory=dict)
    entries: int = 2048
    depth: int = 6
    length: int = 200
    largest: int = 1 << 20

    def check(self, name: str, key: str, value: object) -> dict[str, object]:
        """A copy, so that nobody else changes it."""
        found = _parsed(value) if isinstance(value, str) else value
        if not isinstance(found, Mapping) or not self._fits(found, self.depth, [self.entries]):
            raise UserError(
                'The argument "{key}" of {name} must be a JSON object of at most {entries} entries, {depth} deep, with '
                "texts of up to {length} characters and numbers up to {largest}, not {value}.",
                key=key, name=name, entries=self.entries, depth=self.depth, length=self.length, largest=self.largest,
                value=shorten(value),
            )  # fmt: skip
        return {str(entry): _copied(part) for entry, part in found.items()}

    def _fits(self, value: object, depth: int, left: list[int]) -> bool:
        """Whether `value` keeps to the bounds; takes its entries off those that are `left`."""
        left[0] -= 1
        if left[0] < 0:
            return False
        if isinstance(value, str):
            return len(value) <= self.length
        if type(value) in (int, float):
            return -self.largest <= value <= self.largest  # type: ignore[operator]
        if isinstance(value, Mapping | list | tuple):
            parts: list[object] = list(value)
            if isinstance(value, Mapping):
                if not all(isinstance(entry, str) and len(entry) <= self.length for entry in value):
                    return False
                parts = list(value.values())
            return depth > 0 and all(self._fits(part, depth - 1, left) for part in parts)
        return value is None or type(value) is bool


def _parsed(text: str) -> object:
    """What a JSON text says; None for what is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _copied(value: object) -> object:
    """A JSON value with objects and lists of its own; what was a tuple is a list, as in JSON."""
    if isinstance(value, Mapping):
        return {entry: _copied(part) for entry, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, list | tuple) else value


Argument = Whole | Flag | Choice | Document
