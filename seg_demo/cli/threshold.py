"""`threshold`: what every threshold of a binary checkpoint would give, and the best one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seg_demo.cli.progress import with_progress
from seg_demo.cli.text import table, write

if TYPE_CHECKING:
    from seg_demo.evaluate.threshold import Calibration, Sweep, ThresholdHistogram

SHOWN = tuple(tenth / 10 for tenth in range(1, 10))
HEADER = ("threshold", "precision", "recall", "F1", "IoU", "mean IoU", "accuracy", "predicted", "")
COLUMNS = ("precision", "recall", "f1", "iou", "mean_iou", "accuracy", "predicted_share")


def configure(parser: argparse.ArgumentParser) -> None:
    from seg_demo.evaluate.threshold import FIGURES

    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help='a checkpoint folder of the task "binary"')
    parser.add_argument(
        "--data",
        required=True,
        metavar="DIR",
        help="a folder of labelled pictures, procedural:COUNT, or hub:OWNER/NAME",
    )
    parser.add_argument(
        "--split",
        default="val",
        help="pictures of --data: val (default; a test split is to be measured on afterwards), test, train or trainval",
    )
    parser.add_argument(
        "--by",
        choices=FIGURES,
        default="f1",
        help="what the best threshold makes highest (default: f1, which has the same best threshold as iou)",
    )
    parser.add_argument("--save", action="store_true", help="write the best threshold into the checkpoint's config")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves into this .png file")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from seg_demo.checkpoint import load_checkpoint, save_checkpoint
    from seg_demo.checkpoint.folder import check_replaceable
    from seg_demo.data.dataset import in_classes
    from seg_demo.data.folder import open_splits
    from seg_demo.errors import UserError
    from seg_demo.evaluate.threshold import ThresholdHistogram, threshold_of
    from seg_demo.infer.predictor import Predictor
    from seg_demo.viz.plots import check_plot_path

    if arguments.plot:
        check_plot_path(arguments.plot)
    checkpoint = load_checkpoint(arguments.checkpoint)
    config = checkpoint.config
    if arguments.save:
        check_replaceable(arguments.checkpoint)
    if config.task != "binary":
        raise UserError(
            '{name} has the task "multiclass", where the class with the highest probability is taken, so there is no '
            "threshold to choose. Give a checkpoint of the task binary.",
            name=checkpoint.name,
        )
    samples = open_splits(arguments.data)(arguments.split)
    samples = in_classes(samples, config.classes, config.task, checkpoint.name)
    predict, histogram = Predictor(checkpoint), ThresholdHistogram(ignore_index=config.classes.ignore_index)
    for _, image, label_map in with_progress(samples, "Measuring"):
        planes = predict(image).probabilities
        assert planes is not None
        histogram.update(label_map, planes[0])
    sweep = histogram.sweep()
    level = sweep.best_level(arguments.by)
    if level is None:
        raise UserError(
            'No pixel of the split "{split}" is labelled {label}, so no threshold is better than another. '
            "Choose another split.",
            split=arguments.split, label=config.classes.names[1],
        )  # fmt: skip
    best = threshold_of(level)
    what = f"{len(samples)} {arguments.split} pictures"
    document = _document(arguments, histogram, config.threshold, best)
    if not arguments.json:
        write("\n".join(_report(document, f"{checkpoint.name} on {what}")))
    if arguments.plot:
        _draw(arguments.plot, f"{checkpoint.name}: {config.classes.names[1]}, {what}", document, sweep,
              histogram.calibration())  # fmt: skip
    if arguments.save:
        save_checkpoint(arguments.checkpoint, checkpoint.model, replace(config, threshold=best))
    if arguments.json:
        import json

        write(json.dumps(document, indent=2, ensure_ascii=False))
    elif arguments.save:
        write(f"Saved the threshold {best:g} in {arguments.checkpoint}; before, it was {config.threshold:g}.")
        if config.metrics:
            write("The figures recorded there belong to the old one; `eval --record` measures again.")
    return 0


def _document(
    arguments: argparse.Namespace, histogram: ThresholdHistogram, current: float, best: float
) -> dict[str, Any]:
    """All that is told, as plain JSON values."""
    sweep, calibration = histogram.sweep(), histogram.calibration()
    bins = len(calibration.count)
    return {
        "checkpoint": arguments.checkpoint.name,
        "split": arguments.split,
        "pixels": int(histogram.counts.sum()),
        "average_precision": sweep.average_precision(),
        "expected_calibration_error": calibration.error,
        "by": arguments.by,
        "best": _at(sweep, best),
        "current": _at(sweep, current),
        "thresholds": [_at(sweep, threshold) for threshold in SHOWN],
        "reliability": [
            {
                "from": number / bins,
                "to": (number + 1) / bins,
                "pixels": int(calibration.count[number]),
                "confidence": float(calibration.confidence[number]),
                "frequency": float(calibration.frequency[number]),
            }
            for number in range(bins)
            if calibration.count[number]
        ],
        "saved": arguments.save,
    }


def _at(sweep: Sweep, threshold: float) -> dict[str, float]:
    from seg_demo.infer.segmentation import threshold_level

    level = threshold_level(threshold, sweep.full)
    return {"threshold": threshold, "level": level, **sweep.figures(level)}


def _report(document: dict[str, Any], what: str) -> list[str]:
    by, best, current = document["by"], document["best"], document["current"]
    rows = {entry["threshold"]: entry for entry in (*document["thresholds"], current, best)}
    notes = {current["threshold"]: "the checkpoint's"}
    notes[best["threshold"]] = f"best by {by}" + (", the checkpoint's" if best == current else "")
    lines = [
        (f"{threshold:g}", *(f"{entry[name]:.4f}" if name in entry else "-" for name in COLUMNS),
         notes.get(threshold, ""))
        for threshold, entry in sorted(rows.items())
    ]  # fmt: skip
    return [
        f"{what}, {document['pixels']} labelled pixels:",
        "",
        *table(HEADER, lines, right=range(len(HEADER) - 1)),
        "",
        f"Average precision           {document['average_precision']:.4f}",
        f"Expected calibration error  {document['expected_calibration_error']:.4f}",
        f"The best threshold by {by} is {best['threshold']:g}, with {best[by]:.4f}; the checkpoint has "
        f"{current['threshold']:g}, with {current[by]:.4f}.",
    ]


def _draw(path: Path, title: str, document: dict[str, Any], sweep: Sweep, calibration: Calibration) -> None:
    from seg_demo.viz.plots import ThresholdPlot, draw_threshold

    marks = {
        f"best by {document['by']}": document["best"]["threshold"],
        "the checkpoint's": document["current"]["threshold"],
    }
    draw_threshold(
        ThresholdPlot(
            title, sweep.thresholds, sweep.precision, sweep.recall, sweep.f1, sweep.iou,
            document["average_precision"], marks, calibration.count, calibration.confidence, calibration.frequency,
            calibration.error,
        ),
        path,
    )  # fmt: skip
