"""`train`: a preset + labelled pictures -> a checkpoint."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from seg_demo.cli.values import whole

if TYPE_CHECKING:
    from seg_demo.data.dataset import DataSet
    from seg_demo.train.config import TrainConfig


# What the model card says of data sets that are public; of others it has the name of their folder.
PUBLIC = {"newts": "newts (yoyoyo-yo/DeepLearningMugenKnock, MIT)"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", required=True, metavar="NAME", help="the recipe, such as newts-binary")
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="a folder of labelled pictures, procedural:COUNT, or hub:OWNER/NAME; without it, drawn pictures only",
    )
    parser.add_argument("--split", default="train", help="pictures to learn from: train (default) or trainval")
    parser.add_argument(
        "--steps", type=whole(1, 10**9), metavar="N", help="optimisation steps, instead of the preset's"
    )
    parser.add_argument("--seed", type=whole(0, 2**31), metavar="N", help="instead of the preset's")
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="the folder of this run")
    parser.add_argument("--out", type=Path, metavar="DIR", help="copy the finished checkpoint to this folder")


def run(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from seg_demo.checkpoint import load_checkpoint, save_checkpoint
    from seg_demo.data.dataset import fingerprint, in_classes
    from seg_demo.data.folder import open_splits
    from seg_demo.data.procedural import ProceduralNewts
    from seg_demo.registry import look_up
    from seg_demo.train.events import RunFailed
    from seg_demo.train.loop import train
    from seg_demo.train.presets import PRESETS
    from seg_demo.train.run import record

    preset = look_up("preset", PRESETS, arguments.preset)
    config = preset.config
    changes = {key: getattr(arguments, key) for key in ("steps", "seed") if getattr(arguments, key) is not None}
    config = replace(config, **changes)
    species = config.task == "multiclass"
    source, real, validation = "", [], []
    if arguments.data:
        split = open_splits(arguments.data)
        samples = split(arguments.split)
        wanted = f'The preset "{arguments.preset}"'
        source = _source(samples, arguments.data)
        real = list(in_classes(samples, config.classes, config.task, wanted))
        if arguments.split == "train":
            validation = list(in_classes(split("val"), config.classes, config.task, wanted))
    else:
        config = replace(config, drawn_share=1.0)
    print(f"Drawing {config.drawn_pictures} pictures ...", file=sys.stderr)
    # The examples are scenes of seed 0, so that no seed from 1 on has seen them.
    drawn = list(
        ProceduralNewts(config.drawn_pictures, longest=config.preprocessing.size, species=species, seed=config.seed + 1)
    )
    about = {
        "about": preset.about,
        "preset": arguments.preset,
        "base_checkpoint": "none, random weights",
        "revision": _revision(),
        "data": f"{source}, split {arguments.split}" if real else "drawn pictures",
        "data_fingerprint": fingerprint([*real, *drawn]),
        "pictures": {"photos": len(real), "drawn": len(drawn), "validation": len(validation)},
        "recipe": _recipe(config),
        "command": " ".join(_command(arguments)),
    }
    failed = None
    for event in record(train(config, real, drawn, validation, arguments.run, about), config, arguments.run, about):
        _show(event, config.steps)
        failed = event if isinstance(event, RunFailed) else failed
    if failed:
        print(f"error: {failed.reason}", file=sys.stderr)
        return 1
    if arguments.out:
        finished = load_checkpoint(arguments.run / "last")
        save_checkpoint(arguments.out, finished.model, finished.config)
        print(f"Saved {arguments.out}")
    return 0


def _source(samples: DataSet, given: str) -> str:
    from seg_demo.data.folder import FolderDataSet

    if isinstance(samples, FolderDataSet):
        return PUBLIC.get(samples.listing.layout, samples.listing.root.resolve().name)
    return given


def _revision() -> str:
    """The commit of this code; "unknown" outside a clone."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _recipe(config: TrainConfig) -> str:
    return (
        f"cross-entropy + Dice; AdamW, one-cycle to {config.learning_rate:g}, weight decay {config.weight_decay:g}; "
        f"batches of {config.batch_size} crops of {config.crop} pixels from pictures with a "
        f"{config.preprocessing.resize} side of {config.preprocessing.size}, {config.drawn_share:.0%} of them drawn; "
        f"flips, rotation, zoom, colour, "
        f"blur and noise; running average of the weights, decay {config.average:g}"
    )


def _command(arguments: argparse.Namespace) -> list[str]:
    """The command that makes this run again, without the paths of this machine."""
    words = ["python -m seg_demo train", f"--preset {arguments.preset}", f"--split {arguments.split}"]
    words += ["--data DIR"] if arguments.data else []
    words += [f"--{key} {getattr(arguments, key)}" for key in ("steps", "seed") if getattr(arguments, key) is not None]
    return [*words, "--run RUN"]


def _show(event: object, steps: int) -> None:
    from seg_demo.train.events import CheckpointSaved, EpochDone, RunFinished, StepDone

    if isinstance(event, StepDone):
        if sys.stderr.isatty() or event.step % 100 == 0:
            end = "\r" if sys.stderr.isatty() else "\n"
            line = f"step {event.step}/{steps}  loss {event.loss:.3f}  {event.images_per_second:.1f} images/s "
            print(line, end=end, file=sys.stderr, flush=True)
    elif isinstance(event, EpochDone) and event.metrics:
        figures = "  ".join(f"{name} {value:.3f}" for name, value in event.metrics.items())
        print(f"step {event.step}/{steps}  {figures}", flush=True)
    elif isinstance(event, CheckpointSaved):
        print(f"step {event.step}/{steps}  saved {event.folder}", flush=True)
    elif isinstance(event, RunFinished):
        print(f"{event.step} steps in {event.seconds:.0f} s", flush=True)
