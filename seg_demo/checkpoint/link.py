"""Where a checkpoint is on the Hub, and what both had in common when they last met: the hidden file .hub.json."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

LINK_FILE = ".hub.json"
"""In the folder of the checkpoint, so that it moves with it; never pushed and never exported."""
LARGEST = 1 << 16  # bytes; more is not read
LAST_TIME = 1e11  # seconds since 1970, which a calendar still knows
_ELSEWHERE = re.compile(r"[/\\:\0]|^\.\.?$")  # in the name of a file: it would lie in another folder
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Link:
    """A checkpoint and a repository that were equal.

    repo: "OWNER/NAME". commit: of the repository, 40 hex digits. layout: of the files there. action, when: how they
    became equal, and the time in seconds since 1970. local: sha256 of the files here by name. remote: what the Hub
    knows the files there by: the sha256 of large ones, the git id of small ones.
    """

    repo: str
    commit: str
    layout: str
    action: Literal["pushed", "pulled"]
    when: float
    local: dict[str, str]
    remote: dict[str, str]


def read_link(folder: Path) -> Link | None:
    """None where the checkpoint was never on the Hub, or the file is damaged."""
    try:
        with (folder / LINK_FILE).open("rb") as file:
            document = json.loads(file.read(LARGEST))
        link = Link(**document)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    if not isinstance(link.local, dict) or not isinstance(link.remote, dict):
        return None
    texts = (link.repo, link.commit, link.layout)
    hashes = (*link.local.values(), *link.remote.values(), link.commit)
    sound = (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(value, str) and _HASH.fullmatch(value) for value in hashes)
        and link.action in ("pushed", "pulled")
        and not any(_ELSEWHERE.search(name) for name in link.local)  # Those are read.
        and type(link.when) in (int, float)
        and 0 <= link.when < LAST_TIME
    )
    return link if sound else None


def write_link(folder: Path, link: Link) -> None:
    """Raises `OSError`."""
    part = folder / f"{LINK_FILE}.new"
    part.write_text(json.dumps(asdict(link), indent=2) + "\n", "utf-8")
    part.replace(folder / LINK_FILE)
