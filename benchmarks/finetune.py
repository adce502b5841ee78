"""What a minute of fine-tuning reaches with few photos, from a checkpoint that knows drawn pictures only and from none.

`python -m benchmarks.finetune --data DIR` (the newts folder) first trains a checkpoint on drawn pictures, and then, by
the `train` command and the preset `finetune`, one after the other, on 5, 10 and 16 of the training photos, once from
that checkpoint and once from random weights. Smaller sets are parts of larger ones, and hold both species; their photos
lie in a folder without splits, so that `train` keeps every fifth for its validation, as it does for whoever brings
their own, and the best checkpoint by these is measured: on the six test photos at their own size, through the `predict`
command and NumPy alone (see `benchmarks.quality`). Each seed draws other photos. `--docs` writes the table into
docs/training.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.markdown import table, write_table
from benchmarks.quality import Pair, iou, labelled_photos, predict
from seg_demo.data.writer import DataSetWriter
from seg_demo.palettes import NEWTS_BINARY

COUNTS = (5, 10, 16)
DRAWN_PICTURES = 400


class Outcome(NamedTuple):
    """Of one checkpoint: figures on the test photos, and how long it was trained."""

    mean_iou: float
    newt: float
    steps: int
    seconds: float


def chosen(photos: Sequence[Path], count: int, seed: int) -> list[int]:
    """The places of `count` photos, the species in turn, beginning with either; a larger count adds to a smaller."""
    draw = random.Random(seed)
    species: dict[str, list[int]] = {}
    for place, photo in enumerate(photos):
        species.setdefault(photo.parent.name, []).append(place)
    for places in species.values():
        draw.shuffle(places)
    groups = list(species.values())
    draw.shuffle(groups)
    return [place for several in zip(*groups, strict=True) for place in several][:count]


def write_photos(folder: Path, photos: Sequence[Path], masks: Sequence[np.ndarray]) -> None:
    """A folder of labelled pictures, without splits."""
    with DataSetWriter(folder, NEWTS_BINARY) as writer:
        for photo, mask in zip(photos, masks, strict=True):
            writer.add(None, photo.stem, photo, mask)


def train(run: Path, *words: str) -> tuple[int, float]:
    """Steps that the command did, and the seconds that they took, with validations, but not the start."""
    command = [sys.executable, "-m", "seg_demo", "train", "--preset", "finetune", "--run", str(run), *words]
    subprocess.run(command, check=True, capture_output=True)
    events = [json.loads(line) for line in (run / "events.jsonl").read_text("utf-8").splitlines()]
    end = next(event for event in reversed(events) if event["event"] == "RunFinished")
    return end["step"], end["seconds"]


def measured(
    checkpoint: Path, photos: Sequence[Path], masks: Sequence[np.ndarray], folder: Path
) -> tuple[float, float]:
    """Mean IoU of background and newt over all photos together, and the newt's IoU, averaged over the photos."""
    pairs: list[Pair] = list(zip(masks, predict(checkpoint, list(photos), folder, threshold=0.5), strict=True))
    return statistics.mean([iou(pairs, 0), iou(pairs, 1)]), statistics.mean(iou([pair], 1) for pair in pairs)


def row(count: int, start: str, found: Sequence[Outcome]) -> list[str]:
    means = Outcome(*(statistics.mean(column) for column in zip(*found, strict=True)))
    every = [outcome.mean_iou for outcome in found]
    span = f"{min(every):.3f}-{max(every):.3f}" if len(found) > 1 else ""
    return [str(count), start, f"{means.mean_iou:.3f}", span, f"{means.newt:.3f}", f"{means.steps:.0f}",
            f"{means.seconds:.0f}"]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="the newts folder")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each, with other photos (default: 1)")
    parser.add_argument("--minutes", default="1", help="of each run (default: 1)")
    parser.add_argument("--drawn-minutes", default="3", help="of the run on drawn pictures (default: 3)")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/training.md")
    arguments = parser.parse_args()
    (photos, species), (tests, test_species) = (labelled_photos(arguments.data, split) for split in ("train", "test"))
    masks, test_masks = ([(label > 0).astype(np.uint8) for label in labels] for labels in (species, test_species))
    found: dict[tuple[int, str], list[Outcome]] = {}

    def note(count: int, start: str, checkpoint: Path, trained: tuple[int, float]) -> None:
        outcome = Outcome(*measured(checkpoint, tests, test_masks, checkpoint.with_name("masks")), *trained)
        found.setdefault((count, start), []).append(outcome)
        print(" | ".join(row(count, start, [outcome])), flush=True)

    settings = ["--data.drawn_pictures", str(DRAWN_PICTURES)]
    with tempfile.TemporaryDirectory() as temporary:
        drawn = Path(temporary) / "drawn"
        note(0, "drawn", drawn / "last", train(drawn, *settings, "--minutes", arguments.drawn_minutes))
        for seed in range(arguments.seeds):
            for count in COUNTS:
                places = chosen(photos, count, seed)
                data = Path(temporary) / f"photos-{seed}-{count}"
                write_photos(data, [photos[place] for place in places], [masks[place] for place in places])
                for start, model in (("drawn", ["--model", str(drawn / "last")]), ("scratch", [])):
                    run = Path(temporary) / f"{start}-{seed}-{count}"
                    length = ["--minutes", arguments.minutes, "--seed", str(seed)]
                    trained = train(run, "--data", str(data), *model, *length)
                    note(count, start, run / "best", trained)
    header = ["photos", "start", "mean IoU", "range", "newt's IoU, mean of the photos", "steps", "seconds"]
    rows = [row(*key, outcomes) for key, outcomes in found.items()]
    text = table(header, rows, right=(0, 2, 3, 4, 5, 6))
    text += (
        f"\nThe start `drawn` is `--preset finetune {' '.join(settings)} --minutes {arguments.drawn_minutes}` without "
        f"a photo; 0 photos: that itself. Seeds: {arguments.seeds}, each with other photos. {os.cpu_count()} cores, "
        f"{platform.machine()}; six test photos at their own size, threshold 0.5.\n"
    )
    print(text)
    if arguments.docs:
        write_table("finetune", text, "training.md")


if __name__ == "__main__":
    main()
