"""config.json of a checkpoint: what it holds, and how a stranger's file is checked. Needs no torch."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from seg_demo import __version__
from seg_demo.classes import MAX_CLASSES, MAX_NAME_LENGTH, ClassMap, Task
from seg_demo.data.preprocessing import Preprocessing, ResizeRule
from seg_demo.errors import Sentence, UserError, shorten
from seg_demo.models.registry import find_architecture

MAX_CONFIG_BYTES = 1 << 20
MOST_DIGITS = 20  # of a whole number
DEEPEST = 32  # objects and lists inside each other
_ONE_LINE = re.compile(rf"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]{{1,{MAX_NAME_LENGTH}}}")


class ConfigError(UserError):
    """A config.json that cannot be used; the sentence names the file and the entry."""


@dataclass(frozen=True)
class CheckpointConfig:
    """Everything besides the weights that is needed to run a model and to say where it comes from.

    arguments: constructor arguments of `architecture`. threshold: probability at and above which a pixel is
    in the mask of the task "binary". training, metrics: what made the weights, and what was measured on
    which split; free in form.
    """

    architecture: str
    arguments: dict[str, Any]
    task: Task
    classes: ClassMap
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    threshold: float = 0.5
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    seg_demo_version: str = __version__

    @property
    def num_outputs(self) -> int:
        """Channels of the logits: 1 for the task "binary", else one per class."""
        return 1 if self.task == "binary" else len(self.classes)

    def to_json(self) -> str:
        preprocessing = self.preprocessing
        document = {
            "seg_demo_version": self.seg_demo_version,
            "architecture": self.architecture,
            # With the defaults, so that another version's cannot change the model.
            "arguments": find_architecture(self.architecture).check(self.architecture, self.arguments),
            "task": self.task,
            "num_labels": len(self.classes),
            "id2label": {str(class_id): name for class_id, name in enumerate(self.classes.names)},
            "label2id": {name: class_id for class_id, name in enumerate(self.classes.names)},
            "palette": [list(color) for color in self.classes.colors],
            "ignore_index": self.classes.ignore_index,
            "preprocessing": {
                "resize": preprocessing.resize,
                "size": preprocessing.size,
                "mean": list(preprocessing.mean),
                "std": list(preprocessing.std),
                "interpolation": preprocessing.interpolation,
            },
            "threshold": self.threshold,
            "training": self.training,
            "metrics": self.metrics,
        }
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_config(folder: Path) -> CheckpointConfig:
    """Read and check `folder`/config.json. Raises `ConfigError` with one sentence for anything wrong."""
    path = folder / "config.json"
    if not path.is_file():
        raise ConfigError(
            "{folder} is not a checkpoint: it holds no config.json. Choose a folder that a training run or a "
            "download has made.",
            folder=folder,
        )  # fmt: skip
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            "{path} cannot be read ({reason}). Check its permissions.", path=path, reason=error.strerror
        ) from None
    return parse_config(content, str(path))


def parse_config(content: bytes, where: str) -> CheckpointConfig:
    """The config that the bytes of a config.json hold. where: how sentences name the file. Raises `ConfigError`."""
    if len(content) > MAX_CONFIG_BYTES:
        raise ConfigError("{path} is larger than 1 MB, which no config is. Take another checkpoint.", path=where)
    try:
        document = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant, parse_int=_whole)
        # Written again, numbers beyond a float (1e999) and halves of characters show: no file could hold them.
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise ConfigError(
            "{path} is not valid JSON: it is damaged or was edited by hand. Copy the checkpoint again.", path=where
        ) from None
    if _is_deep(document):
        raise ConfigError(
            "{path} is nested more than {most} deep, which no config is. Take another checkpoint.",
            path=where, most=DEEPEST,
        )  # fmt: skip
    return _Reader(where).config(document)


def _is_deep(document: object) -> bool:
    """Whether it holds more layers than whatever writes it again, shows it or copies it can take."""
    layer = [document]
    for _ in range(DEEPEST):
        layer = [
            part
            for each in layer
            if isinstance(each, dict | list)
            for part in (each.values() if isinstance(each, dict) else each)
        ]
        if not layer:
            return False
    return True


def _whole(digits: str) -> int:
    """Raises `ValueError` for a number that no other program can read, and none can show."""
    if len(digits) > MOST_DIGITS:
        raise ValueError(digits[:MOST_DIGITS])
    return int(digits)


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


class _Reader:
    """Turns a JSON document of unknown origin into a `CheckpointConfig`, entry by entry."""

    def __init__(self, where: str) -> None:
        self.where = where

    def wrong(self, entry: str, wanted: Sentence, value: object) -> ConfigError:
        return ConfigError(
            '{where}: "{entry}" must be {wanted}, not {value}. Mend it, or take the checkpoint from its source again.',
            where=self.where, entry=entry, wanted=wanted, value=shorten(value),
        )  # fmt: skip

    def table(self, document: dict[str, Any], entry: str) -> dict[str, Any]:
        value = document.get(entry, {})
        if not isinstance(value, dict):
            raise self.wrong(entry, Sentence("a JSON object"), value)
        return value

    def text(self, value: object, entry: str) -> str:
        if not isinstance(value, str) or not value.strip() or not _ONE_LINE.fullmatch(value):
            raise self.wrong(
                entry, Sentence("a text of 1 to {most} characters in one line", most=MAX_NAME_LENGTH), value
            )
        return value

    def whole(self, value: object, entry: str, low: int, high: int) -> int:
        if type(value) is not int or not low <= value <= high:
            raise self.wrong(entry, Sentence("a whole number from {low} to {high}", low=low, high=high), value)
        return value

    def number(self, value: object, entry: str, low: float, high: float) -> float:
        if type(value) not in (int, float) or not low <= cast(float, value) <= high:
            raise self.wrong(entry, Sentence("a number from {low:g} to {high:g}", low=low, high=high), value)
        return float(cast(float, value))

    def choice(self, value: object, entry: str, choices: tuple[str, ...]) -> str:
        if not isinstance(value, str) or value not in choices:
            raise self.wrong(entry, Sentence("one of {choices}", choices=", ".join(choices)), value)
        return value

    def config(self, document: object) -> CheckpointConfig:
        if not isinstance(document, dict):
            raise self.wrong(Sentence("the file"), Sentence("a JSON object"), document)
        try:
            name = document.get("architecture", "")
            arguments = find_architecture(name).check(name, self.table(document, "arguments"))
        except ConfigError:
            raise
        except UserError as error:
            raise ConfigError("{where}: {problem}", where=self.where, problem=error) from None
        task = cast(Task, self.choice(document.get("task"), "task", get_args(Task)))
        return CheckpointConfig(
            architecture=name,
            arguments=arguments,
            task=task,
            classes=self.classes(document, task),
            preprocessing=self.preprocessing(self.table(document, "preprocessing")),
            threshold=self.number(document.get("threshold", 0.5), "threshold", 0, 1),
            training=self.table(document, "training"),
            metrics=self.table(document, "metrics"),
            seg_demo_version=self.text(document.get("seg_demo_version"), "seg_demo_version"),
        )

    def classes(self, document: dict[str, Any], task: Task) -> ClassMap:
        count = self.whole(document.get("num_labels"), "num_labels", 2 if task == "binary" else 1, MAX_CLASSES)
        if task == "binary" and count != 2:
            raise self.wrong("num_labels", Sentence("2 for the task binary (background and the class)"), count)
        ids = [str(class_id) for class_id in range(count)]
        id2label = self.table(document, "id2label")
        if set(id2label) != set(ids):
            raise self.wrong("id2label", Sentence('an object with the keys "0" to "{last}"', last=count - 1), id2label)
        names = tuple(self.text(id2label[class_id], f"id2label.{class_id}") for class_id in ids)
        if self.table(document, "label2id") != {name: class_id for class_id, name in enumerate(names)}:
            raise self.wrong("label2id", Sentence("the inverse of id2label"), document.get("label2id"))
        palette = document.get("palette")
        if not isinstance(palette, list) or len(palette) != count:
            raise self.wrong("palette", Sentence("a list of {count} colours", count=count), palette)
        for color in palette:
            if not isinstance(color, list) or len(color) != 3:
                raise self.wrong("palette", Sentence("a list of [red, green, blue] triples"), color)
            for part in color:
                self.whole(part, "palette", 0, 255)
        ignore_index = self.whole(document.get("ignore_index", 255), "ignore_index", count, 255)
        try:
            return ClassMap(names, tuple((red, green, blue) for red, green, blue in palette), ignore_index)
        except UserError as error:
            raise ConfigError("{where}: {problem}", where=self.where, problem=error) from None

    def preprocessing(self, table: dict[str, Any]) -> Preprocessing:
        default = Preprocessing()
        resize = self.choice(table.get("resize", default.resize), "preprocessing.resize", get_args(ResizeRule))
        interpolation = table.get("interpolation", default.interpolation)
        return Preprocessing(
            resize=cast(ResizeRule, resize),
            size=self.whole(table.get("size", default.size), "preprocessing.size", 1, 8192),
            mean=self.triple(table.get("mean", list(default.mean)), "preprocessing.mean", -10, 10),
            std=self.triple(table.get("std", list(default.std)), "preprocessing.std", 1e-3, 10),
            interpolation=cast(
                Literal["bilinear"], self.choice(interpolation, "preprocessing.interpolation", ("bilinear",))
            ),
        )

    def triple(self, value: object, entry: str, low: float, high: float) -> tuple[float, float, float]:
        if not isinstance(value, list) or len(value) != 3:
            raise self.wrong(entry, Sentence("a list of three numbers"), value)
        red, green, blue = (self.number(part, entry, low, high) for part in value)
        if not all(map(math.isfinite, (red, green, blue))):
            raise self.wrong(entry, Sentence("a list of three finite numbers"), value)
        return red, green, blue
