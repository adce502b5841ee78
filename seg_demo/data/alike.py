"""Pictures that look the same, although they were saved, scaled or brightened again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seg_demo.data.survey import ImageFacts

# Of 512 that may differ: saving and scaling again changes up to 47, pictures one second apart in a film 52 or more.
ALIKE_BITS = 48
LEAST_CONTRAST = 4.0  # grey levels; flatter pictures are alike without being the same
ROWS = 256  # compared at one time


def alike_groups(images: Sequence[ImageFacts]) -> list[list[int]]:
    """Groups of two and more positions in `images`; who is like one of a group belongs to it.

    Flat pictures are only alike if their files are equal.
    """
    if len(images) < 2:
        return []
    hashes = np.array([image.hash for image in images], np.float32) * 2 - 1  # (N, 512) of -1 and 1
    flat = np.array([image.contrast < LEAST_CONTRAST for image in images])
    leader = list(range(len(images)))

    def lead(place: int) -> int:
        while leader[place] != place:
            leader[place] = place = leader[leader[place]]
        return place

    for start in range(0, len(images), ROWS):
        different = (hashes.shape[1] - hashes[start : start + ROWS] @ hashes.T) / 2  # (ROWS, N) bits
        for row, other in zip(*np.nonzero(different <= ALIKE_BITS), strict=True):
            one, two = start + int(row), int(other)
            if one < two and (not (flat[one] or flat[two]) or images[one].digest == images[two].digest):
                leader[lead(two)] = lead(one)
    groups: dict[int, list[int]] = {}
    for place in range(len(images)):
        groups.setdefault(lead(place), []).append(place)
    return [group for group in groups.values() if len(group) > 1]
