"""The texts of the page: every language has every text, and the sentences that visitors meet are translated."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from test_layouts import BUILDERS

from seg_demo.data.check import KINDS
from seg_demo.data.folder import open_folder
from seg_demo.data.intake import bring_in
from seg_demo.data.registry import LAYOUTS
from seg_demo.errors import Sentence, UserError
from seg_demo.settings import changed, settings_of
from seg_demo.train.config import TrainConfig
from seg_demo.ui.i18n import ERRORS, LANGUAGES, TEXTS, explain, language_of, translated

PACKAGE = Path(__file__).resolve().parent.parent / "seg_demo"
# What goes wrong with a visitor's own pictures, label maps and runs, in the page or in the command that trains for it.
NOT_ON_THE_PAGE = ("hub", "newts")
MET_BY_VISITORS = [
    *(PACKAGE / f"{name}.py" for name in ("classes", "registry", "settings", "viz/preview", "viz/figure")),
    *(PACKAGE / "evaluate" / f"{name}.py" for name in ("automatic", "labels")),
    *(file for file in (PACKAGE / "data").glob("*.py") if file.stem not in NOT_ON_THE_PAGE),
    *(file for room in ("check", "archive", "layouts", "polygons") for file in (PACKAGE / "data" / room).glob("*.py")),
    *(PACKAGE / "models" / f"{name}.py" for name in ("arguments", "export", "pretrained", "registry", "whole_file")),
    *(PACKAGE / "models" / "imported").glob("*.py"),
    *(PACKAGE / "infer").glob("*.py"),
    *(PACKAGE / "checkpoint").glob("*.py"),
    *(PACKAGE / "train").glob("*.py"),
    *(PACKAGE / "jobs").glob("*.py"),
    *(PACKAGE / "hub").rglob("*.py"),
    *(PACKAGE / "cli" / f"{name}.py" for name in ("obstacles", "recipe", "train")),
    *(PACKAGE / "ui").rglob("*.py"),
]
# Calls that take a sentence, and which of their arguments it is.
TELLING = {
    "finding": 1,
    **dict.fromkeys(("UserError", "ConfigError", "WeightsError"), 0),
    **dict.fromkeys(("HubError", "Unreachable", "NotThere", "Stale", "Damaged"), 0),
}


def constants(node: ast.expr, tree: ast.Module) -> Iterator[str]:
    """A text, both of "a" if ... else "b", or what is assigned to a variable of the file.

    What hands on the template of another sentence has none itself.
    """
    if isinstance(node, ast.IfExp):
        yield from constants(node.body, tree)
        yield from constants(node.orelse, tree)
    elif values := [
        each.value
        for each in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == node.id
    ]:
        for value in values:
            yield from constants(value, tree)
    elif not (isinstance(node, ast.Attribute) and node.attr == "template"):
        assert isinstance(node, ast.Constant), f"not a constant template: {ast.unparse(node)}"
        yield node.value


def told(files: Iterable[Path], telling: Mapping[str, int]) -> set[str]:
    return {
        sentence
        for tree in (ast.parse(file.read_text("utf-8")) for file in files)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in telling
        for sentence in constants(node.args[telling[node.func.id]], tree)  # type: ignore[attr-defined]
    }


def reasons() -> set[str]:
    """What was recognised, and why; how a comparison and a run ended: all that these rooms call a Sentence."""
    rooms = ("checkpoint", "cli", "data", "evaluate", "hub", "jobs", "train", "ui")
    files = (file for room in rooms for file in (PACKAGE / room).rglob("*.py"))
    return told([*files, PACKAGE / "settings.py"], {"Sentence": 0})


def templates() -> set[str]:
    """The sentences with which these files raise a UserError or tell a finding, reasons, and what repairs do."""
    return {kind.repair for kind in KINDS.values() if kind.repair} | told(MET_BY_VISITORS, TELLING) | reasons()


def fields(template: str) -> set[str]:
    return set(re.findall(r"(?<!\{)\{(\w+)", template))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_text(language: str) -> None:
    assert TEXTS[language].keys() == TEXTS["en"].keys()
    for key, text in TEXTS[language].items():
        assert fields(text) == fields(TEXTS["en"][key]), key


@pytest.mark.parametrize("language", sorted(ERRORS))
def test_sentences_that_visitors_meet_are_translated(language: str) -> None:
    assert len(templates()) > 10
    assert templates() <= ERRORS[language].keys()
    for template, sentence in ERRORS[language].items():
        assert fields(sentence) == fields(template), template


@pytest.mark.parametrize("language", sorted(ERRORS))
def test_no_translation_is_left_over(language: str) -> None:
    assert ERRORS[language].keys() <= templates()


def test_a_sentence_in_another_language() -> None:
    error = UserError("{name} is empty. Choose another file.", name="{x}.png")
    assert explain(error, "en") == "{x}.png is empty. Choose another file."
    assert explain(error, "ja") == "{x}.png は空のファイルです。別のファイルを選んでください。"
    assert explain(UserError("Nobody translated this."), "zh") == "Nobody translated this."


def test_a_sentence_is_a_text_that_keeps_its_parts() -> None:
    inner = Sentence("the folder itself")
    problem = UserError("{name} is empty. Choose another file.", name="a.png")
    sentence = Sentence("{count} in {folder}: {problem} {{}}", count=3, folder=inner, problem=problem)
    english = "3 in the folder itself: a.png is empty. Choose another file. {}"
    assert sentence == english
    assert hash(sentence) == hash(english)
    assert json.loads(json.dumps([sentence])) == [english]
    for again in (pickle.loads(pickle.dumps(sentence)), copy.deepcopy(sentence)):
        assert isinstance(again, Sentence)
        assert again == english
        assert again.template == sentence.template
        assert isinstance(again.fields["folder"], Sentence)
        assert str(again.fields["problem"]) == str(problem)
    assert problem.sentence == str(problem)


def test_the_fields_of_a_sentence_are_translated_too() -> None:
    folder = Sentence("the folder itself")
    sentence = Sentence("Images in {folder} without a label file: {count}.", folder=folder, count=2)
    assert translated(sentence, "en") == sentence
    assert translated(sentence, "ja") == "「フォルダー直下」の画像のうち、ラベルファイルがないもの: 2 枚。"
    empty = UserError("{name} is empty. Choose another file.", name="a.png")
    assert explain(Sentence("Nobody translated this: {why}", why=empty), "zh") == (
        "Nobody translated this: a.png 是空文件。请选择其他文件。"
    )


def test_what_a_setting_may_be_is_translated_too() -> None:
    with pytest.raises(UserError) as caught:
        changed(TrainConfig(steps=1), {"data.preprocessing.mean": [1]})
    assert explain(caught.value, "ja") == (
        "設定 data.preprocessing.mean は -10 〜 10 の数 3 個のリストでなければなりません((1.0,) は使えません)。"
    )
    assert explain(caught.value, "zh") == (
        "设置 data.preprocessing.mean 必须是 -10 到 10 的数字列表(3 个),不能是 (1.0,)。"
    )
    with pytest.raises(UserError) as caught:
        changed(TrainConfig(steps=1), {"model.head": "kep"})
    assert explain(caught.value, "ja").startswith(
        '"kep" という model.head の選択肢 はありません。「keep」のことですか?'
    )


def pictures(root: Path, *names: str) -> None:
    """Images are noise, label maps hold two classes."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shape = (24, 32) if "mask" in name else (24, 32, 3)
        pixels = np.random.default_rng(0).integers(0, 2 if "mask" in name else 256, shape, np.uint8)
        Image.fromarray(pixels).save(root / name)


def build_side_by_side(root: Path) -> None:
    pictures(root, *(f"{n}{end}" for n in range(3) for end in ("_img.png", "_mask.png")), "lonely.png")


def build_half_sorted(root: Path) -> None:
    pictures(root, *(f"train/{room}/{n}.png" for n in "abc" for room in ("images", "masks")), "train/masks_rgb/a.png")
    pictures(root, "train/masks/d.png", "train/images/e.png")
    (root / "labelmap.txt").write_text("ground:0,0,0::\nnewt:255,0,0::\n")


def build_polygons(root: Path) -> None:
    pictures(root, "images/a.png", "images/b.png")
    drawn = {
        "images": [{"id": n, "file_name": f"{name}.png", "height": 24, "width": 32} for n, name in enumerate("ab")],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "segmentation": [[2, 2, 20, 2, 20, 20]]} for n in range(2)
        ],
        "categories": [{"id": 1, "name": "newt"}],
    }
    (root / "instances.json").write_text(json.dumps(drawn))


# Words that English sentences are made of, and names of folders, classes and formats are not.
ENGLISH = re.compile(
    r"\b(the|a|an|and|or|of|in|that|which|is|are|was|were|it|its|there|no|not|have|has|hold|holds|names|by|from|with|"
    r"without|same|file|files|pictures|colou?rs?|split|palette)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize(
    "build",
    [*BUILDERS.values(), build_side_by_side, build_half_sorted, build_polygons],
    ids=lambda build: build.__name__,
)
def test_reasons_are_translated_wholly(build: Callable[[Path], object], tmp_path: Path) -> None:
    build(tmp_path / "写真")
    brought = bring_in(tmp_path / "写真", tmp_path / "workspace")
    folder = open_folder(brought.folder)
    reasons = [LAYOUTS[folder.listing.layout].title, *brought.reasons, *folder.reasons]
    if not isinstance(reasons[0], Sentence):
        reasons = reasons[1:]  # a proper name
    assert reasons
    for reason in reasons:
        assert isinstance(reason, Sentence), reason
        assert translated(reason, "en") == reason
        for language in sorted(ERRORS):
            assert not ENGLISH.search(translated(reason, language)), translated(reason, language)
            assert not re.search(r"[\u3000-\u9fff]", reason.replace("写真", "")), "the sentence itself stays English"


KANA, HANZI = re.compile(r"[\u3041-\u30fa]"), re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize(("language", "script", "foreign"), [("ja", KANA, None), ("zh", HANZI, KANA)])
def test_every_setting_is_told_in_every_language(
    language: str, script: re.Pattern[str], foreign: re.Pattern[str] | None
) -> None:
    """In the order of the configuration, none twice, none left over; what must be typed stays as it is."""
    file = PACKAGE / "ui" / "i18n" / f"settings.{language}.json"
    pairs = json.loads(file.read_text("utf-8"), object_pairs_hook=list)
    settings = settings_of(TrainConfig)
    assert [path for path, _ in pairs] == list(settings)
    for path, sentence in pairs:
        assert script.search(sentence), path
        assert not (foreign and foreign.search(sentence)), path
        assert not ENGLISH.search(sentence), path
        assert re.findall(r"`[^`]*`", sentence) == re.findall(r"`[^`]*`", settings[path].sentence), path
        assert TEXTS[language][f"setting_{path}"] == sentence


def test_a_constant_sentence_in_another_language() -> None:
    assert translated("these pixels are ignored", "en") == "these pixels are ignored"
    assert translated("these pixels are ignored", "ja") == "これらの画素を無視します"
    assert translated("Nobody translated this.", "zh") == "Nobody translated this."


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ja,en;q=0.8", "ja"),
        ("ja-JP,zh-CN;q=0.8", "ja"),
        ("zh-TW,zh;q=0.9", "zh"),
        ("zh-HK", "en"),
        ("fr-FR,fr;q=0.9,zh-TW;q=0.8", "en"),
        ("fr", "en"),
        ("", "en"),
        (";;,,q=", "en"),
    ],
)
def test_language_of_a_request(header: str, language: str) -> None:
    request = SimpleNamespace(headers={"accept-language": header})
    assert language_of(request) == language  # type: ignore[arg-type]
    assert language_of(None) == "en"
