"""Finding the picture that a labelling tool's file names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from seg_demo.data.listing import Tree, is_picture
from seg_demo.errors import UserError

IMAGE_FOLDERS = frozenset({"images", "jpegimages", "data"})  # in lower case


class PictureFinder:
    """All picture files under the folder of `source`, and in the folders named in `IMAGE_FOLDERS` beside it.

    A name out of a file is only ever compared with these, never opened, so it cannot lead anywhere else; neither can
    a link, which counts only where it ends inside.
    """

    def __init__(self, source: Path) -> None:
        self.folder = Path(os.path.abspath(source if source.is_dir() else source.parent))
        names: list[str] = []
        with contextlib.suppress(OSError):  # a parent that may not be listed has nothing to offer
            names = sorted(os.listdir(self.folder.parent))
        beside = [self.folder.parent / name for name in names if name.lower() in IMAGE_FOLDERS]
        beside = [path for path in beside if path.is_dir() and path != self.folder]
        roots = [self.folder, *beside]
        resolved = [root.resolve() for root in roots]
        self._files: set[Path] = set()
        self._by_name: dict[str, list[Path]] = {}
        self._image_folders: dict[Path, set[Path]] = {}
        for root in roots:
            for relative in Tree(root).files:
                path = root / relative
                if not is_picture(path) or (path.is_symlink() and not _is_inside(path.resolve(), resolved)):
                    continue
                self._files.add(path)
                for folder in path.parents:
                    if folder.name.lower() in IMAGE_FOLDERS:
                        self._image_folders.setdefault(folder.parent, set()).add(folder)
                for key in {path.name.lower(), path.stem.lower()}:
                    self._by_name.setdefault(key, []).append(path)

    def find(self, file: Path, name: str) -> Path | UserError:
        """The picture that `file` calls `name`, which may be a path with either slash, with or without suffix.

        The path as it stands counts first, from the file's folder, from each folder above it, and from the image
        folders in these; then the name alone, whatever its case, in the nearest folder that holds it once, image
        folders first; then the name without its suffix, so that a picture that was saved as another kind is found.
        Returns, without raising it, the sentence about a picture that is not there or that is there twice.
        """
        own = Path(os.path.abspath(file))
        wanted = PurePosixPath(name.replace("\\", "/"))
        above = [folder for folder in own.parents if folder == self.folder or self.folder in folder.parents]
        above.append(self.folder.parent)
        for folder in above:
            for start in (folder, *sorted(self._image_folders.get(folder, ()))):
                path = Path(os.path.normpath(start / wanted))
                if path in self._files and path != own:
                    return path
        for key in (wanted.name.lower(), wanted.stem.lower()):
            candidates = [path for path in self._by_name.get(key, []) if path != own]
            for folder in above:
                near = [path for path in candidates if folder in path.parents]
                near = [path for path in near if _in_image_folder(path, folder)] or near
                if len(near) == 1:
                    return near[0]
                if near:
                    return UserError(
                        "{file} names the picture {picture}, but {count} files could be it, such as {first} and "
                        "{second}. Keep one of them, or convert one folder at a time.",
                        file=file, picture=name, count=len(near), first=near[0], second=near[1],
                    )  # fmt: skip
        return UserError(
            "{file} names the picture {picture}, which is not in {folder}. Put it beside the file or into a folder "
            "named images.",
            file=file, picture=name, folder=self.folder,
        )  # fmt: skip


def _in_image_folder(path: Path, folder: Path) -> bool:
    return any(part.lower() in IMAGE_FOLDERS for part in path.relative_to(folder).parts[:-1])


def _is_inside(path: Path, roots: Iterable[Path]) -> bool:
    return any(root in path.parents for root in roots)
