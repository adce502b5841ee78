"""What a visitor may bring here where strangers share the computer."""

from __future__ import annotations

from dataclasses import replace

from seg_demo.checkpoint import find_checkpoints
from seg_demo.data.archive import Limits
from seg_demo.errors import UserError
from seg_demo.hub.limits import LIMITS
from seg_demo.jobs.workspace import Workspace

CHECKPOINTS, BYTES = 20, 4 * 10**9  # of one visitor
PULL = replace(LIMITS, weights=10**9)
PACKAGE = Limits(entries=100, total_bytes=1_050_000_000, file_bytes=10**9)  # of a ZIP that is brought
AT_ONCE = 8  # pushes and pulls of all visitors
LONGEST_SIDE = 1024  # pixels of the pictures that an exported network takes


def check_room(workspace: Workspace) -> None:
    """Raises `UserError` where a visitor may not have another checkpoint."""
    folders = find_checkpoints(workspace.checkpoints)
    if len(folders) >= CHECKPOINTS:
        raise UserError(
            "There are {count} checkpoints of yours here. Delete some that you do not need.", count=len(folders)
        )
    held = sum(path.lstat().st_size for folder in folders for path in folder.rglob("*"))
    if held >= BYTES:
        raise UserError(
            "Your checkpoints here take {size} GB, and there is no room for more. Delete some that you do not need.",
            size=f"{held / 1e9:.1f}",
        )


def check_side(height: int, width: int) -> None:
    """Raises `UserError` for a network for pictures that would take more memory than there is for each."""
    if max(height, width) > LONGEST_SIDE:
        raise UserError(
            "A network is exported here for pictures of at most {most} pixels a side, as others share this computer.",
            most=LONGEST_SIDE,
        )
