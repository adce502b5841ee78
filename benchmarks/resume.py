"""Runs that are killed at random moments and resumed: do they end with the weights of the run that was left alone?

`python -m benchmarks.resume` starts one small training on drawn pictures and lets it finish; then `--runs` (50) others
with the same command, each of which gets SIGKILL at a random moment from its start to its last step, is looked at, and
is resumed by the same command with `--resume`. Every checkpoint that exists after a kill must load, and the weights,
the state and the events at the end must be those of the run that was left alone, byte by byte. The exit code is 0 only
if all of this holds for all runs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from safetensors import safe_open

from benchmarks.markdown import write_table
from seg_demo.checkpoint import load_checkpoint
from seg_demo.errors import UserError

STEPS = 40
SETTINGS = [
    "--preset", "newts-binary", "--data", "procedural:12", "--steps", str(STEPS), "--validation.every", "8",
    "--model.arguments", '{"width": 4, "depth": 3}', "--data.preprocessing.size", "64", "--data.crop", "32",
    "--data.drawn_pictures", "8", "--batch_size", "4", "--average", "0.9", "--save_every", "0",
]  # fmt: skip


def command(run: Path) -> list[str]:
    return [sys.executable, "-m", "seg_demo", "train", *SETTINGS, "--run", str(run)]


def result(run: Path) -> dict[str, object]:
    """What must be equal: bytes of the checkpoints, tensors of the state, events without times and paths."""
    found: dict[str, object] = {
        f"{kind} weights": (run / kind / "model.safetensors").read_bytes() for kind in ("last", "best")
    }
    with safe_open(run / "state" / "state.safetensors", framework="pt") as state:
        found["state"] = [(name, state.get_tensor(name).tolist()) for name in sorted(state.keys())]
    events = [json.loads(line) for line in (run / "events.jsonl").read_text("utf-8").splitlines()]
    kept = ("event", "step", "epoch", "loss", "learning_rate", "metrics", "name")
    # Each resumption adds a RunStarted, and repeats nothing else.
    found["events"] = [
        {key: event[key] for key in kept if key in event} for event in events if event["event"] != "RunStarted"
    ]
    return found


def recorded(run: Path) -> int:
    """How many steps a run has told of."""
    events = run / "events.jsonl"
    return events.read_bytes().count(b'"StepDone"') if events.is_file() else 0


def killed(run: Path, seed: int) -> str:
    """Start, kill at a random moment, look at what is there; returns where it was killed, and what was wrong."""
    chance = random.Random(seed)
    # One in ten during the start of the process, the others after a random step.
    step, wait = (
        (-1, chance.uniform(0, 3)) if chance.random() < 0.1 else (chance.randrange(STEPS), chance.uniform(0, 0.2))
    )
    with open(run.with_suffix(".log"), "w") as log:
        process = subprocess.Popen(command(run), stdout=log, stderr=log)
        while process.poll() is None and recorded(run) <= step:
            time.sleep(0.001)
        time.sleep(wait)
        process.kill()
        process.wait()
    reached = recorded(run)
    for kind in ("last", "best"):
        if (run / kind).exists():
            try:
                load_checkpoint(run / kind)
            except UserError as error:
                return f"UNREADABLE {kind}: {error}"
    return "at the start" if reached == 0 else "after the end" if process.returncode == 0 else "in the middle"


def one(folder: Path, seed: int, expected: dict[str, object]) -> tuple[str, list[str]]:
    run = folder / str(seed)
    where = killed(run, seed)
    again = subprocess.run([*command(run), "--resume"], capture_output=True, text=True)
    if again.returncode:
        return where, [f"resume failed: {again.stderr.strip().splitlines()[-1:]}"]
    found = result(run)
    wrong = [name for name in expected if found[name] != expected[name]]
    wrong += [f"left behind: {path.name}" for path in run.glob(".*")]
    return where, [where, *wrong] if where.startswith("UNREADABLE") else wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=50, help="how many runs are killed (default: 50)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default: 2)")
    parser.add_argument("--docs", action="store_true", help="write the result into docs/training.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        subprocess.run(command(folder / "whole"), check=True, capture_output=True)
        expected = result(folder / "whole")
        seeds = range(arguments.seed, arguments.seed + arguments.runs)
        with ThreadPoolExecutor(arguments.jobs) as pool:
            outcomes = list(pool.map(lambda seed: one(folder, seed, expected), seeds))
    places = Counter(where for where, _ in outcomes)
    good = sum(not wrong for _, wrong in outcomes)
    killed_at = ", ".join(f"{count} {where}" for where, count in places.most_common())
    text = (
        f"{good} of {len(outcomes)} runs of {STEPS} steps ended as the one that was left alone. Killed: {killed_at}.\n"
    )
    print(text, end="")
    if arguments.docs and good == len(outcomes):
        write_table("resume", text, "training.md")
    for seed, (_, wrong) in zip(seeds, outcomes, strict=True):
        if wrong:
            print(f"run {seed}: {'; '.join(wrong)}")
    return 0 if good == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
