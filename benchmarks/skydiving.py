"""The origin's recipe for the skydiving photos beside the one of this project, in the same time.

`python -m benchmarks.skydiving --data DIR` (the skydiving folder, 10 training and 2 validation photos) trains each for
`--minutes` by the `train` command, one after the other, from random weights unless `--published` lets the origin's
recipe fetch those it is made for. Both keep what is best by their validation mean IoU; the figures are those of `eval`,
from one confusion matrix over both photos. `--docs` writes the table into docs/training.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.markdown import table, write_table

RECIPES = {
    "skydiving-deeplabv3": ["--preset", "skydiving-deeplabv3"],
    "finetune": ["--preset", "finetune"],
}


def run(*words: str) -> str:
    return subprocess.run([sys.executable, "-m", "seg_demo", *words], check=True, capture_output=True, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", required=True, help="the skydiving folder")
    parser.add_argument("--minutes", default="3", help="of each run (default: 3)")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each recipe (default: 1)")
    parser.add_argument(
        "--published", action="store_true", help="fetch the weights that the origin's recipe is made for"
    )
    parser.add_argument("--docs", action="store_true", help="write the table into docs/training.md")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, words in RECIPES.items():
            random = [] if arguments.published or name == "finetune" else ["--model.weights", ""]
            found = []
            for seed in range(arguments.seeds):
                folder = Path(temporary) / f"{name}-{seed}"
                length = ["--minutes", arguments.minutes, "--seed", str(seed), "--validation.patience", "0"]
                run("train", *words, *random, *length, "--data", arguments.data, "--run", str(folder))
                events = [json.loads(line) for line in (folder / "events.jsonl").read_text("utf-8").splitlines()]
                end = next(event for event in reversed(events) if event["event"] == "RunFinished")
                line = [end["step"], end["seconds"]]
                for kind in ("best", "last"):
                    told = run("eval", str(folder / kind), "--data", arguments.data, "--split", "val", "--json")
                    figures = json.loads(told)
                    line += [figures["mean_iou"], figures["loss"]]
                found.append(line)
                print(name, seed, *(f"{value:.3f}" for value in line), flush=True)
            steps, seconds, *figures = (statistics.mean(column) for column in zip(*found, strict=True))
            rows.append([f"`{name}`", f"{steps:.0f}", f"{seconds:.0f}", *(f"{value:.3f}" for value in figures)])
    header = ["preset", "steps", "seconds", "best: mean IoU", "its loss", "last: mean IoU", "its loss"]
    start = "published weights" if arguments.published else "random weights"
    text = table(header, rows, right=range(1, 7))
    text += f"\n{os.cpu_count()} cores, {platform.machine()}; {start}, {arguments.seeds} seeds, 2 validation photos.\n"
    print(text)
    if arguments.docs:
        write_table("skydiving", text, "training.md")


if __name__ == "__main__":
    main()
