"""How a command writes what it has to say: aligned tables, wrapped lines, short numbers, and nothing unprintable."""

from __future__ import annotations

import codecs
import json
import os
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import TextIO


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


def write(text: str, file: TextIO | None = None) -> None:
    """Print to `file`, or else stdout: `printable`, and a reader that has seen enough (`| head`) is no problem."""
    stream = file or sys.stdout
    try:
        print(printable(text), file=stream, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # for what Python flushes at its end


def printable(text: str) -> str:
    r"""`text` with its unprintable characters, which may steer a terminal, escaped as in JSON; lines stay lines.

    >>> printable("a name\x1b[2J")
    'a name\\u001b[2J'
    """
    return "\n".join(line if line.isprintable() else "".join(map(_shown, line)) for line in text.split("\n"))


def _shown(character: str) -> str:
    space = unicodedata.category(character) == "Zs"  # those of other scripts
    return character if space or character.isprintable() else _escaped(character)


def _escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def escape_unknown(stream: TextIO) -> None:
    """Have `stream` write characters that its encoding lacks as in JSON, which therefore stays valid."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors=_ESCAPE)


def _escape_error(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return _escaped(error.object[error.start : error.end]), error.end


_ESCAPE = "seg_demo.escape"
codecs.register_error(_ESCAPE, _escape_error)
