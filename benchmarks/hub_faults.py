"""A Hub that goes wrong in every way at every endpoint, and a client that is killed: what becomes of checkpoints?

`python -m benchmarks.hub_faults` starts a Hub on 127.0.0.1, and pushes and pulls small checkpoints while each fault is
met once at each endpoint, and again while it stays for ever. A checkpoint of 60 MB is pushed and pulled `--kills` (10)
times each by a process that gets SIGKILL at a random moment, and that is then started again. After every case it is
looked at whether checkpoints here and commits there are whole, whether anything is left, and whether what is told is a
sentence. The exit code is 0 only if nothing is wrong and every fault that came once was survived. `--docs` writes the
tables into docs/hub.md.

Pauses are shorter than usual, as is the patience with silence (0.6 s), so that it takes minutes and not hours.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.markdown import table, write_table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from hub_cases import FAULTS, REPO, Bench, Outcome, cases, content, versions
from hub_server import HubServer
from hub_server.client import use

from seg_demo.checkpoint import load_checkpoint
from seg_demo.checkpoint.link import read_link
from seg_demo.errors import UserError

WEIGHTS, CONFIG = "model.safetensors", "config.json"
RATE = 8e6  # bytes in a second, at most, of a download, so that there is a middle to be killed in
CLIENT = """
import sys
from pathlib import Path
import huggingface_hub.hf_api
import torch
import torchvision
import seg_demo.checkpoint.weights
import seg_demo.models.unet
from seg_demo.hub.account import Account
from seg_demo.hub.client import Client
from seg_demo.hub.pull import pull
from seg_demo.hub.push import push
Client(Account.local())
print("ready", flush=True)
if sys.argv[1] == "push":
    push(Path(sys.argv[2]), sys.argv[3], account=Account.local())
else:
    pull(sys.argv[3], Path(sys.argv[2]), account=Account.local())
"""


def matrix(bench: Bench, for_ever: bool) -> tuple[str, list[Outcome]]:
    outcomes = []
    for case in cases(for_ever):
        outcomes.append(bench.run(case))
        if outcomes[-1].wrong or not (outcomes[-1].survived or for_ever):
            print(f"{case}: {outcomes[-1].told} {outcomes[-1].wrong}", file=sys.stderr)
    places = dict.fromkeys((each.case.does, each.case.endpoint) for each in outcomes)
    cells = {(each.case.does, each.case.endpoint, each.case.fault): shown(each) for each in outcomes}
    rows = [
        [f"{does}: {endpoint}", *(cells.get((does, endpoint, fault), "") for fault in FAULTS)]
        for does, endpoint in places
    ]
    return table(["", *map(str, FAULTS)], rows), outcomes


def shown(outcome: Outcome) -> str:
    if outcome.wrong:
        return "**WRONG**"
    return f"{'told' if outcome.told else 'survived'}, {outcome.seconds:.1f} s, {outcome.tries}"


def sentences(outcomes: list[Outcome]) -> str:
    """What is told, each sentence once, and of how many cases."""
    told = [each.told for each in outcomes if each.told]
    rows = [[sentence, str(told.count(sentence))] for sentence in sorted(set(told), key=told.count, reverse=True)]
    return table(["sentence", "cases"], rows, right=[1])


@dataclass
class Killed:
    """A process that was killed, and started again. kept, fetched: bytes of the weights, then and the second time."""

    does: str
    where: str
    kept: int = 0
    fetched: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


def kills(hub: HubServer, place: Path, count: int, seed: int) -> Iterator[Killed]:
    source, _ = versions(place / "large", width=48, depth=5)
    chance = random.Random(seed)
    seconds = {does: run(hub, place / f"whole-{does}", does, source, None).seconds for does in ("push", "pull")}
    for number in range(count):
        for does in ("push", "pull"):
            yield run(hub, place / f"{number}-{does}", does, source, chance.uniform(0.02, 0.98) * seconds[does])


def run(hub: HubServer, place: Path, does: str, source: Path, after: float | None) -> Killed:
    """Push or pull in a process that is killed `after` seconds, unless that is None; and again."""
    hub.faults.clear()
    for kept in list(hub.store.repos):
        hub.store.delete(hub.store.repos[kept])
    scratch, folder = place / "scratch", place / "checkpoints" / "net"
    scratch.mkdir(parents=True)
    if does == "push":
        folder.mkdir(parents=True)
        for name in (CONFIG, WEIGHTS, "README.md"):
            (folder / name).write_bytes((source / name).read_bytes())
    else:
        hub.put(REPO, source)
    hub.fail("cdn", "slow", None, seconds=65536 / RATE)
    killed = Killed(does, "")
    killed.seconds = client(hub, place, does, folder, after)
    if after is None:
        return killed
    killed.where, killed.kept = look(hub, place, does, folder, killed.wrong)
    hub.requests.clear()
    client(hub, place, does, folder, None)
    if does == "pull":
        ranges = [each.headers.get("range", "bytes=0-") for each in hub.asked_for("cdn")]
        begins = [int(each.removeprefix("bytes=").split("-")[0]) for each in ranges[1:]]  # after that of the header
        size = (source / WEIGHTS).stat().st_size
        killed.fetched = size - begins[0] if begins else 0
        if killed.where != "done" and killed.fetched != size - killed.kept:
            killed.wrong.append(f"{killed.fetched} bytes were fetched again, with {killed.kept} there")
    where, _ = look(hub, place, does, folder, killed.wrong)
    if where != "done":
        killed.wrong.append("the second time did not do it")
    left = [path.name for path in (*scratch.glob("seg_demo*"), *folder.parent.glob(".*"))]
    killed.wrong += [f"left behind: {name}" for name in left]
    return killed


def client(hub: HubServer, place: Path, does: str, folder: Path, after: float | None) -> float:
    """Seconds that it ran for, from when everything was imported."""
    environment = {
        **hub.environment,
        "PATH": "/usr/bin:/bin",
        "HOME": str(place),
        "HF_HOME": str(place / "home"),
        "HF_TOKEN": hub.token("alice"),
        "TMPDIR": str(place / "scratch"),
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
    }
    command = [sys.executable, "-c", CLIENT, does, str(folder), REPO]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait()
        if after is None and process.returncode:
            raise RuntimeError(f"the client failed: {command}")
        return time.monotonic() - began


def look(hub: HubServer, place: Path, does: str, folder: Path, wrong: list[str]) -> tuple[str, int]:
    """How far it has come; and the bytes that are kept for the next time."""
    if does == "pull":
        parts = [part.stat().st_size for part in folder.parent.glob(".incoming/*.part")]
        if not folder.exists():
            return ("before the first byte" if not sum(parts) else "in the download"), sum(parts)
        try:
            load_checkpoint(folder)
        except UserError as error:
            wrong.append(f"half a checkpoint: {error}")
        pushed = hub.files(REPO)
        if any((folder / name).read_bytes() != pushed[name] for name in (CONFIG, WEIGHTS)):
            wrong.append("not byte-identical")
        return "done", 0
    repo = hub.store.repos.get(("model", REPO))
    if repo is None:
        return "before there was a repository", 0
    for commit in repo.commits:
        held = {name: data for name, data in hub.files(REPO, commit).items() if name in (CONFIG, WEIGHTS)}
        if held and held != {name: (folder / name).read_bytes() for name in (CONFIG, WEIGHTS)}:
            wrong.append("a commit with files that do not belong together")
    if read_link(folder) is not None:
        return "done", 0
    sent = repo.has(content(folder)[WEIGHTS])
    if WEIGHTS in hub.files(REPO):
        return "after the commit", 0
    return ("between upload and commit" if sent else "in the upload"), 0


def kill_table(killed: list[Killed]) -> str:
    rows = []
    for does, where in sorted({(each.does, each.where) for each in killed}):
        some = [each for each in killed if (each.does, each.where) == (does, where)]
        kept, fetched = (sum(getattr(each, name) for each in some) / len(some) / 1e6 for name in ("kept", "fetched"))
        sizes = [f"{kept:.1f}", f"{fetched:.1f}"] if does == "pull" and where != "done" else ["", ""]
        good = sum(not each.wrong for each in some)
        rows.append([f"{does}, {where}", str(len(some)), *sizes, f"{good} of {len(some)}"])
    header = ["killed", "times", "MB kept", "MB fetched the second time", "byte-identical, nothing left"]
    return table(header, rows, right=[1, 2, 3])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=10, help="pushes and as many pulls that are killed (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--docs", action="store_true", help="write the tables into docs/hub.md")
    arguments = parser.parse_args()
    good = True

    def give(name: str, text: str) -> None:
        print(text)
        if arguments.docs:
            write_table(name, text, "hub.md")

    with tempfile.TemporaryDirectory() as temporary, pytest.MonkeyPatch.context() as patch:
        place = Path(temporary)
        with HubServer(place / "hub") as hub:
            use(hub, patch, place / "home")
            bench = Bench.make(hub, place / "work")
            once, outcomes = matrix(bench, for_ever=False)
            good &= all(each.survived for each in outcomes)
            give("hub faults once", once)
            for_ever, outcomes = matrix(bench, for_ever=True)
            good &= not any(each.wrong for each in outcomes)
            give("hub faults for ever", for_ever)
            give("hub sentences", sentences(outcomes))
            killed = list(kills(hub, place / "kills", arguments.kills, arguments.seed))
            for each in killed:
                if each.wrong:
                    print(f"{each.does}, {each.where}: {'; '.join(each.wrong)}", file=sys.stderr)
            good &= not any(each.wrong for each in killed)
            give("hub kills", kill_table(killed))
            good &= not hub.errors
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
