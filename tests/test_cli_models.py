"""`models`: the list and the layers, as text and as JSON, and what is said of bad input."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from seg_demo.cli.main import main
from seg_demo.cli.text import short
from seg_demo.models import ARCHITECTURES

Captured = pytest.CaptureFixture[str]


def printed(capsys: Captured, *words: str) -> str:
    assert main(["models", *words]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def shown(capsys: Captured, *words: str) -> dict[str, Any]:
    return json.loads(printed(capsys, "show", *words, "--json"))


def inner(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [found for layer in layers for found in (layer, *inner(layer["layers"]))]


# The list


def test_the_list_names_every_architecture(capsys: Captured) -> None:
    text = printed(capsys)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 120
    rows = {line.split()[0]: line for line in lines[2 : 2 + len(ARCHITECTURES)]}
    assert list(rows) == list(ARCHITECTURES)
    for name, architecture in ARCHITECTURES.items():
        assert architecture.title in rows[name]
        assert " ".join(architecture.source.split()) in " ".join(text.split())
        for backbone in architecture.backbones:
            assert backbone in text
    assert rows["deeplabv3"].split() == ["deeplabv3", "DeepLabV3", "42.0", "M", "8", "resnet50", "5"]
    assert rows["simple"].split() == ["simple", "Simple", "48.2", "k", "1", "-", "-"]
    assert len({line.index(" M ") for line in rows.values() if " M " in line}) == 1  # aligned


def test_the_list_as_json(capsys: Captured) -> None:
    document = json.loads(printed(capsys, "--json"))
    assert document["num_classes"] == 21
    entries = {entry["name"]: entry for entry in document["architectures"]}
    assert list(entries) == list(ARCHITECTURES)
    assert entries["deeplabv3"]["parameters"] == 42004074
    assert (entries["fcn32s"]["stride"], entries["deeplabv3"]["stride"]) == (32, 8)
    assert entries["simple"]["backbone"] is None
    for name, architecture in ARCHITECTURES.items():
        backbones = (entries[name]["backbone"], *entries[name]["other_backbones"])
        assert backbones == (architecture.backbones or (None,))
        assert entries[name]["arguments"].keys() == architecture.arguments.keys()
    assert entries["simple"]["arguments"]["width"] == {"kind": "whole", "default": 32, "low": 1, "high": 512}


# The layers of one


def test_show(capsys: Captured) -> None:
    lines = printed(capsys, "show", "deeplabv3", "--size", "520x520").splitlines()
    assert lines[0] == "DeepLabV3 on resnet50, 21 classes"
    assert lines[1] == ARCHITECTURES["deeplabv3"].source
    assert max(map(len, lines)) <= 120
    cells = [" ".join(line.split()) for line in lines]
    assert "conv1 Conv2d 3 -> 64, 7x7, stride 2 64 x 260 x 260 9,408 636.0 M" in cells
    assert "backbone Backbone 2048 x 65 x 65 (5 maps) 23,508,032 102.8 G" in cells
    assert cells[-3:] == [
        "parameters 42,004,074 23,508,032 in the backbone, 18,496,042 new",
        "multiply-adds 178.7 G for one picture of 520 x 520, with the auxiliary head, which prediction leaves out",
        "weights 168.2 MB as a checkpoint",
    ]


def test_depth(capsys: Captured) -> None:
    lines = printed(capsys, "show", "unet", "--depth", "1").splitlines()
    assert [line.split()[0] for line in lines[5:9]] == ["encoder", "reduce", "decoder", "classifier"]
    assert [line.split()[0] for line in lines[10:11]] == ["total"]
    deeper = shown(capsys, "unet", "--depth", "2")
    assert {layer["name"].count(".") for layer in inner(deeper["layers"])} == {0, 1}
    assert shown(capsys, "unet", "--depth", "99") == shown(capsys, "unet")


@pytest.mark.parametrize("words", [["gcn"], ["unet", "--backbone", "vgg16"], ["lraspp", "--size", "33x64"]])
def test_show_as_json(words: list[str], capsys: Captured) -> None:
    document = shown(capsys, *words)
    assert document["name"] == words[0]
    for key in ("parameters", "multiply_adds"):
        assert sum(layer[key] for layer in document["layers"]) == document[key] > 0
    assert document["backbone_parameters"] + document["new_parameters"] == document["parameters"]
    layers = inner(document["layers"])
    leaves = [layer for layer in layers if not layer["layers"]]
    assert sum(leaf["parameters"] for leaf in leaves) == document["parameters"]
    assert sum(leaf["multiply_adds"] for leaf in leaves) == document["multiply_adds"]
    assert len({layer["name"] for layer in layers}) == len(layers)


def test_settings(capsys: Captured) -> None:
    document = shown(capsys, "unet", "--set", "width=16", "--set", "depth=3", "--classes", "1", "--size", "64x32")
    assert document["arguments"] == {**document["arguments"], "width": 16, "depth": 3}
    assert (document["num_classes"], document["height"], document["width"]) == (1, 64, 32)
    assert document["layers"][-1]["kind"] == "Conv2d 16 -> 1, 1x1"
    assert document["layers"][-1]["outputs"] == [[1, 64, 32]]
    assert "aux_classifier" not in {layer["name"] for layer in shown(capsys, "fcn", "--set", "aux=False")["layers"]}
    assert shown(capsys, "fcn", "--set", "backbone=resnet18") == shown(capsys, "fcn", "--backbone", "resnet18")
    heading = printed(capsys, "show", "unet", "--set", "width=16", "--classes", "1").splitlines()[0]
    assert heading == "U-Net, width 16, 1 class"


def test_json_before_show(capsys: Captured) -> None:
    assert main(["models", "--json", "show", "simple"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "simple"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["deeplab3"], 'There is no architecture "deeplab3". Did you mean "deeplabv3"?'),
        (["fcn", "--backbone", "resnet51"], 'There is no backbone of fcn "resnet51". Did you mean "resnet'),
        (["simple", "--backbone", "resnet50"], "simple has no backbone to choose. Leave --backbone out."),
        (["unet", "--set", "widht=16"], 'There is no argument of unet "widht". Did you mean "width"?'),
        (["unet", "--set", "width=999"], 'The argument "width" of unet must be a whole number from 1 to 128, not 999.'),
        (["unet", "--set", "width=-1"], 'The argument "width" of unet must be a whole number from 1 to 128, not -1.'),
        (["unet", "--set", "width=wide"], "must be a whole number from 1 to 128, not 'wide'."),
        (["unet", "--set", "width=" + "9" * 5000], "must be a whole number from 1 to 128, not '9999"),
        (["fcn", "--set", "aux=maybe"], "The argument \"aux\" of fcn must be true or false, not 'maybe'."),
        (["unet", "--set", "width=8", "--set", "width=16"], 'The argument "width" is given twice. Give it once.'),
        (["fcn", "--backbone", "resnet18", "--set", "backbone=resnet34"], 'The argument "backbone" is given twice.'),
    ],
)
def test_bad_choices(words: list[str], sentence: str, capsys: Captured) -> None:
    assert main(["models", "show", *words]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["shwo", "unet"], "invalid choice: 'shwo'"),
        (["show"], "the following arguments are required: NAME"),
        (["show", "unet", "--size", "512"], "512 is not a size such as 480x640, height x width"),
        (["show", "unet", "--size", "512x"], "512x is not a size such as 480x640"),
        (["show", "unet", "--size", "-64x64"], "expected one argument"),
        (["show", "unet", "--size", "31x64"], "the sides of 31x64 are not both from 32 to 8192 pixels"),
        (["show", "unet", "--size", "64x8193"], "the sides of 64x8193 are not both from 32 to 8192 pixels"),
        (["show", "unet", "--size", "64x" + "9" * 5000], "are not both from 32 to 8192 pixels"),
        (["show", "unet", "--classes", "0"], "0 is not a whole number from 1 to 255"),
        (["show", "unet", "--classes", "256"], "256 is not a whole number from 1 to 255"),
        (["show", "unet", "--depth", "0"], "0 is not a whole number from 1 to 99"),
        (["show", "unet", "--set", "width"], "width is not of the form KEY=VALUE, such as width=16"),
        (["show", "unet", "--set", "=16"], "=16 is not of the form KEY=VALUE, such as width=16"),
    ],
)
def test_wrong_flags(words: list[str], sentence: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["models", *words])
    assert stop.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_reader_that_stops_early_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert main(["models", "show", "simple"]) == 0


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (1000, "1.0 k"), (48213, "48.2 k"), (999_949, "999.9 k"), (999_951, "1.0 M"),
     (152_716_512_000, "152.7 G"), (2_000_000_000_000, "2000.0 G")],
)  # fmt: skip
def test_short_numbers(count: int, text: str) -> None:
    assert short(count) == text
