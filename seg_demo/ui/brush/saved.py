"""What the browser sends when a label map is saved; anybody can send anything, so all of it is checked."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping

import numpy as np

from seg_demo.classes import IGNORE_INDEX
from seg_demo.errors import UserError


def read_saved(data: object, expected_size: tuple[int, int], num_classes: int) -> np.ndarray:
    """The label map in the data of the event "save": (H, W) uint8, class ids below `num_classes`, or 255.

    data: `gr.EventData._data`, as the browser sent it. expected_size: (height, width) of the picture on the server.
    Never takes more memory than a label map of that size. Raises `UserError` for anything that is not one.
    """
    height, width = expected_size
    packed = _packed(data, height * width)
    found = data if isinstance(data, Mapping) else {}
    if (found.get("height"), found.get("width")) != (height, width):
        raise UserError(
            "The label map was painted on a picture of another size than {width} x {height} pixels. Reload the page.",
            width=width, height=height,
        )  # fmt: skip
    rows = np.frombuffer(_inflated(packed, height * width), np.uint8).reshape(height, width)
    label_map = np.cumsum(rows, axis=0, dtype=np.uint8)  # the difference to the row above, modulo 256
    strangers = np.flatnonzero(np.bincount(label_map.ravel(), minlength=256)[num_classes:IGNORE_INDEX])
    if len(strangers):
        raise UserError(
            "The label map holds the class {value}, but there are {count} classes, 0 to {last}. Reload the page.",
            value=int(strangers[0]) + num_classes, count=num_classes, last=num_classes - 1,
        )  # fmt: skip
    return label_map


def _packed(data: object, pixels: int) -> bytes:
    """The gzip file. What cannot be packed at all grows by five bytes a block."""
    text = data.get("plane") if isinstance(data, Mapping) else None
    if not isinstance(text, str) or len(text) > (pixels + pixels // 1000 + 1024) * 4 // 3 + 4:
        raise _damaged()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: characters beyond ASCII
        raise _damaged() from None


def _inflated(packed: bytes, pixels: int) -> bytes:
    """Exactly `pixels` bytes; what unpacks into more is given up there."""
    unpacking = zlib.decompressobj(wbits=31)
    try:
        plane = unpacking.decompress(packed, pixels + 1)
    except zlib.error:
        raise _damaged() from None
    if len(plane) != pixels or not unpacking.eof or unpacking.unused_data:
        raise _damaged()
    return plane


def _damaged() -> UserError:
    return UserError("The label map did not arrive as a whole. Save it again.")
