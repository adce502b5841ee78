"""A run is begun from the page, without a browser: its pictures are its own, and what cannot be leaves nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from test_finetune import files_of_a_set, packed, png

from seg_demo.cli.main import build_parser
from seg_demo.cli.recipe import asked
from seg_demo.data.folder import open_splits
from seg_demo.infer.library import Library
from seg_demo.jobs.job import Job
from seg_demo.jobs.queue import Queue
from seg_demo.jobs.workspace import Workspaces
from seg_demo.train.config import TrainConfig
from seg_demo.train.pictures import open_pictures
from seg_demo.ui.finetune import bench
from seg_demo.ui.finetune.bench import Bench
from seg_demo.ui.finetune.limits import RUNS
from seg_demo.ui.finetune.tab import FineTuneTab
from seg_demo.ui.visitors import Visitors

REQUEST: Any = SimpleNamespace(cookies={}, session_hash="one", headers={"accept-language": "en"})
OTHER: Any = SimpleNamespace(cookies={}, session_hash="other", headers={"accept-language": "en"})


@pytest.fixture
def tab(tmp_path: Path, tiny_checkpoint: Path) -> FineTuneTab:
    """Of a public page whose queue is not open, so that runs only wait."""
    shutil.copytree(tiny_checkpoint, tmp_path / "checkpoints" / "newts-binary")
    with gr.Blocks():
        return FineTuneTab(
            Visitors(Workspaces(tmp_path, public=True, folder=tmp_path)),
            Library(tmp_path / "checkpoints"),
            Queue(tmp_path),
        )


def brought(tab: FineTuneTab, archive: Path, request: Any = REQUEST) -> Bench:
    return bench.bring([archive], bench.new_home(tab.visitors.of(request).brought), "ground\nnewt", "")


@pytest.fixture
def good(tab: FineTuneTab, tmp_path: Path) -> Bench:
    return brought(tab, packed(tmp_path / "my newts.zip", files_of_a_set()))


def values(tab: FineTuneTab, start: str = "newts-binary", amount: str = "1") -> list[Any]:
    return [start, amount, "minutes", *(widget.value for widget in tab.start.form.widgets)]


def job_of(tab: FineTuneTab, name: str) -> Job:
    return Job(tab.visitors.of(REQUEST).run_folder(name))


def configured(job: Job) -> TrainConfig:
    """What its command makes of its flags."""
    return asked(build_parser(["train"]).parse_args(job.command()))


def words(tab: FineTuneTab, updates: Any) -> str:
    return " ".join(child for node in updates[tab.status.words] or [] for child in node["children"])


def test_a_run_waits_with_pictures_of_its_own(tab: FineTuneTab, good: Bench) -> None:
    (*_, seen) = tab.begin(REQUEST, good, *values(tab))
    assert seen[tab.watch.run].value == "my-newts-1"
    assert seen[tab.steps].selected == "watch"
    job = job_of(tab, "my-newts-1")
    assert job.state.kind == "waiting"
    assert [each.folder for each in tab.queue.waiting()] == [job.folder]
    data = job.folder / "data" / "my-newts"
    shutil.rmtree(good.home)  # whatever is brought next
    config = configured(job)
    assert (config.data.source, config.minutes) == (str(data), 1)
    assert config.model.checkpoint.endswith("/checkpoints/newts-binary")
    assert len(open_pictures(config).real) + len(open_pictures(config).validation) == 6
    # Nobody else sees it.
    assert tab.watch.look("my-newts-1", OTHER)[tab.watch.run].value is None
    assert tab.watch.look("my-newts-1", REQUEST)[tab.watch.run].value == "my-newts-1"


def test_once_more_with_the_same_settings(tab: FineTuneTab, good: Bench) -> None:
    first = values(tab, "scratch")
    first[3 + tab.start.form.paths.index("batch_size")] = "4"
    list(tab.begin(REQUEST, good, *first))
    (*_, told) = tab.begin_again(good, "my-newts-1", REQUEST)
    assert "Your run my-newts-1 waits or learns already." in words(tab, told)
    tab.queue.stop(job_of(tab, "my-newts-1"))
    (*_, seen) = tab.begin_again(good, "my-newts-1", REQUEST)
    assert seen[tab.watch.run].value == "my-newts-2"
    one, other = (job_of(tab, f"my-newts-{number}") for number in (1, 2))
    assert configured(other).batch_size == 4
    assert [word for word in one.facts.flags if str(one.folder) not in word] == [
        word for word in other.facts.flags if str(other.folder) not in word
    ]
    (*_, told) = tab.begin_again(good, "my-newts-9", REQUEST)
    assert "There is no run 'my-newts-9' here any more." in words(tab, told)
    (*_, told) = tab.begin_again(good, "my-newts-1", OTHER)
    assert "There is no run 'my-newts-1' here any more." in words(tab, told)


def test_pictures_of_which_none_are_for_validation(tab: FineTuneTab, tmp_path: Path) -> None:
    files = files_of_a_set()
    files = {name: content for name, content in files.items() if "p0" in name}
    files |= {name.replace("p0", "p1"): content for name, content in files.items()}  # the same picture twice
    made = brought(tab, packed(tmp_path / "two.zip", files))
    assert made.shown.report.may_train and made.shown.report.splits == {"train": 2}
    list(tab.begin(REQUEST, made, *values(tab, "scratch")))
    config = configured(job_of(tab, "two-1"))
    pictures = open_pictures(config, open_splits(config.data.source))
    assert (len(pictures.real), len(pictures.validation)) == (2, 0)


@pytest.mark.parametrize(
    ("start", "amount", "sentence"),
    [
        ("newts", "1", "There is no model"),
        ("scratch", "0", "The length of the run is '0'. Write a number of minutes."),
        ("scratch", "31", "A run may take 30 minutes here"),
    ],
)
def test_what_cannot_be_begun_leaves_nothing(
    tab: FineTuneTab, good: Bench, start: str, amount: str, sentence: str
) -> None:
    (told,) = tab.begin(REQUEST, good, *values(tab, start, amount))
    assert sentence in words(tab, told)
    assert tab.visitors.of(REQUEST).run_folders() == []


def test_nothing_was_brought_or_it_has_errors(tab: FineTuneTab, good: Bench, tmp_path: Path) -> None:
    (told,) = tab.begin(REQUEST, None, *values(tab))
    assert "There is no checked data set here any more." in words(tab, told)
    files = files_of_a_set()
    files["masks/p1.png"] = png(np.zeros((5, 5), np.uint8))
    files = {name: content for name, content in files.items() if "p1" in name}
    (*_, told) = tab.begin(REQUEST, brought(tab, packed(tmp_path / "bad.zip", files)), *values(tab))
    assert "bad.zip still has errors." in words(tab, told)
    shutil.rmtree(good.folder)
    (*_, told) = tab.begin(REQUEST, good, *values(tab))
    assert words(tab, told) and str(tmp_path) not in words(tab, told)
    assert tab.visitors.of(REQUEST).run_folders() == []
    assert tab.queue.waiting() == []


def test_a_checkpoint_that_was_shared_and_removed_does_not_tell_whose_it_was(
    tab: FineTuneTab, good: Bench, tiny_checkpoint: Path
) -> None:
    secret = "s" * 32
    theirs = tab.visitors.workspaces.of(secret)
    theirs.keep(tiny_checkpoint, "shared")
    (name,) = (each.name for each in tab.library.entries(theirs.checkpoints).values() if each.kind == "visitor")
    list(tab.begin(REQUEST, good, *values(tab, name)))
    job = job_of(tab, "my-newts-1")
    assert secret not in " ".join(job.command())
    theirs.remove("shared")
    (*_, told) = tab.begin(REQUEST, good, *values(tab, name))
    assert "There is no model" in words(tab, told)


def test_a_visitor_does_not_fill_the_disk_with_runs(tab: FineTuneTab, good: Bench) -> None:
    for number in range(RUNS):
        (tab.visitors.of(REQUEST).runs / f"old-{number}").mkdir(parents=True)
    (*_, told) = tab.begin(REQUEST, good, *values(tab, "scratch"))
    assert f"There are {RUNS} runs of yours here." in words(tab, told)
