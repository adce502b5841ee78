"""What a visitor may ask of a computer that strangers share."""

from __future__ import annotations

from collections.abc import Mapping

from seg_demo.errors import UserError
from seg_demo.jobs.job import Job
from seg_demo.jobs.workspace import Workspace

MINUTES = 30  # of one run
LONGEST = (2 * MINUTES + 5) * 60  # seconds of a run, validations and all, whatever a step takes
RUNS = 20  # in a workspace
MOST = {"batch_size": 32, "accumulate": 32, "data.crop": 512, "data.preprocessing.size": 1024, "validation.pictures": 8}
# Settings that cost memory or disk without a bound, or the server rather than the run.
OWNERS = (
    "data.workers", "data.memory", "data.drawn_share", "data.drawn_pictures", "model.architecture", "model.arguments",
    "model.keep_features", "validation.window", "validation.scales", "compile", "save_every",
)  # fmt: skip


def check_minutes(number: float) -> None:
    """Raises `UserError` for a run that takes longer than others may wait."""
    if not number <= MINUTES:
        raise UserError(
            "A run may take {most} minutes here, as others wait for theirs. Write a number of minutes up to that.",
            most=MINUTES,
        )


def check_settings(flags: Mapping[str, str]) -> None:
    """Raises `UserError` for a value that would take more memory than there is for each; they are valid otherwise."""
    for path, most in MOST.items():
        if path in flags and float(flags[path]) > most:
            raise UserError(
                "The setting {path} may be at most {most} here, as others share this computer.", path=path, most=most
            )


def check_turn(workspace: Workspace) -> None:
    """Raises `UserError` where a visitor has a run that waits or learns."""
    live = next((folder.name for folder in workspace.run_folders() if Job(folder).state.live), None)
    if live:
        raise UserError("Your run {name} waits or learns already. Stop it first, as others wait for theirs.", name=live)


def check_room(workspace: Workspace) -> None:
    """Raises `UserError` where a visitor may not begin another run."""
    check_turn(workspace)
    if (count := len(workspace.run_folders())) >= RUNS:
        raise UserError("There are {count} runs of yours here. Discard some that you do not need.", count=count)
