"""Training in the page, in a browser: from a data set to a model in every picker, and whose it is."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seg_demo.infer.library import Library
from seg_demo.jobs.workspace import Workspaces
from seg_demo.ui.page import serve

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, tiny_species_checkpoint: Path) -> Path:
    """Where the page has its checkpoints and what visitors leave; a run that starts from "tiny" takes seconds."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(tiny_species_checkpoint, folder / "checkpoints" / "tiny")
    return folder


@pytest.fixture(scope="module")
def url(root: Path) -> Iterator[str]:
    """A page for strangers."""
    workspaces = Workspaces(root, public=True, folder=root / "home")
    demo = serve(Library(root / "checkpoints"), "127.0.0.1", workspaces=workspaces, block=False)
    yield demo.local_url
    demo.close()


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Open]:
    """Opens the Fine-tune tab; each call is another visitor, unless it is given the page of one."""
    contexts = []

    def open_(of: Any = None, **options: Any) -> Any:
        if of is None:
            contexts.append(browser.new_context(**{"locale": "en-US", **options}))
        page = (of.context if of else contexts[-1]).new_page()
        page.set_default_timeout(30_000)
        page.goto(url)
        page.locator("button[role=tab][data-tab-id=finetune]").click()
        page.wait_for_selector("#ft-files input[type=file]", state="attached")
        return page

    yield open_
    for context in contexts:
        context.close()


def step(page: Any, name: str) -> None:
    page.locator(f"#ft-steps button[role=tab][data-tab-id={name}]:not([aria-disabled=true])").click()


def bring_example(page: Any) -> None:
    page.click("#ft-example")
    page.wait_for_selector("#ft-to-start")
    page.wait_for_selector("#ft-stop", state="detached")


def start(page: Any, minutes: str = "0.05") -> None:
    """Start from "tiny"."""
    page.click("#ft-to-start")
    page.click("#ft-start-from input")
    page.click("ul[role=listbox] li:has-text('tiny')")
    page.fill("#ft-amount :is(input, textarea)", minutes)
    page.click("#ft-start")


def choices(page: Any, picker: str) -> list[str]:
    page.click(f"{picker} input")
    found = page.locator("ul[role=listbox] li").all_inner_texts()
    page.keyboard.press("Escape")
    return [choice.lstrip("✓ \n") for choice in found]


def test_from_pictures_to_a_model_in_every_picker(visit: Open) -> None:
    page = visit()
    step(page, "start")
    page.wait_for_selector("#ft-start-about:has-text('Bring labelled pictures first')")
    assert not page.locator("#ft-start").is_visible()
    step(page, "compare")
    page.wait_for_selector("#ft-status:has-text('There is nothing to compare yet.')")
    step(page, "pictures")
    bring_example(page)
    start(page)
    page.wait_for_selector("#ft-compare", timeout=90_000)
    assert "Finished" in page.locator("#ft-watch").inner_text()
    page.click("#ft-compare")
    page.wait_for_selector("#ft-compared table.classes")
    assert page.locator("#ft-compared .classes tbody tr").count() == 3
    assert "2 validation pictures" in page.locator("#ft-compared").inner_text()
    page.fill("#ft-keep-name :is(input, textarea)", "../evil")
    page.click("#ft-keep")
    assert "A checkpoint cannot be called '../evil'" in page.locator("#ft-status .problem").inner_text()
    page.fill("#ft-keep-name :is(input, textarea)", "my newts")
    page.click("#ft-keep")
    page.click("#ft-use")
    page.wait_for_function("document.querySelector('#model input').value === 'my newts'")
    assert "my newts" in choices(page, "#model")
    # It is nobody else's.
    other = visit()
    other.locator("button[role=tab][data-tab-id=segment]").click()
    assert [name for name in choices(other, "#model") if "newts" in name] == []
    other.locator("button[role=tab][data-tab-id=finetune]").click()
    step(other, "watch")
    assert other.locator("#ft-run input").input_value() == ""


def test_what_cannot_be_is_one_sentence_and_starts_nothing(visit: Open, root: Path) -> None:
    page = visit()
    bring_example(page)
    before = set(root.glob("home/workspaces/*/runs/*"))
    start(page, "a week")
    assert "The length of the run is 'a week'." in page.locator("#ft-status .problem").inner_text()
    page.fill("#ft-amount :is(input, textarea)", "1")
    page.locator("#ft-unit label").nth(1).click()
    page.click("#ft-start")
    page.wait_for_function("document.querySelector('#ft-status')?.innerText.includes('30 minutes')")
    page.locator("#ft-unit label").nth(0).click()
    page.fill("[id='ft-set-batch_size'] :is(input, textarea)", "many")
    page.click("#ft-start")
    page.wait_for_function("document.querySelector('#ft-status')?.innerText.includes('batch_size')")
    assert set(root.glob("home/workspaces/*/runs/*")) == before
    # A reload loses neither the pictures nor what follows from them.
    page.reload()
    page.locator("button[role=tab][data-tab-id=finetune]").click()
    page.wait_for_selector("#ft-verdict h2:text-is('Training may start')")
    step(page, "start")
    page.wait_for_selector("#ft-start")


@pytest.mark.slow
def test_two_visitors_take_turns_and_a_reload_finds_the_run(visit: Open) -> None:
    first, second = visit(), visit()
    for page in (first, second):
        bring_example(page)
    start(first, "5")
    first.wait_for_selector("#ft-watch:has-text('Learning')", timeout=60_000)
    start(second, "0.05")
    second.wait_for_selector("#ft-watch:has-text('1 run goes first')")
    assert choices(second, "#ft-run") == ["newts-1"]  # its own, not the other's of the same name
    again = visit(of=first)
    again.wait_for_selector("#ft-stop-run")  # the step that shows it is open already
    pressed = time.monotonic()
    again.click("#ft-stop-run")
    again.wait_for_selector("#ft-resume")
    assert time.monotonic() - pressed < 10
    second.wait_for_selector("#ft-watch:has-text('Finished')", timeout=90_000)
    first.wait_for_selector("#ft-resume")
    assert "Stopped" in first.locator("#ft-watch").inner_text()
