"""What is asked of the server and what it answers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

PIECE = 64 * 1024  # bytes sent at once


@dataclass
class Request:
    """One request as it came in; tests look at the list of them."""

    method: str
    path: str  # as sent, still quoted, without the query
    query: dict[str, list[str]]
    token: str | None  # of the Authorization header
    user: str | None  # whose token it is; None for nobody and for a wrong token
    host: str  # "hub", or "cdn" for the second port, which never sees a token
    headers: dict[str, str] = field(repr=False)
    endpoint: str = ""  # the name to give to `fail`; "" where nothing is served
    time: float = field(default_factory=time.time)
    body: bytes = field(default=b"", repr=False)
    upload: Path | None = field(default=None, repr=False)  # in place of the body, where that may be large
    status: int | None = None  # of the answer; None as long as there is none
    fault: str | int | None = None
    groups: dict[str, str] = field(default_factory=dict, repr=False)  # the named parts of the path, unquoted

    @property
    def kind(self) -> str:
        """ "model" or "space"."""
        return {"spaces": "space", "spaces/": "space"}.get(self.groups.get("kind") or "", "model")

    @property
    def repo(self) -> str:
        """OWNER/NAME, or "" where the path has none."""
        return self.groups.get("id", "")

    @property
    def file(self) -> str:
        """The path in the repository, where the request names one."""
        return self.groups.get("path") or self.one("filename")

    def one(self, name: str, default: str = "") -> str:
        """The first value of one parameter of the query."""
        return self.query.get(name, [default])[0]

    def yes(self, name: str) -> bool:
        return self.one(name).lower() in ("1", "true")

    def json(self) -> Any:
        return json.loads(self.body or b"{}")

    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode(), keep_blank_values=True)

    def named(self, groups: dict[str, str | None]) -> None:
        self.groups = {name: unquote(value) for name, value in groups.items() if value is not None}


@dataclass
class Slice:
    """A part of a file, read when it is sent."""

    path: Path
    start: int
    size: int

    def pieces(self) -> Iterator[bytes]:
        left = self.size
        with self.path.open("rb") as file:
            file.seek(self.start)
            while left > 0 and (piece := file.read(min(PIECE, left))):
                left -= len(piece)
                yield piece


@dataclass
class Answer:
    status: int = 200
    body: bytes | Slice = b""
    headers: dict[str, str] = field(default_factory=dict)
    type: str = "application/json; charset=utf-8"
    chunked: bool = False  # sent without saying how long it is

    @property
    def size(self) -> int:
        return self.body.size if isinstance(self.body, Slice) else len(self.body)

    def pieces(self) -> Iterator[bytes]:
        if isinstance(self.body, Slice):
            yield from self.body.pieces()
        else:
            yield from (self.body[start : start + PIECE] for start in range(0, len(self.body), PIECE))


def as_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(value, default=str).encode(), headers or {})


class Refused(Exception):
    """Raised wherever the Hub says no; `code` is one of the X-Error-Code values the client knows."""

    def __init__(self, status: int, message: str, code: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.headers = status, message, code, headers or {}

    def answer(self) -> Answer:
        headers = {"X-Error-Message": self.message, **self.headers}
        if self.code:
            headers["X-Error-Code"] = self.code
        return as_json({"error": self.message}, self.status, headers)
