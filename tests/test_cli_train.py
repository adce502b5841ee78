"""The command `train`: what it makes of preset, file and flags, how it is resumed and stopped, and what it refuses."""

from __future__ import annotations

import io
import itertools
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from PIL import Image
from training import same, weights

from seg_demo.checkpoint import load_checkpoint, save_checkpoint
from seg_demo.cli import progress
from seg_demo.cli.main import build_parser, main
from seg_demo.cli.obstacles import check_device
from seg_demo.cli.recipe import asked, base_checkpoint, command, revision
from seg_demo.cli.stopping import StopSignals
from seg_demo.data.procedural import ProceduralNewts
from seg_demo.data.writer import DataSetWriter
from seg_demo.errors import UserError
from seg_demo.settings import settings_of, to_document
from seg_demo.train.config import TrainConfig
from seg_demo.train.events import CheckpointSaved, EpochDone, RunStarted, SampleDrawn, StepDone
from seg_demo.train.presets import PRESETS
from seg_demo.train.telling import told

Captured = pytest.CaptureFixture[str]

STEPS = PRESETS["newts-binary"].config.steps
TINY = """
steps = 4
batch_size = 2
precision = "float32"
save_every = 0
[model]
arguments = {width = 4, depth = 2}
[data]
crop = 32
[validation]
every = 2
pictures = 0
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small pictures to learn from and one to validate on, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("some data") / "newts here"
    samples = ProceduralNewts(4, longest=64)
    with DataSetWriter(folder, samples.classes) as writer:
        for number, (name, image, label_map) in enumerate(samples):
            file = io.BytesIO()
            Image.fromarray(image).save(file, "PNG")
            writer.add("train" if number < 3 else "val", name, file.getvalue(), label_map)
    return folder


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of settings that are quick to train with; the test works in its own folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path / "tiny.toml"


def train(*words: object) -> int:
    return main(["train", *map(str, words)])


def parsed(*words: object) -> Any:
    return build_parser(["train"]).parse_args(["train", "--run", "run", *map(str, words)])


def events(run: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(run) / "events.jsonl").read_text("utf-8").splitlines()]


def test_the_pictures_are_looked_at_once(tiny: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check reads every file, so that nothing needs to be opened again for the training."""
    from seg_demo.data import folder

    looks, survey = [], folder.survey
    monkeypatch.setattr(folder, "survey", lambda *some, **more: looks.append(1) or survey(*some, **more))
    assert train("--config", tiny, "--data", data, "--run", "checked") == 0
    assert len(looks) == 1
    assert train("--config", tiny, "--data", data, "--run", "unchecked", "--no-check") == 0
    assert len(looks) == 2
    weights = [Path(run, "last/model.safetensors").read_bytes() for run in ("checked", "unchecked")]
    assert weights[0] == weights[1]


# What a command asks for


@pytest.mark.parametrize(
    ("flags", "file", "length"),
    [
        ([], None, (STEPS, 0, 0)),
        (["--steps", 5], None, (5, 0, 0)),
        (["--epochs", 2.5], None, (0, 2.5, 0)),
        (["--minutes", 0.05], None, (0, 0, 0.05)),
        ([], "minutes = 3", (0, 0, 3)),
        ([], "steps = 9\nepochs = 2", (9, 2, 0)),
        ([], "seed = 1", (STEPS, 0, 0)),
        ([], "steps = 1000000000", (10**9, 0, 0)),
        ([], "epochs = 100000", (0, 1e5, 0)),
        ([], "[model]\narchitecture = 'segnet'", (STEPS, 0, 0)),
        (["--steps", 5], "minutes = 3", (5, 0, 0)),
    ],
)
def test_a_length_replaces_the_one_before(
    flags: list[object], file: str | None, length: tuple[float, ...], tmp_path: Path
) -> None:
    words = ["--preset", "newts-binary", *flags]
    if file is not None:
        (tmp_path / "file.toml").write_text(file)
        words += ["--config", tmp_path / "file.toml"]
    config = asked(parsed(*words))
    assert (config.steps, config.epochs, config.minutes) == length


def test_file_is_over_preset_and_flags_over_file(tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text('{"batch_size": 3, "seed": 5, "optimizer": {"learning_rate": 0.25}}')
    words = ["--preset", "newts-binary", "--config", tmp_path / "file.json", "--seed", 6, "--augmentation.scale", "1,2"]
    config = asked(parsed(*words, "--model.freeze", "true"))
    preset = PRESETS["newts-binary"].config
    assert (config.batch_size, config.seed, config.optimizer.learning_rate) == (3, 6, 0.25)
    assert config.augmentation == replace(preset.augmentation, scale=(1.0, 2.0))
    assert config.model == replace(preset.model, freeze=True)


@pytest.mark.parametrize(
    ("flags", "file", "model"),
    [
        (["--model", "segnet"], "", ("segnet", {}, "", "")),
        (["--model.architecture", "segnet"], "", ("segnet", {}, "", "")),
        ([], "[model]\narchitecture = 'segnet'", ("segnet", {}, "", "")),
        ([], "[model]\narchitecture = 'pspnet'\narguments = {backbone = 'resnet101'}",
         ("pspnet", {"backbone": "resnet101"}, "", "")),
        (["--model", "segnet", "--model.arguments", '{"width": 8}'], "", ("segnet", {"width": 8}, "", "")),
        (["--model", "deeplabv3"], "", ("deeplabv3", {"backbone": "resnet101"}, "", "coco-voc")),
        (["--model", "a/b"], "", ("deeplabv3", {}, "a/b", "")),
        (["--model", "segnet"], "[model]\ncheckpoint = 'a/b'", ("segnet", {}, "", "")),
    ],
)  # fmt: skip
def test_another_network_leaves_what_was_the_others(
    flags: list[str], file: str, model: tuple[Any, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.toml").write_text(file)
    config = asked(parsed("--preset", "voc-deeplabv3-128", "--config", "file.toml", *flags)).model
    checkpoint = os.path.relpath(config.checkpoint) if config.checkpoint else ""
    assert (config.architecture, config.arguments, checkpoint, config.weights) == (*model[:2], *model[2:])


def test_paths_do_not_depend_on_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--steps", 1, "--model", "a/b"]
    assert asked(parsed("--data", "mine", *words)).data.source == str(tmp_path / "mine")
    assert asked(parsed("--data", "mine", *words)).model.checkpoint == str(tmp_path / "a/b")
    for named in ("procedural:3", "hub:OWNER/NAME"):
        assert asked(parsed("--data", named, *words)).data.source == named


def test_every_setting_has_one_flag() -> None:
    arguments = vars(parsed())
    assert not set(arguments) & set(settings_of(TrainConfig))
    names = {"data.source": "data", "data.split": "split"}
    for path, setting in settings_of(TrainConfig).items():
        value = setting.choices[-1] if setting.choices else {"flag": "true", "table": "{}"}.get(setting.kind, "1")
        assert vars(parsed(f"--{names.get(path, path)}", value))[path] == value


# Origin


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--preset newts-binary --data DATA", "--preset newts-binary --data DIR"),
        ("--preset newts-binary --data procedural:3 --steps 7", "--preset newts-binary --data procedural:3 --steps 7"),
        ("--preset newts-binary --data.drawn_share 0 --seed 0", "--preset newts-binary --data.drawn_share 0.0"),
        ("--preset newts-binary --minutes 0.5", "--preset newts-binary --minutes 0.5"),
        ("--data DATA --model checkpoints/mine --steps 9", "--model.checkpoint MODEL --data DIR --steps 9"),
        ("--data DATA --config start.json --steps 9", "--model.checkpoint MODEL --data DIR --steps 9"),
        (
            "--config tiny.toml --data DATA --augmentation.scale 0.5,1",
            """--model.arguments '{"width": 4, "depth": 2}' --data DIR --data.crop 32 --augmentation.scale 0.5,1 """
            "--validation.every 2 --validation.pictures 0 --batch_size 2 --precision float32 --save_every 0 --steps 4",
        ),
    ],
)
def test_the_command_of_a_run(words: str, expected: str, tiny: Path) -> None:
    start = {"model": {"checkpoint": "checkpoints/mine", "architecture": "segnet", "arguments": {"width": 8}}}
    Path("start.json").write_text(json.dumps({**start, "data": {"preprocessing": {"size": 64}}}))
    told_ = command(parsed(*words.split()))
    assert shlex.split(told_) == shlex.split(f"python -m seg_demo train {expected} --run RUN".replace("0.0", "0"))
    again = parsed(*shlex.split(told_)[4:-2])  # and it asks for the same
    one, other = (to_document(asked(arguments)) for arguments in (parsed(*words.split()), again))
    for document in (one, other):
        document["data"].pop("source")
        if document["model"].pop("checkpoint"):  # it says these itself
            document["data"].pop("preprocessing"), document["model"].pop("architecture")
            document["model"].pop("arguments")
    assert one == other


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"checkpoint": "/runs/mine/best"}, "mine/best"),
        ({"checkpoint": "/models/newts"}, "newts"),
        ({"architecture": "deeplabv3", "weights": "coco-voc"}, "deeplabv3 of coco-voc"),
        ({"backbone_weights": "imagenet"}, "backbone of imagenet"),
        ({}, "none, random weights"),
    ],
)
def test_the_base_checkpoint_in_words(model: dict[str, str], words: str) -> None:
    config = TrainConfig(steps=1)
    assert base_checkpoint(replace(config, model=replace(config.model, **model))) == words


def test_the_revision_is_that_of_this_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert revision().removesuffix("-dirty") == (head[:12] or "unknown")
    monkeypatch.setattr("seg_demo.__file__", str(tmp_path / "__init__.py"))
    assert revision() == "unknown"


@pytest.mark.parametrize("kind", ["preset", "config", "model"])
def test_the_card_of_a_trained_checkpoint(
    kind: str, tiny: Path, data: Path, tiny_species_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = asked(parsed("--config", tiny))
    monkeypatch.setitem(PRESETS, "small", replace(PRESETS["newts-species"], config=config))
    words: list[object] = ["--preset", "small"] if kind == "preset" else ["--config", tiny]
    words += ["--model", tiny_species_checkpoint] if kind == "model" else []
    assert train(*words, "--data", data, "--run", "runs/one", "--steps", 2, "--out", "made/it") == 0
    card = Path("made/it/README.md").read_text("utf-8")
    lines = dict(line[4:].split("**: ", 1) for line in card.splitlines() if line.startswith("- **"))
    assert lines["preset"] == ("small" if kind == "preset" else "none")
    assert lines["base checkpoint"] == ("tiny-species" if kind == "model" else "none, random weights")
    assert lines["data"] == "newts here"
    assert lines["pictures"] == "photos 3, drawn 0, validation 1"
    assert lines["steps"] == "2"
    assert lines["recipe"].startswith("cross-entropy; AdamW, one-cycle to 0.001")
    command = "python -m seg_demo train " + ("--preset small --data" if kind == "preset" else "--model")
    assert f"```bash\n{command}" in card
    assert (PRESETS["newts-species"].about in card) == (kind == "preset")
    assert "### validation, 1 pictures" in card
    for file in Path("made/it").glob("*.*"):
        if file.suffix != ".safetensors":
            assert str(data.parent) not in file.read_text("utf-8")
            assert str(tiny.parent) not in file.read_text("utf-8")


# Runs


def test_train_says_what_is_worth_keeping(tiny: Path, data: Path, capsys: Captured) -> None:
    assert train("--config", tiny, "--data", data, "--run", "run", "--out", "model") == 0
    captured = capsys.readouterr()
    assert captured.err == ""  # the bar is for terminals, and lines come every ten seconds
    lines = captured.out.splitlines()
    assert lines[0].startswith("3 pictures, 1 to validate on; ")
    assert [line.split()[2] for line in lines[1:-2]] == [
        "epoch",
        "saved",
        "saved",
        "epoch",
        *["saved"] * (len(lines) - 7),
    ]
    assert lines[-1] == "Saved model"
    best = max((line["metrics"]["mean_iou"], -line["step"]) for line in events("run") if line["event"] == "EpochDone")
    assert load_checkpoint("model").config.training["steps"] == -best[1]


def test_slices_of_time_until_it_is_finished(
    tiny: Path, data: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count(0.0, 0.05)
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    words = ["--config", tiny, "--data", data, "--run", "run", "--steps", 12]
    parts = 0
    while parts < 20 and (not parts or events("run")[-1]["event"] != "RunFinished"):
        assert train(*words, "--seconds", 1, "--resume") == 0
        parts += 1
    out = capsys.readouterr().out
    assert parts > 1
    assert out.count("Go on with: python -m seg_demo train --run run --resume --seconds 1\n") == parts - 1
    assert events("run")[-1]["step"] == 12


def test_resume(tiny: Path, data: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--config", tiny, "--data", data, "--run", "run"]
    assert train("--run", "run", "--resume") == 1
    assert train("--run", "run", "--resume", "--data", data, "--steps", 9) == 1
    assert capsys.readouterr().err == "error: There is no run in run to resume. Start it without --resume.\n" * 2
    assert train(*words, "--resume") == 0  # there is none yet, so it begins
    assert train(*words) == 1
    assert "run holds a run already. Add --resume to go on with it" in capsys.readouterr().err
    sentence = (
        "Nothing was left to do: run was finished before. A larger --steps, --epochs or --minutes trains it further."
    )
    for same_again in (words, ["--run", "run"], ["--run", "run", "--batch_size", 2]):
        assert train(*same_again, "--resume") == 0
        assert capsys.readouterr().out.splitlines()[-1] == sentence
    monkeypatch.chdir(tmp_path.parent)  # the run knows where its pictures are
    assert train("--run", tmp_path / "run", "--resume", "--steps", 6) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("step 6  finished")
    training = load_checkpoint(tmp_path / "run/last").config.training
    assert training["steps"] == 6
    assert training["command"].endswith("--steps 4 --run RUN, resumed with --steps 6")
    assert train("--run", tmp_path / "run", "--resume", "--epochs", 6, "--data", data) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("step 9  finished")


def test_a_run_keeps_what_it_was_resumed_with(
    tiny: Path, data: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train("--config", tiny, "--data", data, "--run", "run") == 0
    ticks = itertools.count(0.0, 0.05)
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    flags = ["--steps", 90, "--data.workers", 0, "--validation.pictures", 1, "--seconds", 1, "--out", "the model"]
    assert train("--run", "run", "--resume", *flags) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Go on with: python -m seg_demo train --run run --resume --seconds 1 --out 'the model'"
    )
    assert not Path("the model").exists()
    document = json.loads(Path("run/config.json").read_text())
    assert (document["steps"], document["validation"]["pictures"]) == (90, 1)
    assert document["about"]["command"].endswith(", resumed with --steps 90")


@pytest.mark.parametrize(
    ("flags", "settings"),
    [
        (["--batch_size", 3], "batch_size 2, not 3"),
        (["--config", "tiny.toml"], None),
        (["--config", "other.toml"], "loss.name 'cross-entropy', not 'dice'"),
        (["--config", "run/config.json"], None),
        (["--preset", "newts-binary"], "model.arguments {'width': 4, 'depth': 2}, not "),
        (["--model", "segnet"], "model.architecture 'unet', not 'segnet'; model.arguments "),
        (["--split", "trainval"], "data.split 'train', not 'trainval'"),
        (["--validation.pictures", 1, "--save_every", 9, "--data.workers", 0], None),
        (["--data.workers", 1], "data.workers 0, not 1"),
    ],
)
def test_only_some_flags_may_be_others(
    flags: list[object], settings: str | None, begun: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(begun)
    Path("other.toml").write_text(TINY + "[loss]\nname = 'dice'\n")
    before = Path("run/config.json").read_bytes(), load_checkpoint("run/last").config.training["steps"]
    source = json.loads(before[0])["data"]["source"]
    code = train("--run", "run", "--resume", "--data", source, *flags)
    error = capsys.readouterr().err
    if settings is None:
        assert (code, error) == (0, "")
    else:
        assert code == 1
        assert error.startswith(f"error: The run run was begun with {settings}")
        assert error.endswith(". Give it the same, or start a new run.\n")
    changed = "--save_every" in flags  # these do not touch the weights, and are kept for the next time
    assert (before[0] != Path("run/config.json").read_bytes()) == changed
    assert load_checkpoint("run/last").config.training["steps"] == before[1]


@pytest.fixture(scope="module")
def begun(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny.toml and a finished run of it."""
    folder = tmp_path_factory.mktemp("begun")
    (folder / "tiny.toml").write_text(TINY)
    assert train("--config", folder / "tiny.toml", "--data", data, "--run", folder / "run") == 0
    return folder


def test_resume_with_a_checkpoint_and_balanced_classes(
    tiny: Path, data: Path, tiny_species_checkpoint: Path, capsys: Captured
) -> None:
    words = ["--config", tiny, "--data", data, "--model", tiny_species_checkpoint, "--loss.balance", "median-frequency"]
    assert train(*words, "--run", "run") == 0
    assert train(*words, "--run", "run", "--resume", "--steps", 5) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("step 5  finished")
    loaded = load_checkpoint(tiny_species_checkpoint)
    for name, code in (("moved/tiny-species", 0), ("moved/another", 1)):
        Path("moved").mkdir(exist_ok=True)
        save_checkpoint(name, loaded.model, loaded.config)
        words[words.index("--model") + 1] = Path(name)
        assert train(*words, "--run", "run", "--resume", "--steps", 6) == code
    assert "was begun with model.checkpoint" in capsys.readouterr().err


def test_other_pictures_are_not_gone_on_with(begun: Path, data: Path, tmp_path: Path, capsys: Captured) -> None:
    moved = shutil.copytree(data, tmp_path / "moved")
    assert train("--run", begun / "run", "--resume", "--data", moved) == 0
    assert train("--run", begun / "run", "--resume", "--data", "procedural:2") == 1
    assert "The pictures of procedural:2 are not those that the run " in capsys.readouterr().err
    label_file = next((moved / "train/masks").iterdir())
    with Image.open(label_file) as label_map:
        label_map.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(label_file)
    assert train("--run", begun / "run", "--resume", "--data", moved) == 1
    assert "moved are not those that the run " in capsys.readouterr().err


def test_patience_is_named_where_it_may_have_ended_a_run(tiny: Path, data: Path, capsys: Captured) -> None:
    words = ["--config", tiny, "--data", data, "--run", "run", "--validation.patience", 9]
    assert train(*words) == train(*words, "--resume") == 0
    assert "A larger --steps, --epochs or --minutes or --validation.patience trains" in capsys.readouterr().out


# Refused before anything is done


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("", "Give a preset (--preset NAME, --list shows all), settings of your own (--config FILE), or a length"),
        ("--steps 3", "There is nothing to learn from. Name a folder of labelled pictures with --data DIR."),
        ("--data DATA --steps 0", "The training settings give no length of the run. Set steps, epochs or minutes."),
        ("--data DATA --preset finetune --steps 0", "The training settings give no length of the run."),
        ("--data DATA --steps nan", "The setting steps must be a whole number from 0 to 1000000000, not 'nan'."),
        ("--data DATA --steps 2 --seed -1", "The setting seed must be a whole number from 0 to 2147483648, not -1."),
        ("--data DATA --steps 2 --optimizer.learning_rate NaN", "The setting optimizer.learning_rate must be a number"),
        ("--data DATA --preset finetun", 'There is no preset "finetun". Did you mean "finetune"?'),
        ("--data DATA --config no.toml", "no.toml cannot be read (No such file or directory). Give a TOML or JSON"),
        ("--data DATA --steps 2 --model unett", 'There is no architecture "unett". Did you mean "unet"?'),
        ("--data DATA --steps 2 --model nope/best", "nope/best is not a checkpoint: it holds no config.json."),
        ("--data DATA --steps 2 --model BEGUN/run", "run is a run. Give one of its checkpoints, such as "),
        ("--data DATA --preset camvid", "knows the classes sky, building, pole, road, pavement and 6 more, but"),
        ("--data DATA --steps 2 --split vall", 'There is no choice for data.split "vall". Did you mean "val"?'),
        ("--data DATA --steps 2 --device gpu", 'There is no device "gpu" here. Use cpu, or leave --device out.'),
        ("--data /nowhere --steps 2", "/nowhere is no folder."),
        ("--data procedural:x --steps 2", 'A drawn data set is named "procedural:COUNT" with 1 to '),
        ("--data DATA --steps 2 --device meta", 'There is no device "meta" here. Use cpu, or leave --device out.'),
        (
            "--data DATA --steps 2 --model BEGUN/run/last --data.preprocessing.size 64",
            "--data.preprocessing.size is given together with the checkpoint BEGUN/run/last, which says it itself. ",
        ),
        ("--data DATA --steps 2 --model BEGUN/run/last --model.arguments {}", "--model.arguments is given together "),
        (
            "--data DATA --steps 2 --model.architecture segnet --model BEGUN/run/last",
            "--model.architecture is given together with the checkpoint BEGUN/run/last, which says it itself. Leave ",
        ),
        (
            "--data DATA --steps 2 --out DATA",
            "newts here is there already and is no checkpoint, so it is not replaced.",
        ),
        ("--data DATA --steps 2 --out tiny.toml", "tiny.toml is there already and is no checkpoint, so it is not "),
        ("--data DATA --steps 2 --out run", "run is no checkpoint, so it is not replaced."),
        ("--data DATA --steps 2 --out tiny.toml/x/y", "tiny.toml/x cannot be written (Not a directory). Choose"),
    ],
)
def test_refused(words: str, part: str, tiny: Path, data: Path, begun: Path, capsys: Captured) -> None:
    given = [word.replace("DATA", str(data)).replace("BEGUN", str(begun)) for word in words.split()]
    assert train("--run", "run", *given) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert part.replace("BEGUN", str(begun)) in error
    assert error.count("\n") == 1
    assert os.listdir(tiny.parent) == ["tiny.toml"]


def test_a_folder_with_other_files_is_not_replaced(
    tiny: Path, data: Path, tiny_checkpoint: Path, capsys: Captured
) -> None:
    shutil.copytree(tiny_checkpoint, "bert")
    Path("bert/tokenizer.json").write_text("{}")
    assert train("--config", tiny, "--data", data, "--run", "run", "--out", "bert") == 1
    assert "bert holds tokenizer.json besides a checkpoint, which would be lost" in capsys.readouterr().err
    assert not Path("run").exists()
    Path("bert/tokenizer.json").unlink()
    assert train("--config", tiny, "--data", data, "--run", "run", "--steps", 1, "--out", "bert") == 0


@pytest.mark.parametrize(("name", "world", "refused"), [("cpu:0", 2, True), ("cpu:0", 1, False), ("cpu", 2, False)])
def test_of_many_processes_each_has_its_own_device(name: str, world: int, refused: bool) -> None:
    if not refused:
        check_device(name, world)
        return
    with pytest.raises(UserError, match='Each of 2 processes takes a device of its own, but --device is "cpu:0". Use '):
        check_device(name, world)


def test_a_run_where_nothing_can_be_written(tiny: Path, data: Path, capsys: Captured) -> None:
    assert train("--config", tiny, "--data", data, "--run", tiny) == 1
    assert capsys.readouterr().err == f"error: {tiny} cannot be written (Not a directory). Choose another folder.\n"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--optimizer.learning", "1"], "arguments: --optimizer.learning 1; did you mean --optimizer.learning_rate?"),
        (["--batch-size=3"], "unrecognized arguments: --batch-size=3; did you mean --batch_size?"),
        (["--zzz"], "unrecognized arguments: --zzz\n"),
        (["--steps", "3", "--minutes", "1"], "not allowed with argument"),
        (["--seconds", "0"], "0 is not a whole number from 1 to"),
    ],
)  # fmt: skip
def test_wrong_flags(words: list[str], part: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as stop:
        train("--run", "run", *words)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("usage: python -m seg_demo train --preset NAME")
    assert part in error


def test_pictures_with_errors_are_refused(tiny: Path, data: Path, tmp_path: Path, capsys: Captured) -> None:
    bad = shutil.copytree(data, tmp_path / "bad")
    next((bad / "val/images").iterdir()).write_bytes(b"no picture")
    words = ["--config", tiny, "--data", bad, "--run", "run", "--data.validation_split", ""]
    assert train(*words) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {bad} cannot be learned from yet (1 error): ")
    assert "`data check` names them all and repairs a copy, --no-check starts all the same.\n" in error
    assert not Path("run").exists()
    assert train(*words, "--no-check") == 0


def test_help_is_readable(capsys: Captured) -> None:
    with pytest.raises(SystemExit):
        train("--help")
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m seg_demo train --preset NAME --data DIR --run DIR [--resume]")
    for title in (
        "network",
        "pictures",
        "variation of the pictures",
        "loss",
        "optimiser",
        "learning rate",
        "validation",
    ):
        assert f"\n{title}:\n" in out
    assert "torchrun --nproc-per-node 2 -m -- seg_demo train" in out
    example = out[out.index("  epochs = 20") : out.index("Ctrl-C")]
    assert "\n  learning_rate = 0.0005\n" in example


def test_the_example_in_the_help_is_a_configuration(tmp_path: Path) -> None:
    from seg_demo.cli.train import EPILOG

    lines = [line[2:] for line in EPILOG.splitlines() if line.startswith("  ")]
    (tmp_path / "file.toml").write_text("\n".join(lines))
    config = asked(parsed("--config", tmp_path / "file.toml"))
    assert (config.epochs, config.steps, config.model.architecture) == (20, 0, "deeplabv3")


def test_list(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as stop:
        train("--list")
    assert stop.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == list(PRESETS)


# Progress


def step(number: int, share: float, speed: float = 10.0) -> StepDone:
    return StepDone(number, 0.5, share, 0.25, 0.001, speed, 99.0, 10**9)


STARTED = RunStarted(3, 0, 1, 100, 0, 10, 10, "cpu", "float32", 1)


def test_lines_without_a_terminal(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    with progress.Watcher() as watcher:
        watcher.show(STARTED)
        watcher.show(SampleDrawn(0, "cat", Path("cat.jpg")))
        for number in range(1, 31):
            now[0] += 1
            watcher.show(step(number, 0.4 + number / 100))
        watcher.show(CheckpointSaved(30, "last", Path("last")))
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert [line.split("  ")[:5] for line in lines] == [
        [f" {share}%", f"step {number}", "loss 0.2500", "10.0 images/s", f"{left} left"]
        for share, number, left in ((50, 10, "0:50"), (60, 20, "0:40"), (70, 30, "0:30"))
    ]
    assert all(line.endswith(" GB") for line in lines)
    assert captured.out.splitlines() == [told(STARTED), "step 30  saved last"]
    with progress.Watcher(shown=False) as watcher:
        watcher.show(STARTED)
    assert capsys.readouterr().out == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_in_a_terminal(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.Watcher() as watcher:
        watcher.show(step(70, 0.7))
        time.sleep(0.15)
        watcher.show(step(80, 0.8, 40.0))
        watcher.show(EpochDone(80, 1.0, {"loss": 0.5}))
    drawn = terminal.getvalue()
    assert " 70% |" in drawn
    assert " 80% |" in drawn
    assert f"step 80  loss 0.2500  {1 / (0.9 / 10 + 0.1 / 40):.1f} images/s  0:00 left" in drawn
    assert " GB" in drawn
    assert capsys.readouterr().out == "step 80  epoch 1.0  loss 0.5000\n"
    with progress.counting("Measuring") as show:
        show(1, 2)
    assert "Measuring" in terminal.getvalue()
    assert list(progress.with_progress([4, 5], "Counting")) == [4, 5]
    assert "Counting" in terminal.getvalue()


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0:00"), (75, "1:15"), (59.6, "1:00"), (3725, "1:02:05")])
def test_a_clock(seconds: float, words: str) -> None:
    assert progress.clock(seconds) == words


def test_many_classes_make_no_long_line() -> None:
    metrics = {"loss": 0.5, "accuracy": 0.5, "mean_accuracy": 0.25, "mean_iou": 0.125}
    few = told(EpochDone(3, 1.0, metrics | {f"iou_{name}": 0.5 for name in "abcde"}))
    assert few.endswith("loss 0.5000  accuracy 0.5000  mean_iou 0.1250  iou_a 0.5000  iou_b 0.5000  iou_c 0.5000  "
                        "iou_d 0.5000  iou_e 0.5000")  # fmt: skip
    many = told(EpochDone(3, 1.0, metrics | {f"iou_{name}": 0.5 for name in "abcdef"}))
    assert many == "step 3  epoch 1.0  loss 0.5000  accuracy 0.5000  mean_iou 0.1250"


# Signals


no_signals = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals between processes")


@no_signals
def test_the_first_signal_is_heard_and_the_second_ends(capfd: Captured) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopSignals() as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop()
        assert stop.number == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert capfd.readouterr().err == "\nStopping after this step; once more to stop at once.\n"


@no_signals
def test_of_many_processes_a_signal_that_is_passed_on_counts_once(
    monkeypatch: pytest.MonkeyPatch, capfd: Captured
) -> None:
    now = [50.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with StopSignals(shown=False, grace=1.0) as stop:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        now[0] += 1.5
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
    assert capfd.readouterr().err == ""


LONG = ["--steps", "40", "--validation.every", "1"]


def process(folder: Path, words: list[str], **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        words, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **options
    )


@pytest.fixture(scope="module")
def uninterrupted(begun: Path, data: Path) -> Path:
    words = ["-m", "seg_demo", "train", "--config", "tiny.toml", "--data", str(data), "--run", "whole", *LONG]
    running = process(begun, [sys.executable, *words])
    error = running.communicate(timeout=120)[1]
    assert running.returncode == 0, error
    return begun / "whole"


@no_signals
@pytest.mark.parametrize(
    ("number", "workers"),
    [
        (signal.SIGINT, 0),
        pytest.param(signal.SIGINT, 1, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 0, marks=pytest.mark.slow),
    ],
)
def test_stopped_by_a_signal_and_gone_on_with_as_it_says(
    number: int, workers: int, uninterrupted: Path, data: Path, tmp_path: Path
) -> None:
    """A Ctrl-C of the terminal goes to all processes of the command, those that prepare pictures included."""
    (tmp_path / "tiny.toml").write_text(TINY)
    words = ["--config", "tiny.toml", "--data", str(data), "--run", "it's a run", "--data.workers", str(workers)]
    running = process(
        tmp_path, [sys.executable, "-m", "seg_demo", "train", *words, *LONG, "--device", "cpu"], start_new_session=True
    )
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("step 3 "):
            break
    os.killpg(running.pid, number) if workers else running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 128 + number, err
    assert err.count("Stopping after this step; once more to stop at once.\n") == 1
    *_, stopped, last = out.splitlines()
    assert stopped.endswith("stopped: as it was asked to")
    assert int(stopped.split()[1]) < 40
    assert last.startswith("Go on with: python -m seg_demo train --run 'it'\"'\"'s a run' --resume --device cpu")
    if number == signal.SIGTERM:
        return  # the rest is the same
    go_on = last.removeprefix("Go on with: ").replace("python", shlex.quote(sys.executable), 1)
    running = process(tmp_path, ["sh", "-c", go_on])
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert same(weights(tmp_path / "it's a run/last"), weights(uninterrupted / "last"))
    for name in ("last", "best"):
        made, whole = (
            load_checkpoint(folder / name).config.training for folder in (tmp_path / "it's a run", uninterrupted)
        )
        assert made["steps"] == whole["steps"]
