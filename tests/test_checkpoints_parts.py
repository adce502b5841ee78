"""The parts of the Checkpoints tab: cards of strangers, rows, transfers, bounds, and in whose name the Hub is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from seg_demo.errors import UserError
from seg_demo.hub.account import NOBODY, Account
from seg_demo.hub.remote import Found
from seg_demo.hub.sync import Sync
from seg_demo.infer.library import Library
from seg_demo.jobs.workspace import Workspaces
from seg_demo.ui.checkpoints import details, limits, rows
from seg_demo.ui.checkpoints.asking import Asking
from seg_demo.ui.checkpoints.markdown import LONGEST, rendered
from seg_demo.ui.checkpoints.signing import account_of, can_sign_in, told_of
from seg_demo.ui.checkpoints.tab import CheckpointsTab
from seg_demo.ui.checkpoints.transfers import Transfer, Transfers
from seg_demo.ui.i18n import LANGUAGES

SECRET = "hf_" + "Canary" * 6
TAGS = {"article", "h3", "h4", "h5", "h6", "p", "ul", "ol", "li", "pre", "code", "strong", "em", "a", "div"} | {
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for each in node:
            yield from nodes(each)
    elif isinstance(node, dict):
        yield node
        yield from nodes(node["children"])


def words(node: Any) -> str:
    if isinstance(node, str):
        return node
    return "".join(map(words, node if isinstance(node, list) else node["children"]))


# Cards of strangers


@pytest.mark.parametrize(
    ("card", "shown"),
    [
        ("# A\n\ntext", ["h3: A", "p: text"]),
        ("---\nlicense: mit\n---\n# A", ["h3: A"]),
        ("- a\n- b\n  more", ["ul: ab more"]),
        ("1. a\n2. b", ["ol: ab"]),
        ("| a | b |\n|---|---|\n| 1 | 2\\|3 |\n| 4 | 5 | 6 |", ["div: ab12|345"]),
        ("```html\n<b>&lt;</b>\n```\nafter", ["pre: <b>&lt;</b>", "p: after"]),
        ("**a** *b* `c` \\*d\\*", ["p: a b c *d*"]),
        ("![a picture](https://evil.example/pixel.png)", ["p: a picture"]),
        ("[bank](https://evil.example/x)", ["p: bank (https://evil.example/x)"]),
        ("[bank](javascript:alert)", ["p: bank (javascript:alert)"]),
        ("<img src=x onerror=alert(1)> &lt;b&gt;", ["p: <img src=x onerror=alert(1)> <b>"]),
        ("```\nnever closed", ["pre: never closed"]),
        ("", []),
    ],
)
def test_a_card_is_rendered(card: str, shown: list[str]) -> None:
    assert [f"{node['tag']}: {words(node)}" for node in rendered(card)] == shown  # type: ignore[index]


def test_a_strangers_card_makes_no_request_and_runs_nothing() -> None:
    """Whatever is written: only harmless elements, and addresses of the web that are seen."""
    pieces = (
        "<script>", "![", "](", ")", "[x]", "http://a.b/c", "javascript:x", "data:text/html,x", "|", "`", "**", "\\",
        "\n", "# ", "- ", "---", "&#106;avascript:", "<", ">", '"', " onload=x ", "[", "```", "é",
    )  # fmt: skip
    state = 1
    for _ in range(300):
        text = ""
        for _ in range(40):
            state = (state * 1103515245 + 12345) % 2**31
            text += pieces[(state >> 8) % len(pieces)]
        for node in nodes(rendered(text)):
            assert node["tag"] in TAGS
            assert set(node["attributes"]) <= {"class", "scope", "tabindex", "href", "target", "rel"}
            if node["tag"] == "a":
                assert node["attributes"]["href"].startswith(("http://", "https://"))
                assert words(node) == node["attributes"]["href"]


def test_a_card_made_to_take_long_does_not() -> None:
    begun = time.perf_counter()
    for piece in ("*" * 7, "[", "![](", "`", "**a", "| - ", "- \n", "http://", "\\", "(<", "---\n", "# "):
        rendered(piece * LONGEST)
    assert time.perf_counter() - begun < 10


# Rows and details


@pytest.fixture
def here(tmp_path: Path, tiny_species_checkpoint: Path) -> tuple[Library, Workspaces]:
    import shutil

    shutil.copytree(tiny_species_checkpoint, tmp_path / "checkpoints" / "tiny")
    (tmp_path / "checkpoints" / "broken").mkdir()
    (tmp_path / "checkpoints" / "broken" / "config.json").write_text("{")
    return Library(tmp_path / "checkpoints"), Workspaces(tmp_path)


def test_rows_of_what_is_here_and_there(here: tuple[Library, Workspaces]) -> None:
    library, workspaces = here
    found = rows.held(library, workspaces.of(None))
    assert [(one.name, one.own) for one in found.values()] == [("broken", True), ("tiny", True)]
    broken, tiny = rows.rows_of(found.values(), None, "en")
    assert "is not valid JSON" in broken.problem
    assert (tiny.class_count, tiny.state, tiny.iou, tiny.problem) == (3, "unasked", None, "")
    known = [
        Sync("tiny", found["tiny"].folder, "ada/tiny", "equal", Found("ada/tiny", True, 5.0, 0, 0, "seg_demo")),
        Sync("other", None, "ada/other", "remote only", Found("ada/other", False, 6.0, 3, 1, "smp")),
    ]
    _, tiny, other = rows.rows_of(found.values(), known, "en")
    assert (tiny.state, tiny.repo, tiny.private, tiny.pushed) == ("equal", "ada/tiny", True, 5.0)
    assert (other.key, other.kind, other.url[-10:]) == ("hub:ada/other", "remote", "/ada/other")
    assert {row.state for row in rows.rows_of(found.values(), (), "en", failed=True)} == {"unknown"}
    for language in LANGUAGES:
        assert "3" in words(details.of_remote(known[1], language))
        for one in found.values():
            assert words(details.of_local(one, language)).startswith(one.name)


def test_a_key_is_looked_up_among_what_there_is(here: tuple[Library, Workspaces]) -> None:
    library, workspaces = here
    workspace = workspaces.of(None)
    assert rows.held_by_key(library, workspace, "tiny").folder == workspace.checkpoints / "tiny"
    for key in ("../tiny", "/etc", str(workspace.checkpoints / "tiny"), "hub:ada/tiny", ""):
        with pytest.raises(UserError, match="This checkpoint is not here any more"):
            rows.held_by_key(library, workspace, key)


def test_a_strangers_checkpoints_are_not_there(tmp_path: Path, tiny_species_checkpoint: Path) -> None:
    import shutil

    workspaces = Workspaces(tmp_path, public=True, folder=tmp_path / "home")
    mine, theirs = (workspaces.of(letter * 32) for letter in "ab")
    shutil.copytree(tiny_species_checkpoint, tmp_path / "checkpoints" / "shared")
    shutil.copytree(tiny_species_checkpoint, theirs.checkpoints / "theirs")
    library = Library(tmp_path / "checkpoints", shared=True)
    (key,) = (one.key for one in rows.held(library, theirs).values() if one.own)
    assert [(one.name, one.own) for one in rows.held(library, mine).values()] == [("shared", False)]
    with pytest.raises(UserError):
        rows.held_by_key(library, mine, key)


@pytest.mark.parametrize(
    "metrics", [{"a": 3, "b": {"mean_iou": 0.5}}, {"b": {"mean_iou": 0.5}, "c": {"mean_iou": 0.7}}]
)
def test_the_first_figure_there_is(metrics: dict[str, Any]) -> None:
    assert rows.mean_iou(metrics) == ("b", 0.5)
    assert rows.mean_iou({"a": {"mean_iou": "0.5"}, "b": {"mean_iou": True}, "c": {"mean_iou": 7}}) == ("", None)


# Transfers


def wait_for(transfer: Transfer, state: str) -> None:
    for _ in range(500):
        if transfer.state == state:
            return
        time.sleep(0.01)
    raise AssertionError(f"{transfer.state}, not {state}")


def test_one_transfer_at_a_time_that_can_be_stopped(tmp_path: Path) -> None:
    transfers, go = Transfers(most=2), threading.Event()

    def work(progress: Any) -> str:
        progress(1, 4)
        while not go.wait(0.01):
            progress(2, 4)
        return "there"

    first = transfers.begin(tmp_path / "a", Transfer("push", tmp_path / "x", "ada/x"), work)
    with pytest.raises(UserError, match="A push or pull goes on already"):
        transfers.begin(tmp_path / "a", Transfer("pull", tmp_path / "y", "ada/y"), work)
    second = transfers.begin(tmp_path / "b", Transfer("pull", tmp_path / "y", "ada/y"), work)
    with pytest.raises(UserError, match="Too many visitors push or pull"):
        transfers.begin(tmp_path / "c", Transfer("pull", tmp_path / "y", "ada/y"), work)
    transfers.stop(tmp_path / "a")
    wait_for(first, "stopped")
    assert (second.state, transfers.of(tmp_path / "b")) == ("running", second)
    go.set()
    wait_for(second, "done")
    assert (second.result, second.total, transfers.of(tmp_path / "b")) == ("there", 4, second)
    assert transfers.of(tmp_path / "c") is None
    failed = transfers.begin(tmp_path / "a", Transfer("push", tmp_path / "x", "ada/x"), lambda progress: 1 / 0)
    wait_for(failed, "failed")
    assert failed.problem is None


# In whose name


def test_among_strangers_nobody_asks_in_the_servers_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.delenv("OAUTH_CLIENT_ID", raising=False)
    assert account_of(True, None) == NOBODY
    token = gr.OAuthToken(token="hf_visitor", scope="", expires_at=0)
    assert account_of(True, token).token == "hf_visitor"
    assert account_of(False, None).token == SECRET
    assert not can_sign_in()
    assert "Public checkpoints can be pulled" in words(told_of(NOBODY, "", True, "en"))
    assert "hf auth login" in words(told_of(NOBODY, "", False, "en"))
    assert words(told_of(Account(SECRET), "ada", False, "en")) == "Signed in to the Hub as ada"


def test_what_one_account_was_told_no_other_one_sees(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from seg_demo.ui.checkpoints import asking

    monkeypatch.setattr(asking, "whoami", lambda account: "ada" if account.token else "")
    told = [Sync("x", None, "ada/x", "remote only")]
    monkeypatch.setattr(asking, "status", lambda folders, account, owner, progress: told if owner else [])
    asks = Asking()
    assert asks.ask(tmp_path, [], Account(SECRET)).syncs == tuple(told)
    assert asks.known(tmp_path, NOBODY) is None
    assert asks.known(tmp_path / "other", Account(SECRET)) is None
    assert SECRET not in repr(vars(asks._known))


# Bounds, and sentences without folders


def test_what_a_visitor_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspaces(tmp_path, public=True, folder=tmp_path).of("a" * 32)
    limits.check_room(workspace)
    for name in "ab":
        (workspace.checkpoints / name).mkdir(parents=True)
        (workspace.checkpoints / name / "config.json").write_text("{}")
    monkeypatch.setattr(limits, "CHECKPOINTS", 2)
    with pytest.raises(UserError, match="There are 2 checkpoints of yours here"):
        limits.check_room(workspace)
    monkeypatch.setattr(limits, "CHECKPOINTS", 3)
    monkeypatch.setattr(limits, "BYTES", 3)
    with pytest.raises(UserError, match=r"Your checkpoints here take 0\.0 GB"):
        limits.check_room(workspace)
    limits.check_side(1024, 1024)
    with pytest.raises(UserError, match="at most 1024 pixels a side"):
        limits.check_side(1025, 8)


def test_a_sentence_does_not_tell_where_the_server_has_its_things(tmp_path: Path) -> None:
    error = UserError("{folder} is odd: {what}.", folder=tmp_path / "mine", what="so")
    assert str(CheckpointsTab.plain(error)) == "mine is odd: so."


def test_a_push_needs_an_account() -> None:
    from seg_demo.ui.checkpoints.pushing import PushPart

    part = object.__new__(PushPart)
    for public, words_ in ((True, "Sign in first, over the list"), (False, "Log in on this computer first")):
        part.tab = SimpleNamespace(visitors=SimpleNamespace(public=public))  # type: ignore[assignment]
        with pytest.raises(UserError, match=words_):
            part.check_account(NOBODY)
        part.check_account(Account(SECRET))
