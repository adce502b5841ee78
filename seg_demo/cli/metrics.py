"""`metrics`: a folder of predictions + a folder of label maps -> figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from seg_demo.cli.figures import class_table, left_out, mean_table, shown
from seg_demo.cli.progress import counting
from seg_demo.cli.text import table, write
from seg_demo.cli.values import names, whole

if TYPE_CHECKING:
    from seg_demo.evaluate.pictures import PictureFigures


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("predictions", type=Path, metavar="PRED_DIR", help="label files as predicted")
    parser.add_argument("labels", type=Path, metavar="GT_DIR", help="label files of the same names as they should be")
    parser.add_argument(
        "--num-classes", type=whole(1, 255), required=True, metavar="N", help="pixel values 0 to N-1 are class ids"
    )
    parser.add_argument(
        "--ignore-index", type=whole(0, 255), default=255, metavar="ID",
        help="pixels that GT_DIR labels so do not count (default: 255)",
    )  # fmt: skip
    parser.add_argument("--names", type=names, metavar="NAME,...", help="class names in the order of their ids, from 0")
    parser.add_argument(
        "--worst", type=whole(1, 1_000_000), default=0, metavar="N", help="list the N pictures of the lowest mean IoU"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document; it lists all pictures")


def run(arguments: argparse.Namespace) -> int:
    import json

    from seg_demo.errors import UserError
    from seg_demo.evaluate.figures import or_null
    from seg_demo.evaluate.pictures import compare_folders

    class_names = arguments.names or [str(number) for number in range(arguments.num_classes)]
    if len(class_names) != arguments.num_classes:
        raise UserError(
            "--names has {names} names, but --num-classes says {classes}. Give one name per class.",
            names=len(class_names), classes=arguments.num_classes,
        )  # fmt: skip
    with counting("Measuring") as show:
        compared = compare_folders(arguments.predictions, arguments.labels, class_names, arguments.ignore_index, show)
    if compared.unused:
        write(
            f"note: {len(compared.unused)} predictions have no label file and are not used; the first is "
            f"{compared.unused[0]}.",
            file=sys.stderr,
        )
    if arguments.json:
        document = {
            "predictions": str(arguments.predictions), "labels": str(arguments.labels),
            "num_classes": arguments.num_classes, "ignore_index": arguments.ignore_index,
            **compared.figures.to_json(),
            "pictures": [
                {name: or_null(value) for name, value in vars(picture).items()} for picture in compared.pictures
            ],
            "unused_predictions": list(compared.unused),
        }  # fmt: skip
        write(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    lines = [*class_table(compared.figures), "", *mean_table(compared.figures), ""]
    count = len(compared.pictures)
    lines.append(f"{count} picture{'s' if count > 1 else ''}, {compared.figures.pixels} labelled pixels.")
    lines += left_out(compared.figures)
    if arguments.ignore_index < arguments.num_classes:
        lines.append(f"Ignored, and left out of all means: {class_names[arguments.ignore_index]}.")
    if arguments.worst:
        lines += ["", *_worst(compared.pictures[: arguments.worst])]
    write("\n".join(lines))
    return 0


def _worst(pictures: tuple[PictureFigures, ...]) -> list[str]:
    rows = [
        (picture.name, shown(picture.mean_iou), shown(picture.accuracy), str(picture.pixels)) for picture in pictures
    ]
    return table(("worst pictures", "mean IoU", "accuracy", "pixels"), rows, right=(1, 2, 3))
