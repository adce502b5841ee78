"""What a flag may be given: argparse types that refuse the rest with the range in the sentence."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def probability(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a probability from 0 to 1")
    return value


def whole(low: int, high: int) -> Callable[[str], int]:
    """A type for whole numbers from `low` to `high`."""

    def number(text: str) -> int:
        if not text.lstrip("-").isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text} is not a whole number from {low} to {high}")
        return int(text)

    return number


def names(text: str) -> list[str]:
    """Of "sky, ground" ["sky", "ground"]."""
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of names such as sky,ground")
    return found
