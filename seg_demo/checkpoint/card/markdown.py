"""Texts of strangers as Markdown: whatever they hold, they are shown as they are and do nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

LONGEST = 1000  # characters of one text
DEEPEST = 3  # of tables in tables

_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Marks that turn the direction of writing would turn that of the rest of the line as well.
_UNSEEN = re.compile(r"[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_BROKEN = re.compile(r"[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")  # halves of characters, and what is none
# The Hub takes \\( and $ for formulas before it reads Markdown, so a backslash in front would not do for these two.
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\\": "&#92;", "$": "&#36;"}
_MARKS = re.compile(r'[&<>"\\$`*\[\]|~#]|(?<![^\W_])_|_(?![^\W_])')
# Addresses become links by themselves, escaped or not, unless something stands in them that nobody sees.
_ADDRESSES = re.compile(r"(?<=/)(?=/)|(?<=www)(?=\.)|(?<=@)|(?<=\w\.)(?=[^\W\d_]{2})", re.IGNORECASE)
GAP = "\u200b"


def one_line(value: object) -> str:
    """A text in one line that any file in UTF-8, any YAML and any terminal can hold.

    >>> one_line("a\\n---\\nb")
    'a --- b'
    """
    text = _BROKEN.sub("\ufffd", _UNSEEN.sub("", _BREAKS.sub(" ", str(value)[: 2 * LONGEST]))).strip()
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def escaped(value: object) -> str:
    r"""A text to be read within a line, a heading or a cell.

    >>> escaped("a|b <img src=x> [c](d)")
    'a\\|b &lt;img src=x&gt; \\[c\\](d)'
    """
    parts = _ADDRESSES.split(one_line(value))
    return GAP.join(_MARKS.sub(lambda mark: _ENTITIES.get(mark[0], f"\\{mark[0]}"), part) for part in parts)


def code_span(value: object) -> str:
    """A text as code within a line. Not for cells of a table, in which a | would end it."""
    text = one_line(value) or " "
    fence = "`" * (_longest_run(text) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def code_block(language: str, lines: Sequence[str]) -> str:
    """Lines of code; each is one line, whatever is in it."""
    held = [" ".join(line.splitlines()) for line in lines]
    fence = "`" * max(3, _longest_run("\n".join(held)) + 1)
    return "\n".join([f"{fence}{language}", *held, fence])


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = False) -> str:
    """Cells of Markdown. numbers: whether the last column holds numbers, which stand at the right."""
    rules = ["---"] * len(header)
    if numbers:
        rules[-1] = "---:"
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rules, *rows))


def folded(title: str, body: str) -> str:
    """What is shown when it is asked for. title: of ours, since it is HTML."""
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"


def told(value: object, deep: int = DEEPEST) -> str:
    """A value of a config in words, as Markdown.

    >>> told({"width": 16, "stem": [2, 0.5]})
    'width 16, stem 2, 0.5'
    """
    if value is None or value == "":
        return "not recorded"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict | list) and not deep:
        return "…"
    if isinstance(value, dict):
        return ", ".join(f"{escaped(words(key))} {told(part, deep - 1)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(told(part, deep - 1) for part in value)
    return escaped(value)


def words(key: object) -> str:
    """The name of an entry as it is read."""
    return str(key).replace("_", " ")


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
