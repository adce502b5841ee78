"""Widgets for the settings of a training run, made from its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

import gradio as gr

from seg_demo.errors import UserError
from seg_demo.models.registry import ARCHITECTURES
from seg_demo.settings import Setting, changed, flag_text, settings_of
from seg_demo.train.config import TrainConfig
from seg_demo.train.presets import PRESETS
from seg_demo.ui.finetune.limits import OWNERS, check_settings
from seg_demo.ui.i18n import setting_text, text

PRESET = "finetune"
BASE = PRESETS[PRESET].config
FEW = ("optimizer.learning_rate", "batch_size", "data.crop", "loss.balance")
# What other parts of the page decide, and what a checkpoint says that a run starts from.
_ELSEWHERE = ("model.checkpoint", "model.weights", "data.source", "data.split", "steps", "epochs", "minutes")
FIXED = ("model.architecture", "model.arguments", "data.preprocessing.")
SECTIONS = ("model", "data", "augmentation", "loss", "optimizer", "schedule", "validation", "")


class SettingsForm:
    """The few settings that matter, and all others below "More".

    public: whether strangers use the page, who may not change what costs the server.
    """

    def __init__(self, public: bool) -> None:
        self.public, settings = public, settings_of(TrainConfig)
        left_out = (*_ELSEWHERE, *(OWNERS if public else ()))
        self.paths = [path for path in settings if path not in left_out]
        self._widgets: dict[str, Any] = {}
        with gr.Row(elem_classes="setting-row"):
            self._widgets |= {path: _widget(settings[path]) for path in FEW}
        with gr.Accordion(text("more_settings"), open=False, elem_id="ft-more-settings"):
            for section in SECTIONS:
                mine = [path for path in self.paths if path not in FEW and _section(path) == section]
                with (
                    gr.Accordion(text(f"section_{section or 'other'}"), open=False),
                    gr.Row(elem_classes="setting-row"),
                ):
                    self._widgets |= {path: _widget(settings[path]) for path in mine}

    @property
    def widgets(self) -> list[Any]:
        """In the order of `paths`."""
        return [self._widgets[path] for path in self.paths]

    def changes(self, values: Sequence[Any], from_checkpoint: bool) -> dict[str, str]:
        """What differs from the preset, as flags of `train`: path -> text.

        values: of the widgets, as a browser sent them. from_checkpoint: whether a checkpoint says what the network is.
        Raises `UserError` for a value that a setting cannot have, and where settings contradict each other.
        """
        given = zip(self.paths, values, strict=True)
        found = {path: "" if value is None else flag_text(value) for path, value in given}
        different = {path: value for path, value in found.items() if value != shown(path)}
        if from_checkpoint and (fixed := [path for path in different if path.startswith(FIXED)]):
            raise UserError(
                "The setting {path} is what the checkpoint says that the run starts from. Put it back, or start from "
                "scratch.",
                path=fixed[0],
            )  # fmt: skip
        check(different)
        if self.public:
            check_settings(different)
        return different


def check(flags: Mapping[str, str]) -> TrainConfig:
    """The configuration that flags ask for, over the preset. Raises `UserError` where they cannot be."""
    base = BASE
    if "model.architecture" in flags and "model.arguments" not in flags:
        base = replace(base, model=replace(base.model, arguments={}))  # those of another network
    config = changed(base, flags)
    ARCHITECTURES[config.model.architecture].check(config.model.architecture, config.model.arguments)
    return config


def shown(path: str) -> str:
    """The preset's value as its widget shows it."""
    return flag_text(attrgetter(path)(BASE))


def _section(path: str) -> str:
    head, dot, _ = path.partition(".")
    return head if dot else ""


def _widget(setting: Setting) -> Any:
    value = attrgetter(setting.path)(BASE)
    words: dict[str, Any] = {
        "label": setting.path, "info": setting_text(setting), "min_width": 220, "elem_id": f"ft-set-{setting.path}",
    }  # fmt: skip
    if setting.choices:
        return gr.Dropdown([(choice or "–", choice) for choice in setting.choices], value=value, **words)
    if setting.path == "model.architecture":
        return gr.Dropdown(list(ARCHITECTURES), value=value, **words)
    if setting.kind == "flag":
        return gr.Checkbox(value, **words)
    # A text field takes a number as it is written; one for numbers would refuse it without a word of ours.
    return gr.Textbox(flag_text(value), max_lines=1, **words)
