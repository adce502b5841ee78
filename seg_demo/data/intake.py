"""What a user brings, whatever it is: a folder, an archive, label maps or polygons -> a folder with label maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seg_demo.data.archive import is_archive, unpack
from seg_demo.data.polygons import convert, formats_of
from seg_demo.data.registry import find_listing
from seg_demo.data.survey import Progress
from seg_demo.errors import Sentence, UserError


@dataclass(frozen=True)
class Brought:
    """The folder with label maps, whether they were painted from polygons, and sentences about how it came to be."""

    folder: Path
    converted: bool
    reasons: tuple[Sentence, ...]


def bring_in(
    source: Path,
    workspace: Path,
    *,
    classes: Sequence[str] | None = None,
    order: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Brought:
    """Make `source` a folder that can be checked; what has to be written goes into folders in `workspace`.

    Archives are unpacked into `workspace`/unpacked. Polygons become label maps in `workspace`/converted, with
    `classes` and the painting `order` as `convert` takes them. A folder with label maps stays where it is.
    Raises `UserError` as `unpack`, `detect` and `convert` do, or where nothing is recognised.
    """
    reasons: list[Sentence] = []
    folder = source
    if source.is_file() and (is_archive(source) or not formats_of(source)):  # `unpack` says what is no archive
        unpacked = unpack(source, workspace / "unpacked", progress=progress)
        folder = unpacked.folder
        reasons.append(Sentence("{file} was unpacked: {count} files.", file=source.name, count=unpacked.files))
    try:
        find_listing(folder)
        return Brought(folder, False, tuple(reasons))
    except UserError:
        if not formats_of(folder):
            raise
    converted = convert(folder, workspace / "converted", classes=classes, order=order, progress=progress)
    painted = Sentence("{count} label maps were painted from polygons.", count=converted.pictures)
    reasons += [converted.why, painted]
    return Brought(workspace / "converted", True, tuple(reasons))
