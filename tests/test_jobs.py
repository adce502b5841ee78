"""Runs as processes with a queue: started, stopped, killed; seen by other servers; told in sentences."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from like_a_run import LIKE_A_RUN, LikeARun
from PIL import Image
from training import squares

from seg_demo.errors import Sentence, UserError, document_of, sentence_of
from seg_demo.jobs.job import Job, State
from seg_demo.jobs.process import SECRETS, Process, ProcessRunner
from seg_demo.jobs.queue import Queue
from seg_demo.train.run import Run


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """Open, for one CPU; what it has started is ended with the test."""
    opened = Queue(tmp_path / "home", ["cpu"], LikeARun())
    opened.open()
    yield opened
    opened.close()
    for file in tmp_path.glob("*/*/job.json"):
        if process := Job(file.parent).process:
            ProcessRunner().end(Job(file.parent), at_once=True)
            until(lambda process=process: not process.lives)  # type: ignore[misc]


def job(tmp_path: Path, name: str = "newts-1", visitor: str = "ann") -> Job:
    return Job(tmp_path / visitor / name)


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "It never came to that."
        time.sleep(0.01)
    return found


def reach(one: Job, *kinds: str, seconds: float = 20.0) -> State:
    """Wait until the job is of one of these kinds."""
    until(lambda: one.state.kind in kinds, seconds)
    return one.state


# In the queue


def test_a_job_from_the_first_look_to_the_end(queue: Queue, tmp_path: Path) -> None:
    one = job(tmp_path)
    assert one.state == State("new")
    assert not one.folder.exists()
    queue.submit(one, ["end"])
    state = reach(one, "finished")
    assert state == State("finished", state.sentence, 0, 7, 1.5, can_resume=True)
    assert state.sentence == "Finished after 7 steps: its length is reached."
    until(lambda: not list(queue.place.glob("*.json")))
    assert one.facts.exit == 0
    assert Job(one.folder).state == state


def test_one_run_at_a_time_and_first_come_first_served(queue: Queue, tmp_path: Path) -> None:
    one, two, three = job(tmp_path), job(tmp_path, visitor="bob"), job(tmp_path, visitor="cyd")
    for each in (one, two, three):
        queue.submit(each, ["go on"])
    reach(one, "running")
    assert [each.state.kind for each in (two, three)] == ["waiting", "waiting"]
    assert [two.state.position, three.state.position] == [1, 2]
    assert [queue.position(each) for each in (one, two, three)] == [0, 1, 2]
    assert [each.folder for each in queue.waiting()] == [two.folder, three.folder]
    queue.stop(two)
    state = two.state
    assert (state.kind, state.can_resume) == ("stopped", True)
    assert state.sentence == "Taken out of the queue. Nothing was saved yet, so it begins again from the start."
    assert three.state.position == 1
    queue.stop(one)
    state = reach(three, "running")
    assert one.state.kind == "stopped"
    queue.submit(two)  # again, with the flags of before
    assert two.state == State("waiting", position=1)
    assert two.facts.flags == ("go on",)


def test_two_devices(tmp_path: Path) -> None:
    runner = LikeARun()
    devices: list[str] = []
    command = runner.command
    runner.command = lambda one, device: devices.append(device) or command(one, device)  # type: ignore[assignment, func-returns-value]
    queue = Queue(tmp_path / "home", ["cuda:0", "cuda:1"], runner)
    jobs = [job(tmp_path, visitor=name) for name in ("ann", "bob", "cyd")]
    for each in jobs:
        queue.submit(each, ["go on"])
    queue.look()
    queue.look()
    assert devices == ["cuda:0", "cuda:1"]
    assert jobs[2].state.kind == "waiting"
    runner.end(jobs[0], at_once=True)
    until(lambda: queue.look() or len(devices) == 3)
    assert devices[2] == "cuda:0"
    for each in jobs:
        runner.end(each, at_once=True)


def test_a_job_is_submitted_once(queue: Queue, tmp_path: Path) -> None:
    one = job(tmp_path)
    queue.submit(one, ["go on"])
    for kind in ("waiting", "running"):
        if kind == "running":
            reach(one, kind)
        with pytest.raises(UserError) as caught:
            queue.submit(one)
        assert str(caught.value) == (
            "The run newts-1 waits or is trained already. Stop it first, or start another one."
        )


def test_stop_is_heard_and_resume_goes_on(queue: Queue, tmp_path: Path) -> None:
    one = job(tmp_path)
    queue.submit(one, ["go on"])
    reach(one, "running")
    assert one.state.step == 7
    queue.stop(one)
    assert one.state.kind in ("stopping", "stopped")
    begun = time.monotonic()
    assert (
        reach(one, "stopped").sentence
        == "Stopped after step 7. Nothing was saved yet, so it begins again from the start."
    )
    assert time.monotonic() - begun < 1.0
    queue.stop(one)  # of what has ended, nothing
    queue.submit(one, ["end"])
    assert one.facts.more == ("end",)
    assert one.command() == ["train", "--run", str(one.folder), "--resume", "end"]
    reach(one, "finished")


def test_who_does_not_hear_is_ended_within_two_seconds(queue: Queue, tmp_path: Path) -> None:
    one = job(tmp_path)
    queue.submit(one, ["deaf"])
    reach(one, "running")
    begun = time.monotonic()
    queue.stop(one)
    assert one.state.kind == "stopping"
    state = reach(one, "stopped")
    assert 1.4 < time.monotonic() - begun < 2.5  # and the machine may be busy
    assert state.sentence == "Stopped at once, at step 7. Nothing was saved yet, so it begins again from the start."
    assert until(lambda: one.facts.exit) == -signal.SIGKILL


def test_another_server_sees_the_same(queue: Queue, tmp_path: Path) -> None:
    one, two = job(tmp_path), job(tmp_path, visitor="bob")
    queue.submit(one, ["go on"])
    queue.submit(two, ["end"])
    reach(one, "running")
    queue.close()
    other = Queue(tmp_path / "home", ["cpu"], LikeARun())
    assert Job(one.folder).state.kind == "running"
    assert [each.folder for each in other.waiting()] == [two.folder]
    for _ in range(3):
        other.look()
    assert two.state.position == 1
    other.stop(Job(one.folder))
    other.open()
    queue.open()  # both at once
    assert reach(two, "finished").step == 7
    assert one.state.kind == "stopped"
    other.close()
    assert [event["event"] for event in two.run.events()].count("RunStarted") == 1


SERVER = """
import sys, time
sys.path[:0] = sys.argv[3:]
from like_a_run import LikeARun
from seg_demo.jobs.job import Job
from seg_demo.jobs.queue import Queue
queue = Queue(sys.argv[1], ["cpu"], LikeARun())
queue.open()
queue.submit(Job(sys.argv[2]), ["go on"])
queue.submit(Job(sys.argv[2] + "-2"), ["end"])
while Job(sys.argv[2]).state.kind != "running":
    time.sleep(0.01)
print("running", flush=True)
time.sleep(60)
"""


def test_a_run_outlives_its_server(tmp_path: Path) -> None:
    one = job(tmp_path)
    here = Path(__file__).parent
    words = [sys.executable, "-c", SERVER, tmp_path / "home", one.folder, here, here.parent]
    server = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert server.stdout.readline() == b"running\n"
    server.kill()
    server.wait()
    server.stdout.close()
    assert one.state.kind == "running"
    queue = Queue(tmp_path / "home", ["cpu"], LikeARun())
    queue.open()
    two = Job(f"{one.folder}-2")
    assert two.state == State("waiting", position=1)
    queue.stop(one)
    assert reach(one, "stopped").sentence is not None
    assert reach(two, "finished").step == 7
    queue.close()


# How it ended


NOTHING = " Nothing was saved yet, so it begins again from the start."
MEMORY = (
    "The system ended the run at step 7, most likely because memory ran out. Start a new one with a smaller batch_size "
    "or data.crop, or close other programs."
)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("crash", "The run ended at step 7 with an error that nobody expected: ValueError:  [31mxxx"),
        ("memory", MEMORY),
        ("disk", "The disk is full, so the run ended at step 7. Free some space."),
        ("segfault", "The run was ended by the signal 11 of the system at step 7."),
        ("problem", "newts-1/data/cat.png is bad."),
        ("early", "The run ended at step 0 and left no reason; the system may have ended it."),
    ],
)
def test_how_a_run_failed(how: str, told: str, queue: Queue, tmp_path: Path) -> None:
    one = job(tmp_path)
    queue.submit(one, [how])
    reach(one, "failed")
    until(lambda: one.facts.exit is not None)
    state = one.state
    assert state.sentence is not None
    assert state.sentence.startswith(told)
    assert state.sentence.endswith(NOTHING)
    assert len(state.sentence) < 400
    assert isinstance(state.sentence.fields["what"], Sentence)
    assert state.can_resume


def test_killed_by_the_system(queue: Queue, tmp_path: Path) -> None:
    one = job(tmp_path)
    queue.submit(one, ["go on"])
    reach(one, "running")
    process = one.process
    assert process is not None
    os.kill(process.number, signal.SIGKILL)
    reach(one, "failed")
    assert until(lambda: one.facts.exit) == -9
    assert one.state.sentence == MEMORY + NOTHING


def test_the_computer_was_started_again(tmp_path: Path) -> None:
    one = job(tmp_path)
    now = Process.of(os.getpid())
    assert now.lives
    assert not Process(now.number, "1", now.machine).lives  # another one had the number
    gone = Process(now.number, now.began, "another start")
    one.make_folder()
    one.note(flags=("x",), submitted=5.0, started=6.0, process=gone)
    (one.folder / "events.jsonl").write_text('{"event": "StepDone", "step": 3, "seconds": 1}\n')
    assert one.state == State(
        "failed",
        Sentence("The computer or its container was started again while the run was at step 3." + NOTHING),
        step=3, seconds=1.0, can_resume=True,
    )  # fmt: skip


def test_a_full_disk_leaves_no_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = job(tmp_path)
    one.make_folder()
    one.note(flags=("x",), submitted=5.0, started=6.0, process=Process(1 << 30, "1", Process.of(1).machine))
    (one.folder / "events.jsonl").write_text('{"event": "StepDone", "step": 3, "seconds": 1}\n')
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 4096))  # type: ignore[attr-defined]
    assert one.state.sentence == "The disk is full, so the run ended at step 3. Free some space." + NOTHING


def test_a_run_may_be_removed_when_it_is_over(queue: Queue, tmp_path: Path) -> None:
    one, other = job(tmp_path), Job(tmp_path / "ann" / "runs" / "newts-2")
    queue.submit(one, ["go"])
    queue.submit(other, ["go"])
    for each in (one, other):
        with pytest.raises(UserError, match=f"The run {each.name} goes on. Stop it first."):
            queue.remove(each)
    queue.stop(other)
    queue.remove(other)
    assert not other.folder.exists()
    queue.remove(other)  # as by a click in another tab
    with pytest.raises(UserError, match="The run cannot be written to newts-2"):
        queue.submit(other)  # it does not come back as an empty folder
    assert not other.folder.exists()
    queue.stop(one)


def test_a_run_is_stopped_after_the_longest_time(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "home", ["cpu"], LikeARun(), longest=0.5)
    queue.open()
    one = job(tmp_path)
    queue.submit(one, ["go"])
    assert reach(one, "stopped").can_resume
    queue.close()


def test_a_run_of_somebody_else(queue: Queue, tmp_path: Path) -> None:
    """Begun on the command line: there is no job.json."""
    one = job(tmp_path)
    process = subprocess.Popen([sys.executable, "-S", "-c", LIKE_A_RUN, one.folder, "go on"])
    assert reach(one, "running").step == 7
    with pytest.raises(UserError) as caught:
        queue.stop(one)
    assert str(caught.value) == "The run newts-1 is trained by a command that was not started here. Stop it there."
    with pytest.raises(UserError, match="waits or is trained already"):
        queue.submit(one)
    process.terminate()
    process.wait()
    assert one.state.kind == "stopped"
    queue.submit(one, ["end"])
    reach(one, "finished")


# Files that are wrong


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe\0", b"[" * 100_000, b"x" * 3_000_000,
        b'{"flags": 7, "more": [1], "submitted": "x", "ticket": [], "process": {"number": -4}, "exit": true}',
        b'{"submitted": 1e400, "started": NaN, "ticket": "\\u0000", "process": {"number": 1, "began": "1"}}',
        b'{"ticket": "/etc/passwd", "log_from": 1e300, "process": {"number": 99999999999999, "began": ""}}',
        b'{"submitted": 1' + b"0" * 400 + b"}",
    ],
)  # fmt: skip
def test_a_damaged_job(text: bytes, tmp_path: Path) -> None:
    one = job(tmp_path)
    one.folder.mkdir(parents=True)
    for name in ("job.json", "problem.json"):
        (one.folder / name).write_bytes(text)
    assert one.state.kind in ("new", "failed", "stopped")
    (one.folder / "events.jsonl").write_bytes(b'{"event": "StepDone", "step": 1e999}\n{"event": []}\n' + text)
    (one.folder / "process.log").write_bytes(b"\xff\x00")
    assert one.state.kind in ("new", "failed", "stopped")
    one.note(flags=("a",))
    assert one.command() == ["train", "--run", str(one.folder), "a"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'{"folder": 7}',
        b'{"folder": "relative", "device": ""}',
        b'{"folder": "/no", "device": "\\u0000"}',
    ],
)
def test_a_damaged_ticket(text: bytes, queue: Queue, tmp_path: Path) -> None:
    queue.place.mkdir(parents=True, exist_ok=True)
    (queue.place / f"{0:020}-00000000.json").write_bytes(text)
    (queue.place / "notes.txt").write_bytes(text)
    one = job(tmp_path)
    queue.submit(one, ["end"])
    reach(one, "finished")


def test_a_run_that_is_removed_while_it_waits(queue: Queue, tmp_path: Path) -> None:
    one, two, three = job(tmp_path), job(tmp_path, visitor="bob"), job(tmp_path, visitor="cyd")
    for each, how in ((one, "go on"), (two, "end"), (three, "end")):
        queue.submit(each, [how])
    reach(one, "running")
    shutil.rmtree(two.folder)
    queue.stop(one)
    reach(three, "finished")
    assert not two.folder.exists()


def test_a_ticket_that_is_gone(queue: Queue, tmp_path: Path) -> None:
    one, two = job(tmp_path), job(tmp_path, visitor="bob")
    queue.submit(one, ["go on"])
    reach(one, "running")
    queue.submit(two, ["end"])
    Path(two.facts.ticket).unlink()
    assert two.state.kind == "stopped"
    assert two.state.sentence == "The run has lost its place in the queue." + NOTHING


def test_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(UserError) as caught:
        Queue(tmp_path / "home", ["cpu"], LikeARun()).submit(job(tmp_path), ["end"])
    assert str(caught.value) == "The queue cannot be written (Not a directory). Free some space."
    (tmp_path / "ann").write_text("a file")
    queue = Queue(tmp_path / "other", ["cpu"], LikeARun())
    with pytest.raises(UserError) as caught:
        queue.submit(job(tmp_path), ["end"])
    assert str(caught.value) == (
        "The run cannot be written to newts-1 (Not a directory). Free some space or choose another folder."
    )
    assert queue.waiting() == []


def test_a_process_that_cannot_be_started(queue: Queue, tmp_path: Path) -> None:
    queue.runner.command = lambda *_: [str(tmp_path / "nothing here")]  # type: ignore[attr-defined]
    one = job(tmp_path)
    queue.submit(one, ["end"])
    assert reach(one, "failed").sentence == (
        "newts-1 could not be used (No such file or directory). Choose another folder." + NOTHING
    )


def test_what_a_process_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "hf_secret")
    monkeypatch.delenv("GOMP_SPINCOUNT")
    runner = ProcessRunner()
    code = "import json, os; print(json.dumps([os.getsid(0) == os.getpid(), dict(os.environ)]))"
    runner.command = lambda *_: [sys.executable, "-S", "-c", code]  # type: ignore[method-assign]
    one = job(tmp_path)
    one.folder.mkdir(parents=True)
    runner.start(one, "cpu")
    assert until(runner.collect) == {one.folder: 0}
    own_session, environment = json.loads(one.log.read_text())
    assert own_session
    assert "hf_secret" not in environment.values()
    assert environment["GOMP_SPINCOUNT"] == "10000"
    one.note(flags=("--preset", "finetune"))
    assert ProcessRunner().command(one, "cuda:1")[1:] == [
        "-m", "seg_demo", "train", "--run", str(one.folder), "--preset", "finetune", "--device", "cuda:1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "document",
    [
        None, [], {}, {"template": 7}, {"template": "{x}"}, {"template": "{", "fields": {}},
        {"template": "{x.__class__}", "fields": {"x": 1}}, {"template": "{x[0]}", "fields": {"x": "a"}},
        {"template": "{x:999999999}", "fields": {"x": 1}}, {"template": "{x!r}", "fields": {"x": 1}},
        {"template": "{x:{y}}", "fields": {"x": 1, "y": 9}}, {"template": "{}", "fields": {}},
        {"template": "x" * 2000}, {"template": "{x:.1f}", "fields": {"x": "text"}},
    ],
)  # fmt: skip
def test_what_is_no_sentence(document: object) -> None:
    assert sentence_of(document) is None


def test_a_sentence_from_process_to_process() -> None:
    inner = UserError("{file} is empty.", file=Path("a/b.png"))
    sentence = Sentence("{count:,} of {share:.0%}: {problem} {{}}", count=1234, share=0.5, problem=inner)
    again = sentence_of(json.loads(json.dumps(document_of(sentence), default=str)))
    assert again == sentence == "1,234 of 50%: a/b.png is empty. {}"
    assert isinstance(again, Sentence)
    assert isinstance(again.fields["problem"], Sentence)


# With real training


@pytest.fixture(scope="module")
def squares_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six small pictures in our own layout."""
    root = tmp_path_factory.mktemp("squares")
    for number, sample in enumerate(squares(6)):
        split = root / ("train" if number < 4 else "val")
        for room, pixels in (("images", sample.image), ("masks", sample.label_map)):
            (split / room).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(split / room / f"{sample.name}.png")
    (root / "classes.txt").write_text("background\nnewt\n")
    return root


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Queue]:
    opened = Queue(tmp_path / "home", ["cpu"])
    opened.open()
    yield opened
    opened.close()


def flags(pictures: Path, steps: int, *more: str) -> list[str]:
    quick = "--data.crop 32 --batch_size 2 --validation.every 20 --validation.pictures 1"
    split = "--split train --data.validation_split val"
    words = f"--preset newts-binary-simple {split} {quick} --steps {steps} --data".split()
    return [*words, str(pictures), *more]


@pytest.mark.slow
def test_a_real_run(real: Queue, squares_folder: Path, tmp_path: Path) -> None:
    """Its own pictures are in its folder, where they were put before."""
    one = job(tmp_path)
    shutil.copytree(squares_folder, one.folder / "data")
    real.submit(one, flags(one.folder / "data", 20))
    reach(one, "starting")
    state = reach(one, "finished", "failed", seconds=90)
    assert state.sentence == "Finished after 20 steps: its length is reached. The best checkpoint is that of step 20."
    assert state.step == 20
    assert state.can_resume
    assert "step 20  finished after" in one.log.read_text()
    assert all(event["memory"] > 10**7 for event in one.run.events() if event["event"] == "StepDone")


@pytest.mark.slow
def test_stopped_killed_and_resumed_to_the_end(real: Queue, squares_folder: Path, tmp_path: Path) -> None:
    one = job(tmp_path)
    real.submit(one, flags(squares_folder, 100_000))
    until(lambda: one.state.step >= 30, 90)
    begun = time.monotonic()
    real.stop(one)
    state = reach(one, "stopped")
    assert time.monotonic() - begun < 2.5
    saved = Run(one.folder).progress()
    assert saved is not None
    assert state.sentence is not None
    assert state.sentence.endswith(f" and Resume goes on from step {saved.step}.")
    real.submit(one)
    until(lambda: one.state.kind == "running" and one.state.step > saved.step + 10, 90)
    os.kill(one.process.number, signal.SIGKILL)  # type: ignore[union-attr]
    reach(one, "failed")
    until(lambda: one.facts.exit)
    assert one.state.sentence.startswith("The system ended the run at step")  # type: ignore[union-attr]
    real.submit(one, ["--steps", str(saved.step + 100)])
    assert reach(one, "finished", "failed", seconds=90).step == saved.step + 100
    real.submit(one)  # there is nothing left to do
    assert reach(one, "starting").step == saved.step + 100
    assert reach(one, "finished", "failed", seconds=90).kind == "finished"


@pytest.mark.slow
def test_problems_of_a_real_run(real: Queue, squares_folder: Path, tmp_path: Path) -> None:
    wrong = job(tmp_path, "wrong-1")
    real.submit(wrong, flags(tmp_path / "no", 4))
    state = reach(wrong, "failed", seconds=90)
    assert state.sentence is not None
    assert state.sentence.startswith("no is no folder. Give the folder")
    assert str(tmp_path) not in state.sentence
    wild = job(tmp_path, "wild-1")
    real.submit(wild, flags(squares_folder, 40, "--optimizer.learning_rate", "1000000"))
    state = reach(wild, "failed", seconds=90)
    assert state.sentence is not None
    assert state.sentence.template.startswith("The {what} grew beyond all bounds at step {step}. Lower")
    assert str(tmp_path) not in state.sentence
    assert not state.can_resume
    unknown = job(tmp_path, "unknown-1")
    real.submit(unknown, ["--bogus"])
    state = reach(unknown, "failed", seconds=90)
    assert state.sentence is not None
    assert "unrecognized arguments: --bogus" in state.sentence


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.slow
def test_a_full_disk(small_disk: Path, real: Queue, squares_folder: Path) -> None:
    one = job(small_disk)
    real.submit(one, flags(squares_folder, 100_000, "--save_every", "0"))
    until(lambda: one.state.step > 3, 90)
    (small_disk / "filler").write_bytes(b"")
    with open(small_disk / "filler", "ab", buffering=0) as filler, pytest.raises(OSError, match="No space"):
        while True:
            filler.write(b"x" * 4096)
    state = reach(one, "failed", seconds=90)
    assert state.sentence is not None
    assert state.sentence.startswith(
        ("The run cannot be written to", "The disk is full, so the run ended at step", "newts-1")
    )
    (small_disk / "filler").unlink()
    assert one.state.sentence == state.sentence  # told once and for all
    real.submit(one, ["--steps", str(one.state.step + 5)])
    assert reach(one, "finished", "failed", seconds=90).kind == "finished"
