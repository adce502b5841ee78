"""The contract of checkpoints of other libraries: they say here what they say there. A new one is in `CASES`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_models import CASES, NAMES, Saved, rewrite, save
from torch import Tensor

from seg_demo.checkpoint import Checkpoint, CheckpointConfig, load_checkpoint, read_config, save_checkpoint
from seg_demo.checkpoint.header import WeightsError
from seg_demo.classes import ClassMap
from seg_demo.errors import UserError
from seg_demo.hub import foreign
from seg_demo.infer.predictor import Predictor
from seg_demo.models.adapt import freeze, head_names, parameter_groups, reset_head
from seg_demo.models.imported.transformers import EPSILON
from seg_demo.models.registry import ARCHITECTURES, build_model

ABOUT = {
    "smp": "Made with segmentation-models-pytorch (",
    "transformers": "Made with transformers (",
    "torchvision": "A state dict of torchvision's ",
}

QUICK = ("smp-unet", "lraspp", "segformer", "mask2former")
"""One of each wrapper; the others take a minute or two."""


@pytest.fixture(
    scope="module", params=[name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save(CASES[request.param], tmp_path_factory.mktemp("there") / request.param)


@pytest.fixture(scope="module")
def config(saved: Saved) -> CheckpointConfig:
    return saved.describe()


@pytest.fixture(scope="module")
def folder(saved: Saved, config: CheckpointConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved.convert(tmp_path_factory.mktemp("here") / "model", config)


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Checkpoint:
    return load_checkpoint(folder)


def images(saved: Saved) -> Tensor:
    return torch.rand(2, 3, *saved.case.size, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def logits(checkpoint: Checkpoint, images: Tensor) -> Tensor:
    return checkpoint.model(images)["out"]  # type: ignore[no-any-return]


def test_it_is_recognised(saved: Saved) -> None:
    files = sorted(path.name for path in saved.folder.iterdir())
    assert foreign.recognise(files, saved.documents.get("config.json")) == saved.case.layout
    layout = foreign.LAYOUTS[saved.case.layout]
    assert set(layout.needed_files([*files, "evil.py", "pytorch_model.bin"])) == {*saved.documents, "model.safetensors"}


@torch.inference_mode()
def test_it_says_what_it_says_there(saved: Saved, checkpoint: Checkpoint) -> None:
    theirs, ours = saved.case.scores(saved.network, images(saved)), logits(checkpoint, images(saved))
    assert theirs.flatten().std() > 1e-4, "a network that says the same everywhere tells nothing"
    if saved.case.logarithms:
        ours = ours.exp() - EPSILON
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_a_prediction_is_theirs(saved: Saved, checkpoint: Checkpoint) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*saved.case.size, 3), np.uint8)
    mean, std = (torch.tensor(part)[:, None, None] for part in _statistics(checkpoint))
    seen = (torch.from_numpy(picture).permute(2, 0, 1) / 255 - mean) / std
    scores = saved.case.scores(saved.network, seen[None])[0]  # (C, H, W)
    best = scores.topk(2, dim=0).values
    clear = (best[0] - best[1] > 1e-4).numpy()
    found = Predictor(_at_its_size(checkpoint))(picture).label_map
    assert clear.mean() > 0.5
    assert np.array_equal(found[clear], scores.argmax(0).numpy()[clear])


def _statistics(checkpoint: Checkpoint) -> tuple[tuple[float, ...], tuple[float, ...]]:
    preprocessing = checkpoint.config.preprocessing
    return preprocessing.mean, preprocessing.std


def _at_its_size(checkpoint: Checkpoint) -> Checkpoint:
    """Without resizing, which torchvision's recipe has."""
    preprocessing = replace(checkpoint.config.preprocessing, resize="none")
    return Checkpoint("as it is", replace(checkpoint.config, preprocessing=preprocessing), checkpoint.model)


def test_its_config_is_one_of_ours(saved: Saved, config: CheckpointConfig, folder: Path) -> None:
    assert read_config(folder) == config
    assert config.task == "multiclass"
    names = NAMES if saved.case.named else tuple(f"class_{number}" for number in range(5))
    assert config.classes.names == names
    assert config.training["about"].startswith(ABOUT[saved.case.layout])
    assert config.architecture in (*ARCHITECTURES, "smp", "transformers")


def test_it_takes_every_size(saved: Saved, checkpoint: Checkpoint) -> None:
    for size in ((1, 1), (33, 75), (200, 64)):
        assert logits(checkpoint, torch.rand(1, 3, *size)).shape == (1, 5, *size)


def test_nothing_of_it_is_without_memory(checkpoint: Checkpoint) -> None:
    model = checkpoint.model
    assert {value.device.type for value in (*model.parameters(), *model.buffers())} == {"cpu"}
    assert not model.training
    assert {value.dtype for value in model.parameters()} == {torch.float32}


def test_it_is_written_again(saved: Saved, checkpoint: Checkpoint, tmp_path: Path) -> None:
    again = load_checkpoint(save_checkpoint(tmp_path / "again", checkpoint.model, checkpoint.config))
    assert again.config == checkpoint.config
    assert torch.equal(logits(again, images(saved)), logits(checkpoint, images(saved)))


def test_half_precision_is_enlarged(saved: Saved, checkpoint: Checkpoint, tmp_path: Path) -> None:
    def halved(state: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.bfloat16() if value.is_floating_point() else value for name, value in state.items()}

    half = load_checkpoint(rewrite(saved, halved, tmp_path / "half").convert(tmp_path / "model", checkpoint.config))
    wanted = checkpoint.model.state_dict()
    for name, value in half.model.state_dict().items():
        assert value.dtype == wanted[name].dtype
        torch.testing.assert_close(value, wanted[name], rtol=0.01, atol=0.01)


def test_weights_of_another_network_are_refused(saved: Saved) -> None:
    tensors = dict(saved.tensors)
    name = [name for name in tensors if name.endswith("weight") and "aux" not in name and "criterion" not in name][5]
    dtype, shape = tensors[name]
    for changes, part in (
        ({name: None}, "lacks the weights"),
        ({name: (dtype, (*shape, 2))}, "have the shape"),
        ({"backbone.nobody.weight": ("F32", (3,))}, "holds the weights"),
        ({name: ("I8", shape)}, "as after quantising"),
    ):
        changed = {key: value for key, value in {**tensors, **changes}.items() if value is not None}
        with pytest.raises(WeightsError, match=part):
            foreign.LAYOUTS[saved.case.layout].describe(saved.documents, changed)


def test_weights_that_are_not_finite_are_refused(saved: Saved, config: CheckpointConfig, tmp_path: Path) -> None:
    def diverged(state: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value * float("nan") if value.is_floating_point() else value for name, value in state.items()}

    broken = rewrite(saved, diverged, tmp_path / "nan").convert(tmp_path / "model", config)
    with pytest.raises(UserError, match="not finite"):
        load_checkpoint(broken)


def test_it_can_learn_other_classes(saved: Saved, folder: Path, tmp_path: Path) -> None:
    """New layers for class scores and a frozen backbone; one step changes what is not frozen, and only that."""
    torch.manual_seed(0)
    checkpoint = load_checkpoint(folder)
    model = freeze(reset_head(checkpoint.model, 3))  # type: ignore[arg-type]
    heads = head_names(model)
    assert heads
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    outputs = model(images(saved))["out"]
    assert outputs.shape == (2, 3, *saved.case.size)
    target = torch.randint(0, 3, (2, *saved.case.size))
    torch.nn.functional.cross_entropy(outputs, target).backward()
    torch.optim.SGD(parameter_groups(model, 1e-3, 0.0)).step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert any(name.startswith(tuple(heads)) for name in changed)
    frozen = tuple(f"{part}." for part in model.backbone_parts)
    assert not [name for name in changed if name.startswith(frozen)]
    assert any(name.startswith(frozen) for name in before)
    model.eval()
    three = replace(checkpoint.config, classes=ClassMap.of("background", "cat", "dog"))
    again = load_checkpoint(save_checkpoint(tmp_path / "tuned", model, three))
    ours = logits(again, images(saved))
    with torch.inference_mode():
        assert torch.equal(ours, model(images(saved))["out"])


def test_it_is_built_with_weights_of_its_own(config: CheckpointConfig) -> None:
    """As a run that goes on does, before its state is read; equal seeds give equal weights."""
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        model = build_model(config.architecture, 5, **config.arguments)
        assert {value.device.type for value in model.state_dict().values()} == {"cpu"}
        states.append(model.state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
