"""The canvas as a Gradio component: a static page fragment that draws a `CanvasValue`."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData, GradioModel

from seg_demo.ui.canvas.payload import CanvasPicture, encode_image, encode_planes, plane_names

HERE = Path(__file__).parent
# One noun a file; each may use those before it.
SCRIPTS = [
    *("texts", "codec", "painter", "viewport"),
    *("legend", "tip", "filmstrip", "settings", "controls", "canvas"),
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


def page_script() -> str:
    """All JavaScript of the canvas as one function body, the texts in front."""
    texts = json.loads((HERE / "texts.json").read_text(encoding="utf-8"))
    parts = ['"use strict";', f"const TEXTS = {json.dumps(texts, ensure_ascii=False)};"]
    parts += [(HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return "\n".join(parts)


class SegmentationCanvas(gr.HTML):
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
        super().__init__(
            value,
            # The template never mentions the value: Gradio would run a class name in it as code, and
            # re-rendering would wipe what is drawn. Names reach the page as text, through the script.
            html_template=(HERE / "canvas.html").read_text(encoding="utf-8"),
            css_template=(HERE / "canvas.css").read_text(encoding="utf-8"),
            js_on_load=page_script(),
            apply_default_css=False,
            **kwargs,
        )

    def postprocess(  # type: ignore[override]
        self, value: Sequence[CanvasPicture | CanvasImage] | None
    ) -> CanvasValue | None:
        """Parameters: value: pictures in the order of the film strip, or None."""
        if value is None:
            return None
        return CanvasValue(
            pictures=[self.send(picture) if isinstance(picture, CanvasPicture) else picture for picture in value]
        )

    def preprocess(self, payload: CanvasValue | None) -> CanvasValue | None:  # type: ignore[override]
        """What the browser holds; the client wrote it, so a reader must not trust it."""
        return payload

    def api_info(self) -> dict[str, Any]:
        return CanvasValue.model_json_schema()

    def example_payload(self) -> Any:
        return None

    def example_value(self) -> Any:
        return None

    def send(self, picture: CanvasPicture) -> CanvasImage:
        """Encode a picture into Gradio's cache; the result is small and can be yielded again and again."""
        height, width = picture.label_map.shape
        classes = [CanvasClass(id=id, name=name, color=list(color)) for id, name, color in picture.classes]
        return CanvasImage(
            name=picture.name,
            width=width,
            height=height,
            image=self._file(encode_image(picture.image), "image.jpg", "image/jpeg"),
            planes=self._file(encode_planes(picture), "planes.bin", "application/octet-stream"),
            meta=CanvasMeta(
                task=picture.task,
                classes=classes,
                planes=plane_names(picture),
                level=picture.level,
                ignore_index=picture.ignore_index,
                notes=picture.notes,
            ),
        )

    def _file(self, data: bytes, name: str, mime_type: str) -> FileData:
        """Put `data` into Gradio's cache under its hash; what is there already may be on its way to a browser."""
        path = Path(self.GRADIO_CACHE) / hashlib.sha256(data).hexdigest() / name
        try:
            os.utime(path)  # Gradio deletes by age
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(data)
            Path(file.name).replace(path)
        return FileData(path=str(path.resolve()), size=len(data), mime_type=mime_type, orig_name=name)
