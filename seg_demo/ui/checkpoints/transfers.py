"""Transfers between here and the Hub: they go on when the page is closed, and any page of the visitor's sees them."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from seg_demo.errors import UserError
from seg_demo.ui.background import Progress, Stopped
from seg_demo.ui.remembered import Remembered

Kind = Literal["push", "pull"]
MOST_REMEMBERED = 500  # transfers that have ended, of all visitors
TOLD_FOR = 1800.0  # seconds after its end

_numbers = itertools.count(1)


@dataclass
class Transfer:
    """One way of a checkpoint.

    folder: of the checkpoint here. repo: OWNER/NAME. done, total: bytes. ended: when, monotonic. problem: why it
    failed, None where nobody knows. result: of the work.
    """

    kind: Kind
    folder: Path
    repo: str
    number: int = field(default_factory=lambda: next(_numbers))
    state: Literal["running", "done", "failed", "stopped"] = "running"
    done: int = 0
    total: int = 0
    ended: float = 0.0
    problem: UserError | None = None
    result: Any = None
    stop: threading.Event = field(default_factory=threading.Event)

    def told(self, done: int, total: int) -> None:
        """For the work, which tells how far it is; raises `Stopped` within it."""
        if self.stop.is_set():
            raise Stopped
        self.done, self.total = done, total


class Transfers:
    """The transfer of each visitor that goes on, one at a time, or the last one that has ended.

    most: how many of all visitors go on at one time.
    """

    def __init__(self, most: float) -> None:
        self.most = most
        self._running: dict[Path, Transfer] = {}
        self._ended: Remembered[Path, Transfer] = Remembered(MOST_REMEMBERED)
        self._lock = threading.Lock()

    def begin(self, place: Path, transfer: Transfer, work: Callable[[Progress], Any]) -> Transfer:
        """Start the work in a thread. place: what tells one visitor from another.

        Raises `UserError` where another one goes on, or too many of others do.
        """
        with self._lock:
            if place in self._running:
                raise UserError("A push or pull goes on already. Wait for its end, or stop it.")
            if len(self._running) >= self.most:
                raise UserError("Too many visitors push or pull at this moment. Try again in a few minutes.")
            self._running[place] = transfer
        threading.Thread(target=self._run, args=(place, transfer, work), daemon=True).start()
        return transfer

    def _run(self, place: Path, transfer: Transfer, work: Callable[[Progress], Any]) -> None:
        state: Literal["done", "failed", "stopped"] = "failed"
        try:
            transfer.result = work(transfer.told)
            state = "done"
        except Stopped:
            state = "stopped"
        except UserError as error:
            transfer.problem = error
        except Exception:
            logging.getLogger(__name__).exception("A transfer failed.")
        finally:
            with self._lock:
                transfer.state, transfer.ended = state, time.monotonic()
                self._ended.put(place, self._running.pop(place))

    def of(self, place: Path) -> Transfer | None:
        """The one that goes on, or the last one, unless it ended long ago."""
        with self._lock:
            if transfer := self._running.get(place):
                return transfer
        ended = self._ended.get(place)
        return ended if ended and time.monotonic() - ended.ended < TOLD_FOR else None

    def stop(self, place: Path) -> None:
        """Let it end at its next sign of progress."""
        with self._lock:
            if transfer := self._running.get(place):
                transfer.stop.set()
