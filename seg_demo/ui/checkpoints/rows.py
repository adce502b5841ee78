"""The rows of the shelf: what is here, and what the Hub says about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seg_demo.checkpoint.config import CheckpointConfig, read_config
from seg_demo.checkpoint.folder import FILES
from seg_demo.checkpoint.link import read_link
from seg_demo.errors import UserError
from seg_demo.infer.library import Library
from seg_demo.jobs.workspace import Workspace
from seg_demo.ui.checkpoints.shelf import ShelfClass, ShelfRow
from seg_demo.ui.i18n import explain

if TYPE_CHECKING:
    from seg_demo.hub.sync import Sync

MOST_CLASSES = 8  # whose names and colours travel with a row
REMOTE = "hub:"  # begins the key of what is only on the Hub; no checkpoint can be called so


@dataclass(frozen=True)
class Held:
    """A checkpoint that is here. key: names it in events, and chooses it in the model pickers.

    own: whether the visitor may rename and delete it.
    """

    key: str
    name: str
    folder: Path
    own: bool
    bundled: bool

    def config(self) -> CheckpointConfig:
        """Raises `UserError` where its config.json cannot be used."""
        return read_config(self.folder)


def held(library: Library, workspace: Workspace) -> dict[str, Held]:
    """What the visitor can use that lies in folders, by key, in the order of the model pickers."""
    found = {}
    for entry in library.entries(workspace.checkpoints).values():
        if entry.folder is None:
            continue
        own = entry.folder.parent == workspace.checkpoints and not workspace.is_bundled(entry.folder.name)
        found[entry.name] = Held(entry.name, entry.title, entry.folder, own, not own)
    return found


def held_by_key(library: Library, workspace: Workspace, key: str) -> Held:
    """What a browser asks for, looked up among what there is. Raises `UserError` where it is not there."""
    found = held(library, workspace).get(key)
    if found is None:
        raise UserError("This checkpoint is not here any more. Choose another one.")
    return found


def rows_of(here: Iterable[Held], known: Iterable[Sync] | None, language: str, failed: bool = False) -> list[ShelfRow]:
    """One row each for what is here, then for what only the Hub has.

    known: what it says, None: not asked yet. failed: it could not be asked.
    """
    by_folder = {sync.folder: sync for sync in known or () if sync.folder}
    rows = [_row(one, by_folder.get(one.folder), language) for one in here]
    for row in rows:
        if failed and row.state == "unasked":
            row.state = "unknown"
    return rows + [_remote_row(sync) for sync in known or () if not sync.folder]


def _row(one: Held, sync: Sync | None, language: str) -> ShelfRow:
    link = read_link(one.folder)
    files = files_of(one.folder)
    row = ShelfRow(
        key=one.key,
        name=one.name,
        kind="bundled" if one.bundled else "own",
        bytes=sum(size for _, size, _ in files),
        written=max((when for *_, when in files), default=None),
    )
    try:
        config = one.config()
    except UserError as error:
        row.problem = explain(error, language)
    else:
        names, colors = config.classes.names, config.classes.colors
        row.classes = [
            ShelfClass(name=name, color=list(color))
            for name, color in zip(names[:MOST_CLASSES], colors[:MOST_CLASSES], strict=True)
        ]
        row.class_count = len(names)
        row.measured, row.iou = mean_iou(config.metrics)
    if link is not None and link.layout != "seg_demo" and not one.bundled:
        row.kind = "foreign"
    if sync is not None:
        _note(row, sync)
    elif link is not None:
        row.repo, row.url = link.repo, address_of(link.repo)
    return row


def _note(row: ShelfRow, sync: Sync) -> None:
    """What the Hub says about it."""
    row.state, row.repo = sync.state, sync.repo
    row.url = address_of(sync.repo) if sync.repo else ""
    if sync.remote is not None:
        row.private, row.pushed = sync.remote.private, sync.remote.modified or None


def _remote_row(sync: Sync) -> ShelfRow:
    row = ShelfRow(key=REMOTE + sync.repo, name=sync.repo, kind="remote")
    _note(row, sync)
    return row


def address_of(repo: str) -> str:
    """The page of a repository."""
    from huggingface_hub.constants import ENDPOINT

    return f"{ENDPOINT}/{repo}"


def files_of(folder: Path) -> list[tuple[str, int, float]]:
    """(name, bytes, seconds since 1970) of each file of a checkpoint that is meant to be seen."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in name.split("/")) or path.is_symlink() or not path.is_file():
            continue
        status = path.stat()
        found.append((name, status.st_size, status.st_mtime))
    return sorted(found, key=lambda file: (file[0] not in FILES, file[0]))


def mean_iou(metrics: Mapping[str, Any]) -> tuple[str, float | None]:
    """(split, mean IoU) of the first split that has one; a stranger wrote the table."""
    for split, figures in metrics.items():
        value = figures.get("mean_iou") if isinstance(figures, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return str(split)[:60], float(value)
    return "", None
