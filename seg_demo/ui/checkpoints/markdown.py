"""A model card as pieces of the page: the Markdown of strangers, of which nothing is run, fetched or hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from seg_demo.ui.fragment import Node, element

LONGEST, MOST_LINES, MOST_CELLS = 60_000, 1500, 24  # characters, lines, cells of a row
# In none of these do two parts take the same letters, so that no line takes long.
_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_ITEM = re.compile(r"\s{0,6}(?:([-*+])|\d{1,4}[.)])\s+(.*)")
_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_RULE = re.compile(r"\s{0,3}([-*_])\s*(\1\s*){2,}$")
_LINE_OF_TABLE = re.compile(r"(?=[\s|:]*-)[\s|:-]*$")
# What is written within a line. Each alternative is bounded, so that no line takes long.
_INLINE = re.compile(
    r"\\([!-/:-@\[-`{-~])"
    r"|`([^`\n]{1,400})`"
    r"|(!?)\[([^\[\]\n]{0,300})\]\(<?([^()<>\s]{1,500})>?(?:\s+\"[^\"\n]{0,200}\")?\)"
    r"|\*\*([^*\n]{1,400})\*\*"
    r"|\*([^*\s][^*\n]{0,400})\*"
    r"|(https?://[^\s<>()\[\]\"'`]{3,500})"
)
_ADDRESS = re.compile(r"https?://[^\s]+")


def rendered(card: str) -> list[Node]:
    """Headings, paragraphs, lists, tables and code of a card; its metadata are left out.

    HTML stays text, and entities are the characters they stand for. A picture is its description. A link shows where
    it leads, and only http and https can be followed.
    """
    lines = _without_metadata(card[:LONGEST]).splitlines()[:MOST_LINES]
    return list(_blocks([line.rstrip() for line in lines]))


def _without_metadata(card: str) -> str:
    """What follows the block between two lines of "---" at the beginning."""
    if not card.startswith("---"):
        return card
    _, end, rest = card[3:].partition("\n---")
    return rest.partition("\n")[2] if end else card


def _blocks(lines: list[str]) -> Iterator[Node]:
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip() or _RULE.match(line):
            at += 1
        elif fence := _FENCE.match(line):
            end = next((n for n in range(at + 1, len(lines)) if lines[n].strip().startswith(fence[1])), len(lines))
            yield element("pre", element("code", "\n".join(lines[at + 1 : end])), tabindex="0")
            at = end + 1
        elif heading := _HEADING.match(line):
            level = min(6, len(heading[1]) + 2)  # the page itself has the first two
            yield element(f"h{level}", *_inline(heading[2].rstrip("#").rstrip()))
            at += 1
        elif "|" in line and at + 1 < len(lines) and "|" in lines[at + 1] and _LINE_OF_TABLE.match(lines[at + 1]):
            end = next((n for n in range(at + 2, len(lines)) if "|" not in lines[n]), len(lines))
            yield _table(line, lines[at + 2 : end])
            at = end
        elif _ITEM.match(line):
            end = next((n for n in range(at, len(lines)) if not lines[n].strip()), len(lines))
            yield _list(lines[at:end])
            at = end
        else:
            end = next((n for n in range(at + 1, len(lines)) if _begins(lines[n])), len(lines))
            yield element("p", *_inline(" ".join(part.strip() for part in lines[at:end])))
            at = end


def _begins(line: str) -> bool:
    """Whether a paragraph ends before this line."""
    return not line.strip() or any(form.match(line) for form in (_HEADING, _ITEM, _FENCE, _RULE))


def _list(lines: list[str]) -> Node:
    items: list[str] = []
    numbered = False
    for line in lines:
        if item := _ITEM.match(line):
            numbered = numbered or item[1] is None
            items.append(item[2])
        else:
            items[-1] += " " + line.strip()
    return element("ol" if numbered else "ul", *(element("li", *_inline(item)) for item in items))


def _table(head: str, rows: list[str]) -> Node:
    columns = _cells(head)
    body = [element("tr", *(element("td", *_inline(cell)) for cell in _cells(row)[: len(columns)])) for row in rows]
    first = element("tr", *(element("th", *_inline(cell), scope="col") for cell in columns))
    return element("div", element("table", element("thead", first), element("tbody", *body)), class_="scroll")


def _cells(row: str) -> list[str]:
    inner = row.strip().removeprefix("|").removesuffix("|")
    return [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", inner)][:MOST_CELLS]


def _inline(text: str) -> Iterator[Node]:
    at = 0
    for found in _INLINE.finditer(text):
        if found.start() > at:
            yield unescape(text[at : found.start()])
        yield from _piece(found)
        at = found.end()
    if at < len(text):
        yield unescape(text[at:])


def _piece(found: re.Match[str]) -> Iterator[Node]:
    escaped, code, picture, words, target, strong, emphasis, address = found.groups()
    if escaped is not None:
        yield escaped
    elif code is not None:
        yield element("code", code)
    elif target is not None:
        yield unescape(words)
        if not picture and target != words:
            yield " ("
            yield link(unescape(target))
            yield ")"
    elif address is not None:
        plain = address.rstrip(".,;:!?")
        yield link(plain)
        yield address[len(plain) :]
    else:
        tag, inner = ("strong", strong) if strong is not None else ("em", emphasis)
        yield element(tag, unescape(inner))


def link(address: str) -> Node:
    """An address that shows itself, to be followed where it is one of the web."""
    if not _ADDRESS.fullmatch(address):
        return address
    return element("a", address, href=address, target="_blank", rel="noopener noreferrer nofollow")
