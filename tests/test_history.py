"""The history of a run as one document: curves of bounded length, read as they grow, cut by a resume, damaged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from seg_demo.jobs.curve import MOST, Curve
from seg_demo.jobs.history import History

NAMES = {
    "share", "step", "steps_in_all", "epoch", "seconds", "left", "images_per_second", "learning_rate", "memory",
    "device", "precision", "pictures", "drawn", "validation", "classes", "steps", "validations", "best", "resumed",
    "memory_short", "samples", "log",
}  # fmt: skip
CONFIG = {
    "data": {"classes": {"names": ["background", "写真"], "colors": [[0, 0, 0], [255, 0, 9]], "ignore_index": 255}}
}


def started(step: int = 0, steps: int = 1000) -> dict[str, Any]:
    return {
        "event": "RunStarted", "pictures": 12, "drawn": 3, "validation": 4, "steps": steps, "step": step,
        "parameters": 10, "trainable": 10, "device": "cpu", "precision": "bfloat16", "processes": 1,
    }  # fmt: skip


def step(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "event": "StepDone", "step": number, "epoch": number / 3, "share": number / 1000, "loss": 1 / number,
        "learning_rate": 0.1, "images_per_second": 4.0, "seconds": number * 0.5, "memory": 10**8 + number, **changes,
    }  # fmt: skip


def write(folder: Path, *events: dict[str, Any], mode: str = "a") -> None:
    with open(folder / "events.jsonl", mode, encoding="utf-8", errors="surrogatepass") as file:
        file.writelines(json.dumps(event, ensure_ascii=False) + "\n" for event in events)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), "utf-8")
    return tmp_path


def test_nothing_yet(tmp_path: Path) -> None:
    found = History(tmp_path / "no").document()
    assert found.keys() == NAMES
    assert (found["step"], found["left"], found["best"], found["classes"], found["log"]) == (0, None, None, [], [])
    assert found["steps"] == {"step": [], "loss": [], "learning_rate": [], "images_per_second": []}


def test_a_run_as_it_goes_on(folder: Path) -> None:
    history = History(folder)
    write(folder, started())
    found = history.document()
    assert (found["pictures"], found["drawn"], found["validation"]) == (12, 3, 4)
    assert (found["steps_in_all"], found["device"], found["precision"]) == (1000, "cpu", "bfloat16")
    assert found["classes"] == [{"name": "background", "color": [0, 0, 0]}, {"name": "写真", "color": [255, 0, 9]}]
    write(folder, step(1))
    assert history.document()["left"] is None  # of one step nobody can tell
    write(folder, step(2), step(3, images_per_second=8.0))
    found = history.document()
    assert found["steps"]["step"] == [1, 2, 3]
    assert found["steps"]["loss"] == [1, 1 / 2, 1 / 3]
    assert found["steps"]["images_per_second"] == [4.0, 4.0, 8.0]
    assert 4 < found["images_per_second"] < 4.5
    assert (found["share"], found["epoch"], found["seconds"], found["memory"]) == (0.003, 1.0, 1.5, 10**8 + 3)
    assert found["left"] == pytest.approx(997 * 0.5)
    metrics = {"loss": 0.5, "mean_iou": 0.25, "iou_写真": 0.25, "accuracy": float("nan")}
    write(
        folder,
        {"event": "SampleDrawn", "step": 3, "name": "<b>cat</b>", "file": "samples/0000003/cat.jpg"},
        {"event": "EpochDone", "step": 3, "epoch": 1.0, "metrics": metrics},
        {"event": "CheckpointSaved", "step": 3, "kind": "best", "folder": "best"},
        {"event": "CheckpointSaved", "step": 4, "kind": "last", "folder": "last"},
        {"event": "MemoryShort", "step": 3, "parts": 2},
    )
    (folder / "log.txt").write_text("\n".join(map(str, range(300))) + "\n", "utf-8")
    found = history.document()
    assert found["samples"] == [{"step": 3, "name": "<b>cat</b>", "file": "samples/0000003/cat.jpg"}]
    assert found["validations"] == [
        {"step": 3, "epoch": 1.0, "metrics": {"loss": 0.5, "mean_iou": 0.25, "accuracy": None}, "iou": [None, 0.25]}
    ]
    assert found["best"] == 3
    assert found["memory_short"] == [{"step": 3, "parts": 2}]
    assert found["log"] == [str(number) for number in range(100, 300)]
    write(folder, {"event": "RunFinished", "step": 4, "seconds": 9.0, "reason": "its length is reached"})
    found = history.document()
    assert (found["step"], found["seconds"], found["left"]) == (4, 9.0, 0.0)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert History(folder).document() == found


def test_half_a_line_waits_for_its_other_half(folder: Path) -> None:
    history = History(folder)
    write(folder, started(), step(1))
    line = json.dumps(step(2)).encode() + b"\n"
    for end in (20, len(line) - 1):
        with open(folder / "events.jsonl", "ab") as file:
            file.write(line[:end] if end == 20 else line[20:end])
        assert history.document()["step"] == 1
    with open(folder / "events.jsonl", "ab") as file:
        file.write(line[-1:])
    assert history.document()["steps"]["step"] == [1, 2]


@pytest.mark.parametrize("longer", [False, True], ids=["shorter", "longer than before"])
def test_a_resume_cuts_what_was_not_saved(longer: bool, folder: Path) -> None:
    history = History(folder)
    write(folder, started(), *(step(number) for number in range(1, 51)))
    assert history.document()["steps"]["step"][-1] == 50
    last = 90 if longer else 41
    again = [step(number, seconds=number * 0.6) for number in range(41, last + 1)]
    write(folder, started(), *(step(number) for number in range(1, 41)), mode="w")
    write(folder, started(40), *again)
    found = history.document()
    assert found["steps"]["step"] == list(range(1, last + 1))
    assert found["seconds"] == last * 0.6
    assert found["resumed"] == [40]
    assert found["left"] == (pytest.approx(910 * 0.6) if longer else None)  # by what this part has come to
    assert found == History(folder).document()


def test_another_file_in_its_place(folder: Path) -> None:
    history = History(folder)
    write(folder, started(), step(1), step(2))
    assert history.document()["step"] == 2
    os.replace(folder / "events.jsonl", folder / "old")
    assert history.document()["step"] == 0
    write(folder, started(), step(1))
    assert history.document()["steps"]["step"] == [1]


def test_a_long_run_is_read_once(folder: Path) -> None:
    write(folder, started(steps=30_000), *(step(number) for number in range(1, 30_001)))
    history = History(folder)
    begun = time.process_time()
    found = history.document()
    first = time.process_time() - begun
    write(folder, step(30_001, loss=5.0))
    begun = time.process_time()
    newest = history.document()
    again = time.process_time() - begun
    assert first < 3
    assert again < first / 10
    for document in (found, newest):
        steps = document["steps"]
        assert MOST / 2 <= len(steps["step"]) <= MOST
        assert {len(values) for values in steps.values()} == {len(steps["step"])}
    assert newest["steps"]["step"][-1] == newest["step"] == 30_001
    assert found["steps"]["loss"][0] == pytest.approx(sum(1 / number for number in range(1, 129)) / 128)


@pytest.mark.parametrize("count", [1, 399, 400, 401, 800, 801, 5000])
def test_the_means_of_a_curve(count: int) -> None:
    curve = Curve(["value"])
    for number in range(1, count + 1):
        curve.add(number, [float(number)])
    found = curve.document()
    assert len(found["step"]) <= MOST
    assert found["step"][-1] == count
    ends = [0, *found["step"]]
    assert found["value"] == [(first + 1 + last) / 2 for first, last in zip(ends, ends[1:], strict=False)]


@pytest.mark.parametrize(
    "line",
    [
        b"{", b"[]", b"null", b"7", b'"text"', b"\xff\xfe", b"{}", b'{"event": []}', b'{"event": {}}', b"[" * 100_000,
        b'{"event": "StepDone"}', b'{"event": "StepDone", "step": 3, "loss": NaN}', b"x" * 2_000_000,
        json.dumps(step(3, loss=float("inf"))).encode(), json.dumps(step(3, share="x")).encode(),
        json.dumps(step(3, step=-1)).encode(), json.dumps(step(3, step=True)).encode(),
        json.dumps(step(3, seconds=10**400)).encode(), json.dumps(step(3, memory=10**30)).encode(),
        b'{"event": "EpochDone", "step": 3, "epoch": 1, "metrics": 7}', b'{"event": "RunStarted"}',
        b'{"event": "SampleDrawn", "step": 1, "name": "a", "file": "samples/../../etc/x.jpg"}',
        b'{"event": "SampleDrawn", "step": 1, "name": "a", "file": "/etc/passwd"}',
        b'{"event": "SampleDrawn", "step": 1, "name": "a", "file": 7}',
        b'{"event": "SampleDrawn", "step": 1, "name": "a", "file": "samples/1/../x.jpg"}',
        b'{"event": "CheckpointSaved", "step": 3}', b'{"event": "MemoryShort", "step": 3, "parts": null}',
    ],
)  # fmt: skip
def test_a_damaged_line_is_as_none(line: bytes, folder: Path) -> None:
    write(folder, started(), step(1))
    with open(folder / "events.jsonl", "ab") as file:
        file.write(line + b"\n")
    write(folder, step(2))
    (folder / "log.txt").write_bytes(b"\xff\n" + line[:50])
    found = History(folder).document()
    assert found["steps"]["step"] == [1, 2]
    assert (found["samples"], found["validations"], found["best"], found["memory_short"]) == ([], [], None, [])
    json.dumps(found, allow_nan=False).encode()


def test_names_that_are_no_text(folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    write(folder, {"event": "SampleDrawn", "step": 1, "name": name, "file": "samples/1/caf_.jpg"})
    found = History(folder).document()
    assert found["samples"][0]["name"] == "caf?"
    json.dumps(found, ensure_ascii=False).encode()


@pytest.mark.parametrize("config", ["", "[]", '{"data": 7}', '{"data": {"classes": {"names": ["a"], "colors": [7]}}}'])
def test_a_damaged_configuration(config: str, folder: Path) -> None:
    (folder / "config.json").write_text(config)
    write(folder, started(), {"event": "EpochDone", "step": 1, "epoch": 1.0, "metrics": {"iou_a": 1.0}})
    found = History(folder).document()
    assert found["classes"] == []
    assert found["validations"][0]["iou"] == []


def test_many_validations(folder: Path) -> None:
    write(folder, *({"event": "EpochDone", "step": n, "epoch": n, "metrics": {}} for n in range(1, 1001)))
    found = [one["step"] for one in History(folder).document()["validations"]]
    assert len(found) <= MOST
    assert found[-1] == 1000


def test_the_room_does_without_torch_and_gradio() -> None:
    code = (
        "import sys, seg_demo.jobs.queue, seg_demo.jobs.history\n"
        "print([name for name in ('torch', 'gradio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
