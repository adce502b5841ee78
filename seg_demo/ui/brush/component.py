"""The painter as a Gradio component: a static page fragment in which a `BrushValue` is painted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from gradio.data_classes import FileData, GradioModel
from PIL import Image

from seg_demo.ui.brush.payload import LabelWork
from seg_demo.ui.canvas.component import SHARED_SCRIPTS
from seg_demo.ui.component import BrowserComponent, encode_planes

HERE = Path(__file__).parent
# One noun a file; each may use those before it.
NAMES = "pack polygon plane history port overlay cursor lasso tools legend work shelf packing keeper controls painter"
SCRIPTS = [*SHARED_SCRIPTS, *(HERE / f"{name}.js" for name in [*NAMES.split(), "handle"])]
WORKER = [HERE / "pack.js", HERE / "worker.js"]
# Phones refuse to decode much more; the label map keeps the picture's own size whatever the image's is.
MOST_IMAGE_PIXELS = 16_000_000


class BrushClass(GradioModel):
    """One class; its id is its position in the list. color: [r, g, b]."""

    name: str
    color: list[int]


class BrushValue(GradioModel):
    """One picture as it travels.

    width, height: of the label map. image: JPEG, of the same shape, and smaller where that is more than
    `MOST_IMAGE_PIXELS`. labels, draft: gzipped planes, or None. version: tells one saved label map from another, "" is
    none. place: [position from 1, number of pictures], or None.
    """

    key: str
    name: str
    width: int
    height: int
    image: FileData
    image_width: int
    labels: FileData | None = None
    version: str = ""
    draft: FileData | None = None
    can_draft: bool = False
    classes: list[BrushClass]
    place: list[int] | None = None


class LabelPainter(BrowserComponent):
    """Paints a label map over a picture; the server is asked for nothing before it is saved.

    Takes a `LabelWork`, a `BrushValue` or None (the empty state) as an event's output. The same picture again, by its
    key, keeps what was painted since: answer "save" with the picture as it is saved now, or with another one. What is
    not saved stays in the visitor's browser and comes back when the picture does, also after a reload.

    Events: "save", "next", "previous", "draft". The data of each are a dict with "key" and "name" of the picture; those
    of "save" are for `read_saved` and have "go" as well: "stay", "next" or "previous", where the visitor wants to be
    afterwards. Those of "draft" ask for the same picture with a `draft`.

    >>> import gradio as gr
    >>> with gr.Blocks() as demo:
    ...     painter = LabelPainter()
    """

    data_model = BrushValue

    def __init__(self, value: LabelWork | None = None, **kwargs: Any) -> None:
        """value: what to start with; kwargs: as for `gr.HTML` (elem_id, visible, scale, ...)."""
        super().__init__(value, HERE, "brush", SCRIPTS, WORKER, **kwargs)

    def postprocess(self, value: LabelWork | BrushValue | None) -> BrushValue | None:  # type: ignore[override]
        """Parameters: value: what to paint on, or None."""
        return self.send(value) if isinstance(value, LabelWork) else value

    def send(self, work: LabelWork) -> BrushValue:
        """Encode a picture into Gradio's cache; the result is small and can be returned again and again."""
        height, width = work.size
        shown = travelling(work.image)
        image = self.cached_image(shown)
        labels, version = None, ""
        if work.label_map is not None:
            packed = encode_planes([work.label_map])
            labels, version = self._cached(packed, "planes.bin", "application/octet-stream"), version_of(packed)
        return BrushValue(
            key=work.key or Path(image.path).parent.name,
            name=work.name,
            width=width,
            height=height,
            image=image,
            image_width=shown.shape[1],
            labels=labels,
            version=version,
            draft=None if work.draft is None else self.cached_planes([work.draft]),
            can_draft=work.can_draft,
            classes=[
                BrushClass(name=name, color=list(color))
                for name, color in zip(work.classes.names, work.classes.colors, strict=True)
            ],
            place=None if work.place is None else list(work.place),
        )


def version_of(packed: bytes) -> str:
    """What tells one plane from another: the checksum near the end of its gzip file, which the browser has as well."""
    return f"{int.from_bytes(packed[-8:-4], 'little'):08x}"


def travelling(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8, made smaller where it has more than `MOST_IMAGE_PIXELS`."""
    height, width = image.shape[:2]
    factor = math.sqrt(MOST_IMAGE_PIXELS / (width * height))
    if factor >= 1:
        return image
    size = max(1, int(width * factor)), max(1, int(height * factor))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
