"""What would stop a training run, found before it has cost an hour."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from seg_demo.errors import UserError

if TYPE_CHECKING:
    from seg_demo.data.dataset import DataSet


def check_device(name: str, world: int = 1) -> None:
    """Raise where nothing can be computed on the device `name`, or where `world` processes would share it."""
    from seg_demo.infer.device import find_device

    try:
        device = find_device(name)
    except UserError:
        raise UserError('There is no device "{name}" here. Use cpu, or leave --device out.', name=name) from None
    if world > 1 and device.index is not None:
        raise UserError(
            'Each of {world} processes takes a device of its own, but --device is "{name}". Use {kind}, or leave '
            "--device out.",
            world=world, name=name, kind=device.type,
        )  # fmt: skip


def check_places(arguments: argparse.Namespace) -> None:
    """Raise where the run or what is to be saved at its end could not be written, before it has cost an hour."""
    from seg_demo.checkpoint.folder import check_replaceable

    out = arguments.out
    _check_writable(arguments.run)
    if not out:
        return
    check_replaceable(out)
    if arguments.run.resolve().is_relative_to(out.resolve()):
        raise UserError("{out} is no checkpoint, so it is not replaced. Name a new folder for --out.", out=out)
    _check_writable(out.parent)


def _check_writable(folder: Path) -> None:
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryDirectory(prefix=".", dir=there):
            pass
    except OSError as error:
        raise UserError(
            "{folder} cannot be written ({reason}). Choose another folder.",
            folder=folder, reason=error.strerror or error,
        ) from None  # fmt: skip


def check_model(folder: Path) -> None:
    if (folder / "last" / "config.json").is_file():
        raise UserError(
            "{folder} is a run. Give one of its checkpoints, such as {best}.", folder=folder, best=folder / "best"
        )


def check_pictures(source: str) -> Callable[[str], DataSet] | None:
    """Refuse pictures that training would fail on, or learn nonsense from.

    Returns what gives each split of the folder, which has been read for that; None for what is no folder.
    """
    from seg_demo.cli.progress import counting
    from seg_demo.data.check import check
    from seg_demo.data.registry import SOURCES

    if source.partition(":")[0] in SOURCES:
        return None
    with counting("Checking") as show:
        checked = check(source, progress=show)
    errors = [finding for finding in checked.report.findings if finding.severity == "error"]
    if errors:
        raise UserError(
            "{folder} cannot be learned from yet ({errors}): {error} `data check` names them all and repairs a "
            "copy, --no-check starts all the same.",
            folder=source, error=errors[0].sentence, errors=f"{len(errors)} error" + "s" * (len(errors) > 1),
        )  # fmt: skip
    return checked.folder.split
