"""Several processes that train together come to what one process with the whole batch comes to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from seg_demo.errors import UserError
from seg_demo.train.ranks import JoinedBatchNorm2d, Ranks

# SGD, because AdamW turns rounding errors of tiny gradients into whole steps.
SETTINGS = [
    "--preset", "newts-species", "--data", "procedural:9", "--steps", "4", "--validation.every", "2",
    "--precision", "float32", "--model.arguments", '{"width": 4, "depth": 2}', "--data.preprocessing.size", "64",
    "--data.crop", "32", "--data.drawn_pictures", "5", "--batch_size", "5", "--average", "0.5",
    "--optimizer.name", "sgd", "--optimizer.learning_rate", "0.02", "--loss.class_weights", "1,2,3",
]  # fmt: skip


def trained(run: Path, processes: int, *more: str) -> subprocess.CompletedProcess[str]:
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    start = [*several, "-m", "--", "seg_demo"] if processes > 1 else ["-m", "seg_demo"]
    command = [sys.executable, *start, "train", *SETTINGS, "--run", str(run), *more]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


def events(run: Path, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text("utf-8").splitlines()]
    return [line for line in lines if line["event"] == kind]


def same(run: Path, other: Path) -> None:
    steps, others = events(run, "StepDone"), events(other, "StepDone")
    assert [step["loss"] for step in steps] == pytest.approx([step["loss"] for step in others], rel=1e-4)
    for one, two in zip(events(run, "EpochDone"), events(other, "EpochDone"), strict=True):
        assert one["metrics"] == pytest.approx(two["metrics"], abs=2e-3)
    for kind in ("last", "best"):
        weights, others_weights = (load_file(folder / kind / "model.safetensors") for folder in (run, other))
        for name, weight in weights.items():
            torch.testing.assert_close(weight, others_weights[name], rtol=1e-3, atol=1e-4, msg=f"{kind} {name}")


@pytest.mark.slow
def test_two_processes_come_to_what_one_comes_to(tmp_path: Path) -> None:
    """Batches of five: one process has three pictures of each, the other two, with other ignored pixels and classes."""
    assert trained(tmp_path / "one", 1).returncode == 0
    done = trained(tmp_path / "two", 2)
    assert done.returncode == 0, done.stderr[-2000:]
    assert events(tmp_path / "two", "RunStarted")[0]["processes"] == 2
    assert done.stdout.count("finished after") == 1  # one of them writes
    assert len(events(tmp_path / "two", "StepDone")) == 4
    same(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
def test_two_processes_stop_and_go_on(tmp_path: Path) -> None:
    assert trained(tmp_path / "one", 1, "--accumulate", "2").returncode == 0
    first = trained(tmp_path / "two", 2, "--accumulate", "2", "--steps", "2")
    assert first.returncode == 0, first.stderr[-2000:]
    more = trained(tmp_path / "two", 2, "--accumulate", "2", "--resume")
    assert more.returncode == 0, more.stderr[-2000:]
    assert [step["step"] for step in events(tmp_path / "two", "StepDone")] == [1, 2, 3, 4]


@pytest.mark.slow
def test_an_error_of_all_processes_is_told_once(tmp_path: Path) -> None:
    done = trained(tmp_path / "run", 2, "--data", "procedural:x")
    assert done.returncode != 0
    assert "error: A drawn data set" in done.stderr
    assert not (tmp_path / "run" / "config.json").exists()


def test_one_process_alone_needs_nobody() -> None:
    ranks = Ranks()
    value = torch.tensor([1.0, 2.0])
    assert ranks.total(value) is value
    assert ranks.first("x") == "x"
    assert ranks.any(True) and not ranks.any(False)
    assert ranks.writes
    network = torch.nn.BatchNorm2d(2)
    assert ranks.joined_norms(network, torch.device("cpu")) is network
    assert ranks.learning(network, torch.device("cpu")) is network
    ranks.wait()


@pytest.mark.parametrize(
    ("world", "batch", "parts", "least"), [(2, 1, 1, 2), (2, 9, 4, 8), (3, 2, 1, 3), (1, 5, 2, None), (2, 5, 1, None)]
)
def test_batches_that_cannot_be_shared(world: int, batch: int, parts: int, least: int | None) -> None:
    if least is None:
        Ranks(0, world).check(batch, parts)
        return
    with pytest.raises(UserError) as caught:
        Ranks(0, world).check(batch, parts)
    assert str(caught.value) == (
        f"A batch of {batch} crops in {parts} parts cannot be shared by {world} processes. "
        f"Take a multiple of {least} as batch_size."
    )


def test_processes_that_see_different_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = Ranks()
    ranks.check_agreement(5)
    monkeypatch.setattr(ranks, "first", lambda step: 0)
    with pytest.raises(UserError, match="^The processes do not see the same run folder. Put it on a disk"):
        ranks.check_agreement(5)


@pytest.mark.parametrize("affine", [True, False])
def test_a_joined_norm_of_one_process_is_torchs(affine: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.distributed.all_reduce", lambda value: None)
    plain, joined = torch.nn.BatchNorm2d(3, affine=affine), JoinedBatchNorm2d(3, affine=affine)
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(4, 3, 5, 6, generator=generator) * 3 + 1
    one, two = first.clone().requires_grad_(), first.clone().requires_grad_()
    torch.testing.assert_close(joined(two), plain(one))
    factor = torch.randn(4, 3, 5, 6, generator=generator)
    (plain(one) * factor).sum().backward()
    (joined(two) * factor).sum().backward()
    torch.testing.assert_close(two.grad, one.grad, rtol=1e-4, atol=1e-5)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(joined.state_dict()[name], value)
    torch.testing.assert_close(joined.eval()(first), plain.eval()(first))
