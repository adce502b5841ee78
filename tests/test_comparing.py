"""The step that compares: a run's model beside what it started from, and what of it reaches the page."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
import torch
from PIL import Image
from training import QUICK, with_

from seg_demo.checkpoint import CheckpointConfig, load_checkpoint, save_checkpoint
from seg_demo.classes import ClassMap
from seg_demo.data.procedural import ProceduralNewts
from seg_demo.data.writer import DataSetWriter
from seg_demo.errors import UserError
from seg_demo.evaluate.compare import compare
from seg_demo.jobs.job import Job
from seg_demo.jobs.workspace import Workspaces
from seg_demo.models import build_model
from seg_demo.palettes import NEWTS_BINARY
from seg_demo.train.run import Run
from seg_demo.ui.finetune import comparison_nodes
from seg_demo.ui.finetune.comparing import Compared, base_is_gone, compared, newest
from seg_demo.ui.finetune.keeping import KeepPart
from seg_demo.ui.i18n import LANGUAGES
from seg_demo.ui.status import StatusRow
from seg_demo.ui.visitors import Visitors

HOSTILE = "<img src=x onerror=alert(1)>"
PICTURES = 3


def quiet(done: int, total: int) -> None: ...


def model_of(classes: ClassMap, seed: int, folder: Path) -> Path:
    """An untrained checkpoint."""
    task: Any = "binary" if len(classes) == 2 else "multiclass"
    config = CheckpointConfig("unet", {"width": 4, "depth": 2}, task, classes)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return save_checkpoint(folder, build_model("unet", config.num_outputs, width=4, depth=2), config)


def data_of(out: Path, classes: ClassMap = NEWTS_BINARY) -> Path:
    """Four pictures to learn from, three to validate on."""
    with DataSetWriter(out, classes) as writer:
        for number, (_, image, label_map) in enumerate(ProceduralNewts(7, longest=64, species=len(classes) > 2)):
            file = io.BytesIO()
            Image.fromarray(image).save(file, "PNG")
            split = "val" if number < PICTURES else "train"
            writer.add(split, f"{HOSTILE.replace('/', '')} {number}", file.getvalue(), label_map)
    return out


def run_in(folder: Path, base: Path | None = None, data: Path | None = None, **settings: Any) -> Job:
    """A run that began, without a checkpoint."""
    config = with_(QUICK, data__source=str(data or data_of(folder / "data" / "set")), **settings)
    config = replace(config, model=replace(config.model, checkpoint=str(base or "")))
    run = Run(folder)
    run.begin(config, {})
    run.close()
    return Job(folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data_of(tmp_path_factory.mktemp("data") / "set")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return model_of(NEWTS_BINARY, 1, tmp_path / "base")


@pytest.fixture
def job(tmp_path: Path, base: Path, data: Path) -> Job:
    """A run with both checkpoints."""
    made = run_in(tmp_path / "runs" / "newts-1", base, data)
    model_of(NEWTS_BINARY, 2, made.run.last)
    model_of(NEWTS_BINARY, 3, made.run.best)
    return made


def texts(node: Any) -> Iterator[str]:
    """Everything that is read in the page."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for each in node:
            yield from texts(each)
    else:
        yield from texts(node["children"])


# What is measured


def test_the_best_checkpoint_is_compared_with_the_base(job: Job, base: Path, data: Path, tmp_path: Path) -> None:
    steps = []
    found = compared(job, lambda done, total: steps.append((done, total)))
    from seg_demo.data.folder import open_splits

    alone = compare(load_checkpoint(base), load_checkpoint(job.run.best), open_splits(data)("val"))
    assert found.kind == "best"
    assert found.comparison.to_json()["pictures"] == alone.to_json()["pictures"]
    assert found.comparison.base and found.comparison.base.name == "base"
    assert steps[-1] == (2 * PICTURES, 2 * PICTURES)
    # Each picture is there three times, as a file in the run.
    assert list(found.shown) == list(range(PICTURES))
    for shown in found.shown.values():
        for file in (shown.labelled, shown.base, shown.new):
            assert file and Path(file).is_relative_to(job.folder)
            assert HOSTILE not in str(file)
            with Image.open(file) as image:
                assert (image.format, max(image.size)) == ("JPEG", 64)


def test_the_newest_checkpoint_is_the_best_or_the_last(job: Job) -> None:
    assert newest(job) == job.run.best
    shutil.rmtree(job.run.best)
    assert newest(job) == job.run.last
    shutil.rmtree(job.run.last)
    with pytest.raises(UserError, match="The run newts-1 has no checkpoint yet. Let it learn a little longer."):
        newest(job)
    with pytest.raises(UserError, match="has no checkpoint yet"):
        compared(job, quiet)


def test_it_started_from_random_weights(tmp_path: Path, data: Path) -> None:
    job = run_in(tmp_path / "runs" / "a-1", None, data)
    model_of(NEWTS_BINARY, 2, job.run.last)
    found = compared(job, quiet)
    assert (found.kind, found.comparison.base, base_is_gone(job)) == ("last", None, None)
    assert all(shown.base is None for shown in found.shown.values())
    told = " ".join(texts(comparison_nodes.card(found, job, "en")))
    assert "It started from random weights" in told
    assert "best checkpoint was chosen" not in told
    labels = comparison_nodes.pictures(found, "en")
    assert [index for _, index in labels] == [str(index) for index in range(PICTURES)]


def test_the_base_is_gone(job: Job, base: Path, tmp_path: Path) -> None:
    assert base_is_gone(job) is None
    shutil.rmtree(base)
    found = compared(job, quiet)
    assert found.comparison.base is None
    told = " ".join(texts(comparison_nodes.card(found, job, "en")))
    assert "The checkpoint base that the run started from is not there any more." in told
    assert "random weights" not in told
    assert str(tmp_path) not in told


def test_the_base_was_damaged(job: Job, base: Path, tmp_path: Path) -> None:
    (base / "model.safetensors").write_bytes(b"x")
    found = compared(job, quiet)
    assert found.comparison.base is None
    told = " ".join(texts(comparison_nodes.card(found, job, "en")))
    assert "The checkpoint base that the run started from has been damaged since." in told
    assert "random weights" not in told


def test_the_base_is_for_other_classes(tmp_path: Path, data: Path) -> None:
    strange = model_of(ClassMap.of("sky", HOSTILE, "sea"), 1, tmp_path / "strange")
    job = run_in(tmp_path / "runs" / "a-1", strange, data)
    model_of(NEWTS_BINARY, 2, job.run.best)
    found = compared(job, quiet)
    assert found.comparison.base is None and found.comparison.why
    told = " ".join(texts(comparison_nodes.card(found, job, "en")))
    assert "random weights" not in told and "not there any more" not in told


def test_without_a_validation_split_there_is_nothing_to_compare_on(tmp_path: Path, data: Path) -> None:
    job = run_in(tmp_path / "runs" / "a-1", None, data, data__validation_split="")
    model_of(NEWTS_BINARY, 2, job.run.last)
    with pytest.raises(
        UserError, match="This run was not measured on any pictures, so there is nothing to compare on."
    ):
        compared(job, quiet)


def test_the_pictures_or_the_checkpoint_are_damaged(tmp_path: Path, base: Path) -> None:
    job = run_in(tmp_path / "runs" / "a-1", base)
    folder = model_of(NEWTS_BINARY, 2, job.run.last)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:100])
    with pytest.raises(UserError):
        compared(job, quiet)
    (folder / "model.safetensors").write_bytes(weights)
    for image in (job.folder / "data").rglob("val/images/*"):
        image.write_bytes(image.read_bytes()[:200])
    with pytest.raises(UserError):
        compared(job, quiet)
    shutil.rmtree(job.folder / "data")
    with pytest.raises(UserError):
        compared(job, quiet)
    (job.folder / "config.json").write_text("{")
    with pytest.raises(UserError, match="config.json is damaged"):
        compared(job, quiet)


# What is shown


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[Job, Compared]:
    """Class and file names that would be code, and more than two classes."""
    classes = ClassMap.of("${document.title}", HOSTILE, "{{value}} **x**")
    job = run_in(
        tmp_path / "runs" / "a-1",
        model_of(classes, 1, tmp_path / "base"),
        data_of(tmp_path / "set", classes),
        classes=classes,
    )
    model_of(classes, 2, job.run.best)
    return job, compared(job, quiet)


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_of_strangers_are_text(hostile: tuple[Job, Compared], language: str) -> None:
    job, found = hostile
    nodes = comparison_nodes.card(found, job, language)
    tags: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, str):
            return
        assert set(node) <= {"tag", "attributes", "children", "color"}
        tags.add(node["tag"])
        assert HOSTILE not in json.dumps([node["tag"], node["attributes"], node.get("color")])
        for child in node["children"]:
            walk(child)

    for node in nodes:
        walk(node)
    assert tags <= {"section", "div", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "span", "progress"}
    told = list(texts(nodes))
    assert [name for name in told if name in found.comparison.classes.names] == list(found.comparison.classes.names)
    assert not any(
        "{" in text or "None" in text or "nan" in text for text in told if text not in found.comparison.classes.names
    )


def test_pictures_are_sorted_by_what_changed(hostile: tuple[Job, Compared]) -> None:
    _, found = hostile
    differences = {str(picture.index): picture.difference or 0 for picture in found.comparison.pictures}
    listed = [differences[index] for _, index in comparison_nodes.pictures(found, "en")]
    assert len(listed) == PICTURES
    assert listed == sorted(listed, reverse=True)


def test_figures_are_those_of_the_comparison(job: Job, tmp_path: Path) -> None:
    found = compared(job, quiet)
    told = " ".join(texts(comparison_nodes.card(found, job, "en")))
    comparison = found.comparison
    assert comparison.base
    for side in (comparison.base, comparison.new):
        assert f"{side.figures['mean_iou']:.3f}" in told
    assert f"Measured on {PICTURES} validation pictures." in told
    assert "best checkpoint was chosen on these pictures" in told


# The part of the page


@pytest.fixture
def part(tmp_path: Path) -> KeepPart:
    with gr.Blocks():
        made = KeepPart(Visitors(Workspaces(tmp_path)), StatusRow("ft"), gr.Dropdown())
    made.refresh = lambda request: {}
    return made


REQUEST: Any = SimpleNamespace(cookies={}, session_hash=None, headers={"accept-language": "en"})


def words(part: KeepPart, updates: Any) -> str:
    return " ".join(texts(updates.get(part.status.words) or []))


def test_compare_look_keep_rename_and_remove(part: KeepPart, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    (*_, shown) = part.show(job.name, REQUEST)
    assert shown[part.card] and shown[part.box].visible
    assert len(shown[part.picture].choices) == PICTURES
    for index in range(PICTURES):
        there = part.look_at(job.name, str(index), REQUEST)
        before, after = there[part.slider].value
        assert before != after and Path(there[part.labelled]).is_file()
    nothing = {part.slider: None, part.labelled: None}
    for run, index in ((job.name, "99"), (job.name, "-1"), (job.name, "x"), (job.name, "²"), ("../x", "0"), ("", "0")):
        assert part.look_at(run, index, REQUEST) == nothing
    # The second time nothing is measured.
    monkeypatch.setattr("seg_demo.ui.finetune.keeping.compared", lambda *some: pytest.fail("measured again"))
    (*_, again) = part.show(job.name, REQUEST)
    assert again[part.card] == shown[part.card]
    # What becomes of it.
    own = part.visitors.of(REQUEST).checkpoints
    assert "cannot be called '../x'" in words(part, part.keep_it(job.name, "../x", REQUEST))
    kept = part.keep_it(job.name, "mine", REQUEST)
    assert (job.facts.kept, kept[part.use].visible, kept[part.keep].visible) == ("mine", True, False)
    assert (own / "mine" / "model.safetensors").read_bytes() == (job.run.best / "model.safetensors").read_bytes()
    # Whoever comes back to it finds it kept.
    (first, *_) = part.show(job.name, REQUEST)
    assert (first[part.name], first[part.rename].visible, first[part.keep].visible) == ("mine", True, False)
    # When it has learned more, it can be kept again, but not over somebody else's.
    newer = (own / "mine").stat().st_mtime + 10
    os.utime(job.run.best, (newer, newer))
    first = next(part.show(job.name, REQUEST))
    assert first[part.keep].visible and "earlier state" in " ".join(texts(first[part.kept_words]))
    shutil.copytree(own / "mine", own / "taken")
    assert "There is a checkpoint taken already" in words(part, part.keep_it(job.name, "taken", REQUEST))
    shutil.rmtree(own / "taken")
    part.keep_it(job.name, "mine", REQUEST)
    part.rename_it(job.name, "other", REQUEST)
    assert (job.facts.kept, os.listdir(own)) == ("other", ["other"])
    gone = part.remove_it(job.name, REQUEST)
    assert (gone[part.keep].visible, gone[part.use].visible, os.listdir(own)) == (True, False, [".deleted"])
    for again in (part.rename_it(job.name, "x", REQUEST), part.remove_it(job.name, REQUEST)):
        assert f"There is no checkpoint {job.name} here any more." in words(part, again)
    # It may be brought back, renamed or deleted elsewhere in the page: it is found all the same, or known to be gone.
    workspace = part.visitors.of(REQUEST)
    workspace.restore(workspace.removed()[0].id)
    assert next(part.show(job.name, REQUEST))[part.name] == "other"
    workspace.rename("other", "third")
    assert next(part.show(job.name, REQUEST))[part.name] == "third"
    shutil.rmtree(own / "third")
    lost = next(part.show(job.name, REQUEST))
    assert (lost[part.keep].visible, lost[part.use].visible, lost[part.name]) == (True, False, job.name)
    for name in ("../x", "", "None", None):
        assert "There is no run" in words(part, part.keep_it(name, "mine", REQUEST))
        (*_, told) = part.show(name, REQUEST)
        assert ("There is no run" if name else "There is nothing to compare yet.") in words(part, told)
