"""What a setting may be, kept with the field that holds it: files, flags and widgets are made from it."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from seg_demo.errors import Sentence, UserError, shorten
from seg_demo.registry import look_up

Path = str  # of a setting: "optimizer.learning_rate"
Tree = TypeVar("Tree")

HUGE = 10**300  # no setting is as large, and most libraries cannot reckon with it


@dataclass(frozen=True)
class Setting:
    """One setting: its path in the tree, what it does in a sentence, its type, default and bounds.

    low, high: of a number, or of each number of a list; inclusive. choices: the names that a text may be; empty where
    any may be given. kind: "whole", "number", "flag", "text", "numbers" (a list of them) or "table" (names to numbers,
    flags and texts). count: how many numbers a list has; 0 where it may have any number of them.
    """

    path: Path
    sentence: str
    kind: str
    default: object
    low: float
    high: float
    choices: tuple[str, ...]
    count: int = 0

    def read(self, value: object) -> object:
        """`value` from a file or, as text, from a flag, in the type of this setting, or a `UserError`."""
        if isinstance(value, str) and self.kind != "text":
            value = self._parsed(value)
        if self.kind == "whole" and type(value) is float and value.is_integer():
            value = int(value)
        if self.kind == "number":
            value = _as_float(value)
        if self.kind == "numbers" and isinstance(value, list | tuple):
            value = tuple(map(_as_float, value))
        self.check(value)
        return value

    def check(self, value: object) -> None:
        """Raise a `UserError` where `value` is of another type or out of bounds."""
        if isinstance(value, str) and self.choices:
            if value not in self.choices:  # an empty one is not worth a mention
                look_up(Sentence("choice for {path}", path=self.path), dict.fromkeys(filter(None, self.choices)), value)
        elif not self._fits(value):
            raise UserError(
                "The setting {path} must be {wanted}, not {value}.",
                path=self.path, wanted=self.wanted, value=shorten(value),
            )  # fmt: skip

    def _fits(self, value: object) -> bool:
        if self.choices:
            return False  # the texts among them have been looked up
        if self.kind == "numbers":
            right = isinstance(value, tuple) and len(value) == (self.count or len(value))
            return right and all(type(part) in (int, float) and self._in_bounds(part) for part in value)  # type: ignore[attr-defined]
        if self.kind == "table":
            return isinstance(value, dict) and all(isinstance(name, str) and _is_plain(value[name]) for name in value)
        types = {"whole": (int,), "number": (int, float), "flag": (bool,), "text": (str,)}[self.kind]
        return type(value) in types and (self.kind in ("flag", "text") or self._in_bounds(value))

    def _in_bounds(self, number: Any) -> bool:
        return self.low <= number <= self.high and abs(number) < HUGE

    @property
    def wanted(self) -> Sentence:
        """What it may be, as it is told to people: "a number from 0 to 1"."""
        if self.choices:
            return Sentence("one of {names}", names=", ".join(filter(None, self.choices)))
        kind = {
            "whole": Sentence("a whole number"), "number": Sentence("a number"), "flag": Sentence("true or false"),
            "text": Sentence("a text"), "table": Sentence("a table of names and numbers, flags or texts"),
            "numbers": Sentence("a list of {count} numbers" if self.count else "a list of numbers", count=self.count),
        }[self.kind]  # fmt: skip
        low, high = (f"{end:.15g}" if math.isfinite(end) else "" for end in (self.low, self.high))
        template = "{kind} from {low} to {high}" if low and high else "{kind} from {low}" if low else "{kind} to {high}"
        return Sentence(template, kind=kind, low=low, high=high) if low or high else kind

    def _parsed(self, text: str) -> object:
        plain = {"True": "true", "False": "false", "yes": "true", "no": "false"}.get(text, text)
        try:
            value = json.loads(f"[{text.strip('[]()')}]" if self.kind == "numbers" else plain)
        except (ValueError, RecursionError):
            return text  # which is refused, and shown as it was typed
        return value if not isinstance(value, str) else text


def setting(
    default: object,
    sentence: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field of a dataclass with its sentence and bounds; a mutable default is copied for each instance."""
    metadata = {"sentence": sentence, "low": low, "high": high, "choices": choices}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def check(config: object) -> None:
    """Check every field of a dataclass that was made by `setting`; called as `__post_init__`."""
    for one in settings_of(type(config)).values():  # type: ignore[arg-type]
        if "." not in one.path:
            one.check(getattr(config, one.path))


@cache
def settings_of(kind: type) -> dict[Path, Setting]:
    """All settings of a tree of dataclasses, by path, in the order in which they are written down."""
    return {one.path: one for one in _settings(kind, "")}


def changed(tree: Tree, changes: Mapping[Path, object]) -> Tree:
    """A copy of a tree of dataclasses with other values, each as a file or a flag gives it.

    Raises `UserError` for an unknown setting or a value that it cannot have.

    >>> from seg_demo.data.preprocessing import Preprocessing
    >>> changed(Preprocessing(), {"size": "64"}).size
    64
    """
    known = settings_of(type(tree))  # type: ignore[arg-type]
    for path in changes:
        if path not in known:
            _refuse(path, known)
    values = {path: known[path].read(value) for path, value in changes.items()}
    return _replaced(tree, values, "")


def flag_text(value: object) -> str:
    """A value of a setting as its flag takes it, and as a text field shows it.

    >>> flag_text((0.5, 2.0))
    '0.5,2'
    """
    if isinstance(value, list | tuple):
        return ",".join(map(flag_text, value))
    if isinstance(value, bool | dict):
        return json.dumps(value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def to_document(tree: object) -> dict[str, Any]:
    """A tree of dataclasses as JSON and TOML know it: tables, lists, numbers and texts; what is None is left out."""
    values = {one.name: getattr(tree, one.name) for one in fields(tree)}  # type: ignore[arg-type]
    return {name: _plain(value) for name, value in values.items() if value is not None}


def from_document(base: Tree, document: object) -> Tree:
    """A copy of `base` with what `document` says otherwise; the inverse of `to_document`.

    Raises `UserError` for what is not a table, an unknown name, or a value that its setting cannot have.
    """
    return _read(base, document, "")


def _read(base: Any, document: object, prefix: str) -> Any:
    if not isinstance(document, Mapping):
        raise UserError(
            "The settings {where} must be a table of names and values, not {value}.",
            where=prefix.rstrip(".") or Sentence("as a whole"), value=shorten(document),
        )  # fmt: skip
    hints = get_type_hints(type(base))
    known = settings_of(type(base))  # type: ignore[arg-type]
    values = {}
    for name, value in document.items():
        path = f"{prefix}{name}"
        if name not in hints:
            _refuse(path, [prefix + one for one in (*hints, *known)])
        if name in known:
            values[name] = replace(known[name], path=path).read(value)
        elif is_dataclass(part := getattr(base, name)) and settings_of(type(part)):  # type: ignore[arg-type]
            values[name] = _read(part, value, f"{path}.")
        else:
            values[name] = _made(_bare(hints[name]), value, path)
    return replace(base, **values)


def _made(kind: Any, value: object, where: str) -> Any:
    """A dataclass without settings of its own, such as `ClassMap`, from a table; lists become tuples."""
    hints = get_type_hints(kind)
    needed = {one.name for one in fields(kind) if one.default is MISSING}
    if (
        not isinstance(value, Mapping)
        or not needed <= value.keys() <= hints.keys()
        or not all(_is_of(hints[name], part) for name, part in value.items())
    ):
        raise UserError(
            "The settings {where} must be a table of {names}, not {value}.",
            where=where, names=", ".join(hints), value=shorten(value),
        )  # fmt: skip
    return kind(**{name: _frozen(part) for name, part in value.items()})


def _is_of(hint: Any, value: object) -> bool:
    """Whether a value of a document is of a type such as `tuple[str, ...]`, however many its parts are."""
    if get_origin(hint) is tuple:
        return isinstance(value, list | tuple) and all(_is_of(get_args(hint)[0], part) for part in value)
    return type(value) is hint


def _refuse(path: str, known: Collection[Path]) -> NoReturn:
    """Raise what is said of an unknown setting: with the nearest names or, where none is near, those of its group."""
    group, _, last = path.rpartition(".")
    name = f'"{path}"' if len(path) <= 80 and path.isprintable() else "of this name"
    start = f"{group}." if any(one.startswith(f"{group}.") for one in known) else ""
    inside = [one[len(start) :] for one in known if one.startswith(start)]
    near = list(dict.fromkeys(one for one in known if one.rpartition(".")[2] == last and one != path))
    near = near or [start + one for one in difflib.get_close_matches(path[len(start) :][:80], inside, n=1)]
    if near:
        raise UserError(
            "There is no setting {name}. Did you mean {near}?", name=name, near=" or ".join(f'"{one}"' for one in near)
        )
    names = dict.fromkeys(start + one.partition(".")[0] for one in inside)
    raise UserError("There is no setting {name}. Known: {known}.", name=name, known=", ".join(names))


def _replaced(tree: Any, values: Mapping[Path, object], prefix: str) -> Any:
    """All changes of a dataclass at once: what one alone would contradict may be right together."""
    changes: dict[str, Any] = {}
    for one in fields(tree):
        path = prefix + one.name
        if path in values:
            changes[one.name] = values[path]
        elif any(other.startswith(f"{path}.") for other in values):
            changes[one.name] = _replaced(getattr(tree, one.name), values, f"{path}.")
    return replace(tree, **changes)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_document(value)
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _as_float(value: Any) -> Any:
    """A whole number as a float; what has none stays as it is, to be refused."""
    return float(value) if type(value) is int and abs(value) < HUGE else value


def _is_plain(value: Any) -> bool:
    return type(value) in (bool, str) or (type(value) in (int, float) and abs(value) < HUGE)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _bare(hint: Any) -> Any:
    """The type of an optional one."""
    return next((part for part in get_args(hint) if part is not type(None)), hint)


def _settings(kind: type, prefix: str) -> Iterator[Setting]:
    hints = get_type_hints(kind)
    for one in fields(kind):
        hint = hints[one.name]
        if is_dataclass(hint) and isinstance(hint, type) and "sentence" not in one.metadata:
            yield from _settings(hint, f"{prefix}{one.name}.")
        elif "sentence" in one.metadata:
            default = one.default_factory() if one.default_factory is not MISSING else one.default
            choices = one.metadata["choices"] or (get_args(hint) if get_origin(hint) is Literal else ())
            yield Setting(
                f"{prefix}{one.name}", one.metadata["sentence"], _kind(hint), default,
                one.metadata["low"], one.metadata["high"], choices, _count(hint),
            )  # fmt: skip


def _kind(hint: Any) -> str:
    origin = get_origin(hint)
    if origin is tuple:
        return "numbers"
    if origin is dict:
        return "table"
    return {int: "whole", float: "number", bool: "flag"}.get(hint, "text")


def _count(hint: Any) -> int:
    """How many numbers a tuple has: 2 of `tuple[float, float]`, 0 where there may be any number of them."""
    parts = get_args(hint) if get_origin(hint) is tuple else ()
    return 0 if Ellipsis in parts else len(parts)
