"""A run as a folder: what its events leave behind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from seg_demo.errors import UserError
from seg_demo.train.config import TrainConfig
from seg_demo.train.events import Event


def record(
    events: Iterable[Event], config: TrainConfig, run: Path, about: Mapping[str, object] | None = None
) -> Iterator[Event]:
    """Pass `events` on, and keep them: `run`/config.json and one JSON line per event in `run`/events.jsonl.

    about: what else is known of the run, such as the fingerprint of its data; kept in config.json under "about".
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        (run / "config.json").write_text(
            json.dumps({**asdict(config), "about": dict(about or {})}, indent=2) + "\n", "utf-8"
        )
    except OSError as error:
        raise UserError(
            "The run cannot be written to {folder} ({reason}). Choose another folder.",
            folder=run, reason=error.strerror or error,
        ) from None  # fmt: skip
    with open(run / "events.jsonl", "w", encoding="utf-8") as file:
        for event in events:
            line = {"event": type(event).__name__, **asdict(event)}
            file.write(json.dumps(line, default=str) + "\n")
            file.flush()
            yield event
