"""Writing a data set in this project's own layout, so that nobody ever sees half of one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from seg_demo.classes import ClassMap
from seg_demo.data.class_file import write_class_file
from seg_demo.data.listing import is_picture
from seg_demo.data.masks import palette_image
from seg_demo.data.new_folder import NewFolder


class DataSetWriter(NewFolder):
    """Writes `out`/[split/]images/NAME.*, `out`/[split/]masks/NAME.png and `out`/classes.txt.

    It is a context manager: everything goes into a hidden folder beside `out`, which takes the name at the end; after
    an error nothing is left. Raises `UserError` where `out` exists and is not empty, or where the disk refuses.

    >>> with DataSetWriter(out, classes) as writer:  # doctest: +SKIP
    ...     writer.add("train", "cat_12", Path("photos/cat_12.jpg"), label_map)
    """

    def __init__(self, out: Path, classes: ClassMap) -> None:
        super().__init__(out)
        self.classes = classes
        self.count = 0

    def add(self, split: str | None, name: str, image: Path | bytes, label_map: np.ndarray) -> None:
        """Write one pair. image: a picture file, which is copied byte by byte, or its bytes.

        label_map: (H, W) uint8 of the size of the upright image. A name that is taken in its split gets "_2", "_3", ...
        """
        folder = self.staging / (split or "")
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
            raise self.refused(error) from None
        self.count += 1

    def finish(self) -> None:
        write_class_file(self.staging / "classes.txt", self.classes)


def _suffix(picture: bytes) -> str:
    """By the first bytes of a file; what is none of these is PNG or cannot be read anyway."""
    if picture.startswith(b"\xff\xd8"):
        return ".jpg"
    return {b"RIFF": ".webp", b"GIF8": ".gif", b"II*\0": ".tif", b"MM\0*": ".tif"}.get(picture[:4], ".png")
