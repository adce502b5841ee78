"""`export`: a checkpoint as one file for other programs."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from seg_demo.cli.progress import counting
from seg_demo.cli.text import write


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a checkpoint folder")
    # The names of FORMATS, without what it takes to import them.
    parser.add_argument("--format", required=True, metavar="NAME", help="onnx, torch-export, safetensors or zip")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write, or to replace")
    parser.add_argument(
        "--size", type=picture_size, metavar="HxW",
        help="pixels of the pictures that it takes, height first, as in 192x256 (onnx and torch-export; default: a "
        "square of the size that the checkpoint makes its pictures)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    from seg_demo.checkpoint import read_config
    from seg_demo.checkpoint.export import FORMATS, default_size, export_checkpoint
    from seg_demo.registry import look_up

    title, _, sized, _ = look_up("export format", FORMATS, arguments.format)
    with counting("Writing", unit="B") as show:
        out = export_checkpoint(arguments.checkpoint, arguments.format, arguments.out, arguments.size, show)
    size = (arguments.size or default_size(read_config(arguments.checkpoint))) if sized else None
    count = out.stat().st_size
    if arguments.json:
        document = {
            "checkpoint": arguments.checkpoint.name, "format": arguments.format, "file": str(out), "bytes": count,
            "size": size,
        }  # fmt: skip
        write(json.dumps(document, ensure_ascii=False))
        return 0
    takes = f", for pictures of {size[0]} x {size[1]} pixels (height x width)" if size else ""
    write(f"{arguments.checkpoint} -> {out}: {title}, {count / 1e6:.1f} MB{takes}")
    return 0


def picture_size(text: str) -> tuple[int, int]:
    """Of "192x256" (192, 256): height and width."""
    found = re.fullmatch(r"(\d{1,6})[xX×](\d{1,6})", text, re.ASCII)
    if not found:
        raise argparse.ArgumentTypeError(f"{text} is not a size such as 192x256, height first")
    return int(found[1]), int(found[2])
