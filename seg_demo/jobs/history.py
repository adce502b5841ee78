"""All that is to be seen of a run while it goes on, read from its folder, each time only what is new."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path
from typing import Any

from seg_demo.jobs.curve import MOST, Curve
from seg_demo.jobs.files import finite, read_object

LOG_LINES, LOG_BYTES, LOG_WIDTH = 200, 1 << 16, 500
SEEN = 512  # bytes before the place that was read up to; if they are others now, so is all the rest
LINE = 1 << 20  # bytes; what is longer is no event
PACE = 0.9  # of how quick it was before, in how quick it is
SAMPLE = re.compile(r"samples/\d{1,12}/[^/\\\x00]+\.jpg")


class History:
    """The history of the run in `folder`. Any thread may ask for it."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._events = self.folder / "events.jsonl"
        self._lock = threading.Lock()
        self._begin()

    def document(self) -> dict[str, Any]:
        """As a JSON object; curves have at most 400 points, each the mean of as many steps, and the newest step last.

        A run that is missing or damaged has an empty one; figures that are not finite are null.
        """
        with self._lock:
            self._read()
            return {
                **self._now, "left": self._left(), "classes": self._classes(), "steps": self._steps.document(),
                "validations": _thinned(self._validations), "best": self._best, "resumed": list(self._resumed),
                "memory_short": list(self._short), "samples": list(self._samples), "log": self._log(),
            }  # fmt: skip

    def _begin(self) -> None:
        self._offset, self._seen, self._inode = 0, b"", 0
        self._now: dict[str, Any] = {
            "share": 0.0, "step": 0, "steps_in_all": 0, "epoch": 0.0, "seconds": 0.0, "images_per_second": 0.0,
            "learning_rate": 0.0, "memory": 0, "device": "", "precision": "", "pictures": 0, "drawn": 0,
            "validation": 0,
        }  # fmt: skip
        self._steps = Curve(("loss", "learning_rate", "images_per_second"))
        self._validations: list[dict[str, Any]] = []
        self._short: list[dict[str, int]] = []
        self._samples: list[dict[str, Any]] = []
        self._resumed: list[int] = []
        self._best: int | None = None
        self._parts = 0
        self._part: tuple[float, float] | None = None  # of its first step: share and seconds
        self._finished = False

    def _read(self) -> None:
        """What was written since the last time; all of it where the file is another one, or was cut."""
        try:
            with open(self._events, "rb") as file:
                status = os.fstat(file.fileno())
                file.seek(self._offset - len(self._seen))
                if status.st_ino != self._inode or file.read(len(self._seen)) != self._seen:
                    self._begin()
                    self._inode = status.st_ino
                file.seek(self._offset)
                new = file.read()
        except OSError:
            self._begin()
            return
        whole = new[: new.rfind(b"\n") + 1]
        for line in whole.split(b"\n"):
            self._take(line)
        self._offset += len(whole)
        self._seen = (self._seen + whole)[-SEEN:]

    def _take(self, line: bytes) -> None:
        if not line or len(line) > LINE:
            return
        try:
            event = json.loads(line)
            kind = event["event"]
            if take := _TAKERS.get(kind):
                take(self, event)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return  # A damaged line is as none.

    def _started(self, event: dict[str, Any]) -> None:
        now = {name: _whole(event[name]) for name in ("pictures", "drawn", "validation")}
        now |= {"steps_in_all": _whole(event["steps"]), "step": _whole(event["step"])}
        self._now |= now | {name: _plain(event[name])[:40] for name in ("device", "precision")}
        if self._parts:
            self._resumed.append(now["step"])
        self._parts += 1
        self._part, self._finished = None, False

    def _step(self, event: dict[str, Any]) -> None:
        step, loss = _whole(event["step"]), _finite(event["loss"])
        names = ("epoch", "share", "seconds", "learning_rate", "images_per_second")
        now: dict[str, Any] = {name: _finite(event[name]) for name in names}
        now |= {"step": step, "memory": _whole(event.get("memory", 0))}
        speed, before = now["images_per_second"], self._now["images_per_second"]
        if before > 0 and speed > 0 and self._part:  # as many pictures in as much time: a mean of the times
            now["images_per_second"] = 1 / (PACE / before + (1 - PACE) / speed)
        self._steps.add(step, [loss, now["learning_rate"], speed])
        self._part = self._part or (now["share"], now["seconds"])
        self._now |= now

    def _validated(self, event: dict[str, Any]) -> None:
        figures = event["metrics"].items()
        metrics = {_plain(name): finite(value) for name, value in figures}
        names = [one["name"] for one in self._classes()]
        self._validations.append(
            {
                "step": _whole(event["step"]),
                "epoch": _finite(event["epoch"]),
                "metrics": {name: value for name, value in metrics.items() if not name.startswith("iou_")},
                "iou": [metrics.get(f"iou_{name}") for name in names],
            }
        )

    def _saved(self, event: dict[str, Any]) -> None:
        if event["kind"] == "best":
            self._best = _whole(event["step"])

    def _drew(self, event: dict[str, Any]) -> None:
        file = event["file"]
        if SAMPLE.fullmatch(file) and ".." not in file:
            self._samples.append({"step": _whole(event["step"]), "name": _plain(event["name"]), "file": _plain(file)})

    def _cut(self, event: dict[str, Any]) -> None:
        self._short.append({"step": _whole(event["step"]), "parts": _whole(event["parts"])})

    def _end(self, event: dict[str, Any]) -> None:
        self._now |= {"step": _whole(event["step"]), "seconds": _finite(event["seconds"])}
        self._now["share"] = 1.0  # also where it ended early, and where the last step's time was short of it
        self._finished = True

    def _left(self) -> float | None:
        """Seconds until the end, by what this part of the run has come to: others may have been on other machines."""
        if self._finished:
            return 0.0
        if self._part is None or self._now["share"] <= self._part[0]:
            return None
        share, seconds = self._part
        return (1 - self._now["share"]) * (self._now["seconds"] - seconds) / (self._now["share"] - share)

    def _classes(self) -> list[dict[str, Any]]:
        data = read_object(self.folder / "config.json").get("data")
        classes = data.get("classes") if isinstance(data, dict) else None
        try:
            pairs = zip(classes["names"], classes["colors"], strict=True)  # type: ignore[index]
            return [{"name": _plain(name), "color": [_whole(part) for part in color][:3]} for name, color in pairs]
        except (TypeError, KeyError, ValueError):
            return []

    def _log(self) -> list[str]:
        try:
            with open(self.folder / "log.txt", "rb") as log:
                start = max(0, os.fstat(log.fileno()).st_size - LOG_BYTES)
                log.seek(start)
                lines = log.read(LOG_BYTES).decode("utf-8", "replace").split("\n")
        except OSError:
            return []
        return [line[:LOG_WIDTH] for line in lines[1 if start else 0 :] if line][-LOG_LINES:]


_TAKERS = {
    "RunStarted": History._started, "StepDone": History._step, "MemoryShort": History._cut,
    "SampleDrawn": History._drew, "EpochDone": History._validated, "CheckpointSaved": History._saved,
    "RunFinished": History._end,
}  # fmt: skip


def _whole(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 53:  # which a browser counts exactly
        raise ValueError("not a count")
    return value


def _finite(value: object) -> float:
    found = finite(value)
    if found is None:
        raise ValueError("not a figure")
    return found


def _plain(text: object) -> str:
    """Without what is no Unicode, as names of files may be."""
    return str(text).encode("utf-8", "replace").decode()


def _thinned(validations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every so many of them, the newest among them."""
    every = -(-len(validations) // MOST)
    return validations[::-1][:: max(1, every)][::-1]
