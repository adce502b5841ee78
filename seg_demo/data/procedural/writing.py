"""Drawn newts as a data set of files."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from seg_demo.data.procedural.data_set import ProceduralNewts
from seg_demo.data.survey import Progress
from seg_demo.data.writer import DataSetWriter


def write_newts(
    out: Path, count: int, *, longest: int = 512, species: bool = True, seed: int = 0, progress: Progress | None = None
) -> Path:
    """Draw `count` pictures with their label maps into the folder `out`, which is returned.

    longest, species, seed: as `ProceduralNewts` takes them. Raises `UserError` where `out` is in use.
    """
    samples = ProceduralNewts(count, longest=longest, species=species, seed=seed)
    with DataSetWriter(out, samples.classes) as writer:
        for done, (name, image, label_map) in enumerate(samples, 1):
            file = io.BytesIO()
            Image.fromarray(image).save(file, "JPEG", quality=90)
            writer.add(None, name, file.getvalue(), label_map)
            if progress:
                progress(done, count)
    return out
