"""A data set in the classes of a model: the same by name, renumbered, merged, or refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seg_demo.classes import ClassMap
from seg_demo.data.dataset import AsBinary, DataSet, Renumbered, Sample, fingerprint, in_classes
from seg_demo.errors import UserError


class Two(DataSet):
    """Two samples in which every class occurs, and ignored pixels."""

    def __init__(self, *names: str, ignore_index: int = 255) -> None:
        self.classes = replace(ClassMap.of(*names), ignore_index=ignore_index)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        if index >= 2:
            raise IndexError
        ids = np.array([[*range(len(self.classes)), self.classes.ignore_index]], np.uint8)
        return Sample(str(index), np.full((*ids.shape, 3), index, np.uint8), ids)


@pytest.mark.parametrize(
    ("labelled", "known", "task"),
    [
        ("sky cat dog", "sky cat dog", "multiclass"),
        ("Sky CAT dog", "sky cat Dog", "multiclass"),
        ("background newt", "background newt", "binary"),
        ("ground lizard", "background newt", "binary"),  # background and an object
        ("background class_1 class_2", "background akahara madara", "multiclass"),
        ("background object", "ground newt", "multiclass"),
        ("background akahara madara", "background class_1 class_2", "multiclass"),
        ("Cat cat dog", "Cat cat dog", "multiclass"),
    ],
)
def test_themselves(labelled: str, known: str, task: Any) -> None:
    samples = Two(*named(labelled))
    assert in_classes(samples, ClassMap.of(*named(known)), task, "A model") is samples


def named(text: str) -> list[str]:
    return [name.replace("_", " ") for name in text.split()]


def test_blanks_around_a_name_do_not_count() -> None:
    samples = Two("sky ", " cat")
    assert in_classes(samples, ClassMap.of("sky", "cat"), "multiclass", "A model") is samples


@pytest.mark.parametrize(
    ("labelled", "known", "task", "ids"),
    [
        ("sky cat dog", "dog sky cat", "multiclass", [1, 2, 0]),
        ("SKY Cat dog", "cat dog sky", "multiclass", [2, 0, 1]),
        ("newt background", "background newt", "binary", [1, 0]),
        ("cat Cat dog", "Cat cat dog", "multiclass", [1, 0, 2]),  # of names in either case, their own counts
        ("background class_2 class_1", "background class_1 class_2", "multiclass", [0, 2, 1]),
    ],
)
@pytest.mark.parametrize(("theirs", "ours"), [(255, 255), (200, 255), (255, 3)])
def test_another_order(labelled: str, known: str, task: Any, ids: list[int], theirs: int, ours: int) -> None:
    samples = Two(*named(labelled), ignore_index=theirs)
    classes = replace(ClassMap.of(*named(known)), ignore_index=ours)
    found = in_classes(samples, classes, task, "A model")
    assert isinstance(found, Renumbered)
    assert found.classes is classes
    assert len(found) == 2
    for index, one in enumerate(samples):
        name, image, label_map = found[index]
        assert (name, image.tolist()) == (one.name, one.image.tolist())
        assert label_map.dtype == np.uint8
        assert label_map.tolist() == [[*ids, ours]]
        for class_id, number in enumerate(ids):
            assert classes.names[number].lower() == samples.classes.names[class_id].lower()


def test_other_ignored_pixels() -> None:
    found = in_classes(Two("sky", "cat", ignore_index=200), ClassMap.of("sky", "cat"), "multiclass", "A model")
    assert found[0].label_map.tolist() == [[0, 1, 255]]


def test_an_order_has_its_own_fingerprint() -> None:
    samples = Two("sky", "cat", "dog")
    orders = [ClassMap.of(*names.split()) for names in ("sky cat dog", "cat dog sky", "dog cat sky")]
    found = [fingerprint(in_classes(samples, classes, "multiclass", "A model")) for classes in orders]
    assert len(set(found)) == 3
    assert found[1] == fingerprint(in_classes(samples, orders[1], "multiclass", "Another"))
    assert found[0] == fingerprint(samples)


def test_more_classes_are_merged_for_the_task_binary() -> None:
    found = in_classes(Two("sky", "cat", "dog"), ClassMap.of("background", "newt"), "binary", "A model")
    assert isinstance(found, AsBinary)
    assert found[1].label_map.tolist() == [[0, 1, 1, 255]]


@pytest.mark.parametrize(
    ("labelled", "known", "lacking", "unknown"),
    [
        ("sky dog cat", "background akahara madara", "background", "sky"),
        ("background madara dog", "Background akahara madara", "akahara", "dog"),
        ("road car", "road tree", "tree", "car"),
        ("background class_1 dog", "background akahara madara", "akahara", "class 1"),
        ("sky class_1 class_2", "background akahara madara", "background", "sky"),
        ("cat dog DOG", "Cat cat dog", "Cat", "DOG"),
    ],
)
def test_other_names_are_refused(labelled: str, known: str, lacking: str, unknown: str) -> None:
    with pytest.raises(UserError) as caught:
        in_classes(Two(*named(labelled)), ClassMap.of(*named(known)), "multiclass", "A model")
    assert str(caught.value) == (
        f'A model knows the class "{lacking}", which the pictures lack, and they have "{unknown}", which it does not '
        "know. Rename the classes of the pictures if they are the same, or choose another model or preset."
    )


def test_another_count_is_refused() -> None:
    with pytest.raises(UserError, match="A model knows the classes a, b, but the pictures are labelled a, b, c"):
        in_classes(Two("a", "b", "c"), ClassMap.of("a", "b"), "multiclass", "A model")
