"""The contract of every architecture on each of its backbones. A new one is in `ARCHITECTURES` and needs no line here;
one that is large may name smaller arguments in `SMALL`, one with variants list them in `VARIANTS`."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from seg_demo.checkpoint import CheckpointConfig, load_checkpoint, save_checkpoint
from seg_demo.checkpoint.weights import is_finite
from seg_demo.errors import UserError
from seg_demo.models import ARCHITECTURES, build_model
from seg_demo.models.adapt import freeze, parameter_groups
from seg_demo.models.arguments import Choice, Flag, Whole
from seg_demo.models.model import SegmentationModel
from seg_demo.models.outputs import probabilities
from seg_demo.palettes import VOC

SMALL: dict[str, dict[str, Any]] = {"simple": {"width": 8, "layers": 3}, "unet": {"width": 4, "depth": 4}}
VARIANTS = {
    "unet with a stem": ("unet", {"width": 4, "depth": 3, "stem": 2}),
    "deeplabv3 without aux": ("deeplabv3", {"backbone": "mobilenet_v3_large", "aux": False}),
}
SIZES = {"mobilenet_v3_large": 0, "resnet18": 1, "vgg16_bn": 2, "resnet50": 3}


def cheapest(name: str) -> dict[str, Any]:
    """The arguments of the smallest network that shows what an architecture does."""
    backbones = ARCHITECTURES[name].backbones
    if name in SMALL or not backbones:
        return SMALL.get(name, {})
    return {"backbone": min(backbones, key=lambda backbone: SIZES.get(backbone, 9))}


CASES = {name: (name, cheapest(name)) for name in ARCHITECTURES} | VARIANTS
ON_BACKBONES = CASES | {
    f"{name} on {backbone}": (name, {"backbone": backbone})
    for name, architecture in ARCHITECTURES.items()
    for backbone in architecture.backbones
    if backbone not in ("none", CASES[name][1].get("backbone"))
}

every_architecture = pytest.mark.parametrize("case", CASES)


def build(case: str, num_classes: int = 3, seed: int = 0) -> SegmentationModel:
    torch.manual_seed(seed)
    name, arguments = ON_BACKBONES[case]
    return build_model(name, num_classes, **arguments)


def images(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


# The larger ones of each family of backbones differ from the others in their number of layers, or lack BatchNorm.
LARGEST = ("vgg16", "vgg19_bn", "resnet101", "resnet152", "densenet201")


def marks(case: str) -> list[pytest.MarkDecorator]:
    """The tests of one network run in one process, which builds it once."""
    group = [pytest.mark.xdist_group(case)]
    return [*group, pytest.mark.slow] if ON_BACKBONES[case][1].get("backbone") in LARGEST else group


GROUPED = [pytest.param(case, marks=marks(case)) for case in ON_BACKBONES]


@pytest.fixture(scope="module", params=GROUPED)
def model(request: pytest.FixtureRequest) -> SegmentationModel:
    """Every architecture on every backbone, built once for the tests that take it, which leave it as it is."""
    return build(request.param, len(VOC)).eval()


def test_logits_have_the_size_of_the_image_and_nothing_changes(model: SegmentationModel) -> None:
    before = {key: value._version for key, value in model.state_dict().items()}
    for size in ((224, 224), (97, 131)):
        picture = images(1, 3, *size)
        with torch.inference_mode():
            outputs = model(picture)
        assert set(outputs) <= {"out", "aux"}
        for logits in outputs.values():
            assert logits.shape == (1, len(VOC), *size)
            assert logits.dtype == torch.float32
            assert torch.isfinite(logits).all()
        assert torch.equal(picture, images(1, 3, *size))
    with torch.inference_mode():
        assert torch.equal(model(picture)["out"], outputs["out"])
    assert before == {key: value._version for key, value in model.state_dict().items()}, "something was written to"


def test_save_and_load(model: SegmentationModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # waiting for the disk would be most of the time
    picture = images(1, 3, 40, 37)
    name, arguments = model.origin
    assert arguments == ARCHITECTURES[name].check(name, arguments)
    config = CheckpointConfig(name, arguments, "multiclass", VOC)
    loaded = load_checkpoint(save_checkpoint(tmp_path / name, model, config)).model
    shutil.rmtree(tmp_path / name)  # at once: all of them together would be gigabytes
    assert not any(buffer.is_meta for buffer in loaded.buffers()), "a buffer that is not saved cannot be loaded"
    with torch.inference_mode():
        assert torch.equal(loaded(picture)["out"], model(picture)["out"])


def test_a_batch_of_one_trains_every_parameter_that_is_not_frozen(model: SegmentationModel) -> None:
    """The last of them, because it changes the model."""
    model.train()

    def backward() -> None:
        sum((out * images(*out.shape)).sum() for out in model(images(1, 3, 48, 40)).values()).backward()

    backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert is_finite(parameter.grad), name
        assert parameter.grad.any(), f"{name} does not reach the logits"

    model.zero_grad(set_to_none=True)
    before = {key: value.clone() for key, value in freeze(model, "backbone").state_dict().items()}
    backward()
    torch.optim.SGD(parameter_groups(model, 1e-2, weight_decay=1e-4), momentum=0.9).step()
    frozen = tuple(f"{part}." for part in model.backbone_parts)
    after = model.state_dict()
    assert any(key.startswith(frozen) for key in after)
    for key, value in after.items():
        if key.startswith(frozen):
            assert torch.equal(value, before[key]), key
    changed = [key for key, _ in model.named_parameters() if not torch.equal(after[key], before[key])]
    assert changed == [key for key, _ in model.named_parameters() if not key.startswith(frozen)]


@every_architecture
@pytest.mark.parametrize("size", [(1, 1), (7, 300), (65, 31)])
def test_tiny_images(case: str, size: tuple[int, int]) -> None:
    model = build(case).eval()
    with torch.inference_mode():
        out = model(images(1, 3, *size))["out"]
    assert out.shape == (1, 3, *size)
    assert torch.isfinite(out).all()


@every_architecture
def test_a_batch_of_one_tiny_image_trains(case: str) -> None:
    model = build(case).train()
    outputs = model(images(1, 3, 8, 8))
    sum((out * images(*out.shape)).sum() for out in outputs.values()).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


@every_architecture
@pytest.mark.parametrize("num_classes", [1, 21])
def test_number_of_classes(case: str, num_classes: int) -> None:
    with torch.inference_mode():
        assert build(case, num_classes).eval()(images(2, 3, 40, 40))["out"].shape == (2, num_classes, 40, 40)


@every_architecture
def test_every_pixel_of_the_image_reaches_the_logits(case: str) -> None:
    """A network that drops a row or a column when it pads or crops would not notice otherwise."""
    picture = images(1, 3, 33, 35).requires_grad_()
    build(case).eval()(picture)["out"].abs().sum().backward()
    assert (picture.grad.abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize("case", ["simple", "unet", "unet with a stem", "unet on resnet18"])
@pytest.mark.parametrize("place", [(5, 7), (16, 17), (27, 30)])
def test_a_logit_lies_where_its_pixel_is(case: str, place: tuple[int, int]) -> None:
    """What a logit depends on lies around its pixel; padding that is cropped at the wrong side would move it."""
    influence = torch.zeros(33, 35)
    for seed in range(6):
        picture = images(1, 3, 33, 35).requires_grad_()
        build(case, seed=seed).eval()(picture)["out"][0, :, place[0], place[1]].sum().backward()
        influence += picture.grad[0].square().sum(dim=0) / picture.grad.square().sum().clamp(min=1e-30)
    for axis in (0, 1):
        along = influence.sum(dim=1 - axis)
        centre = (along * torch.arange(len(along))).sum() / along.sum()
        assert abs(centre.item() - place[axis]) < 1


@every_architecture
def test_pictures_of_a_batch_do_not_mix(case: str) -> None:
    model = build(case).eval()
    batch = images(3, 3, 32, 40)
    with torch.inference_mode():
        together, alone = model(batch)["out"], [model(picture[None])["out"] for picture in batch]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)


@every_architecture
def test_channels_last_is_the_same(case: str) -> None:
    model, picture = build(case).eval(), images(2, 3, 41, 50)
    with torch.inference_mode():
        plain = model(picture)["out"]
        last = model.to(memory_format=torch.channels_last)(picture.to(memory_format=torch.channels_last))["out"]
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-4 * plain.abs().max().item())


@every_architecture
def test_bfloat16_autocast(case: str) -> None:
    model, picture = build(case).eval(), images(1, 3, 32, 32)
    with torch.inference_mode():
        exact = model(picture)["out"]
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(picture)["out"].float()
    assert torch.isfinite(rough).all()
    assert (rough - exact).abs().mean() < 0.1 * exact.abs().mean() + 0.05


@every_architecture
def test_bfloat16_autocast_trains(case: str) -> None:
    model = build(case).train()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = model(images(1, 3, 40, 48))
    sum((out.float() * images(*out.shape)).sum() for out in outputs.values()).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


@every_architecture
def test_construction_follows_the_seed(case: str) -> None:
    one, same, other = (build(case, seed=seed).state_dict() for seed in (0, 0, 1))
    assert one.keys() == same.keys() == other.keys()
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not all(torch.equal(one[key], other[key]) for key in one)


@every_architecture
def test_the_registry_says_what_it_is(case: str) -> None:
    name, _ = CASES[case]
    architecture = ARCHITECTURES[name]
    assert architecture.title
    assert architecture.source
    for argument in architecture.arguments.values():
        assert argument.check(name, "any", argument.default) == argument.default
    assert set(architecture.published) <= set(architecture.backbones)
    with pytest.raises(UserError, match=f'no architecture "{name}x". Did you mean "{name}"'):
        build_model(name + "x", 1)


ARGUMENTS = {
    f"{name}.{key}": (name, key, argument)
    for name, architecture in ARCHITECTURES.items()
    for key, argument in architecture.arguments.items()
}


@pytest.mark.parametrize("which", ARGUMENTS)
def test_wrong_arguments_are_refused(which: str) -> None:
    name, key, argument = ARGUMENTS[which]
    wrong: list[tuple[object, str]] = []
    if isinstance(argument, Whole):
        sentence = f'The argument "{key}" of {name} must be a whole number from {argument.low} to {argument.high}, not '
        values = (argument.low - 1, argument.high + 1, 10**12, True, float(argument.low), str(argument.low), None)
        wrong = [(value, sentence + repr(value)) for value in values]
    elif isinstance(argument, Flag):
        wrong = [(value, f'The argument "{key}" of {name} must be true or false, not {value!r}') for value in (1, "no")]
    elif isinstance(argument, Choice):
        near = f'There is no {key} of {name} "{argument.default}x". Did you mean "{argument.default}"?'
        wrong = [
            (argument.default + "x", near),
            *(
                (value, f'The argument "{key}" of {name} must be a name such as "{argument.default}", not {value!r}.')
                for value in (7, None, ["a"])
            ),
        ]
    for value, sentence in wrong:
        with pytest.raises(UserError, match=re.escape(sentence)):
            build_model(name, 1, **{key: value})
    with pytest.raises(UserError, match=f'no argument of {name} "{key}_". Did you mean "{key}"'):
        build_model(name, 1, **{key + "_": 1})


def test_the_own_encoder_of_unet_is_not_mixed_with_a_backbone() -> None:
    with pytest.raises(
        UserError, match='"width" of unet belongs to its own encoder. Leave it out with the backbone resnet18.$'
    ):
        build_model("unet", 1, backbone="resnet18", width=8)
    assert ARCHITECTURES["unet"].check("unet", {"backbone": "resnet18"}) == {"backbone": "resnet18"}


@pytest.mark.parametrize("which", [which for which, (*_, argument) in ARGUMENTS.items() if isinstance(argument, Whole)])
@pytest.mark.parametrize("end", ["low", "high"])
def test_the_ends_of_a_range_can_be_built(which: str, end: str) -> None:
    name, key, argument = ARGUMENTS[which]
    with torch.device("meta"):  # shapes only
        model = build_model(name, 2, **{key: getattr(argument, end)})
        assert model.eval()(torch.zeros(1, 3, 20, 30))["out"].shape == (1, 2, 20, 30)


@pytest.mark.parametrize("num_classes", [0, 256, -1, True, 2.0, "2", None])
def test_number_of_classes_out_of_range(num_classes: object) -> None:
    with pytest.raises(UserError, match=re.escape(f"A model has 1 to 255 classes, not {num_classes!r}.")):
        build_model("simple", num_classes)  # type: ignore[arg-type]


def test_probabilities() -> None:
    logits = torch.tensor([[[2.0]], [[-1.0]], [[0.0]]])  # (3, 1, 1)
    weights = torch.exp(logits)
    torch.testing.assert_close(probabilities(logits, "multiclass"), weights / weights.sum())
    torch.testing.assert_close(probabilities(logits[:1], "binary"), weights[:1] / (1 + weights[:1]))
    assert probabilities(logits.bfloat16(), "multiclass").dtype == torch.float32
    extreme = torch.tensor([[[1e4]], [[-1e4]]])
    assert probabilities(extreme, "multiclass").flatten().tolist() == [1, 0]
    assert probabilities(extreme[1:], "binary").item() == 0
