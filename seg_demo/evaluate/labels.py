"""One label file, for one picture, in the classes of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seg_demo.classes import IGNORE_INDEX, ClassMap, Task
from seg_demo.data.decoding import find_reading
from seg_demo.data.images import shown_size
from seg_demo.data.masks import read_label_file
from seg_demo.data.survey import label_facts
from seg_demo.errors import UserError


def read_labels(
    path: Path, classes: ClassMap, task: Task, size: tuple[int, int], *, name: str | None = None
) -> np.ndarray:
    """Read the label file of a picture of `size` (height, width): (H, W) uint8 ids of `classes`, or their ignore index.

    What its values stand for is decided as for a data set (`find_reading`), by this file alone. For the task
    "multiclass", they are ids or colours of `classes`. For "binary", whatever is not background is class 1, be it 1,
    255, or one of several ids or colours. name: for messages. Raises `UserError` for a file that cannot be read, a
    photo, another size, or a value that stands for no class.
    """
    shown = name or path.name
    file = read_label_file(path, name=shown)
    facts = label_facts(file)
    if facts.is_photo:
        raise UserError(
            "{file} looks like a photo, not like a label map. Give the file with the classes of its pixels.", file=shown
        )
    named = classes if task == "multiclass" else None
    label_map = find_reading([facts], named, colors_given=named is not None).decoding.decode(file, shown)
    if label_map.shape != size:
        raise UserError(
            "{label} is {label_size} pixels but its image is {image_size}. Give the label map of this image.",
            label=shown, label_size=shown_size(label_map.shape), image_size=shown_size(size),
        )  # fmt: skip
    ids = label_map if task == "multiclass" else (label_map > 0).astype(np.uint8)
    return np.where(label_map == IGNORE_INDEX, classes.ignore_index, ids).astype(np.uint8)
