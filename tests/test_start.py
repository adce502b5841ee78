"""The step that starts a run: what its widgets say becomes flags that `train` takes, and nonsense one sentence."""

from __future__ import annotations

import json
import shutil
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from seg_demo.cli.main import build_parser
from seg_demo.cli.recipe import asked
from seg_demo.errors import UserError
from seg_demo.infer.library import Library
from seg_demo.infer.pretrained import PRETRAINED
from seg_demo.jobs.workspace import Workspaces
from seg_demo.settings import Setting, changed, flag_text, settings_of
from seg_demo.train.config import TrainConfig
from seg_demo.ui.finetune import settings_form
from seg_demo.ui.finetune.limits import MINUTES as PUBLIC_MINUTES
from seg_demo.ui.finetune.limits import MOST, OWNERS
from seg_demo.ui.finetune.settings_form import BASE, FEW, FIXED, PRESET, check, shown
from seg_demo.ui.finetune.start import SCRATCH, StartPart, data_name, measurable
from seg_demo.ui.visitors import Visitors

SETTINGS = settings_of(TrainConfig)
PLAIN = ["--preset", PRESET]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Library:
    folder = tmp_path_factory.mktemp("library")
    shutil.copytree(tiny_checkpoint, folder / "newts-binary")
    return Library(folder)


def part_of(library: Library, folder: Path, public: bool) -> StartPart:
    with gr.Blocks():
        return StartPart(Visitors(Workspaces(folder, public=public, folder=folder)), library)


@pytest.fixture(scope="module")
def local(library: Library, tmp_path_factory: pytest.TempPathFactory) -> StartPart:
    return part_of(library, tmp_path_factory.mktemp("local"), False)


@pytest.fixture(scope="module")
def public(library: Library, tmp_path_factory: pytest.TempPathFactory) -> StartPart:
    return part_of(library, tmp_path_factory.mktemp("public"), True)


def flags(
    part: StartPart, start: Any = SCRATCH, amount: Any = "5", unit: Any = "minutes", **settings: Any
) -> list[str]:
    """Of the widgets as they are at first, but for `settings`, where a path is written with __ for its dot."""
    values = {path: part.form._widgets[path].value for path in part.form.paths}
    changes = {path.replace("__", "."): value for path, value in settings.items()}
    assert changes.keys() <= values.keys()
    return part.flags([start, amount, unit, *(values | changes).values()])


def config_of(words: list[str]) -> TrainConfig:
    """What `train` makes of flags."""
    return asked(build_parser(["train"]).parse_args(["train", "--run", "run", *words]))


def other_than(setting: Setting, value: Any) -> Any:
    """Another value that the setting may have."""
    if setting.path == "model.arguments":
        return {"width": 8, "depth": 3, "stem": 1}
    if setting.path == "model.architecture":
        return "simple"
    if setting.choices:
        return next(choice for choice in reversed(setting.choices) if choice != value)
    if setting.kind == "flag":
        return not value
    if setting.kind == "numbers":
        return tuple(max(setting.low, min(setting.high, number / 2)) for number in value) if value else (0.25, 3.0)
    if setting.kind == "text":
        raise AssertionError(f"{setting.path}: give it a value here")
    number = value / 2 if value > 1 else value + setting.low + 1 if setting.kind == "whole" else (value or 0.5) / 2
    return int(number) if setting.kind == "whole" else float(number)


# What is asked for


def test_the_defaults_are_the_preset(local: StartPart, public: StartPart) -> None:
    for part in (local, public):
        assert flags(part) == [*PLAIN, "--minutes=5"]
    assert flags(local, amount=" 0.5 ", unit="epochs") == [*PLAIN, "--epochs=0.5"]
    assert config_of(flags(local)) == BASE
    assert len(local.inputs) == 3 + len(local.form.paths)


@pytest.mark.parametrize(
    "path", [path for path in SETTINGS if path not in settings_form._ELSEWHERE and len(SETTINGS[path].choices) != 1]
)
def test_every_setting_arrives(path: str, local: StartPart) -> None:
    """As the text of its widget, as a flag, and as the value in the run's configuration."""
    setting, before = SETTINGS[path], attrgetter(path)(BASE)
    value = other_than(setting, before)
    widget = value if setting.kind == "flag" or setting.choices else flag_text(value)
    with_it: dict[str, dict[str, Any]] = {  # what contradicts the preset alone
        "model.keep_features": {"model.freeze": True}, "model.architecture": {"model.arguments": '{"width": 8}'},
        "optimizer.nesterov": {"optimizer.name": "sgd"}, "data.drawn_share": {"data.drawn_pictures": "3"},
    }  # fmt: skip
    if path == "validation.window":
        value, widget = 64, "64"
    assert value != before
    try:
        words = flags(local, **{path: widget, **with_it.get(path, {})})
    except UserError as error:
        raise AssertionError(f"{path}={widget}: {error}") from None
    assert f"--{path}={flag_text(widget)}" in words
    assert len(words) == 2 + 2 + len(with_it.get(path, {})) - (path in LENGTHS)
    assert attrgetter(path)(config_of(words)) == value


LENGTHS = ("minutes", "epochs")


def test_all_settings_are_in_the_form_but_those_that_are_elsewhere(local: StartPart, public: StartPart) -> None:
    elsewhere = {"model.checkpoint", "model.weights", "data.source", "data.split", "steps", "epochs", "minutes"}
    assert set(SETTINGS) - set(local.form.paths) == elsewhere
    assert set(local.form.paths) - set(public.form.paths) == set(OWNERS)
    assert set(FEW) < set(public.form.paths)
    for part in (local, public):
        assert len(part.form.widgets) == len(part.form.paths)
        assert {widget.elem_id for widget in part.form.widgets} == {f"ft-set-{path}" for path in part.form.paths}
    # What a browser sends beyond its form has no place there.
    with pytest.raises(ValueError):
        public.flags([SCRATCH, "5", "minutes", *(widget.value for widget in local.form.widgets)])


def test_strangers_may_not_take_all_memory(public: StartPart, local: StartPart) -> None:
    for path, most in MOST.items():
        name = path.replace(".", "__")
        batch = {"batch_size": "32"} if path == "accumulate" else {}
        assert f"--{path}={most}" in flags(public, **batch, **{name: str(most)})
        batch = dict.fromkeys(batch, "64")
        with pytest.raises(UserError, match=r"The setting [\w.]+ may be at most \d+ here"):
            flags(public, **batch, **{name: str(most + 1)})
        flags(local, **batch, **{name: str(most + 1)})


def test_a_value_may_begin_with_a_minus(local: StartPart) -> None:
    words = flags(local, data__preprocessing__mean="-0.5,0,1")
    assert config_of(words).data.preprocessing.mean == (-0.5, 0.0, 1.0)


def test_what_is_put_back_is_no_change(local: StartPart) -> None:
    texts = {path: shown(path) for path in local.form.paths}
    assert local.form.changes(list(texts.values()), from_checkpoint=True) == {}
    assert changed(BASE, texts) == BASE


# From what it starts


def test_from_a_checkpoint(local: StartPart, library: Library) -> None:
    words = flags(local, "newts-binary", batch_size="4")
    assert words == [*PLAIN, "--batch_size=4", "--minutes=5", "--model", str(library.folder / "newts-binary")]
    config = config_of(words)
    assert (config.model.checkpoint, config.batch_size) == (str(library.folder / "newts-binary"), 4)


@pytest.mark.parametrize(
    ("path", "value"),
    [("model.architecture", "simple"), ("model.arguments", "{}"), ("data.preprocessing.size", "100"),
     ("data.preprocessing.resize", "none")],
)  # fmt: skip
def test_what_a_checkpoint_says_cannot_be_changed(path: str, value: str, local: StartPart) -> None:
    assert path.startswith(FIXED)
    for start in ("newts-binary", next(iter(PRETRAINED))):
        with pytest.raises(UserError, match=f"The setting {path} is what the checkpoint says that the run starts from"):
            flags(local, start, **{path: value})
    assert flags(local, SCRATCH, **{path: value})


@pytest.mark.parametrize("name", PRETRAINED)
def test_from_a_published_network(name: str, local: StartPart) -> None:
    words = flags(local, name)
    model = config_of(words).model
    assert (model.architecture, model.weights) == (PRETRAINED[name].architecture, "coco-voc")
    assert model.arguments == {"backbone": PRETRAINED[name].backbone}
    assert model.checkpoint == ""


def test_another_network_does_not_take_the_arguments_of_the_presets(local: StartPart) -> None:
    model = config_of(flags(local, model__architecture="deeplabv3")).model
    assert (model.architecture, model.arguments) == ("deeplabv3", {})


def test_a_visitor_starts_from_own_checkpoints(public: StartPart, library: Library, tiny_checkpoint: Path) -> None:
    workspace = public.visitors.workspaces.of("x" * 32)
    workspace.keep(tiny_checkpoint, "mine")
    (name,) = (name for title, name in public.choices(workspace) if title == "mine")
    assert flags(public, name)[-2:] == ["--model", str(workspace.checkpoints / "mine")]
    assert name not in [name for _, name in public.choices(None)]
    assert [name for _, name in public.choices(None)] == ["newts-binary", *PRETRAINED, SCRATCH]
    workspace.remove("mine")
    with pytest.raises(UserError, match="There is no model"):
        flags(public, name)


@pytest.mark.parametrize("start", [None, "", "None", "../x", "/etc", "newts-binary@0", 7, ["x"], "x" * 5000])
def test_what_it_cannot_start_from(start: Any, local: StartPart) -> None:
    with pytest.raises(UserError, match="There is no model") as caught:
        flags(local, start)
    assert len(str(caught.value)) < 400


# What cannot be


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"optimizer.learning_rate": "fast"}, "The setting optimizer.learning_rate must be a number .*, not 'fast'."),
        ({"optimizer.learning_rate": ""}, "The setting optimizer.learning_rate must be a number .*, not ''."),
        ({"optimizer.learning_rate": None}, "The setting optimizer.learning_rate must be a number"),
        ({"optimizer.learning_rate": "nan"}, "The setting optimizer.learning_rate must be a number"),
        ({"optimizer.learning_rate": "NaN"}, "The setting optimizer.learning_rate must be a number"),
        ({"optimizer.learning_rate": "1e400"}, "The setting optimizer.learning_rate must be a number"),
        ({"optimizer.learning_rate": "9" * 5000}, "The setting optimizer.learning_rate must be a number"),
        ({"batch_size": "0"}, "The setting batch_size must be a whole number from 1 to 65536, not 0."),
        ({"batch_size": "1.5"}, "The setting batch_size must be a whole number"),
        ({"batch_size": "true"}, "The setting batch_size must be a whole number"),
        ({"batch_size": "--help"}, "The setting batch_size must be a whole number"),
        ({"batch_size": {"a": 1}}, "The setting batch_size must be a whole number"),
        ({"data.crop": "31"}, "The setting data.crop must be a whole number from 32 to 4096, not 31."),
        ({"data.preprocessing.mean": "0,0"}, "The setting data.preprocessing.mean must be a list of 3 numbers"),
        ({"loss.name": "hinge"}, 'There is no choice for loss.name "hinge"'),
        ({"loss.name": 7}, "There is no choice for loss.name"),
        ({"loss.balance": "<img src=x>"}, "There is no choice for loss.balance"),
        ({"model.freeze": "perhaps"}, "The setting model.freeze must be true or false, not 'perhaps'."),
        ({"model.architecture": "unets"}, 'There is no architecture "unets". Did you mean "unet"'),
        ({"model.architecture": ""}, "There is no architecture"),
        ({"model.arguments": "width"}, "The setting model.arguments must be a table"),
        ({"model.arguments": "[" * 5000}, "The setting model.arguments must be a table"),
        ({"model.arguments": '{"wide": 4}'}, "wide"),
        ({"model.arguments": '{"width": "many"}'}, 'The argument "width" of unet must be a whole number'),
        ({"model.arguments": '{"width": 4, "depth": 99}'}, 'The argument "depth" of unet must be a whole number'),
        ({"model.architecture": "deeplabv3", "model.arguments": '{"backbone": "resnet"}'}, "no backbone of deeplabv3"),
        # contradictions
        ({"accumulate": "9"}, "A batch of 8 crops cannot be cut in 9 parts. Lower accumulate."),
        ({"model.keep_features": "3"}, "features can be kept only of a frozen backbone"),
        ({"data.drawn_share": "0.5"}, "data.drawn_pictures is 0. Draw at least one"),
        ({"optimizer.nesterov": True}, "Nesterov's momentum needs the optimiser sgd"),
        ({"augmentation.scale": "2,1"}, "must be the smallest and the largest zoom"),
        ({"validation.window": "7"}, "a window has at least 32 pixels"),
        ({"validation.scales": ""}, "The setting validation.scales is empty"),
        ({"loss.class_weights": "1,2", "loss.balance": "median-frequency"}, "by loss.class_weights and by loss.bal"),
    ],
)  # fmt: skip
def test_what_a_setting_cannot_be_is_one_sentence(settings: dict[str, Any], told: str, local: StartPart) -> None:
    with pytest.raises(UserError, match=told) as caught:
        flags(local, **settings)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "amount",
    [
        "",
        " ",
        "0",
        "-1",
        "nan",
        "inf",
        "-inf",
        "1e9",
        "1e999",
        "five",
        "5 min",
        "0x10",
        "1,5",
        None,
        True,
        {},
        [5],
        "9" * 5000,
        "<b>",
    ],
)
@pytest.mark.parametrize("unit", ["minutes", "epochs"])
def test_lengths_that_a_run_cannot_have(amount: Any, unit: str, local: StartPart) -> None:
    with pytest.raises(UserError, match=f"The length of the run is .*. Write a number of {unit}.") as caught:
        flags(local, amount=amount, unit=unit)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("unit", [None, "", "steps", "years", ["epochs"], {}])
def test_a_length_is_in_minutes_unless_it_is_in_epochs(unit: Any, local: StartPart) -> None:
    assert flags(local, amount="3", unit=unit) == [*PLAIN, "--minutes=3"]


def test_strangers_may_not_take_the_machine_for_themselves(public: StartPart, local: StartPart) -> None:
    assert flags(public, amount=str(PUBLIC_MINUTES)) == [*PLAIN, f"--minutes={PUBLIC_MINUTES}"]
    for amount, unit in (
        (str(PUBLIC_MINUTES + 0.01), "minutes"),
        ("1000000", "minutes"),
        ("1", "epochs"),
        ("0.001", "epochs"),
    ):
        with pytest.raises(
            UserError, match=f"A run may take {PUBLIC_MINUTES} minutes here, as others wait for theirs."
        ):
            flags(public, amount=amount, unit=unit)
        assert flags(local, amount=amount, unit=unit)


def test_the_shortest_length_is_taken_by_the_command(local: StartPart) -> None:
    assert config_of(flags(local, amount="1e-7")).minutes == 1e-7


# What is learned from


@pytest.mark.parametrize(
    ("given", "splits", "wanted"),
    [
        ([], {"train": 5, "val": 1}, []),
        ([], {"train": 5}, ["--data.validation_split="]),
        (["--data.validation_split=test"], {"train": 1, "test": 1}, ["--data.validation_split=test"]),
        (
            ["--data.validation_split=test"],
            {"train": 1, "val": 1},
            ["--data.validation_split=test", "--data.validation_split="],
        ),
        (["--data.validation_split="], {"train": 1}, ["--data.validation_split="]),
    ],
)
def test_nothing_is_measured_on_pictures_that_are_not_there(
    given: list[str], splits: dict[str, int], wanted: list[str]
) -> None:
    brought: Any = SimpleNamespace(shown=SimpleNamespace(report=SimpleNamespace(splits=splits)))
    words = measurable(given, brought)
    assert words == wanted
    assert config_of([*PLAIN, *words]).data.validation_split in ("", *splits)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("good.zip", "good"),
        ("a.png (+11)", "a"),
        ("newts", "newts"),
        ("写真.tar.gz", "写真.tar"),
        ("", ""),
        ("..", ".."),
    ],
)
def test_the_run_is_called_after_its_pictures(name: str, wanted: str) -> None:
    assert data_name(SimpleNamespace(name=name)) == wanted  # type: ignore[arg-type]


def test_check_takes_flags_of_any_network() -> None:
    assert check({"model.architecture": "simple"}).model.arguments == {}
    assert check({"model.arguments": json.dumps({"width": 8})}).model.arguments == {"width": 8}
