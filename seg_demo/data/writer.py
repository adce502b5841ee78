"""Writing a data set in this project's own layout, so that nobody ever sees half of one."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np

from seg_demo.classes import ClassMap
from seg_demo.data.class_file import write_class_file
from seg_demo.data.listing import is_picture
from seg_demo.data.masks import palette_image
from seg_demo.errors import UserError


class DataSetWriter:
    """Writes `out`/[split/]images/NAME.*, `out`/[split/]masks/NAME.png and `out`/classes.txt.

    It is a context manager: everything goes into a hidden folder beside `out`, which takes the name at the end; after
    an error nothing is left. Raises `UserError` where `out` exists and is not empty, or where the disk refuses.

    >>> with DataSetWriter(out, classes) as writer:  # doctest: +SKIP
    ...     writer.add("train", "cat_12", Path("photos/cat_12.jpg"), label_map)
    """

    def __init__(self, out: Path, classes: ClassMap) -> None:
        self.out, self.classes = out, classes
        self.count = 0

    def __enter__(self) -> DataSetWriter:
        must_be_free(self.out)
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self._staging = Path(tempfile.mkdtemp(prefix=f".{self.out.name}.", dir=self.out.parent))
        except OSError as error:
            raise self._refused(error) from None
        return self

    def add(self, split: str | None, name: str, image: Path | bytes, label_map: np.ndarray) -> None:
        """Write one pair. image: a picture file, which is copied byte by byte, or its bytes.

        label_map: (H, W) uint8 of the size of the upright image. A name that is taken in its split gets "_2", "_3", ...
        """
        folder = self._staging / (split or "")
        plain = Path(name).name.lstrip(".") or "picture"  # what begins with a dot is hidden, and would not be found
        stem, number = plain, 1
        while (folder / "masks" / f"{stem}.png").exists():
            number += 1
            stem = f"{plain}_{number}"
        try:
            for kind in ("images", "masks"):
                (folder / kind).mkdir(parents=True, exist_ok=True)
            if isinstance(image, bytes):
                (folder / "images" / (stem + _suffix(image))).write_bytes(image)
            else:
                suffix = image.suffix.lower() if is_picture(image) else _suffix(image.read_bytes()[:4])
                shutil.copyfile(image, folder / "images" / (stem + suffix))
            palette_image(label_map, self.classes).save(folder / "masks" / f"{stem}.png")
        except OSError as error:
            raise self._refused(error) from None
        self.count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                write_class_file(self._staging / "classes.txt", self.classes)
                self._staging.chmod(0o755)  # mkdtemp makes it private
                if self.out.is_dir():
                    self.out.rmdir()
                os.replace(self._staging, self.out)
        except OSError as failure:
            raise self._refused(failure) from None
        finally:
            shutil.rmtree(self._staging, ignore_errors=True)

    def _refused(self, error: OSError) -> UserError:
        return UserError(
            "{folder} could not be written ({reason}). Free some space or name another folder.",
            folder=self.out, reason=error.strerror or error,
        )  # fmt: skip


def must_be_free(out: Path) -> None:
    """Raises `UserError` where `out` exists and is not an empty folder."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UserError("{folder} is there already and is not empty. Name a new folder.", folder=out)


def _suffix(picture: bytes) -> str:
    """By the first bytes of a file; what is none of these is PNG or cannot be read anyway."""
    if picture.startswith(b"\xff\xd8"):
        return ".jpg"
    return {b"RIFF": ".webp", b"GIF8": ".gif", b"II*\0": ".tif", b"MM\0*": ".tif"}.get(picture[:4], ".png")
