"""The beginning of a safetensors file, which says what is in it: read before the rest is, or is even there.

Source: the format's description, https://github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path

from seg_demo.errors import UserError, shorten

PREFIX = 8  # bytes, little-endian: the length of the header that follows
LARGEST_HEADER = 1 << 20  # ten times those of the largest networks
MOST_TENSORS = 10_000
LARGEST_NUMBER = 1 << 62  # of a shape, and of a place in the file
DTYPES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4,
    "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip
"""Bytes of a value, by the name of its type."""

Tensors = Mapping[str, tuple[str, tuple[int, ...]]]
"""dtype and shape by the name of a tensor."""


class WeightsError(UserError):
    """A model.safetensors that cannot be used; the sentence names the file and the tensor."""


def header_of(path: Path) -> bytes:
    """The header of a safetensors file, checked against the file's size. Raises `WeightsError`."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            content = file.read(header_length(file.read(PREFIX), size, str(path)))
    except FileNotFoundError:
        raise WeightsError(
            "{path} is missing, so the checkpoint has no weights. Copy the whole folder again.", path=path
        ) from None
    except OSError as error:
        raise WeightsError("{path} cannot be read ({reason}).", path=path, reason=error.strerror or error) from None
    read_header(content, size, str(path))
    return content


def header_length(prefix: bytes, size: int, where: str) -> int:
    """Bytes of the header. prefix: the first 8 of a file of `size` bytes. Raises `WeightsError` where it cannot be."""
    (length,) = struct.unpack("<Q", prefix) if len(prefix) == PREFIX else (0,)
    if not 2 <= length <= min(LARGEST_HEADER, size - PREFIX):
        raise WeightsError("{path} is no safetensors file. Take another checkpoint.", path=where)
    return length


def read_header(content: bytes, size: int, where: str) -> Tensors:
    """The tensors that a header of `content` bytes promises. size: of the whole file, in bytes.

    They must lie in the file one after the other and fill it, so that none can claim to be larger than it is. Raises
    `WeightsError`.
    """
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_once)
        if not isinstance(document, dict) or len(document) > MOST_TENSORS:
            raise ValueError
        metadata = document.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError
        tensors, places = {}, []
        for name, entry in document.items():
            dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
            numbers = (*shape, begin, end)
            if len(shape) > 16 or not all(type(each) is int and 0 <= each < LARGEST_NUMBER for each in numbers):
                raise ValueError
            if dtype not in DTYPES:
                raise WeightsError(
                    '{path}: the weights "{name}" are stored as {dtype}, which is not known. Take another checkpoint.',
                    path=where, name=shorten(name), dtype=shorten(dtype),
                )  # fmt: skip
            if math.prod(shape) * DTYPES[dtype] != end - begin:
                raise ValueError
            tensors[name] = (dtype, shape)
            places.append((begin, end))
    except WeightsError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WeightsError(
            "{path} is no safetensors file, or its header is damaged. Take another checkpoint.", path=where
        ) from None
    behind = 0
    for begin, end in sorted(places):
        if begin != behind:
            raise WeightsError("{path} has gaps between its weights. Take another checkpoint.", path=where)
        behind = end
    if PREFIX + len(content) + behind != size:
        raise WeightsError(
            "{path} is {size} bytes long, but its header promises {wanted}. Take another checkpoint.",
            path=where, size=size, wanted=PREFIX + len(content) + behind,
        )  # fmt: skip
    return tensors


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object that holds each name once: where one is there twice, every reader takes another one."""
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError
    return found
