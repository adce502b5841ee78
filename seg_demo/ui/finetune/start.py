"""The second step: what a run starts from, how long it is, and its settings."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from seg_demo.errors import UserError, shorten
from seg_demo.infer.library import Library
from seg_demo.infer.pretrained import PRETRAINED
from seg_demo.jobs.workspace import Workspace
from seg_demo.ui.finetune import limits
from seg_demo.ui.finetune.bench import Bench
from seg_demo.ui.finetune.settings_form import BASE, PRESET, SettingsForm, check
from seg_demo.ui.fragment import Fragment, Node, element
from seg_demo.ui.i18n import say, text
from seg_demo.ui.segment import ModelPicker
from seg_demo.ui.visitors import Visitors

SCRATCH = "scratch"
UNITS = ("minutes", "epochs")
MEASURED_ON = "--data.validation_split="
DEFAULT_MINUTES = 5


class StartPart:
    """Builds the step inside the `gr.Blocks` that is being built."""

    def __init__(self, visitors: Visitors, library: Library) -> None:
        self.visitors, self.library = visitors, library
        with gr.Column(elem_classes="finetune-tab narrow"):
            self.about = Fragment(elem_id="ft-start-about")
            self.start = ModelPicker(
                self.choices(None), value=SCRATCH, label=text("start_from"), info=text("start_from_info"),
                elem_id="ft-start-from",
            )  # fmt: skip
            with gr.Row(elem_classes="setting-row"):
                self.amount = gr.Textbox(
                    str(DEFAULT_MINUTES), label=text("how_long"), max_lines=1, min_width=160, elem_id="ft-amount"
                )
                self.unit = gr.Radio(
                    [(text(unit), unit) for unit in UNITS], value=UNITS[0], label=text("counted_in"), elem_id="ft-unit"
                )
            self.form = SettingsForm(visitors.public)
            self.go = gr.Button(text("start_run"), variant="primary", visible=False, elem_id="ft-start")

    @property
    def inputs(self) -> list[Any]:
        return [self.start, self.amount, self.unit, *self.form.widgets]

    def choices(self, workspace: Workspace | None) -> list[tuple[str, str]]:
        """(shown title, name) of what a run can start from: checkpoints, published networks, or nothing."""
        entries = self.library.entries(workspace.checkpoints if workspace else None).values()
        return [*((entry.title, entry.name) for entry in entries), (text("from_scratch"), SCRATCH)]

    def flags(self, values: Sequence[Any]) -> list[str]:
        """The flags of `train` that the widgets ask for; values: of `inputs`, as a browser sent them.

        Raises `UserError` for what cannot be.
        """
        start, amount, unit, *settings = values
        entry = self.library.entry(str(start)) if start != SCRATCH else None
        asked = self.form.changes(settings, from_checkpoint=entry is not None)
        if entry and entry.folder is None:
            found = PRETRAINED[entry.name]
            asked["model.architecture"] = found.architecture
            asked["model.arguments"] = json.dumps({"backbone": found.backbone})
            asked["model.weights"] = "coco-voc"
        unit = str(unit) if unit in UNITS else UNITS[0]
        asked[unit] = self._length(amount, unit)
        check(asked)
        words = [f"--{path}={value}" for path, value in asked.items()]  # a value may begin with "-"
        words = ["--preset", PRESET, *words]
        return [*words, "--model", str(entry.folder)] if entry and entry.folder else words

    def _length(self, amount: object, unit: str) -> str:
        try:
            number = float(str(amount).strip())
        except ValueError:
            number = math.nan
        if not 0 < number <= 1e6:
            raise UserError(
                "The length of the run is {amount}. Write a number of {unit}.", amount=shorten(amount), unit=unit
            )
        if self.visitors.public:
            limits.check_minutes(number if unit == "minutes" else math.inf)
        return f"{number:.12g}"


def told(bench: Bench, language: str) -> list[Node]:
    """What will be learned from, in a line."""
    report = bench.shown.report
    splits = say("comma", language).join(say(f"split_{split}", language, count=n) for split, n in report.splits.items())
    classes = [
        element("span", element("span", color=color, class_="swatch", aria_hidden="true"), name, class_="class")
        for name, color in zip(report.classes.names[:12], report.classes.colors, strict=False)
    ]
    more = [f"… (+{len(report.classes) - 12})"] if len(report.classes) > 12 else []
    few = [element("p", say("nothing_to_measure_on", language), class_="quiet")] if "val" not in report.splits else []
    return [
        element("section", element("h3", bench.name), element("p", splits), element("p", *classes, *more), *few,
                class_="card good")
    ]  # fmt: skip


def measurable(flags: Sequence[str], bench: Bench) -> list[str]:
    """The flags, but nothing is measured on a split that the pictures do not have, which would end the run."""
    given = [word.removeprefix(MEASURED_ON) for word in flags if word.startswith(MEASURED_ON)]
    split = given[-1] if given else BASE.data.validation_split
    return [*flags] if not split or split in bench.shown.report.splits else [*flags, MEASURED_ON]


def nothing_yet(bench: Bench | None, language: str) -> list[Node]:
    """Why no run can start."""
    sentence = say("bring_first" if bench is None else "mend_first", language)
    return [element("section", element("p", sentence), class_="card note")]


def data_name(bench: Bench) -> str:
    """What the data set is called, without what the kind of file adds."""
    return Path(bench.name.split(" (+")[0]).stem
