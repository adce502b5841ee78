"""Workspaces: one on one's own computer, one for each visitor in public, and no name leads out of them."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import pytest

from seg_demo.checkpoint import find_checkpoints, load_checkpoint
from seg_demo.errors import UserError
from seg_demo.jobs.workspace import KEPT_DAYS, LONGEST_NAME, TOKEN, Workspace, Workspaces, new_token, plain_name

DAY = 24 * 3600
HOSTILE = ["../x", "..", ".", "", "/etc", "a/b", "a\\b", "x" * 3000, "a\0b", "a\nb", "<b>", "${x}", "{name}"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspaces(tmp_path / "root").of(None)


def below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# Whose is what


def test_on_ones_own_computer_there_is_one(tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path, folder=tmp_path / "home")
    mine = workspaces.of(None)
    assert mine == workspaces.of(new_token()) == workspaces.of("../../etc")
    assert (mine.runs, mine.checkpoints, mine.public) == (tmp_path / "runs", tmp_path / "checkpoints", False)
    assert list(workspaces.all()) == [mine]
    # What lies beside the runs is none of them.
    for folder in (mine.brought, mine.desk, mine.runs / "a-1"):
        folder.mkdir(parents=True)
    assert mine.run_folders() == [mine.runs / "a-1"]


def test_in_public_each_visitor_has_one(tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path, public=True, folder=tmp_path / "home")
    one, other = new_token(), new_token()
    assert TOKEN.fullmatch(one)
    assert workspaces.of(one) == workspaces.of(one) != workspaces.of(other)
    assert workspaces.of(one).public
    for token in (one, other):
        workspaces.of(token).runs.mkdir(parents=True)
    assert set(workspaces.all()) == {workspaces.of(one), workspaces.of(other)}
    folders = workspaces.of(one)
    assert len({folders.runs, folders.checkpoints, folders.brought, folders.desk}) == 4


def test_a_path_does_not_tell_the_secret(tmp_path: Path) -> None:
    token = new_token()
    mine = Workspaces(tmp_path, public=True, folder=tmp_path).of(token)
    assert token not in str(mine)
    # Whoever sees a path and takes its name for a secret gets another workspace.
    assert Workspaces(tmp_path, public=True, folder=tmp_path).of(mine.runs.parent.name) != mine


@pytest.mark.parametrize(
    "token", [None, "", "../../../etc/passwd/xxxxxxxxxxxxx", "x" * 31, "x" * 33, "x" * 31 + "/", "é" * 32]
)
def test_who_comes_without_a_secret_gets_a_new_workspace(token: str | None, tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path, public=True, folder=tmp_path)
    found = workspaces.of(token)
    assert found.runs.is_relative_to(tmp_path / "workspaces")
    assert found != workspaces.of(token)


def test_what_visitors_have_left_behind_goes(tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path, public=True, folder=tmp_path)
    old, back, recent = new_token(), new_token(), new_token()
    for token, days in ((old, KEPT_DAYS + 1), (back, KEPT_DAYS + 1), (recent, KEPT_DAYS - 1)):
        runs = workspaces.of(token).runs
        runs.mkdir(parents=True)
        os.utime(runs.parent, (time.time() - days * DAY,) * 2)
    workspaces.of(back)
    (tmp_path / "workspaces" / "gone").symlink_to(tmp_path / "nowhere")
    workspaces.clean_up()
    assert [workspaces.of(token).runs.is_dir() for token in (old, back, recent)] == [False, True, True]
    # On one's own computer nothing is ever removed.
    os.utime(workspaces.of(recent).runs.parent, (0, 0))
    Workspaces(tmp_path, folder=tmp_path).clean_up()
    assert workspaces.of(recent).runs.is_dir()


# Runs


def made(workspace: Workspace, name: str) -> Path:
    with workspace.new_run(name) as new:
        assert workspace.run_folders() == [] or new.staging not in workspace.run_folders()
        (new.staging / "data").mkdir()
        return new.finish()


def test_a_run_that_was_not_prepared_to_the_end_leaves_nothing(workspace: Workspace) -> None:
    with pytest.raises(OSError), workspace.new_run("a") as new:
        (new.staging / "half").write_text("")
        raise OSError
    assert list(workspace.runs.iterdir()) == []


def test_runs_are_numbered_and_listed_the_newest_first(workspace: Workspace) -> None:
    assert workspace.run_folders() == []
    runs = [made(workspace, name) for name in ("my newts", "my newts", "../../etc", "写真", "\udcff", "CON")]
    assert [run.name for run in runs] == ["my-newts-1", "my-newts-2", "etc-1", "写真-1", "run-1", "CON-1"]
    assert {run.parent for run in runs} == {workspace.runs}
    for age, run in enumerate(runs):
        os.utime(run / "data", (1e9 - age,) * 2)
    os.utime(runs[-1], (2e9,) * 2)  # as its training does
    assert workspace.run_folders() == runs
    shutil.rmtree(runs[0])
    assert made(workspace, "my newts") == runs[0]


@pytest.mark.parametrize("name", [*HOSTILE, "a-2", ".brought", "link", "file"])
def test_a_run_is_found_by_its_name_alone(name: str, workspace: Workspace, tmp_path: Path) -> None:
    assert workspace.run_folder(made(workspace, "a").name) == workspace.runs / "a-1"
    workspace.brought.mkdir()
    (tmp_path / "root" / "x").mkdir()
    (workspace.runs / "link").symlink_to(tmp_path)
    (workspace.runs / "file").write_text("")
    with pytest.raises(UserError, match="There is no run .* here any more. Choose another one.") as caught:
        workspace.run_folder(name)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        *((name, "run") for name in ("", "..", "///", "  ", "---", "\0")),
        *(
            ("a b", "a-b"),
            ("../a/b", "a-b"),
            ("x" * 100, "x" * 40),
            ("イモリ.zip", "イモリ-zip"),
            ("<img src=x>", "img-src-x"),
        ),
    ],
)
def test_a_plain_name(name: str, plain: str) -> None:
    assert plain_name(name) == plain


# Checkpoints


def test_keep_rename_and_remove(workspace: Workspace, tiny_checkpoint: Path) -> None:
    kept = workspace.keep(tiny_checkpoint, " 私の newts-2.1 ")
    assert kept == workspace.checkpoints / "私の newts-2.1"
    assert find_checkpoints(workspace.checkpoints) == [kept]
    assert "# 私の newts-2.1" in (kept / "README.md").read_text("utf-8")
    assert (kept / "model.safetensors").read_bytes() == (tiny_checkpoint / "model.safetensors").read_bytes()
    other = workspace.rename(kept.name, "other")
    assert find_checkpoints(workspace.checkpoints) == [other]
    assert "# other" in (other / "README.md").read_text("utf-8")
    assert load_checkpoint(other).config == load_checkpoint(tiny_checkpoint).config
    workspace.remove("other")
    assert below(workspace.checkpoints) == []
    assert tiny_checkpoint.is_dir()


@pytest.mark.parametrize(
    "name",
    [
        *HOSTILE,
        "...",
        ".hidden",
        "-x",
        " ",
        "a.",
        "a .",
        "x" * (LONGEST_NAME + 1),
        "a:b",
        "a*",
        "CON",
        "nul.txt",
        "Lpt1",
        "a@b",
    ],
)
def test_names_that_a_checkpoint_cannot_have(name: str, workspace: Workspace, tiny_checkpoint: Path) -> None:
    kept = workspace.keep(tiny_checkpoint, "a")
    before = below(workspace.runs.parent)
    for work in (
        lambda: workspace.keep(tiny_checkpoint, name), lambda: workspace.rename("a", name),
        lambda: workspace.rename(name, "b"), lambda: workspace.remove(name),
    ):  # fmt: skip
        with pytest.raises(
            UserError, match="A checkpoint cannot be called .*. Use up to 60 letters, digits, - and _."
        ) as told:
            work()
        assert len(str(told.value)) < 180
    assert below(workspace.runs.parent) == before
    assert kept.is_dir()


@pytest.mark.parametrize("name", ["x" * LONGEST_NAME, "𠀋" * LONGEST_NAME, "a b+c", "console", "1"])
def test_names_that_it_can_have(name: str, workspace: Workspace, tiny_checkpoint: Path) -> None:
    assert load_checkpoint(workspace.keep(tiny_checkpoint, name)).name == name


def test_nothing_is_replaced_and_nothing_else_removed(workspace: Workspace, tiny_checkpoint: Path) -> None:
    one, other = (workspace.keep(tiny_checkpoint, name) for name in "ab")
    for work in (
        lambda: workspace.keep(tiny_checkpoint, "a"),
        lambda: workspace.rename("b", "a"),
        lambda: workspace.rename("a", "a"),
    ):
        with pytest.raises(UserError, match="There is a checkpoint a already. Choose another name."):
            work()
    (workspace.checkpoints / "mine").mkdir()
    (workspace.checkpoints / "mine" / "diary.txt").write_text("")
    for name in ("mine", "nowhere"):
        for work in (lambda: workspace.remove(name), lambda: workspace.rename(name, "c")):  # noqa: B023
            with pytest.raises(UserError, match=re.escape(f"There is no checkpoint {name} here any more.")):
                work()
    assert find_checkpoints(workspace.checkpoints) == [one, other]
    assert (workspace.checkpoints / "mine" / "diary.txt").is_file()
