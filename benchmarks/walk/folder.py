"""A run's folder, looked at from outside while the page and the run's process use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seg_demo.jobs.job import Job


class RunFolder:
    """The run of a job, by what is on the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.job = folder, Job(folder)

    @property
    def name(self) -> str:
        return self.folder.name

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """All whole lines, or those of one kind."""
        try:
            lines = (self.folder / "events.jsonl").read_text("utf-8").split("\n")[:-1]
        except OSError:
            return []
        found = [json.loads(line) for line in lines]
        return [event for event in found if not kind or event["event"] == kind]

    @property
    def begun(self) -> bool:
        """Whether there is an event."""
        return b"\n" in self._bytes()

    @property
    def seconds(self) -> float:
        """Of training so far."""
        return self.job.state.seconds

    @property
    def steps(self) -> list[int]:
        """The number of every step in the order in which they were told."""
        return [event["step"] for event in self.events("StepDone")]

    @property
    def validations(self) -> list[int]:
        """The steps that were measured after."""
        return [event["step"] for event in self.events("EpochDone") if event["metrics"]]

    @property
    def process(self) -> int | None:
        """The number of the process, while it lives."""
        process = self.job.process
        return process.number if process and process.lives else None

    def _bytes(self) -> bytes:
        try:
            with open(self.folder / "events.jsonl", "rb") as file:
                return file.read(4096)
        except OSError:
            return b""


def run_folders(runs: Path) -> set[Path]:
    return {path for path in runs.glob("*") if path.is_dir() and not path.name.startswith(".")}
