"""The contract of every architecture. A new one is in `ARCHITECTURES` and needs no line here; one that is large may
name smaller arguments in `SMALL`, one with variants list them in `VARIANTS`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from seg_demo.checkpoint import CheckpointConfig, load_checkpoint, save_checkpoint
from seg_demo.errors import UserError
from seg_demo.models import ARCHITECTURES, build_model
from seg_demo.models.outputs import probabilities
from seg_demo.palettes import NEWTS_SPECIES

SMALL = {"simple": {"width": 8, "layers": 3}, "unet": {"width": 4, "depth": 4}}
VARIANTS = {"unet with a stem": ("unet", {"width": 4, "depth": 3, "stem": 2})}
CASES = {name: (name, SMALL.get(name, {})) for name in ARCHITECTURES} | VARIANTS

every_architecture = pytest.mark.parametrize("case", CASES)


def build(case: str, num_classes: int = 3, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    name, arguments = CASES[case]
    return build_model(name, num_classes, **arguments)


def images(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@every_architecture
@pytest.mark.parametrize("size", [(97, 131), (33, 32), (224, 224), (1, 1), (7, 300)])
def test_logits_have_the_size_of_the_image(case: str, size: tuple[int, int]) -> None:
    model = build(case).eval()
    with torch.inference_mode():
        out = model(images(1, 3, *size))["out"]  # (1, 3, H, W)
    assert out.shape == (1, 3, *size)
    assert out.dtype == torch.float32
    assert torch.isfinite(out).all()


@every_architecture
@pytest.mark.parametrize("num_classes", [1, 21])
def test_number_of_classes(case: str, num_classes: int) -> None:
    with torch.inference_mode():
        assert build(case, num_classes).eval()(images(2, 3, 40, 40))["out"].shape == (2, num_classes, 40, 40)


@every_architecture
@pytest.mark.parametrize("size", [(48, 40), (8, 8)])
def test_a_batch_of_one_trains_every_parameter(case: str, size: tuple[int, int]) -> None:
    model = build(case).train()
    outputs = model(images(1, 3, *size))
    sum((out * images(*out.shape)).sum() for out in outputs.values()).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
    assert any(parameter.grad.abs().sum() > 0 for parameter in model.parameters())
    first, *_, last = model.parameters()
    assert first.grad.abs().sum() > 0
    assert last.grad.abs().sum() > 0


@every_architecture
def test_every_pixel_of_the_image_reaches_the_logits(case: str) -> None:
    """A network that drops a row or a column when it pads or crops would not notice otherwise."""
    picture = images(1, 3, 33, 35).requires_grad_()
    build(case).eval()(picture)["out"].abs().sum().backward()
    assert (picture.grad.abs().sum(dim=1) > 0).all()


@every_architecture
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
def test_prediction_is_repeatable_and_changes_nothing(case: str) -> None:
    model = build(case).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    picture = images(1, 3, 50, 41)
    with torch.inference_mode():
        first, second = model(picture)["out"], model(picture)["out"]
    assert torch.equal(first, second)
    assert torch.equal(picture, images(1, 3, 50, 41))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


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
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-5)


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
def test_construction_follows_the_seed(case: str) -> None:
    one, same, other = (build(case, seed=seed).state_dict() for seed in (0, 0, 1))
    assert one.keys() == same.keys() == other.keys()
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not all(torch.equal(one[key], other[key]) for key in one)


@every_architecture
def test_save_and_load(case: str, tmp_path: Path) -> None:
    model, picture = build(case).eval(), images(1, 3, 29, 37)
    name, small = CASES[case]
    arguments = ARCHITECTURES[name].check(name, small)
    config = CheckpointConfig(name, arguments, "multiclass", NEWTS_SPECIES)
    loaded = load_checkpoint(save_checkpoint(tmp_path / name, model, config)).model
    with torch.inference_mode():
        assert torch.equal(loaded(picture)["out"], model(picture)["out"])


@every_architecture
def test_the_registry_says_what_it_is(case: str) -> None:
    name, _ = CASES[case]
    architecture = ARCHITECTURES[name]
    assert architecture.source
    assert all(argument.low <= argument.default <= argument.high for argument in architecture.arguments.values())
    with pytest.raises(UserError, match=f'no architecture "{name}x". Did you mean "{name}"'):
        build_model(name + "x", 1)


ARGUMENTS = [(name, key) for name, architecture in ARCHITECTURES.items() for key in architecture.arguments]


@pytest.mark.parametrize(("name", "key"), ARGUMENTS)
def test_arguments_out_of_range_are_refused(name: str, key: str) -> None:
    argument = ARCHITECTURES[name].arguments[key]
    for value in (argument.low - 1, argument.high + 1, 10**12, True, float(argument.low), str(argument.low), None):
        sentence = f'The argument "{key}" of {name} must be a whole number from {argument.low} to {argument.high}, not '
        with pytest.raises(UserError, match=re.escape(sentence + repr(value))):
            build_model(name, 1, **{key: value})
    with pytest.raises(UserError, match=f'no argument of {name} "{key}_". Did you mean "{key}"'):
        build_model(name, 1, **{key + "_": 1})


@pytest.mark.parametrize(("name", "key"), ARGUMENTS)
@pytest.mark.parametrize("end", ["low", "high"])
def test_the_ends_of_a_range_can_be_built(name: str, key: str, end: str) -> None:
    with torch.device("meta"):  # shapes only
        model = build_model(name, 2, **{key: getattr(ARCHITECTURES[name].arguments[key], end)})
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
