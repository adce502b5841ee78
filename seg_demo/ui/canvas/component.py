"""The canvas as a Gradio component: a static page fragment that draws a `CanvasValue`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gradio.data_classes import FileData, GradioModel

from seg_demo.ui.canvas.payload import CanvasPicture, plane_names, planes_of
from seg_demo.ui.component import BrowserComponent

HERE = Path(__file__).parent
# One noun a file; each may use those before it.
SHARED_SCRIPTS = [HERE / f"{name}.js" for name in ("texts", "nodes", "codec", "viewport")]
SCRIPTS = SHARED_SCRIPTS + [
    HERE / f"{name}.js" for name in ("painter", "legend", "tip", "filmstrip", "settings", "controls", "canvas")
]


class CanvasClass(GradioModel):
    """One class: its id in the label map, its name, its colour as [r, g, b]."""

    id: int
    name: str
    color: list[int]


class CanvasMeta(GradioModel):
    """What the browser needs to read the planes and to name what it sees in them."""

    task: str
    classes: list[CanvasClass]
    planes: list[str]
    level: int | None = None
    ignore_index: int = 255
    notes: dict[str, str | float]


class CanvasImage(GradioModel):
    """One picture as it travels: the photo, the gzipped planes, and how to read them."""

    name: str
    width: int
    height: int
    image: FileData
    planes: FileData
    meta: CanvasMeta


class CanvasValue(GradioModel):
    """All pictures of one canvas; more than one makes a film strip."""

    pictures: list[CanvasImage]


class SegmentationCanvas(BrowserComponent):
    """Shows pictures with their label maps; every interaction happens in the browser, with no request.

    Takes a list of `CanvasPicture` (or None for the empty state) as an event's output. A list that extends
    the one before, as a generator yields it, keeps the user's selection and settings. While an event is
    pending the old picture stays up under a thin bar, unless the event says `show_progress="hidden"`.

    >>> import gradio as gr
    >>> with gr.Blocks() as demo:
    ...     canvas = SegmentationCanvas()
    """

    data_model = CanvasValue

    def __init__(self, value: list[CanvasPicture] | None = None, **kwargs: Any) -> None:
        """value: pictures to start with; kwargs: as for `gr.HTML` (elem_id, visible, scale, ...)."""
        super().__init__(value, HERE, "canvas", SCRIPTS, **kwargs)

    def postprocess(  # type: ignore[override]
        self, value: Sequence[CanvasPicture | CanvasImage] | None
    ) -> CanvasValue | None:
        """Parameters: value: pictures in the order of the film strip, or None."""
        if value is None:
            return None
        return CanvasValue(
            pictures=[self.send(picture) if isinstance(picture, CanvasPicture) else picture for picture in value]
        )

    def send(self, picture: CanvasPicture) -> CanvasImage:
        """Encode a picture into Gradio's cache; the result is small and can be yielded again and again."""
        height, width = picture.label_map.shape
        classes = [CanvasClass(id=id, name=name, color=list(color)) for id, name, color in picture.classes]
        return CanvasImage(
            name=picture.name,
            width=width,
            height=height,
            image=self.cached_image(picture.image),
            planes=self.cached_planes(planes_of(picture)),
            meta=CanvasMeta(
                task=picture.task,
                classes=classes,
                planes=plane_names(picture),
                level=picture.level,
                ignore_index=picture.ignore_index,
                notes=picture.notes,
            ),
        )
