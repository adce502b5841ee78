"""The texts of the page: every language has every text, and the sentences that visitors meet are translated."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from seg_demo.data.check import KINDS
from seg_demo.errors import UserError
from seg_demo.ui.i18n import ERRORS, LANGUAGES, TEXTS, explain, language_of, translated

PACKAGE = Path(__file__).resolve().parent.parent / "seg_demo"
# What goes wrong with a visitor's own pictures and label maps; the sentences about checkpoints are for engineers.
NOT_ON_THE_PAGE = ("dataset", "download", "hub", "loader", "newts")
MET_BY_VISITORS = [
    *(PACKAGE / f"{name}.py" for name in ("classes", "registry", "viz/preview")),
    *(file for file in (PACKAGE / "data").glob("*.py") if file.stem not in NOT_ON_THE_PAGE),
    *(file for room in ("check", "archive", "layouts", "polygons") for file in (PACKAGE / "data" / room).glob("*.py")),
    PACKAGE / "models" / "pretrained.py",
    *(PACKAGE / "infer").glob("*.py"),
    *(PACKAGE / "ui").glob("*.py"),
]
# Calls that take a sentence, and which of their arguments it is.
TELLING = {"UserError": 0, "finding": 1}


def constants(node: ast.expr) -> Iterator[str]:
    """A text, or both of "a" if ... else "b"."""
    if isinstance(node, ast.Constant):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from constants(node.body)
        yield from constants(node.orelse)


def templates() -> set[str]:
    """The sentences with which these files raise a UserError or tell a finding, and what repairs do."""
    return {kind.repair for kind in KINDS.values() if kind.repair} | {
        sentence
        for file in MET_BY_VISITORS
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in TELLING
        for sentence in constants(node.args[TELLING[node.func.id]])  # type: ignore[attr-defined]
    }


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
