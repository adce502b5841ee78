"""`draw`: the procedural data set as files."""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets images/ and masks/")
    parser.add_argument("--count", type=int, default=20, metavar="N", help="pictures (default: 20)")
    parser.add_argument("--longest", type=int, default=512, metavar="PX", help="longest side (default: 512)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other pictures (default: 0)")
    parser.add_argument("--binary", action="store_true", help="label every newt 1, whatever its species")


def run(arguments: argparse.Namespace) -> int:
    from PIL import Image

    from seg_demo.data.drawn import draw_samples
    from seg_demo.infer.outputs import palette_image
    from seg_demo.palettes import NEWTS_BINARY, NEWTS_SPECIES

    classes = NEWTS_BINARY if arguments.binary else NEWTS_SPECIES
    for folder in ("images", "masks"):
        (arguments.out / folder).mkdir(parents=True, exist_ok=True)
    samples = draw_samples(
        arguments.count, longest=arguments.longest, species=not arguments.binary, seed=arguments.seed
    )
    for name, image, label_map in samples:
        Image.fromarray(image).save(arguments.out / "images" / f"{name}.jpg", quality=92)
        palette_image(label_map, classes).save(arguments.out / "masks" / f"{name}.png")
    print(f"Drew {arguments.count} pictures into {arguments.out}")
    return 0
