"""A foreign checkpoint once it is here: pulled from a Hub, chosen as any other, and trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_models import CASES, NAMES, Saved, save
from hub_server import HubServer
from training import kinds, pictures, run, same, squares, weights, with_

from seg_demo.checkpoint import find_checkpoints, load_checkpoint
from seg_demo.hub.account import NOBODY
from seg_demo.hub.pull import pull
from seg_demo.infer.library import Library
from seg_demo.train.start import complete

USED = ("segformer", "smp-unet", "lraspp")


@pytest.fixture(scope="module", params=USED)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save(CASES[request.param], tmp_path_factory.mktemp("there") / request.param)


def test_it_is_pulled_and_chosen_as_any_other(
    saved: Saved, hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {path.name: path.read_bytes() for path in saved.folder.iterdir()}
    hub.put("alice/net", {**files, "pytorch_model.bin": b"\x80\x04.", "modeling_evil.py": b"raise SystemExit"})
    monkeypatch.chdir(tmp_path)
    pulled = pull("alice/net", account=NOBODY)
    assert pulled.layout == saved.case.layout
    assert find_checkpoints(Path("checkpoints")) == [pulled.folder]
    assert {"config.json", "model.safetensors"} <= {path.name for path in pulled.folder.iterdir()}
    assert not [path for path in pulled.folder.iterdir() if path.suffix in (".py", ".bin")]
    library = Library(Path("checkpoints"))
    segmentation = library.predictor("net")(np.zeros((64, 96, 3), np.uint8))
    assert segmentation.label_map.shape == (64, 96)
    if saved.case.named:
        assert segmentation.classes.names == NAMES
    assert not pull("alice/net", account=NOBODY).changed


def test_a_run_starts_from_it_and_goes_on(saved: Saved, tmp_path: Path) -> None:
    """With the settings that a run keeps, in which there are no objects; stopped half-way, it comes to the same end."""
    start = saved.convert(tmp_path / "start", saved.describe())
    changes = {"model__checkpoint": str(start), "model__freeze": True, "steps": 2, "average": 0.0}
    some = pictures(squares(2), (), squares(1))
    config = complete(with_(**changes), some)
    run(config, tmp_path / "whole", some)
    tuned = load_checkpoint(tmp_path / "whole/last")
    assert tuned.config.architecture == load_checkpoint(start).config.architecture
    assert tuned.config.arguments == load_checkpoint(start).config.arguments
    assert tuned.config.classes == some.classes
    before, after = (weights(folder) for folder in (start, tmp_path / "whole/last"))
    parts = tuple(f"{part}." for part in tuned.model.backbone_parts)  # type: ignore[union-attr]
    frozen = [name for name in after if name.startswith(parts)]
    assert frozen and all(torch.equal(before[name], after[name]) for name in frozen)
    assert any(
        before[name].shape != value.shape or not torch.equal(before[name], value) for name, value in after.items()
    )
    asked: list[bool] = []

    def once() -> bool:
        asked.append(True)
        return len(asked) > 1

    events = kinds(run(config, tmp_path / "parts", some, stop=once))
    assert "RunStopped" in events
    assert "RunFinished" in kinds(run(config, tmp_path / "parts", some))
    assert same(weights(tmp_path / "parts/last"), weights(tmp_path / "whole/last"))
