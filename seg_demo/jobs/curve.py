"""A curve of any length in a bounded number of points."""

from __future__ import annotations

import math
from collections.abc import Sequence

MOST = 400  # points; a screen has hardly more columns


class Curve:
    """Values over steps, as means over equally many steps each; the last mean may be over fewer.

    names: of the values of a step.

    >>> curve = Curve(["loss"])
    >>> curve.add(1, [0.5])
    >>> curve.document()
    {'step': [1], 'loss': [0.5]}
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.width = 1
        self._steps: list[int] = []  # the last of each mean
        self._sums: list[list[float]] = []
        self._counts: list[int] = []

    def add(self, step: int, values: Sequence[float]) -> None:
        """A later step than those before; all values are finite."""
        if self._counts and self._counts[-1] < self.width:
            self._steps[-1] = step
            self._counts[-1] += 1
            self._sums[-1] = [one + other for one, other in zip(self._sums[-1], values, strict=True)]
            return
        if len(self._steps) == MOST:
            self._halve()
            self.add(step, values)
            return
        self._steps.append(step)
        self._counts.append(1)
        self._sums.append(list(values))

    def document(self) -> dict[str, list]:
        """step: the last one of each mean; and the means by name."""
        found: dict[str, list] = {"step": list(self._steps)}
        for index, name in enumerate(self.names):
            means = (sums[index] / count for sums, count in zip(self._sums, self._counts, strict=True))
            found[name] = [mean if math.isfinite(mean) else None for mean in means]
        return found

    def _halve(self) -> None:
        """Two means become one, so that there is space again."""
        self.width *= 2
        pairs = range(0, len(self._steps), 2)
        self._sums = [[sum(both) for both in zip(*self._sums[at : at + 2], strict=True)] for at in pairs]
        self._counts = [sum(self._counts[at : at + 2]) for at in pairs]
        self._steps = [self._steps[at : at + 2][-1] for at in pairs]
