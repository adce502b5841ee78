"""How many pictures a second the loader gives, and where the time goes.

`python -m benchmarks.loader` draws pictures of 480 x 360 into a temporary folder, images as JPEG and label maps as
PNG; `--data DIR` takes the first pictures of DIR/train and DIR/trainannot, as CamVid has them, instead. Loaders and
steps take turns, so that a busy moment of the machine does not fall on one of them; figures are medians over rounds.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from benchmarks.markdown import table
from seg_demo.data.dataset import Sample
from seg_demo.data.images import read_image
from seg_demo.data.loader import collate, loader
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.data.procedural import draw_newts
from seg_demo.data.transforms import (
    RandomBlur,
    RandomCrop,
    RandomHue,
    RandomRotation,
    RandomScale,
    RandomScaledCrop,
    as_pair,
    normalize,
    training_chain,
)

CROP = 352
BATCH = 8
PICTURES = 64
WORKERS = (0, 2)
NORMAL = Preprocessing()


class Files(Sequence[Sample]):
    """Pictures of a folder with the label maps of another."""

    def __init__(self, images: Path, label_maps: Path) -> None:
        self.files = [(path, label_maps / f"{path.stem}.png") for path in sorted(images.glob("*.jpg"))[:PICTURES]]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        image, label_map = self.files[index]
        return Sample(image.stem, read_image(image), read_label_map(label_map))


def read_label_map(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.array(picture)


def draw(folder: Path) -> None:
    for name in ("train", "trainannot"):
        (folder / name).mkdir()
    for number in range(PICTURES):
        image, label_map = draw_newts(number, (360, 480))
        Image.fromarray(image).save(folder / "train" / f"{number}.jpg", quality=90)
        Image.fromarray(label_map).save(folder / "trainannot" / f"{number}.png")


def torchvision_rotation() -> v2.RandomRotation:
    fill = {tv_tensors.Image: 0, tv_tensors.Mask: 255}
    return v2.RandomRotation(10, v2.InterpolationMode.BILINEAR, fill=fill)


def plain_chain() -> v2.Compose:
    """What `training_chain` means, one step after the other and by torchvision where it has the step."""
    return v2.Compose(
        [
            RandomScale(),
            torchvision_rotation(),
            RandomCrop(CROP, 0.75),
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(0),
            v2.ColorJitter(0.4, 0.4, 0.4),
            v2.ColorJitter(hue=0.05),
            v2.RandomApply([v2.GaussianBlur(5, (0.3, 1.5))], 0.5),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(list(NORMAL.mean), list(NORMAL.std)),
        ]
    )


def loading(samples: Files, rounds: int) -> dict[str, list[float]]:
    """Seconds per picture of each loader in each round; the first round starts the workers and is not counted."""
    chains = {"step by step": plain_chain(), "training_chain": training_chain(CROP, NORMAL)}
    loaders = {
        f"{name}, {workers} workers": loader(samples, chain, batch_size=BATCH, seed=0, workers=workers, drop_last=True)
        for name, chain in chains.items()
        for workers in WORKERS
    }
    spent: dict[str, list[float]] = {name: [] for name in loaders}
    for turn in range(rounds + 1):
        for name, batches in loaders.items():
            start = time.perf_counter()
            count = sum(len(images) for images, _ in batches)
            if turn > 0:
                spent[name].append((time.perf_counter() - start) / count)
    return spent


def steps(samples: Files, rounds: int) -> dict[str, list[float]]:
    """Seconds per picture of each step of both chains in each round, every step applied to every picture."""
    spent: dict[str, list[float]] = {}
    for turn in range(rounds + 1):
        torch.manual_seed(turn)
        totals: dict[str, float] = {}

        def timed(name: str, step: Callable[..., Any], *inputs: Any, totals: dict[str, float] = totals) -> Any:
            start = time.perf_counter()
            result = step(*inputs)
            totals[name] = totals.get(name, 0) + time.perf_counter() - start
            return result

        crops = []
        for number in range(BATCH):
            image_path, label_path = samples.files[(turn * BATCH + number) % len(samples)]
            image = timed("decode JPEG", read_image, image_path)
            label_map = timed("decode PNG", read_label_map, label_path)
            pair = timed("to tensors", as_pair, Sample("", image, label_map))
            scaled = timed("(scale)", RandomScale(), *pair)
            timed("(rotate, torchvision)", torchvision_rotation(), *scaled)
            rotated = timed("(rotate)", RandomRotation(10), *scaled)
            timed("(crop)", RandomCrop(CROP, 0.75), *rotated)
            pair = timed("scale, rotate and crop at once", RandomScaledCrop(CROP, (0.5, 2), 10, 0.75), *pair)
            pair = timed("flip", v2.RandomHorizontalFlip(1), *pair)
            pair = timed("brightness, contrast, saturation", v2.ColorJitter(0.4, 0.4, 0.4), *pair)
            timed("(hue, torchvision)", v2.ColorJitter(hue=0.05), *pair)
            pair = timed("hue", RandomHue(0.05), *pair)
            timed("(blur, torchvision)", v2.GaussianBlur(5, (0.3, 1.5)), *pair)
            pair = timed("blur (half of the pictures)", RandomBlur(), *pair)
            crops.append((timed("normalise", normalize, pair[0], NORMAL), pair[1]))
        timed("collate", collate, crops)
        if turn > 0:
            for name, seconds in totals.items():
                spent.setdefault(name, []).append(seconds / len(crops))
    return spent


def report(samples: Files, rounds: int) -> str:
    spent = loading(samples, rounds)
    first = next(iter(spent))
    rates = []
    for name, seconds in spent.items():
        ratios = [one / other for one, other in zip(spent[first], seconds, strict=True)]
        rates.append([name, f"{1 / statistics.median(seconds):.0f}", f"{statistics.median(ratios):.2f}"])
    parts = [[name, f"{1000 * statistics.median(seconds):.2f}"] for name, seconds in steps(samples, rounds).items()]
    return (
        table(["chain", "images/s", "times the first"], rates, right=(1, 2))
        + "\n"
        + table(["step (in brackets: not in `training_chain`)", "ms per picture"], parts, right=(1,))
        + f"\n{len(samples)} pictures, crop {CROP}, batch {BATCH}, {torch.get_num_threads()} threads here and one in a "
        f"worker, {platform.machine()}, torch {torch.__version__.partition('+')[0]}, median of {rounds} rounds.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7, help="how often each loader is timed (default: 7)")
    parser.add_argument("--data", type=Path, help="folder with train/*.jpg and trainannot/*.png (default: drawn)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.data or Path(temporary)
        if not arguments.data:
            draw(folder)
        samples = Files(folder / "train", folder / "trainannot")
        if not samples:
            raise SystemExit(f"{folder / 'train'} holds no .jpg files")
        print(report(samples, arguments.rounds))


if __name__ == "__main__":
    main()
