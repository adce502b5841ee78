"""Run lengths: masks as numbers of pixels that are off, on, off, ..."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seg_demo.data.images import MAX_PIXELS
from seg_demo.data.polygons.entries import Entry
from seg_demo.errors import UserError


def mask_of_runs(entry: Entry, height: int, width: int, *, by_columns: bool = False) -> np.ndarray:
    """A list of run lengths, the first of pixels that are off -> (height, width) bool.

    CVAT counts along rows, COCO along columns. Raises `UserError` where the runs do not fill the mask exactly.
    """
    if height * width > MAX_PIXELS:
        raise UserError(
            "{file}: {where} fills {width} x {height} pixels, more than a picture may have. Export the file again.",
            file=entry.file, where=entry.where, width=width, height=height,
        )  # fmt: skip
    runs = entry.value
    if not isinstance(runs, list) or not all(type(run) is int and 0 <= run <= MAX_PIXELS for run in runs):
        runs = [run.whole(0, MAX_PIXELS) for run in entry.items()]
    runs = np.array(runs, np.int64)
    if runs.sum() != height * width:
        raise UserError(
            "{file}: {where} fills {pixels} pixels, but its mask has {width} x {height}. Export the file again.",
            file=entry.file, where=entry.where, pixels=int(runs.sum()), width=width, height=height,
        )  # fmt: skip
    return laid_out(runs, width, height).T if by_columns else laid_out(runs, height, width)


def laid_out(runs: Sequence[int] | np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Run lengths that fill (rows, columns) exactly -> bool, row by row."""
    return np.repeat(np.arange(len(runs)) & 1, runs).astype(bool).reshape(rows, columns)


def unpack_runs(text: bytes) -> list[int]:
    """The run lengths behind COCO's compressed text, whose format is set by `rleToString` of cocoapi/common/maskApi.c.

    Six bits a character from "0", of which one says that more follow and the first of the last is the sign; from the
    fourth number on, each is the difference to the last but one. Decoded here, because pycocotools trusts the text.
    Raises `ValueError` where it is none.
    """
    runs: list[int] = []
    number = shift = 0
    for sign in text:
        bits = sign - 48
        if not 0 <= bits < 64 or shift > 35:
            raise ValueError
        number |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            number -= (bits & 16) << (shift - 4)
            runs.append(number + runs[-2] if len(runs) > 2 else number)
            number = shift = 0
    if shift:
        raise ValueError
    return runs


def mask_of_text(entry: Entry, height: int, width: int) -> np.ndarray:
    """COCO's compressed text -> (height, width) bool. Raises `UserError` where it is none."""
    try:
        runs = unpack_runs(entry.value.encode("ascii"))
    except ValueError:
        raise UserError(
            "{file}: {where} is not COCO's run-length text. Export the file again.", file=entry.file, where=entry.where
        ) from None
    return mask_of_runs(Entry(runs, entry.file, entry.where), height, width, by_columns=True)
