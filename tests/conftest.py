"""What several test files share: the real data, where it is, and small checkpoints made on the spot."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer
from hub_server.client import use as use_hub

os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as app.py, before torch is imported
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one process per core instead

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM_FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the page keeps goes into a folder of these tests, and so does the queue of runs."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEG_DEMO_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that holds newts/, camvid/ and skydiving/; the test is left out where there is none."""
    folder = Path(os.environ.get("SEG_DEMO_REAL_DATA") or ROOT / "../shared/data").resolve()
    if not (folder / "newts").is_dir():
        pytest.skip(f"no real data: {folder}/newts is missing; name another folder in SEG_DEMO_REAL_DATA")
    return folder


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained checkpoint of the task "binary"."""
    return _save(tmp_path_factory.mktemp("binary") / "tiny", "newts-binary")


@pytest.fixture(scope="session")
def tiny_species_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained checkpoint of the task "multiclass", three classes."""
    return _save(tmp_path_factory.mktemp("species") / "tiny-species", "newts-species")


def _save(folder: Path, class_map: str) -> Path:
    import torch

    from seg_demo.checkpoint import CheckpointConfig, save_checkpoint
    from seg_demo.models import build_model
    from seg_demo.palettes import CLASS_MAPS

    task = "binary" if class_map == "newts-binary" else "multiclass"
    arguments = {"width": 4, "depth": 2}
    config = CheckpointConfig("unet", arguments, task, CLASS_MAPS[class_map], training={"about": "Untrained."})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_model("unet", config.num_outputs, **arguments)
    return save_checkpoint(folder, model, config)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub on 127.0.0.1, with the users alice and bob; the client of this process asks it and has no login."""
    from huggingface_hub.utils import close_session

    with HubServer(tmp_path / "hub-server") as server:
        use_hub(server, monkeypatch, tmp_path / "hub-home")
        yield server
        close_session()  # its connections lead to a server that is no more
    assert not server.errors, f"the server failed: {server.errors!r}"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, shared by all tests that open a page; a test takes a context of its own."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing, and a CI run must not leave the page untested.")
        pytest.skip("Chromium is missing: apt-get install chromium to run the page in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
