"""The laboratory as a Gradio component: a static page fragment that draws a `LabValue`."""

from __future__ import annotations

import base64
import functools
from pathlib import Path
from typing import Any

import numpy as np
from gradio.data_classes import FileData, GradioModel

from seg_demo.ui.canvas.component import SHARED_SCRIPTS
from seg_demo.ui.component import BrowserComponent
from seg_demo.ui.lab.payload import Subject

HERE = Path(__file__).parent
# One noun a file; each may use those before it.
NAMES = "levels sweep choices filtering state panes chart curves tables controls lab handle".split()
SCRIPTS = [*SHARED_SCRIPTS, *(HERE / f"{name}.js" for name in NAMES)]
WORKER = [HERE / "components.js", HERE / "worker.js"]


class LabMeta(GradioModel):
    """What the browser needs to read the planes and to say what they are."""

    planes: list[str]
    model: str
    class_name: str
    color: list[int]
    task: str
    threshold: float
    writable: bool
    automatic: dict[str, int]
    colormap: str
    link: dict[str, str]
    state: dict[str, float | None] | None = None


class LabPicture(GradioModel):
    """The picture as it travels: the photo, the gzipped planes, and how to read them."""

    name: str
    width: int
    height: int
    image: FileData
    planes: FileData
    meta: LabMeta


class LabDataSet(GradioModel):
    """Pixels of a data set by label and probability: counts[0] of background, counts[1] of the class, 256 each."""

    name: str
    split: str
    pictures: int
    model: str
    class_name: str
    counts: list[list[int]]


class LabValue(GradioModel):
    """All that the laboratory shows."""

    picture: LabPicture | None = None
    data_set: LabDataSet | None = None


class ThresholdLab(BrowserComponent):
    """Shows how a threshold turns probabilities into a mask; every move of it happens in the browser, with no request.

    Takes a `LabValue` (or None for the empty state) as an event's output. The same picture again keeps the threshold
    and the filters where the visitor left them.

    >>> import gradio as gr
    >>> with gr.Blocks() as demo:
    ...     lab = ThresholdLab()
    """

    data_model = LabValue

    def __init__(self, value: LabValue | None = None, **kwargs: Any) -> None:
        """kwargs: as for `gr.HTML` (elem_id, visible, scale, ...)."""
        super().__init__(value, HERE, "lab", SCRIPTS, WORKER, **kwargs)

    def postprocess(self, value: LabValue | None) -> LabValue | None:  # type: ignore[override]
        """Parameters: value: what to show, or None."""
        return value

    def send(self, subject: Subject) -> LabPicture:
        """Encode a picture into Gradio's cache; the result is small and can be yielded again and again."""
        height, width = subject.plane.shape
        return LabPicture(
            name=subject.name,
            width=width,
            height=height,
            image=self.cached_image(subject.image),
            planes=self.cached_planes(subject.planes),
            meta=LabMeta(
                planes=["probabilities", "labels"][: len(subject.planes)],
                model=subject.model,
                class_name=subject.class_name,
                color=list(subject.color),
                task=subject.task,
                threshold=subject.threshold,
                writable=subject.writable,
                automatic=subject.automatic,
                colormap=heat_colors(),
                link=subject.link,
                state=subject.state,
            ),
        )


@functools.cache
def heat_colors() -> str:
    """viridis as base64 of (256, 3) uint8 RGB: the colours that the figures have as well, even in lightness."""
    from matplotlib import colormaps  # late: it would make the page wait

    colors = colormaps["viridis"](np.arange(256))[:, :3]
    return base64.b64encode((colors * 255).round().astype(np.uint8).tobytes()).decode()
