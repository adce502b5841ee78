"""The checkpoint contract: what is written is read back, and nothing a stranger sends does more than a sentence."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file

from seg_demo.checkpoint import Checkpoint, find_checkpoints, load_checkpoint, save_checkpoint
from seg_demo.checkpoint.exchange import _exchange
from seg_demo.checkpoint.weights import is_finite
from seg_demo.classes import ClassMap
from seg_demo.errors import UserError

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
FILES = [CARD, CONFIG, WEIGHTS]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def logits(checkpoint: Checkpoint) -> torch.Tensor:
    images = torch.rand(1, 3, 20, 27, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        return checkpoint.model(images)["out"]


def changed(state: dict[str, torch.Tensor], factor: float) -> dict[str, torch.Tensor]:
    return {name: value * factor if value.is_floating_point() else value for name, value in state.items()}


# Writing


def test_round_trip(tiny_species_checkpoint: Path, tmp_path: Path) -> None:
    first = load_checkpoint(tiny_species_checkpoint)
    target = save_checkpoint(tmp_path / "new" / "copy", first.model, first.config)
    second = load_checkpoint(target)
    assert second.name == "copy"
    assert second.config == first.config
    assert not second.model.training
    assert torch.equal(logits(first), logits(second))
    assert files(target) == FILES
    assert files(target.parent) == ["copy"]
    assert {(target / name).stat().st_mode & 0o777 for name in FILES} == {0o644}


def test_a_checkpoint_replaces_another(tiny_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(tiny_checkpoint)
    target = save_checkpoint(tmp_path / "model", checkpoint.model, checkpoint.config)
    before = logits(checkpoint)
    checkpoint.model.load_state_dict(changed(checkpoint.model.state_dict(), 1.5))
    save_checkpoint(target, checkpoint.model, checkpoint.config)
    assert not torch.equal(logits(load_checkpoint(target)), before)
    assert files(tmp_path) == ["model"]
    assert files(target) == FILES


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.rename", "safetensors.torch.save_file"])
def test_a_write_that_fails_leaves_the_old_checkpoint(
    step: str, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "model"
    shutil.copytree(tiny_checkpoint, target)
    checkpoint = load_checkpoint(target)
    before = logits(checkpoint)
    checkpoint.model.load_state_dict(changed(checkpoint.model.state_dict(), 1.5))

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("seg_demo.checkpoint.exchange._exchange", lambda one, other: False)
    monkeypatch.setattr(step, full_disk)
    with pytest.raises(UserError, match=r"model could not be written \(No space left on device\)\. Free some space"):
        save_checkpoint(target, checkpoint.model, checkpoint.config)
    monkeypatch.undo()
    assert files(tmp_path) == ["model"]
    assert files(target) == FILES
    assert torch.equal(logits(load_checkpoint(target)), before)


def test_the_second_rename_may_fail_too(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "model"
    shutil.copytree(tiny_checkpoint, target)
    checkpoint = load_checkpoint(target)
    rename, calls = Path.rename, []

    def second_fails(self: Path, other: Path) -> Path:
        calls.append(other)
        if len(calls) == 2:
            raise OSError(5, "Input/output error")
        return rename(self, other)

    monkeypatch.setattr("seg_demo.checkpoint.exchange._exchange", lambda one, other: False)
    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(UserError, match="Input/output error"):
        save_checkpoint(target, checkpoint.model, checkpoint.config)
    assert len(calls) == 3
    assert files(tmp_path) == ["model"]
    assert files(target) == FILES


def test_while_a_checkpoint_is_replaced_there_always_is_one(tiny_checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "model"
    checkpoint = load_checkpoint(tiny_checkpoint)
    save_checkpoint(target, checkpoint.model, checkpoint.config)
    if not _exchange(target, target):
        pytest.skip("this file system cannot exchange two names at once")
    done, seen = threading.Event(), []

    def look() -> None:
        while not done.is_set():
            seen.append((target / CONFIG).is_file())

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(20):
        save_checkpoint(target, checkpoint.model, checkpoint.config)
    done.set()
    watcher.join()
    assert len(seen) > 20
    assert all(seen)
    assert files(tmp_path) == ["model"]


def test_only_checkpoints_are_replaced(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Replacing removes what was there, which must never be someone's own files."""
    checkpoint = load_checkpoint(tiny_checkpoint)
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / CONFIG).write_text("{}")
    note = tmp_path / "note"
    note.write_text("dear diary")
    for target in (photos, note):
        with pytest.raises(UserError, match=f"{target.name} is there already and is no checkpoint"):
            save_checkpoint(target, checkpoint.model, checkpoint.config)
    assert note.read_text() == "dear diary"
    assert files(photos) == [CONFIG]
    strange = tmp_path / "bert"
    shutil.copytree(tiny_checkpoint, strange)
    (strange / CONFIG).write_text('{"architectures": ["BertModel"]}')
    with pytest.raises(UserError, match="bert is there already and is no checkpoint, so it is not replaced"):
        save_checkpoint(strange, checkpoint.model, checkpoint.config)
    (tmp_path / "empty").mkdir()
    assert files(save_checkpoint(tmp_path / "empty", checkpoint.model, checkpoint.config)) == FILES


@pytest.mark.parametrize(
    ("extra", "named"), [(["notes.md"], "notes.md"), (["tokenizer.json", ".git/"], ".git"), (["README.md/"], CARD)]
)
def test_a_checkpoint_with_other_files_is_not_replaced(
    extra: list[str], named: str, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    checkpoint = load_checkpoint(tiny_checkpoint)
    target = tmp_path / "clone"
    shutil.copytree(tiny_checkpoint, target)
    for name in extra:
        if name.endswith("/"):
            (target / name).unlink(missing_ok=True)
            (target / name).mkdir()
        else:
            (target / name).write_text("mine")
    before = files(target)
    with pytest.raises(UserError, match=f"clone holds {re.escape(named)} besides a checkpoint, which would be lost"):
        save_checkpoint(target, checkpoint.model, checkpoint.config)
    assert files(target) == before


def test_a_checkpoint_without_its_card_is_replaced(tiny_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(tiny_checkpoint)
    target = tmp_path / "model"
    shutil.copytree(tiny_checkpoint, target)
    (target / CARD).unlink()
    assert files(save_checkpoint(target, checkpoint.model, checkpoint.config)) == FILES


def test_weights_are_no_window_into_the_file(tiny_checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "model"
    shutil.copytree(tiny_checkpoint, target)
    checkpoint = load_checkpoint(target)
    before = logits(checkpoint)
    with open(target / WEIGHTS, "r+b") as file:
        size = (target / WEIGHTS).stat().st_size
        file.seek(size // 2)
        file.write(bytes(size - size // 2))
    assert torch.equal(logits(checkpoint), before)


def test_card_has_metadata_for_the_hub(tiny_checkpoint: Path) -> None:
    _, front, body = (tiny_checkpoint / CARD).read_text("utf-8").split("---\n", 2)
    metadata = yaml.safe_load(front)
    assert metadata["library_name"] == "seg_demo"
    assert metadata["pipeline_tag"] == "image-segmentation"
    assert "unet" in metadata["tags"]
    assert body.lstrip().startswith("# tiny\n")
    assert "| 1 | newt |" in body


def test_the_python_of_the_card_runs(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_checkpoint, tmp_path / "checkpoints" / "tiny")
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "photo.jpg")
    code = re.search("```python\n(.*?)```", (tiny_checkpoint / CARD).read_text("utf-8"), re.S)
    assert code
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code[1], names)
    assert sum(names["segmentation"].shares.values()) == pytest.approx(1)
    assert "newt" in capsys.readouterr().out


def test_names_with_markup_stay_in_their_cell(tiny_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(tiny_checkpoint)
    config = copy.copy(checkpoint.config)
    object.__setattr__(config, "classes", ClassMap.of("a|b", '魚 & "fish"'))
    target = save_checkpoint(tmp_path / "model", checkpoint.model, config)
    assert "| 0 | a\\|b |" in (target / CARD).read_text("utf-8")
    assert load_checkpoint(target).config.classes == config.classes


def test_find_checkpoints(tmp_path: Path) -> None:
    assert find_checkpoints(tmp_path / "nowhere") == []
    for name in ("b", "a", ".a.half", "empty"):
        (tmp_path / name).mkdir()
        if name != "empty":
            (tmp_path / name / CONFIG).write_text("{}")
    (tmp_path / "file").write_text("")
    assert [path.name for path in find_checkpoints(tmp_path)] == ["a", "b"]


# Reading what a stranger made. A row is a name, what is done to a good checkpoint, and a part of the sentence.

Spoil = Callable[[Path], Any]


def entry(path: str, value: object) -> Spoil:
    """Set the entry `path`, such as "preprocessing.size", of config.json; ... removes it."""

    def spoil(folder: Path) -> None:
        document = json.loads((folder / CONFIG).read_text())
        *tables, last = path.split(".")
        table = document
        for key in tables:
            table = table[key]
        if value is ...:
            del table[last]
        else:
            table[last] = value
        (folder / CONFIG).write_text(json.dumps(document))

    return spoil


def classes(names: list[str], **changes: object) -> Spoil:
    """Set `num_labels`, `id2label`, `label2id` and `palette` to fit `names`, then apply `changes`."""

    def spoil(folder: Path) -> None:
        document = json.loads((folder / CONFIG).read_text())
        document |= {
            "num_labels": len(names),
            "id2label": {str(class_id): name for class_id, name in enumerate(names)},
            "label2id": {name: class_id for class_id, name in enumerate(names)},
            "palette": [[0, 0, 0]] * len(names),
        }
        (folder / CONFIG).write_text(json.dumps(document | changes))

    return spoil


def raw(content: bytes | str, file: str = CONFIG) -> Spoil:
    return lambda folder: (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())


def written(key: str, value: str) -> Spoil:
    """Put the entry `key` with the text `value`, which json.dumps would not write, at the end of config.json."""

    def spoil(folder: Path) -> None:
        text = (folder / CONFIG).read_text().rstrip().removesuffix("}")
        (folder / CONFIG).write_text(f'{text}, "{key}": {value}}}')

    return spoil


def cut(share: float) -> Spoil:
    return lambda folder: os.truncate(folder / WEIGHTS, int((folder / WEIGHTS).stat().st_size * share))


def tensors(change: Callable[[dict[str, torch.Tensor]], Any]) -> Spoil:
    def spoil(folder: Path) -> None:
        state = load_file(folder / WEIGHTS)
        change(state)
        save_file(state, folder / WEIGHTS)

    return spoil


def header(**claims: object) -> Spoil:
    """Weights with no data whose header claims something."""

    def spoil(folder: Path) -> None:
        text = json.dumps(claims).encode()
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text)

    return spoil


def remove(file: str) -> Spoil:
    return lambda folder: (folder / file).unlink()


def as_folder(file: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / file).unlink()
        (folder / file).mkdir()

    return spoil


def loop(file: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / file).unlink()
        (folder / file).symlink_to(file)

    return spoil


BIAS = "classifier.bias"


def fill(value: float) -> Spoil:
    return tensors(lambda state: state[BIAS].fill_(value))


HOSTILE: list[tuple[str, Spoil, str]] = [
    ("weights missing", remove(WEIGHTS), f"{WEIGHTS} is missing"),
    ("weights are a folder", as_folder(WEIGHTS), f"{WEIGHTS} is missing"),
    ("weights link to themselves", loop(WEIGHTS), f"{WEIGHTS} is missing"),
    ("weights empty", raw("", WEIGHTS), f"{WEIGHTS} is damaged or cut off"),
    ("weights of 7 bytes", raw(bytes(7), WEIGHTS), f"{WEIGHTS} is damaged or cut off"),
    ("weights are a pickle", raw(b"\x80\x04\x95" + bytes(64), WEIGHTS), f"{WEIGHTS} is damaged or cut off"),
    ("weights are text", raw("no such luck " * 40, WEIGHTS), f"{WEIGHTS} is damaged or cut off"),
    ("header longer than the file", raw(struct.pack("<Q", 1 << 62), WEIGHTS), f"{WEIGHTS} is damaged or cut off"),
    ("header is a list", raw(struct.pack("<Q", 2) + b"[]", WEIGHTS), f"{WEIGHTS} is damaged or cut off"),
    *((f"weights cut to {share:.0%}", cut(share), f"{WEIGHTS} is damaged or cut off") for share in (0.1, 0.5, 0.999)),
    ("tensor missing", tensors(lambda state: state.pop(BIAS)), f"{WEIGHTS} lacks the weights '{BIAS}'"),
    ("no tensors", tensors(lambda state: state.clear()), f"{WEIGHTS} lacks the weights"),
    (
        "tensor too many",
        tensors(lambda state: state.update({"aux.weight": torch.zeros(2)})),
        f"{WEIGHTS} holds the weights 'aux.weight'",
    ),
    (
        "wrong shape",
        tensors(lambda state: state.update({BIAS: torch.zeros(3)})),
        f'{WEIGHTS}: the weights "{BIAS}" have the shape [3]',
    ),
    (
        "wrong dtype",
        tensors(lambda state: state.update({BIAS: torch.zeros(1, dtype=torch.float16)})),
        f'{WEIGHTS}: the weights "{BIAS}" are stored as F16',
    ),
    (
        "unusual dtype",
        tensors(lambda state: state.update({BIAS: torch.zeros(1, dtype=torch.float8_e4m3fn)})),
        f'{WEIGHTS}: the weights "{BIAS}" are stored as F8_E4M3',
    ),
    ("NaN", fill(float("nan")), f'{WEIGHTS}: the weights "{BIAS}" hold values that are not finite'),
    ("infinity", fill(float("inf")), f'{WEIGHTS}: the weights "{BIAS}" hold values that are not finite'),
    (
        "a huge shape of no bytes",
        header(**{BIAS: {"dtype": "F32", "shape": [0, 10**15], "data_offsets": [0, 0]}}),
        f"{WEIGHTS} lacks the weights",
    ),
    (
        "a huge shape with no bytes behind it",
        header(**{BIAS: {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4 * 10**18]}}),
        f"{WEIGHTS} is damaged or cut off",
    ),
    ("config missing", remove(CONFIG), "it holds no config.json"),
    ("config is a folder", as_folder(CONFIG), "it holds no config.json"),
    ("config links to itself", loop(CONFIG), "it holds no config.json"),
    ("config empty", raw(""), f"{CONFIG} is not valid JSON"),
    ("config no JSON", raw("architecture = unet"), f"{CONFIG} is not valid JSON"),
    ("config of bytes", raw(bytes(range(256))), f"{CONFIG} is not valid JSON"),
    ("config nested deeply", raw("[" * 100_000 + "]" * 100_000), f"{CONFIG} is not valid JSON"),
    ("config nested a little less", entry("training", json.loads("[" * 500 + "]" * 500)), f"{CONFIG} is nested more"),
    ("config nested as it may be", entry("training", json.loads("[" * 30 + "]" * 30)), '"training" must be'),
    ("a number of many digits", written("threshold", "9" * 5000), f"{CONFIG} is not valid JSON"),
    ("config too large", raw(json.dumps({"x": "y" * (1 << 20)})), f"{CONFIG} is larger than 1 MB"),
    ("config is a list", raw("[]"), '"the file" must be a JSON object, not []'),
    ("threshold NaN", written("threshold", "NaN"), f"{CONFIG} is not valid JSON"),
    ("threshold infinite", written("threshold", "1e999"), f"{CONFIG} is not valid JSON"),
    ("a metric that is infinite", written("metrics", '{"mean_iou": 1e999}'), f"{CONFIG} is not valid JSON"),
    ("half a character", written("training", '{"about": "\\ud800"}'), f"{CONFIG} is not valid JSON"),
    ("architecture near", entry("architecture", "unett"), 'There is no architecture "unett". Did you mean "unet"?'),
    ("architecture missing", entry("architecture", ...), 'There is no architecture "". Known: simple, unet'),
    ("architecture a path", entry("architecture", "../../etc/passwd"), 'no architecture "../../etc/passwd". Known:'),
    ("architecture a list", entry("architecture", ["unet"]), f"{CONFIG}: There is no architecture of this name."),
    ("architecture of two lines", entry("architecture", "unet\nTraceback"), f"{CONFIG}: There is no architecture"),
    ("architecture long", entry("architecture", "x" * 100_000), f"{CONFIG}: There is no architecture of this name."),
    ("width huge", entry("arguments.width", 10**9), '"width" of unet must be a whole number from 1 to 128, not 1000'),
    ("width a text", entry("arguments.width", "4"), "must be a whole number from 1 to 128, not '4'"),
    ("width true", entry("arguments.width", True), "must be a whole number from 1 to 128, not True"),
    ("width a fraction", entry("arguments.width", 4.0), "must be a whole number from 1 to 128, not 4.0"),
    ("another width", entry("arguments.width", 5), f"{WEIGHTS}: the weights"),
    ("another depth", entry("arguments.depth", 3), f"{WEIGHTS} lacks the weights"),
    ("argument unknown", entry("arguments.__class__", 1), 'There is no argument of unet "__class__"'),
    ("argument of two lines", entry("arguments.a\nb", 1), f"{CONFIG}: There is no argument of unet"),
    ("arguments a list", entry("arguments", [4, 2]), '"arguments" must be a JSON object'),
    ("task unknown", entry("task", "detection"), "\"task\" must be one of binary, multiclass, not 'detection'"),
    ("task a list", entry("task", ["binary"]), '"task" must be one of binary, multiclass'),
    ("task for other weights", entry("task", "multiclass"), f"{WEIGHTS}: the weights"),
    ("num_labels 0", entry("num_labels", 0), '"num_labels" must be a whole number from 2 to 255, not 0'),
    ("num_labels -1", entry("num_labels", -1), '"num_labels" must be a whole number from 2 to 255, not -1'),
    ("num_labels 256", entry("num_labels", 256), '"num_labels" must be a whole number from 2 to 255, not 256'),
    ("num_labels true", entry("num_labels", True), '"num_labels" must be a whole number from 2 to 255, not True'),
    ("num_labels a text", entry("num_labels", "2"), "\"num_labels\" must be a whole number from 2 to 255, not '2'"),
    ("binary with three labels", classes(["a", "b", "c"]), '"num_labels" must be 2 for the task binary'),
    ("id2label lacks a key", entry("id2label.1", ...), '"id2label" must be an object with the keys "0" to "1"'),
    ("id2label has one more", entry("id2label.2", "x"), '"id2label" must be an object with the keys "0" to "1"'),
    ("id2label a list", entry("id2label", ["a", "b"]), '"id2label" must be a JSON object'),
    ("name empty", classes(["a", " "]), '"id2label.1" must be a text of 1 to 200 characters'),
    ("name of two lines", classes(["a", "b\nc"]), '"id2label.1" must be a text of 1 to 200 characters'),
    ("name half a character", classes(["a", "\ud800"]), f"{CONFIG} is not valid JSON"),
    ("name long", classes(["a", "b" * 201]), '"id2label.1" must be a text of 1 to 200 characters'),
    ("name a number", entry("id2label.1", 7), '"id2label.1" must be a text of 1 to 200 characters in one line, not 7'),
    ("names equal", classes(["a", "a"]), 'Class names must be unique and not empty, but "a" occurs twice'),
    ("label2id another order", classes(["a", "b"], label2id={"a": 1, "b": 0}), '"label2id" must be the inverse'),
    ("palette short", entry("palette", [[0, 0, 0]]), '"palette" must be a list of 2 colours'),
    ("palette a text", entry("palette", "red"), "\"palette\" must be a list of 2 colours, not 'red'"),
    ("palette of pairs", entry("palette", [[0, 0], [1, 1]]), '"palette" must be a list of [red, green, blue] triples'),
    ("palette too bright", entry("palette", [[0, 0, 0], [0, 0, 256]]), '"palette" must be a whole number from 0 to 2'),
    ("palette of fractions", entry("palette", [[0, 0, 0], [0, 0, 0.5]]), '"palette" must be a whole number from 0'),
    ("ignore_index a class", entry("ignore_index", 1), '"ignore_index" must be a whole number from 2 to 255, not 1'),
    ("ignore_index 256", entry("ignore_index", 256), '"ignore_index" must be a whole number from 2 to 255, not 256'),
    ("threshold a text", entry("threshold", "high"), "\"threshold\" must be a number from 0 to 1, not 'high'"),
    ("threshold 2", entry("threshold", 2), '"threshold" must be a number from 0 to 1, not 2'),
    ("threshold true", entry("threshold", True), '"threshold" must be a number from 0 to 1, not True'),
    ("size 0", entry("preprocessing.size", 0), '"preprocessing.size" must be a whole number from 1 to 8192, not 0'),
    ("size huge", entry("preprocessing.size", 10**9), '"preprocessing.size" must be a whole number from 1 to 8192'),
    ("resize unknown", entry("preprocessing.resize", "pad"), '"preprocessing.resize" must be one of none, longest'),
    ("std 0", entry("preprocessing.std", [1, 0, 1]), '"preprocessing.std" must be a number from 0.001 to 10, not 0'),
    ("mean of texts", entry("preprocessing.mean", ["0", "0", "0"]), '"preprocessing.mean" must be a number from -10'),
    ("mean of two", entry("preprocessing.mean", [0, 0]), '"preprocessing.mean" must be a list of three numbers'),
    ("interpolation", entry("preprocessing.interpolation", "cubic"), '"preprocessing.interpolation" must be one of'),
    ("preprocessing a list", entry("preprocessing", []), '"preprocessing" must be a JSON object, not []'),
    ("training a text", entry("training", "long"), "\"training\" must be a JSON object, not 'long'"),
    ("metrics a number", entry("metrics", 1), '"metrics" must be a JSON object, not 1'),
    ("version missing", entry("seg_demo_version", ...), '"seg_demo_version" must be a text of 1 to 200 characters'),
    ("version a number", entry("seg_demo_version", 0.1), '"seg_demo_version" must be a text of 1 to 200 characters'),
]


def check_sentence(error: UserError) -> None:
    """One line for a person: short, ending in a full stop, without the words of a traceback."""
    sentence = str(error)
    assert len(sentence) < 500
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", sentence), repr(sentence)
    assert sentence.endswith(".")
    unwanted = re.search(r"Traceback|\b\w*(Error|Exception)\b|object at 0x|<class|\bNoneType\b", sentence)
    assert not unwanted, sentence


@pytest.mark.parametrize(("name", "spoil", "part"), HOSTILE, ids=[name for name, _, _ in HOSTILE])
def test_hostile_checkpoints(name: str, spoil: Spoil, part: str, tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_checkpoint, folder)
    spoil(folder)
    before = files(folder)
    with pytest.raises(UserError) as caught:
        load_checkpoint(folder)
    check_sentence(caught.value)
    assert part in str(caught.value)
    assert files(folder) == before
    assert files(tmp_path) == ["model"]


@pytest.mark.parametrize("folder", ["nowhere", "x" * 5000, "a\0b", "loop/loop"], ids=lambda name: repr(name[:9]))
def test_no_folder(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    with pytest.raises(UserError, match="^There is no checkpoint folder"):
        load_checkpoint(folder)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["unet", "simple", "binary", "multiclass", "none", 1, 2, 3, 255, "../x"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
KEYS = [
    "seg_demo_version",
    "architecture",
    "arguments",
    "arguments.width",
    "arguments.depth",
    "task",
    "num_labels",
    "id2label",
    "id2label.0",
    "id2label.1",
    "label2id",
    "palette",
    "ignore_index",
    "preprocessing",
    "preprocessing.resize",
    "preprocessing.size",
    "preprocessing.mean",
    "preprocessing.std",
    "preprocessing.interpolation",
    "threshold",
    "training",
    "metrics",
]


@pytest.fixture(scope="module")
def scratch(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `tiny_checkpoint` to spoil again and again."""
    return shutil.copytree(tiny_checkpoint, tmp_path_factory.mktemp("scratch") / "model")


def checkpoint_or_sentence(folder: Path) -> None:
    try:
        checkpoint = load_checkpoint(folder)
    except UserError as error:
        check_sentence(error)
        return
    assert logits(checkpoint).shape == (1, 1, 20, 27)
    checkpoint.config.to_json().encode("utf-8")  # What could be read can be written.


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=st.dictionaries(st.sampled_from(KEYS), json_values, min_size=1, max_size=3))
def test_any_config_is_a_checkpoint_or_a_sentence(
    tiny_checkpoint: Path, scratch: Path, changes: dict[str, object]
) -> None:
    document = json.loads((tiny_checkpoint / CONFIG).read_text("utf-8"))
    for path, value in changes.items():
        *tables, last = path.split(".")
        table = document
        for key in tables:
            table = table[key] if isinstance(table.get(key), dict) else table
        table[last] = value
    (scratch / CONFIG).write_text(json.dumps(document))
    shutil.copy(tiny_checkpoint / WEIGHTS, scratch)
    checkpoint_or_sentence(scratch)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_weights_are_a_checkpoint_or_a_sentence(tiny_checkpoint: Path, scratch: Path, data: st.DataObject) -> None:
    """Bytes are changed anywhere, but in the header more often than chance would have it."""
    shutil.copy(tiny_checkpoint / CONFIG, scratch)
    weights = (tiny_checkpoint / WEIGHTS).read_bytes()
    spoiled = bytearray(weights)
    header_size = 8 + struct.unpack("<Q", weights[:8])[0]
    for end in data.draw(st.lists(st.sampled_from([8, header_size, len(weights)]), min_size=1, max_size=6)):
        spoiled[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        spoiled = spoiled[: data.draw(st.integers(0, len(spoiled)))]
    (scratch / WEIGHTS).write_bytes(spoiled)
    checkpoint_or_sentence(scratch)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_one_value_that_is_not_finite_is_found(dtype: torch.dtype, bad: float) -> None:
    values = torch.zeros(7, 11, dtype=dtype)
    assert is_finite(values)
    values[3, 5] = bad
    assert not is_finite(values)


def test_whole_numbers_and_nothing_are_finite() -> None:
    assert is_finite(torch.tensor(7))
    assert is_finite(torch.empty(0, 3))
