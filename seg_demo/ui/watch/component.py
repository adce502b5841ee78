"""A training run as a Gradio component: a static page fragment that draws what `jobs.history` has read of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from gradio import processing_utils
from gradio.data_classes import FileData, GradioModel

from seg_demo.ui.canvas.component import SHARED_SCRIPTS
from seg_demo.ui.component import BrowserComponent

HERE = Path(__file__).parent
# One noun a file; each may use those before it. Of the shared ones, those of texts and nodes.
NAMES = "numbers series plot curves head bars film log watch handle".split()
SCRIPTS = [*SHARED_SCRIPTS[:2], *(HERE / f"{name}.js" for name in NAMES)]
# The whole value travels about once a second, and a picture in it takes about 500 bytes.
MOST_SAMPLES = 200
MOST_KNOWN = 10_000  # sample files whose place in Gradio's cache is remembered


class WatchState(GradioModel):
    """What the run is doing. position: runs that go first; sentence: more about it, in the visitor's language."""

    kind: Literal["waiting", "starting", "running", "stopping", "stopped", "finished", "failed"]
    position: int = 0
    sentence: str = ""


class WatchSample(GradioModel):
    """A validation picture at a step: image, label map and prediction side by side."""

    step: int
    name: str
    file: FileData


class WatchValue(GradioModel):
    """All that is shown. document: what `jobs.history` makes of a run, but for its samples."""

    name: str
    state: WatchState
    document: dict[str, Any]
    samples: list[WatchSample]


class Watched(NamedTuple):
    """A run to be shown.

    document: as `jobs.history` makes it; the files of its samples are paths in `folder`, the run's own
    name: shown as text, never as HTML
    """

    document: Mapping[str, Any]
    folder: Path
    name: str
    state: WatchState


class RunWatch(BrowserComponent):
    """Shows how a run learns: how far it is, curves, IoU per class, predictions through time, and the log.

    Takes a `Watched` (or None for the empty state) as an event's output, again and again while the run goes on. What
    the visitor has chosen stays as it is, until a run with another name comes.

    >>> import gradio as gr
    >>> with gr.Blocks() as demo:
    ...     watch = RunWatch()
    """

    data_model = WatchValue

    def __init__(self, value: Watched | None = None, **kwargs: Any) -> None:
        """kwargs: as for `gr.HTML` (elem_id, visible, scale, ...)."""
        self._known: dict[tuple[Path, int], FileData] = {}
        super().__init__(value, HERE, "watch", SCRIPTS, **kwargs)

    def postprocess(self, value: Watched | None) -> WatchValue | None:  # type: ignore[override]
        """Parameters: value: what to show, or None."""
        if value is None:
            return None
        document, folder, name, state = value
        kept = thinned(document["samples"], MOST_SAMPLES, document["best"])
        return WatchValue(
            name=name,
            state=state,
            document={key: part for key, part in document.items() if key != "samples"},
            samples=list(self._sent(kept, Path(folder))),
        )

    def _sent(self, samples: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[WatchSample]:
        """Those whose files are there: a run that goes on from an earlier step deletes what came after it."""
        for sample in samples:
            try:
                file = self._copied(folder, sample["file"])
            except (OSError, ValueError):
                continue
            yield WatchSample(step=sample["step"], name=sample["name"], file=file)

    def _copied(self, folder: Path, name: str) -> FileData:
        """A file of the run in Gradio's cache; it is read only when it is new or has changed.

        Raises OSError where there is none, ValueError for a file that is not in the folder.
        """
        path = folder / name
        key = path, path.stat().st_mtime_ns
        if found := self._known.get(key):
            try:
                os.utime(found.path)  # Gradio deletes by age
                return found
            except FileNotFoundError:
                pass
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{path} is not in {folder}.")
        copy = processing_utils.save_file_to_cache(path, self.GRADIO_CACHE)
        while len(self._known) >= MOST_KNOWN:
            self._known.pop(next(iter(self._known)), None)
        self._known[key] = found = FileData(path=copy, orig_name=path.name)
        return found


def thinned(samples: Sequence[Mapping[str, Any]], most: int, best: int | None) -> list[Mapping[str, Any]]:
    """About `most` samples: those of every 1st, 2nd, 4th, ... step that has any, of the newest and of the `best`.

    What is kept of a run hardly changes while it grows, so the browser has most of the pictures already.

    >>> samples = [{"step": step} for step in range(10, 110, 10)]
    >>> [sample["step"] for sample in thinned(samples, 3, 20)]
    [10, 20, 50, 90, 100]
    """
    steps = sorted({sample["step"] for sample in samples})
    stride = 1
    while stride < len(steps) and len(samples) / stride > most:
        stride *= 2
    kept = {*steps[::stride], *steps[-1:], best}
    return [sample for sample in samples if sample["step"] in kept]
