"""`draw`: the procedural data set as files."""

from __future__ import annotations

import argparse
from pathlib import Path

from seg_demo.cli.values import whole


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets images/, masks/ and classes.txt")
    parser.add_argument("--examples", action="store_true", help="the example pictures of the page, images only")
    parser.add_argument("--count", type=whole(1, 1_000_000), default=20, metavar="N", help="pictures (default: 20)")
    parser.add_argument(
        "--longest", type=whole(64, 2048), default=512, metavar="PX", help="longest side, 64 to 2048 (default: 512)"
    )
    parser.add_argument(
        "--seed", type=whole(0, 2**31), default=0, metavar="N", help="another seed, other pictures (default: 0)"
    )
    parser.add_argument("--binary", action="store_true", help="label every newt 1, whatever its species")


def run(arguments: argparse.Namespace) -> int:
    if not arguments.examples:
        from seg_demo.data.procedural.writing import write_newts

        write_newts(
            arguments.out, arguments.count, longest=arguments.longest, species=not arguments.binary, seed=arguments.seed
        )
        print(f"Drew {arguments.count} pictures into {arguments.out}")
        return 0
    from PIL import Image

    from seg_demo.data.procedural import ExampleNewts

    arguments.out.mkdir(parents=True, exist_ok=True)
    examples = ExampleNewts()
    for name, image, _ in examples:
        Image.fromarray(image).save(arguments.out / f"{name}.jpg", quality=90)
    print(f"Drew {len(examples)} pictures into {arguments.out}")
    return 0
