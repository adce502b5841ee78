"""The folder of a run: begun, held, killed at any moment, damaged; what is recorded in it, also for TensorBoard."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from training import QUICK, TINY, left_of, pictures, run, squares, with_

from seg_demo.checkpoint import exchange, load_checkpoint
from seg_demo.data.dataset import Sample
from seg_demo.errors import UserError
from seg_demo.models.registry import ARCHITECTURES
from seg_demo.train.board import Board
from seg_demo.train.events import EpochDone, Event, RunStarted, RunStopped, SampleDrawn, StepDone
from seg_demo.train.loop import train
from seg_demo.train.progress import Progress
from seg_demo.train.run import Run

STARTED = RunStarted(1, 0, 0, 2, 0, 1, 1, "cpu", "float32", 1)


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARCHITECTURES, "tiny", TINY)
    monkeypatch.setattr("os.fsync", lambda file: None)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Run]:
    """A run that was begun, in a folder of its own."""
    begun = Run(tmp_path / "run")
    begun.begin(QUICK, {"preset": "none", "data": "写真"})
    yield begun
    begun.close()


def progress(**changes: Any) -> dict[str, Any]:

    return {**Progress().document(), "events": 0, **changes}


def a_few(*events: Event) -> Iterator[Event]:
    return iter(events)


def message(act: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        act()
    return str(caught.value)


# Begun, held, gone on with


def test_what_was_begun_is_gone_on_with(held: Run) -> None:
    document = json.loads((held.folder / "config.json").read_text("utf-8"))
    assert document["model"]["arguments"] == {"width": 4, "depth": 2}
    assert document["data"]["classes"]["names"] == ["background", "newt"]
    assert "写真" in (held.folder / "config.json").read_text("utf-8")
    held.close()
    again = Run(held.folder)
    assert again.exists
    assert again.go_on() == (QUICK, {"preset": "none", "data": "写真"})
    again.close()


def test_one_process_at_a_time(held: Run) -> None:
    expected = f"Another process is training in {held.folder}. Wait for it or stop it."
    assert message(Run(held.folder).go_on) == expected
    assert message(Run(held.folder).go_on) == expected  # who asks in vain holds nothing
    held.close()
    again = Run(held.folder)
    again.go_on()
    again.close()
    again.close()


def test_whether_a_run_is_held_and_how_far_it_is(held: Run) -> None:
    """Asked from outside, without the weights."""
    assert Run(held.folder).held
    assert Run(held.folder).progress() is None
    held.save_state({"a": torch.zeros(1000)}, progress(step=4))
    assert Run(held.folder).progress() == Progress(step=4)
    held.close()
    assert not Run(held.folder).held
    for damage in (b"", b"\xff" * 100, (10**6).to_bytes(8, "little") + b"{"):
        (held.folder / "state" / "state.safetensors").write_bytes(damage)
        assert Run(held.folder).progress() is None
    assert not Run(held.folder / "nowhere").held


def test_a_folder_that_is_held_before_it_is_a_run(held: Run) -> None:
    (held.folder / "config.json").unlink()
    assert message(lambda: Run(held.folder).begin(QUICK, {})).startswith("Another process is training in ")


def test_folders_that_no_run_begins_in(held: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.txt").write_text("")
    (other / "a.txt").write_text("")
    (tmp_path / "file").write_text("")
    for folder, expected in (
        (held.folder, "{} holds a run already. Add --resume to go on with it, or name a new folder."),
        (other, "{} is no run: it holds a.txt. Name a new folder."),
        (
            tmp_path / "file",
            "The run cannot be written to {} (Not a directory). Free some space or choose another folder.",
        ),
        (
            tmp_path / "file" / "deep",
            "The run cannot be written to {} (Not a directory). Free some space or choose another folder.",
        ),
        (
            tmp_path / ("x" * 300),
            "The run cannot be written to {} (File name too long). Free some space or choose another folder.",
        ),
    ):
        assert message(lambda folder=folder: Run(folder).begin(QUICK, {})) == expected.format(folder)  # type: ignore[misc]
    assert sorted(path.name for path in other.iterdir()) == ["a.txt", "b.txt"]


@pytest.mark.parametrize(
    "files",
    [(), ("log.txt",), ("state/lock",), (".config.json.part",), ("job.json", "process.log", "data/train/a.png")],
)
def test_folders_that_a_run_begins_in(files: tuple[str, ...], tmp_path: Path) -> None:
    """Among them one whose process was killed while it began."""
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("")
    begun = Run(tmp_path)
    begun.begin(QUICK, {})
    assert begun.exists
    begun.close()


def test_no_run_to_go_on_with(tmp_path: Path) -> None:
    expected = f"There is no run in {tmp_path / 'no'} to resume. Start it without --resume."
    assert message(Run(tmp_path / "no").go_on) == expected
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b'{"about": 7}', b"\xff\xfe\x00", b'{"steps": 1', b"[" * 100_000, b'"text"']
)
def test_a_damaged_configuration(text: bytes, held: Run) -> None:
    held.close()
    file = held.folder / "config.json"
    file.write_bytes(text)
    again = Run(held.folder)
    assert message(again.go_on) == f"{file} is damaged, so the run cannot be resumed. Start a new run."
    again.close()


def test_a_configuration_with_a_setting_that_is_wrong(held: Run) -> None:
    held.close()
    file = held.folder / "config.json"
    file.write_text(file.read_text("utf-8").replace('"batch_size": 2', '"batch_size": -2'), "utf-8")
    again = Run(held.folder)
    assert "batch_size" in message(again.go_on)
    again.close()


# The state


def test_a_state_comes_back_bit_by_bit(held: Run) -> None:
    assert held.load_state() is None
    tensors = {
        "a": torch.randn(3, 4, 5, 6).contiguous(memory_format=torch.channels_last),
        "b": torch.tensor([0.0, -0.0, float("inf"), 1e-45]),
        "c.d": torch.tensor(7),
        "e": torch.randn(4, 6)[:, ::2].bfloat16(),
    }
    held.save_state(tensors, progress(step=4, best=0.1))
    held.save_state(tensors, progress(step=5, best=0.1 + 0.2))
    loaded = held.load_state()
    assert loaded is not None
    found, document = loaded
    assert document == progress(step=5, best=0.1 + 0.2)
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value), name
    assert torch.equal(found["b"].signbit(), tensors["b"].signbit())


@pytest.mark.parametrize("metadata", [None, {}, {"progress": "{"}, {"progress": "[]"}, {"progress": '{"step": 1}'}])
def test_a_state_without_progress(metadata: Any, held: Run) -> None:
    file = held.folder / "state" / "state.safetensors"
    save_file({"a": torch.zeros(1)}, file, metadata)
    assert message(held.load_state) == (
        f"{file} is damaged, so the run cannot be resumed. Start a new run; last and best are still good."
    )


@pytest.mark.parametrize("length", [0, 5, 8, 100, -1])
def test_a_state_that_is_cut_off(length: int, tmp_path: Path) -> None:
    run(with_(steps=1), tmp_path)
    file = tmp_path / "state" / "state.safetensors"
    file.write_bytes(file.read_bytes()[:length])
    assert message(lambda: run(QUICK, tmp_path)) == (
        f"{file} is damaged, so the run cannot be resumed. Start a new run; last and best are still good."
    )
    assert load_checkpoint(tmp_path / "last")


@pytest.mark.parametrize("missing", ["random", "scaler", "model.classifier.bias"])
def test_a_state_in_which_something_is_missing(missing: str, tmp_path: Path) -> None:
    run(with_(steps=1), tmp_path)
    holder = Run(tmp_path)
    loaded = holder.load_state()
    assert loaded is not None
    tensors, document = loaded
    del tensors[missing]
    holder.save_state(tensors, document)
    expected = "The state of the run belongs to another model. Start a new run."
    assert message(lambda: run(QUICK, tmp_path)) == expected


def test_a_full_disk_is_one_sentence(held: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    held.save_state({"a": torch.zeros(1)}, progress(step=3))
    monkeypatch.setattr("os.replace", full)
    expected = (
        f"The run cannot be written to {held.folder} (No space left on device). Free some space or choose another "
        "folder."
    )
    assert message(lambda: held.save_state({"a": torch.ones(1)}, progress())) == expected
    loaded = held.load_state()
    assert loaded is not None
    assert loaded[1]["step"] == 3
    monkeypatch.setattr("builtins.open", full)
    assert message(lambda: list(held.record(iter([])))) == expected


# Killed


class Killed(BaseException):
    """As a kill, nothing takes notice of it."""


class Reaper:
    """Ends everything that the main thread does to files, from a certain operation on."""

    EVENTS = (
        *("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate"),
        *("shutil.rmtree", "tempfile.mkdtemp", "ctypes.dlopen"),
    )

    def __init__(self) -> None:
        self.left: float | None = None
        self.seen = 0
        self.thread = threading.get_ident()
        sys.addaudithook(self.hear)

    def hear(self, event: str, given: tuple[Any, ...]) -> None:
        if self.left is None or event not in self.EVENTS or threading.get_ident() != self.thread:
            return
        if event == "open" and not (isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        self.seen += 1
        if self.seen > self.left:
            raise Killed


@pytest.fixture(scope="module")
def reaper() -> Reaper:
    return Reaper()


def killed(config: Any, folder: Path, reaper: Reaper, after: float) -> bool:
    """Train until so many operations on files are done; whether the run was killed by that."""
    holder = Run(folder)
    reaper.seen, reaper.left = 0, after
    try:
        if holder.exists:
            holder.go_on()
        else:
            holder.begin(config, {})
        events = train(config, pictures(validation=squares(1)), holder, {}, device="cpu")
        recorder = holder.record(events)
        try:
            for _ in recorder:
                pass
        except Killed:
            for each in (events, recorder):
                with contextlib.suppress(Killed):
                    each.close()  # type: ignore[attr-defined]
            return True
        return False
    except Killed:
        return True
    finally:
        reaper.left = None
        holder.close()


def check_whole(folder: Path) -> None:
    for name in ("last", "best"):
        if (folder / name).exists():
            load_checkpoint(folder / name)


FOUR: dict[str, Any] = {"model__architecture": "tiny", "model__arguments": {"dropout": 30}, "steps": 4, "save_every": 0}


@pytest.mark.parametrize("exchanging", [True, False])
def test_killed_at_any_operation_on_files(
    exchanging: bool, reaper: Reaper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run is killed again and again, each time a few operations later than it began."""
    if not exchanging:
        monkeypatch.setattr(exchange, "_exchange", lambda *_: False)
    config, some = with_(**FOUR), pictures(validation=squares(1))
    run(config, tmp_path / "whole", some)
    kills = 0
    for after in range(200):
        if not killed(config, tmp_path / "killed", reaper, after % 60 + after // 60 * 30):
            break
        kills += 1
        if exchanging:  # elsewhere there may be a moment without
            check_whole(tmp_path / "killed")
    else:
        pytest.fail("It never came to its end.")
    assert kills > 10
    run(config, tmp_path / "killed", some)
    compare(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("exchanging", [True, False])
def test_killed_once_at_each_operation_on_files(
    exchanging: bool, reaper: Reaper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchanging:
        monkeypatch.setattr(exchange, "_exchange", lambda *_: False)
    config, some = with_(**FOUR), pictures(validation=squares(1))
    run(config, tmp_path / "whole", some)
    after = 0
    while killed(config, tmp_path / str(after), reaper, after):
        holder = Run(tmp_path / str(after))
        if holder.exists:
            holder.go_on()
            holder.close()
            check_whole(holder.folder)
        run(config, holder.folder, some)
        compare(holder.folder, tmp_path / "whole")
        after += 1
    assert after > 50


KILLS_ITSELF = """
import os, signal, sys
from pathlib import Path
from training import TINY, Run, pictures, squares, train, with_
from seg_demo.models.registry import ARCHITECTURES
ARCHITECTURES["tiny"] = TINY
from test_run import FOUR
holder = Run(sys.argv[1])
holder.begin(with_(**FOUR), {})
events = train(with_(**FOUR), pictures(validation=squares(1)), holder, {}, device="cpu")
for number, event in enumerate(holder.record(events)):
    if number == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 2, 4, 9])
def test_killed_by_the_system(after: int, tmp_path: Path) -> None:
    config, some = with_(**FOUR), pictures(validation=squares(1))
    run(config, tmp_path / "whole", some)
    command = [sys.executable, "-c", KILLS_ITSELF, str(tmp_path / "killed"), str(after)]
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parent.parent)])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    run(config, tmp_path / "killed", some)
    compare(tmp_path / "killed", tmp_path / "whole")


def compare(one: Path, other: Path) -> None:
    found, expected = left_of(one), left_of(other)
    assert found["events"] == expected["events"]
    assert found["files"] == expected["files"]
    assert [name for name in expected if found.get(name) != expected[name]] == []


def test_what_a_kill_left_is_cleaned_up(held: Run) -> None:
    folder = held.folder
    held.close()
    for name in (".last.abc/model.safetensors", ".best.x.old/config.json", ".last.y.old/config.json"):
        (folder / name).parent.mkdir()
        (folder / name).write_text(name)
    (folder / "best").mkdir()
    (folder / "best" / "config.json").write_text("best")
    for name in (".config.json.part", "state/.state.safetensors.part", "features.abc"):
        (folder / name).write_text("")
    again = Run(folder)
    again.go_on()
    again.close()
    assert sorted(path.name for path in folder.iterdir()) == ["best", "config.json", "last", "state"]
    assert [path.name for path in (folder / "state").iterdir()] == ["lock"]
    assert (folder / "best" / "config.json").read_text() == "best"
    assert (folder / "last" / "config.json").read_text() == ".last.y.old/config.json"  # was moved aside


# One folder in another's place


def named(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "name").write_text(folder.name)
    return folder


@pytest.mark.parametrize("exchanging", [True, False])
def test_a_folder_takes_the_place_of_another(exchanging: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exchanging:
        monkeypatch.setattr(exchange, "_exchange", lambda *_: False)
    place = tmp_path / "place"
    assert exchange.replace_folder(named(tmp_path / "one"), place) is None
    old = exchange.replace_folder(named(tmp_path / "two"), place)
    assert (place / "name").read_text() == "two"
    assert old is not None
    assert (old / "name").read_text() == "one"
    assert {path.name for path in tmp_path.iterdir()} == {"place", old.name}
    assert old.name in ("two", "two.old")[not exchanging :]  # not every file system can exchange


def test_a_folder_that_cannot_take_the_place_leaves_it_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "_exchange", lambda *_: False)
    place, new = named(tmp_path / "place"), named(tmp_path / "new")
    rename = Path.rename

    def refusing(self: Path, target: Path) -> Path:
        if self == new:
            raise OSError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(OSError, match="Permission denied"):
        exchange.replace_folder(new, place)
    assert (place / "name").read_text() == "place"


# What is recorded


def test_events_are_there_before_the_next_thing_happens(held: Run) -> None:
    count = 0
    for event in held.record(train(QUICK, pictures(), held, {}, device="cpu")):
        count += 1
        found = held.events()
        assert len(found) == count
        assert found[-1]["event"] == type(event).__name__
    folders = [event["folder"] for event in found if event["event"] == "CheckpointSaved"]
    assert set(folders) == {"best", "last"}  # the run can be moved
    files = [event["file"] for event in found if event["event"] == "SampleDrawn"]
    assert files == ["samples/0000002/square_0.jpg", "samples/0000004/square_0.jpg"]
    log = (held.folder / "log.txt").read_text("utf-8").splitlines()
    assert len(log) == count - 4  # steps are there each hundred
    assert log[-1].startswith("step 4  finished after ")


def test_half_a_line_is_left_out_and_then_replaced(held: Run) -> None:
    list(held.record(a_few(STARTED, StepDone(1, 0.5, 0.5, 1.0, 0.1, 2.0, 3.0))))
    file = held.folder / "events.jsonl"
    whole = file.read_bytes()
    for rest in (b'{"event": "StepDo', '{"event": "猫'.encode()[:-1], b"{}\n{", b"\0\0\0"):
        file.write_bytes(whole + rest)
        assert [event["event"] for event in held.events()[:2]] == ["RunStarted", "StepDone"]
        held.forget(2, 1)
        assert file.read_bytes() == whole
    file.write_bytes(whole[:-5])  # the disk has less than the state knows of
    held.forget(2, 1)
    assert held.recorded == 1
    list(held.record(iter([RunStopped(1, "as it was asked to")])))
    assert [event["event"] for event in held.events()] == ["RunStarted", "RunStopped"]
    assert Run(held.folder / "nowhere").events() == []


def test_names_that_are_no_text(held: Run) -> None:
    name = os.fsdecode(b"caf\xe9\xff") + "\u2028\u0085\n"
    list(held.record(a_few(STARTED, SampleDrawn(1, name, sample_file(held, 1, name)))))
    (_, event) = held.events()
    assert event["name"] == name


def sample_file(holder: Run, step: int, name: str) -> Path:
    file = holder.sample_file(step, name)
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(file)
    return file


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cat", "cat.jpg"),
        ("train/cat 12", "train_cat_12.jpg"),
        ("../../x", "_.._x.jpg"),
        ("..", "picture.jpg"),
        ("", "picture.jpg"),
        (".hidden", "hidden.jpg"),
        ("a\\b:c*?\0\n", "a_b_c____.jpg"),
        ("猫", "猫.jpg"),
        ("/etc/passwd", "_etc_passwd.jpg"),
        ("x" * 5000 + "end", "x" * 57 + "end.jpg"),
        ("猫" * 5000, "猫" * 60 + ".jpg"),
        ("𠮷" * 5000, "𠮷" * 60 + ".jpg"),
        (os.fsdecode(b"\xff\xfe"), "__.jpg"),
    ],
)
def test_names_of_samples_are_safe(name: str, expected: str, held: Run) -> None:
    file = sample_file(held, 12, name)
    assert file == held.samples / "0000012" / expected
    assert list(held.samples.rglob("*.jpg")) == [file]


def test_names_of_samples_in_a_run(tmp_path: Path) -> None:
    strange = [Sample(name, *rest) for name, (_, *rest) in zip(("../../x", "y" * 999, ""), squares(3), strict=True)]
    config = with_(steps=1, validation__pictures=3, model__architecture="tiny")
    drawn = [event for event in run(config, tmp_path, pictures(validation=strange)) if isinstance(event, SampleDrawn)]
    assert [event.name for event in drawn] == [sample.name for sample in strange]
    for event in drawn:
        assert event.file.resolve().parent == (tmp_path / "samples" / "0000001").resolve()
        assert Image.open(event.file).size == (3 * 56 + 8, 48)


def test_samples_are_forgotten_with_their_events(held: Run) -> None:
    for step in (2, 4, 6):
        sample_file(held, step, "cat")
    held.forget(0, 5)
    assert sorted(path.name for path in held.samples.iterdir()) == ["0000002", "0000004"]
    held.forget(0, 4)
    assert [path.name for path in held.samples.iterdir()] == ["0000002"]
    held.forget(0, 0)
    assert list(held.samples.iterdir()) == []


def test_errors_of_a_run_pass_through(held: Run) -> None:
    def broken() -> Iterator[Any]:
        yield STARTED
        raise UserError("{file} is empty. Choose another picture.", file="cat.png")

    assert message(lambda: list(held.record(broken()))) == "cat.png is empty. Choose another picture."


def test_who_stops_listening_ends_the_run_at_once(held: Run) -> None:
    ended = []

    def endless() -> Iterator[Any]:
        try:
            yield STARTED
            while True:
                yield RunStopped(1, "never")
        finally:
            ended.append(held.recorded)

    events = endless()  # which somebody else holds, too
    recorder = held.record(events)
    for _ in range(3):
        next(recorder)
    recorder.close()  # type: ignore[attr-defined]
    assert ended == [3]


# TensorBoard


def curves(folder: Path) -> tuple[dict[str, list[tuple[int, float]]], dict[str, list[int]]]:
    """By name, the points of each curve, and the steps of each picture."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

    found = EventAccumulator(str(folder), {"scalars": 0, "images": 0})
    found.Reload()
    tags = found.Tags()
    scalars = {tag: [(point.step, point.value) for point in found.Scalars(tag)] for tag in tags["scalars"]}
    return scalars, {tag: [image.step for image in found.Images(tag)] for tag in tags["images"]}


def test_tensorboard_shows_each_step_once(tmp_path: Path) -> None:
    config = with_(model__architecture="tiny", steps=40, validation__every=10, save_every=1000)
    some = pictures(validation=squares(1))
    for stop in (25, 4, 30):  # counted in events; the state is older than the curves, but for the second
        holder = Run(tmp_path)
        if holder.exists:
            holder.go_on()
        else:
            holder.begin(config, {})
        events = holder.record(train(config, some, holder, {}, device="cpu"))
        for _ in range(stop):
            next(events)
        if stop != 4:
            with pytest.MonkeyPatch.context() as dead:
                dead.setattr("seg_demo.train.saving.Saving.state", lambda *_: None)
                dead.setattr("seg_demo.train.saving.Saving.checkpoint", lambda *_: None)
                events.close()  # type: ignore[attr-defined]
        else:
            events.close()  # type: ignore[attr-defined]
        holder.close()
    recorded = run(config, tmp_path, some)
    scalars, images = curves(tmp_path / "tensorboard")
    for name in ("loss", "learning_rate", "images_per_second"):
        assert [step for step, _ in scalars[f"train/{name}"]] == [10, 20, 30, 40]
    ends = [event for event in recorded if isinstance(event, EpochDone)]
    for name, value in ends[-1].metrics.items():
        points = scalars[f"validation/{name}"]
        assert [step for step, _ in points] == [10, 20, 30, 40]
        assert points[-1][1] == pytest.approx(value)
    assert images == {"square_0": [10, 20, 30, 40]}
    counts = Counter(event["event"] for event in Run(tmp_path).events())
    assert (counts["StepDone"], counts["EpochDone"], counts["SampleDrawn"]) == (40, 4, 4)
    losses = dict(scalars["train/loss"])
    for event in Run(tmp_path).events():
        if event["event"] == "StepDone" and event["step"] in losses:
            assert losses[event["step"]] == pytest.approx(event["loss"])


def test_a_validation_that_is_made_again_is_shown_once(tmp_path: Path) -> None:
    config = replace(with_(model__architecture="tiny"), steps=2)
    for after in (4, 5):  # after its sample, and after its figures
        holder = Run(tmp_path)
        if holder.exists:
            holder.go_on()
        else:
            holder.begin(config, {})
        events = holder.record(train(config, pictures(), holder, {}, device="cpu"))
        for event in events:
            if isinstance(event, SampleDrawn if after == 4 else EpochDone):
                events.close()  # type: ignore[attr-defined]
        holder.close()
    run(config, tmp_path)
    scalars, images = curves(tmp_path / "tensorboard")
    assert [step for step, _ in scalars["validation/mean_iou"]] == [2]
    assert images == {"square_0": [2]}


# What a stranger's run may hold


@pytest.mark.parametrize(
    "name", ["events.jsonl", "log.txt", "samples", "tensorboard", "last", "state/state.safetensors", "samples/0000001"]
)
def test_links_are_not_followed(name: str, held: Run, tmp_path: Path) -> None:
    """They could lead to any file of this machine, which the run would then overwrite or remove."""
    held.close()
    victim = tmp_path / "victim"
    (victim / "thesis").mkdir(parents=True)
    link = held.folder / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(victim)
    with pytest.raises(UserError) as caught:
        Run(held.folder).go_on()
    assert str(caught.value) == (
        f"{link} is a link, which a run never makes and does not follow. Put what it leads to in its place."
    )
    assert (victim / "thesis").is_dir()


def test_what_is_not_of_the_run_is_left_where_it_is(held: Run) -> None:
    (held.samples / "mine").mkdir(parents=True)
    held.forget(0, 0)
    assert (held.samples / "mine").is_dir()


def test_a_run_without_its_state_does_not_begin_again_in_silence(held: Run) -> None:
    list(held.record([RunStopped(3, "as it was asked to")]))
    with pytest.raises(UserError) as caught:
        held.load_state()
    assert str(caught.value) == (
        f"The state of the run {held.folder} is gone, so it cannot be resumed. "
        "Start a new run; the checkpoints in it are good."
    )
    assert len(held.events()) == 1


def test_a_state_that_is_no_runs_is_not_gone_on_from(tmp_path: Path) -> None:
    (tmp_path / "run" / "state").mkdir(parents=True)
    (tmp_path / "run" / "state" / "state.safetensors").write_bytes(b"x")
    with pytest.raises(UserError, match="is no run: it holds state. Name a new folder"):
        Run(tmp_path / "run").begin(QUICK, {})


@pytest.mark.parametrize(
    "change", [{"parts": -1}, {"step": "x"}, {"step": -3}, {"seconds": math.nan}, {"events": None}]
)
def test_progress_that_cannot_be(change: dict[str, Any], held: Run) -> None:
    held.save_state({"x": torch.zeros(1)}, {**Progress().document(), "events": 0, **change})
    with pytest.raises(UserError, match="is damaged, so the run cannot be resumed"):
        held.load_state()


def test_a_board_that_cannot_write_does_not_hold_the_run_up(tmp_path: Path) -> None:
    board = Board(tmp_path / "board")
    board.open(0)
    board.writer.file_writer.event_writer._worker.stop()
    board.writer.file_writer.event_writer._worker.join()
    for step in range(0, 1000, 10):  # more than its queue takes
        board.show(StepDone(step, 0.0, 0.0, 1.0, 0.1, 1.0, 1.0))
    board.close()
