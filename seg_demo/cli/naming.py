"""The file of a picture in a folder that a command writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seg_demo.data.new_folder import NewFolder


def free_path(folder: NewFolder, name: str) -> Path:
    """A .png under the picture's name and in its folders, that is not there yet, and never outside of `folder`."""
    # A name is what a stranger's file is called: no "..", nothing hidden, no root.
    parts = [part for part in (part.strip().lstrip(".") for part in name.split("/")) if part] or ["picture"]
    stem = path = folder.staging.joinpath(*parts)
    number = 1
    while (path := path.with_name(path.name + ".png")).exists():  # trainval may have a name twice
        number += 1
        path = stem.with_name(f"{stem.name}_{number}")
    return path
