"""Texts that are meant for a person, kept so that the page can show them in other languages."""

from __future__ import annotations

import re
from string import Formatter
from typing import TypeVar


class UserError(Exception):
    """Something the user can mend, told in one sentence: what is wrong, where, what to do.

    The sentence is kept as a template and its fields, so that the page can show it in another language.

    >>> str(UserError("{file} is empty. Choose another picture.", file="cat.png"))
    'cat.png is empty. Choose another picture.'
    """

    def __init__(self, template: str, **fields: object) -> None:
        self.template = template
        self.fields = fields
        super().__init__(template.format(**fields))

    @property
    def sentence(self) -> Sentence:
        """What it says."""
        return Sentence(self.template, **self.fields)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.template, self.fields))


class Sentence(str):
    """Something that is told to the user, or a part of it: a text in English that keeps its template and its fields.

    A field may be a `Sentence` or a `UserError` itself, which is then translated as well.

    >>> where = Sentence("in {folder}", folder="masks")
    >>> Sentence("Images {where}: {count}.", where=where, count=3)
    'Images in masks: 3.'
    """

    template: str
    fields: dict[str, object]

    def __new__(cls, template: str, **fields: object) -> Sentence:
        told = super().__new__(cls, template.format(**fields))
        told.template, told.fields = template, fields
        return told

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.template, self.fields))


Told = TypeVar("Told", UserError, Sentence)


def _rebuild(kind: type[Told], template: str, fields: dict[str, object]) -> Told:
    return kind(template, **fields)


def document_of(told: UserError | Sentence) -> dict[str, object]:
    """What is told as a JSON object, for another process; what JSON has no word for stays in it as it is.

    >>> document_of(Sentence("{count} masks", count=3))
    {'template': '{count} masks', 'fields': {'count': 3}}
    """
    fields = {
        key: document_of(value) if isinstance(value, UserError | Sentence) else value
        for key, value in told.fields.items()
    }
    return {"template": told.template, "fields": fields}


def sentence_of(document: object, depth: int = 4) -> Sentence | None:
    """The inverse of `document_of`, of a file that may be damaged or made up; None for what is no sentence."""
    if not isinstance(document, dict) or depth == 0:
        return None
    template, given = document.get("template"), document.get("fields", {})
    if not isinstance(template, str) or not isinstance(given, dict) or len(template) > LONGEST:
        return None
    fields = {str(key): _field(value, depth) for key, value in given.items()}
    try:
        for _, name, form, conversion in Formatter().parse(template):
            # A format can ask for any attribute, and for any number of spaces.
            if name is not None and not (name.isidentifier() and _FORM.fullmatch(form or "") and not conversion):
                return None
        return Sentence(template, **fields)
    except (ValueError, KeyError, IndexError, TypeError):
        return None


LONGEST = 1000  # characters of a template, or of a field, that is believed to be one
_FORM = re.compile(r"[,%]?(\.\d)?[dfg%]?")


def _field(value: object, depth: int) -> object:
    if isinstance(value, dict):
        value = sentence_of(value, depth - 1) or value
    return value if isinstance(value, int | float | Sentence) else str(value)[:LONGEST]


def shorten(value: object) -> str:
    """`repr` of a value from a file, cut so that a huge one still makes a readable sentence."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # numbers of thousands of digits, lists nested by the hundred
        return "something that is too large to show"
    return text if len(text) <= 60 else text[:57] + "..."
