"""Training in slices, with the real `spaces` in its ZeroGPU mode; see zero_gpu.py for what is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT
from gradio_client import Client
from training import same, state, weights

from seg_demo.cli.main import main
from seg_demo.infer.lent import zero_gpu
from seg_demo.jobs.files import alone_in, read_object
from seg_demo.jobs.job import Job, State
from seg_demo.jobs.queue import Queue
from seg_demo.jobs.slices import Order, SliceRunner, train_slice

DURATION, RESERVE = 20, 17  # seconds: three for steps
FLAGS = [
    *("--preset", "newts-binary", "--data", "procedural:4", "--no-check", "--data.workers", "0"),
    *("--model.arguments", '{"width": 4, "depth": 2}', "--data.crop", "32", "--batch_size", "2"),
    *("--data.drawn_pictures", "0", "--data.drawn_share", "0", "--precision", "float32"),
    *("--validation.every", "1000000", "--validation.pictures", "0"),
]

pytestmark = pytest.mark.xdist_group("slices")  # which share one server


class Space:
    """A process that stands for the Space, and what it was lent."""

    def __init__(self, home: Path) -> None:
        self.home = home
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        words = [str(ROOT / "tests" / "zero_gpu.py"), str(home), str(DURATION), str(RESERVE)]
        self.log = (home / "space.log").open("wb")
        self.server = subprocess.Popen(
            [sys.executable, *words], env=environment, stdout=subprocess.PIPE, stderr=self.log
        )
        assert self.server.stdout
        lines = (line.decode().strip() for line in self.server.stdout)
        self.url = next((line for line in lines if line.startswith("http")), "")
        assert self.url, (home / "space.log").read_text()[-3000:]
        self.queue = Queue(home, ["cpu"], SliceRunner())  # as another server would

    def visitor(self, token: str) -> Client:
        """One whom ZeroGPU knows by this token, which Hugging Face puts into each request."""
        return Client(self.url, headers={"x-ip-token": token}, verbose=False, download_files=False)

    def submit(self, name: str, *flags: str, token: str = "") -> Job:
        """token: of the visitor who does it in the page; without, nobody is known who asks."""
        job = Job(self.home / "runs" / name)
        job.folder.mkdir(parents=True, exist_ok=True)
        if token:
            self.visitor(token).predict(str(job.folder), flags, api_name="/submit")
        else:
            self.queue.submit(job, flags)
        return job

    def lent(self, what: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in (self.home / "lender.jsonl").read_text().splitlines()]
        return [one for one in found if one["what"] == what]


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    if not torch.version.cuda or os.name == "nt":
        pytest.skip("spaces' ZeroGPU mode needs a build of torch with CUDA, and a system that can fork")
    space = Space(tmp_path_factory.mktemp("space"))
    yield space
    space.server.kill()
    space.server.wait()
    space.log.close()


def wait(found: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What `found` gives, once it gives something."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return value


def ended(job: Job) -> State:
    wait(lambda: not job.state.live)
    return job.state


def starts(job: Job) -> list[int]:
    return [event["step"] for event in job.run.events() if event["event"] == "RunStarted"]


def fork(job: Job, parts: int = 1) -> int:
    """The process of the slice that is under way, the `parts`th or a later one, once it has done a step of its own."""

    def found() -> int:
        number = read_object(job.folder / "state" / "slice.json").get("number", 0)
        begun = starts(job)
        return number if len(begun) >= parts and job.state.step > begun[-1] else 0

    return int(wait(found))


@pytest.mark.slow
def test_slices_come_to_the_weights_of_a_run_that_was_never_cut(space: Space, tmp_path: Path) -> None:
    before = len(space.lent("allow"))
    # A process of this kind can have no others, whatever was asked for.
    words = [*FLAGS, "--schedule.name", "constant", "--schedule.warm_up", "0"]
    job = space.submit("sliced", *words, "--steps", "1000000", "--data.workers", "2")
    fork(job, parts=3)
    space.queue.stop(job)
    assert ended(job).kind == "stopped"
    parts = starts(job)
    assert len(parts) >= 3 and parts == sorted(set(parts)) and parts[0] == 0
    lent = space.lent("allow")[before:]
    assert len({one["pid"] for one in lent}) == len(lent) == len(parts)  # each in a process of its own
    assert space.lent("schedule")[-1]["durationSeconds"] == str(DURATION)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run = ["--run", str(tmp_path / "whole"), "--device", "cpu", "--steps", str(job.state.step)]
        assert main(["train", *words, *run]) == 0
    finally:
        torch.set_num_threads(threads)
    assert same(weights(job.run.last), weights(tmp_path / "whole" / "last"))
    assert same(state(job.folder), state(tmp_path / "whole"))


@pytest.mark.slow
def test_stop_is_heard_between_steps_and_resume_goes_on(space: Space) -> None:
    reasons, step = set(), 0
    for _ in range(2):  # The time of a slice may be up just then.
        parts = len(starts(Job(space.home / "runs" / "stopped")))
        job = space.submit("stopped", *FLAGS, "--steps", "1000000")
        fork(job, parts + 1)
        asked = time.monotonic()
        space.queue.stop(job)
        found = ended(job)
        assert time.monotonic() - asked < 2
        assert found.kind == "stopped" and found.can_resume
        assert str(found.sentence).startswith(f"Stopped after step {found.step}.")
        assert found.step > step and step in starts(job)
        step = found.step
        reasons.add(job.run.events()[-1]["reason"])
    assert "as it was asked to" in reasons


@pytest.mark.slow
def test_after_a_killed_fork_the_next_slice_goes_on_from_the_saved_state(space: Space) -> None:
    job = space.submit("killed", *FLAGS, "--steps", "1000000", "--save_every", "0.1")
    process = fork(job)
    wait(lambda: job.run.has_state)
    os.kill(process, 9)
    saved = job.run.progress().step
    wait(lambda: len(starts(job)) > 1)
    assert job.state.live
    assert starts(job)[1] == saved > 0
    space.queue.stop(job)
    assert ended(job).kind == "stopped"


@pytest.mark.slow
def test_a_failing_run_ends_in_its_sentence_and_the_next_one_begins(space: Space) -> None:
    bad = space.submit("bad", *FLAGS, "--steps", "1000000", "--data", "procedural:4", "--split", "nowhere")
    good = space.submit("good", *FLAGS, "--steps", "2")
    found = ended(bad)
    assert found.kind == "failed" and "nowhere" in str(found.sentence)
    assert ended(good).kind == "finished"


@pytest.mark.slow
def test_a_run_that_waits_for_a_gpu_can_be_stopped(space: Space) -> None:
    job = space.submit("late", *FLAGS, "--steps", "1000000", token="late")
    wait(lambda: space.lent("schedule") and space.lent("schedule")[-1].get("token") == "late")
    asked = time.monotonic()
    space.queue.stop(job)
    found = ended(job)
    assert time.monotonic() - asked < 3
    assert found.kind == "stopped" and found.step == 0
    before = len(space.lent("release"))
    wait(lambda: len(space.lent("release")) > before)  # It is lent after all.
    assert not job.run.exists


@pytest.mark.slow
def test_where_all_gpus_are_in_use_it_asks_again(space: Space) -> None:
    before = len(space.lent("schedule"))
    job = space.submit("again", *FLAGS, "--steps", "2", token="again")
    assert ended(job).kind == "finished"
    assert len(space.lent("schedule")) - before >= 2


@pytest.mark.slow
def test_the_visitor_who_asked_pays_and_is_told_when_nothing_is_left(space: Space) -> None:
    job = space.submit("paid", *FLAGS, "--steps", "1000000", token="visitor-1")
    wait(lambda: len(starts(job)) > 1)  # also when the visitor has gone
    assert [one["token"] for one in space.lent("schedule")[-2:]] == ["visitor-1", "visitor-1"]
    space.visitor("spent").predict(str(job.folder), api_name="/look")
    found = ended(job)
    assert found.kind == "failed" and found.can_resume and found.step > 0
    assert "ZeroGPU lends no GPU" in str(found.sentence)


@pytest.mark.slow
def test_stop_ends_a_step_that_takes_too_long(space: Space) -> None:
    """As the queue does after a while: whatever the fork does, it is over."""
    job = space.submit("stuck", *FLAGS, "--steps", "1000000")
    process = fork(job)
    os.kill(process, 19)  # SIGSTOP
    asked = time.monotonic()
    space.queue.stop(job)
    found = ended(job)
    assert time.monotonic() - asked < 3
    assert found.kind == "stopped" and str(found.sentence).startswith("Stopped at once, at step")


@pytest.mark.slow
def test_forks_that_are_always_killed_end_the_run(space: Space) -> None:
    job = space.submit("memory", *FLAGS, "--steps", "1000000", "--save_every", "1000")
    killed: set[int] = set()
    while job.state.live:
        number = read_object(job.folder / "state" / "slice.json").get("number")
        if number and number not in killed and starts(job):
            killed.add(number)
            os.kill(number, 9)
        time.sleep(0.02)
    found = job.state
    assert len(killed) == 2
    assert found.kind == "failed"
    assert "most likely because memory ran out" in str(found.sentence)


@pytest.mark.skipif(os.name == "nt", reason="Windows neither forks nor locks")
def test_a_fork_keeps_no_lock_of_the_server(tmp_path: Path) -> None:
    job = Job(tmp_path)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "lock").touch()
    with alone_in(tmp_path):
        child = os.fork()
        if not child:
            time.sleep(30)
            os._exit(0)
    try:
        begun = time.monotonic()
        with alone_in(tmp_path):
            assert time.monotonic() - begun < 5
        assert not job.run.held
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_a_slice_that_nobody_waits_for_does_nothing(tmp_path: Path) -> None:
    job = Job(tmp_path / "run")
    job.make_folder()
    job.note(started=2.0, stop_asked=3.0)
    assert train_slice(Order(str(job.folder), "cpu", 2.0, 60, 15)) == 143
    job.note(started=4.0, stop_asked=0.0)  # begun anew, while it waited for a GPU
    assert train_slice(Order(str(job.folder), "cpu", 2.0, 60, 15)) == 143
    assert not job.run.exists


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("1", True), ("false", False), ("", False)])
def test_zero_gpu_is_known_by_the_environment(value: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", value)
    assert zero_gpu() == expected


def test_zero_gpu_without_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setitem(sys.modules, "spaces", None)
    assert not zero_gpu()
