"""Files of labelling tools, read without trust: every wrong type ends in a sentence with the file and the entry."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np

from seg_demo.data.listing import Tree
from seg_demo.errors import UserError

MAX_BYTES = 64 << 20  # three times the list of COCO's 5000 validation pictures; takes up to 30 times as much memory
MAX_POINTS = 100_000  # of one shape
MAX_COORDINATE = 100_000  # a side of a picture is 65,500 pixels at most
MAX_OUTLINE = 2_000_000  # pixels along one shape, which are listed while it is drawn

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Entry:
    """A value in a stranger's file, and the way to it; each method returns it as one type or raises `UserError`."""

    def __init__(self, value: Any, file: Path, where: str = "") -> None:
        self.value, self.file, self.where = value, file, where

    def __getitem__(self, key: str) -> Entry:
        """A member of an object, with the value None where there is no such member."""
        if not isinstance(self.value, dict):
            raise UserError(
                "{file}: {where} should be an object with named entries, but is {value}. Export the file again.",
                **self._fields,
            )
        return Entry(self.value.get(key), self.file, f"{self.where}, {key}" if self.where else key)

    def __bool__(self) -> bool:
        return self.value is not None

    def items(self, noun: str = "entry") -> list[Entry]:
        """The members of a list; `noun` names one of them in sentences, counted from 1."""
        if not isinstance(self.value, list):
            raise UserError("{file}: {where} should be a list, but is {value}. Export the file again.", **self._fields)
        before = f"{self.where}, " if self.where and noun == "entry" else ""
        return [Entry(value, self.file, f"{before}{noun} {place}") for place, value in enumerate(self.value, 1)]

    def text(self) -> str:
        """A text of 1 to 1000 characters, without control characters."""
        if not isinstance(self.value, str) or _CONTROL.search(self.value) or len(self.value) > 1000:
            raise UserError("{file}: {where} should be a text, but is {value}. Export the file again.", **self._fields)
        if not self.value.strip():
            raise UserError(
                "{file}: {where} is empty. Fill it in in the labelling tool.", file=self.file, where=self.where
            )
        return self.value

    def number(self) -> float:
        """A finite number, also one that is written as text."""
        try:
            number = float(self.value) if not isinstance(self.value, bool) else math.nan
        except (ValueError, TypeError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise UserError(
                "{file}: {where} should be a finite number, but is {value}. Export the file again.", **self._fields
            )
        return number

    def whole(self, low: int = 0, high: int = MAX_COORDINATE) -> int:
        number = self.number()
        if number != int(number) or not low <= number <= high:
            raise UserError(
                "{file}: {where} should be a whole number from {low} to {high}, but is {value}. Export the file again.",
                low=low, high=high, **self._fields,
            )  # fmt: skip
        return int(number)

    def points(self) -> np.ndarray:
        """A list of [x, y] -> (N, 2) float64; raises where one is missing, not finite or far out."""
        return self.checked(self.value if isinstance(self.value, list) else [None])

    def checked(self, pairs: Sequence[Any]) -> np.ndarray:
        """`pairs`, read from this entry, as (N, 2) float64 points."""
        if len(pairs) > MAX_POINTS:
            raise UserError(
                "{file}: {where} has {count} points, more than the {limit} that a shape may have. Simplify it.",
                file=self.file, where=self.where, count=len(pairs), limit=MAX_POINTS,
            )  # fmt: skip
        try:
            points = np.array(pairs, np.float64).reshape(len(pairs), 2) if len(pairs) else np.empty((0, 2))
        except (ValueError, TypeError, OverflowError, RecursionError):
            points = np.full((1, 2), np.nan)
        if not np.isfinite(points).all():
            raise UserError(
                "{file}: {where} should be a list of finite x, y pairs, but is {value}. Export the file again.",
                **self._fields,
            )
        if len(points) and np.abs(points).max() > MAX_COORDINATE:
            raise UserError(
                "{file}: {where} has the coordinate {value:.6g}, far outside of any picture. Correct the shape.",
                file=self.file, where=self.where, value=float(points.flat[np.abs(points).argmax()]),
            )  # fmt: skip
        if np.abs(points - np.roll(points, -1, axis=0)).max(axis=1, initial=0).sum() > MAX_OUTLINE:
            raise UserError(
                "{file}: {where} has an outline of more than {limit} pixels. Correct the shape.",
                file=self.file, where=self.where, limit=MAX_OUTLINE,
            )  # fmt: skip
        return points

    @property
    def _fields(self) -> dict[str, object]:
        return {"file": self.file, "where": self.where or "the whole", "value": shown(self.value)}


def shown(value: object) -> str:
    """A value as a sentence may hold it: on one line, and short."""
    if value is None:
        return "missing"
    if isinstance(value, list | dict):
        return f"a list of {len(value)}" if isinstance(value, list) else "an object"
    text = str(value) if not isinstance(value, int) or abs(value) < 10**18 else "a very large number"
    text = "".join(sign if sign.isprintable() else "?" for sign in text[:41])
    return f'"{text[:40]}{"..." if len(text) > 40 else ""}"' if isinstance(value, str) else text


def read_bytes(file: Path) -> bytes:
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise UserError(
                "{file} has {size} MB, more than the {limit} that are read. Export the data set in parts.",
                file=file, size=size >> 20, limit=MAX_BYTES >> 20,
            )  # fmt: skip
        return file.read_bytes()
    except OSError as error:
        raise UserError(
            "{file} cannot be read ({reason}). Check its permissions.", file=file, reason=error.strerror
        ) from None


def read_json(file: Path) -> Entry:
    """Raises `UserError` where the file is no JSON, is too large or too deep."""
    try:
        return Entry(json.loads(read_bytes(file).decode("utf-8-sig")), file)
    except UnicodeDecodeError:
        raise UserError("{file} is not text in UTF-8. Save it as UTF-8.", file=file) from None
    except RecursionError:
        raise UserError("{file} is nested too deeply for a labelling tool. Export it again.", file=file) from None
    except ValueError as error:
        place = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise UserError(
            "{file} is not valid JSON (line {line}), perhaps cut off. Export it again.", file=file, line=place
        ) from None


def read_xml(file: Path) -> Element:
    """The root element; entities and external references, with which a file can attack its reader, are refused.

    Raises `UserError` for these, and where the file is no XML or is too large.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        return fromstring(read_bytes(file))
    except DefusedXmlException:
        raise UserError(
            "{file} defines XML entities, which no labelling tool writes and which can be an attack. Do not use it.",
            file=file,
        ) from None
    except ParseError as error:
        raise UserError(
            "{file} is not valid XML (line {line}), perhaps cut off. Export it again.",
            file=file, line=error.position[0],
        ) from None  # fmt: skip
    except (ValueError, LookupError):
        raise UserError("{file} is not text in UTF-8. Save it as UTF-8.", file=file) from None


_ROOT = re.compile(rb"<([A-Za-z_][\w.-]*)")


def xml_root_name(content: bytes) -> bytes:
    """The name of the first element, without parsing."""
    match = _ROOT.search(content[:100_000])
    return match[1] if match else b""


def files_with(source: Path, suffix: str) -> list[Path]:
    """The file itself, or all files of this suffix under the folder, sorted."""
    if source.is_dir():
        return [Path(source, path) for path in Tree(source).files if path.suffix.lower() == suffix]
    return [source] if source.suffix.lower() == suffix and source.is_file() else []
