"""Settings: what a tree of dataclasses is as a document, what changes it, and what is said of bad values."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg_demo.classes import ClassMap
from seg_demo.data.preprocessing import Preprocessing
from seg_demo.errors import UserError
from seg_demo.settings import Setting, changed, check, from_document, setting, settings_of, to_document


@dataclass(frozen=True)
class Water:
    """A group of settings."""

    depth: int = setting(3, "How deep it is, in metres.", low=1, high=100)
    salt: float = setting(0.5, "Share of salt.", low=0, high=1)
    kind: Literal["still", "moving"] = setting("still", "What it does.")
    lamp: str = setting("", "Which lamp hangs above; empty for none.", choices=("", "warm", "cold"))
    name: str = setting("pond", "What it is called.")

    def __post_init__(self) -> None:
        check(self)
        if self.kind == "moving" and not self.lamp:
            raise UserError("Moving water needs a lamp.")


@dataclass(frozen=True)
class Tank:
    """A tree of settings."""

    water: Water = field(default_factory=Water)
    newts: ClassMap | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    sizes: tuple[float, ...] = setting((1.0,), "Sizes of the newts.", low=0.1, high=4)
    span: tuple[float, float] = setting((0.5, 2.0), "Smallest and largest.", low=0.1)
    lid: bool = setting(True, "Close it.")
    food: dict[str, Any] = setting({}, "What is eaten.")
    name: str = setting("", "What it is called.")

    def __post_init__(self) -> None:
        check(self)


NEWTS = ClassMap(("background", "newt"), ((0, 0, 0), (230, 159, 0)), 9)


def at(tree: Any, path: str) -> Any:
    for part in path.split("."):
        tree = getattr(tree, part)
    return tree


# What there is


def test_the_settings_of_a_tree() -> None:
    known = settings_of(Tank)
    assert (
        list(known)
        == (
            "water.depth water.salt water.kind water.lamp water.name preprocessing.resize preprocessing.size "
            "preprocessing.mean preprocessing.std preprocessing.interpolation sizes span lid food name"
        ).split()
    )
    inf = math.inf
    for expected in (
        Setting("water.depth", "How deep it is, in metres.", "whole", 3, 1, 100, ()),
        Setting("water.kind", "What it does.", "text", "still", -inf, inf, ("still", "moving")),
        Setting("water.lamp", "Which lamp hangs above; empty for none.", "text", "", -inf, inf, ("", "warm", "cold")),
        Setting("sizes", "Sizes of the newts.", "numbers", (1.0,), 0.1, 4, ()),
        Setting("span", "Smallest and largest.", "numbers", (0.5, 2.0), 0.1, inf, (), 2),
        Setting("lid", "Close it.", "flag", True, -inf, inf, ()),
        Setting("food", "What is eaten.", "table", {}, -inf, inf, ()),
    ):
        assert known[expected.path] == expected


def test_a_table_is_not_shared() -> None:
    Tank().food["worms"] = 3
    assert Tank().food == {}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("water.depth", "a whole number from 1 to 100"),
        ("water.salt", "a number from 0 to 1"),
        ("water.kind", "one of still, moving"),
        ("water.lamp", "one of warm, cold"),
        ("water.name", "a text"),
        ("sizes", "a list of numbers from 0.1 to 4"),
        ("span", "a list of 2 numbers from 0.1"),
        ("lid", "true or false"),
        ("food", "a table of names and numbers, flags or texts"),
        ("preprocessing.mean", "a list of 3 numbers from -10 to 10"),
    ],
)
def test_what_is_wanted(path: str, wanted: str) -> None:
    assert settings_of(Tank)[path].wanted == wanted


# Changes


@pytest.mark.parametrize(
    ("path", "given", "expected"),
    [
        ("water.depth", 8, 8),
        ("water.depth", 8.0, 8),
        ("water.depth", "8", 8),
        ("water.depth", " 1e1 ", 10),
        ("water.salt", 1, 1.0),
        ("water.salt", "0.25", 0.25),
        ("water.salt", "1e-3", 0.001),
        ("water.kind", "still", "still"),
        ("water.lamp", "", ""),
        ("water.name", "8", "8"),
        ("water.name", "true", "true"),
        ("water.name", '"x"', '"x"'),
        ("sizes", "0.5,2", (0.5, 2.0)),
        ("sizes", "[0.5, 2]", (0.5, 2.0)),
        ("sizes", "(0.5, 2)", (0.5, 2.0)),
        ("sizes", "1", (1.0,)),
        ("sizes", "", ()),
        ("sizes", [1, 2.5], (1.0, 2.5)),
        ("sizes", (), ()),
        ("span", "0.5,2", (0.5, 2.0)),
        ("lid", "true", True),
        ("lid", "True", True),
        ("lid", "yes", True),
        ("lid", "false", False),
        ("lid", "no", False),
        ("lid", False, False),
        ("food", '{"width": 8}', {"width": 8}),
        ("food", {"a": 1, "b": 0.5, "c": "x", "d": True}, {"a": 1, "b": 0.5, "c": "x", "d": True}),
        ("preprocessing.resize", "longest", "longest"),
        ("preprocessing.std", "1,2,3", (1.0, 2.0, 3.0)),
    ],
)
def test_one_change(path: str, given: object, expected: object) -> None:
    tree = changed(Tank(), {path: given})
    assert at(tree, path) == expected
    assert type(at(tree, path)) is type(expected)
    assert all(type(part) is float for part in expected) if isinstance(expected, tuple) else True
    for other in settings_of(Tank):
        assert other == path or at(tree, other) == at(Tank(), other)


@pytest.mark.parametrize(
    ("path", "given", "message"),
    [
        ("water.depth", 0, "The setting water.depth must be a whole number from 1 to 100, not 0."),
        ("water.depth", 101, "The setting water.depth must be a whole number from 1 to 100, not 101."),
        ("water.depth", "8.5", "The setting water.depth must be a whole number from 1 to 100, not 8.5."),
        ("water.depth", True, "The setting water.depth must be a whole number from 1 to 100, not True."),
        ("water.depth", None, "The setting water.depth must be a whole number from 1 to 100, not None."),
        ("water.depth", "deep", "The setting water.depth must be a whole number from 1 to 100, not 'deep'."),
        ("water.depth", "", "The setting water.depth must be a whole number from 1 to 100, not ''."),
        ("water.salt", 1.01, "The setting water.salt must be a number from 0 to 1, not 1.01."),
        ("water.salt", "NaN", "The setting water.salt must be a number from 0 to 1, not nan."),
        ("water.salt", [0.5], "The setting water.salt must be a number from 0 to 1, not [0.5]."),
        ("water.salt", False, "The setting water.salt must be a number from 0 to 1, not False."),
        ("water.kind", "stil", 'There is no choice for water.kind "stil". Did you mean "still"? Known: still, moving.'),
        ("water.kind", 3, "The setting water.kind must be one of still, moving, not 3."),
        ("water.lamp", "x", 'There is no choice for water.lamp "x". Known: warm, cold.'),
        ("water.name", 3, "The setting water.name must be a text, not 3."),
        ("sizes", 0.5, "The setting sizes must be a list of numbers from 0.1 to 4, not 0.5."),
        ("sizes", "0.5 2", "The setting sizes must be a list of numbers from 0.1 to 4, not '0.5 2'."),
        ("sizes", [1, "2"], "The setting sizes must be a list of numbers from 0.1 to 4, not (1.0, '2')."),
        ("sizes", [0.5, 5], "The setting sizes must be a list of numbers from 0.1 to 4, not (0.5, 5.0)."),
        ("span", "1", "The setting span must be a list of 2 numbers from 0.1, not (1.0,)."),
        ("span", "1,2,3", "The setting span must be a list of 2 numbers from 0.1, not (1.0, 2.0, 3.0)."),
        ("span", "1,Infinity", "The setting span must be a list of 2 numbers from 0.1, not (1.0, inf)."),
        ("span", [1, 10**400], "The setting span must be a list of 2 numbers from 0.1, not (1.0, 1000000"),
        ("lid", "maybe", "The setting lid must be true or false, not 'maybe'."),
        ("lid", 1, "The setting lid must be true or false, not 1."),
        ("food", "worms", "The setting food must be a table of names and numbers, flags or texts, not 'worms'."),
        ("food", {"a": []}, "The setting food must be a table of names and numbers, flags or texts, not {'a': []}."),
        ("food", {"a": math.nan}, "The setting food must be a table of names and numbers, flags or texts, not {'a': "),
        ("food", {3: 3}, "The setting food must be a table of names and numbers, flags or texts, not {3: 3}."),
        ("food", "[" * 9999, "The setting food must be a table of names and numbers, flags or texts, not '[[[["),
        ("preprocessing.std", "1", "The setting preprocessing.std must be a list of 3 numbers from 0.001 to 10, not"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be(path: str, given: object, message: str) -> None:
    document: dict[str, Any] = {}
    *groups, name = path.split(".")
    inner = document
    for group in groups:
        inner = inner.setdefault(group, {})
    inner[name] = given
    for refused in (lambda: changed(Tank(), {path: given}), lambda: from_document(Tank(), document)):
        with pytest.raises(UserError) as caught:
            refused()
        assert str(caught.value).startswith(message)
        assert message.endswith(".") == (str(caught.value) == message)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200


def test_values_too_large_to_show() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    for value in (deep, int("f" * 5000, 16)):
        with pytest.raises(UserError, match="^The setting water.depth must be .*, not something that is too large"):
            changed(Tank(), {"water.depth": value})
        with pytest.raises(UserError, match="^The settings newts must be .*, not something that is too large"):
            from_document(Tank(), {"newts": {"names": value, "colors": value}})
    with pytest.raises(UserError, match="^The settings water must be a table .*, not something that is too large"):
        from_document(Tank(), {"water": deep})


def test_fields_are_checked_when_they_are_made() -> None:
    with pytest.raises(UserError, match="^The setting depth must be a whole number from 1 to 100, not 0.$"):
        Water(depth=0)
    with pytest.raises(UserError, match=r"^The setting sizes must be a list of numbers from 0.1 to 4, not \[1.0\].$"):
        Tank(sizes=[1.0])  # type: ignore[arg-type]
    assert Water(salt=1).salt == 1


def test_changes_that_are_right_only_together() -> None:
    for one in ({"water.kind": "moving"}, {"water.kind": "moving", "water.lamp": ""}):
        with pytest.raises(UserError, match="^Moving water needs a lamp.$"):
            changed(Tank(), one)
    for order in (("kind", "lamp"), ("lamp", "kind")):
        values = {"kind": "moving", "lamp": "cold"}
        both = changed(Tank(), {f"water.{name}": values[name] for name in order})
        assert both == Tank(Water(kind="moving", lamp="cold"))
        assert from_document(Tank(), {"water": {name: values[name] for name in order}}) == both
    assert changed(both, {"water.kind": "still", "water.lamp": ""}) == Tank()
    assert changed(both, {}) == both


# Names


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("water.dept", 'There is no setting "water.dept". Did you mean "water.depth"?'),
        ("waterdepth", 'There is no setting "waterdepth". Did you mean "water.depth"?'),
        ("depth", 'There is no setting "depth". Did you mean "water.depth"?'),
        ("mean", 'There is no setting "mean". Did you mean "preprocessing.mean"?'),
        ("lit", 'There is no setting "lit". Did you mean "lid"?'),
        ("tank.name", 'There is no setting "tank.name". Did you mean "water.name" or "name"?'),
        ("water.xyz", 'There is no setting "water.xyz". Known: water.depth, water.salt, water.kind, water.lamp, '
         "water.name."),
        ("xyz", 'There is no setting "xyz". Known: water, preprocessing, sizes, span, lid, food, name.'),
        ("xyz.uvw", 'There is no setting "xyz.uvw". Known: water, preprocessing, sizes, span, lid, food, name.'),
        ("", 'There is no setting "". Known: water, preprocessing, sizes, span, lid, food, name.'),
        ("\n", "There is no setting of this name. Known: water, preprocessing, sizes, span, lid, food, name."),
        ("q" * 10**6, "There is no setting of this name. Known: water, preprocessing, sizes, span, lid, food, name."),
    ],
)  # fmt: skip
def test_a_name_that_there_is_not(path: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        changed(Tank(), {path: 1})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"water": {"dept": 1}}, 'There is no setting "water.dept". Did you mean "water.depth"?'),
        ({"preprocessing": {"zzz": 1}}, 'There is no setting "preprocessing.zzz". Known: preprocessing.resize, '
         "preprocessing.size, preprocessing.mean, preprocessing.std, preprocessing.interpolation."),
        ({"depth": 1}, 'There is no setting "depth". Did you mean "water.depth"?'),
        ({"newt": {}}, 'There is no setting "newt". Did you mean "newts"?'),
        ({"zzz": 1}, 'There is no setting "zzz". Known: water, newts, preprocessing, sizes, span, lid, food, name.'),
        ([], "The settings as a whole must be a table of names and values, not []."),
        (None, "The settings as a whole must be a table of names and values, not None."),
        ({"water": 3}, "The settings water must be a table of names and values, not 3."),
        ({"preprocessing": [1]}, "The settings preprocessing must be a table of names and values, not [1]."),
    ],
)  # fmt: skip
def test_a_document_that_says_nothing(document: object, message: str) -> None:
    with pytest.raises(UserError) as caught:
        from_document(Tank(), document)
    assert str(caught.value) == message


# Documents


def test_a_document_says_only_what_is_other() -> None:
    base = Tank(Water(depth=9), NEWTS, lid=False)
    document = {"water": {"salt": 1}, "name": "big", "preprocessing": {"size": 64}}
    expected = Tank(Water(depth=9, salt=1.0), NEWTS, Preprocessing(size=64), lid=False, name="big")
    assert from_document(base, document) == expected
    assert from_document(base, {}) == base


@pytest.mark.parametrize("newts", [None, NEWTS])
@pytest.mark.parametrize("base", [Tank(), Tank(newts=ClassMap.of("a", "b", "c"))])
def test_classes_go_through_a_document(base: Tank, newts: ClassMap | None) -> None:
    document = json.loads(json.dumps(to_document(replace(base, newts=newts))))
    assert ("newts" in document) == (newts is not None)
    assert from_document(base, document).newts == (newts or base.newts)


CLASSES = {"names": ["a", "b"], "colors": [[0, 0, 0], [1, 2, 3]]}
TABLE = "The settings newts must be a table of names, colors, ignore_index, not "


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": "ab"}, TABLE),
        ({"names": ["a", 3]}, TABLE),
        ({"names": ["a", ["b"]]}, TABLE),
        ({"names": {"a": 1, "b": 2}}, TABLE),
        ({"names": None}, TABLE),
        ({"colors": 3}, TABLE),
        ({"colors": ["abc", "abc"]}, TABLE),
        ({"colors": [[0, 0, 0], [1, 2, 3.0]]}, TABLE),
        ({"colors": [[0, 0, 0], [1, 2, True]]}, TABLE),
        ({"colors": [[0, 0, 0], [1, 2, [3]]]}, TABLE),
        ({"ignore_index": 255.0}, TABLE),
        ({"ignore_index": True}, TABLE),
        ({"ignore_index": None}, TABLE),
        ({"mode": "r"}, TABLE),
        ({"names": []}, "There are 0 classes"),
        ({"colors": [[0, 0, 0]]}, "There are 2 class names but 1 colours."),
        ({"colors": [[0, 0, 0], [1, 2]]}, "A class colour must be three whole numbers"),
        ({"colors": [[0, 0, 0], [1, 2, 10**400]]}, "A class colour must be three whole numbers"),
        ({"names": ["a", "a"]}, "Class names must be unique"),
        ({"ignore_index": 1}, "The ignore index is 1"),
    ],
)
def test_classes_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    for base in (Tank(), Tank(newts=NEWTS)):
        with pytest.raises(UserError, match=f"^{message}"):
            from_document(base, {"newts": CLASSES | changes})
        assert from_document(base, {"newts": CLASSES}).newts == ClassMap(("a", "b"), ((0, 0, 0), (1, 2, 3)))


@pytest.mark.parametrize("value", [None, [], 3, "a", {}, {"names": ["a"]}])
def test_classes_that_are_no_table(value: object) -> None:
    with pytest.raises(UserError, match=f"^{TABLE}"):
        from_document(Tank(), {"newts": value})


def test_a_document_is_what_json_knows() -> None:
    assert to_document(Tank(newts=NEWTS, food={"worms": 2})) == {
        "water": {"depth": 3, "salt": 0.5, "kind": "still", "lamp": "", "name": "pond"},
        "newts": {"names": ["background", "newt"], "colors": [[0, 0, 0], [230, 159, 0]], "ignore_index": 9},
        "preprocessing": {
            "resize": "none", "size": 512, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
            "interpolation": "bilinear",
        },
        "sizes": [1.0], "span": [0.5, 2.0], "lid": True, "food": {"worms": 2}, "name": "",
    }  # fmt: skip
    assert "newts" not in to_document(Tank())


HOSTILE = st.sampled_from(["still", "0.5,2", "[", '{"a": 1}', "1e999", "9" * 5000, "[" * 5000, 10**400, -(10**4000)])
NAMES = st.sampled_from([*Tank.__annotations__, *Water.__annotations__, *CLASSES, "x"])
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), HOSTILE),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(document=JSON)
def test_whatever_a_document_holds_it_is_settings_or_a_sentence(document: object) -> None:
    try:
        tree = from_document(Tank(), document)
    except UserError as error:
        assert str(error) == error.sentence
        assert len(str(error)) < 400
    else:
        assert from_document(Tank(), to_document(tree)) == tree


@settings(max_examples=300, deadline=None)
@given(path=st.one_of(st.sampled_from(list(settings_of(Tank))), st.text(max_size=9)), value=JSON)
def test_whatever_a_change_holds_it_is_settings_or_a_sentence(path: str, value: object) -> None:
    try:
        tree = changed(Tank(), {path: value})
    except UserError as error:
        assert len(str(error)) < 400
    else:
        assert from_document(Tank(), json.loads(json.dumps(to_document(tree)))) == tree
