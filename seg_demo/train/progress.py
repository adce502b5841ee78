"""How far a run has come: what decides when it is validated, saved and over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

from seg_demo.train.config import TrainConfig

VALIDATIONS = 10  # in a run that does not say how often
VALIDATION_SHARE = 0.2  # of the time that a run bounded by minutes may spend on validation, unless it says how often


@dataclass(frozen=True)
class Length:
    """When a run is over: after `steps` or after `seconds`, whichever comes first; 0 is no bound."""

    steps: int
    seconds: float

    @classmethod
    def of(cls, config: TrainConfig, pictures: float) -> Length:
        """pictures: in a pass, or epoch."""
        # Rounded, for 10.000000000000002 steps are ten.
        passes = math.ceil(round(config.epochs * pictures / config.batch_size, 6))
        bounds = [config.steps, max(1, passes) if config.epochs else 0]
        return cls(min((bound for bound in bounds if bound), default=0), 60 * config.minutes)


@dataclass
class Progress:
    """What the loop knows besides the weights, so that it can go on where it stopped.

    step: steps that are done. seconds: that they took, with validations. validated: the step of the last validation,
    validated_at: the seconds after it; validation_seconds: what it took. best: the best figure so far, waiting:
    validations since then. parts: see `Learner`.
    """

    step: int = 0
    seconds: float = 0.0
    validated: int = 0
    validation_seconds: float = 0.0
    validated_at: float = 0.0
    best: float | None = None
    waiting: int = 0
    parts: int = 1

    @classmethod
    def of(cls, document: Mapping[str, object]) -> Progress:
        """From a file. Raises `ValueError`, `TypeError` or `KeyError` for what no progress can be."""
        found = cls(**{one.name: document[one.name] for one in fields(cls)})  # type: ignore[arg-type]
        counts = (found.step, found.validated, found.waiting, found.parts)
        times = (found.seconds, found.validation_seconds, found.validated_at, found.best or 0.0)
        if not all(type(count) is int and count >= 0 for count in counts) or not all(map(math.isfinite, times)):
            raise ValueError("not a progress")
        return replace(found, parts=max(1, found.parts))

    def document(self) -> dict[str, object]:
        return asdict(self)

    def share(self, length: Length, ahead: float = 0.0) -> float:
        """Of the run that is done, 0 to 1; `ahead`: as if so many more steps were."""
        shares = [0.0]
        if length.steps:
            shares.append((self.step + ahead) / length.steps)
        if length.seconds:
            shares.append(self.seconds / length.seconds)
        return min(1.0, max(shares))

    def over(self, length: Length) -> bool:
        return self.step > 0 and self.share(length) >= 1

    def due(self, length: Length, every: int, first: float = 0.0) -> bool:
        """Whether it is time to validate: every so many steps, or ten times in the run, and always at its end.

        first: how many seconds the first validation may take.
        """
        if self.validated == self.step:
            return False
        if self.over(length):
            return True
        if every:
            return self.step % every == 0
        before = Progress(step=self.validated, seconds=self.validated_at)
        if length.seconds:  # Then validation costs training, and what it may cost is bounded.
            cost = self.validation_seconds or first
            if self.seconds - self.validated_at < cost * (1 / VALIDATION_SHARE - 1):
                return False
        return math.floor(self.share(length) * VALIDATIONS) > math.floor(before.share(length) * VALIDATIONS)

    def note_validation(self, took: float) -> None:
        """took: seconds."""
        self.validated = self.step
        self.validation_seconds, self.validated_at = took, self.seconds + took

    def note_figure(self, metrics: Mapping[str, float], name: str) -> bool:
        """Whether the figure `name`, "loss" or one of which more is better, is the best so far."""
        figure = metrics.get(name)
        if figure is None:
            return False
        if self.best is None or (figure < self.best if name == "loss" else figure > self.best):
            self.best, self.waiting = figure, 0
            return True
        self.waiting += 1
        return False

    def tired(self, patience: int) -> bool:
        """Whether too many validations were no better than the best one."""
        return 0 < patience <= self.waiting
