"""What the Hub has said to each visitor, so that it need not be asked each time the list is drawn."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from seg_demo.errors import UserError
from seg_demo.hub.account import Account, whoami
from seg_demo.hub.sync import Sync, status
from seg_demo.ui.background import Progress
from seg_demo.ui.remembered import Remembered

FRESH = 60.0  # seconds in which it is not asked again by itself
MOST_VISITORS = 500


def quiet(done: int, total: int) -> None:
    """Nobody is told how far it is."""


@dataclass(frozen=True)
class Known:
    """What the Hub said. who: the account's name, "" for nobody. problem: why it said nothing. at: when, monotonic."""

    syncs: tuple[Sync, ...]
    who: str
    problem: UserError | None
    at: float

    @property
    def is_fresh(self) -> bool:
        return self.problem is None and time.monotonic() - self.at < FRESH


class Asking:
    """Asks the Hub, and remembers its answers: of each visitor, and of each account that the visitor had."""

    def __init__(self) -> None:
        self._known: Remembered[tuple[Path, bytes], Known] = Remembered(MOST_VISITORS)
        self._secret = secrets.token_bytes(32)

    def known(self, place: Path, account: Account) -> Known | None:
        """The last answer. place: what tells one visitor from another."""
        return self._known.get(self._key(place, account))

    def ask(self, place: Path, folders: Iterable[Path], account: Account, progress: Progress = quiet) -> Known:
        """Ask how the checkpoints in `folders` stand to those of the account on the Hub."""
        who, syncs, problem = "", list[Sync](), None
        try:
            who = whoami(account)
            syncs = status(list(folders), account, owner=who, progress=progress)
            problem = next((sync.problem for sync in syncs if sync.state == "unknown" and sync.problem), None)
        except UserError as error:
            problem = error
        return self._known.put(self._key(place, account), Known(tuple(syncs), who, problem, time.monotonic()))

    def forget(self, place: Path, account: Account) -> None:
        self._known.forget(self._key(place, account))

    def _key(self, place: Path, account: Account) -> tuple[Path, bytes]:
        """The token itself is not kept any longer than the question takes."""
        return place, hmac.digest(self._secret, (account.token or "").encode(), "sha256")
