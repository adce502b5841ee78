"""Which function answers which path."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .answers import Answer, Request

if TYPE_CHECKING:
    from .server import HubServer

Handler = Callable[["HubServer", Request], Answer]

PARTS = {
    "kind": r"(?P<kind>models|spaces)",
    "prefix": r"(?P<kind>spaces/)?",
    "id": r"(?P<id>(?!zero-gpu/)[^/]+/[^/]+)",  # /api/spaces/zero-gpu/quota is no Space
    "rev": r"(?P<rev>[^/]+)",
    "path": r"(?P<path>.+)",
    "oid": r"(?P<oid>[0-9a-f]{40,64})",
    "number": r"(?P<number>\d+)",
    "word": r"(?P<word>[^/]+)",
}


@dataclass(frozen=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    endpoint: str
    handler: Handler


ROUTES: list[Route] = []


def route(method: str, path: str, endpoint: str) -> Callable[[Handler], Handler]:
    """Let the decorated function answer `method` at `path`; {id}, {rev}, ... become `request.groups`."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", lambda match: PARTS[match[1]], path))

    def add(handler: Handler) -> Handler:
        ROUTES.append(Route(method, pattern, endpoint, handler))
        return handler

    return add


def find(request: Request) -> Route | None:
    """The route of a request, its names filled in; HEAD goes where GET goes."""
    method = "GET" if request.method == "HEAD" else request.method
    for candidate in ROUTES:
        match = candidate.pattern.fullmatch(request.path) if candidate.method == method else None
        if match:
            request.endpoint = candidate.endpoint
            request.named(match.groupdict())
            return candidate
    return None
