"""The texts of the page in English, Japanese and Chinese."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr

from seg_demo.errors import Sentence, UserError
from seg_demo.settings import Setting, settings_of
from seg_demo.train.config import TrainConfig

LANGUAGES = ("en", "ja", "zh")
# Gradio's page knows Chinese by these two names only; a browser set to another, such as zh-HK, gets English.
GRADIO_CHINESE = ("zh-CN", "zh-TW")


def _read(kind: str, language: str) -> dict[str, str]:
    return json.loads((Path(__file__).parent / f"{kind}.{language}.json").read_text("utf-8"))


# What each setting of a training run does; in English it stands in the configuration itself.
_SETTINGS = {language: _read("settings", language) for language in LANGUAGES[1:]}
_SETTINGS["en"] = {path: one.sentence for path, one in settings_of(TrainConfig).items()}
TEXTS = {
    language: _read("texts", language) | {f"setting_{path}": told for path, told in _SETTINGS[language].items()}
    for language in LANGUAGES
}
# English error templates -> templates in the language; English itself needs none.
ERRORS = {language: _read("errors", language) for language in LANGUAGES[1:]}

I18N = gr.I18n(en=TEXTS["en"], ja=TEXTS["ja"], **dict.fromkeys(GRADIO_CHINESE, TEXTS["zh"]))


def text(key: str) -> str:
    """A text of the page that the visitor's browser shows in its own language."""
    assert key in TEXTS["en"], key
    return I18N(key)  # type: ignore[return-value]  # Gradio's components take it wherever they take a string


def setting_text(setting: Setting) -> str:
    """What a setting does, as the visitor's browser shows it in its own language."""
    return text(f"setting_{setting.path}")


def language_of(request: gr.Request | None) -> str:
    """The language in which the visitor's browser shows the page: its first one, if the page knows it."""
    header = request.headers.get("accept-language", "") if request and request.headers else ""
    first = header.split(",")[0].split(";")[0].strip().lower()
    if first in map(str.lower, GRADIO_CHINESE):
        return "zh"
    return "ja" if first.split("-")[0] == "ja" else "en"


def say(key: str, language: str, **fields: object) -> str:
    """A text in a given language, for what Gradio cannot translate in the browser."""
    return TEXTS[language][key].format(**fields)


def explain(told: UserError | Sentence, language: str) -> str:
    """An error or a sentence in a given language, in English where nobody has translated it; its fields as well."""
    template = ERRORS.get(language, {}).get(told.template, told.template)
    fields = {
        key: explain(value, language) if isinstance(value, (UserError, Sentence)) else value
        for key, value in told.fields.items()
    }
    return template.format(**fields)


def translated(text: str, language: str) -> str:
    """A text of the core in a given language: a `Sentence`, or a constant such as what a repair does."""
    return explain(text, language) if isinstance(text, Sentence) else ERRORS.get(language, {}).get(text, text)
