"""What a model predicts, in the classes in which pictures are being labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seg_demo.classes import IGNORE_INDEX, ClassMap
from seg_demo.errors import UserError

if TYPE_CHECKING:
    from seg_demo.infer.lent import LentPredictor
    from seg_demo.infer.predictor import Predictor


def draft(predictor: Predictor | LentPredictor, image: np.ndarray, classes: ClassMap) -> np.ndarray:
    """(H, W) uint8: the prediction for an image (H, W, 3) uint8; not labelled where the class has no counterpart here.

    Raises `UserError` where the model knows none of the classes, but perhaps the first.
    """
    known = predictor.checkpoint.config.classes
    table = counterparts(known.names, classes.names)
    if (table[1 : len(known)] == IGNORE_INDEX).all():
        raise UserError(
            "{model} knows {known}, none of which is a class here. Name a class as it does, or choose another model.",
            model=predictor.checkpoint.name, known=", ".join(known.names[1:6]),
        )  # fmt: skip
    return table[predictor(image).label_map]


def counterparts(known: tuple[str, ...], names: tuple[str, ...]) -> np.ndarray:
    """(256,) uint8: of each id of a model the id of the class of the same name, or `IGNORE_INDEX`.

    Where both have two classes they are taken by their places, whatever they are called.
    """
    table = np.full(256, IGNORE_INDEX, np.uint8)
    if len(known) == len(names) == 2:
        table[:2] = 0, 1
        return table
    places = {name.strip().casefold(): place for place, name in enumerate(names)}
    for class_id, name in enumerate(known):
        table[class_id] = places.get(name.strip().casefold(), IGNORE_INDEX)
    table[0] = 0 if table[0] == IGNORE_INDEX else table[0]  # what is around things, whatever it is called
    return table
