"""`predict`: checkpoint + pictures -> masks, overlays and areas."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from seg_demo.cli.values import probability


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help="a checkpoint folder, or a pretrained one such as lraspp-mobilenet_v3_large",
    )
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="picture files")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the results go")
    parser.add_argument(
        "--threshold", type=probability, metavar="T", help="probability from 0 to 1, instead of the checkpoint's own"
    )
    parser.add_argument("--device", help="cpu, cuda, ...; by default a GPU where there is one")


def run(arguments: argparse.Namespace) -> int:
    from seg_demo.data.images import read_image
    from seg_demo.errors import UserError
    from seg_demo.infer.library import open_model
    from seg_demo.infer.outputs import unique_stems, write_outputs
    from seg_demo.infer.predictor import Predictor

    predict = Predictor(open_model(arguments.checkpoint), arguments.device)
    failed = 0
    for path, stem in zip(arguments.images, unique_stems(arguments.images), strict=True):
        try:
            image = read_image(path)
            segmentation = predict(image, arguments.threshold)
        except UserError as error:  # One bad file must not cost the others.
            print(f"error: {error}", file=sys.stderr)
            failed += 1
            continue
        write_outputs(segmentation, image, arguments.out, stem, predict.checkpoint.name)
        shares = ", ".join(f"{name} {share:.1%}" for name, share in segmentation.shares.items())
        print(f"{path} -> {arguments.out / stem}.mask.png: {shares}")
    return 1 if failed else 0
