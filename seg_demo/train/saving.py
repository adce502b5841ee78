"""What a run leaves on the disk while it goes on: its state, to be resumed, and checkpoints, to be used."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from seg_demo.checkpoint import CheckpointConfig, save_checkpoint
from seg_demo.train.config import TrainConfig
from seg_demo.train.events import CheckpointSaved
from seg_demo.train.learner import Learner
from seg_demo.train.pictures import Pictures
from seg_demo.train.progress import Progress
from seg_demo.train.ranks import Ranks
from seg_demo.train.run import Run

SAVING_SHARE = 0.05  # of the time that may be spent on saving the state


class Saving:
    """Saves the state and the checkpoints of a run; of several processes, only one writes."""

    def __init__(
        self, run: Run, learner: Learner, config: TrainConfig, pictures: Pictures, about: dict[str, Any], ranks: Ranks
    ) -> None:
        self.run, self.learner, self.train_config, self.pictures = run, learner, config, pictures
        self.about, self.ranks = about, ranks
        self.saved_at = self.took = 0.0
        self.marked: tuple[Progress, int] | None = None

    def load(self) -> Progress:
        """Bring the learner into the state that was saved last, or leave it as it is."""
        saved = self.run.load_state()
        progress, events = Progress(parts=self.learner.parts), 0
        if saved is not None:
            tensors, document = saved
            self.learner.load(tensors)
            progress, events = Progress.of(document), document["events"]
            self.learner.parts = progress.parts
        if self.ranks.writes:
            self.run.forget(events, progress.step + (0 < progress.validated == progress.step))
        return progress

    def mark(self, progress: Progress | None) -> None:
        """Until this is called again, `state` saves the progress and the events of now; None ends that."""
        self.marked = (replace(progress), self.run.recorded) if progress else None

    def due(self, now: float) -> bool:
        """now: seconds since the loop began."""
        return now - self.saved_at > max(self.train_config.save_every, self.took / SAVING_SHARE)

    def state(self, progress: Progress, now: float) -> None:
        begun = time.perf_counter()
        progress, events = self.marked or (progress, self.run.recorded)
        progress.parts = self.learner.parts
        if self.ranks.writes:
            self.run.save_state(self.learner.tensors(), {**progress.document(), "events": events})
        self.took = self.ranks.first(time.perf_counter() - begun)
        self.saved_at = now + self.took

    def checkpoint(self, kind: str, progress: Progress, metrics: Mapping[str, float] | None = None) -> CheckpointSaved:
        """Write `last` or `best`; metrics: of the validation that was just made."""
        folder = self.run.best if kind == "best" else self.run.last
        if self.ranks.writes:
            save_checkpoint(folder, self.learner.saved, self.config(progress, metrics))
        return CheckpointSaved(progress.step, kind, folder)

    def config(self, progress: Progress, metrics: Mapping[str, float] | None = None) -> CheckpointConfig:
        """What a checkpoint of now says of itself."""
        settings, pictures = self.train_config, self.pictures
        counts = {"photos": len(pictures.real), "drawn": len(pictures.drawn), "validation": len(pictures.validation)}
        training = {
            "data": pictures.name, "split": settings.data.split, "data_fingerprint": pictures.fingerprint,
            "pictures": counts, **self.about, "steps": progress.step, "seed": settings.seed,
        }  # fmt: skip
        return CheckpointConfig(
            settings.model.architecture, settings.model.arguments, pictures.task, pictures.classes,
            settings.data.preprocessing, training=training,
            metrics={f"validation, {counts['validation']} pictures": dict(metrics)} if metrics else {},
        )  # fmt: skip
