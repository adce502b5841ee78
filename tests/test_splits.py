"""Splits: every picture once, the same everywhere, of the sizes that were asked for, and with the classes alike."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from seg_demo.data.listing import SPLITS, Pair
from seg_demo.data.splits import assign_splits

Present = dict[str, frozenset[int]]


def pairs_of(present: Present, split: str | None = None) -> list[Pair]:
    return [Pair(name, Path(f"{name}.jpg"), Path(f"{name}.png"), split) for name in present]


def splits_of(present: Present, **options: object) -> dict[str, str | None]:
    return {pair.name: pair.split for pair in assign_splits(pairs_of(present), present, **options)}  # type: ignore[arg-type]


presences = st.lists(st.frozensets(st.integers(0, 7), max_size=4), min_size=1, max_size=60).map(
    lambda sets: {f"picture_{number}": classes for number, classes in enumerate(sets)}
)
shares = st.sampled_from([(0.8, 0.2, 0.0), (0.7, 0.15, 0.15), (0.5, 0.5, 0.0), (0.9, 0.1, 0.0), (8.0, 1.0, 1.0)])


@settings(max_examples=150, deadline=None)
@given(present=presences, shares=shares, seed=st.integers(0, 99))
def test_sizes(present: Present, shares: tuple[float, float, float], seed: int) -> None:
    splits = splits_of(present, shares=shares, seed=seed)
    assert set(splits) == set(present)
    sizes = Counter(splits.values())
    assert sum(sizes[split] for split in SPLITS) == len(present)
    wanted = {split: share / sum(shares) for split, share in zip(SPLITS, shares, strict=True) if share}
    assert set(sizes) <= set(wanted)
    assert len(sizes) == min(len(wanted), len(present))  # none is empty while there are enough pictures
    if min(wanted.values()) * len(present) >= 1 or len(wanted) == 2:
        for split, share in wanted.items():
            assert abs(sizes[split] - share * len(present)) < 1 or sizes[split] == 1


@settings(max_examples=150, deadline=None)
@given(present=presences, seed=st.integers(0, 99))
def test_a_class_in_two_pictures_is_in_training(present: Present, seed: int) -> None:
    splits = splits_of(present, seed=seed)
    counts = Counter(class_id for classes in present.values() for class_id in classes)
    trained = {class_id for name, classes in present.items() if splits[name] == "train" for class_id in classes}
    frequent = {class_id for class_id, count in counts.items() if count >= 2}
    sizes = Counter(splits.values())
    if len(frequent) <= sizes["train"] or sizes["val"] == 1:
        assert frequent <= trained


@settings(max_examples=80, deadline=None)
@given(present=presences, seed=st.integers(0, 99))
def test_the_order_of_the_files_makes_no_difference(present: Present, seed: int) -> None:
    names = list(present)
    random.Random(seed).shuffle(names)
    assert splits_of(present, seed=seed) == splits_of({name: present[name] for name in names}, seed=seed)


def test_the_same_everywhere() -> None:
    present = {f"{number:02}": frozenset({number % 3, 3 + number % 4}) for number in range(20)}
    val = sorted(name for name, split in splits_of(present).items() if split == "val")
    assert val == FIXED_VAL
    assert val != sorted(name for name, split in splits_of(present, seed=1).items() if split == "val")


FIXED_VAL = ["07", "12", "14", "17"]


def test_the_result_has_the_order_and_the_files_of_the_pairs() -> None:
    pairs = pairs_of({name: frozenset() for name in "dbca"})
    done = assign_splits(pairs, {})
    assert [(pair.name, pair.image, pair.label) for pair in done] == [(p.name, p.image, p.label) for p in pairs]
    assert Counter(pair.split for pair in done) == {"train": 3, "val": 1}


def test_validation_is_taken_out_of_the_training() -> None:
    present = {f"p{number}": frozenset({0, 1}) for number in range(10)}
    test = pairs_of({"t1": frozenset(), "t2": frozenset()}, "test")
    done = assign_splits([*pairs_of(present, "train"), *test], present, shares=(0.7, 0.3, 0.5))
    assert Counter(pair.split for pair in done) == {"train": 7, "val": 3, "test": 2}
    assert all(pair.split == "test" for pair in done if pair.name in ("t1", "t2"))


def test_what_is_split_stays_so() -> None:
    present = {name: frozenset({0}) for name in "abcdef"}
    decided = [*pairs_of({"a": frozenset(), "b": frozenset()}, "train"), *pairs_of({"c": frozenset()}, "val")]
    assert assign_splits(decided, present) == decided
    mixed = assign_splits([*decided, *pairs_of({name: frozenset({0}) for name in "def"})], present)
    assert mixed[:3] == decided
    assert Counter(pair.split for pair in mixed[3:]) == {"train": 2, "val": 1}
    only_test = pairs_of({"a": frozenset()}, "test")
    assert assign_splits(only_test, present) == only_test
    assert assign_splits([], {}) == []


def test_one_and_two_pictures() -> None:
    assert list(splits_of({"a": frozenset({1})}).values()) == ["train"]
    assert sorted(splits_of({"a": frozenset({1}), "b": frozenset({1})}).values()) == ["train", "val"]  # type: ignore[type-var]


def difference(present: Present, splits: dict[str, str | None]) -> float:
    """The largest difference between training and validation in the share of pictures that hold a class."""
    names = [[name for name in present if splits[name] == split] for split in ("train", "val")]
    classes = sorted(frozenset().union(*present.values()))
    presence = [[np.mean([class_id in present[name] for name in own]) for class_id in classes] for own in names]
    return float(np.abs(np.subtract(*presence)).max())


def shuffled(present: Present, seed: int) -> dict[str, str | None]:
    names = list(present)
    random.Random(seed).shuffle(names)
    cut = round(len(names) * 0.8)
    return {name: "train" if place < cut else "val" for place, name in enumerate(names)}


def compare(present: Present) -> tuple[float, float]:
    """Mean over ten seeds of `difference`: stratified, and at random."""
    stratified = np.mean([difference(present, splits_of(present, seed=seed)) for seed in range(10)])
    return float(stratified), float(np.mean([difference(present, shuffled(present, seed)) for seed in range(10)]))


def test_it_is_better_than_chance() -> None:
    rng = np.random.default_rng(0)
    present = {
        f"{number:03}": frozenset(np.flatnonzero(rng.random(6) < (0.9, 0.5, 0.3, 0.1, 0.05, 0.02)).tolist())
        for number in range(150)
    }
    stratified, chance = compare(present)
    assert stratified < 0.6 * chance, (stratified, chance)


def test_camvid(real_data: Path) -> None:
    folder = real_data / "camvid/trainannot"
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing")
    present = {path.stem: frozenset(np.unique(np.asarray(Image.open(path))).tolist()) for path in folder.glob("*.png")}
    stratified, chance = compare(present)
    assert stratified < 0.05 < chance, (stratified, chance)
