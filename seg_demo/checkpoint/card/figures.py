"""The figures of a model card: for each split, the IoU of every class and the means."""

from __future__ import annotations

import re
from typing import Any

from seg_demo.checkpoint.card.markdown import escaped, folded, table, told, words
from seg_demo.checkpoint.config import CheckpointConfig

FOLDED = 30  # rows of a table from which on it is shown only when it is asked for
# Names of `Evaluation.figures`, in the order in which they are told.
TITLES = {
    "mean_iou": "mean IoU", "accuracy": "pixel accuracy", "mean_accuracy": "mean accuracy of the classes",
    "frequency_weighted_iou": "IoU weighted by pixels", "mean_dice": "mean Dice", "boundary_iou": "boundary IoU",
    "mean_picture_iou": "mean IoU of a picture", "loss": "cross-entropy",
}  # fmt: skip
_COUNT = re.compile(r"^(\d{1,9}) |, (\d{1,9}) pictures?\b")


def figures(config: CheckpointConfig) -> str:
    """A heading, a table and a list for each split."""
    if not config.metrics:
        return (
            "It has not been measured. `python -m seg_demo eval CHECKPOINT --data PICTURES --record` measures it and "
            "writes the figures here."
        )
    tables = [_split(split, values, config) for split, values in config.metrics.items() if isinstance(values, dict)]
    rest = [
        f"- {escaped(words(key))}: {told(value)}"
        for key, value in config.metrics.items()
        if not isinstance(value, dict)
    ]
    about = (
        "The IoU of a class is the share on which the model and the label map agree, of all pixels that either of them "
        "gives to it; 1 is perfect. Each heading names the pictures that were measured."
    )
    return "\n\n".join([about, *tables, *(["\n".join(rest)] if rest else [])])


def measured(split: str) -> int | None:
    """How many pictures a split says it has.

    >>> measured("6 test photos"), measured("validation, 12 pictures"), measured("val")
    (6, 12, None)
    """
    found = _COUNT.search(split)
    return int(found[1] or found[2]) if found else None


def _split(split: str, values: dict[str, Any], config: CheckpointConfig) -> str:
    of_classes = {f"iou_{name}": name for name in config.classes.names}
    parts = [f"### {escaped(split)}"]
    known = [key for key in TITLES if key in values]
    if of_classes.keys() & values.keys():
        rows = [[escaped(name), _figure(values.get(key), "–")] for key, name in of_classes.items()]
        rows.append(["**mean**", f"**{_figure(values.get('mean_iou'), '–')}**"])
        text = table(["class", "IoU"], rows, numbers=True)
        parts.append(folded(f"IoU of the {len(rows) - 1} classes", text) if len(rows) > FOLDED else text)
        known = [key for key in known if key != "mean_iou"]
    others = [key for key in values if key not in TITLES and key not in of_classes]
    lines = [f"- {TITLES.get(key) or escaped(words(key))}: {_figure(values[key])}" for key in (*known, *others)]
    if lines:
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _figure(value: object, missing: str = "not recorded") -> str:
    """With three digits behind the point; no more of them can be told from chance on the usual number of pictures."""
    if value is None:
        return missing
    return f"{value:.3f}" if isinstance(value, float) and abs(value) < 1e4 else told(value)
