"""What the recipes for the newts reach, and how long they take.

`python -m benchmarks.newts --data DIR` (the newts folder) trains the presets with several seeds by the `train` command
on the training photos, one after the other, and measures on the six test photos at their own size through the `predict`
command and NumPy alone (see `benchmarks.quality`). The seconds are those of the whole command, from the start of the
process on, with all that is drawn. `--docs` writes the table into docs/training.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.markdown import table, write_table
from benchmarks.quality import iou, labelled_photos, predict

PRESETS = ("newts-binary-simple", "newts-binary")


def trained(preset: str, data: Path, seed: int, run: Path) -> float:
    """Seconds of the command."""
    command = [
        sys.executable,
        "-m",
        "seg_demo",
        "train",
        "--preset",
        preset,
        "--data",
        str(data),
        "--split",
        "trainval",
    ]
    begun = time.perf_counter()
    subprocess.run([*command, "--seed", str(seed), "--run", str(run)], check=True, capture_output=True)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="the newts folder")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each preset (default: 3)")
    parser.add_argument("--presets", nargs="+", default=PRESETS, help=f"default: {' '.join(PRESETS)}")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/training.md")
    arguments = parser.parse_args()
    photos, species = labelled_photos(arguments.data)
    rows, means = [], {}
    with tempfile.TemporaryDirectory() as temporary:
        for preset in arguments.presets:
            found = []
            for seed in range(arguments.seeds):
                run = Path(temporary) / f"{preset}-{seed}"
                seconds = trained(preset, arguments.data, seed, run)
                masks = predict(run / "last", photos, run / "masks", threshold=0.5)
                pairs = [((label > 0).astype(int), mask) for label, mask in zip(species, masks, strict=True)]
                each = [iou([pair], 1) for pair in pairs]
                both = statistics.mean([iou(pairs, 0), iou(pairs, 1)])
                found.append((statistics.mean(each), both, seconds))
                rows.append(
                    [preset, str(seed), f"{found[-1][0]:.3f}", f"{both:.3f}", f"{min(each):.2f}", f"{seconds:.0f}"]
                )
                print(" | ".join(rows[-1]), flush=True)
            means[preset] = [statistics.mean(column) for column in zip(*found, strict=True)]
            rows.append([f"**{preset}, mean**", "", *(f"**{means[preset][place]:.3f}**" for place in (0, 1)), "",
                         f"**{means[preset][2]:.0f}**"])  # fmt: skip
    header = ["preset", "seed", "newt's IoU, mean of the photos", "mean IoU of both classes", "worst photo", "seconds"]
    text = table(header, rows, right=range(1, 6))
    text += f"\n{os.cpu_count()} cores, {platform.machine()}; six test photos at their own size, threshold 0.5.\n"
    print(text)
    if arguments.docs:
        write_table("newts", text, "training.md")


if __name__ == "__main__":
    main()
