"""Workspaces: one on one's own computer, one for each visitor in public, and no name leads out of them."""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seg_demo.checkpoint import find_checkpoints, load_checkpoint, read_config
from seg_demo.checkpoint.card import model_card
from seg_demo.checkpoint.link import Link, read_link, write_link
from seg_demo.checkpoint.name import LONGEST_NAME, check_name, made_plain
from seg_demo.checkpoint.rename import renamed_card
from seg_demo.errors import UserError
from seg_demo.infer.library import BUNDLED
from seg_demo.jobs.bin import Removed
from seg_demo.jobs.job import Job
from seg_demo.jobs.workspace import KEPT_DAYS, TOKEN, Workspace, Workspaces, new_token, plain_name

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
    assert find_checkpoints(workspace.checkpoints) == []
    assert tiny_checkpoint.is_dir()


def test_a_rename_touches_no_weights_and_keeps_the_link(workspace: Workspace, tiny_checkpoint: Path) -> None:
    kept = workspace.keep(tiny_checkpoint, "a")
    card = (kept / "README.md").read_text("utf-8")
    (kept / "README.md").write_text(card + "\nMy own words about a.\n", "utf-8")
    link = Link("ada/newts", "0" * 40, "seg_demo", "pushed", 1.0, {"config.json": "0" * 64}, {"config.json": "0" * 40})
    write_link(kept, link)
    (kept / "samples").mkdir()
    (kept / "samples" / "1.png").write_bytes(b"")
    for path in (kept / "model.safetensors", kept):
        os.utime(path, (1e9, 1e9))
    inode = (kept / "model.safetensors").stat().st_ino
    other = workspace.rename("a", "b 2.1")
    assert not kept.exists()
    assert below(other) == [".hub.json", "README.md", "config.json", "model.safetensors", "samples", "samples/1.png"]
    assert [(other / "model.safetensors").stat().st_ino, other.stat().st_mtime] == [inode, 1e9]
    renamed = (other / "README.md").read_text("utf-8")
    assert renamed == model_card("b 2.1", load_checkpoint(other).config) + "\nMy own words about a.\n"
    assert read_link(other) == link


@pytest.mark.parametrize("name", ["b 2.1", "_b_", "1e3", "yes", "no-", "写真"])
def test_a_card_says_the_new_name(name: str, tiny_checkpoint: Path) -> None:
    config = replace(read_config(tiny_checkpoint), metrics={"test": {"mean_iou": 0.5}})
    before = model_card("start", config) + "\nI like checkpoints/start.\n"
    after = renamed_card(before, config, "start", name)
    assert after == model_card(name, config) + "\nI like checkpoints/start.\n"
    assert renamed_card(after, config, name, "start") == before
    # What somebody else has written stays.
    assert renamed_card("Of somebody's own, about start.", config, "start", name) == "Of somebody's own, about start."


def test_a_damaged_checkpoint_can_be_renamed_and_deleted(workspace: Workspace) -> None:
    folder = workspace.checkpoints / "a"
    folder.mkdir(parents=True)
    for name, content in (("config.json", b"{"), ("README.md", b"# a\n"), ("model.safetensors", b"")):
        (folder / name).write_bytes(content)
    other = workspace.rename("a", "b")
    assert (other / "README.md").read_bytes() == b"# a\n"
    (other / "README.md").write_bytes(b"\xff")
    assert workspace.restore(workspace.remove(workspace.rename("b", "c").name).id).name == "c"


def test_a_rename_that_fails_changes_nothing(
    workspace: Workspace, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = workspace.keep(tiny_checkpoint, "a")
    before = {path: path.read_bytes() for path in kept.iterdir()}

    def fail(*_: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        with pytest.raises(UserError, match=r"^The checkpoint a could not be moved \(Permission denied\)\. Check the"):
            workspace.rename("a", "b")
        with pytest.raises(UserError, match=r"^The checkpoint a could not be deleted \(Permission denied\)\. Check"):
            workspace.remove("a")
        patch.setattr(Path, "rename", lambda old, new: taken(old, new))
        with pytest.raises(UserError, match="There is a checkpoint b already. Choose another name."):
            workspace.rename("a", "b")
    assert {path: path.read_bytes() for path in kept.iterdir()} == before
    assert below(workspace.checkpoints / ".deleted") == []


def taken(_: Path, new: Path) -> None:
    """Somebody else takes the name in between."""
    new.mkdir()
    (new / "config.json").write_text("")
    raise OSError(errno.ENOTEMPTY, "Directory not empty")


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


def test_a_checkpoint_that_is_written_again_keeps_its_link_and_no_old_samples(
    workspace: Workspace, tiny_checkpoint: Path
) -> None:
    kept = workspace.keep(tiny_checkpoint, "a")
    link = Link("ada/newts", "0" * 40, "seg_demo", "pulled", 1.0, {"config.json": "0" * 64}, {})
    write_link(kept, link)
    (kept / "samples").mkdir()
    (kept / "samples" / "1.JPG").write_bytes(b"")
    workspace.keep(tiny_checkpoint, "a", again="a")
    assert read_link(kept) == link
    assert below(kept) == [".hub.json", "README.md", "config.json", "model.safetensors"]
    # What is no picture, or a folder of that name among the others, might be somebody's own.
    for mine in ("samples/diary.txt", "samples/more/1.png", ".hub.json/x"):
        shutil.rmtree(kept / "samples", ignore_errors=True)
        (kept / ".hub.json").unlink(missing_ok=True)
        (kept / mine).parent.mkdir(parents=True)
        (kept / mine).write_text("")
        with pytest.raises(UserError, match=f"a holds {mine.split('/')[0]} besides a checkpoint, which would be lost"):
            workspace.keep(tiny_checkpoint, "a", again="a")
        assert (kept / mine).is_file()


# What was deleted


def test_what_was_deleted_can_be_brought_back(workspace: Workspace, tiny_checkpoint: Path) -> None:
    kept = workspace.keep(tiny_checkpoint, "a")
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    removed = workspace.remove("a")
    assert (removed.name, workspace.removed(), workspace.removed()[0].bytes) == ("a", [removed], removed.bytes)
    assert removed.bytes > len(before["model.safetensors"])
    assert time.time() - 60 < removed.when <= time.time()
    assert find_checkpoints(workspace.checkpoints) == []
    assert workspace.restore(removed.id) == kept
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before
    assert workspace.removed() == []
    assert below(workspace.checkpoints / ".deleted") == []
    # Twice is once too often.
    for id in (removed.id, "../x", "", "0" * 16 + "-" + "0" * 16, "a" * 3000):
        with pytest.raises(UserError, match="is gone for good: what is deleted is kept for 7 days at most"):
            workspace.restore(id)


def test_brought_back_under_another_name_where_its_own_is_taken(workspace: Workspace, tiny_checkpoint: Path) -> None:
    name = "x" * LONGEST_NAME
    ids = []
    for _ in range(3):
        workspace.keep(tiny_checkpoint, name)
        ids.append(workspace.remove(name).id)
    assert [removed.id for removed in workspace.removed()] == ids[::-1]
    names = [workspace.restore(id).name for id in ids]
    assert names == [name, name[:-2] + "-2", name[:-2] + "-3"]
    assert {load_checkpoint(folder).name for folder in find_checkpoints(workspace.checkpoints)} == set(names)
    assert f"# {names[2]}\n" in (workspace.checkpoints / names[2] / "README.md").read_text("utf-8")


def test_what_was_deleted_long_ago_or_is_too_much_goes(
    tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspaces = Workspaces(tmp_path, folder=tmp_path)
    workspace = workspaces.of(None)

    def deleted(name: str) -> Removed:
        workspace.keep(tiny_checkpoint, name)
        return workspace.remove(name)

    now = time.time_ns()
    for days, name in ((8, "old"), (6, "young")):
        monkeypatch.setattr(time, "time_ns", lambda days=days: now - days * DAY * 10**9)
        deleted(name)
    assert [removed.name for removed in workspace.removed()] == ["young"]
    monkeypatch.setattr(time, "time_ns", lambda: now)
    moment = time.time()
    monkeypatch.setattr(time, "time", lambda: moment + 2 * DAY)
    (workspace.checkpoints / ".deleted" / ".half-gone").mkdir()
    workspaces.clean_up()
    assert below(workspace.checkpoints) == [".deleted"]
    monkeypatch.undo()
    # No more than so many, and so many bytes, but always the last one.
    monkeypatch.setattr("seg_demo.jobs.bin.MOST", 2)
    names = [deleted(name).name for name in "abc"]
    assert [removed.name for removed in workspace.removed()] == names[:0:-1]
    monkeypatch.setattr("seg_demo.jobs.workspace.MOST_BYTES", 10)
    big = deleted("big")
    assert workspace.removed() == [big]
    assert [path.name for path in (workspace.checkpoints / ".deleted").iterdir()] == [big.id]


def test_visitors_bring_back_their_own(tmp_path: Path, tiny_checkpoint: Path) -> None:
    workspaces = Workspaces(tmp_path, public=True, folder=tmp_path / "home")
    one, other = (workspaces.of(new_token()) for _ in range(2))
    one.keep(tiny_checkpoint, "a")
    removed = one.remove("a")
    with pytest.raises(UserError, match="gone for good"):
        other.restore(removed.id)
    workspaces.clean_up()
    assert one.restore(removed.id) == one.checkpoints / "a"


def test_bundled_checkpoints_stay(tmp_path: Path, tiny_checkpoint: Path) -> None:
    workspace = Workspaces(tmp_path).of(None)
    for name in BUNDLED:
        kept = workspace.keep(tiny_checkpoint, name)
        assert workspace.is_bundled(name)
        for work in (lambda name=name: workspace.rename(name, "b"), lambda name=name: workspace.remove(name)):
            with pytest.raises(UserError, match=f"^The checkpoint {name} came with the program, so it is neither"):
                work()
        assert kept.is_dir()
    # What a visitor has called so is the visitor's.
    visitor = Workspaces(tmp_path, public=True, folder=tmp_path / "home").of(new_token())
    visitor.keep(tiny_checkpoint, BUNDLED[0])
    assert not visitor.is_bundled(BUNDLED[0])
    visitor.remove(BUNDLED[0])


def test_notes_of_runs_follow_their_checkpoint(workspace: Workspace, tiny_checkpoint: Path) -> None:
    one, other = (Job(made(workspace, name)) for name in ("one", "other"))
    for job, name in ((one, "a"), (other, "b")):
        job.note(kept=workspace.keep(tiny_checkpoint, name).name)
    workspace.rename("a", "c")
    assert (one.facts.kept, other.facts.kept) == ("c", "b")
    removed = workspace.remove("c")
    assert (removed.runs, one.facts.kept, other.facts.kept) == ((one.name,), "", "b")
    workspace.keep(tiny_checkpoint, "c")  # which is another one
    assert workspace.restore(removed.id).name == one.facts.kept == "c-2"
    # What was kept of it meanwhile is what it has now.
    removed = workspace.remove("c-2")
    one.note(kept="c")
    workspace.restore(removed.id)
    assert one.facts.kept == "c"


names = st.text(st.characters(codec="utf-8") | st.sampled_from("aB1 .-_+"), max_size=LONGEST_NAME + 4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names)
def test_any_name_survives_rename_delete_and_restore(workspace: Workspace, tiny_checkpoint: Path, text: str) -> None:
    try:
        name = check_name(text)
    except UserError:
        name = made_plain(text)
        assert check_name(name) == name
    assert check_name(made_plain(name)) == name
    if not (workspace.checkpoints / "start").exists():
        workspace.keep(tiny_checkpoint, "start")
    folder = workspace.checkpoints / name if name == "start" else workspace.rename("start", f" {name} ")
    assert folder.name == name
    assert (folder / "README.md").read_text("utf-8") == model_card(name, read_config(folder))
    assert find_checkpoints(workspace.checkpoints) == [folder]
    assert workspace.restore(workspace.remove(name).id) == folder
    if name != "start":
        workspace.rename(name, "start")
    assert below(workspace.checkpoints / "start") == ["README.md", "config.json", "model.safetensors"]
