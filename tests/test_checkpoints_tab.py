"""The Checkpoints tab, in a browser and beside a Hub: the list, the details, what is done here, and both ways."""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer
from hub_server.client import use as use_hub

from seg_demo.checkpoint import CheckpointConfig, load_checkpoint, save_checkpoint
from seg_demo.checkpoint.link import Link, write_link
from seg_demo.classes import ClassMap
from seg_demo.hub.account import Account
from seg_demo.hub.client import Client
from seg_demo.hub.files import local_file
from seg_demo.hub.remote import look_at
from seg_demo.hub.repo import Repo
from seg_demo.infer.library import Library
from seg_demo.jobs.workspace import Workspaces
from seg_demo.models import build_model
from seg_demo.palettes import CLASS_MAPS
from seg_demo.ui.page import serve

HOSTILE = ("background", "<img src=x onerror=alert(1)>", "${alert(2)}")
Open = Callable[..., Any]


def model(folder: Path, seed: int, classes: ClassMap = CLASS_MAPS["newts-species"], width: int = 4) -> Path:
    """An untrained checkpoint, with figures."""
    import torch

    figures = {"mean_iou": 0.741, **{f"iou_{name}": 0.7 for name in classes.names}}
    config = CheckpointConfig(
        "unet", {"width": width, "depth": 2}, "multiclass", classes, training={"about": f"The {seed}th.", "seed": seed},
        metrics={"validation, 12 pictures": figures},
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return save_checkpoint(folder, build_model("unet", config.num_outputs, width=width, depth=2), config)


def linked(hub: HubServer, folder: Path) -> None:
    """As if it had been pushed; in less time."""
    repo = f"alice/{folder.name}"
    commit = hub.put(repo, folder, private=True)
    remote = look_at(Repo.parse(repo), Client(Account(hub.token("alice"))))
    names = ("config.json", "model.safetensors", "README.md")
    local = {name: local_file(folder / name, name).sha256 for name in names[:2]}
    write_link(folder, Link(repo, commit, "seg_demo", "pushed", time.time(), local, remote.ids(names)))


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """A Hub on 127.0.0.1; this computer is logged in there as alice."""
    folder = tmp_path_factory.mktemp("hub")
    with HubServer(folder / "server") as server, pytest.MonkeyPatch.context() as patch:
        use_hub(server, patch, folder / "home")
        patch.setenv("HF_TOKEN", server.token("alice"))
        yield server
    assert not server.errors, f"the server failed: {server.errors!r}"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, alice: HubServer) -> Path:
    """Where the page has its checkpoints: one in each state, two that only the Hub has, and one with odd names."""
    folder = tmp_path_factory.mktemp("page") / "checkpoints"
    elsewhere = folder.parent / "elsewhere"
    for seed, name in enumerate(("equal", "older", "newer", "both"), 1):
        linked(alice, model(folder / name, seed))
    for seed, name in enumerate(("older", "both"), 11):
        alice.put(f"alice/{name}", model(elsewhere / name, seed))
    for seed, name in enumerate(("newer", "both"), 21):
        shutil.copy(model(elsewhere / f"{name} here", seed) / "model.safetensors", folder / name)
    for seed, name in enumerate(("leaves", "cells"), 31):
        alice.put(f"alice/{name}", model(elsewhere / name, seed), private=name == "cells")
    model(folder / "first try", 41, ClassMap(HOSTILE, ((0, 0, 0), (200, 60, 60), (60, 120, 200))))
    shutil.copytree(Path(__file__).parents[1] / "checkpoints" / "newts-binary", folder / "newts-binary")
    return folder.parent


@pytest.fixture(scope="module")
def url(root: Path) -> Iterator[str]:
    """A page on one's own computer."""
    demo = serve(Library(root / "checkpoints"), "127.0.0.1", workspaces=Workspaces(root), block=False)
    yield demo.local_url
    demo.close()


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Open]:
    """Opens the tab in a browser of its own; `of`: in the browser of another page."""
    contexts = []
    dialogs: list[str] = []

    def open_(address: str = url, of: Any = None, **options: Any) -> Any:
        if of is None:
            contexts.append(browser.new_context(**{"locale": "en-US", **options}))
        page = (of.context if of else contexts[-1]).new_page()
        page.set_default_timeout(30_000)
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.on("pageerror", lambda error: dialogs.append(str(error)))
        page.goto(address)
        page.locator("button[role=tab][data-tab-id=checkpoints]").click()
        page.wait_for_selector("#cp-shelf [data-state=ready]")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not dialogs


def asked(page: Any) -> None:
    page.wait_for_selector("#cp-shelf [data-asked=asked]")


def row(page: Any, name: str) -> Any:
    return page.locator(f"#cp-shelf .shelf-row[data-key='{name}']")


def state(page: Any, name: str) -> str | None:
    return row(page, name).get_attribute("data-sync")


def choose(page: Any, key: str, title: str = "") -> None:
    row(page, key).click()
    titled(page, title or key)


def titled(page: Any, title: str) -> None:
    """The details of this one, which may be behind another part."""
    page.wait_for_selector(f"#cp-details h2:text-is('{title}')", state="attached")


def part(page: Any, name: str) -> None:
    page.click(f"#cp-parts button[role=tab][data-tab-id={name}]")


def told(page: Any, words: str, transfer: bool = False) -> None:
    page.wait_for_selector(f'#cp{"-transfer" if transfer else ""}-status:has-text("{words}")')


def choices(page: Any, picker: str) -> list[str]:
    page.click(f"{picker} input")
    found = page.locator("ul[role=listbox] li").all_inner_texts()
    page.keyboard.press("Escape")
    return [choice.lstrip("✓ \n") for choice in found]


def test_what_is_here_and_there_side_by_side(visit: Open, alice: HubServer) -> None:
    before = len(alice.requests)
    page = visit()
    asked(page)
    states = {name: state(page, name) for name in ("equal", "older", "newer", "both", "first try", "hub:alice/cells")}
    assert states == {
        "equal": "equal", "older": "remote newer", "newer": "local newer", "both": "diverged",
        "first try": "local only", "hub:alice/cells": "remote only",
    }  # fmt: skip
    assert "private" in row(page, "hub:alice/cells").inner_text()
    assert "private" not in row(page, "hub:alice/leaves").inner_text()
    link = row(page, "equal").locator("a")
    assert link.get_attribute("href") == f"{alice.url}/alice/equal"
    assert "Signed in to the Hub as alice" in page.locator("#cp-account").inner_text()
    assert "bundled" in row(page, "newts-binary").inner_text()
    # All of it by keyboard: Tab leads to one row, arrows to the others, Enter chooses.
    row(page, "newts-binary").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#cp-details h2:text-is('equal')")
    assert row(page, "equal").get_attribute("aria-selected") == "true"
    assert page.locator("#cp-shelf .shelf-row[tabindex='0']").count() == 1
    details = page.locator("#cp-details").inner_text()
    for words in ("0.741", "akahara", "pushed 20", "model.safetensors", "validation, 12 pictures"):
        assert words in details, words
    # Odd names are words.
    choose(page, "first try")
    for name in HOSTILE:
        assert name in page.locator("#cp-details").inner_text()
    page.locator("#cp-details summary:has-text('Model card')").click()
    assert HOSTILE[1] in page.locator("#cp-details .cp-card").inner_text()
    assert page.locator("#cp-details img, #cp-shelf img, #cp-details script").count() == 0
    # Nothing was asked before the tab was opened, and only in alice's name.
    requests = alice.requests[before:]
    assert requests
    assert {request.token for request in requests} == {alice.token("alice")}


@pytest.mark.slow
def test_renamed_deleted_brought_back_exported_and_imported(visit: Open, root: Path, tmp_path: Path) -> None:
    model(root / "checkpoints" / "draft", 51)
    page = visit()
    choose(page, "newts-binary")
    assert not page.locator("#cp-delete").is_visible()
    choose(page, "draft")
    part(page, "rename")
    page.fill("#cp-name :is(input, textarea)", "../evil")
    page.click("#cp-rename")
    told(page, "A checkpoint cannot be called '../evil'")
    page.fill("#cp-name :is(input, textarea)", "final")
    page.click("#cp-rename")
    told(page, "draft is called final now.")
    titled(page, "final")
    assert row(page, "final").get_attribute("aria-selected") == "true"
    assert not (root / "checkpoints" / "draft").exists()
    part(page, "export")
    with page.expect_download() as download:
        page.click("#cp-export")
    download.value.save_as(tmp_path / "final.zip")
    assert "final/model.safetensors" in zipfile.ZipFile(tmp_path / "final.zip").namelist()
    page.click("#cp-delete")
    told(page, "final was deleted.")
    assert row(page, "final").count() == 0
    page.click("#cp-undo")
    told(page, "final is back.")
    assert (root / "checkpoints" / "final" / "model.safetensors").is_file()
    page.click("#cp-import-box > button")
    page.set_input_files("#cp-import input[type=file]", str(tmp_path / "final.zip"))
    told(page, "Imported as final-2")
    titled(page, "final-2")
    page.click("#cp-use")
    page.wait_for_function("document.querySelector('#model input').value === 'final-2'")
    assert {"final", "final-2"} <= set(choices(page, "#model"))


def test_pushed_and_pulled(visit: Open, alice: HubServer, root: Path) -> None:
    folder = model(root / "checkpoints" / "pond", 61)
    page = visit()
    asked(page)
    choose(page, "pond")
    part(page, "push")
    assert page.input_value("#cp-repo :is(input, textarea)") == "alice/pond"
    assert page.locator("#cp-private input").is_checked()
    page.fill("#cp-tag :is(input, textarea)", "v1")
    page.dblclick("#cp-push")
    told(page, "pond was pushed:", transfer=True)
    page.wait_for_selector("#cp-shelf .shelf-row[data-key=pond][data-sync=equal]")
    assert alice.repo("alice/pond").private
    assert alice.files("alice/pond")["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    assert "v1" in alice.repo("alice/pond").tags
    # What only the Hub has.
    choose(page, "hub:alice/leaves", "alice/leaves")
    page.click("#cp-pull-this")
    told(page, "alice/leaves was pulled as leaves", transfer=True)
    page.wait_for_selector("#cp-shelf .shelf-row[data-key=leaves][aria-selected=true][data-sync=equal]")
    assert load_checkpoint(root / "checkpoints" / "leaves").config.training["seed"] == 31
    page.click("#cp-use")
    assert "leaves" in choices(page, "#model")
    everything = page.content() + json.dumps(page.evaluate("JSON.stringify(window.gradio_config ?? {})"))
    assert alice.token("alice") not in everything


@pytest.mark.slow
def test_what_would_be_lost_is_asked_for(visit: Open, alice: HubServer, root: Path) -> None:
    linked(alice, model(root / "checkpoints" / "brook", 81))
    alice.put("alice/brook", {"config.json": b"{}"}, user="bob")
    page = visit()
    asked(page)
    assert state(page, "brook") == "remote newer"
    alice.put("alice/equal", {"config.json": b"{}"}, user="bob")
    choose(page, "equal")
    part(page, "push")
    assert not page.locator("#cp-overwrite").is_visible()
    page.click("#cp-push")
    told(page, "alice/equal has changed since this checkpoint was last there.", transfer=True)
    page.check("#cp-overwrite input")
    page.click("#cp-push")
    told(page, "equal was pushed:", transfer=True)
    page.wait_for_selector("#cp-shelf .shelf-row[data-key=equal][data-sync=equal]")
    # Found by a search, under a name that is taken, and then let go of what is there.
    page.click("#cp-pull-box > button")
    page.fill("#cp-search :is(input, textarea)", "cells")
    page.keyboard.press("Enter")
    page.locator(".found-row[data-repo='alice/cells']").click()
    page.wait_for_function("document.querySelector('#cp-pull-name :is(input, textarea)').value === 'cells'")
    page.fill("#cp-pull-name :is(input, textarea)", "brook")
    page.click("#cp-pull")
    told(page, "There is another checkpoint brook already.", transfer=True)
    page.check("#cp-replace input")
    page.click("#cp-pull")
    told(page, "alice/cells was pulled as brook", transfer=True)
    assert load_checkpoint(root / "checkpoints" / "brook").config.training["seed"] == 32


@pytest.mark.slow
def test_without_the_hub_everything_here_works(visit: Open, alice: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from seg_demo.hub import patience

    monkeypatch.setattr(patience, "PATIENCE", patience.Patience(timeout=2, tries=1))
    alice.close()
    try:
        page = visit()
        page.click("#cp-shelf [data-act=ask]")
        page.wait_for_selector("#cp-shelf [data-asked=failed]")
        line = page.locator("#cp-shelf .shelf-told").inner_text()
        assert line == "The Hub cannot be reached. Everything here works all the same."
        assert {state(page, "equal"), state(page, "first try")} == {"unknown"}
        choose(page, "equal")
        part(page, "push")
        page.click("#cp-push")
        told(page, "The Hub cannot be reached.", transfer=True)
    finally:
        alice.start()
    page.click("#cp-shelf [data-act=ask]")
    asked(page)
    assert state(page, "equal") == "equal"


@pytest.mark.slow
def test_an_impatient_visitor(visit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick choices end at the last one; a transfer outlives its page, is seen by others, and any of them stops it."""
    page = visit()
    asked(page)
    for name in ("equal", "older", "newer", "both", "equal", "older"):
        row(page, name).click()
    titled(page, "older")
    assert row(page, "older").get_attribute("aria-selected") == "true"
    begun: list[str] = []

    def endless(folder: Path, repo: str, *, progress: Callable[[int, int], None], **options: Any) -> None:
        begun.append(repo)
        while True:
            progress(12_300_000, 60_000_000)
            time.sleep(0.02)

    monkeypatch.setattr("seg_demo.hub.push.push", endless)
    part(page, "push")
    page.dblclick("#cp-push")
    told(page, "Pushing older to alice/older: 12.3 of 60.0 MB", transfer=True)
    again = visit(of=page)
    page.close()
    told(again, "Pushing older to alice/older: 12.3 of 60.0 MB", transfer=True)
    choose(again, "equal")
    part(again, "push")
    again.click("#cp-push")
    told(again, "A push or pull goes on already.")
    again.click("#cp-transfer-stop")
    told(again, "Stopped: older was not pushed to alice/older.", transfer=True)
    assert not again.locator("#cp-transfer-stop").is_visible()
    assert begun == ["alice/older"]


@pytest.mark.slow
def test_strangers_see_their_own_and_ask_in_nobodys_name(visit: Open, alice: HubServer, root: Path) -> None:
    workspaces = Workspaces(root, public=True, folder=root / "home")
    demo = serve(Library(root / "checkpoints"), "127.0.0.1", workspaces=workspaces, block=False)
    before = len(alice.requests)
    try:
        page = visit(demo.local_url, viewport={"width": 390, "height": 844}, has_touch=True, locale="ja-JP")
        asked(page)
        assert "Hub の公開チェックポイントを取り込めます" in page.locator("#cp-account").inner_text()
        choose(page, "equal")
        assert not page.locator("#cp-delete").is_visible()
        part(page, "push")
        assert "サインインがないため" in page.locator("#cp-cannot-push").inner_text()
        assert not page.locator("#cp-push").is_visible()
        page.click("#cp-pull-box > button")
        page.fill("#cp-pull-repo :is(input, textarea)", "alice/cells")
        page.click("#cp-pull")
        told(page, "公開リポジトリ alice/cells はありません", transfer=True)
        page.fill("#cp-pull-repo :is(input, textarea)", "alice/leaves")
        page.fill("#cp-pull-name :is(input, textarea)", "木の葉")
        page.click("#cp-pull")
        told(page, "alice/leaves を 木の葉 として取り込みました", transfer=True)
        titled(page, "木の葉")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator("#cp-delete").is_visible()
        other = visit(demo.local_url)
        assert other.locator("#cp-shelf .shelf-name:text-is('木の葉')").count() == 0
        assert other.locator("#cp-transfer-status .status").count() == 0
    finally:
        demo.close()
    assert {request.token for request in alice.requests[before:]} == {None}


@pytest.mark.slow
def test_programs_do_the_same(url: str, alice: HubServer, root: Path) -> None:
    import gradio_client
    from gradio_client.exceptions import AppError

    model(root / "checkpoints" / "program", 71)
    client = gradio_client.Client(url, verbose=False)
    listed = {each["name"]: each for each in client.predict(api_name="/checkpoints")}
    assert (listed["equal"]["state"], listed["equal"]["repo"]) == ("equal", "alice/equal")
    pushed = client.predict(
        checkpoint="program", repo="alice/program", private=True, licence="mit", message="", tag="", pull_request=False,
        overwrite=False, api_name="/push",
    )  # fmt: skip
    assert (pushed["url"], pushed["private"]) == (f"{alice.url}/alice/program", True)
    pulled = client.predict(repo="alice/cells", name="by program", replace=False, api_name="/pull")
    assert (pulled["key"], pulled["layout"]) == ("by program", "seg_demo")
    assert (root / "checkpoints" / "by program" / "model.safetensors").is_file()
    with pytest.raises(AppError, match="This checkpoint is not here any more"):
        client.predict("../checkpoints/program", "alice/x", True, "", "", "", False, False, api_name="/push")
    with pytest.raises(AppError, match="There is another checkpoint equal already"):
        client.predict(repo="alice/cells", name="equal", replace=False, api_name="/pull")
