"""Drafts: what a model predicts, in the classes of the one who labels."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seg_demo.checkpoint import load_checkpoint
from seg_demo.classes import ClassMap
from seg_demo.errors import UserError
from seg_demo.infer.predictor import Predictor
from seg_demo.ui.finetune.drafts import counterparts, draft

VOC = ("background", "aeroplane", "bicycle", "cat")


@pytest.mark.parametrize(
    ("known", "names", "wanted"),
    [
        (VOC, ("background", "cat", "bicycle"), (0, 255, 2, 1)),
        (VOC, ("ground", " CAT "), (0, 255, 255, 1)),  # what is around things, whatever it is called
        (("newt", "ground", "leaf"), ("ground", "newt", "leaf"), (1, 0, 2)),
        (("background", "newt"), ("ground", "lizard"), (0, 1)),  # two and two go by their places
        (("background", "newt"), ("newt", "background"), (0, 1)),
        (("background", "newt"), ("ground", "akahara", "madara"), (0, 255)),
        (("background", "newt"), ("ground", "akahara", "newt"), (0, 2)),
        (VOC, ("x", "y"), (0, 255, 255, 255)),
        (("background", "straße"), ("a", "b", "STRASSE"), (0, 2)),
    ],
)
def test_classes_are_the_same_by_name(known: tuple[str, ...], names: tuple[str, ...], wanted: tuple[int, ...]) -> None:
    table = counterparts(known, names)
    assert (table.shape, table.dtype) == ((256,), np.uint8)
    assert tuple(table[: len(known)]) == wanted
    assert (table[len(known) :] == 255).all()


def predictor_of(names: tuple[str, ...], label_map: np.ndarray) -> Any:
    """One whose prediction is known."""
    checkpoint = SimpleNamespace(name="model", config=SimpleNamespace(classes=ClassMap.of(*names)))

    class Known:
        def __init__(self) -> None:
            self.checkpoint = checkpoint

        def __call__(self, image: np.ndarray) -> Any:
            return SimpleNamespace(label_map=label_map)

    return Known()


def test_what_has_no_counterpart_is_not_labelled() -> None:
    predicted = np.array([[0, 1], [2, 3]], np.uint8)
    drawn = draft(predictor_of(VOC, predicted), np.zeros((2, 2, 3), np.uint8), ClassMap.of("ground", "cat", "dog"))
    assert drawn.tolist() == [[0, 255], [255, 1]]
    assert drawn.dtype == np.uint8


def test_a_model_that_knows_none_of_the_classes() -> None:
    with pytest.raises(
        UserError, match="model knows aeroplane, bicycle, cat, none of which is a class here."
    ) as caught:
        draft(
            predictor_of(VOC, np.zeros((2, 2), np.uint8)),
            np.zeros((2, 2, 3), np.uint8),
            ClassMap.of("background", "newt", "leaf"),
        )
    assert caught.value.fields["known"] == "aeroplane, bicycle, cat"


def test_a_real_model(tiny_species_checkpoint: Path) -> None:
    predictor = Predictor(load_checkpoint(tiny_species_checkpoint), "cpu")
    image = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    same = draft(predictor, image, ClassMap.of("background", "akahara", "madara"))
    assert np.array_equal(same, predictor(image).label_map)
    swapped = draft(predictor, image, ClassMap.of("background", "madara", "akahara"))
    assert np.array_equal(swapped, np.array([0, 2, 1], np.uint8)[same])
