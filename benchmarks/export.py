"""How far the networks stray from PyTorch when they are exported: `python -m benchmarks.export [NAME ...]`.

Each architecture, or each that is named, is built with its default backbone and 21 classes and written as ONNX. The
largest difference of a logit to PyTorch's is shown for onnxruntime on the CPU, for `torch.export`, and for PyTorch
itself in double precision. The first two may not be above 0.001, or a thousandth of the largest logit where that is
below 1, as in VGG16 without training; but where PyTorch's own rounding is larger than that, twice the rounding is
allowed: random weights enlarge it, and in SegNet it decides between two pixels of a pooling that are almost equal.
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

from seg_demo.errors import UserError
from seg_demo.models import ARCHITECTURES, build_model
from seg_demo.models.export import export_onnx
from seg_demo.models.model import SegmentationModel
from seg_demo.registry import look_up

SIZE = (97, 131)  # no multiple of any stride, so that padding and cropping are exported as well
NUM_CLASSES = 21
LIMIT = 1e-3


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


def measure(name: str) -> bool:
    """Print the line of an architecture; whether it is within the limit."""
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
    print(
        f"{name:14} {backbone:19} {by_onnx:9.1e} {by_export:13.1e} {rounding:9.1e} "
        f"{largest:14.2f} {megabytes:8.1f} {seconds:8.1f}",
        flush=True,
    )
    allowed = max(LIMIT * min(largest, 1), 2 * rounding)
    return by_onnx <= allowed and by_export <= allowed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="architectures; all of them where none is named")
    names = parser.parse_args().names or list(ARCHITECTURES)
    try:
        for name in names:
            look_up("architecture", ARCHITECTURES, name)
    except UserError as error:
        sys.exit(str(error))
    print(f"{SIZE[0]} x {SIZE[1]} pixels, {NUM_CLASSES} classes; largest difference of a logit to PyTorch's")
    print(
        f"{'network':14} {'backbone':19} {'ONNX':>9} {'torch.export':>13} {'rounding':>9} "
        f"{'largest logit':>14} {'file, MB':>8} seconds"
    )
    above = [name for name in names if not measure(name)]
    if above:
        sys.exit(f"Too far from PyTorch: {', '.join(above)}")


if __name__ == "__main__":
    main()
