"""How many pictures a second the loader gives, and where the time goes.

`python -m benchmarks.loader` draws pictures of 480 x 360, CamVid's size, into a temporary folder, images as JPEG and
label maps as PNG; `--data DIR` takes the first training pictures of a folder instead, and `--docs` writes the tables
into docs/data.md. Loaders and steps take turns, so that a busy moment of the machine does not fall on one of them;
figures are medians over rounds.
"""

from __future__ import annotations

import argparse
import io
import itertools
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from benchmarks.markdown import table, write_table
from seg_demo.data.dataset import Sample
from seg_demo.data.folder import FolderDataSet, open_folder
from seg_demo.data.images import read_image
from seg_demo.data.loader import Key, Order, ResizedPictures, Varied, batches, collate
from seg_demo.data.masks import read_label_file
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.data.procedural import draw_newts
from seg_demo.data.transforms import (
    RandomBlur,
    RandomCrop,
    RandomHue,
    RandomRotation,
    RandomScale,
    RandomWindow,
    as_pair,
    normalize,
    training_chain,
)
from seg_demo.data.writer import DataSetWriter
from seg_demo.palettes import NEWTS_SPECIES

CROP = 352
BATCH = 8
PICTURES = 64
WORKERS = (0, 2)
MEMORY = 1e9  # bytes of decoded pictures, where they are kept: all of them
NORMAL = Preprocessing()


def draw(folder: Path) -> None:
    """Pictures of CamVid's size in this project's own layout, all of them for training."""
    with DataSetWriter(folder, NEWTS_SPECIES) as writer:
        for number in range(PICTURES):
            image, label_map = draw_newts(number, (360, 480))
            jpeg = io.BytesIO()
            Image.fromarray(image).save(jpeg, "JPEG", quality=90)
            writer.add("train" if number else "val", str(number), jpeg.getvalue(), label_map)


def first_pictures(folder: Path) -> FolderDataSet:
    samples = open_folder(folder).split("train")
    return FolderDataSet(samples.listing, samples.pairs[:PICTURES], samples.decoding, samples.classes)


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
            v2.ColorJitter(0.4, 0.4, 0.4),
            v2.ColorJitter(hue=0.05),
            v2.RandomApply([v2.GaussianBlur(5, (0.3, 1.5))], 0.5),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(list(NORMAL.mean), list(NORMAL.std)),
        ]
    )


def loading(samples: FolderDataSet, rounds: int) -> dict[str, list[float]]:
    """Seconds per picture of each loader in each round; in the first one workers start and pictures are kept."""
    kinds = {
        "step by step": (plain_chain(), 0.0),
        "training_chain": (training_chain(CROP, NORMAL), 0.0),
        "training_chain, pictures kept": (training_chain(CROP, NORMAL), MEMORY),
    }
    loaders = {}
    for (name, (chain, memory)), workers in itertools.product(kinds.items(), WORKERS):
        pictures = ResizedPictures(samples, NORMAL, memory)
        order = Order((len(samples), 0), 0.0, 0)
        made = batches(Varied((pictures, pictures), chain, 0), order, batch_size=BATCH, workers=workers)
        loaders[f"{name}, {workers} workers"] = made
    spent: dict[str, list[float]] = {name: [] for name in loaders}
    count = -(-len(samples) // BATCH)  # batches of a pass
    for turn in range(rounds + 1):
        for name, made in loaders.items():
            # Each worker keeps what it has read itself, so it takes more passes until all is kept. What workers
            # prepare while others are timed is taken first.
            for _ in range(count * 3 if turn == 0 else 2 * max(WORKERS)):
                next(made)
            start = time.perf_counter()
            for _ in range(count):
                next(made)
            if turn > 0:
                spent[name].append((time.perf_counter() - start) / count / BATCH)
    for made in loaders.values():
        made.close()  # type: ignore[attr-defined]
    return spent


def steps(samples: FolderDataSet, rounds: int) -> dict[str, list[float]]:
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
            files = samples.pairs[(turn * BATCH + number) % len(samples)]
            image = timed("read the image (JPEG)", read_image, files.image)
            label_file = timed("read the label file (PNG)", read_label_file, files.label)
            label_map = timed("decode the label map", samples.decoding.decode, label_file, "")
            pair = timed("to tensors", as_pair, Sample("", image, label_map))
            scaled = timed("(scale)", RandomScale(), *pair)
            timed("(rotate, torchvision)", torchvision_rotation(), *scaled)
            rotated = timed("(rotate)", RandomRotation(10), *scaled)
            timed("(crop)", RandomCrop(CROP, 0.75), *rotated)
            timed("(flip)", v2.RandomHorizontalFlip(1), *rotated)
            window = RandomWindow(CROP, scale=(0.5, 2), rotation=10, flip=0.5, category_max_ratio=0.75)
            pair = timed("scale, rotate, flip and crop at once", window, *pair)
            pair = timed("brightness, contrast, saturation", v2.ColorJitter(0.4, 0.4, 0.4), *pair)
            timed("(hue, torchvision)", v2.ColorJitter(hue=0.05), *pair)
            pair = timed("hue", RandomHue(0.05), *pair)
            timed("(blur, torchvision)", v2.GaussianBlur(5, (0.3, 1.5)), *pair)
            pair = timed("blur (half of the pictures)", RandomBlur(), *pair)
            crops.append((Key(0, turn, number), (timed("normalise", normalize, pair[0], NORMAL), pair[1])))
        timed("collate", collate, crops)
        if turn > 0:
            for name, seconds in totals.items():
                spent.setdefault(name, []).append(seconds / len(crops))
    return spent


def report(samples: FolderDataSet, rounds: int) -> str:
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
    parser.add_argument("--data", type=Path, help="a folder of labelled pictures (default: drawn ones of 480 x 360)")
    parser.add_argument("--docs", action="store_true", help="write the tables into docs/data.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.data or Path(temporary) / "drawn"
        if not arguments.data:
            draw(folder)
        text = report(first_pictures(folder), arguments.rounds)
    if arguments.docs:
        write_table("loader", text, "data.md")
    print(text, end="")


if __name__ == "__main__":
    main()
