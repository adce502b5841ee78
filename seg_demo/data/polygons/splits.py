"""Names that tell to which split a picture belongs."""

from __future__ import annotations

import re

SPLIT_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def split_of(name: str) -> str | None:
    """ "instances_val2017" -> "val", "Validation" -> "val", "trainval" -> None."""
    found = {SPLIT_NAMES[word] for word in re.findall(r"[a-z]+", name.lower()) if word in SPLIT_NAMES}
    return found.pop() if len(found) == 1 else None
