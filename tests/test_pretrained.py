"""torchvision's networks: fetched from a server, checked, run. The server stands here; the weights are random."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models import get_weight, segmentation

from seg_demo.errors import UserError
from seg_demo.infer.library import Library, open_model
from seg_demo.infer.predictor import Predictor
from seg_demo.infer.pretrained import PRETRAINED, load_pretrained
from seg_demo.palettes import VOC


class Server:
    """Serves `folder` on 127.0.0.1 and counts the requests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[str] = []
        requests = self.requests

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                requests.append(self.path)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def offer(self, name: str, monkeypatch: pytest.MonkeyPatch, *, damaged: bool = False) -> dict[str, torch.Tensor]:
        """Make torchvision's weights `name` come from here, with random values; returns them."""
        pretrained = PRETRAINED[name]
        auxiliary = {} if name.startswith("lraspp") else {"aux_loss": True}
        model = getattr(segmentation, pretrained.builder)(
            weights=None, weights_backbone=None, num_classes=21, **auxiliary
        )
        file = self.folder / "weights.pth"
        torch.save(model.state_dict(), file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
        file = file.rename(self.folder / f"{name}-{digest}.pth")
        if damaged:
            file.write_bytes(file.read_bytes()[:-1000])
        weights = get_weight(f"{pretrained.weights}.COCO_WITH_VOC_LABELS_V1")
        monkeypatch.setattr(weights.value, "url", f"http://127.0.0.1:{self.http.server_port}/{file.name}")
        return model.state_dict()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "remote").mkdir()
    server = Server(tmp_path / "remote")
    yield server
    server.http.shutdown()


@pytest.mark.parametrize("name", ["lraspp-mobilenetv3", "deeplabv3-mobilenetv3"])
def test_weights_are_fetched_once_and_run(name: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    state = server.offer(name, monkeypatch)
    checkpoint = load_pretrained(name)
    loaded = checkpoint.model.state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in loaded)
    segmented = Predictor(checkpoint, "cpu")(np.zeros((40, 61, 3), np.uint8))
    assert segmented.label_map.shape == (40, 61)
    assert segmented.classes == VOC
    load_pretrained(name)
    assert len(server.requests) == 1


def test_damaged_weights_are_one_sentence(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server.offer("lraspp-mobilenetv3", monkeypatch, damaged=True)
    with pytest.raises(UserError, match=r"^The weights of LR-ASPP MobileNetV3-Large arrived damaged .* try again\.$"):
        load_pretrained("lraspp-mobilenetv3")
    assert list((tmp_path / "torch").rglob("*.pth")) == [], "nothing damaged may stay behind"


def test_no_network_is_one_sentence(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.offer("lraspp-mobilenetv3", monkeypatch)
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(
        UserError, match=r"could not be downloaded: there is no connection .* choose a bundled model\.$"
    ):
        load_pretrained("lraspp-mobilenetv3")


def test_a_model_is_opened_by_folder_or_by_name(
    server: Server, monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path
) -> None:
    server.offer("lraspp-mobilenetv3", monkeypatch)
    assert open_model("lraspp-mobilenetv3").config.classes == VOC
    assert open_model(str(tiny_checkpoint)).name == "tiny"
    with pytest.raises(UserError, match="There is no checkpoint folder lraspp"):
        open_model("./lraspp")
    with pytest.raises(UserError, match='Did you mean "lraspp-mobilenetv3"'):
        open_model("lraspp-mobilenet3")


def test_every_entry_is_known_to_torchvision() -> None:
    for pretrained in PRETRAINED.values():
        assert callable(getattr(segmentation, pretrained.builder))
        weights = get_weight(f"{pretrained.weights}.COCO_WITH_VOC_LABELS_V1")
        assert abs(weights.meta["_file_size"] - pretrained.megabytes) <= 1


def test_the_library_lists_own_checkpoints_and_notices_changes(tmp_path: Path, tiny_checkpoint: Path) -> None:
    import shutil

    library = Library(tmp_path)
    assert [entry.kind for entry in library.entries().values()] == ["pretrained"] * len(PRETRAINED)
    shutil.copytree(tiny_checkpoint, tmp_path / "mine")
    shutil.copytree(tiny_checkpoint, tmp_path / "newts-binary")
    names = list(library.entries())
    assert names[:2] == ["newts-binary", "mine"]
    first = library.predictor("mine")
    assert library.predictor("mine") is first
    shutil.copytree(tiny_checkpoint, tmp_path / "mine", dirs_exist_ok=True, copy_function=shutil.copy)
    assert library.predictor("mine") is not first
    with pytest.raises(UserError, match=r'There is no model "../mine". Did you mean "mine"\?'):
        library.predictor("../mine")
