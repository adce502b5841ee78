"""What each network costs: parameters, multiply-adds and CPU time for a picture of 512 x 512.

`python -m benchmarks.models` prints the table of docs/models.md; `--docs` writes it there. The networks take turns,
so that a busy moment of the machine does not fall on one of them, and each one's time is that of its quickest round.
"""

from __future__ import annotations

import argparse
import platform
import time

import torch

from benchmarks.markdown import table, write_table
from seg_demo.models import ARCHITECTURES, build_model
from seg_demo.models.model import SegmentationModel
from seg_demo.models.registry import networks_by_backbones
from seg_demo.models.summary import summarise

SIZE = 512
NUM_CLASSES = 21


def milliseconds(model: SegmentationModel, images: torch.Tensor) -> float:
    start = time.perf_counter()
    model(images)
    return (time.perf_counter() - start) * 1000


@torch.inference_mode()
def measure(rounds: int) -> list[list[str]]:
    torch.manual_seed(0)
    images = torch.randn(1, 3, SIZE, SIZE).to(memory_format=torch.channels_last)
    models = {name: build_model(name, NUM_CLASSES).eval() for name in ARCHITECTURES}
    times: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(rounds + 1):
        for name, model in models.items():
            model.auxiliary = False  # as in prediction
            spent = milliseconds(model.to(memory_format=torch.channels_last), images)
            if turn > 0:  # the first one makes ready what the others use
                times[name].append(spent)
    lines = []
    for name, model in models.items():
        architecture = ARCHITECTURES[name]
        summary = summarise(model, SIZE, SIZE)
        backbone = (*architecture.backbones, "")[0]
        lines.append(
            [
                f"`{name}`",
                architecture.source,
                backbone.replace("none", ""),
                str(model.stride),
                f"{summary.model.parameters / 1e6:.2f}",
                f"{summary.model.multiply_adds / 1e9:.1f}",
                f"{min(times[name]):.0f}",
            ]
        )
    return lines


def backbones() -> str:
    """Which network takes which backbones, from the registry."""
    rows = [
        [", ".join(f"`{name}`" for name in names), ", ".join(f"`{choice}`" for choice in choices)]
        for choices, names in networks_by_backbones().items()
    ]
    return table(["network", "backbones"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7, help="how often each network is timed (default: 7)")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/models.md")
    arguments = parser.parse_args()
    header = ["name", "paper", "default backbone", "stride", "parameters, M", "multiply-adds, G", "CPU time, ms"]
    text = table(header, measure(arguments.rounds), right=(3, 4, 5, 6))
    text += (
        f"\nOne picture of {SIZE} x {SIZE}, {NUM_CLASSES} classes, float32, {torch.get_num_threads()} threads on "
        f"{platform.machine()}, torch {torch.__version__.partition('+')[0]}, quickest of {arguments.rounds} rounds.\n"
    )
    print(text)
    if arguments.docs:
        write_table("models", text)
        write_table("backbones", backbones())


if __name__ == "__main__":
    main()
