"""Visitors: a browser keeps its secret in a cookie, and nobody finds what is another's without having been told."""

from __future__ import annotations

import asyncio
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seg_demo.errors import UserError
from seg_demo.infer.library import Library
from seg_demo.jobs.workspace import TOKEN, Workspace, Workspaces, new_token
from seg_demo.ui.visitors import AGE, COOKIE, VisitorCookie, Visitors

SECRET = "abcdefghijklmnopqrstuvwxyz-_0123"
FORGED = [
    "", "short", "x" * 31, "x" * 33, "x" * 3000, "../../../../../etc/passwd/xxxxxx", "a b" * 11, "é" * 32,
    "x" * 31 + "=", "%2e%2e%2f" * 3 + "xxxxx", "null", "{}",
]  # fmt: skip


def run(answer: Any) -> None:
    """In a thread of its own: a browser that other tests have opened keeps a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, answer).result()


def answered(cookie: str | None = None, path: str = "/", **scope: Any) -> list[str]:
    """The cookies that the middleware sets where a browser sends `cookie`; the answer passes through it whole."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"page"})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [*scope.pop("headers", ()), *([(b"cookie", cookie.encode("latin-1"))] if cookie is not None else [])]
    run(VisitorCookie(app)({"type": "http", "scheme": "http", "path": path, "headers": headers, **scope}, None, send))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[1]["body"] == b"page"
    assert (b"content-type", b"text/html") in sent[0]["headers"]
    return [value.decode() for name, value in sent[0]["headers"] if name == b"set-cookie"]


def request(token: str | None = None, session: str | None = None) -> Any:
    return SimpleNamespace(cookies={COOKIE: token} if token is not None else {}, session_hash=session)


@pytest.fixture
def visitors(tmp_path: Path) -> Visitors:
    return Visitors(Workspaces(tmp_path, public=True, folder=tmp_path))


# The cookie


def test_the_page_hands_out_a_secret_once() -> None:
    (cookie,), (other,) = answered(), answered()
    assert re.fullmatch(rf"{COOKIE}=[\w-]{{32}}; Path=/; Max-Age={AGE}; HttpOnly; SameSite=Lax", cookie)
    assert cookie != other
    value = SimpleCookie(cookie)[COOKIE].value
    assert TOKEN.fullmatch(value)
    assert answered(f"{COOKIE}={value}") == []
    # All other requests of the page come with it, or before the page.
    for path in ("/config", "/gradio_api/queue/join", "/assets/index.js", "//", ""):
        assert answered(path=path) == []
    assert len(answered(path="/demo/", root_path="/demo")) == 1


@pytest.mark.parametrize(
    "scope",
    [
        {"scheme": "https"},
        {"headers": [(b"x-forwarded-proto", b"https")]},
        {"headers": [(b"x-forwarded-proto", b"https,http")]},
    ],
)
def test_over_https_a_frame_of_another_site_keeps_it(scope: dict[str, Any]) -> None:
    (cookie,) = answered(**scope)
    assert cookie.endswith("; HttpOnly; SameSite=None; Secure; Partitioned")


@pytest.mark.parametrize("value", FORGED)
def test_what_is_no_secret_is_replaced(value: str, visitors: Visitors) -> None:
    assert len(answered(f"{COOKIE}={value}")) == 1
    # And until then the session has a workspace, as without a cookie.
    assert visitors.of(request(value, "session")) == visitors.of(request(None, "session"))
    assert visitors.of(request(value, "session")).runs.is_relative_to(visitors.workspaces.folder / "workspaces")


@pytest.mark.parametrize(
    "other", ['seen={"a": [1, 2]}', "a@b=c", "lonely", "name=with space", "=", "ü=ö", "x=" + "y" * 5000]
)
def test_cookies_of_others_do_not_matter(other: str) -> None:
    assert answered(f"{other}; {COOKIE}={SECRET}") == answered(f"{COOKIE}={SECRET}; {other}") == []
    assert len(answered(other)) == 1
    assert answered(f"{COOKIE}={SECRET}", headers=[(b"cookie", other.encode("latin-1"))]) == []


def test_only_pages_are_answered_with_it() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["type"], send))

    async def send(message: Any) -> None: ...

    for kind in ("websocket", "lifespan"):
        run(VisitorCookie(app)({"type": kind, "path": "/"}, None, send))
    assert seen == [("websocket", send), ("lifespan", send)]


# Workspaces


def test_two_visitors_have_different_workspaces(visitors: Visitors) -> None:
    one, other = (visitors.of(request(new_token(), "same session")) for _ in range(2))
    assert one != other
    assert visitors.of(request(SECRET, "a")) == visitors.of(request(SECRET, "b")) == visitors.workspaces.of(SECRET)


def test_without_cookies_a_session_has_one(visitors: Visitors, tmp_path: Path) -> None:
    assert visitors.of(request(None, "a")) == visitors.of(request(None, "a")) != visitors.of(request(None, "b"))
    # Sessions are named by browsers: knowing one is not enough to find its workspace from outside.
    restarted = Visitors(Workspaces(tmp_path, public=True, folder=tmp_path))
    assert restarted.of(request(None, "a")) != visitors.of(request(None, "a"))
    assert visitors.of(request()) != visitors.of(request())
    assert visitors.of(None).public
    assert visitors.of(request(None, "\ud800")).public


def test_on_ones_own_computer_cookies_do_not_matter(tmp_path: Path) -> None:
    alone = Visitors(Workspaces(tmp_path))
    assert not alone.public
    assert alone.of(request(SECRET)) == alone.of(request()) == alone.of(None)


# Names of a visitor's checkpoints


@pytest.fixture
def library(tmp_path: Path, tiny_checkpoint: Path) -> Library:
    shutil.copytree(tiny_checkpoint, tmp_path / "checkpoints" / "newts-binary")
    return Library(tmp_path / "checkpoints")


@pytest.fixture
def mine(visitors: Visitors, tiny_checkpoint: Path) -> Workspace:
    workspace = visitors.of(request(SECRET))
    workspace.keep(tiny_checkpoint, "my newts")
    return workspace


def test_others_do_not_see_it(library: Library, mine: Workspace, visitors: Visitors) -> None:
    (entry,) = (entry for entry in library.entries(mine.checkpoints).values() if entry.kind == "visitor")
    assert re.fullmatch(r"my newts@[0-9a-f]{24}", entry.name)
    assert (entry.title, entry.folder) == ("my newts", mine.checkpoints / "my newts")
    for others in (None, visitors.of(request(new_token())).checkpoints, library.folder):
        assert entry.name not in library.entries(others)
    # Neither its name nor one that is nearly right leads to it, and what is told of these does not name it.
    for guess in (
        "my newts",
        "my newts@",
        entry.name[:-1],
        entry.name.upper(),
        "@" + entry.name.split("@")[1],
        f"../{entry.name}",
    ):
        with pytest.raises(UserError, match="There is no model") as caught:
            library.entry(guess)
        told = str(caught.value).replace(guess, "")  # but what was asked for
        assert entry.name.split("@")[1] not in told
        assert SECRET not in str(caught.value)
    assert visitors.of(request(new_token())).checkpoints != mine.checkpoints


def test_whoever_was_told_finds_it(library: Library, mine: Workspace) -> None:
    (name,) = (entry.name for entry in library.entries(mine.checkpoints).values() if entry.kind == "visitor")
    assert library.entry(name).folder == mine.checkpoints / "my newts"
    assert library.predictor(name).checkpoint.name == "my newts"
    # Also in a server that was started again.
    again = Library(library.folder)
    again.entries(mine.checkpoints)
    assert again.entry(name) == library.entry(name)
    mine.rename("my newts", "other")
    for each in (library, again):
        with pytest.raises(UserError, match="There is no model") as caught:
            each.predictor(name)
        assert str(mine.checkpoints) not in str(caught.value)
    assert "other" in {entry.title for entry in library.entries(mine.checkpoints).values()}


def test_it_is_gone_when_it_was_removed(library: Library, mine: Workspace) -> None:
    (name,) = (entry.name for entry in library.entries(mine.checkpoints).values() if entry.kind == "visitor")
    library.predictor(name)
    mine.remove("my newts")
    with pytest.raises(UserError, match="There is no model"):
        library.predictor(name)
    assert [entry.kind for entry in library.entries(mine.checkpoints).values() if entry.kind != "pretrained"] == [
        "bundled"
    ]


def test_the_same_name_of_two_visitors_is_two_models(
    library: Library, mine: Workspace, visitors: Visitors, tiny_species_checkpoint: Path
) -> None:
    other = visitors.of(request(new_token()))
    other.keep(tiny_species_checkpoint, "my newts")
    other.keep(tiny_species_checkpoint, "newts-binary")  # a bundled one has this name
    names = [
        entry.name
        for each in (mine, other)
        for entry in library.entries(each.checkpoints).values()
        if entry.kind == "visitor"
    ]
    assert len(set(names)) == 3
    assert [library.predictor(name).checkpoint.config.task for name in names] == ["binary", "multiclass", "multiclass"]
    assert library.entry("newts-binary").kind == "bundled"
