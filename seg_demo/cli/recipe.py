"""What a `train` command asks for: preset, file and flags as one configuration, and what is told of it."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import seg_demo

if TYPE_CHECKING:
    from seg_demo.train.config import TrainConfig
    from seg_demo.train.pictures import Pictures

LENGTH = ("steps", "epochs", "minutes")
# What may change when a run is resumed: its length, where its pictures are, and what does not touch the weights.
# The number of workers does: they leave fewer threads, which round otherwise.
RESUMABLE = (
    *LENGTH, "save_every", "data.source", "data.memory", "validation.patience", "validation.pictures",
)  # fmt: skip
SHORT = {"data.source": "data", "data.split": "split"}  # flags that are not called by the path of their setting
# A file is read over both: a length in which the results differ is one that it leaves open.
_LONG: Mapping[str, Any] = {"steps": 10**9, "epochs": 1e6, "minutes": 1e6}
_LESS_LONG: Mapping[str, Any] = {"steps": 10**8, "epochs": 1e5, "minutes": 1e5}
_FIXED = ("model.architecture", "model.arguments", "data.preprocessing.")  # by the checkpoint that a run starts from
_NETWORKS_OWN: Mapping[str, Any] = {"arguments": {}, "weights": "", "backbone_weights": ""}


def flags_of(arguments: argparse.Namespace) -> dict[str, str]:
    """The settings that are given as flags, by path."""
    from seg_demo.settings import settings_of
    from seg_demo.train.config import TrainConfig

    flags = {path: value for path, value in vars(arguments).items() if path in settings_of(TrainConfig)}
    if arguments.model and _is_checkpoint(arguments.model):
        flags["model.checkpoint"] = arguments.model
    elif arguments.model:
        flags |= {"model.architecture": arguments.model, "model.checkpoint": ""}
    for path in ("data.source", "model.checkpoint"):
        if path in flags:
            flags[path] = _absolute(flags[path])
    return flags


def asked(arguments: argparse.Namespace, run: TrainConfig | None = None) -> TrainConfig:
    """Preset, file and flags, each over what is before it; `run` is what flags alone are changes of, instead.

    A length that is given replaces the one before it, whatever it is counted in, and so does a network with all that is
    its own. Raises `UserError` for what is unknown or cannot be, for a flag that says what a checkpoint to start from
    fixes, and where no length is given.
    """
    from seg_demo.errors import UserError
    from seg_demo.settings import changed
    from seg_demo.train.config import read_settings

    base, flags = _base(arguments, run), dict(flags_of(arguments))
    length = {name: getattr(base, name) if arguments.preset or run else 0 for name in LENGTH}
    config = base
    if arguments.config:
        config = read_settings(arguments.config, replace(base, **_LONG))
        other = read_settings(arguments.config, replace(base, **_LESS_LONG))
        given = {name: getattr(config, name) for name in LENGTH if getattr(config, name) == getattr(other, name)}
        length = _one_length(given, length)
        if _network(config) != _network(base):
            config = read_settings(arguments.config, _bare(replace(base, **_LONG)))
        config = replace(config, data=replace(config.data, source=_absolute(config.data.source)))
        config = replace(config, model=replace(config.model, checkpoint=_absolute(config.model.checkpoint)))
    length = _one_length({name: flags.pop(name) for name in LENGTH if name in flags}, length)
    if not (arguments.preset or arguments.config or any(length.values())):
        raise UserError(
            "Give a preset (--preset NAME, --list shows all), settings of your own (--config FILE), or a length of the "
            "run (--steps, --epochs or --minutes)."
        )
    network = tuple(flags.get(f"model.{name}", value) for name, value in zip(_NETWORK, _network(config), strict=True))
    if network != _network(config):
        config = _bare(config)
    config = changed(config, {**flags, **length})
    if config.model.checkpoint and (fixed := [path for path in flags if path.startswith(_FIXED)]):
        raise UserError(
            "{flag} is given together with the checkpoint {checkpoint}, which says it itself. Leave one of them out.",
            flag=flag(fixed[0]), checkpoint=Path(config.model.checkpoint),
        )  # fmt: skip
    return config


def differing(one: TrainConfig, other: TrainConfig) -> list[str]:
    """The paths of the settings in which two configurations differ."""
    from seg_demo.settings import settings_of
    from seg_demo.train.config import TrainConfig

    paths = (*settings_of(TrainConfig), "data.classes")
    return [path for path in paths if attrgetter(path)(one) != attrgetter(path)(other)]


def unchanged(
    config: TrainConfig, asked: TrainConfig, pictures: Pictures, about: dict[str, Any], run: Path
) -> TrainConfig:
    """`config` of a run if a command that asks for `asked` would have begun the same one."""
    from seg_demo.cli.obstacles import check_model
    from seg_demo.errors import UserError, shorten
    from seg_demo.settings import changed
    from seg_demo.train.start import complete

    values = {path: attrgetter(path)(config) for path in RESUMABLE}
    asked = changed(asked, values)
    if not differing(asked, config):
        return config
    if asked.loss.balance != "none":  # of the same pictures, they are the same
        asked = replace(asked, loss=replace(asked.loss, balance="none", class_weights=config.loss.class_weights))
    if asked.model.checkpoint:
        check_model(Path(asked.model.checkpoint))
    full = complete(asked, pictures)
    task = asked.data.task if asked.data.task != "auto" else full.data.task
    full = replace(full, data=replace(full.data, task=task, classes=asked.data.classes or full.data.classes))
    other = differing(full, config)
    if "model.checkpoint" in other and base_checkpoint(full) == about.get("base_checkpoint"):
        other.remove("model.checkpoint")  # it has moved
        config = replace(config, model=replace(config.model, checkpoint=full.model.checkpoint))
    if other:
        told = [
            f"{path} {shorten(attrgetter(path)(config))}, not {shorten(attrgetter(path)(full))}" for path in other[:3]
        ]
        raise UserError(
            "The run {run} was begun with {settings}. Give it the same, or start a new run.",
            run=run, settings="; ".join(told) + (f"; and {len(other) - 3} more" if other[3:] else ""),
        )  # fmt: skip
    return config


def about(arguments: argparse.Namespace, config: TrainConfig, pictures: Pictures) -> dict[str, Any]:
    """What checkpoints and the run say of their origin, besides what the loop knows; no path of this machine."""
    from seg_demo.train.presets import PRESETS

    preset = PRESETS.get(arguments.preset or "")
    same_network = preset is not None and preset.config.model.architecture == config.model.architecture
    return {
        "about": preset.about if preset and same_network else "",
        "preset": arguments.preset or "none",
        "base_checkpoint": base_checkpoint(config),
        "revision": revision(),
        "data_fingerprint": pictures.fingerprint,
        "recipe": config.sentence(),
        "command": command(arguments),
    }


def base_checkpoint(config: TrainConfig) -> str:
    """What the weights began as, in words: "mine/best", which is a checkpoint of a run, or what was published."""
    model = config.model
    if model.checkpoint:
        folder = Path(model.checkpoint)
        return f"{folder.parent.name}/{folder.name}" if folder.name in ("last", "best") else folder.name
    if model.weights:
        return f"{model.architecture} of {model.weights}"
    return f"backbone of {model.backbone_weights}" if model.backbone_weights else "none, random weights"


def command(arguments: argparse.Namespace) -> str:
    """The command that makes this run again; settings of a file are flags in it, but for classes, which have none."""
    from seg_demo.settings import flag_text

    config = asked(arguments)
    words = ["python", "-m", "seg_demo", "train"]
    words += ["--preset", arguments.preset] if arguments.preset else []
    other = differing(config, _base(arguments))
    if config.model.checkpoint:  # which says the rest
        other = [path for path in other if not path.startswith(_FIXED)]
    words += ["--config", "FILE"] if "data.classes" in other else []
    known = {"data.source": _name, "model.checkpoint": lambda _: "MODEL"}
    length = [name for name in LENGTH if name in other or not arguments.preset]
    for path in [*(name for name in other if name not in (*LENGTH, "data.classes")), *length]:
        value = attrgetter(path)(config)
        if path in LENGTH and not value:
            continue
        words += [flag(path), known.get(path, flag_text)(value)]
    return shlex.join([*words, "--run", "RUN"])


def flag(path: str) -> str:
    return f"--{SHORT.get(path, path)}"


def revision() -> str:
    """The commit of this code, with "-dirty" where it was changed since; "unknown" outside a clone."""
    here = Path(seg_demo.__file__)
    found = ""
    # A virtual environment may lie in the repository of something else.
    for words in (
        ["ls-files", "--error-unmatch", here.name],
        ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
    ):
        git = ["git", "--no-optional-locks", "-C", str(here.parent), *words]
        try:
            found = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return "unknown"
    return found


_NETWORK = ("architecture", "checkpoint")


def _network(config: TrainConfig) -> tuple[str, ...]:
    return tuple(getattr(config.model, name) for name in _NETWORK)


def _bare(config: TrainConfig) -> TrainConfig:
    """Without what belongs to its network alone."""
    return replace(config, model=replace(config.model, **_NETWORKS_OWN))


def _base(arguments: argparse.Namespace, run: TrainConfig | None = None) -> TrainConfig:
    """What file and flags are changes of."""
    from seg_demo.registry import look_up
    from seg_demo.train.config import TrainConfig
    from seg_demo.train.presets import PRESETS

    if arguments.preset:
        return look_up("preset", PRESETS, arguments.preset).config
    return run if run and not arguments.config else TrainConfig(steps=1)


def _one_length(given: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    return {**dict.fromkeys(LENGTH, 0), **given} if given else dict(before)


def _is_checkpoint(model: str) -> bool:
    """Whether it is the path of a folder; else it is the name of a network."""
    return Path(model, "config.json").is_file() or Path(model).name != model


def _absolute(source: str) -> str:
    """A run may be resumed from another folder; what is no path stays as it is."""
    return source if not source or _is_named(source) else os.path.abspath(source)


def _is_named(source: str) -> bool:
    from seg_demo.data.registry import SOURCES

    kind, colon, _ = source.partition(":")
    return bool(colon) and kind in SOURCES


def _name(source: str) -> str:
    return source if _is_named(source) else "DIR"
