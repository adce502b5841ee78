"""Faults that tests order: the next so many requests at an endpoint go wrong in a named way."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from .answers import Answer, Refused, Request

FAULTS = ("cut", "silence", "slow", "wrong bytes", "too much", "stale head", "lost answer", "garbage")

PAGE = b"<!DOCTYPE html><html><body><h1>Welcome to this network</h1><p>Please accept the terms.</p></body></html>"


@dataclass
class Fault:
    """One order; see `HubServer.fail`."""

    endpoint: str
    kind: str | int
    times: int | None
    options: dict[str, Any] = field(default_factory=dict)

    def meets(self, request: Request) -> bool:
        wanted = ((name, self.options[name]) for name in ("repo", "file", "method", "token") if name in self.options)
        return request.endpoint == self.endpoint and all(getattr(request, name) == value for name, value in wanted)

    def answer(self) -> Answer:
        """The answer in place of the right one, for the kinds that are an answer."""
        if self.kind == "garbage":
            return Answer(200, PAGE, type="text/html; charset=utf-8")
        status = int(self.options.get("status", 504) if self.kind == "lost answer" else self.kind)
        headers = {"Retry-After": str(self.options.get("retry_after", 1))} if status in (429, 503) else {}
        return Refused(status, self.options.get("message", f"The order of a test: {status}"), headers=headers).answer()


class Faults:
    """The orders that are open. The first that meets a request is used for it, in the order they were given."""

    def __init__(self) -> None:
        self._orders: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        if fault.kind not in FAULTS and not isinstance(fault.kind, int):
            raise ValueError(f"no fault {fault.kind!r}: a status, or one of {', '.join(FAULTS)}")
        with self._lock:
            self._orders.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._orders.clear()

    def take(self, request: Request) -> Fault | None:
        with self._lock:
            for fault in self._orders:
                if not fault.meets(request):
                    continue
                if fault.options.get("after", 0) > 0:
                    fault.options["after"] -= 1
                    return None
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._orders.remove(fault)
                return fault
        return None
