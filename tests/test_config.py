"""The configuration of a training run: its sentences, bounds and cross-checks, and its way through documents."""

from __future__ import annotations

import ast
import inspect
import json
import math
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg_demo.classes import ClassMap
from seg_demo.data.transforms import training_chain
from seg_demo.errors import UserError
from seg_demo.models.registry import ARCHITECTURES
from seg_demo.settings import Setting, changed, from_document, settings_of, to_document
from seg_demo.train import config
from seg_demo.train.config import Augmentation, TrainConfig, read_settings

KNOWN = settings_of(TrainConfig)
BASE = TrainConfig(steps=100)
THREE = {"names": ["a", "b", "c"], "colors": [[0, 0, 0], [1, 1, 1], [2, 2, 2]]}


def at(tree: Any, path: str) -> Any:
    for part in path.split("."):
        tree = getattr(tree, part)
    return tree


def document(changes: dict[str, Any]) -> dict[str, Any]:
    """Paths to values -> the tables of a file."""
    tables: dict[str, Any] = {}
    for path, value in changes.items():
        *groups, name = path.split(".")
        inner = tables
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[name] = value
    return tables


@pytest.mark.parametrize("path", KNOWN)
def test_every_setting_has_a_sentence_and_a_default_that_it_allows(path: str) -> None:
    one = KNOWN[path]
    assert one.sentence.endswith(".")
    assert one.sentence[0].isupper()
    assert 1 <= one.sentence.count(". ") + 1 <= 2
    assert len(one.sentence) <= 170
    one.check(one.default)
    assert one.read(one.default) == one.default
    assert type(one.read(one.default)) is type(one.default)
    assert at(BASE, path) == one.default or path == "steps"
    if one.kind in ("whole", "number"):
        assert math.isfinite(one.low)
        assert math.isfinite(one.high)


def test_no_part_of_a_run_is_without_a_setting() -> None:
    """All but the classes, which come from the pictures or a file."""

    def paths(table: dict[str, Any], prefix: str = "") -> list[str]:
        return [
            path
            for name, value in table.items()
            for path in (
                paths(value, f"{prefix}{name}.") if isinstance(value, dict) and name != "arguments" else [prefix + name]
            )
        ]

    assert paths(to_document(BASE)) == list(KNOWN)
    assert {one.name for one in fields(BASE.data)} - set(to_document(BASE)["data"]) == {"classes"}


def test_an_augmentation_is_what_the_chain_takes() -> None:
    parameters = inspect.signature(training_chain).parameters
    variations = {name for name, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY}
    assert {one.name for one in fields(Augmentation)} == variations - {"ignore_index", "others"}


def test_nothing_is_learned_of_torch() -> None:
    code = "import sys, seg_demo.train.config; print([name for name in ('torch', 'gradio') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# What does not go together

CROSS_CHECKS: list[tuple[dict[str, Any], str]] = [
    (
        {"model.architecture": "unett"},
        'There is no architecture "unett". Did you mean "unet"? Known: ' + ", ".join(ARCHITECTURES) + ".",
    ),
    (
        {"model.keep_features": 4},
        "The setting model.keep_features is 4, but features can be kept only of a frozen backbone. "
        "Set model.freeze to true as well.",
    ),
    (
        {"data.drawn_share": 0.5},
        "The setting data.drawn_share is 0.5, but data.drawn_pictures is 0. Draw at least one picture, "
        "or set the share to 0.",
    ),
    (
        {"data.task": "binary", "data.classes": THREE},
        "The task binary has 2 classes, but there are 3. Take the task multiclass.",
    ),
    (
        {"augmentation.scale": [2, 0.5]},
        "The setting augmentation.scale is (2.0, 0.5), but must be the smallest and the largest zoom. "
        "Give two numbers such as 0.5,2.",
    ),
    (
        {"loss.class_weights": [1, 2], "loss.balance": "median-frequency"},
        "The classes are weighed by loss.class_weights and by loss.balance at once. Leave one of them out.",
    ),
    (
        {"optimizer.nesterov": True},
        "Nesterov's momentum needs the optimiser sgd and a momentum above 0. Switch it off.",
    ),
    (
        {"optimizer.nesterov": True, "optimizer.name": "sgd", "optimizer.momentum": 0},
        "Nesterov's momentum needs the optimiser sgd and a momentum above 0. Switch it off.",
    ),
    (
        {"validation.window": 16},
        "The setting validation.window is 16, but a window has at least 32 pixels. Set 0 for none.",
    ),
    ({"validation.scales": []}, "The setting validation.scales is empty. Give 1 for the picture as it is."),
    ({"steps": 0}, "The training settings give no length of the run. Set steps, epochs or minutes."),
    ({"batch_size": 2, "accumulate": 3}, "A batch of 2 crops cannot be cut in 3 parts. Lower accumulate."),
    (
        {"precision": "float16", "model.freeze": True, "model.keep_features": 1},
        "Kept features are computed in bfloat16 or float32. Set precision to one of them.",
    ),
    (
        {"data.classes": THREE, "loss.class_weights": [1, 2]},
        "There are 2 weights for 3 classes in loss.class_weights. Give one for each class.",
    ),
]


@pytest.mark.parametrize(("changes", "message"), CROSS_CHECKS)
def test_settings_that_contradict_each_other(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        from_document(BASE, document(changes))
    assert str(caught.value) == message
    if "data.classes" not in changes:
        with pytest.raises(UserError) as caught:
            changed(BASE, changes)
        assert str(caught.value) == message


def test_every_contradiction_has_a_row() -> None:
    nodes = list(ast.walk(ast.parse(inspect.getsource(config))))
    checks = [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name == "__post_init__"]
    calls = [node for check in checks for node in ast.walk(check) if isinstance(node, ast.Call)]
    written = {ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "UserError"}
    raised = set()
    for changes, _ in CROSS_CHECKS:
        with pytest.raises(UserError) as caught:
            from_document(BASE, document(changes))
        raised.add(caught.value.template)
    assert written <= raised
    assert len(written) == 12


@pytest.mark.parametrize(
    ("before", "changes"),
    [
        ({"loss.class_weights": [1, 2]}, {"loss.class_weights": "", "loss.balance": "median-frequency"}),
        ({"loss.balance": "median-frequency"}, {"loss.balance": "none", "loss.class_weights": "1,2"}),
        ({}, {"steps": 0, "epochs": 1}),
        ({}, {"steps": 0, "minutes": "0.5"}),
        ({"steps": 0, "epochs": 1} | {"steps": 5}, {"epochs": 0}),
        ({}, {"model.keep_features": 2, "model.freeze": "yes"}),
        ({}, {"data.drawn_share": 1, "data.drawn_pictures": 1}),
        ({}, {"optimizer.nesterov": True, "optimizer.name": "sgd"}),
        ({"batch_size": 4, "accumulate": 4}, {"batch_size": 2, "accumulate": 2}),
        ({"model.freeze": True, "model.keep_features": 1}, {"model.keep_features": 0, "precision": "float16"}),
        ({"data.task": "multiclass", "data.classes": THREE}, {"loss.class_weights": "1,1,2"}),
    ],
)
def test_changes_that_are_right_only_together(before: dict[str, Any], changes: dict[str, Any]) -> None:
    base = from_document(BASE, document(before))
    after = changed(base, changes)
    for path, value in changes.items():
        assert at(after, path) == KNOWN[path].read(value)
    assert from_document(base, document({path: at(after, path) for path in changes})) == after
    assert changed(base, dict(reversed(changes.items()))) == after


# Documents


def values(one: Setting) -> st.SearchStrategy[Any]:
    """Values that a setting may have, as a file holds them."""
    if one.path == "model.architecture":
        return st.sampled_from(list(ARCHITECTURES))
    if one.choices:
        return st.sampled_from(one.choices)
    if one.path == "validation.window":
        return st.one_of(st.just(0), st.integers(32, 8192))
    number = st.floats(one.low, one.high) if one.kind in ("number", "numbers") else st.none()
    numbers = st.lists(number, min_size=one.count or 1, max_size=one.count or 4)
    return {
        "whole": st.integers(int(max(one.low, -1e9)), int(min(one.high, 1e9))) if one.kind == "whole" else number,
        "number": number,
        "numbers": numbers.map(sorted),
        "flag": st.booleans(),
        "text": st.text(max_size=9),
        "table": st.dictionaries(st.text(max_size=5), st.one_of(st.booleans(), st.integers(), st.text(max_size=3))),
    }[one.kind]


CHANGES = st.lists(st.sampled_from(list(KNOWN)), unique=True, max_size=40).flatmap(
    lambda paths: st.fixed_dictionaries({path: values(KNOWN[path]) for path in paths})
)
TOGETHER = {  # what makes most changes right whatever they are
    "model.freeze": True, "data.drawn_pictures": 3, "optimizer.nesterov": False, "loss.balance": "none",
    "data.task": "multiclass", "loss.class_weights": [], "precision": "auto", "epochs": 2.5, "accumulate": 1,
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(changes=CHANGES, classes=st.sampled_from([None, ClassMap.of("a", "b"), ClassMap.of("x", "y", "z")]))
def test_a_configuration_goes_through_json(changes: dict[str, Any], classes: ClassMap | None) -> None:
    base = replace(BASE, data=replace(BASE.data, classes=classes))
    tree = changed(base, changes | TOGETHER)
    for path, value in (changes | TOGETHER).items():
        assert at(tree, path) == KNOWN[path].read(value)
    written = json.loads(json.dumps(to_document(tree), allow_nan=False))
    assert from_document(TrainConfig(steps=1), written) == tree
    assert from_document(tree, written) == tree
    assert from_document(base, document(changes | TOGETHER)) == tree


@settings(max_examples=60, deadline=None)
@given(changes=CHANGES)
def test_flags_say_what_files_say(changes: dict[str, Any]) -> None:
    """A flag is a text: a text as it is, anything else as JSON."""
    flags = {path: value if isinstance(value, str) else json.dumps(value) for path, value in changes.items()}
    assert changed(BASE, flags | TOGETHER) == changed(BASE, changes | TOGETHER)


HOSTILE = st.sampled_from([10**400, -1e308, "1e9999", "[" * 5000, "0.5,2"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), HOSTILE)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
GROUPS = [one.name for one in fields(TrainConfig) if "sentence" not in one.metadata]


def deeply(depth: int) -> Any:
    """Lists in lists, as deep as JSON's parser lets them through."""
    return json.loads("[" * depth + "]" * depth)


PATHS = st.sampled_from(
    [*KNOWN, *GROUPS, "data.classes", "data.classes.names", "data.classes.colors", "data.preprocessing"]
)


CLASSES = st.fixed_dictionaries({"names": JSON, "colors": JSON}, optional={"x": JSON})


@settings(max_examples=200, deadline=None)
@given(path=PATHS, value=st.one_of(JSON, st.integers(1, 600).map(deeply), CLASSES))
def test_whatever_a_document_holds_it_is_a_configuration_or_a_sentence(path: str, value: Any) -> None:
    attempts = [lambda: from_document(BASE, document({path: value})), lambda: changed(BASE, {path: value})]
    for attempt in attempts:
        try:
            tree = attempt()
        except UserError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 600
        else:
            assert from_document(BASE, json.loads(json.dumps(to_document(tree)))) == tree


@settings(max_examples=100, deadline=None)
@given(document=JSON)
def test_whatever_a_file_is_it_is_a_configuration_or_a_sentence(document: Any) -> None:
    try:
        assert from_document(BASE, document) == BASE
    except UserError as error:
        assert "\n" not in str(error)


# Files


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.toml", 'batch_size = 4\n[optimizer]\nlearning_rate = 1\n[data.preprocessing]\nresize = "longest"\n'),
        ("run.JSON", '{"batch_size": "4", "optimizer": {"learning_rate": 1}, '
         '"data": {"preprocessing": {"resize": "longest"}}}'),
        ("run.json", '{"about": [1], "data": {"preprocessing": {"resize": "longest"}}, "batch_size": 4.0, '
         '"optimizer": {"learning_rate": "1"}}'),
    ],
)  # fmt: skip
def test_a_file_of_settings(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    expected = {"batch_size": 4, "optimizer.learning_rate": 1.0, "data.preprocessing.resize": "longest"}
    assert read_settings(tmp_path / name, BASE) == changed(BASE, expected)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"{", "{file} is not valid (Expecting property name enclosed in double quotes: line 1 column 2"),
        ("a.json", b"", "{file} is not valid (Expecting value: line 1 column 1 (char 0)). Mend it."),
        ("a.json", b"[" * 100_000, "{file} is not valid ("),
        ("a.json", b'{"steps": ' + b"9" * 5000 + b"}", "{file} is not valid ("),
        ("a.json", b"\xff", "{file} is not valid ("),
        ("a.json", b"[]", "The settings as a whole must be a table of names and values, not []."),
        ("a.json", b"3", "The settings as a whole must be a table of names and values, not 3."),
        ("a.json", b'{"steps": NaN}', "The setting steps must be a whole number from 0 to 1000000000, not nan."),
        ("a.toml", b"steps", "{file} is not valid ("),
        ("a.toml", b"steps = 1\nsteps = 2\n", "{file} is not valid ("),
        ("a.toml", b"steps = 0x" + b"f" * 5000, "The setting steps must be a whole number from 0 to 1000000000, not"),
        ("a.toml", b"steps = 1979-05-27", "The setting steps must be a whole number from 0 to 1000000000, not date"),
        ("a.toml", b"minutes = inf", "The setting minutes must be a number from 0 to 1000000, not inf."),
        ("a.toml", b"[[data]]", "The settings data must be a table of names and values, not [{{}}]."),
        ("a.toml", b"{file} = 1", "{file} is not valid ("),
        ("a.toml", b'"{{file}}" = 1', 'There is no setting "{{{{file}}}}". Known: model, data, '),
        ("a.toml", None, "{file} cannot be read (No such file or directory). Give a TOML or JSON file."),
        (".", None, "{file} cannot be read (Is a directory). Give a TOML or JSON file."),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_settings(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_settings(file, BASE)
    assert str(caught.value).startswith(message.format(file=file))
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)
