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
from torchvision.models import get_model, get_model_weights, get_weight, segmentation

from seg_demo.errors import UserError
from seg_demo.infer.library import Library, open_model
from seg_demo.infer.predictor import Predictor
from seg_demo.infer.pretrained import PRETRAINED, load_pretrained
from seg_demo.models import ARCHITECTURES, build_model
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
        architecture, _, backbone = name.partition("-")
        auxiliary = {} if architecture == "lraspp" else {"aux_loss": True}
        model = getattr(segmentation, f"{architecture}_{backbone}")(
            weights=None, weights_backbone=None, num_classes=21, **auxiliary
        )
        file = self.folder / "weights.pth"
        torch.save(model.state_dict(), file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
        file = file.rename(self.folder / f"{name}-{digest}.pth")
        if damaged:
            file.write_bytes(file.read_bytes()[:-1000])
        weights = get_weight(f"{ARCHITECTURES[architecture].published[backbone].name}.COCO_WITH_VOC_LABELS_V1")
        monkeypatch.setattr(weights.value, "url", f"http://127.0.0.1:{self.http.server_port}/{file.name}")
        return model.state_dict()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "remote").mkdir()
    server = Server(tmp_path / "remote")
    yield server
    server.http.shutdown()


@pytest.mark.parametrize("name", ["lraspp-mobilenet_v3_large", "deeplabv3-mobilenet_v3_large"])
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
    server.offer("lraspp-mobilenet_v3_large", monkeypatch, damaged=True)
    with pytest.raises(UserError, match=r"^The weights of LR-ASPP MobileNetV3-Large arrived damaged .* try again\.$"):
        load_pretrained("lraspp-mobilenet_v3_large")
    assert list((tmp_path / "torch").rglob("*.pth")) == [], "nothing damaged may stay behind"


def test_no_network_is_one_sentence(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.offer("lraspp-mobilenet_v3_large", monkeypatch)
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(
        UserError, match=r"could not be downloaded: there is no connection .* choose a bundled model\.$"
    ):
        load_pretrained("lraspp-mobilenet_v3_large")


def test_a_model_is_opened_by_folder_or_by_name(
    server: Server, monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path
) -> None:
    server.offer("lraspp-mobilenet_v3_large", monkeypatch)
    assert open_model("lraspp-mobilenet_v3_large").config.classes == VOC
    assert open_model(str(tiny_checkpoint)).name == "tiny"
    with pytest.raises(UserError, match="There is no checkpoint folder lraspp"):
        open_model("./lraspp")
    with pytest.raises(UserError, match='Did you mean "lraspp-mobilenet_v3_large"'):
        open_model("lraspp-mobilenet_v3")


def test_every_entry_is_known_to_torchvision() -> None:
    for pretrained in PRETRAINED.values():
        assert callable(getattr(segmentation, f"{pretrained.architecture}_{pretrained.backbone}"))
        published = ARCHITECTURES[pretrained.architecture].published[pretrained.backbone]
        weights = get_weight(f"{published.name}.COCO_WITH_VOC_LABELS_V1")
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


def offer_classifier(server: Server, backbone: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Make torchvision's ImageNet weights of `backbone` come from here, with random values; returns them."""
    torch.manual_seed(3)
    state = get_model(backbone).state_dict()
    file = server.folder / "classifier.pth"
    torch.save(state, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    file = file.rename(server.folder / f"{backbone}-{digest}.pth")
    weights = get_model_weights(backbone).IMAGENET1K_V1
    monkeypatch.setattr(weights.value, "url", f"http://127.0.0.1:{server.http.server_port}/{file.name}")
    return state


@pytest.mark.parametrize(
    ("backbone", "name"),
    [("resnet18", "gcn"), ("densenet121", "unet"), ("mobilenet_v3_large", "lraspp")],
)
def test_backbones_take_imagenet_weights(
    backbone: str, name: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = offer_classifier(server, backbone, monkeypatch)
    model = build_model(name, 3, backbone=backbone, backbone_weights="imagenet")
    loaded = model.get_submodule("backbone").state_dict()
    assert len(loaded) > 20
    assert all(torch.equal(value, state.get(key, state.get(f"features.{key}"))) for key, value in loaded.items())
    assert len(server.requests) == 1


@pytest.mark.slow
def test_fcn_takes_the_fully_connected_layers_of_vgg(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    state = offer_classifier(server, "vgg16", monkeypatch)
    model = build_model("fcn32s", 3, backbone="vgg16", backbone_weights="imagenet").eval()
    fc6 = model.get_submodule("fully_convolutional.0")
    pooled = torch.randn(1, 512, 7, 7)
    wanted = torch.nn.functional.linear(pooled.flatten(1), state["classifier.0.weight"], state["classifier.0.bias"])
    with torch.inference_mode():
        torch.testing.assert_close(fc6(pooled)[..., 3, 3], wanted, rtol=1e-3, atol=1e-3)
    fc7 = model.get_submodule("fully_convolutional.3").weight
    assert torch.equal(fc7.flatten(1), state["classifier.3.weight"])


def test_other_classes_keep_all_but_the_head(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    state = server.offer("deeplabv3-mobilenet_v3_large", monkeypatch)
    model = build_model("deeplabv3", 3, weights="coco-voc", backbone="mobilenet_v3_large", aux=False)
    for key, value in model.state_dict().items():
        if key.startswith("classifier.4."):
            assert value.shape[0] == 3
        else:
            assert torch.equal(value, state[key]), key
    assert model(torch.zeros(1, 3, 40, 40))["out"].shape == (1, 3, 40, 40)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        (
            "unet",
            {"weights": "coco-voc"},
            'There are no weights "coco-voc" for unet on none. There are for: fcn on r',
        ),
        ("fcn", {"weights": "coco-voc", "backbone": "resnet18"}, 'no weights "coco-voc" for fcn on resnet18'),
        ("fcn", {"weights": "coco"}, 'There is no set of weights "coco". Did you mean "coco-voc"'),
        ("gcn", {"backbone_weights": "imagnet"}, 'no set of backbone weights "imagnet". Did you mean "imagenet"'),
        ("simple", {"backbone_weights": "imagenet"}, "The network simple has no backbone that weights are published"),
    ],
)
def test_weights_that_do_not_exist(name: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        build_model(name, 21, **options)
