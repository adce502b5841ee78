"""`export`: a checkpoint as one file, by name, as a person or a program asks for it."""

from __future__ import annotations

import json
import shutil
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from seg_demo.checkpoint import export as exporting
from seg_demo.checkpoint import load_checkpoint, read_config
from seg_demo.checkpoint.export import FORMATS, about, default_size, export_checkpoint
from seg_demo.checkpoint.folder import save_checkpoint
from seg_demo.cli.main import main
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.errors import UserError

SIZE = (24, 40)


@pytest.fixture
def checkpoint(tiny_species_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_species_checkpoint, tmp_path / "mine" / "newts"))


def expected(checkpoint: Path, images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return load_checkpoint(checkpoint).model(torch.from_numpy(images))["out"].numpy()


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, *SIZE), np.float32)


def test_onnx_says_what_the_model_is(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    out = tmp_path / "new" / "model.onnx"
    assert main(["export", str(checkpoint), "--format", "onnx", "--size", "24x40", "--out", str(out)]) == 0
    assert capsys.readouterr().out == (
        f"{checkpoint} -> {out}: ONNX, {out.stat().st_size / 1e6:.1f} MB, for pictures of 24 x 40 pixels "
        "(height x width)\n"
    )
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    told = json.loads(session.get_modelmeta().custom_metadata_map["seg_demo"])
    config = read_config(checkpoint)
    assert told == about(config, SIZE) and told["size"] == [24, 40]
    assert (told["classes"], told["mean"]) == (list(config.classes.names), list(config.preprocessing.mean))
    assert (told["std"], told["threshold"], told["size"]) == (
        list(config.preprocessing.std),
        config.threshold,
        [24, 40],
    )
    for count in (1, 3):
        (found,) = session.run([told["output"]], {told["input"]: noise(count)})
        np.testing.assert_allclose(found, expected(checkpoint, noise(count)), rtol=0, atol=1e-4)
    assert str(checkpoint.parent).encode() not in out.read_bytes(), "no folder of this computer"


def test_a_program_of_pytorch(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "model.pt2"
    flags = ["--format", "torch-export", "--size", "24x40", "--out", str(out), "--json"]
    assert main(["export", str(checkpoint), *flags]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "checkpoint": "newts", "format": "torch-export", "file": str(out), "bytes": out.stat().st_size,
        "size": [24, 40],
    }  # fmt: skip
    extra = {"seg_demo": ""}
    module = torch.export.load(out, extra_files=extra).module()
    assert json.loads(extra["seg_demo"]) == about(read_config(checkpoint), SIZE)
    with torch.no_grad():
        found = module(torch.from_numpy(noise(2))).numpy()
    np.testing.assert_allclose(found, expected(checkpoint, noise(2)), rtol=0, atol=1e-4)


def test_the_weights_alone(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "model.safetensors"
    arguments = ["export", str(checkpoint), "--format", "safetensors", "--out", str(out), "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["size"] is None
    weights = checkpoint / "model.safetensors"
    assert out.read_bytes() == weights.read_bytes()
    # Whatever another program has noted in the header stays here.
    tensors = load_file(weights)
    save_file(tensors, weights, metadata={"made": "/home/ada/secret", "format": "pt"})
    assert main(arguments) == 0
    with safe_open(out, "pt") as file:
        assert file.metadata() == {"format": "pt"}
    found = load_file(out)
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    (length,) = struct.unpack("<Q", out.read_bytes()[:8])
    assert length % 8 == 0


def test_a_zip(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "newts.zip"
    assert main(["export", str(checkpoint), "--format", "zip", "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith(f"{checkpoint} -> {out}: The whole checkpoint (zip), ")
    with zipfile.ZipFile(out) as file:
        assert file.namelist() == ["newts/config.json", "newts/model.safetensors", "newts/README.md"]


def test_help_names_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    names = list(FORMATS)
    assert f"{', '.join(names[:-1])} or {names[-1]}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"--format": "onxn"}, 'There is no export format "onxn". Did you mean "onnx"? Known: onnx, torch-export, '),
        ({"--format": "zip", "--size": "24x40"}, "The format zip fixes no size of pictures. Leave the size out."),
        ({"--size": "24x5000"}, "for pictures of 1 to 4096 pixels a side, not 5000 x 24."),
        ({"checkpoint": "nowhere"}, "There is no checkpoint folder nowhere."),
        ({"checkpoint": "nowhere", "--format": "zip"}, "nowhere is not a checkpoint: it holds no config.json."),
        ({"--format": "safetensors", "--out": "."}, ". is a folder. Name a file, such as newts.safetensors."),
    ],
)
def test_what_cannot_be_written_is_one_sentence(
    changes: dict[str, str], sentence: str, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    asked = {"--format": "torch-export", "--out": "model", **changes}
    flags = [word for flag, value in asked.items() if flag.startswith("--") for word in (flag, value)]
    before = sorted(tmp_path.rglob("*"))
    assert main(["export", asked.get("checkpoint", str(checkpoint)), *flags, "--json"]) == 1
    told = capsys.readouterr()
    assert sentence in json.loads(told.out)["error"]
    assert told.err.startswith("error: ") and told.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("size", ["24", "24x", "x40", "24 x 40", "-1x4", "1.5x2", "24x40x3", "9999999x1"])
def test_a_size_that_is_none(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "a", "--format", "onnx", "--out", "b", f"--size={size}"])
    assert f"{size} is not a size such as 192x256, height first" in capsys.readouterr().err


def test_the_size_is_by_default_what_the_model_sees(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_checkpoint(checkpoint)
    sizes = []
    for rule in (Preprocessing("longest", 320), Preprocessing("exact", 64), Preprocessing("none")):
        config = replace(loaded.config, preprocessing=rule)
        save_checkpoint(checkpoint, loaded.model, config)
        sizes.append(default_size(config))
        monkeypatch.setattr(
            "seg_demo.models.export.export_program",
            lambda model, out, size, told: (out, size, told["size"]),
        )
        found = export_checkpoint(checkpoint, "torch-export", Path("out"))
        assert found == (Path("out"), sizes[-1], list(sizes[-1]))
    assert sizes == [(320, 320), (64, 64), (512, 512)]


@pytest.mark.parametrize("name", ["safetensors", "zip"])
def test_a_copy_can_be_watched_and_stopped(
    name: str, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_PIECE", 1000)
    monkeypatch.setattr("seg_demo.checkpoint.package._PIECE", 1000)
    seen: list[tuple[int, int]] = []
    out = export_checkpoint(checkpoint, name, tmp_path / "out", progress=lambda *reached: seen.append(reached))
    assert len(seen) > 3 and seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] <= out.stat().st_size
    before = out.read_bytes()

    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_checkpoint(checkpoint, name, out, progress=stop)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out"]
    assert out.read_bytes() == before


def test_damaged_weights_are_not_handed_on(checkpoint: Path, tmp_path: Path) -> None:
    with (checkpoint / "model.safetensors").open("ab") as file:
        file.write(b"more")
    for name in FORMATS:
        with pytest.raises(UserError, match="bytes long, but its header promises|is damaged or cut off"):
            export_checkpoint(checkpoint, name, tmp_path / "out")
    assert not (tmp_path / "out").exists()
