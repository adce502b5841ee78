"""What a planted fault is, and all of them in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.faults.good import Good


@dataclass(frozen=True)
class Fault:
    """kinds: what the check must find. may_train: what it must say. mended: "yes", "left out" or "by hand"."""

    planted: str
    plant: Callable[[Good], None]
    kinds: tuple[str, ...]
    mended: str
    may_train: bool


FAULTS: list[Fault] = []


def fault(planted: str, *kinds: str, mended: str = "yes", may_train: bool = False) -> Callable:
    def keep(plant: Callable[[Good], None]) -> Callable[[Good], None]:
        FAULTS.append(Fault(planted, plant, kinds, mended, may_train))
        return plant

    return keep
