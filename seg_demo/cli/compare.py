"""`compare`: two checkpoints + labelled pictures -> what the new one does better and worse."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from seg_demo.cli.naming import free_path
from seg_demo.cli.progress import counting
from seg_demo.cli.text import table, wrapped, write
from seg_demo.cli.values import whole

if TYPE_CHECKING:
    import numpy as np

    from seg_demo.checkpoint import Checkpoint
    from seg_demo.classes import ClassMap
    from seg_demo.data.dataset import Sample
    from seg_demo.data.new_folder import NewFolder
    from seg_demo.evaluate.compare import Watch
    from seg_demo.evaluate.compared import ComparedPicture, Comparison

LONGEST = 480  # pixels, of each picture side by side
FILE = "compare.json"
TITLES = {
    "accuracy": "pixel accuracy", "mean_accuracy": "mean accuracy", "mean_iou": "mean IoU",
    "frequency_weighted_iou": "frequency weighted IoU", "mean_dice": "mean Dice (F1)",
    "boundary_iou": "mean boundary IoU", "mean_picture_iou": "mean IoU of a picture", "loss": "cross-entropy",
}  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("base", metavar="BASE", help="a checkpoint folder, or a pretrained network of `models`")
    parser.add_argument("new", metavar="NEW", help="another one, which is told to be better or worse than BASE")
    parser.add_argument(
        "--data", metavar="DIR", required=True,
        help="a folder of labelled pictures, procedural:COUNT, or hub:OWNER/NAME",
    )  # fmt: skip
    parser.add_argument("--split", default="val", help="pictures of --data: val (default), test, train or trainval")
    parser.add_argument(
        "--list", dest="most", type=whole(0, 1_000_000), default=5, metavar="N",
        help="list the N pictures that got better, and worse, by most (default: 5)",
    )  # fmt: skip
    parser.add_argument("--device", help="cpu, cuda, ...; by default a GPU where there is one")
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help=f"write the pictures side by side (image, label map, BASE, NEW; PNG) and {FILE} into this new folder",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON document; it lists all pictures")


def run(arguments: argparse.Namespace) -> int:
    import json

    from seg_demo.data.folder import open_splits
    from seg_demo.data.new_folder import NewFolder, must_be_free
    from seg_demo.evaluate.agreement import agree
    from seg_demo.evaluate.compare import compare
    from seg_demo.infer.device import find_device
    from seg_demo.infer.library import open_model

    if arguments.out:
        must_be_free(arguments.out)
    find_device(arguments.device)
    base, new = _named(arguments, open_model(arguments.base), open_model(arguments.new))
    split = open_splits(arguments.data)
    samples = split(arguments.split)
    classes = agree(base, new, samples).classes
    saving = NewFolder(arguments.out) if arguments.out else nullcontext()
    with saving as folder, counting("Comparing") as show:
        watch = _saver(folder, classes) if folder else None
        compared = compare(base, new, samples, arguments.device, show, split=split, watch=watch)
        head = {"data": arguments.data, "split": arguments.split}
        document = json.dumps(head | compared.to_json(), indent=2, ensure_ascii=False)
        if folder:
            try:
                (folder.staging / FILE).write_text(document + "\n", "utf-8")
            except OSError as error:
                raise folder.refused(error) from None
    if arguments.json:
        write(document)
    else:
        write("\n".join(_report(compared, base.name, arguments)))
    return 0


def _named(arguments: argparse.Namespace, *models: Checkpoint) -> list[Checkpoint]:
    """Two that are called the same, as best/ of two runs, by the folders that were given."""
    from dataclasses import replace

    given = (arguments.base, arguments.new)
    if models[0].name != models[1].name:
        return [*models]
    return [replace(model, name=name) for model, name in zip(models, given, strict=True)]


def _saver(folder: NewFolder, classes: ClassMap) -> Watch:
    from PIL import Image

    from seg_demo.viz.comparison import side_by_side

    def save(sample: Sample, base: np.ndarray | None, new: np.ndarray) -> None:
        maps = [sample.label_map, new] if base is None else [sample.label_map, base, new]
        path = free_path(folder, sample.name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(side_by_side(sample.image, maps, classes, LONGEST)).save(path)
        except OSError as error:
            raise folder.refused(error) from None

    return save


def _report(compared: Comparison, base: str, arguments: argparse.Namespace) -> list[str]:
    names = f"{base} (base) and {compared.new.name} (new)"
    lines = [f"{names} on {len(compared.pictures)} {arguments.split} pictures:", ""]
    for sentence in (compared.why, *compared.warnings):
        if sentence:
            lines += [*wrapped(f"Note: {sentence}", 0), ""]
    before = compared.base.figures if compared.base else {}
    rows = [
        (title, before.get(name), compared.new.figures.get(name), compared.differences.get(name))
        for name, title in TITLES.items()
        if name in before or name in compared.new.figures
    ]
    lines += [*_table("figure", rows), ""]
    ious = compared.base.ious if compared.base else (None,) * len(compared.classes)
    lines += _table(
        "IoU of", [*zip(compared.classes.names, ious, compared.new.ious, compared.iou_differences, strict=True)]
    )
    if not compared.base:
        return lines
    counts = compared.counts
    told = f"Pictures that got better: {counts['better']}, worse: {counts['worse']}, the same: {counts['same']}"
    lines += ["", f"{told}." if not counts["incomparable"] else f"{told}, not labelled: {counts['incomparable']}."]
    if compared.certainty:
        lines += wrapped(compared.certainty, 0)
    for title, pictures in (("better: mean IoU of", compared.better), ("worse: mean IoU of", compared.worse)):
        if pictures[: arguments.most]:
            lines += ["", *_table(title, _rows(pictures[: arguments.most]))]
    return lines


Row = tuple[str, float | None, float | None, float | None]


def _rows(pictures: Sequence[ComparedPicture]) -> list[Row]:
    return [
        (picture.name, picture.base.mean_iou if picture.base else None, picture.new.mean_iou, picture.difference)
        for picture in pictures
    ]


def _table(title: str, rows: Sequence[Row]) -> list[str]:
    cells = [(name, _shown(base), _shown(new), _shown(change, "+")) for name, base, new, change in rows]
    return table((title, "base", "new", "difference"), cells, right=(1, 2, 3))


def _shown(value: float | None, sign: str = "") -> str:
    """Four decimals; a figure that is not defined is a dash, and no difference has no sign."""
    if value is None:
        return "-"
    return format(value, f"{sign}.4f") if round(value, 4) else "0.0000"
