"""Repositories and a Hub that mean harm: each ends in one sentence, soon, and leaves nothing behind."""

from __future__ import annotations

import copy
import gzip
import io
import json
import os
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hub_server import HubServer, Request
from hub_server.answers import Answer, as_json
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from seg_demo.checkpoint import read_config
from seg_demo.checkpoint.header import LARGEST_HEADER, read_header
from seg_demo.checkpoint.link import LINK_FILE, Link, read_link
from seg_demo.errors import UserError
from seg_demo.hub import patience
from seg_demo.hub.account import NOBODY, Account, whoami
from seg_demo.hub.client import Client
from seg_demo.hub.pull import pull
from seg_demo.hub.push import push
from seg_demo.hub.remote import list_remote
from seg_demo.hub.sync import diff, status
from seg_demo.hub.transfer import KEPT, alone_with, sweep

REPO = "eve/net"
GB = 10**9
LONGEST_SENTENCE = 1300  # characters; the longest lists the encoders that are known
Files = dict[str, bytes]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE", patience.Patience(5.0, 2, 0.01, 0.01, 0.2))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the victim works: the folder beside it must not change either."""
    folder = tmp_path / "home"
    (folder / "checkpoints").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("mine")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def files(tiny_checkpoint: Path) -> Files:
    """A good checkpoint, for each test to spoil."""
    return {name: (tiny_checkpoint / name).read_bytes() for name in ("config.json", "model.safetensors", "README.md")}


def tree(root: Path) -> dict[str, bytes | str]:
    """Everything below `root`, but for what the server keeps."""
    found: dict[str, bytes | str] = {}
    for folder, names, others in os.walk(root):
        names[:] = [name for name in names if name != "hub-server"]
        for name in (*names, *others):
            path = Path(folder, name)
            link = os.readlink(path) if path.is_symlink() else ""
            found[str(path.relative_to(root))] = link or (path.read_bytes() if path.is_file() else "folder")
    return found


def sentence(error: BaseException) -> str:
    """What is told: one line, that is not too long, of what a terminal and a page show as it is."""
    told = str(error)
    assert isinstance(error, UserError), repr(error)
    assert told.isprintable() and told.endswith((".", "?")) and len(told) < LONGEST_SENTENCE, told
    return told


def refused(root: Path, part: str, repo: str = REPO, seconds: float = 10, **options: Any) -> str:
    """Pull, and see that nothing comes of it but a sentence with `part` in it."""
    before, begin = tree(root), time.monotonic()
    with pytest.raises(UserError) as caught:
        pull(repo, account=NOBODY, **options)
    assert part in sentence(caught.value)
    assert time.monotonic() - begin < seconds
    assert tree(root) == before
    return str(caught.value)


def spoilt(files: Files, **entries: Any) -> Files:
    """The files with some entries of config.json changed; None takes one out."""
    config = {**json.loads(files["config.json"]), **entries}
    config = {name: value for name, value in config.items() if value is not None}
    return {**files, "config.json": json.dumps(config).encode()}


# ---- config.json


def nested(depth: int, begin: str = "[", end: str = "]") -> bytes:
    return (begin * depth + end * depth).encode()


ENTRIES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown architecture": ({"architecture": "os.system"}, "There is no architecture"),
    "architecture is a list": ({"architecture": ["unet"]}, "There is no architecture"),
    "architecture is a path": ({"architecture": "../../etc/passwd"}, "There is no architecture"),
    "architecture is long": ({"architecture": "u" * 100_000}, "There is no architecture"),
    "architecture steers the terminal": ({"architecture": "\x1b[2Junet"}, "There is no architecture"),
    "width out of range": ({"arguments": {"width": 10**9, "depth": 2}}, "must be a whole number"),
    "depth out of range": ({"arguments": {"width": 4, "depth": 10**6}}, "must be a whole number"),
    "width is true": ({"arguments": {"width": True, "depth": 2}}, "must be a whole number"),
    "width below zero": ({"arguments": {"width": -4, "depth": 2}}, "must be a whole number"),
    "unknown argument": ({"arguments": {"width": 4, "depth": 2, "__class__": 1}}, "__class__"),
    "arguments are a list": ({"arguments": [4, 2]}, "must be a JSON object"),
    "larger than its weights": ({"arguments": {"width": 64, "depth": 6}}, "Take config.json and model.safetensors"),
    "another task": ({"task": "multiclass"}, "have the shape"),
    "no task": ({"task": None}, '"task" must be one of'),
    "no version": ({"seg_demo_version": None}, "of no network that is understood"),
    "version is an object": ({"seg_demo_version": {}}, '"seg_demo_version" must be a text'),
    "255 classes": (
        {
            "task": "multiclass", "num_labels": 255, "id2label": {str(i): f"c{i}" for i in range(255)},
            "label2id": {f"c{i}": i for i in range(255)}, "palette": [[1, 2, 3]] * 255,
        },
        "have the shape",
    ),
    "256 classes": ({"task": "multiclass", "num_labels": 256}, '"num_labels" must be a whole number'),
    "classes without names": ({"num_labels": 10**12}, '"num_labels" must be a whole number'),
    "threshold beyond 1": ({"threshold": 1e300}, '"threshold" must be a number'),
    "size of zero": ({"preprocessing": {"size": 0}}, "preprocessing.size"),
    "size of a continent": ({"preprocessing": {"size": 10**7}}, "preprocessing.size"),
    "std of zero": ({"preprocessing": {"std": [0, 0, 0]}}, "preprocessing.std"),
    "training is a text": ({"training": "<script>"}, '"training" must be a JSON object'),
    "metrics are a list": ({"metrics": [1]}, '"metrics" must be a JSON object'),
    "training of a megabyte": ({"training": {"note": "x" * 2**20}}, "at most 1.0 MB are fetched"),
    "training of many layers": ({"training": json.loads(nested(100))[0] and {"a": json.loads(nested(100))}}, "nested"),
}  # fmt: skip


@pytest.mark.parametrize("case", ENTRIES)
def test_a_config_that_asks_for_harm(case: str, hub: HubServer, files: Files, home: Path) -> None:
    entries, part = ENTRIES[case]
    hub.put(REPO, spoilt(files, **entries))
    refused(home.parent, part)
    assert len(hub.asked_for("cdn")) <= 1, "more than the beginning of the weights was asked for"


NAMES = {
    "1e5 characters": ("n" * 100_000, "a text of 1 to 200 characters"),
    "a line break": ("a\nb", "a text of 1 to 200 characters"),
    "a terminal's command": ("\x1b]0;owned\x07", "a text of 1 to 200 characters"),
    "turned around": ("cat\u202egnp.exe", "a text of 1 to 200 characters"),
    "isolated": ("\u2066cat\u2069", "a text of 1 to 200 characters"),
    "half a character": ("\ud800", "is not valid JSON"),
    "nothing": ("   ", "a text of 1 to 200 characters"),
    "a number": (7, "a text of 1 to 200 characters"),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_name_of_a_class_that_is_none(case: str, hub: HubServer, files: Files, home: Path) -> None:
    name, part = NAMES[case]
    hub.put(REPO, spoilt(files, id2label={"0": "background", "1": name}))
    refused(home.parent, part)


def test_a_name_of_a_class_may_look_like_a_tag_and_stays_a_text(hub: HubServer, files: Files, home: Path) -> None:
    name = "<img src=x onerror=alert(1)>|`${1}`{{x}}"
    labels = {"id2label": {"0": "background", "1": name}, "label2id": {"background": 0, name: 1}}
    hub.put(REPO, spoilt({**files, "README.md": b"x" * 2 * 10**6}, **labels))  # so that the card is made here
    folder = pull(REPO, account=NOBODY).folder
    assert read_config(folder).classes.names[1] == name
    card = (folder / "README.md").read_text("utf-8")
    assert "<img" not in card and "img src" in card


def raw(*pairs: tuple[str, str]) -> Callable[[Files], bytes]:
    """config.json with some text of it replaced."""

    def change(files: Files) -> bytes:
        text = files["config.json"].decode()
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new, 1)
        return text.encode()

    return change


THRESHOLD = '"threshold": 0.5'
DOCUMENTS: dict[str, tuple[bytes | Callable[[Files], bytes], str]] = {
    "empty": (b"", "is not a JSON object"),
    "no object": (b"[1, 2]", "is not a JSON object"),
    "a page": (b"<!DOCTYPE html><html></html>", "is not a JSON object"),
    "not UTF-8": (b'{"seg_demo_version": "\xff\xfe"}', "is not a JSON object"),
    "a byte order mark": (lambda files: b"\xef\xbb\xbf" + files["config.json"], "is not a JSON object"),
    "UTF-16": (lambda files: files["config.json"].decode().encode("utf-16"), "is not a JSON object"),
    "nested lists": (nested(100_000), "is not a JSON object"),
    "nested objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "is not a JSON object"),
    "not a number": (raw((THRESHOLD, '"threshold": NaN')), "is not a JSON object"),
    "infinity": (raw((THRESHOLD, '"threshold": -Infinity')), "is not a JSON object"),
    "beyond a float": (raw((THRESHOLD, '"threshold": 1e999')), "is not valid JSON"),
    "a number of 100,000 digits": (raw((THRESHOLD, '"threshold": ' + "9" * 100_000)), "is not a JSON object"),
    "a number of 4,000 digits": (raw((THRESHOLD, '"threshold": ' + "9" * 4_000)), "is not valid JSON"),
    "many small lists": (b'{"seg_demo_version": "1", "a": [' + b"[]," * 100_000 + b"1]}", "There is no architecture"),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_config_that_is_no_config(case: str, hub: HubServer, files: Files, home: Path) -> None:
    content, part = DOCUMENTS[case]
    hub.put(REPO, {**files, "config.json": content(files) if callable(content) else content})
    refused(home.parent, part)


def test_the_last_of_two_entries_counts_everywhere(hub: HubServer, files: Files, home: Path) -> None:
    content = raw((THRESHOLD, '"threshold": 0.25, "threshold": 0.75'))(files)
    hub.put(REPO, {**files, "config.json": content})
    assert read_config(pull(REPO, account=NOBODY).folder).threshold == 0.75


def test_training_and_metrics_may_say_anything_and_can_be_pushed_again(
    hub: HubServer, files: Files, home: Path
) -> None:
    strange = {
        "about": "<script>alert(1)</script>\n---\nlicense: mit\n",
        "epochs": ["a"] * 1000, "base": {"a": {"b": {"c": "x" * 50_000}}}, "seed": 2**63, "": None,
    }  # fmt: skip
    metrics = {"val": {"mean_iou": "<b>1</b>", "": [1e308] * 5000}, "x" * 5000: 3, "classes": {"__proto__": {}}}
    hub.put(REPO, spoilt(files, training=strange, metrics=metrics))
    folder = pull(REPO, account=NOBODY).folder
    pushed = push(folder, "alice/again", account=Account(hub.token("alice")))
    card = hub.files("alice/again", pushed.commit)["README.md"].decode()
    assert "<script>" not in card and card.count("\n---\n") == 1 and len(card) < 100_000
    assert hub.files("alice/again")["config.json"] == hub.files(REPO)["config.json"]


# ---- the header of the weights

SMALL = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


def with_header(header: bytes | dict[str, Any], body: int = 8) -> bytes:
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(content)) + content + bytes(body)


def entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


NO_FILE, DAMAGED, GAPS, SIZE = "no safetensors file.", "header is damaged", "gaps between", "header promises"
HEADERS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", NO_FILE),
    "seven bytes": (b"\0" * 7, NO_FILE),
    "no header": (b"\0" * 8, NO_FILE),
    "2^63 bytes": (struct.pack("<Q", 1 << 63) + b"{}", NO_FILE),
    "2^64 - 1 bytes": (b"\xff" * 8 + b"{}", NO_FILE),
    "longer than the file": (struct.pack("<Q", 1000) + b"{}" + b" " * 500, NO_FILE),
    "longer than any": (struct.pack("<Q", LARGEST_HEADER + 1) + b" " * (LARGEST_HEADER + 1), NO_FILE),
    "a pickle by another name": (b"\x80\x04cos\nsystem\n(S'touch owned'\ntR.", NO_FILE),
    "a zip by another name": (b"PK\x03\x04" + b"\0" * 200, NO_FILE),
    "no JSON": (with_header(b"{nonsense}"), DAMAGED),
    "not UTF-8": (with_header(b'{"\xff": 1}'), DAMAGED),
    "a list": (with_header(b"[1]"), DAMAGED),
    "nested": (with_header(b'{"a":' + nested(100_000) + b"}"), DAMAGED),
    "many small lists": (with_header(b'{"a":[' + b"[]," * 340_000 + b"1]}"), DAMAGED),
    "too many tensors": (
        with_header({f"t{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(11_000)}, 0),
        DAMAGED,
    ),
    "the same tensor twice": (with_header(f'{{"a": {json.dumps(SMALL["a"])}, '.encode() * 2 + b'"b": 1}'), DAMAGED),
    "the same place named twice": (
        with_header(b'{"a": {"dtype": "F32", "dtype": "U8", "shape": [8], "data_offsets": [0, 8]}}'), DAMAGED,
    ),
    "a shape as the memory is": (with_header(entry(shape=[1 << 40, 1 << 20])), DAMAGED),
    "a huge shape that fits its places": (with_header(entry(shape=[1 << 40], offsets=[0, 4 << 40])), SIZE),
    "a huge shape without a value": (
        with_header({**SMALL, "z": {"dtype": "F32", "shape": [0, 1 << 61], "data_offsets": [8, 8]}}), "lacks the",
    ),
    "a number of 4,300 digits": (
        with_header(b'{"a":{"dtype":"U8","shape":[%b],"data_offsets":[0,%b]}}' % ((b"9" * 4300,) * 2)), DAMAGED,
    ),
    "a shape below zero": (with_header(entry(shape=[-2])), DAMAGED),
    "places below zero": (with_header(entry(offsets=[-8, 0])), DAMAGED),
    "places the wrong way round": (with_header(entry(offsets=[8, 0])), DAMAGED),
    "a shape of texts": (with_header(entry(shape="22")), DAMAGED),
    "a shape of truths": (with_header(entry(shape=[True, 2])), DAMAGED),
    "a shape of halves": (with_header(entry(shape=[2.0])), DAMAGED),
    "a shape of 1,000 dimensions": (with_header(entry(shape=[1] * 999 + [2])), DAMAGED),
    "three places": (with_header(entry(offsets=[0, 4, 8])), DAMAGED),
    "a dtype that is none": (with_header(entry(dtype="__import__")), "which is not known"),
    "a dtype that is a list": (with_header(entry(dtype=["F32"])), DAMAGED),
    "no places": (with_header({"a": {"dtype": "F32", "shape": [2]}}), DAMAGED),
    "metadata that is no table": (with_header({**SMALL, "__metadata__": [1]}), DAMAGED),
    "metadata of objects": (with_header({**SMALL, "__metadata__": {"a": {"b": "c"}}}), DAMAGED),
    "overlapping": (with_header({**SMALL, "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}, 12), GAPS),
    "twice the same place": (with_header({**SMALL, "b": SMALL["a"]}), GAPS),
    "with a gap": (with_header({**SMALL, "b": {"dtype": "F32", "shape": [1], "data_offsets": [12, 16]}}, 16), GAPS),
    "with something behind": (with_header(SMALL, 5000), SIZE),
    "cut off": (with_header(SMALL, 4), SIZE),
    "infinity": (with_header(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,Infinity]}}'), DAMAGED),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADERS)
def test_a_header_that_lies(case: str, hub: HubServer, files: Files, home: Path) -> None:
    content, part = HEADERS[case]
    hub.put(REPO, {**files, "model.safetensors": content})
    refused(home.parent, part)


def test_a_header_takes_little_memory() -> None:
    worst = b'{"a":[' + b"[]," * ((LARGEST_HEADER - 10) // 3) + b"1]}"
    tracemalloc.start()
    with pytest.raises(UserError, match="header is damaged"):
        read_header(worst, len(worst) + 8, "x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
                    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part, max_size=3),
                    max_leaves=8), st.data())  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_a_header_with_anything_anywhere(value: Any, data: st.DataObject) -> None:
    """Each entry of a good header in turn becomes something else; nothing but a sentence comes of it."""
    header: dict[str, Any] = {**copy.deepcopy(SMALL), "__metadata__": {"format": "pt"}}
    where = data.draw(st.sampled_from([(), ("a",), ("a", "dtype"), ("a", "shape"), ("a", "data_offsets"),
                                       ("a", "shape", 0), ("a", "data_offsets", 1), ("__metadata__",)]))  # fmt: skip
    if not where:
        header = value
    else:
        inner: Any = header
        for step in where[:-1]:
            inner = inner[step]
        inner[where[-1]] = value
    content = json.dumps(header).encode()
    try:
        found = read_header(content, 8 + len(content) + 8, "x")
    except UserError as error:
        sentence(error)
    else:
        assert found == {"a": (found["a"][0], found["a"][1])}


# ---- the weights


def changed_arrays(files: Files, change: Callable[[dict[str, np.ndarray]], object]) -> bytes:
    arrays = dict(load_arrays(files["model.safetensors"]))
    change(arrays)
    return save_arrays(arrays, {"format": "pt"})


def _first(arrays: dict[str, np.ndarray]) -> str:
    return next(name for name, array in arrays.items() if array.ndim == 4)


def _poison(value: float) -> Callable[[dict[str, np.ndarray]], object]:
    def change(arrays: dict[str, np.ndarray]) -> None:
        name = _first(arrays)
        arrays[name] = arrays[name].copy()
        arrays[name].flat[-1] = value

    return change


def _retyped(dtype: str) -> Callable[[dict[str, np.ndarray]], object]:
    return lambda arrays: arrays.update({_first(arrays): arrays[_first(arrays)].astype(dtype)})


ARRAYS: dict[str, tuple[Callable[[dict[str, np.ndarray]], object], str]] = {
    "not a number": (_poison(np.nan), "not finite"),
    "infinity": (_poison(np.inf), "not finite"),
    "minus infinity": (_poison(-np.inf), "not finite"),
    "half as wide": (_retyped("float16"), "are stored as F16"),
    "twice as wide": (_retyped("float64"), "are stored as F64"),
    "whole numbers": (_retyped("int32"), "are stored as I32"),
    "one less": (lambda arrays: arrays.pop(_first(arrays)), "lacks the weights"),
    "one more": (lambda arrays: arrays.update(extra=np.zeros(3, "float32")), "holds the weights"),
    "a name of 100,000 letters": (lambda arrays: arrays.update({"n" * 10**5: np.zeros(3, "float32")}), "holds the"),
    "a name that steers the terminal": (lambda arrays: arrays.update({"\x1b[2J": np.zeros(3, "float32")}), "holds the"),
    "another shape": (lambda arrays: arrays.update({_first(arrays): np.zeros((1, 1), "float32")}), "have the shape"),
    "none at all": (lambda arrays: arrays.clear(), "lacks the weights"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_weights_that_do_not_fit(case: str, hub: HubServer, files: Files, home: Path) -> None:
    change, part = ARRAYS[case]
    hub.put(REPO, {**files, "model.safetensors": changed_arrays(files, change)})
    refused(home.parent, part)


PICKLE = b"\x80\x04cos\nsystem\n(S'touch owned'\ntR."
PICKLES = {
    "pytorch_model.bin": "model.safetensors", "model.pt": "model.safetensors", "MODEL.SAFETENSORS": "model.safetensors",
    "model.safetensors.index.json": "in several files",
}  # fmt: skip


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_is_no_model(name: str, hub: HubServer, files: Files, home: Path) -> None:
    del files["model.safetensors"]
    hub.put(REPO, {**files, name: PICKLE})
    refused(home.parent, PICKLES[name])
    assert {request.file for request in hub.asked_for("resolve")} <= {"config.json"}


@pytest.mark.parametrize("end", [".bin", ".pt", ".safetensors"])
def test_a_name_does_not_get_into_the_command_that_is_suggested(
    end: str, hub: HubServer, files: Files, home: Path
) -> None:
    """Whoever copies the command for converting a pickle must not run a part of its name."""
    del files["model.safetensors"]
    names = [
        f"a');__import__('os').system('touch owned')#{end}",
        f'"; rm -rf ~; "{end}',
        f"$(id){end}",
        f"\x1b[2J{end}",
    ]
    for name in (*names, "n" * 5000 + end):
        hub.put(f"eve/{len(hub.store.repos)}", {**files, name: PICKLE})
        told = refused(home.parent, "model.safetensors", repo=f"eve/{len(hub.store.repos) - 1}")
        assert name not in told and "torch.load" not in told


SLOW = ("a million layers",)  # which are begun before there are too many
FOREIGN: dict[str, tuple[dict[str, Any], str]] = {
    "code from the repository": (
        {"model_type": "evil", "auto_map": {"AutoModel": "modeling_net.Net"}, "trust_remote_code": True}, "evil",
    ),
    "a type that is a path": ({"model_type": "../../etc"}, "There is no"),
    "no type that is known": ({"model_type": "gpt2"}, "There is no"),
    "a width of a continent": ({"model_type": "segformer", "hidden_sizes": [10**9] * 4}, ""),
    "a million layers": ({"model_type": "segformer", "depths": [10**6] * 4}, ""),
    "a billion classes": ({"model_type": "segformer", "num_labels": 10**9}, ""),
    "classes of another form": ({"model_type": "segformer", "id2label": [[1]]}, ""),
    "a width that is a text": ({"model_type": "segformer", "hidden_sizes": "wide"}, ""),
    "a width below zero": ({"model_type": "segformer", "hidden_sizes": [-1, -2, -3, -4]}, ""),
    "a backbone elsewhere": ({"model_type": "upernet", "backbone": "eve/backbone"}, ""),
    "a backbone of code": ({"model_type": "upernet", "backbone": "evil", "use_timm_backbone": True}, ""),
    "kernels elsewhere": ({"model_type": "segformer", "hidden_act": "os.system"}, ""),
    "smp: no class": ({"_model_class": "os.system"}, "There is no"),
    "smp: an encoder elsewhere": ({"_model_class": "Unet", "encoder_name": "tu-hf-hub:eve/encoder"}, "There is no"),
    "smp: an encoder that is a path": ({"_model_class": "Unet", "encoder_name": "../../x"}, "There is no"),
    "smp: an encoder that is a list": ({"_model_class": "Unet", "encoder_name": ["resnet18"]}, "There is no"),
    "smp: decoders of a continent": (
        {"_model_class": "Unet", "encoder_name": "resnet18", "decoder_channels": [10**8] * 5}, "",
    ),
    "smp: a depth of a million": ({"_model_class": "Unet", "encoder_name": "resnet18", "encoder_depth": 10**6}, ""),
    "smp: a billion classes": ({"_model_class": "Unet", "encoder_name": "resnet18", "classes": 10**9}, ""),
    "smp: arguments of another form": (
        {"_model_class": "Unet", "encoder_name": "resnet18", "decoder_channels": {"a": 1}, "decoder_use_norm": []}, "",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "case", [pytest.param(each, marks=pytest.mark.slow) if each in SLOW else each for each in FOREIGN]
)
def test_a_config_of_another_library_that_means_harm(case: str, hub: HubServer, files: Files, home: Path) -> None:
    entries, part = FOREIGN[case]
    hub.put("eve/backbone", files)
    hub.put(REPO, {**files, "config.json": json.dumps(entries).encode(), "modeling_net.py": b"open('owned', 'w')"})
    refused(home.parent, part, seconds=90)  # the libraries are imported once
    assert {request.file for request in hub.asked_for("resolve")} <= {"config.json", "model.safetensors"}
    assert {request.repo for request in hub.requests} == {REPO}
    assert not (home / "owned").exists()


# ---- files that nobody asked for

STRANGE = [
    "evil.py", "modeling_net.py", ".env", ".git/config", ".git/hooks/pre-commit", ".hub.json", ".gitattributes", "CON",
    "nul.png", "a\nb.txt", "\x1b[2J", "samples/../../secret.txt", "../secret.txt", "../../secret.txt", "/etc/passwd",
    "..\\..\\secret.txt", "C:\\secret.txt", "samples\\x.png", "a//b", "./c", "samples/.hidden.png", "samples/x.svg",
    "samples/sub/x.png", "config.json/x", "Config.json", "ＲＥＡＤＭＥ.md", "readme.MD", "pytorch_model.bin",
    "optimizer.pt", "samples/con.png", "samples/COM1.jpg", "samples/" + "n" * 5000 + ".png", "\u202egnp.exe",
    "samples/e\u0301.png", "samples/\u00e9.png", "nul\0l",
]  # fmt: skip


def test_files_that_nobody_asked_for_do_not_come(hub: HubServer, files: Files, home: Path) -> None:
    hub.put(REPO, {**dict.fromkeys(STRANGE, b"#!harm\n" * 3), **files})
    pulled = pull(REPO, account=NOBODY)
    found = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    assert found == {f"checkpoints/net/{name}" for name in (*files, LINK_FILE)}
    assert (home.parent / "secret.txt").read_text() == "mine"
    assert {request.file for request in hub.asked_for("resolve")} == set(files)
    link = read_link(pulled.folder)
    assert link is not None and set(link.remote) == set(files)


def test_ten_thousand_files_are_too_many_and_fewer_are_no_burden(hub: HubServer, files: Files, home: Path) -> None:
    hub.put(REPO, files)

    def with_more(count: int, letters: int = 5) -> Callable[[Request, Answer], Answer]:
        more = [
            {"rfilename": f"{number:0{letters}}.txt", "size": 1, "blobId": "a" * 40} for number in range(count)
        ]  # fmt: skip
        return edited(lambda document: document["siblings"].extend(more))

    hub.twist = with_more(9_000)
    assert pull(REPO, account=NOBODY, out=Path("checkpoints/few")).changed
    hub.twist = with_more(10_001)
    refused(home.parent, "more than 10000 files")
    hub.twist = with_more(9_000, letters=2_000)
    refused(home.parent, "its answer is too long")


def picture(width: int, height: int, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(out, kind)
    return out.getvalue()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb() -> bytes:
    """A PNG of 30,000 x 30,000 pixels in little more than 100 kB, cut off."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", zlib.compress(bytes(10**8), 9)) + _chunk(b"IEND", b"")


PICTURES: dict[str, tuple[bytes, bool]] = {
    "good.png": (picture(64, 48), True),
    "good.jpg": (picture(64, 48, "JPEG"), True),
    "bomb.png": (bomb(), False),
    "page.png": (b"<html><script>alert(1)</script></html>", False),
    "vector.png": (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', False),
    "program.jpg": (b"\x7fELF" + bytes(100), False),
    "moving.png": (picture(8, 8, "GIF"), False),
    "empty.jpg": (b"", False),
    "half.png": (picture(640, 480)[:200], False),
    "large.jpg": (picture(3000, 3000, "JPEG"), False),
}


@pytest.mark.parametrize("case", PICTURES)
def test_only_pictures_are_taken_for_pictures(case: str, hub: HubServer, files: Files, home: Path) -> None:
    content, kept = PICTURES[case]
    hub.put(REPO, {**files, f"samples/{case}": content})
    folder = pull(REPO, account=NOBODY).folder
    assert (folder / "samples").exists() == kept
    assert not kept or (folder / "samples" / case).read_bytes() == content


CARDS = {
    "a YAML bomb": b"---\na: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b]\n---\n",
    "a tag that runs code": b"---\na: !!python/object/apply:os.system ['touch owned']\n---\n",
    "a page": b"<script>alert(1)</script><iframe src='https://evil.example'></iframe>",
    "not UTF-8": b"\xff\xfe\x00",
    "the client's own words": b"---\nself: 1\nignore_metadata_errors: false\nmodel-index: 7\n---\n",
}


@pytest.mark.parametrize("case", CARDS)
def test_a_card_is_a_text_that_nobody_reads(case: str, hub: HubServer, files: Files, home: Path) -> None:
    """It is kept as it is; where it breaks the client itself, that is told."""
    hub.put(REPO, {**files, "README.md": CARDS[case]})
    if case == "the client's own words":
        refused(home.parent, "is not understood")
    else:
        assert (pull(REPO, account=NOBODY).folder / "README.md").read_bytes() == CARDS[case]
    assert not list(home.parent.rglob("owned"))


def test_a_card_of_100_mb_is_left_there(hub: HubServer, files: Files, home: Path) -> None:
    hub.put(REPO, files)
    hub.announce(REPO, "README.md", 10**8)
    card = (pull(REPO, account=NOBODY).folder / "README.md").read_text("utf-8")
    assert card != files["README.md"].decode() and "# net" in card  # ours
    assert {request.file for request in hub.asked_for("resolve")} == {"config.json", "model.safetensors"}


LINES = {
    "a heading": "# " + "#" * 20_000 + "x", "a table": "a|b\n|" + "-" * 20_000 + "x", "a rule": "- " * 10_000 + "x",
    "spaces": "#" + " " * 20_000 + "x", "an item": "-" + " " * 20_000 + "x", "brackets": "[" * 20_000,
    "stars": "*a" * 10_000, "ticks": "`" * 20_000, "links": "[a](" * 5_000, "pictures": "![" * 10_000,
    "cells": "|" * 20_000 + "\n" + "|-" * 10_000, "lines": "\n#" * 20_000, "items": "- a\n" * 10_000,
}  # fmt: skip


@pytest.mark.parametrize("case", LINES)
def test_a_card_that_would_take_long_to_read_does_not(case: str) -> None:
    from seg_demo.ui.checkpoints.markdown import rendered

    begin = time.monotonic()
    rendered(LINES[case])
    assert time.monotonic() - begin < 3


# ---- sizes, each of which lies on its own


def test_a_claim_of_50_gb_is_refused_before_anything_is_fetched(hub: HubServer, files: Files, home: Path) -> None:
    hub.put(REPO, files)
    hub.announce(REPO, "model.safetensors", 50 * GB)
    refused(home.parent, "has 50,000.0 MB, and at most 8,000.0 MB")
    hub.announce(REPO, "config.json", 50 * GB)
    refused(home.parent, "at most 1.0 MB")
    assert not hub.asked_for("cdn")


@pytest.mark.parametrize("size", [-1, 1 << 70, "x", 1.5, None, [1], 1e400])
def test_a_size_that_is_none(size: Any, hub: HubServer, files: Files, home: Path) -> None:
    hub.put(REPO, files)
    hub.twist = edited(lambda document: _weights(document)["lfs"].update(size=size))
    refused(home.parent, "")


@pytest.mark.parametrize("by", [-100, -1, 1, 100])
def test_a_size_that_is_another_one(by: int, hub: HubServer, files: Files, home: Path) -> None:
    hub.put(REPO, files)
    hub.announce(REPO, "model.safetensors", len(files["model.safetensors"]) + by)
    refused(home.parent, "")
    hub.announce(REPO, "config.json", len(files["config.json"]) + by)
    refused(home.parent, "")


def test_a_content_length_of_50_gb(hub: HubServer, files: Files, home: Path) -> None:
    hub.put(REPO, files)

    def twist(request: Request, answer: Answer) -> Answer:
        if request.endpoint in ("resolve", "cdn") and answer.status in (200, 206):
            answer.headers["Content-Length"] = str(50 * GB)
        return answer

    hub.twist = twist
    refused(home.parent, "", seconds=30)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "README.md"])
def test_a_body_that_does_not_end(file: str, hub: HubServer, files: Files, home: Path) -> None:
    """64 MiB come after the end of a file, which is not read."""
    hub.put(REPO, files)
    hub.fail("cdn" if file == "model.safetensors" else "resolve", "too much", times=None, file=file)
    tracemalloc.start()
    try:
        pull(REPO, account=NOBODY)
    except UserError as error:
        sentence(error)
        assert not (home / "checkpoints/net").exists()
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_bytes_that_are_others(file: str, hub: HubServer, files: Files, home: Path) -> None:
    hub.put(REPO, files)
    hub.corrupt(REPO, file)
    refused(home.parent, "arrived damaged" if file == "model.safetensors" else "")


def test_what_unpacks_is_not_unpacked(hub: HubServer, files: Files, home: Path) -> None:
    """An answer of 1 MB that would become 1 GB."""
    hub.put(REPO, files)
    packed = gzip.compress(bytes(10**8), 9)

    def twist(request: Request, answer: Answer) -> Answer:
        if request.endpoint == where:
            return Answer(200, packed, {"Content-Encoding": "gzip"})
        return answer

    hub.twist = twist
    for where in ("info", "resolve", "cdn"):
        tracemalloc.start()
        refused(home.parent, "", seconds=30)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20, where
        tracemalloc.stop()


def test_an_answer_of_a_gigabyte_is_not_read(hub: HubServer, files: Files, home: Path) -> None:
    hub.put(REPO, files)
    hub.fail("info", "too much", times=None)
    tracemalloc.start()
    refused(home.parent, "its answer is too long", seconds=30)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


# ---- a repository that changes, and a Hub that lies


def test_what_was_looked_at_is_what_is_fetched(hub: HubServer, files: Files, home: Path) -> None:
    """Another checkpoint is pushed at each moment of the pull: the files of one commit arrive."""
    first = hub.put(REPO, files)
    evil = spoilt({**files, "README.md": b"evil"}, threshold=0.9)

    def twist(request: Request, answer: Answer) -> Answer:
        if request.endpoint in ("info", "resolve"):
            hub.put(REPO, {**evil, "README.md": os.urandom(4)})
        return answer

    hub.twist = twist
    pulled = pull(REPO, account=NOBODY)
    assert pulled.commit == first
    for name, content in files.items():
        assert (pulled.folder / name).read_bytes() == content
    assert {request.groups["rev"] for request in hub.asked_for("resolve")} == {first}


def test_another_commit_in_the_answer_is_not_believed(hub: HubServer, files: Files, home: Path) -> None:
    first = hub.put(REPO, files)

    def twist(request: Request, answer: Answer) -> Answer:
        if "X-Repo-Commit" in answer.headers:
            answer.headers["X-Repo-Commit"] = "../../evil"
        return answer

    hub.twist = twist
    pulled = pull(REPO, account=NOBODY)
    link = read_link(pulled.folder)
    assert link is not None and pulled.commit == link.commit == first


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[Request, Answer], Answer]:
    """The answer about the repository, with something else in it."""

    def twist(request: Request, answer: Answer) -> Answer:
        if request.endpoint != "info" or answer.status != 200:
            return answer
        document = json.loads(answer.body)  # type: ignore[arg-type]
        return as_json(document if (changed := change(document)) is None else changed)

    return twist


def _weights(document: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in document["siblings"] if each["rfilename"] == "model.safetensors")


ANSWERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a hash that is a path": lambda document: _weights(document)["lfs"].update(sha256="../../../evil"),
    "a hash that is empty": lambda document: _weights(document)["lfs"].update(sha256=""),
    "a hash of another kind": lambda document: _weights(document)["lfs"].update(sha256="A" * 64),
    "no hash": lambda document: _weights(document)["lfs"].pop("sha256"),
    "a git id that is a path": lambda document: [each.update(blobId="../x") for each in document["siblings"]] and None,
    "files that are a text": lambda document: document.update(siblings="model.safetensors"),
    "files that are numbers": lambda document: document.update(siblings=[1, 2]),
    "files without names": lambda document: document.update(siblings=[{}]),
    "a name that is a number": lambda document: _weights(document).update(rfilename=7),
    "large files that are a text": lambda document: _weights(document).update(lfs="x"),
    "a commit that is a path": lambda document: document.update(sha="../../../evil"),
    "a commit that is a number": lambda document: document.update(sha=7),
    "no commit": lambda document: document.update(sha=None),
    "likes that are a text": lambda document: document.update(likes="many"),
    "downloads that are a list": lambda document: document.update(downloads=[1]),
    "a day that is none": lambda document: document.update(lastModified="yesterday"),
    "a card that is the client's": lambda document: document.update(cardData={"self": 1}),
    "a list": lambda document: [document],
    "a text": lambda document: "evil",
    "a number": lambda document: 7,
    "an empty object": lambda document: {},
}


@pytest.mark.parametrize("case", ANSWERS)
def test_answers_of_another_form(case: str, hub: HubServer, files: Files, home: Path) -> None:
    hub.put(REPO, files)
    hub.twist = edited(ANSWERS[case])
    refused(home.parent, "")


@pytest.mark.parametrize(
    "body", [b"null", b"[]", b'"x"', b"7", b"{}", nested(50_000), b"\xff", b'{"name": ' + b"9" * 9**5]
)
def test_an_account_of_another_form(body: bytes, hub: HubServer) -> None:
    hub.twist = lambda request, answer: Answer(200, body)
    account = Account(hub.token("alice"))
    for ask in (lambda: whoami(account), lambda: list_remote(Client(account)), lambda: status([], account, owner="x")):
        try:
            ask()
        except UserError as error:
            sentence(error)


def test_one_bad_repository_does_not_hide_the_others(hub: HubServer, files: Files) -> None:
    card = b"---\nlibrary_name: seg_demo\n---\n"
    for repo in ("eve/bad", "eve/net"):
        hub.put(repo, {**files, "README.md": card})

    def twist(request: Request, answer: Answer) -> Answer:
        if request.endpoint != "list":
            return answer
        document = json.loads(answer.body)  # type: ignore[arg-type]
        odd = [{**document[0], "id": name} for name in ("../x", "a/b\x1b[2J", "<b>/x", "a/" + "b" * 10**4)]
        bad = [{**each, "downloads": "many"} if each["id"] == "eve/bad" else each for each in document]
        return as_json([*odd, *bad])

    hub.twist = twist
    assert [found.repo for found in list_remote(Client(NOBODY))] == ["eve/net"]


# ---- redirects


def test_the_token_stays_with_the_hub(hub: HubServer, files: Files, home: Path, tmp_path: Path) -> None:
    """Large files lie elsewhere, and whoever is there gets no token; neither does one whom the Hub sends us to."""
    hub.put(REPO, files, private=True, user="alice")
    hub.put("alice/net", files, private=True)
    account = Account(hub.token("alice"))
    with HubServer(tmp_path / "hub-server" / "other") as other:
        other.twist = lambda request, answer: Answer(200, files[request.path.rpartition("/")[2]])

        def twist(request: Request, answer: Answer) -> Answer:
            if request.endpoint in ("resolve", "cdn") and "model.safetensors" not in request.path:
                return Answer(302, b"", {"Location": f"{other.url}/{request.file}"})
            return answer

        hub.twist = twist
        pull("alice/net", account=account)
        assert other.requests and other.tokens_seen == {None}
        assert all("authorization" not in request.headers for request in other.requests)
    cdn = hub.asked_for("cdn")
    assert cdn and all(request.token is None and "authorization" not in request.headers for request in cdn)


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("file:///etc/passwd", "is not the Hub"),
        ("ftp://127.0.0.1/x", "is not the Hub"),
        ("gopher://127.0.0.1:6379/x", "is not the Hub"),
        ("http://127.0.0.1:1/x", "cannot be reached"),
        ("http://[::1/x", ""),
        ("//", ""),
        ("", ""),
    ],
)
@pytest.mark.parametrize("endpoint", ["info", "resolve"])
def test_redirects_to_where_nobody_goes(
    endpoint: str, target: str, part: str, hub: HubServer, files: Files, home: Path
) -> None:
    hub.put(REPO, files)
    hub.twist = lambda request, answer: (
        Answer(302, b"", {"Location": target}) if request.endpoint == endpoint else answer
    )
    refused(home.parent, part)


def test_redirects_in_a_circle(hub: HubServer, files: Files, home: Path) -> None:
    hub.put(REPO, files)
    hub.twist = lambda request, answer: (
        Answer(302, b"", {"Location": f"{hub.url}{request.path}"}) if request.endpoint == "resolve" else answer
    )
    refused(home.parent, "")


# ---- names


BAD_REPOS = [
    "", " ", "net", "/", "eve/", "/net", "eve//net", "eve/net/x", "../net", "eve/..", "eve/.git", "eve/net.git",
    "./net", "eve/-net", "eve/net-", "eve/a--b", "eve/a..b", "eve\\net", "eve/ne t", "eve/net\n", "eve/net\0",
    "eve/net@", "eve/net@../main", "eve/net@a/../b", "eve/net@-x", "eve/net@a b", "eve/net@" + "a" * 1000,
    "eve/" + "n" * 97, "eve/" + "n" * 10**6, "eve/%2e%2e", "eve/net?x=1", "eve/net#x", "https://evil.example/eve/net",
    "https://huggingface.co.evil.example/eve/net", "https://user@huggingface.co/eve/net", "file:///etc/passwd",
    "ｅve/net", "eve/né", "eve/net\u202e", "eve/a_" + "a_" * 45 + "!", "eve/" + "a_" * 45, "a_" * 47 + "/b",
]  # fmt: skip


@pytest.mark.parametrize("repo", BAD_REPOS, ids=lambda repo: ascii(repo)[:40])
def test_a_name_that_is_no_repository(repo: str, hub: HubServer, home: Path) -> None:
    if repo.strip() != "eve/net":  # what is around it does not count
        refused(home.parent, "is not", repo=repo, seconds=2)
        assert not hub.requests


@pytest.mark.parametrize("name", ["con", "NUL", "com1", "aux.x"])
def test_a_repository_called_like_a_device_gets_a_plain_name(
    name: str, hub: HubServer, files: Files, home: Path
) -> None:
    hub.put(f"eve/{name}", files)
    assert pull(f"eve/{name}", account=NOBODY).folder == Path("checkpoints/checkpoint")


def test_a_place_that_is_a_file_or_leads_elsewhere_is_left_as_it_is(
    hub: HubServer, files: Files, home: Path, tiny_checkpoint: Path
) -> None:
    hub.put(REPO, files)
    place, elsewhere = home / "checkpoints/net", home.parent / "elsewhere"
    place.write_text("a file")
    refused(home.parent, "is no checkpoint", replace=True)
    place.unlink()
    elsewhere.mkdir()
    for name, content in files.items():
        (elsewhere / name).write_bytes(content)
    for target in (elsewhere, home.parent / "nowhere"):
        place.symlink_to(target)
        refused(home.parent, "is a link to another place", replace=True)
        place.unlink()
    place.mkdir()
    (place / "thesis.docx").write_text("years of work")
    refused(home.parent, "is no checkpoint", replace=True)
    (place / "config.json").write_bytes(spoilt(files, threshold=0.1)["config.json"])
    refused(home.parent, "besides a checkpoint", replace=True)
    (place / "thesis.docx").unlink()
    refused(home.parent, "There is another checkpoint")


# ---- the link of a checkpoint, which an archive or another program may have written

GOOD = Link("eve/net", "a" * 40, "seg_demo", "pulled", 1.0, {"config.json": "b" * 64}, {"config.json": "c" * 40})
LINKS: dict[str, Any] = {
    "a list": [], "nothing": None, "nested": json.loads(nested(500)), "more": {**vars(GOOD), "x": 1},
    "less": {"repo": "eve/net"}, "a hash that is a path": {**vars(GOOD), "local": {"config.json": "../x"}},
    "a file elsewhere": {**vars(GOOD), "local": {"../../secret.txt": "b" * 64}},
    "a file at the top": {**vars(GOOD), "local": {"/etc/passwd": "b" * 64}},
    "a file on another drive": {**vars(GOOD), "local": {"C:x": "b" * 64}},
    "files that are a list": {**vars(GOOD), "local": ["b" * 64]},
    "a commit that is a branch": {**vars(GOOD), "commit": "main"},
    "a time beyond all": {**vars(GOOD), "when": 1e300}, "a time that is none": {**vars(GOOD), "when": float("nan")},
    "a time of 4,000 digits": {**vars(GOOD), "when": 10**3999}, "a time before all": {**vars(GOOD), "when": -1.0},
    "another action": {**vars(GOOD), "action": "deleted"},
}  # fmt: skip


@pytest.mark.parametrize("case", LINKS)
def test_a_link_that_lies_is_none(case: str, tmp_path: Path) -> None:
    (tmp_path / LINK_FILE).write_text(json.dumps(vars(GOOD)), "utf-8")
    assert read_link(tmp_path) == GOOD
    (tmp_path / LINK_FILE).write_text(json.dumps(LINKS[case]), "utf-8")
    assert read_link(tmp_path) is None


@pytest.mark.parametrize("repo", ["../../x", "evil", "eve/net@main", "https://evil.example/x/y", "\x1b[2J/x"])
def test_a_link_to_no_repository_is_told(repo: str, hub: HubServer, files: Files, home: Path) -> None:
    folder = home / "checkpoints/net"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / LINK_FILE).write_text(json.dumps(vars(replace(GOOD, repo=repo))), "utf-8")
    (row,) = status([folder], NOBODY)
    assert row.problem is not None and row.state in ("unknown", "local only")
    with pytest.raises(UserError) as caught:
        diff(folder, account=NOBODY)
    sentence(caught.value)
    assert not {request.host for request in hub.requests} - {"hub"}


# ---- what is kept of a pull that was interrupted


def test_pulls_that_break_off_do_not_fill_the_disk(tmp_path: Path) -> None:
    """Of what a stranger begins again and again, the newest is kept, and what is being filled just now."""
    parts = [tmp_path / f"{number:064x}.part" for number in range(6)]
    for age, part in enumerate(parts):
        part.write_bytes(b"x")
        os.utime(part, (time.time() - 60 * age,) * 2)
    with alone_with(tmp_path, parts[4].stem) as filled:
        assert filled == parts[4]
        sweep(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([*parts[:KEPT], parts[4]])
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(parts[:KEPT])
