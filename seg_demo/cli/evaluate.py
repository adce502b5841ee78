"""`eval`: checkpoint + labelled pictures -> figures."""

from __future__ import annotations

import argparse
from pathlib import Path

from seg_demo.cli.values import whole

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
    parser.add_argument("--record", action="store_true", help="write the figures into the checkpoint's config and card")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    import json
    from dataclasses import replace

    from seg_demo.checkpoint import load_checkpoint, save_checkpoint
    from seg_demo.data.dataset import DataSet, in_classes
    from seg_demo.data.folder import open_splits
    from seg_demo.data.procedural import ExampleNewts, ProceduralNewts
    from seg_demo.evaluate.report import measure

    checkpoint = load_checkpoint(arguments.checkpoint)
    species = checkpoint.config.task == "multiclass"
    samples: DataSet
    if arguments.examples:
        samples, kind = ExampleNewts(species=species), "drawn examples"
    elif arguments.drawn:
        samples = ProceduralNewts(arguments.drawn, longest=512, species=species, seed=DRAWN_SEED)
        kind = "other drawn pictures"
    else:
        samples, kind = open_splits(arguments.data)(arguments.split), f"{arguments.split} photos"
    samples = in_classes(samples, checkpoint.config.classes, checkpoint.config.task, checkpoint.name)
    split = f"{len(samples)} {kind}"
    figures = measure(checkpoint, samples)
    if arguments.json:
        print(json.dumps({"checkpoint": checkpoint.name, "split": split, **figures}, indent=2))
    else:
        print(f"{checkpoint.name} on {split}:")
        print("\n".join(f"  {name:24} {value:.4f}" for name, value in figures.items()))
    if arguments.record:
        metrics = {**checkpoint.config.metrics, split: figures}
        save_checkpoint(arguments.checkpoint, checkpoint.model, replace(checkpoint.config, metrics=metrics))
    return 0
