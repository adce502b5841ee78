"""How well the bundled checkpoints segment, through the `predict` command and NumPy alone.

`python -m benchmarks.quality --data DIR` (the newts folder). Nothing of this project reads the masks or counts the
pixels, so that a fault in its readers or metrics cannot flatter it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

Pair = tuple[np.ndarray, np.ndarray]  # label map, predicted; both (H, W)


def predict(checkpoint: Path, images: list[Path], folder: Path, threshold: float | None = None) -> list[np.ndarray]:
    """Run the command; one label map per image. threshold: for the task "binary"."""
    command = [sys.executable, "-m", "seg_demo", "predict", str(checkpoint), *map(str, images)]
    if threshold is not None:
        command += ["--threshold", str(threshold)]
    subprocess.run([*command, "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return [np.asarray(Image.open(folder / f"{image.stem}.mask.png")) for image in images]


def iou(pairs: Iterable[Pair], class_id: int) -> float:
    pairs = list(pairs)
    both = sum(int(((label == class_id) & (found == class_id)).sum()) for label, found in pairs)
    either = sum(int(((label == class_id) | (found == class_id)).sum()) for label, found in pairs)
    return both / either


def report(name: str, pairs: list[Pair], classes: tuple[str, ...]) -> None:
    per_class = [iou(pairs, class_id) for class_id in range(len(classes))]
    figures = [f"mean IoU {np.mean(per_class):.3f}"]
    figures += [f"{label} {value:.3f}" for label, value in zip(classes, per_class, strict=True)]
    if len(classes) == 2:
        each = [iou([pair], 1) for pair in pairs]
        figures.append(
            f"newt per picture, averaged {np.mean(each):.3f} ({', '.join(f'{value:.2f}' for value in each)})"
        )
    print(f"{name}: " + "; ".join(figures))


def labelled_photos(data: Path, split: str = "test") -> tuple[list[Path], list[np.ndarray]]:
    """The "test" or "train" photos of the newts folder, each with a label map: 0 background, 1 akahara, 2 madara."""
    photos = sorted((data / split / "images").glob("*/*.jpg"))
    masks = [data / split / "seg_images" / photo.parent.name / f"{photo.stem}.png" for photo in photos]
    rgb = [np.asarray(Image.open(mask).convert("RGB")) for mask in masks]
    return photos, [np.where(mask[..., 0] > 64, 1, np.where(mask[..., 1] > 64, 2, 0)) for mask in rgb]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the newts folder")
    data = parser.parse_args().data
    photos, species = labelled_photos(data)
    binary, multiclass = (Path("checkpoints") / name for name in ("newts-binary", "newts-species"))
    with tempfile.TemporaryDirectory() as folder:
        found = predict(binary, photos, Path(folder) / "binary", 0.5)
        pairs = [((label > 0).astype(int), mask) for label, mask in zip(species, found, strict=True)]
        report(f"newts-binary, {len(photos)} test photos", pairs, ("background", "newt"))
        found = predict(multiclass, photos, Path(folder) / "species")
        pairs = list(zip(species, found, strict=True))
        report(f"newts-species, {len(photos)} test photos", pairs, ("background", "akahara", "madara"))

        from seg_demo.data.procedural import ExampleNewts  # draws the label maps that the examples have no files of

        drawn = list(ExampleNewts())
        files = [Path("examples") / f"{sample.name}.jpg" for sample in drawn]
        found = predict(binary, files, Path(folder) / "drawn-binary", 0.5)
        pairs = [((sample.label_map > 0).astype(int), mask) for sample, mask in zip(drawn, found, strict=True)]
        report(f"newts-binary, {len(files)} drawn examples", pairs, ("background", "newt"))
        found = predict(multiclass, files, Path(folder) / "drawn-species")
        pairs = [(sample.label_map, mask) for sample, mask in zip(drawn, found, strict=True)]
        report(f"newts-species, {len(files)} drawn examples", pairs, ("background", "akahara", "madara"))


if __name__ == "__main__":
    main()
