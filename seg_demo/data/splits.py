"""Sorting labelled pictures into training, validation and test, so that each split holds the classes alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from seg_demo.data.listing import SPLITS, Pair


def assign_splits(
    pairs: Sequence[Pair],
    present: Mapping[str, frozenset[int]],
    *,
    seed: int = 0,
    shares: tuple[float, float, float] = (0.8, 0.2, 0.0),
) -> list[Pair]:
    """Give a split to the pairs that have none, by iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011).

    present: the classes in the picture of each name. shares: of train, val and test; they are kept to less than one
    picture, except that each split with a share gets a picture where there are enough, train first. A class that is in
    two pictures or more is in a training picture, unless there are more such classes than training pictures.
    Where nothing is left without a split, there is training data and no validation, that is taken out of the training.
    The result has the order of `pairs`; who goes where depends on names, classes and seed only.
    """
    shares_of = dict(zip(SPLITS, shares, strict=True))
    undecided = [pair for pair in pairs if pair.split is None]
    if not undecided and not any(pair.split == "val" for pair in pairs):
        undecided = [pair for pair in pairs if pair.split == "train"]
        shares_of["test"] = 0.0
    undecided.sort(key=lambda pair: (pair.name, str(pair.image), str(pair.label)))
    chosen = _stratified([present.get(pair.name, frozenset()) for pair in undecided], list(shares_of.values()), seed)
    split_of = {id(pair): SPLITS[number] for pair, number in zip(undecided, chosen, strict=True)}
    return [replace(pair, split=split_of.get(id(pair), pair.split)) for pair in pairs]


def _stratified(classes: Sequence[frozenset[int]], shares: Sequence[float], seed: int) -> list[int]:
    """The subset of each picture. classes: in each picture."""
    count = len(classes)
    total = sum(shares)
    room = _sizes(count, shares)
    order = [int(number) for number in np.random.Generator(np.random.PCG64(seed)).permutation(count)]
    holders: dict[int, list[int]] = {}
    for picture in order:
        for class_id in classes[picture]:
            holders.setdefault(class_id, []).append(picture)
    desired = {class_id: [len(pictures) * share / total for share in shares] for class_id, pictures in holders.items()}
    chosen: dict[int, int] = {}

    def assign(picture: int, subset: int) -> None:
        chosen[picture] = subset
        room[subset] -= 1
        for class_id in classes[picture]:
            desired[class_id][subset] -= 1

    # One picture of each class for training before anything else, the rarest class first; a class of which there is one
    # picture can be in one split only, so it comes last.
    for class_id in sorted(
        holders, key=lambda class_id: (len(holders[class_id]) < 2, len(holders[class_id]), class_id)
    ):
        if room[0] and not any(picture in chosen for picture in holders[class_id]):
            assign(holders[class_id][0], 0)
    left = {class_id: sum(picture not in chosen for picture in holders[class_id]) for class_id in holders}
    while any(left.values()):
        rarest = min((number, class_id) for class_id, number in left.items() if number)[1]
        for picture in holders[rarest]:
            if picture not in chosen:
                open_subsets = [subset for subset in range(len(shares)) if room[subset]]
                assign(picture, max(open_subsets, key=lambda subset: (desired[rarest][subset], room[subset], -subset)))
                for class_id in classes[picture]:
                    left[class_id] -= 1
    for picture in order:  # without any class
        if picture not in chosen:
            assign(picture, max(range(len(shares)), key=lambda subset: (room[subset], -subset)))
    return [chosen[picture] for picture in range(count)]


def _sizes(count: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers by largest remainder that sum to `count`; a split with a share gets one where there are enough."""
    exact = [count * share / sum(shares) for share in shares]
    sizes = [int(size) for size in exact]
    for subset in sorted(range(len(shares)), key=lambda subset: (sizes[subset] - exact[subset], subset)):
        if sum(sizes) < count:
            sizes[subset] += 1
    for subset, share in enumerate(shares):
        if share and not sizes[subset] and max(sizes) > 1:
            sizes[sizes.index(max(sizes))] -= 1
            sizes[subset] += 1
    return sizes
