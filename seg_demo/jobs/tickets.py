"""The queue as files, one for each run that waits or is trained, so that it outlives whoever serves it."""

from __future__ import annotations

import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from seg_demo.jobs.files import read_object, write_object

NAME = re.compile(r"\d{20}-[0-9a-f]{8}\.json")  # when it was submitted, in nanoseconds


@dataclass(frozen=True)
class Ticket:
    """A place in the queue. folder: of the run. device: that it has been given; empty while it waits."""

    file: Path
    folder: Path
    device: str

    def claim(self, device: str) -> None:
        """Give it a device, or put it back with none. Raises `OSError`."""
        write_object(self.file, {"folder": os.fspath(self.folder), "device": device})

    def remove(self) -> None:
        self.file.unlink(missing_ok=True)


def new_ticket(place: Path, folder: Path) -> Ticket:
    """The last place in the queue that is kept in the folder `place`. Raises `OSError`."""
    latest = max((int(name[:20]) for name in _names(place)), default=0)  # The clock may have been set back since.
    ticket = Ticket(place / f"{max(time.time_ns(), latest + 1):020}-{secrets.token_hex(4)}.json", folder, "")
    ticket.claim("")
    return ticket


def read_ticket(file: Path) -> Ticket | None:
    """None where it is gone or damaged."""
    document = read_object(file) if NAME.fullmatch(file.name) else {}
    folder, device = document.get("folder"), document.get("device")
    if not isinstance(folder, str) or not isinstance(device, str) or not os.path.isabs(folder) or "\0" in folder:
        return None
    return Ticket(file, Path(folder), device)


def tickets(place: Path) -> list[Ticket]:
    """All that can be read, first come first."""
    found = (read_ticket(place / name) for name in sorted(_names(place)))
    return [ticket for ticket in found if ticket]


def before(ticket: Ticket) -> int:
    """How many runs must end before a waiting one begins: those that came first, and one in training."""
    others = tickets(ticket.file.parent)
    first = sum(not other.device and other.file.name < ticket.file.name for other in others)
    return first + any(other.device for other in others)


def _names(place: Path) -> list[str]:
    try:
        return [name for name in os.listdir(place) if NAME.fullmatch(name)]
    except OSError:
        return []
