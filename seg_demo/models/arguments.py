"""What the arguments of an architecture may be."""

from __future__ import annotations

from dataclasses import dataclass

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


Argument = Whole | Flag | Choice
