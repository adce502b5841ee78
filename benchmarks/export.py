"""How far the networks stray from PyTorch when they are exported: `python -m benchmarks.export [NAME ...] [--docs]`.

Each architecture, or each that is named, is built with its default backbone and 21 classes and written as ONNX. The
largest difference of a logit to PyTorch's is shown for onnxruntime on the CPU, for `torch.export`, and for PyTorch
itself in double precision. The first two may not be above 0.001, or a thousandth of the largest logit where that is
below 1, as in VGG16 without training; but where PyTorch's own rounding is larger than that, twice the rounding is
allowed: random weights enlarge it, and in SegNet it decides between two pixels of a pooling that are almost equal.
`--docs` writes the table into docs/models.md.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
import time
from pathlib import Path

import onnxruntime  # type: ignore[import-untyped]
import torch
from torch import nn

from benchmarks.markdown import table, write_table
from seg_demo.errors import UserError
from seg_demo.models import ARCHITECTURES, build_model
from seg_demo.models.export import export_onnx
from seg_demo.models.model import SegmentationModel
from seg_demo.registry import look_up

SIZE = (97, 131)  # no multiple of any stride, so that padding and cropping are exported as well
NUM_CLASSES = 21
LIMIT = 1e-3
HEADER = ("network", "backbone", "ONNX", "torch.export", "rounding", "largest logit", "file, MB", "seconds")
WIDTHS = (14, 19, 9, 13, 9, 14, 9, 8)


def build(name: str) -> SegmentationModel:
    """Random weights whose BatchNorm has seen pictures: with its first statistics, logits explode in deep networks."""
    torch.manual_seed(0)
    model = build_model(name, NUM_CLASSES)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the plain mean over all batches
    with torch.no_grad():
        for _ in range(3):
            model.train()(torch.randn(2, 3, *SIZE))
    return model.eval()


def measure(name: str) -> tuple[list[str], bool]:
    """The line of an architecture, and whether it is within the limit."""
    model = build(name)
    images = torch.randn(1, 3, *SIZE)
    with torch.no_grad():
        logits = model(images)["out"]
        exported = torch.export.export(model, (images,)).module()(images)["out"]
        exact = copy.deepcopy(model).double()(images.double())["out"]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        file = export_onnx(model, Path(folder) / f"{name}.onnx", SIZE)
        seconds = time.perf_counter() - started
        megabytes = file.stat().st_size / 1e6
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        (found,) = session.run(["logits"], {"images": images.numpy()})
    by_onnx, by_export, rounding = (
        (other - logits).abs().max().item() for other in (torch.from_numpy(found), exported, exact)
    )
    largest = logits.abs().max().item()
    backbone = next(iter(ARCHITECTURES[name].backbones), "none")
    allowed = max(LIMIT * min(largest, 1), 2 * rounding)
    differences = [f"{difference:.1e}" for difference in (by_onnx, by_export, rounding)]
    line = [name, backbone, *differences, f"{largest:.2f}", f"{megabytes:.1f}", f"{seconds:.1f}"]
    return line, by_onnx <= allowed and by_export <= allowed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="architectures; all of them where none is named")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/models.md")
    arguments = parser.parse_args()
    names = arguments.names or list(ARCHITECTURES)
    try:
        for name in names:
            look_up("architecture", ARCHITECTURES, name)
    except UserError as error:
        sys.exit(str(error))
    print(f"{SIZE[0]} x {SIZE[1]} pixels, {NUM_CLASSES} classes; largest difference of a logit to PyTorch's")
    print(" ".join(word.rjust(width) for word, width in zip(HEADER, WIDTHS, strict=True)))
    lines, above = [], []
    for name in names:
        line, within = measure(name)
        print(" ".join(word.rjust(width) for word, width in zip(line, WIDTHS, strict=True)), flush=True)
        lines.append(line)
        if not within:
            above.append(name)
    if arguments.docs:
        write_table("export", table(HEADER, lines, right=range(2, len(HEADER))))
    if above:
        sys.exit(f"Too far from PyTorch: {', '.join(above)}")


if __name__ == "__main__":
    main()
