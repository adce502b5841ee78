"""Tables in Markdown, and where docs/models.md keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs" / "models.md"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A Markdown table; the columns `right` are aligned there, as numbers are."""
    rule = ["---:" if index in right else "---" for index in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows)) + "\n"


def write_table(name: str, text: str, file: str = "models.md") -> None:
    """Put `text` between the two comments that mark the table `name` in docs/`file`."""
    path = DOCS.with_name(file)
    document = path.read_text("utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, begun, rest = document.partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise ValueError(f"{path} lacks the comments that mark the table {name}")
    path.write_text(f"{before}{begin}{text}{end}{after}", "utf-8")
