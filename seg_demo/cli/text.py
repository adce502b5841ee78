"""How a command writes what it has to say: aligned tables, wrapped lines, short numbers."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence


def short(count: int) -> str:
    """1234567 -> "1.2 M": thousands, millions or thousand millions with one decimal."""
    for factor, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= 0.99995 * factor:  # 999.95 of the unit below are shown as 1.0 of this one
            return f"{count / factor:.1f} {unit}"
    return str(count)


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], right: Sequence[int]) -> list[str]:
    """Lines with aligned columns under a header; the columns `right` are aligned there, as numbers are."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, tuple("-" * width for width in widths), *rows):
        cells = [
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def wrapped(text: str, indent: int) -> list[str]:
    """Lines of at most 118 columns, indented."""
    return textwrap.wrap(text, 118, initial_indent=" " * indent, subsequent_indent=" " * indent)


def write(text: str) -> None:
    """Print, but a reader that has seen enough (`| head`) is no problem."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
