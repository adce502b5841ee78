"""Checkpoints to the Hub and back: pushed, pulled, tagged, compared, with the real client and a Hub on 127.0.0.1."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hub_server import HubServer

import seg_demo
from seg_demo.checkpoint import load_checkpoint, read_config, save_checkpoint
from seg_demo.checkpoint.link import LINK_FILE, read_link
from seg_demo.errors import UserError
from seg_demo.hub import patience
from seg_demo.hub.account import NOBODY, Account, whoami
from seg_demo.hub.client import Client
from seg_demo.hub.limits import MB, Limits
from seg_demo.hub.pull import pull
from seg_demo.hub.push import push
from seg_demo.hub.remote import list_remote
from seg_demo.hub.repo import Repo, check_tag
from seg_demo.hub.sync import State, diff, status, verify
from seg_demo.models import build_model

Command = Callable[..., tuple[int, str, str]]
MODEL = ("config.json", "model.safetensors")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE", patience.Patience(timeout=5, tries=3, first_pause=0.01))


@pytest.fixture
def alice(hub: HubServer) -> Account:
    return Account(hub.token("alice"))


@pytest.fixture
def mine(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint called newts, that a test may change."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "checkpoints" / "newts"))


def train(folder: Path, shift: float = 1.0) -> None:
    """Give a checkpoint other weights."""
    checkpoint = load_checkpoint(folder)
    next(iter(checkpoint.model.parameters())).data.add_(shift)
    save_checkpoint(folder, checkpoint.model, checkpoint.config)


def same_model(one: Path, other: Path) -> bool:
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in MODEL)


# Names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "repo"),
    [
        ("ada/newts", Repo("ada", "newts")),
        (" Ada-L/my.newts_2 ", Repo("Ada-L", "my.newts_2")),
        ("ada/newts@v1.0", Repo("ada", "newts", "v1.0")),
        ("ada/newts@refs/pr/3", Repo("ada", "newts", "refs/pr/3")),
        ("https://huggingface.co/ada/newts", Repo("ada", "newts")),
        ("https://hf.co/ada/newts/", Repo("ada", "newts")),
    ],
)
def test_a_repository_by_its_name(text: str, repo: Repo) -> None:
    assert Repo.parse(text) == repo
    assert Repo.parse(str(repo)) == repo


NO_NAMES = (
    *("", "newts", "/", "ada/", "/newts", "a/b/c", "../newts", "ada/..", "ada/.newts", "ada/newts-", "ada/a..b"),
    *("ada/a--b", "ada/n\0", "ada/n\nx", "ada/né", "ada/n w", "ada/n.git", "a" * 60 + "/" + "b" * 60, "~/x", "C:\\x"),
    *("https://evil.example/ada/newts", "ada/newts@", "ada/newts@../x", "ada/newts@a b", "ada/newts@-x", "a/b@/x"),
)


@pytest.mark.parametrize("text", NO_NAMES)
def test_what_is_no_name_is_refused_before_the_hub_is_asked(text: str, hub: HubServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not (the name of a repository|a revision)"):
        pull(text, tmp_path / "out", account=NOBODY)
    assert not hub.requests
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("tag", ["", "a/b", "-x", "v 1", "..", "0" * 40, "v1\n2", "é" * 2])
def test_what_is_no_version(tag: str) -> None:
    with pytest.raises(UserError, match="version cannot be called"):
        check_tag(tag)


def test_an_account_does_not_show_its_token(hub: HubServer) -> None:
    assert hub.token("alice") not in f"{Account(hub.token('alice'))!r} {Account(hub.token('alice'))}"


# There and back ------------------------------------------------------------------------------------------


def test_there_and_back(hub: HubServer, alice: Account, mine: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    pushed = push(
        mine, "alice/newts", account=alice, tag="v1", licence="mit", message="First  one\n",
        progress=lambda done, total: steps.append((done, total)),
    )  # fmt: skip
    repo = hub.repo("alice/newts")
    assert repo.private and pushed.private and pushed.changed
    assert pushed.url == f"{hub.url}/alice/newts"
    files = hub.files("alice/newts")
    assert set(files) == {".gitattributes", "README.md", *MODEL, "samples/drawn.jpg"}
    assert all(files[name] == (mine / name).read_bytes() for name in MODEL)
    assert repo.resolve("v1").id == pushed.commit == repo.resolve("main").id
    assert repo.resolve("main").title == "First one"
    assert steps[-1][0] == steps[-1][1] > 10_000
    assert all(one[0] <= other[0] for one, other in zip(steps, steps[1:], strict=False))

    steps.clear()
    back = tmp_path / "elsewhere" / "back"
    pulled = pull("alice/newts@v1", back, account=alice, progress=lambda done, total: steps.append((done, total)))
    assert same_model(mine, back) and pulled.changed and pulled.layout == "seg_demo"
    assert pulled.commit == pushed.commit
    assert (back / "README.md").read_bytes() == files["README.md"]
    assert (back / "samples" / "drawn.jpg").read_bytes() == files["samples/drawn.jpg"]
    assert steps[-1] == ((back / "model.safetensors").stat().st_size,) * 2
    assert sorted(path.name for path in back.parent.iterdir()) == ["back"], "nothing is left beside it"
    for folder in (mine, back):
        link = read_link(folder)
        assert link is not None
        assert (link.repo, link.commit, link.layout) == ("alice/newts", pushed.commit, "seg_demo")
    assert hub.tokens_seen == {alice.token}


def test_nothing_is_pushed_or_pulled_twice(hub: HubServer, alice: Account, mine: Path, tmp_path: Path) -> None:
    first = push(mine, "alice/newts", account=alice)
    again = push(mine, "alice/newts", account=alice)
    assert not again.changed and again.commit == first.commit
    assert len(hub.asked_for("commit")) == 1
    back = tmp_path / "back"
    assert pull("alice/newts", back, account=alice).changed
    hub.requests.clear()
    assert not pull("alice/newts", back, account=alice).changed
    assert not [request for request in hub.requests if request.path.endswith("safetensors") and "cdn" in str(request)]


def test_only_the_checkpoint_is_pushed(hub: HubServer, alice: Account, mine: Path) -> None:
    (mine / ".env").write_text("SECRET=1")
    (mine / "photo.jpg").write_bytes(b"mine")
    (mine / "notes").mkdir()
    (mine / "notes" / "diary.txt").write_text("dear diary")
    push(mine, "alice/newts", account=alice)
    assert set(hub.files("alice/newts")) == {".gitattributes", "README.md", *MODEL, "samples/drawn.jpg"}
    before = push(mine, "alice/newts", account=alice).commit
    assert LINK_FILE not in hub.files("alice/newts", before)


def test_the_pictures_of_an_earlier_push_go(hub: HubServer, alice: Account, mine: Path) -> None:
    push(mine, "alice/newts", account=alice)
    hub.put("alice/newts", {"samples/data.csv": b"of the owner"})
    push(mine, "alice/newts", account=alice, pictures=[Path("examples/2_leaf_litter.jpg")])
    samples = sorted(name for name in hub.files("alice/newts") if name.startswith("samples/"))
    assert samples == ["samples/1.jpg", "samples/data.csv"]


def test_a_pull_request(hub: HubServer, alice: Account, mine: Path) -> None:
    first = push(mine, "alice/newts", account=alice)
    train(mine)
    pushed = push(mine, "alice/newts", account=alice, pull_request=True, message="Better")
    assert pushed.pull_request == f"{hub.url}/alice/newts/discussions/1"
    assert hub.repo("alice/newts").resolve("main").id == first.commit
    proposed = hub.files("alice/newts", "refs/pr/1")
    assert proposed["model.safetensors"] == (mine / "model.safetensors").read_bytes()
    (row,) = status([mine], alice)
    assert row.state == "local newer", "until it is merged"


def test_three_lines_of_python(hub: HubServer, alice: Account, mine: Path, tmp_path: Path) -> None:
    """Those of the card, in a process of their own."""
    push(mine, "alice/newts", account=alice)
    card = hub.files("alice/newts")["README.md"].decode()
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    shutil.copy("examples/1_water.jpg", tmp_path / "photo.jpg")
    environment = {**hub.environment, "HF_TOKEN": alice.token or "", "PYTHONPATH": str(Path.cwd()), "PATH": "/usr/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert same_model(mine, tmp_path / "checkpoints" / "newts")


# Who may -------------------------------------------------------------------------------------------------


def test_nobody_cannot_push_nor_see_what_is_private(
    hub: HubServer, alice: Account, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="needs an account"):
        push(mine, "alice/newts", account=NOBODY)
    assert not hub.requests
    push(mine, "alice/newts", account=alice)
    monkeypatch.setenv("HF_TOKEN", alice.token or "")  # of this computer, which nobody asked for
    hub.requests.clear()
    with pytest.raises(UserError, match="no public repository alice/newts"):
        pull("alice/newts", tmp_path / "out", account=NOBODY)
    with pytest.raises(UserError, match="that this account may see"):
        pull("alice/newts", tmp_path / "out", account=Account(hub.token("bob")))
    assert hub.tokens_seen == {None, hub.token("bob")}
    assert pull("alice/newts", tmp_path / "out").changed, "the login of this computer is taken where none is named"


def test_a_repository_of_somebody_else(hub: HubServer, alice: Account, mine: Path) -> None:
    with pytest.raises(UserError, match="may not do that with bob/newts"):
        push(mine, "bob/newts", account=alice)
    with pytest.raises(UserError, match=r"may not do that with alice/newts"):
        push(mine, "alice/newts", account=Account(hub.add_token("alice", role="read")))


def test_what_is_meant_to_be_private_is_not_pushed_where_all_can_see_it(
    hub: HubServer, alice: Account, mine: Path
) -> None:
    push(mine, "alice/newts", account=alice, private=False)
    assert not hub.repo("alice/newts").private
    train(mine)
    with pytest.raises(UserError, match="everybody can see it"):
        push(mine, "alice/newts", account=alice)


def test_a_login_that_is_no_more(hub: HubServer, mine: Path) -> None:
    with pytest.raises(UserError, match="does not accept the login|that this account may see"):
        push(mine, "alice/newts", account=Account("hf_expired"))
    with pytest.raises(UserError, match="does not accept the login"):
        whoami(Account("hf_expired"))
    assert whoami(Account(hub.token("bob"))) == "bob"
    assert whoami(NOBODY) == ""


# What would be lost --------------------------------------------------------------------------------------


def test_what_somebody_else_pushed_is_not_overwritten(
    hub: HubServer, alice: Account, mine: Path, tmp_path: Path
) -> None:
    push(mine, "alice/newts", account=alice)
    other = tmp_path / "other"
    pull("alice/newts", other, account=alice)
    train(other)
    theirs = push(other, "alice/newts", account=alice)
    train(mine, 2)
    with pytest.raises(UserError, match="has changed since this checkpoint was last there"):
        push(mine, "alice/newts", account=alice)
    assert hub.repo("alice/newts").resolve("main").id == theirs.commit
    assert push(mine, "alice/newts", account=alice, overwrite=True).changed
    assert hub.files("alice/newts")["model.safetensors"] == (mine / "model.safetensors").read_bytes()


def test_a_repository_with_something_else(hub: HubServer, alice: Account, mine: Path) -> None:
    hub.put("alice/cats", {"config.json": b"{}", "model.safetensors": b"cats"}, private=True)
    with pytest.raises(UserError, match="holds something else already"):
        push(mine, "alice/cats", account=alice)
    assert hub.files("alice/cats")["model.safetensors"] == b"cats"


def test_a_card_that_was_edited_on_the_hub_is_not_lost(hub: HubServer, alice: Account, mine: Path) -> None:
    push(mine, "alice/newts", account=alice)
    hub.put("alice/newts", {"README.md": b"# My words\n"})
    (row,) = status([mine], alice)
    assert row.state == "equal", "a card is not the model"
    train(mine)
    with pytest.raises(UserError, match="has changed since"):
        push(mine, "alice/newts", account=alice)


def test_a_version_that_is_taken(hub: HubServer, alice: Account, mine: Path) -> None:
    push(mine, "alice/newts", account=alice, tag="v1")
    train(mine)
    with pytest.raises(UserError, match="has a version 'v1' already"):
        push(mine, "alice/newts", account=alice, tag="v1")
    assert len(hub.asked_for("commit")) == 1, "it is found out before anything is pushed"


def test_a_checkpoint_in_that_place_is_not_lost(hub: HubServer, alice: Account, mine: Path, tmp_path: Path) -> None:
    push(mine, "alice/newts", account=alice)
    back = tmp_path / "back"
    shutil.copytree(mine, back)
    (back / LINK_FILE).unlink()
    assert not pull("alice/newts", back, account=alice).changed, "it is the same; only the link was missing"
    assert read_link(back)

    train(back)
    kept = (back / "model.safetensors").read_bytes()
    with pytest.raises(UserError, match="was changed since it came from alice/newts"):
        pull("alice/newts", back, account=alice)
    (back / LINK_FILE).unlink()
    with pytest.raises(UserError, match="There is another checkpoint"):
        pull("alice/newts", back, account=alice)
    assert (back / "model.safetensors").read_bytes() == kept
    assert pull("alice/newts", back, account=alice, replace=True).changed
    assert same_model(back, mine)


def test_an_older_copy_is_brought_up_to_date(hub: HubServer, alice: Account, mine: Path, tmp_path: Path) -> None:
    push(mine, "alice/newts", account=alice)
    back = tmp_path / "back"
    pull("alice/newts", back, account=alice)
    train(mine)
    push(mine, "alice/newts", account=alice)
    assert pull("alice/newts", back, account=alice).changed
    assert same_model(back, mine)


@pytest.mark.parametrize("name", ["photo.jpg", "folder/with/no/config"])
def test_what_is_no_checkpoint_is_not_replaced(
    name: str, hub: HubServer, alice: Account, mine: Path, tmp_path: Path
) -> None:
    push(mine, "alice/newts", account=alice)
    out = tmp_path / "place"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_bytes(b"mine")
    with pytest.raises(UserError, match="is not replaced"):
        pull("alice/newts", out, account=alice, replace=True)
    assert (out / name).read_bytes() == b"mine"


def test_limits(hub: HubServer, alice: Account, mine: Path, tmp_path: Path) -> None:
    push(mine, "alice/newts", account=alice)
    with pytest.raises(UserError, match=r"model.safetensors of alice/newts has 0.0 MB, and at most 0.0 MB"):
        pull("alice/newts", tmp_path / "out", account=alice, limits=Limits(weights=1000))
    assert Limits(weights=3 * MB).weights == 3_000_000
    assert not (tmp_path / "out").exists()


class Enough(BaseException):
    """What a button Stop raises."""


def test_a_push_can_be_stopped(hub: HubServer, alice: Account, mine: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done:
            raise Enough

    with pytest.raises(Enough):
        push(mine, "alice/newts", account=alice, progress=stop)
    assert not hub.asked_for("commit")
    assert not (mine / LINK_FILE).exists()
    assert push(mine, "alice/newts", account=alice).changed


def test_a_pull_that_was_stopped_goes_on(hub: HubServer, alice: Account, mine: Path, tmp_path: Path) -> None:
    config = replace(read_config(mine), arguments={"width": 16, "depth": 4})
    save_checkpoint(mine, build_model("unet", 1, **config.arguments), config)
    size = (mine / "model.safetensors").stat().st_size
    push(mine, "alice/newts", account=alice)
    back = tmp_path / "back" / "newts"

    def stop(done: int, total: int) -> None:
        if done >= size / 3:
            raise Enough

    with pytest.raises(Enough):
        pull("alice/newts", back, account=alice, progress=stop)
    assert not back.exists()
    (part,) = (back.parent / ".incoming").iterdir()
    there = part.stat().st_size
    assert size / 3 <= there < size
    reached: list[int] = []
    pull("alice/newts", back, account=alice, progress=lambda done, total: reached.append(done))
    assert min(filter(None, reached)) > there and same_model(back, mine)
    assert [path.name for path in back.parent.iterdir()] == ["newts"]


# Side by side --------------------------------------------------------------------------------------------


def retrain_here(mine: Path, twin: Path, account: Account) -> None:
    train(mine)


def retrain_there(mine: Path, twin: Path, account: Account) -> None:
    train(twin)
    push(twin, "alice/newts", account=account)


def retrain_both(mine: Path, twin: Path, account: Account) -> None:
    retrain_there(mine, twin, account)
    train(mine, 3)


def the_same_on_both_sides(mine: Path, twin: Path, account: Account) -> None:
    retrain_there(mine, twin, account)
    train(mine)


def nothing(mine: Path, twin: Path, account: Account) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (nothing, "equal"),
        (retrain_here, "local newer"),
        (retrain_there, "remote newer"),
        (retrain_both, "diverged"),
        (the_same_on_both_sides, "equal"),
    ],
)
def test_how_both_sides_stand(
    change: Callable[[Path, Path, Account], None],
    state: State,
    hub: HubServer,
    alice: Account,
    mine: Path,
    tmp_path: Path,
) -> None:
    push(mine, "alice/newts", account=alice)
    twin = tmp_path / "twin"
    pull("alice/newts", twin, account=alice)
    change(mine, twin, alice)
    hub.requests.clear()
    (row,) = status([mine], alice, owner="alice")
    assert (row.name, row.repo, row.state, row.problem) == ("newts", "alice/newts", state, None)
    assert not hub.asked_for("resolve") and not hub.asked_for("cdn"), "nothing is downloaded"


def test_what_is_on_one_side_only(hub: HubServer, alice: Account, mine: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(mine, tmp_path / "checkpoints" / "other"))
    push(mine, "alice/elsewhere", account=alice)
    alike = Path(shutil.copytree(other, tmp_path / "checkpoints" / "alike"))
    push(Path(shutil.copytree(other, tmp_path / "copy")), "alice/alike", account=alice)
    push(Path(shutil.copytree(other, tmp_path / "copy2")), "alice/there", account=alice)
    push(
        Path(shutil.copytree(other, tmp_path / "copy3")), "bob/theirs", account=Account(hub.token("bob")), private=False
    )
    rows = status([mine, other, alike], alice, owner="alice")
    assert [(row.name, row.repo, row.state) for row in rows] == [
        ("newts", "alice/elsewhere", "equal"),
        ("other", "", "local only"),
        ("alike", "alice/alike", "equal"),
        ("there", "alice/there", "remote only"),
    ]
    train(alike)
    assert status([alike], alice, owner="alice")[0].state == "diverged", "without a link nobody knows which is newer"


def test_a_repository_that_is_no_more(hub: HubServer, alice: Account, mine: Path) -> None:
    push(mine, "alice/newts", account=alice)
    Client(alice).api.delete_repo("alice/newts")
    (row,) = status([mine], alice)
    assert row.state == "local only"
    assert "that this account may see" in str(row.problem)


def test_without_the_hub_everything_here_works(
    hub: HubServer, alice: Account, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(mine, "alice/newts", account=alice)
    other = Path(shutil.copytree(mine, tmp_path / "checkpoints" / "other"))
    (other / LINK_FILE).unlink()
    hub.close()
    rows = status([mine, other], alice, owner="alice")
    assert [row.state for row in rows] == ["unknown", "unknown"]
    assert all("works without it" in str(row.problem) for row in rows)
    assert [row.state for row in status([mine, other], alice)] == ["unknown", "local only"]
    assert load_checkpoint(mine).config == read_config(other)
    with pytest.raises(UserError, match="cannot be reached"):
        pull("alice/newts", tmp_path / "out", account=alice)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        push(mine, "alice/newts", account=alice)
    assert not (tmp_path / "out").exists()


def test_each_file_of_both_sides(hub: HubServer, alice: Account, mine: Path) -> None:
    with pytest.raises(UserError, match="was never on the Hub"):
        diff(mine, account=alice)
    with pytest.raises(UserError, match="was never on the Hub"):
        verify(mine, alice)
    push(mine, "alice/newts", account=alice)
    assert [(each.name, each.change) for each in diff(mine, account=alice)] == [(name, "equal") for name in MODEL]
    train(mine)
    changes = [("config.json", "equal"), ("model.safetensors", "changed")]
    assert [(each.name, each.change) for each in verify(mine, alice)] == changes
    assert [(each.name, each.change) for each in diff(mine, "alice/newts", alice)] == changes
    push(mine, "alice/newts", account=alice)
    assert all(each.change == "equal" for each in verify(mine, alice))
    hub.put("alice/half", {"config.json": (mine / "config.json").read_bytes()}, private=True)
    assert [each.change for each in diff(mine, "alice/half", alice)] == ["equal", "only local"]


def test_search(hub: HubServer, alice: Account, mine: Path) -> None:
    push(mine, "alice/newts", account=alice)
    push(mine, "alice/frogs", account=alice, private=False)
    hub.put("bob/cats", {"README.md": b"---\nlibrary_name: transformers\ntags: [image-segmentation]\n---\n"})
    hub.put("bob/text", {"README.md": b"---\nlibrary_name: transformers\n---\n"})

    def found(account: Account, **options: object) -> list[tuple[str, str]]:
        return [(each.repo, each.layout) for each in list_remote(Client(account), **options)]  # type: ignore[arg-type]

    assert sorted(found(alice)) == [("alice/frogs", "seg_demo"), ("alice/newts", "seg_demo")]
    assert found(NOBODY) == [("alice/frogs", "seg_demo")]
    assert found(alice, search="newt") == [("alice/newts", "seg_demo")]
    assert found(alice, owner="bob") == []
    assert found(NOBODY, foreign=True) == [("alice/frogs", "seg_demo"), ("bob/cats", "transformers")]


# The command ---------------------------------------------------------------------------------------------


@pytest.fixture
def command(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    from seg_demo.cli.main import main

    monkeypatch.setenv("HF_TOKEN", hub.token("alice"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["hub", *words])
        return code, *capsys.readouterr()

    return run


def test_the_commands(command: Command, hub: HubServer, mine: Path, tmp_path: Path) -> None:
    code, out, _ = command("push", "checkpoints/newts", "alice/newts", "--tag", "v1", "--licence", "cc-by-4.0")
    assert code == 0
    assert out.startswith("checkpoints/newts pushed: http://127.0.0.1:") and "only its owner sees it" in out
    assert "is there already" in command("push", "checkpoints/newts", "alice/newts", "--licence", "cc-by-4.0")[1]
    assert "license: cc-by-4.0" in hub.files("alice/newts")["README.md"].decode()

    code, out, _ = command("pull", "alice/newts@v1", "--out", "again")
    assert code == 0 and out.startswith("again: alice/newts, commit ")
    assert same_model(mine, tmp_path / "again")
    code, out, _ = command("pull", "alice/newts", "--json")
    assert code == 0 and json.loads(out)["folder"] == "checkpoints/newts" and not json.loads(out)["changed"]

    code, out, _ = command("status")
    assert code == 0 and re.search(r"^newts +alice/newts +equal$", out, re.MULTILINE)
    assert json.loads(command("status", "--json")[1]) == {
        "account": "alice",
        "checkpoints": [
            {
                "name": "newts",
                "folder": "checkpoints/newts",
                "repo": "alice/newts",
                "state": "equal",
                "problem": None,
            }
        ],
    }
    assert re.search(r"^alice/newts +seg_demo +private +\d{4}-\d\d-\d\d +0$", command("list")[1], re.MULTILINE)
    assert json.loads(command("list", "--owner", "me", "--json")[1])["repositories"][0]["repo"] == "alice/newts"
    assert command("diff", "checkpoints/newts")[0] == command("verify", "checkpoints/newts")[0] == 0
    train(mine)
    assert command("diff", "checkpoints/newts")[0] == command("verify", "checkpoints/newts")[0] == 1

    code, out, _ = command("push", "checkpoints/newts", "alice/newts", "--pr")
    assert code == 0 and "/discussions/1" in out and "merge it there" in out


def test_the_card_is_printed_without_the_hub(command: Command, hub: HubServer, mine: Path) -> None:
    code, out, _ = command("card", "checkpoints/newts", "--repo", "ada/newts", "--licence", "mit")
    assert code == 0 and 'seg_demo.pull("ada/newts")' in out and "license: mit" in out
    assert not hub.requests


def test_a_command_that_cannot_be(command: Command, hub: HubServer, mine: Path) -> None:
    code, out, error = command("push", "checkpoints/newts", "alice/newts", "--licence", "mti", "--json")
    assert code == 1 and 'Did you mean "mit"?' in json.loads(out)["error"] and error.startswith("error: ")
    assert command("pull", "alice/none")[2].startswith("error: There is no repository alice/none")
    hub.close()
    code, out, error = command("status")
    assert code == 0 and "newts" in out and "note: The Hub cannot be reached." in error


def test_in_python() -> None:
    assert seg_demo.pull is pull and seg_demo.push is push
