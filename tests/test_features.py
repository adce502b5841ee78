"""Features of a frozen backbone: the head sees what it would see without them, in any order and wherever they are."""

from __future__ import annotations

import errno
import os
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seg_demo.data.loader import Key
from seg_demo.errors import UserError
from seg_demo.models import build_model
from seg_demo.models.adapt import freeze
from seg_demo.models.model import SegmentationModel
from seg_demo.train.features import Kept, KeptFeatures

SIDE = 48
COUNTS = (5, 3)
KEYS = [Key(pool, view, index) for view in range(2) for pool, count in enumerate(COUNTS) for index in range(count)]

# architecture, backbone -> the backbone's features that the head uses, without and with the auxiliary head; its images
USED = {
    ("deeplabv3", "mobilenet_v3_large"): ([4], [2, 4], False),
    ("deeplabv3", "resnet18"): ([4], [3, 4], False),
    ("deeplabv3plus", "mobilenet_v3_large"): ([1, 4], [1, 4], False),
    ("lraspp", "mobilenet_v3_large"): ([2, 4], [2, 4], False),
    ("fcn", "resnet18"): ([4], [3, 4], False),
    ("fcn32s", "resnet18"): ([4], [4], False),
    ("fcn8s", "resnet18"): ([2, 3, 4], [2, 3, 4], False),
    ("pspnet", "resnet18"): ([4], [3, 4], False),
    ("gcn", "resnet18"): ([1, 2, 3, 4], [1, 2, 3, 4], False),
    ("duc", "resnet18"): ([4], [4], False),
    ("unet", "mobilenet_v3_large"): ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4], True),
    ("unet", "densenet121"): ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4], True),
}
SLOW = {
    ("fcn8s", "vgg16"): ([2, 3, 4], [2, 3, 4], False),  # whose fc6 and fc7 are frozen, too
    ("hdc", "resnet50"): ([4], [4], False),
    ("refinenet", "resnet18"): ([1, 2, 3, 4], [1, 2, 3, 4], False),
}
every_network = pytest.mark.parametrize(
    "case", [*USED, *(pytest.param(case, marks=pytest.mark.slow) for case in SLOW)], ids=" on ".join
)


class Outcome(NamedTuple):
    outputs: dict[str, Tensor]
    gradients: dict[str, Tensor]
    state: dict[str, Tensor]


def build(architecture: str = "deeplabv3plus", backbone: str = "mobilenet_v3_large") -> SegmentationModel:
    torch.manual_seed(0)
    model = freeze(build_model(architecture, 3, backbone=backbone))
    return model.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload, no-any-return]


def fetch(key: Key) -> tuple[Tensor, Tensor]:
    pool, epoch, index = key
    generator = torch.Generator().manual_seed(10_000 * pool + 100 * epoch + index)
    label_map = torch.randint(0, 3, (1, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    return torch.randn(3, SIDE, SIDE, generator=generator), label_map


def images_of(keys: list[Key]) -> Tensor:
    return torch.stack([fetch(key)[0] for key in keys]).contiguous(memory_format=torch.channels_last)


def keep(model: SegmentationModel, folder: Path, **changes: Any) -> KeptFeatures:
    arguments: dict[str, Any] = {
        "block": 2, "dtype": torch.float32, "device": "cpu", "folder": folder, "memory_limit": 1e9,
    }  # fmt: skip
    fetched = changes.pop("fetch", fetch)
    return KeptFeatures(model, fetched, changes.pop("views", 2), COUNTS, **arguments | changes)


def _last(inputs: Kept) -> Tensor:
    value = inputs.features[-1]
    assert value is not None
    return value


def learn(model: SegmentationModel, *inputs: Any) -> Outcome:
    """One pass in training mode, with equal random numbers for dropout, and back."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(1)
    outputs = model(*inputs)
    model.zero_grad(set_to_none=True)
    sum(logits.float().square().mean() for logits in outputs.values()).backward()
    after = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = {name: value.grad for name, value in model.named_parameters() if value.grad is not None}
    model.load_state_dict(before)
    return Outcome(outputs, gradients, after)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@every_network
def test_head_of_features_is_the_whole_network(case: tuple[str, str], tmp_path: Path) -> None:
    model = build(*case)
    odd = torch.randn(2, 3, 50, 71)
    with torch.no_grad(), model.predicting():
        assert same(model(odd), model(torch.randn(2, 3, 50, 71) if case[0] != "unet" else odd, model.encode(odd)))

    batch = KEYS[:2]  # a block
    before = model.state_dict()
    inputs, label_maps = keep(model, tmp_path).batch(batch)
    plain, kept = learn(model, images_of(batch)), learn(model, *inputs)
    assert same(plain.outputs, kept.outputs)
    assert same(plain.gradients, kept.gradients)
    assert same(plain.state, kept.state)
    assert plain.gradients
    assert not any(name.startswith(model.backbone_parts) for name in kept.gradients)
    assert all(torch.equal(value, kept.state[name]) for name, value in before.items() if name.startswith("backbone."))
    assert torch.equal(label_maps, torch.cat([fetch(key)[1] for key in batch]).long())
    assert label_maps.dtype == torch.int64


@every_network
@pytest.mark.parametrize("auxiliary", [False, True])
def test_only_what_the_head_uses_is_kept(case: tuple[str, str], auxiliary: bool, tmp_path: Path) -> None:
    model = build(*case)
    model.auxiliary = auxiliary
    without, together, images = (USED | SLOW)[case]
    (inputs, _), wanted = keep(model, tmp_path).batch(KEYS[:1]), together if auxiliary else without
    assert [number for number, value in enumerate(inputs.features) if value is not None] == wanted
    assert torch.equal(inputs.images, images_of(KEYS[:1])) == images
    assert inputs.images.shape == (1, 3, SIDE, SIDE)
    assert images or inputs.images.untyped_storage().nbytes() <= 4


def test_keeping_leaves_the_model_and_the_random_numbers_alone(tmp_path: Path) -> None:
    model = build("deeplabv3")  # with BatchNorm and dropout in its head
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    random = torch.get_rng_state()
    features = keep(model, tmp_path)
    inputs, _ = features.batch(KEYS)
    assert same(before, model.state_dict())
    assert modes == [module.training for module in model.modules()]
    assert torch.equal(random, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in model.parameters())
    features.forward(inputs)["out"].sum().backward()
    assert all(parameter.grad is None for parameter in model.get_submodule("backbone").parameters())
    assert all(parameter.grad is not None for parameter in model.get_submodule("classifier").parameters())
    with pytest.raises(IndexError):
        model(inputs.images, [])
    batch = images_of(KEYS)
    with torch.no_grad(), model.predicting():  # the backbone is itself again
        assert torch.equal(model(batch)["out"], model(batch, model.encode(batch))["out"])
        assert not torch.equal(model(batch)["out"], model(batch, model.encode(batch.flip(0)))["out"])


@pytest.mark.slow
def test_a_compiled_head_is_compiled_once() -> None:
    model = build()
    graphs: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph

    compiled, counts = torch.compile(model, backend=backend), []
    for seed in range(3):
        images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
        features = model.encode(images)
        outcomes = []
        for network in (model, compiled):
            torch.manual_seed(1)
            outcomes.append(network(images, features))
        assert same(*outcomes)
        counts.append(len(graphs))
    assert counts[0] == counts[2]
    convolutions = [layer for graph in graphs for layer in graph.graph.nodes if "conv2d" in str(layer.target)]
    assert 9 <= len(convolutions) < 20  # those of the head, and none of the backbone's 46


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[SegmentationModel, list[Tensor], Tensor]:
    """A model, the features that `keep` makes of `KEYS`, and their label maps."""
    model = build()
    inputs, label_maps = keep(model, tmp_path_factory.mktemp("features")).batch(KEYS)
    return model, [value for value in inputs.features if value is not None], label_maps


Expected = tuple[SegmentationModel, list[Tensor], Tensor]


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(len(KEYS))), size=st.integers(1, 5), on_disk=st.booleans())
def test_no_order_of_batches_and_no_place_changes_a_bit(
    order: list[int], size: int, on_disk: bool, expected: Expected, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model, wanted, wanted_label_maps = expected
    features = keep(model, tmp_path_factory.mktemp("features"), memory_limit=0 if on_disk else 1e9)
    assert features.on_disk == on_disk
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        inputs, label_maps = features.batch([KEYS[row] for row in rows])
        got = [value for value in inputs.features if value is not None]
        assert all(torch.equal(value, whole[rows]) for value, whole in zip(got, wanted, strict=True))
        assert torch.equal(label_maps, wanted_label_maps[rows])
    features.close()


def test_every_view_is_computed_once(tmp_path: Path) -> None:
    fetched: Counter[Key] = Counter()

    def counting(key: Key) -> tuple[Tensor, Tensor]:
        fetched[key] += 1
        return fetch(key)

    features = keep(build(), tmp_path, fetch=counting)
    fetched.clear()  # the first look
    assert (features.done, features.total) == (0, 16)
    features.batch([Key(0, 0, 4), Key(1, 0, 1)])  # the last block of a pool, with one picture, and the first of another
    assert fetched == Counter([Key(0, 0, 4), Key(1, 0, 0), Key(1, 0, 1)])
    assert features.done == 3
    for epoch in range(5):
        inputs, _ = features.batch([Key(0, epoch, 1)])
        assert torch.equal(_last(inputs), _last(features.batch([Key(0, epoch % 2, 1)])[0]))
    for key in KEYS:
        features.batch([key])
    assert fetched == Counter(KEYS)
    assert features.done == 16


def test_a_batch_in_parts_is_the_batch(tmp_path: Path) -> None:
    whole, _ = keep(build(), tmp_path).batch(KEYS[:5])
    parts = whole.chunk(2)
    assert [len(part.images) for part in parts] == [3, 2]
    for number, value in enumerate(whole.features):
        found = [part.features[number] for part in parts]
        if value is None:
            assert found == [None, None]
        else:
            assert torch.equal(torch.cat([part for part in found if part is not None]), value)


def test_a_picture_that_cannot_be_read_is_asked_for_again(tmp_path: Path) -> None:
    broken = {Key(0, 0, 3)}

    def failing(key: Key) -> tuple[Tensor, Tensor]:
        if key in broken:
            raise UserError("{file} is empty. Choose another picture.", file="cat.png")
        return fetch(key)

    features = keep(build(), tmp_path, fetch=failing)
    with pytest.raises(UserError, match="cat.png is empty"):
        features.batch([Key(0, 0, 2)])  # whose block is 2 and 3
    assert features.done == 0
    broken.clear()
    features.batch([Key(0, 0, 2)])
    assert features.done == 2


def test_on_disk_nothing_has_a_name_and_all_has_its_place(tmp_path: Path) -> None:
    features = keep(build(), tmp_path / "run" / "features", memory_limit=1000)
    assert features.on_disk
    assert list((tmp_path / "run" / "features").iterdir()) == []
    channels = 24 * 12 * 12 + 960 * 3 * 3  # 48 pixels at strides 4 and 16
    assert features.bytes == 16 * (4 * channels + SIDE * SIDE)


def test_bfloat16_takes_half_and_is_nearly_the_same(tmp_path: Path) -> None:
    model = build().eval()
    exact, half = keep(model, tmp_path), keep(model, tmp_path, dtype=torch.bfloat16)
    outputs = []
    for features in (exact, half):
        inputs, _ = features.batch(KEYS[:4])
        kept = [value for value in inputs.features if value is not None]
        assert {value.dtype for value in kept} == {features.dtype}
        assert all(value.is_contiguous(memory_format=torch.channels_last) for value in kept)
        outputs.append(features.forward(inputs)["out"].float())
    assert half.bytes < 0.6 * exact.bytes
    error = (outputs[0] - outputs[1]).abs().max()
    assert 0 < error < 0.05 * outputs[0].abs().max()


def test_without_a_frozen_backbone_of_its_own_there_is_nothing_to_keep(tmp_path: Path) -> None:
    loose = build()
    loose.get_submodule("backbone").requires_grad_(True)
    thawed = build()
    thawed.frozen = ()  # whose BatchNorm would go on learning
    for model in (loose, thawed):
        with pytest.raises(UserError, match=r"of deeplabv3plus can be kept only while .* Set model.freeze to true\."):
            keep(model, tmp_path)
    networks: dict[str, dict[str, Any]] = {"simple": {}, "unet": {"width": 4}}
    for name, arguments in networks.items():
        with pytest.raises(UserError, match=rf"The network {name} has no backbone whose features could be kept\. "):
            keep(freeze(build_model(name, 3, **arguments)), tmp_path)


def test_a_backbone_that_is_called_layer_by_layer_is_refused(tmp_path: Path) -> None:
    model = build()
    layers: Any = model.backbone
    model.logits = lambda images: {"out": layers["1"](layers["0"](images))}  # type: ignore[method-assign]
    with pytest.raises(
        UserError, match=r"deeplabv3plus does not call its backbone as a whole, .* Set model\.keep_features to 0\."
    ):
        keep(model, tmp_path)


def test_a_disk_that_is_too_small_is_told_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence = r"need 0\.\d GB, but there are only 0\.0 GB free in .*features\. Free some space, or lower model\.keep"
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
        with pytest.raises(UserError, match=sentence):
            keep(build(), tmp_path / "features", memory_limit=0)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)  # another process was quicker
    with pytest.raises(UserError, match=r"The kept features need .* GB free in .*features\. Free some space"):
        keep(build(), tmp_path / "features", memory_limit=0)
    assert list((tmp_path / "features").iterdir()) == []
