"""What the Threshold tab looks at: a picture, a model and a class, from which a prediction can be made any time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seg_demo.classes import IGNORE_INDEX
from seg_demo.errors import UserError
from seg_demo.evaluate.automatic import Choice
from seg_demo.evaluate.labels import read_labels
from seg_demo.evaluate.threshold import histogram_of
from seg_demo.infer.binarisation import Binarisation
from seg_demo.infer.planes import Planes, Prediction
from seg_demo.registry import look_up
from seg_demo.ui.lab import Subject

if TYPE_CHECKING:
    from seg_demo.checkpoint import CheckpointConfig

HISTOGRAM_METHODS = ("otsu", "li", "triangle")  # the others the browser finds by itself


@dataclass(frozen=True)
class Look:
    """A picture file, the model by its name in the library, the class by its name ("": the largest), a label file.

    place: what a link says of the picture: {"example": name} or {"picture": token}; {} where nothing leads back to it.
    """

    file: str
    model: str
    class_name: str = ""
    labels: str | None = None
    place: Mapping[str, str] | None = None

    @property
    def link(self) -> dict[str, str]:
        """What an address needs to lead back here."""
        return {**self.place, "model": self.model, "class": self.class_name} if self.place else {}


def there(look: Look | None) -> Look:
    """Raises `UserError` where nothing is looked at, or its picture is gone."""
    if look is None or not Path(look.file).is_file():
        raise UserError("There is no picture here any more. Bring one first.")
    return look


def class_choices(config: CheckpointConfig) -> list[str]:
    """The classes whose probabilities a model gives; the background of the task "binary" is the rest to 1."""
    return list(config.classes.names[1:] if config.task == "binary" else config.classes.names)


def class_id_of(config: CheckpointConfig, name: str) -> int:
    """Raises `UserError` for a class that the model does not know."""
    ids = {known: config.classes.names.index(known) for known in class_choices(config)}
    return look_up("class", ids, name)


def predicted(planes: Planes, look: Look) -> tuple[Look, Prediction]:
    """The prediction, and the look with a class: its own, or the largest. Raises `UserError` for an unknown one."""
    config = planes.library.predictor(look.model).config
    file = Path(look.file)
    if look.class_name:
        return look, planes.predict(look.model, file, class_id_of(config, look.class_name))
    prediction = planes.predict(look.model, file, 1)
    largest = prediction.largest
    if largest not in prediction.planes:
        prediction = planes.predict(look.model, file, largest)
    return replace(look, class_name=config.classes.names[largest]), prediction


def subject_of(
    look: Look, prediction: Prediction, writable: bool = False, state: dict[str, float | None] | None = None
) -> Subject:
    """What the laboratory shows of a look with a class. Raises `UserError` for a label file that does not suit."""
    config = prediction.config
    class_id = class_id_of(config, look.class_name)
    plane = prediction.planes[class_id]
    label_map = None
    if look.labels:
        labels = read_labels(Path(look.labels), config.classes, config.task, prediction.image.shape[:2])
        ignored = labels == config.classes.ignore_index
        label_map = np.where(ignored, np.uint8(IGNORE_INDEX), labels == class_id)
    return Subject(
        name=Path(look.file).name,
        model=look.model,
        class_name=look.class_name,
        image=prediction.image,
        plane=plane,
        color=visible(config.classes.colors[class_id]),
        task=config.task,
        threshold=config.threshold if config.task == "binary" else 0.5,
        label_map=label_map,
        writable=writable,
        automatic=automatic_levels(plane),
        link=look.link,
        state=state,
    )


def visible(color: tuple[int, int, int]) -> tuple[int, int, int]:
    """A colour that shows over a picture: black, as the background has it, would not."""
    return (220, 220, 220) if sum(color) < 48 else color


def automatic_levels(plane: np.ndarray) -> dict[str, int]:
    """Level by method, of the methods that find one in the histogram."""
    values, levels = histogram_of(plane), {}
    for name in HISTOGRAM_METHODS:
        try:
            levels[name] = Choice.parse(name).level(values)
        except UserError:  # one value everywhere; the browser says so when it is asked for
            continue
    return levels


def state_of(fields: Mapping[str, object]) -> Binarisation:
    """The threshold and the filters that a browser or a link tells. Raises `UserError` where they are none."""

    def number(name: str, default: float | None) -> float | None:
        value = fields.get(name)
        if value is None or value == "":
            return default
        try:
            told = float(str(value))
        except ValueError:
            told = math.nan
        if not math.isfinite(told):
            raise UserError("{value} is no number, but a threshold or a size in pixels is one. Correct it.",
                            value=str(value)[:40])  # fmt: skip
        return told

    threshold, low = number("threshold", 0.5), number("low", None)
    smallest = [number(name, 0) or 0 for name in ("smallest_object", "smallest_hole")]
    return Binarisation(threshold or 0.0, low, *(int(min(size, 1e9)) for size in smallest))
