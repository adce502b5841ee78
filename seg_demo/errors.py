"""Texts that are meant for a person, kept so that the page can show them in other languages."""

from __future__ import annotations

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


def shorten(value: object) -> str:
    """`repr` of a value from a file, cut so that a huge one still makes a readable sentence."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # numbers of thousands of digits, lists nested by the hundred
        return "something that is too large to show"
    return text if len(text) <= 60 else text[:57] + "..."
