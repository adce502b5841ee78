"""Drawn pictures as a list of samples, in the shapes that photos have."""

from __future__ import annotations

import numpy as np

from seg_demo.data.dataset import Sample
from seg_demo.data.procedural import draw_newts

# Height and width as shares of the longest side: 16:9 either way, 4:3, and square.
SHAPES = ((0.5625, 1.0), (1.0, 0.5625), (0.75, 1.0), (1.0, 1.0))


def draw_samples(count: int, *, longest: int, species: bool, seed: int = 0) -> list[Sample]:
    """Draw `count` pictures whose longest side is `longest` pixels; equal arguments give equal pictures.

    species: label maps hold 0 background, 1 akahara, 2 madara; otherwise 0 background, 1 newt.
    """
    samples = []
    for number in range(count):
        height, width = (round(part * longest) for part in SHAPES[number % len(SHAPES)])
        image, label_map = draw_newts(seed * 1_000_003 + number, (height, width))
        samples.append(Sample(f"drawn_{number:04}", image, label_map if species else (label_map > 0).astype(np.uint8)))
    return samples
