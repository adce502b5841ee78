"""`eval`: checkpoint + labelled pictures -> figures, and the predictions as label files."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from seg_demo.cli.figures import class_table, left_out, mean_table
from seg_demo.cli.naming import free_path
from seg_demo.cli.progress import with_progress
from seg_demo.cli.text import write
from seg_demo.cli.values import whole

if TYPE_CHECKING:
    import numpy as np

    from seg_demo.classes import ClassMap
    from seg_demo.data.new_folder import NewFolder
    from seg_demo.evaluate.report import Evaluation

DRAWN_SEED = 7919  # far from the seeds that training draws from


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a checkpoint folder")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data", metavar="DIR", help="a folder of labelled pictures, procedural:COUNT, or hub:OWNER/NAME"
    )
    source.add_argument(
        "--drawn", type=whole(1, 1_000_000), metavar="N", help="measure on N drawn pictures that training never saw"
    )
    source.add_argument("--examples", action="store_true", help="measure on the example pictures of the page")
    parser.add_argument("--split", default="test", help="pictures of --data: test (default), val, train or trainval")
    parser.add_argument(
        "--window", type=whole(32, 8192), default=0, metavar="PX",
        help="predict in sliding windows of this side, two thirds of it apart (PSPNet: 473 or 713)",
    )  # fmt: skip
    parser.add_argument(
        "--scales", type=scales, default=(1.0,), metavar="S,...", help="predict at these sizes and average, 0.75,1,1.25"
    )
    parser.add_argument("--flip", action="store_true", help="predict the mirror image, too, and average")
    parser.add_argument(
        "--save-predictions", type=Path, metavar="DIR", help="write the predicted label maps into this new folder (PNG)"
    )
    parser.add_argument("--record", action="store_true", help="write the figures into the checkpoint's config and card")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def scales(text: str) -> tuple[float, ...]:
    """Of "0.75,1" (0.75, 1.0)."""
    found = tuple(float(part) for part in text.split(","))
    if not all(0.1 <= scale <= 4 for scale in found):
        raise argparse.ArgumentTypeError(f"{text} is not a list of scales from 0.1 to 4 such as 0.75,1,1.25")
    return found


def run(arguments: argparse.Namespace) -> int:
    import json
    from dataclasses import replace

    from seg_demo.checkpoint import load_checkpoint, save_checkpoint
    from seg_demo.checkpoint.folder import check_replaceable
    from seg_demo.data.dataset import DataSet, in_classes
    from seg_demo.data.folder import open_splits
    from seg_demo.data.new_folder import NewFolder
    from seg_demo.data.procedural import ExampleNewts, ProceduralNewts
    from seg_demo.evaluate.report import Evaluation
    from seg_demo.infer.predictor import Predictor

    checkpoint = load_checkpoint(arguments.checkpoint)
    config = checkpoint.config
    if arguments.record:
        check_replaceable(arguments.checkpoint)
    species = config.task == "multiclass"
    samples: DataSet
    if arguments.examples:
        samples, kind = ExampleNewts(species=species), "drawn examples"
    elif arguments.drawn:
        samples = ProceduralNewts(arguments.drawn, longest=512, species=species, seed=DRAWN_SEED)
        kind = "other drawn pictures"
    else:
        samples, kind = open_splits(arguments.data)(arguments.split), f"{arguments.split} photos"
    samples = in_classes(samples, config.classes, config.task, checkpoint.name)
    split = f"{len(samples)} {kind}" + _how(arguments)
    predictor = Predictor(checkpoint, window=arguments.window, scales=arguments.scales, flip=arguments.flip)
    evaluation = Evaluation(config.classes, config.task, outlines=True)
    saving = NewFolder(arguments.save_predictions) if arguments.save_predictions else nullcontext()
    with saving as folder:
        for sample in with_progress(samples, "Measuring"):
            segmentation = evaluation.predict(predictor, sample)
            if folder:
                _save(folder, sample.name, segmentation.label_map, config.classes)
    figures = evaluation.figures()
    if arguments.json:
        told = {"checkpoint": checkpoint.name, "split": split, **figures, **evaluation.details().to_json()}
        write(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        write("\n".join([f"{checkpoint.name} on {split}:", "", *_report(evaluation)]))
    if arguments.record:
        metrics = {**config.metrics, split: figures}
        save_checkpoint(arguments.checkpoint, checkpoint.model, replace(config, metrics=metrics))
    return 0


def _how(arguments: argparse.Namespace) -> str:
    """What was predicted otherwise than by default: it belongs to the figures."""
    parts = [f"windows of {arguments.window}"] if arguments.window else []
    if arguments.scales != (1.0,):
        parts.append("scales " + " ".join(f"{scale:g}" for scale in arguments.scales))
    if arguments.flip:
        parts.append("mirrored")
    return f" ({', '.join(parts)})" if parts else ""


def _save(folder: NewFolder, name: str, label_map: np.ndarray, classes: ClassMap) -> None:
    """As a palette PNG of class ids, under the picture's name and in its folders, but never outside of `folder`."""
    from seg_demo.data.masks import palette_image

    path = free_path(folder, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        palette_image(label_map, classes).save(path)
    except OSError as error:
        raise folder.refused(error) from None


def _report(evaluation: Evaluation) -> list[str]:
    details, figures = evaluation.details(), evaluation.figures()
    titles = {"loss": "Cross-entropy", "mean_picture_iou": "Mean IoU of a picture"}
    rest = [f"{title:24}{figures[name]:.4f}" for name, title in titles.items() if name in figures]
    return [*class_table(details), "", *mean_table(details), "", *rest, *left_out(details)]
