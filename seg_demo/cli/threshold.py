"""`threshold`: choose the threshold of a class, on labelled pictures or for single ones, and make masks with it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seg_demo.cli.progress import counting, with_progress
from seg_demo.cli.text import write
from seg_demo.cli.values import probability, whole

if TYPE_CHECKING:
    from seg_demo.checkpoint import Checkpoint
    from seg_demo.evaluate.automatic import Choice
    from seg_demo.infer.predictor import Predictor

DEFAULT = "best-f1"
MAX_PIXELS = 64_000_000


def configure(parser: argparse.ArgumentParser) -> None:
    from seg_demo.evaluate.automatic import METHODS

    written = ", ".join(method.example or name for name, method in METHODS.items())
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a checkpoint folder")
    images = parser.add_argument(
        "images", type=Path, nargs="+", default=[], metavar="IMAGE", help="picture files; none with --data"
    )
    images.required = False  # with nargs="*", none would be seen behind a flag
    parser.add_argument("--data", metavar="DIR", help="a folder of labelled pictures, procedural:COUNT, hub:OWNER/NAME")
    parser.add_argument(
        "--split",
        help="pictures of --data: val (default; a test split is to be measured on afterwards), test, train or trainval",
    )
    parser.add_argument(
        "--class", dest="class_name", metavar="NAME", help="whose probability counts; not needed for the task binary"
    )
    parser.add_argument(
        "--method", metavar="NAME",
        help=f"how the threshold is chosen: {written} (default: {DEFAULT} with labels, else the checkpoint's own)",
    )  # fmt: skip
    parser.add_argument("--threshold", type=probability, metavar="T", help="this one, instead of a method")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="the label file of one IMAGE")
    parser.add_argument(
        "--low", type=probability, metavar="T",
        help="hysteresis: keep the objects of this lower threshold that reach the other one",
    )  # fmt: skip
    parser.add_argument(
        "--smallest-object", type=whole(0, MAX_PIXELS), default=0, metavar="PX", help="take out smaller objects"
    )
    parser.add_argument(
        "--smallest-hole", type=whole(0, MAX_PIXELS), default=0, metavar="PX", help="fill smaller holes in objects"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write each IMAGE's mask and probability (PNG)")
    parser.add_argument("--save", action="store_true", help="write the threshold into the checkpoint's config")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves over the labels into this .png file")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    from seg_demo.checkpoint import load_checkpoint
    from seg_demo.checkpoint.folder import check_replaceable
    from seg_demo.errors import UserError
    from seg_demo.infer.predictor import Predictor
    from seg_demo.viz.plots import check_plot_path

    choice = _choice(arguments)
    _check_combination(arguments, choice)
    if arguments.plot:
        check_plot_path(arguments.plot)
    checkpoint = load_checkpoint(arguments.checkpoint)
    class_id = _class_id(checkpoint, arguments.class_name)
    if arguments.save:
        check_replaceable(arguments.checkpoint)
        if checkpoint.config.task != "binary":
            raise UserError(
                '{name} has the task "multiclass", whose label map no threshold decides, so there is none to save. '
                "Leave --save out.",
                name=checkpoint.name,
            )
    predict = Predictor(checkpoint, keep_probabilities=[class_id])
    return (_over_data if arguments.data else _on_images)(arguments, predict, class_id, choice)


def _choice(arguments: argparse.Namespace) -> Choice | None:
    """The method that is asked for, or that is left to us; None for a threshold that is given or the checkpoint's."""
    from seg_demo.errors import UserError
    from seg_demo.evaluate.automatic import Choice

    if arguments.method and arguments.threshold is not None:
        raise UserError("--method chooses a threshold and --threshold gives one. Leave one of them out.")
    labelled = arguments.data or arguments.labels
    method = arguments.method or (DEFAULT if labelled and arguments.threshold is None else None)
    choice = Choice.parse(method) if method else None
    if choice and choice.method.needs_labels and not labelled:
        raise UserError(
            "The method {method} needs labels. Add --labels FILE or --data DIR, or choose a method such as otsu.",
            method=choice,
        )
    return choice


def _check_combination(arguments: argparse.Namespace, choice: Choice | None) -> None:
    """Raises `UserError` for flags that make no sense together."""
    from seg_demo.errors import UserError

    if bool(arguments.data) == bool(arguments.images):
        raise UserError("Name pictures, or give labelled ones with --data DIR: one of the two.")
    if arguments.data:
        given = {
            "--labels": arguments.labels is not None, "--low": arguments.low is not None,
            "--smallest-object": arguments.smallest_object > 0, "--smallest-hole": arguments.smallest_hole > 0,
            "--out": arguments.out is not None,
        }  # fmt: skip
        for flag in (flag for flag, is_given in given.items() if is_given):
            raise UserError(
                "{flag} is for pictures that are named, and --data only counts their pixels. Leave one of them out.",
                flag=flag,
            )
        return
    if arguments.split:
        raise UserError("--split chooses among the pictures of --data DIR. Add that, or leave it out.")
    if arguments.labels and len(arguments.images) > 1:
        raise UserError(
            "--labels is the label file of one picture, but {count} are named. Name one, or use --data DIR.",
            count=len(arguments.images),
        )
    if arguments.plot and not arguments.labels:
        raise UserError("--plot draws curves over labels. Add --labels FILE or --data DIR.")
    if arguments.save and len(arguments.images) > 1:
        raise UserError("--save writes one threshold, but each picture may have its own. Name one, or use --data DIR.")
    if arguments.save and choice is None and arguments.threshold is None:
        raise UserError("--save writes a threshold that was chosen. Add --method NAME or --threshold T.")


def _class_id(checkpoint: Checkpoint, name: str | None) -> int:
    from seg_demo.errors import UserError
    from seg_demo.registry import look_up

    config = checkpoint.config
    ids = {known: class_id for class_id, known in enumerate(config.classes.names)}
    if config.task == "binary":  # the network says nothing of the background by itself
        del ids[config.classes.names[0]]
        return look_up("class", ids, name) if name is not None else 1
    if name is None:
        raise UserError(
            '{name} has the task "multiclass", so it must be known whose threshold is meant. Add --class NAME, one of: '
            "{known}.",
            name=checkpoint.name, known=", ".join(ids),
        )  # fmt: skip
    return look_up("class", ids, name)


def _over_data(arguments: argparse.Namespace, predict: Predictor, class_id: int, choice: Choice | None) -> int:
    from seg_demo.cli.sweep import ThresholdReport
    from seg_demo.data.dataset import in_classes
    from seg_demo.data.folder import open_splits
    from seg_demo.errors import UserError
    from seg_demo.evaluate.threshold import measure_thresholds, threshold_of

    checkpoint, config = predict.checkpoint, predict.config
    split, class_name = arguments.split or "val", config.classes.names[class_id]
    samples = open_splits(arguments.data)(split)
    samples = in_classes(samples, config.classes, config.task, checkpoint.name)
    with counting("Measuring") as show:
        histogram = measure_thresholds(predict, samples, class_id, show)
    sweep = histogram.sweep()
    if not sweep.positives:
        raise UserError(
            'No pixel of the split "{split}" is labelled {label}, so no threshold is better than another. '
            "Choose another split.",
            split=split, label=class_name,
        )  # fmt: skip
    chosen = threshold_of(choice.level(histogram.values, sweep)) if choice else arguments.threshold
    report = ThresholdReport(histogram, config.threshold, chosen, choice)
    what = f"{len(samples)} {split} pictures"
    if not arguments.json:
        of_class = "" if config.task == "binary" else f", {class_name},"
        write("\n".join(report.lines(f"{checkpoint.name}{of_class} on {what}")))
    if arguments.plot:
        report.draw(arguments.plot, f"{checkpoint.name}: {class_name}, {what}")
    head = {"checkpoint": arguments.checkpoint.name, "class": class_name, "split": split}
    _finish(arguments, checkpoint, chosen, {**head, **report.document()})
    return 0


def _on_images(arguments: argparse.Namespace, predict: Predictor, class_id: int, choice: Choice | None) -> int:
    from seg_demo.cli.masks import binarised, how_made, lines_of
    from seg_demo.errors import UserError
    from seg_demo.infer.outputs import unique_stems

    entries: list[dict[str, Any]] = []
    pictures = [*zip(arguments.images, unique_stems(arguments.images), strict=True)]
    for path, stem in with_progress(pictures, "Segmenting"):
        try:
            entries.append({"image": str(path), **binarised(arguments, predict, class_id, choice, path, stem)})
        except UserError as error:  # One bad file must not cost the others.
            if len(arguments.images) == 1:
                raise
            write(f"error: {error}", sys.stderr)
            entries.append({"image": str(path), "error": str(error)})
    done = [entry for entry in entries if "error" not in entry]
    class_name = predict.config.classes.names[class_id]
    if done and not arguments.json:
        how = how_made(arguments, choice)
        write("\n".join([f"{predict.checkpoint.name}, {class_name}, {how}:", "", *lines_of(done)]))
    document = {
        "checkpoint": arguments.checkpoint.name, "class": class_name, "method": None if choice is None else str(choice),
        "low": arguments.low, "smallest_object": arguments.smallest_object, "smallest_hole": arguments.smallest_hole,
        "images": entries,
    }  # fmt: skip
    _finish(arguments, predict.checkpoint, done[0]["threshold"] if done else 0.0, document)
    return 0 if len(done) == len(entries) else 1


def _finish(arguments: argparse.Namespace, checkpoint: Checkpoint, chosen: float, document: dict[str, Any]) -> None:
    """Save the chosen threshold where that is asked for, and print `document` or what was saved."""
    from dataclasses import replace

    from seg_demo.checkpoint import save_checkpoint

    config = checkpoint.config
    if arguments.save:
        save_checkpoint(arguments.checkpoint, checkpoint.model, replace(config, threshold=chosen))
    if arguments.json:
        import json

        write(json.dumps({**document, "saved": arguments.save}, indent=2, ensure_ascii=False))
    elif arguments.save:
        write(f"Saved the threshold {chosen:g} in {arguments.checkpoint}; before, it was {config.threshold:g}.")
        if config.metrics:
            write("The figures recorded there belong to the old one; `eval --record` measures again.")
