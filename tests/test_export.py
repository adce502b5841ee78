"""Networks outside of eager PyTorch: as ONNX, through `torch.export` and through `torch.compile`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from seg_demo.errors import UserError
from seg_demo.models import ARCHITECTURES, build_model, export, whole_file
from seg_demo.models.export import export_onnx, export_program
from seg_demo.models.model import SegmentationModel

SMALL: dict[str, dict[str, object]] = {
    "simple": {"width": 8, "layers": 3},
    "unet": {"width": 4, "depth": 4},
    "segnet": {"backbone": "vgg16_bn"},
    "hdc": {"backbone": "resnet50"},
    "lraspp": {},
}
QUICK = ("simple", "unet")
ABOUT = {"classes": ["background", "イモリ"], "mean": [0.1, 0.2, 0.3], "threshold": 0.25}
SIZE = (65, 70)  # needs padding in every network that pads
# Dynamo follows every line of a network, which takes seconds for the deeper ones.
COMPILED_QUICKLY = ("simple", "unet", "fcn16s")
EXPORTED_QUICKLY = tuple(name for name in ARCHITECTURES if name not in ("hdc", "refinenet", "lraspp", "segnet"))


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
    file = export_onnx(model, tmp_path / "new" / "model.onnx", SIZE, ABOUT)
    assert capfd.readouterr().out == ""
    assert [path.name for path in file.parent.iterdir()] == ["model.onnx"]
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert [(value.name, value.shape) for value in (*session.get_inputs(), *session.get_outputs())] == [
        ("images", ["batch", 3, *SIZE]),
        ("logits", ["batch", 3, *SIZE]),
    ]
    assert json.loads(session.get_modelmeta().custom_metadata_map[export.METADATA]) == ABOUT
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
def test_torch_export_computes_the_same_for_any_batch(name: str, tmp_path: Path) -> None:
    model = build(name)
    file = export_program(model, tmp_path / "model.pt2", SIZE)
    module = torch.export.load(file).module()
    with torch.no_grad():
        wanted = model(images(3))["out"]
        for count in (1, 3):
            torch.testing.assert_close(module(images(3)[:count]), wanted[:count], rtol=0, atol=1e-4)


def test_a_program_runs_where_nothing_of_this_project_is(tmp_path: Path) -> None:
    model = build_model("fcn", 3, backbone="resnet18").train()
    torch.manual_seed(0)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    file = export_program(model, tmp_path / "new" / "model.pt2", (32, 48), ABOUT)
    assert [path.name for path in file.parent.iterdir()] == ["model.pt2"]
    # The model stays as it was.
    assert model.training and model.auxiliary
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    # Of this computer, nothing is in the file; nor is anything that is not needed.
    with zipfile.ZipFile(file) as packed:
        contents = {name: packed.read(name) for name in packed.namelist()}
    for folder in (Path(export.__file__).parents[2], Path(torch.__file__).parents[1], tmp_path):
        assert not [name for name, content in contents.items() if str(folder).encode() in content]
    assert not [name for name in contents if "aux" in name]
    assert sum(map(len, contents.values())) < 1.1 * sum(
        value.nbytes for key, value in before.items() if not key.startswith("aux")
    )
    batch = torch.randn(3, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    save_file({"images": batch}, tmp_path / "images.safetensors")
    code = (
        "import sys, torch\n"
        "from safetensors.torch import load_file, save_file\n"
        "extra = {'seg_demo': ''}\n"
        "module = torch.export.load('new/model.pt2', extra_files=extra).module()\n"
        "with torch.no_grad():\n"
        "    save_file({'logits': module(load_file('images.safetensors')['images'])}, 'logits.safetensors')\n"
        "assert not [name for name in sys.modules if name.startswith('seg_demo')]\n"
        "print(extra['seg_demo'])\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ABOUT
    with torch.no_grad():
        wanted = model.eval()(batch)["out"]
    torch.testing.assert_close(load_file(tmp_path / "logits.safetensors")["logits"], wanted, rtol=0, atol=1e-4)


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
    for write in (export_onnx, export_program):
        for size in ((0, 8), (8, 4097), (-1, -1)):
            with pytest.raises(UserError, match=rf"of 1 to 4096 pixels a side, not {size[1]} x {size[0]}\."):
                write(build("simple"), tmp_path / "model", size)
    monkeypatch.setattr(export, "MAX_BYTES", 1000)
    with pytest.raises(UserError, match=r"holds 0 MB of weights at most"):
        export_onnx(build("simple"), tmp_path / "model.onnx", SIZE)
    model = build("simple")
    model.logits = lambda images: {"out": images * float(images.sum())}  # type: ignore[method-assign]
    with pytest.raises(UserError, match=r"^PyTorch \d.* cannot export this network as torch\.export\. Choose another"):
        export_program(model, tmp_path / "model.pt2", SIZE)
    assert model.auxiliary
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_file.os, "replace", fail)
    for write in (export_onnx, export_program):
        with pytest.raises(UserError, match=r"model\.onnx could not be written \(No space left on device\)\. Free"):
            write(build("simple"), file, SIZE)
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("model.onnx", b"old")]
    monkeypatch.setattr(torch.onnx, "export", fail)
    model = build("simple")
    with pytest.raises(OSError):
        export_onnx(model, tmp_path / "other.onnx", SIZE)
    assert model.auxiliary
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_file_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / ("x" * 250)
    with whole_file.whole_file(target, ".onnx") as staging:
        staging.write_bytes(b"1")
        assert (staging.parent, staging.suffix, target.exists()) == (target.parent, ".onnx", False)
    with pytest.raises(KeyboardInterrupt), whole_file.whole_file(target) as staging:
        staging.write_bytes(b"2")
        raise KeyboardInterrupt
    assert [(path, path.read_bytes()) for path in target.parent.iterdir()] == [(target, b"1")]
    told = pytest.raises(UserError, match=r"new could not be written \(Is a directory\)")
    with told, whole_file.whole_file(tmp_path / "new") as staging:
        staging.write_bytes(b"3")
    assert os.listdir(tmp_path) == ["new"]
