"""A Hub that goes wrong: what is transient is survived, the rest is told, and nothing is ever left half done."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hub_cases import QUICK, REPO, Bench, Case, cases, content, versions
from hub_server import HubServer

from seg_demo.checkpoint import load_checkpoint
from seg_demo.checkpoint.link import read_link
from seg_demo.checkpoint.unfinished import unfinished
from seg_demo.errors import UserError
from seg_demo.hub import patience
from seg_demo.hub.account import Account, whoami
from seg_demo.hub.patience import Patience, Tries
from seg_demo.hub.pull import pull
from seg_demo.hub.push import push
from seg_demo.hub.sync import status
from seg_demo.hub.trouble import Unreachable

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content")
WEIGHTS = "model.safetensors"

ONCE = [
    *(case for case in cases(False) if case.fault == "cut" and case.does != "pull request"),
    *(case for case in cases(False) if (case.does, case.endpoint) in (("push", "commit"), ("pull", "cdn"))),
    *(Case(*each, "lost answer") for each in (("push", "create"), ("push", "tag"), ("pull request", "commit"))),
]
ONCE = list(dict.fromkeys(ONCE))
FOR_EVER = [
    Case("push", "commit", 500, True),
    Case("push", "commit", "stale head", True),
    Case("push", "upload", "cut", True),
    Case("push", "upload", "garbage", True),
    Case("push", "tag", "lost answer", True),
    Case("pull request", "commit", 503, True),
    Case("pull", "cdn", "wrong bytes", True),
    Case("pull", "cdn", "cut", True),
    Case("pull", "resolve", "garbage", True),
    Case("status", "info", "garbage", True),
    Case("whoami", "whoami", "silence", True),
    Case("list", "list", 429, True),
]

PULL = f"""
import sys
from pathlib import Path
from seg_demo.hub.account import NOBODY
from seg_demo.hub.pull import pull
pull({REPO!r}, Path(sys.argv[1]), account=NOBODY)
"""


class Stop(BaseException):
    """Raised by a progress, as the page does."""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return versions(tmp_path_factory.mktemp("versions"))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With 4 MB of weights."""
    return versions(tmp_path_factory.mktemp("large"), width=32, depth=3)[0]


@pytest.fixture
def bench(hub: HubServer, tmp_path: Path, two: tuple[Path, Path]) -> Bench:
    return Bench(hub, tmp_path / "work", *two)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE", QUICK)


@pytest.fixture
def alice(hub: HubServer) -> Account:
    return Account(hub.token("alice"))


# ---- the matrix


@pytest.mark.parametrize("case", ONCE, ids=str)
def test_what_goes_wrong_once_is_survived(bench: Bench, case: Case) -> None:
    outcome = bench.run(case)
    assert outcome.survived, (outcome.told, outcome.wrong)
    assert outcome.tries == 1


@pytest.mark.parametrize("case", FOR_EVER, ids=str)
def test_what_stays_wrong_is_told_and_nothing_is_half_done(bench: Bench, case: Case) -> None:
    outcome = bench.run(case)
    assert not outcome.wrong
    assert outcome.told


@pytest.mark.slow
@pytest.mark.parametrize("case", [*cases(False), *cases(True)], ids=str)
def test_every_fault_at_every_endpoint(bench: Bench, case: Case) -> None:
    outcome = bench.run(case)
    assert not outcome.wrong
    assert case.for_ever or outcome.survived, outcome.told


# ---- how long it takes


@pytest.mark.parametrize(
    ("waits", "pauses"),
    [
        ([], [0.5, 1.0, 2.0, 4.0, None]),
        ([30.0, 30.0, 30.0], [0.5, 1.0, None]),  # each try is silent for so long
        ([0.0, 60.0], [60.0, None]),  # the Hub wants a minute, twice
        ([0.0, 61.0], [None]),
    ],
)
def test_a_fault_for_ever_costs_two_minutes_at_most(
    monkeypatch: pytest.MonkeyPatch, waits: list[float], pauses: list[float | None]
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr("random.uniform", lambda low, high: 1.0)
    tries = Tries()
    found: list[float | None] = []
    silent, wish = (waits[0] if waits else 0.0), (waits[1] if waits and not waits[0] else None)
    while not found or found[-1] is not None:
        now += silent
        found.append(tries.pause(wish))
        now += found[-1] or 0.0
        tries.moved()
    assert found == pauses
    assert now - 1000.0 <= 120


def test_the_hub_gets_the_pause_that_it_asks_for(hub: HubServer, alice: Account, quick: None) -> None:
    hub.fail("whoami", 429, retry_after=1)
    began = time.monotonic()
    assert whoami(alice) == "alice"
    assert 1.0 <= time.monotonic() - began < 3.0
    hub.fail("whoami", 429, None, retry_after=3600)
    hub.requests.clear()
    with pytest.raises(Unreachable, match="wants a pause"):
        whoami(alice)
    assert len(hub.asked_for("whoami")) == 1


@pytest.mark.parametrize("endpoint", ["info", "preupload", "upload", "commit", "refs"])
def test_a_push_that_waits_is_stopped_at_once(
    hub: HubServer, alice: Account, two: tuple[Path, Path], tmp_path: Path, endpoint: str
) -> None:
    """With the usual patience, half a minute of silence; and nothing is committed afterwards."""
    folder = Path(shutil.copytree(two[1], tmp_path / "net"))
    hub.fail(endpoint, "silence", seconds=1.5)
    began, ended = time.monotonic(), stop_when(lambda: any(request.fault for request in list(hub.requests)))
    with pytest.raises(Stop):
        push(folder, REPO, account=alice, tag="v1", progress=ended)
    assert time.monotonic() - began < 5.0 and time.monotonic() - ended.since < 1.0
    time.sleep(1.6)  # in which the thread that was left alone gets its answer
    commits = hub.store.repos["model", REPO].commits if ("model", REPO) in hub.store.repos else {}
    assert len(commits) <= 1 or endpoint == "commit"
    assert read_link(folder) is None
    assert push(folder, REPO, account=alice, tag="v1").tag == "v1"


@pytest.mark.parametrize("endpoint", ["info", "resolve", "cdn"])
def test_a_pull_that_waits_is_stopped_at_once(
    hub: HubServer, alice: Account, two: tuple[Path, Path], tmp_path: Path, endpoint: str
) -> None:
    hub.put(REPO, two[0])
    hub.fail(endpoint, "silence")
    ended = stop_when(lambda: any(request.fault for request in list(hub.requests)))
    with pytest.raises(Stop):
        pull(REPO, tmp_path / "checkpoints" / "net", account=alice, progress=ended)
    assert time.monotonic() - ended.since < 1.0
    assert not list((tmp_path / "checkpoints").glob("*")) if endpoint != "info" else True


@pytest.mark.parametrize("does", ["push", "pull"])
def test_a_transfer_that_runs_is_stopped_at_once(
    hub: HubServer, alice: Account, large: Path, tmp_path: Path, does: str
) -> None:
    folder = Path(shutil.copytree(large, tmp_path / "net"))
    if does == "pull":
        hub.put(REPO, large)
        hub.fail("cdn", "slow", None, seconds=0.05)
    reached: list[int] = []

    def progress(done: int, total: int) -> None:
        reached.append(done)
        if done > (0 if does == "push" else total // 4) and total > 1_000_000:
            raise Stop

    out = tmp_path / "checkpoints" / "net"
    with pytest.raises(Stop):
        if does == "push":
            push(folder, REPO, account=alice, progress=progress)
        else:
            pull(REPO, out, account=alice, progress=progress)
    assert not out.exists() and read_link(folder) is None
    assert does == "pull" or WEIGHTS not in hub.files(REPO)


class stop_when:
    """A progress that raises `Stop` once something holds. since: when that was."""

    def __init__(self, holds: Callable[[], bool]) -> None:
        self.holds, self.since = holds, 0.0

    def __call__(self, done: int, total: int) -> None:
        if not self.since and self.holds():
            self.since = time.monotonic()
        if self.since:
            raise Stop


def test_what_a_progress_raises_is_no_fault_of_the_hub(hub: HubServer, alice: Account, two: tuple[Path, Path]) -> None:
    def progress(done: int, total: int) -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        push(two[0], REPO, account=alice, progress=progress)
    assert len(hub.requests) <= 1


def test_a_status_of_a_hub_that_is_known_to_be_away_asks_nothing(
    hub: HubServer, alice: Account, two: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(two[0], tmp_path / "net"))
    push(folder, REPO, account=alice)
    hub.requests.clear()
    away = Unreachable("The Hub does not answer. Try again later; what is on this computer is as it was.")
    [row] = status([folder], alice, owner="alice", offline=away)
    assert (row.state, row.problem) == ("unknown", away) and not hub.requests


# ---- interrupted downloads


def test_after_a_cut_only_the_rest_is_fetched(hub: HubServer, alice: Account, large: Path, tmp_path: Path) -> None:
    hub.put(REPO, large)
    size = (large / WEIGHTS).stat().st_size
    out, incoming = tmp_path / "net", tmp_path / ".incoming"

    def progress(done: int, total: int) -> None:
        if done >= 0.6 * size:
            raise Stop

    with pytest.raises(Stop):
        pull(REPO, out, account=alice, progress=progress)
    [part] = incoming.iterdir()
    kept = part.stat().st_size
    assert 0.6 * size <= kept < size and not out.exists()
    hub.requests.clear()
    hub.fail("cdn", "cut", after=1)  # the first is for the header of the file
    pull(REPO, out, account=alice)
    asked = [request.headers["range"] for request in hub.asked_for("cdn")][1:]
    begins = [int(each.removeprefix("bytes=").split("-")[0]) for each in asked]
    assert begins[0] == kept and kept < begins[1] < size and len(begins) == 2
    assert (out / WEIGHTS).read_bytes() == (large / WEIGHTS).read_bytes()
    assert not incoming.exists()


@pytest.mark.parametrize("longer", [False, True])
def test_a_damaged_part_of_an_earlier_day_is_fetched_anew(
    hub: HubServer, alice: Account, two: tuple[Path, Path], tmp_path: Path, longer: bool
) -> None:
    hub.put(REPO, two[0])
    right = (two[0] / WEIGHTS).read_bytes()
    (tmp_path / ".incoming").mkdir()
    sha256 = content(two[0])[WEIGHTS]
    wrong = bytes(len(right) + 5) if longer else bytes(1000)
    (tmp_path / ".incoming" / f"{sha256}.part").write_bytes(wrong)
    pull(REPO, tmp_path / "net", account=alice)
    assert (tmp_path / "net" / WEIGHTS).read_bytes() == right
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_corrupt_file_is_never_placed(hub: HubServer, alice: Account, two: tuple[Path, Path], tmp_path: Path) -> None:
    hub.put(REPO, two[0])
    hub.corrupt(REPO, WEIGHTS)
    with pytest.raises(UserError, match=f"{REPO}/{WEIGHTS} arrived damaged"):
        pull(REPO, tmp_path / "net", account=alice)
    assert list(tmp_path.glob("*net*")) == [] and list(tmp_path.glob(".*")) == []


def test_a_page_in_place_of_the_file_is_no_part_of_it(
    hub: HubServer, alice: Account, large: Path, tmp_path: Path, quick: None
) -> None:
    hub.put(REPO, large)
    hub.fail("cdn", "garbage", after=1)
    hub.requests.clear()
    pull(REPO, tmp_path / "net", account=alice)
    assert len(hub.asked_for("cdn")) == 3  # header, page, file: not twice the file
    assert (tmp_path / "net" / WEIGHTS).read_bytes() == (large / WEIGHTS).read_bytes()


def test_two_at_once(hub: HubServer, alice: Account, large: Path, tmp_path: Path) -> None:
    """Two fetch the same beside each other; each has a file of its own to fill, and both end well."""
    hub.put(REPO, large)
    hub.fail("cdn", "slow", None, seconds=0.01)
    with ThreadPoolExecutor(2) as pool:
        pulls = [pool.submit(pull, REPO, tmp_path / name, account=alice) for name in ("one", "two")]
        assert [each.result().changed for each in pulls] == [True, True]
    for name in ("one", "two"):
        assert (tmp_path / name / WEIGHTS).read_bytes() == (large / WEIGHTS).read_bytes()
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.slow
def test_two_processes_at_once(hub: HubServer, large: Path, tmp_path: Path) -> None:
    hub.put(REPO, large)
    hub.fail("cdn", "slow", None, seconds=0.01)
    runs = [subprocess.Popen([sys.executable, "-c", PULL, tmp_path / name]) for name in ("one", "two")]
    assert [run.wait() for run in runs] == [0, 0]
    for name in ("one", "two"):
        assert (tmp_path / name / WEIGHTS).read_bytes() == (large / WEIGHTS).read_bytes()
    assert list(tmp_path.glob(".*")) == []


# ---- the disk, the server, the process


@pytest.mark.parametrize("does", ["push", "pull"])
def test_a_full_disk_is_told(
    hub: HubServer, alice: Account, two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    hub.put(REPO, two[1])
    out = Path(shutil.copytree(two[0], tmp_path / "checkpoints" / "net"))
    before = content(out)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(UserError, match=r"No space left on device"):
            if does == "push":
                push(out, "alice/other", account=alice)
            else:
                pull(REPO, out, account=alice, replace=True)
    assert content(out) == before and [path.name for path in out.parent.glob(".*")] in ([], [".incoming"])


def test_too_little_room_is_told_before_anything_is_fetched(
    hub: HubServer, alice: Account, two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.put(REPO, two[0])
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=60 << 20))
    with pytest.raises(UserError, match=r"There is not enough room on the disk for 0\.\d MB"):
        pull(REPO, tmp_path / "net", account=alice)
    assert list(tmp_path.glob("*net*")) == []


@pytest.mark.parametrize("does", ["push", "pull"])
def test_a_hub_that_is_started_again_meanwhile(
    hub: HubServer, alice: Account, large: Path, tmp_path: Path, does: str
) -> None:
    folder, out = Path(shutil.copytree(large, tmp_path / "net")), tmp_path / "checkpoints" / "net"
    if does == "pull":
        hub.put(REPO, large)
    hub.fail("upload" if does == "push" else "cdn", "slow", None, seconds=0.02)
    restarted: list[threading.Thread] = []

    def restart() -> None:
        hub.close()
        time.sleep(0.3)
        hub.start()

    def progress(done: int, total: int) -> None:
        if done and total > 1_000_000 and not restarted:
            restarted.append(threading.Thread(target=restart))
            restarted[0].start()

    if does == "push":
        push(folder, REPO, account=alice, progress=progress)
        assert hub.files(REPO)[WEIGHTS] == (large / WEIGHTS).read_bytes()
    else:
        pull(REPO, out, account=alice, progress=progress)
        assert (out / WEIGHTS).read_bytes() == (large / WEIGHTS).read_bytes()
    restarted[0].join()


def test_what_a_killed_process_left_is_removed(
    hub: HubServer, alice: Account, two: tuple[Path, Path], tmp_path: Path
) -> None:
    hub.put(REPO, two[0])
    shutil.copytree(two[1], tmp_path / ".net.abcdefgh")
    kept = [".net.abcdefgh.old", ".net.v2", ".other.abcdefgh"]
    for name in kept:
        (tmp_path / name).mkdir()
    with unfinished(".net.", tmp_path) as held:  # as by another process that is still at work
        pull(REPO, tmp_path / "net", account=alice)
        assert sorted(path.name for path in tmp_path.glob(".*")) == sorted([*kept, held.name])
    assert not held.exists()


@pytest.mark.slow
def test_a_killed_pull_goes_on_and_leaves_nothing(hub: HubServer, alice: Account, large: Path, tmp_path: Path) -> None:
    hub.put(REPO, large)
    hub.fail("cdn", "slow", None, seconds=0.05)
    run = subprocess.Popen([sys.executable, "-c", PULL, tmp_path / "net"])
    incoming = tmp_path / ".incoming"
    until = time.monotonic() + 60
    while time.monotonic() < until and sum(part.stat().st_size for part in incoming.glob("*.part")) < 500_000:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not (tmp_path / "net").exists() and len(list(tmp_path.glob(".net.*"))) == 1
    [part] = incoming.iterdir()
    kept = part.stat().st_size
    hub.faults.clear()
    hub.requests.clear()
    pull(REPO, tmp_path / "net", account=alice)
    assert hub.asked_for("cdn")[-1].headers["range"].startswith(f"bytes={kept}-")
    assert (tmp_path / "net" / WEIGHTS).read_bytes() == (large / WEIGHTS).read_bytes()
    load_checkpoint(tmp_path / "net")
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.slow
def test_60_megabytes_there_and_back(hub: HubServer, alice: Account, tmp_path: Path) -> None:
    folder, _ = versions(tmp_path / "versions", width=48, depth=5)
    assert (folder / WEIGHTS).stat().st_size > 60e6
    pushed = push(folder, REPO, account=alice)
    pulled = pull(REPO, tmp_path / "net", account=alice)
    assert pulled.commit == pushed.commit
    assert {name: content(folder)[name] for name in (WEIGHTS, "config.json")} == {
        name: content(tmp_path / "net")[name] for name in (WEIGHTS, "config.json")
    }


def test_patience_as_it_is() -> None:
    assert Patience() == patience.PATIENCE
    assert patience.PATIENCE.in_all + patience.PATIENCE.timeout <= 120
