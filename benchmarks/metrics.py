"""How long one picture takes until its mean IoU is known, here and in torchmetrics on the CPU.

`python -m benchmarks.metrics` measures label maps of 1024 x 2048 with 19 classes, Cityscapes' size and number, with
pixels of 255 that are ignored. All take the same uint8 maps in memory; torchmetrics gets them as the tensors named in
its rows, converted beforehand. Methods take turns; figures are medians over rounds, ratios medians of the rounds'
ratios. It stops where two methods disagree.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
import torchmetrics
from torchmetrics.classification import MulticlassConfusionMatrix, MulticlassJaccardIndex

from benchmarks.markdown import table, write_table
from seg_demo.evaluate.boundary import BoundaryCounts
from seg_demo.evaluate.confusion import ConfusionMatrix

SHAPE = (1024, 2048)
CLASSES = 19
OURS = "ConfusionMatrix"
BOUNDARY = "BoundaryCounts"

Pair = tuple[np.ndarray, np.ndarray]


def drawn(seed: int) -> np.ndarray:
    """(1024, 2048) uint8: areas with smooth outlines; the class whose random surface is highest."""
    generator = torch.Generator().manual_seed(seed)
    surfaces = torch.rand((1, CLASSES, 16, 32), generator=generator)
    smooth = torch.nn.functional.interpolate(surfaces, size=SHAPE, mode="bicubic", align_corners=False)
    return smooth[0].argmax(0).to(torch.uint8).numpy()


def pairs() -> dict[str, Pair]:
    """Label map and prediction of each kind, (1024, 2048) uint8."""
    random = np.random.default_rng(0)
    label_map = drawn(0)
    predicted = np.roll(label_map, (3, 5), (0, 1))  # outlines that are a little off
    label_map[900:] = 255
    speckled = predicted.copy()
    wrong = random.random(SHAPE) < 0.02
    speckled[wrong] = random.integers(0, CLASSES, int(wrong.sum()), np.uint8)
    noise = random.integers(0, CLASSES, (2, *SHAPE), np.uint8)
    noise[0, 900:] = 255
    return {
        "areas": (label_map, predicted),
        "areas, 2 % speckles": (label_map, speckled),
        "noise": (noise[0], noise[1]),
    }


def ours(pair: Pair) -> float:
    confusion = ConfusionMatrix(CLASSES)
    confusion.update(*pair)
    return confusion.mean_iou()


def boundary(pair: Pair) -> float:
    counts = BoundaryCounts(CLASSES)
    counts.update(*pair)
    return counts.mean_iou()


def methods(pair: Pair) -> dict[str, Callable[[], float]]:
    """Each gives the mean IoU of the pair, but for the boundary's, which is its own."""
    found: dict[str, Callable[[], float]] = {OURS: lambda: ours(pair), BOUNDARY: lambda: boundary(pair)}
    for validate in (True, False):
        for dtype in (torch.uint8, torch.int64):
            labels, predicted = (torch.from_numpy(ids).to(dtype) for ids in pair)
            options = {"num_classes": CLASSES, "ignore_index": 255, "validate_args": validate}
            jaccard = MulticlassJaccardIndex(**options)
            matrix = MulticlassConfusionMatrix(**options)

            def mean_iou(metric: torchmetrics.Metric, labels: torch.Tensor, predicted: torch.Tensor) -> float:
                metric.reset()
                metric.update(predicted, labels)
                counts = metric.compute()
                if counts.ndim == 0:
                    return float(counts)
                hits = counts.diagonal()
                return float((hits / (counts.sum(0) + counts.sum(1) - hits)).mean())

            how = f"{str(dtype).removeprefix('torch.')}{'' if validate else ', validate_args=False'}"
            for metric in (jaccard, matrix):
                found[f"{type(metric).__name__}, {how}"] = lambda metric=metric, labels=labels, predicted=predicted: (
                    mean_iou(metric, labels, predicted)
                )
    return found


def measured(pair: Pair, rounds: int) -> dict[str, list[float]]:
    """Seconds of each method in each round; the first round warms up and is not counted."""
    found = methods(pair)
    expected = found[OURS]()
    spent: dict[str, list[float]] = {name: [] for name in found}
    for turn in range(rounds + 1):
        for name, method in found.items():
            start = time.perf_counter()
            value = method()
            if turn > 0:
                spent[name].append(time.perf_counter() - start)
            if name != BOUNDARY and abs(value - expected) > 1e-6:
                raise ValueError(f"{name} says {value}, {OURS} {expected}")
    return spent


def report(rounds: int) -> str:
    rows: dict[str, list[str]] = {}
    kinds = pairs()
    for pair in kinds.values():
        spent = measured(pair, rounds)
        for name, seconds in spent.items():
            ratios = [other / one for one, other in zip(spent[OURS], seconds, strict=True)]
            rows.setdefault(name, [name]).extend(
                [f"{1000 * statistics.median(seconds):.1f}", f"{statistics.median(ratios):.1f}"]
            )
    header = ["ms per picture, and times the first", *(part for kind in kinds for part in (kind, "times"))]
    return (
        table(header, list(rows.values()), right=range(1, len(header)))
        + f"\n{SHAPE[0]} x {SHAPE[1]}, {CLASSES} classes, {torch.get_num_threads()} threads for torch and one here, "
        f"{platform.machine()}, NumPy {np.__version__}, torch {torch.__version__.partition('+')[0]}, torchmetrics "
        f"{torchmetrics.__version__}, median of {rounds} rounds.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9, help="how often each method is timed (default: 9)")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/training.md")
    arguments = parser.parse_args()
    text = report(arguments.rounds)
    if arguments.docs:
        write_table("metrics", text, "training.md")
    print(text, end="")


if __name__ == "__main__":
    main()
