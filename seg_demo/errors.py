"""The one exception whose text is meant for a person."""

from __future__ import annotations


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

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.template, self.fields))


def _rebuild(kind: type[UserError], template: str, fields: dict[str, object]) -> UserError:
    return kind(template, **fields)
