"""Networks outside of eager PyTorch: as ONNX, through `torch.export` and through `torch.compile`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch

from seg_demo.errors import UserError
from seg_demo.models import ARCHITECTURES, build_model, export
from seg_demo.models.export import export_onnx
from seg_demo.models.model import SegmentationModel

SMALL: dict[str, dict[str, object]] = {
    "simple": {"width": 8, "layers": 3},
    "unet": {"width": 4, "depth": 4},
    "segnet": {"backbone": "vgg16_bn"},
    "hdc": {"backbone": "resnet50"},
    "lraspp": {},
}
QUICK = ("simple", "unet")
SIZE = (65, 70)  # needs padding in every network that pads
# Dynamo follows every line of a network, which takes seconds for the deeper ones.
COMPILED_QUICKLY = ("simple", "unet", "fcn16s")
EXPORTED_QUICKLY = tuple(name for name in ARCHITECTURES if name not in ("hdc", "refinenet", "lraspp"))


def build(name: str) -> SegmentationModel:
    torch.manual_seed(0)
    model = build_model(name, 3, **SMALL.get(name, {"backbone": "resnet18"}))
    return model.eval()


def images(count: int) -> torch.Tensor:
    return torch.randn(count, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def some_slow(quick: tuple[str, ...]) -> pytest.MarkDecorator:
    """Every architecture; those that are not in `quick` with the slow tests."""
    slow = pytest.mark.slow
    return pytest.mark.parametrize(
        "name", [name if name in quick else pytest.param(name, marks=slow) for name in ARCHITECTURES]
    )


@some_slow(QUICK)
def test_onnx_computes_the_same_for_any_batch(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = build(name)
    file = export_onnx(model, tmp_path / "new" / "model.onnx", SIZE)
    assert capfd.readouterr().out == ""
    assert [path.name for path in file.parent.iterdir()] == ["model.onnx"]
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert [(value.name, value.shape) for value in (*session.get_inputs(), *session.get_outputs())] == [
        ("images", ["batch", 3, *SIZE]),
        ("logits", ["batch", 3, *SIZE]),
    ]
    for count in (1, 2, 3):
        (found,) = session.run(None, {"images": images(count).numpy()})  # (N, 3, H, W)
        with torch.inference_mode():
            torch.testing.assert_close(torch.from_numpy(found), model(images(count))["out"], rtol=0, atol=1e-3)


def test_export_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = build_model("fcn", 3, backbone="resnet18").train()
    model.get_submodule("backbone.bn1").eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    file = export_onnx(model, tmp_path / "model.onnx", (32, 32))
    assert model.training
    assert not model.get_submodule("backbone.bn1").training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert "aux" in model(images(2))
    weights = [value.name for value in onnx.load(file).graph.initializer]
    assert weights
    assert not any("aux" in name for name in weights)
    assert str(Path(export.__file__).parent).encode() not in file.read_bytes(), "no folder of this computer"


@some_slow(EXPORTED_QUICKLY)
def test_torch_export_computes_the_same(name: str) -> None:
    model = build(name)
    with torch.no_grad():
        expected = model(images(1))
        found = torch.export.export(model, (images(1),)).module()(images(1))
    assert found.keys() == expected.keys()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@some_slow(COMPILED_QUICKLY)
def test_torch_compile_takes_the_whole_network(name: str) -> None:
    torch._dynamo.reset()
    model = build(name)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(images(1)), model(images(1)), rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unet", "pspnet", "lraspp"])
def test_compiled_to_machine_code(name: str) -> None:
    if not any(shutil.which(compiler) for compiler in ("g++", "c++", "clang++")):
        pytest.skip("no C++ compiler: apt-get install g++ to compile networks")
    torch._dynamo.reset()
    model = build(name)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(model)(images(2)), model(images(2)), rtol=0, atol=1e-3)


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_a_missing_package_is_one_sentence(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=rf"^Writing ONNX needs the package {package}\. .* pip install '\.\[onnx\]'"):
        export_onnx(build("simple"), tmp_path / "model.onnx", SIZE)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"at least 1 x 1 pixels, not 8 x 0\.$"):
        export_onnx(build("simple"), tmp_path / "model.onnx", (0, 8))
    monkeypatch.setattr(export, "MAX_BYTES", 1000)
    with pytest.raises(UserError, match=r"holds 0 MB of weights at most"):
        export_onnx(build("simple"), tmp_path / "model.onnx", SIZE)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export.os, "replace", fail)
    with pytest.raises(UserError, match=r"model\.onnx could not be written \(No space left on device\)\. Free some"):
        export_onnx(build("simple"), file, SIZE)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("model.onnx", b"old")]
    monkeypatch.setattr(torch.onnx, "export", fail)
    model = build("simple")
    with pytest.raises(OSError):
        export_onnx(model, tmp_path / "other.onnx", SIZE)
    assert model.auxiliary
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
