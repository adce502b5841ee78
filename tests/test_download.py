"""Downloads: whole or not at all, and every failure is a sentence."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seg_demo.data import download as module
from seg_demo.data.download import NEWTS_FILES, download
from seg_demo.data.registry import find_listing
from seg_demo.errors import UserError


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(buffer, kind)
    return buffer.getvalue()


CONTENT = {".jpg": encoded("JPEG"), ".png": encoded("PNG")}


class Server(ThreadingHTTPServer):
    """Serves `files` by path; `faults` says what happens instead."""

    files: dict[str, bytes]
    faults: dict[str, str]
    url: str


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        fault = self.server.faults.get(self.path[1:])
        self.send_response(404 if fault == "missing" else 200)
        self.send_header("Content-Length", str(len(self.server.files[self.path[1:]])))
        self.end_headers()

    def do_GET(self) -> None:
        fault = self.server.faults.get(self.path[1:])
        if fault == "silent":
            threading.Event().wait(1)
            return
        self.do_HEAD()
        data = self.server.files[self.path[1:]]
        data = b"<html>" + bytes(len(data) - 6) if fault == "page" else data
        self.wfile.write(data[: len(data) // 2] if fault == "cut" else data)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.files, server.faults = {name: CONTENT[Path(name).suffix] for name in NEWTS_FILES}, {}
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setattr(module, "NEWTS_URL", server.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield server
        server.shutdown()


def test_newts(server: Server, tmp_path: Path) -> None:
    (tmp_path / "newts").mkdir()  # an empty folder is no obstacle
    steps: list[tuple[int, int]] = []
    out = download("newts", tmp_path / "newts", lambda *step: steps.append(step))
    assert out == tmp_path / "newts"
    assert steps == [(done, 44) for done in range(45)]
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == sorted(NEWTS_FILES)
    assert "train/images/akahara/akahara_0008.jpg" in NEWTS_FILES
    assert "test/seg_images/madara/madara_0011.png" in NEWTS_FILES
    listing = find_listing(out)
    assert (listing.layout, len(listing.pairs)) == ("newts", 22)
    assert [path.name for path in tmp_path.iterdir()] == ["newts"]
    assert out.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (
            "missing",
            r"The server answers 404 for http://127.*akahara_0003.jpg. Try again later, or fetch the data set by",
        ),
        ("page", r"akahara_0003.jpg is not the picture it should be. Check whether a proxy answers instead."),
        ("cut", r"akahara_0003.jpg could not be fetched \(the answer broke off\). Check the network and try again."),
        ("silent", r"akahara_0003.jpg could not be fetched \(timed out\). Check the network and try again."),
    ],
)
def test_nothing_is_left_after_a_failure(
    fault: str, sentence: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.faults["train/images/akahara/akahara_0003.jpg"] = fault
    monkeypatch.setattr(module, "TIMEOUT", 0.2)
    with pytest.raises(UserError, match=sentence):
        download("newts", tmp_path / "data/newts")
    assert not list((tmp_path / "data").iterdir())


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setattr(module, "NEWTS_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(UserError, match=r"could not be fetched \(.*refused.*\). Check the network and try again."):
        download("newts", tmp_path / "newts")
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    for out in (tmp_path, tmp_path / "note.txt"):
        with pytest.raises(UserError, match=r"is there already and is not empty. Name a new folder."):
            download("newts", out)
    with pytest.raises(UserError, match=r"could not be written \(.*\). Free some space or name another folder."):
        download("newts", tmp_path / "note.txt/newts")
    assert (tmp_path / "note.txt").read_text() == "mine"


def test_an_interruption_leaves_nothing(server: Server, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download("newts", tmp_path / "newts", stop)
    assert not list(tmp_path.iterdir())


def test_an_unknown_data_set(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='There is no data set to download "newt". Did you mean "newts"'):
        download("newt", tmp_path / "newts")


@pytest.fixture
def voc_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Serves a tiny VOC 2012 at the place where torchvision looks for the real one."""
    from torchvision.datasets import voc

    files = {
        "JPEGImages/2007_000032.jpg": CONTENT[".jpg"],
        "SegmentationClass/2007_000032.png": CONTENT[".png"],
        **{f"ImageSets/Segmentation/{name}.txt": b"2007_000032\n" for name in ("train", "trainval")},
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"VOCdevkit/VOC2012/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    server.files["voc.tar"] = archive.getvalue()
    entry = {"url": f"{server.url}/voc.tar", "md5": hashlib.md5(archive.getvalue()).hexdigest()}
    monkeypatch.setitem(voc.DATASET_YEAR_DICT, "2012", {**voc.DATASET_YEAR_DICT["2012"], **entry})
    return server


def test_voc(voc_server: Server, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    out = download("voc2012", tmp_path / "voc", lambda *step: steps.append(step))
    listing = find_listing(out)
    assert (listing.layout, [pair.name for pair in listing.pairs]) == ("voc", ["2007_000032"])
    assert [path.name for path in out.iterdir()] == ["VOCdevkit"]  # the archive is gone
    assert steps == [(0, 1), (1, 1)]
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("cut", r"PASCAL VOC 2012 arrived damaged. Try again."),
        ("missing", r"The server answers 404 for PASCAL VOC 2012. Try again later, or fetch the data set by hand."),
        ("silent", r"PASCAL VOC 2012 could not be fetched \(.*\). Check the network and try again."),
    ],
)
def test_nothing_is_left_of_a_voc_that_fails(
    fault: str, sentence: str, voc_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voc_server.faults["voc.tar"] = fault
    monkeypatch.setattr(module, "TIMEOUT", 0.2)
    with pytest.raises(UserError, match=sentence):
        download("voc2012", tmp_path / "voc")
    assert not list(tmp_path.iterdir())
    assert socket.getdefaulttimeout() is None
