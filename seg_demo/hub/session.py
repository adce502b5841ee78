"""The HTTP client that the client of the Hub uses: it waits no longer than we do, and tries once where we ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
from huggingface_hub.utils import hf_raise_for_status
from huggingface_hub.utils._http import default_client_factory

from seg_demo.hub import patience
from seg_demo.hub.trouble import TRANSIENT

MOST_ANSWERED = 16 << 20  # bytes of an answer that is no file: 10,000 names of files with their hashes are 5 MB


class NoAnswer(Exception):
    """Of an error of the network, and of no kind after which the client of the Hub tries again."""


class Session(httpx2.Client):
    """By itself the client of the Hub waits for ever; and it tries some questions six times, for as long as the Hub
    wants it to, in sleeps that nobody can end. `Client` tries again, so it is told of every failure at once.
    """

    def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        if not patience.is_waited_for():
            return super().send(request, stream=stream, **options)
        request.extensions["timeout"] = httpx2.Timeout(patience.PATIENCE.timeout).as_dict()
        try:
            response = super().send(request, stream=stream, **options)
        except httpx2.TransportError as error:
            raise NoAnswer(str(error)) from error
        if response.status_code in TRANSIENT and not stream:
            hf_raise_for_status(response)
        return response


class Bounded(httpx2.SyncByteStream):
    """An answer that ends where no honest one is so long; raises `ValueError`."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __iter__(self) -> Iterator[bytes]:
        total = 0
        for piece in self.answer:
            if (total := total + len(piece)) > MOST_ANSWERED:
                raise ValueError("its answer is too long")
            yield piece

    def close(self) -> None:
        self.answer.close()


def _bound(response: httpx2.Response) -> None:
    if "/api/" in response.request.url.path or response.is_error:  # all but files
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise ValueError("its answer is packed, although that was not wanted")
        response.stream = Bounded(response.stream)


def session() -> Session:
    """As the client of the Hub makes its own."""
    usual = default_client_factory()
    return Session(
        event_hooks={**usual.event_hooks, "response": [*usual.event_hooks["response"], _bound]},
        headers={"Accept-Encoding": "identity"},  # A few bytes could unpack into any number.
        follow_redirects=True,
        timeout=patience.PATIENCE.timeout,
    )
