"""How well painted polygons agree with the label maps that their authors published.

`python -m benchmarks.polygons --skydiving DIR --newts DIR` paints CVAT's LabelMe XML of the skydiving pictures
(jnkl314/DeepLabV3FineTuning) and LabelMe's JSON of the newts (yoyoyo-yo/DeepLearningMugenKnock) and prints the share of
pixels that are equal, picture by picture. Neither data set is part of this project.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from seg_demo.data.polygons import convert

SKYDIVING = ["no label", "person", "airplane", "ground", "sky"]
ORDER = ["sky", "ground", "airplane", "person"]
NEWTS = ["background", "akahara", "madara"]


def agreement(source: Path, labels: str, classes: Sequence[str], order: Sequence[str] | None) -> dict[str, float]:
    """Share of equal pixels of each picture; `labels` is the pattern of the published label maps."""
    published = {path.stem: path for path in source.rglob(labels)}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "painted"
        convert(source, out, classes=classes, order=order)
        return {
            path.stem: float((np.array(Image.open(path)) == np.array(Image.open(published[path.stem]))).mean())
            for path in sorted(out.rglob("masks/*.png"))
        }


def report(name: str, shares: dict[str, float]) -> None:
    print(f"{name}: {len(shares)} pictures, smallest {min(shares.values()):.4%}")
    for picture, share in shares.items():
        print(f"  {picture:16} {share:.4%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skydiving", type=Path, help="the folder with train/ and val/")
    parser.add_argument("--newts", type=Path, help="the folder with train/ and test/")
    arguments = parser.parse_args()
    if arguments.skydiving:
        report("skydiving", agreement(arguments.skydiving, "Labels/*.png", SKYDIVING, ORDER))
    if arguments.newts:
        report("newts", agreement(arguments.newts, "seg_images/*/*.png", NEWTS, None))


if __name__ == "__main__":
    main()
