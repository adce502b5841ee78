"""The problem that ended a command, told by its process to whoever started it: a file with template and fields."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from seg_demo.errors import Sentence, document_of, sentence_of

VARIABLE = "SEG_DEMO_PROBLEM_FILE"  # of the environment: names the file
BYTES = 4096


def prepare_file(file: Path) -> None:
    """Make the file, or make it empty again. It has its space already, so that it takes a sentence on a full disk."""
    file.write_bytes(b" " * BYTES)


def keep_problem(sentence: Sentence) -> None:
    """Keep why the command ends, where whoever started it asks for that."""
    if name := os.environ.get(VARIABLE):
        write_problem(Path(name), sentence)


def write_problem(file: Path, sentence: Sentence) -> None:
    """Fill a file that was prepared; nothing happens where there is none."""
    content = json.dumps(document_of(sentence), default=str).encode().ljust(BYTES)
    with contextlib.suppress(OSError), open(file, "r+b") as place:
        place.write(content)


def read_problem(file: Path) -> Sentence | None:
    """What was kept; None where nothing was, or it is damaged."""
    with contextlib.suppress(OSError, ValueError, RecursionError), open(file, "rb") as content:
        return sentence_of(json.loads(content.read(1 << 20)))
    return None
