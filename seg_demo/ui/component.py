"""What the page's own browser components share: a static fragment, its script, and files in Gradio's cache."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.data_classes import FileData
from PIL import Image

# Measured on a 1024x1024 confidence plane with the difference to the row above: level 4 packs it in 15 ms to
# 220 kB, level 6 in 50 ms to 201 kB, level 9 in 620 ms to 188 kB. With the difference to the pixel on the
# left level 4 gives 254 kB, with none 327 kB.
GZIP_LEVEL = 4
JPEG_QUALITY = 90


class BrowserComponent(gr.HTML):
    """Draws its value in the browser; the value is files in the cache and small facts about them.

    The template never mentions the value: Gradio would run a class name in it as code, and re-rendering would wipe
    what is drawn. Names reach the page as text, through the script.
    """

    def __init__(
        self, value: Any, folder: Path, name: str, scripts: Sequence[Path], worker: Sequence[Path] = (), **kwargs: Any
    ) -> None:
        """folder: holds `name`.html, `name`.css, and texts.json, the texts per language, which the script has as TEXTS.

        scripts: JavaScript files, each may use those before it. worker: those of a Web Worker, whose source the script
        has as WORKER. kwargs: as for `gr.HTML`.
        """
        super().__init__(
            value,
            html_template=(folder / f"{name}.html").read_text(encoding="utf-8"),
            css_template=(folder / f"{name}.css").read_text(encoding="utf-8"),
            js_on_load=page_script(scripts, folder / "texts.json", worker),
            apply_default_css=False,
            **kwargs,
        )

    def preprocess(self, payload: Any) -> Any:
        """What the browser holds; the client wrote it, so a reader must not trust it."""
        return payload

    def api_info(self) -> dict[str, Any]:
        assert self.data_model is not None
        return self.data_model.model_json_schema()

    def example_payload(self) -> Any:
        return None

    def example_value(self) -> Any:
        return None

    def cached_image(self, image: np.ndarray) -> FileData:
        """(H, W, 3) uint8 RGB as a JPEG of its own size."""
        return self._cached(encode_image(image), "image.jpg", "image/jpeg")

    def cached_planes(self, planes: Sequence[np.ndarray]) -> FileData:
        """(H, W) uint8 each, exact."""
        return self._cached(encode_planes(planes), "planes.bin", "application/octet-stream")

    def _cached(self, data: bytes, name: str, mime_type: str) -> FileData:
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


def page_script(scripts: Sequence[Path], texts: Path, worker: Sequence[Path] = ()) -> str:
    """JavaScript files as one function body, the texts and the source of the worker in front."""
    parts = ['"use strict";', f"const TEXTS = {json.dumps(json.loads(texts.read_text('utf-8')), ensure_ascii=False)};"]
    if worker:
        source = "\n".join(path.read_text("utf-8") for path in worker)
        parts.append(f"const WORKER = {json.dumps(source, ensure_ascii=False)};")
    return "\n".join([*parts, *(path.read_text("utf-8") for path in scripts)])


def encode_image(image: np.ndarray) -> bytes:
    """(H, W, 3) uint8 -> JPEG at its own size."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def encode_planes(planes: Sequence[np.ndarray]) -> bytes:
    """(H, W) uint8 each, as the difference to the row above (modulo 256), one after the other, gzipped; exact."""
    packed = b"".join(_row_delta(plane).tobytes() for plane in planes)
    return gzip.compress(packed, GZIP_LEVEL, mtime=0)  # no time stamp: equal planes share one cache file


def _row_delta(plane: np.ndarray) -> np.ndarray:
    delta = plane.copy()  # (H, W) uint8
    delta[1:] -= plane[:-1]  # wraps modulo 256, and so does the browser's Uint8Array
    return delta
