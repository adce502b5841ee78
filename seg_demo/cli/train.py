"""`train`: a preset, or a configuration of one's own, + labelled pictures -> a run, and checkpoints in it."""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seg_demo.cli.values import whole

if TYPE_CHECKING:
    from seg_demo.train.config import TrainConfig
    from seg_demo.train.events import Event
    from seg_demo.train.pictures import Pictures
    from seg_demo.train.ranks import Ranks
    from seg_demo.train.run import Run

# What may change when a run is resumed: its length, where its pictures are, and what does not touch the weights.
RESUMABLE = {
    "steps", "epochs", "minutes", "save_every", "data.source", "data.workers", "data.memory", "validation.patience",
    "validation.pictures",
}  # fmt: skip
SHORT = {"data": "data.source", "split": "data.split"} | {name: name for name in ("steps", "epochs", "minutes", "seed")}


def configure(parser: argparse.ArgumentParser) -> None:
    from seg_demo.settings import settings_of
    from seg_demo.train.config import TrainConfig

    parser.usage = "%(prog)s --preset NAME --data DIR --run DIR [--resume] [--minutes M] [--SETTING X ...]"
    parser.add_argument("--preset", metavar="NAME", help="the recipe, such as newts-binary; --list shows all")
    parser.add_argument("--list", action=_ListPresets, nargs=0, help="list the presets and their sources, and exit")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings as TOML or JSON, over those of the preset"
    )
    parser.add_argument(
        "--data", metavar="DIR", help="a folder of labelled pictures, procedural:COUNT, or hub:OWNER/NAME"
    )
    parser.add_argument("--split", metavar="NAME", help="pictures to learn from: train (default) or trainval")
    parser.add_argument("--model", metavar="MODEL", help="a checkpoint folder to start from, or the name of a network")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", metavar="N", help="optimisation steps, instead of the preset's length")
    length.add_argument("--epochs", metavar="N", help="passes over the pictures, instead of the preset's length")
    length.add_argument("--minutes", metavar="M", help="minutes of training, instead of the preset's length")
    parser.add_argument("--seed", metavar="N", help="instead of the preset's")
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="the folder of this run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in DIR, if there is one")
    parser.add_argument("--seconds", type=whole(1, 10**9), metavar="S", help="stop after so long; --resume goes on")
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1, ... (default: CUDA where there is one)")
    parser.add_argument("--no-check", action="store_true", help="start although the check of the pictures finds errors")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="copy the best checkpoint, or else the last, to this folder"
    )
    group = parser.add_argument_group(
        "settings", "All of the configuration; what each is by default may be set by a preset."
    )
    for path, setting in settings_of(TrainConfig).items():
        if path not in SHORT:
            sentence = f"{setting.sentence} {setting.wanted}, {_shown(setting.default)} by default".replace("%", "%%")
            group.add_argument(f"--{path}", dest=path, metavar="X", help=sentence, default=argparse.SUPPRESS)


class _ListPresets(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from seg_demo.cli.text import wrapped, write
        from seg_demo.train.presets import PRESETS

        lines = []
        for name, preset in PRESETS.items():
            lines += [name, *wrapped(preset.about, 2), *wrapped(f"Source: {preset.source}", 2)]
            lines += [*wrapped(f"Published: {preset.published}", 2), ""]
        write("\n".join(lines[:-1]))
        parser.exit()


def run(arguments: argparse.Namespace) -> int:
    from seg_demo.checkpoint import load_checkpoint, save_checkpoint
    from seg_demo.cli.progress import StopSignals, Watcher
    from seg_demo.train.events import RunFailed, RunStopped
    from seg_demo.train.loop import train
    from seg_demo.train.ranks import Ranks
    from seg_demo.train.run import Run

    ranks, folder = Ranks.of_environment(), Run(arguments.run)
    config, pictures, about = _begun(arguments, folder, ranks)
    last: Event | None = None
    with StopSignals() as stop, Watcher(config, ranks.writes) as watcher:
        events = train(
            config, pictures, folder, about,
            seconds=arguments.seconds or math.inf, stop=stop, device=arguments.device, ranks=ranks,
        )  # fmt: skip
        for last in folder.record(events) if ranks.writes else events:
            watcher.show(last)
    folder.close()
    if not ranks.writes:
        return 0
    if isinstance(last, RunFailed):
        print(f"error: {last.reason}", file=sys.stderr)
        return 1
    if isinstance(last, RunStopped):
        print(f"Stopped after step {last.step}. Go on with: python -m seg_demo train --run {arguments.run} --resume")
        return 130 if stop() else 0
    if arguments.out:
        finished = load_checkpoint(folder.best if folder.best.is_dir() else folder.last)
        save_checkpoint(arguments.out, finished.model, finished.config)
        print(f"Saved {arguments.out}")
    return 0


def _begun(arguments: argparse.Namespace, folder: Run, ranks: Ranks) -> tuple[TrainConfig, Pictures, dict[str, Any]]:
    """The run folder held by process 0, new or resumed, and what it is to do."""
    from seg_demo.errors import UserError
    from seg_demo.train.pictures import open_pictures
    from seg_demo.train.start import complete

    resumed = arguments.resume and (folder.exists or not (arguments.preset or arguments.config))
    if resumed:
        config, about = ranks.first(_resumed(arguments, folder) if ranks.writes else (_configured(arguments), {}))
    else:
        config, about = _configured(arguments), {}
    pictures = open_pictures(config)
    if resumed and pictures.fingerprint != about.get("data_fingerprint"):
        raise UserError(
            "The pictures of {source} are not those that the run {run} has learned from. Bring them back, or start a "
            "new run.",
            source=config.data.source or "this run", run=folder.folder,
        )  # fmt: skip
    if not resumed:
        if config.data.source and not arguments.no_check and ranks.writes:
            _check(config.data.source)
        config = complete(config, pictures)
        about = _about(arguments, config, pictures)
        if ranks.writes:
            folder.begin(config, about)
    ranks.wait()  # until the folder is there
    return config, pictures, about


def _changes(arguments: argparse.Namespace) -> dict[str, object]:
    """What the flags say, by the path of the setting."""
    given = {path: getattr(arguments, name) for name, path in SHORT.items() if getattr(arguments, name) is not None}
    if {"steps", "epochs", "minutes"} & set(given):  # instead of the preset's
        given = {"steps": "0", "epochs": "0", "minutes": "0"} | given
    given |= {path: value for path, value in vars(arguments).items() if "." in path or path in _TOP}
    if arguments.model:
        checkpoint = (Path(arguments.model) / "config.json").is_file() or "/" in arguments.model
        given["model.checkpoint" if checkpoint else "model.architecture"] = arguments.model
    return given


_TOP = ("batch_size", "accumulate", "average", "precision", "channels_last", "compile", "save_every")


def _configured(arguments: argparse.Namespace) -> TrainConfig:
    """Preset, file and flags, each over what is before it."""
    from seg_demo.errors import UserError
    from seg_demo.registry import look_up
    from seg_demo.settings import changed
    from seg_demo.train.config import TrainConfig, read_settings
    from seg_demo.train.presets import PRESETS

    if arguments.preset:
        config = look_up("preset", PRESETS, arguments.preset).config
    elif arguments.config:
        config = TrainConfig(steps=1000)
    else:
        raise UserError("Give a preset (--preset NAME, --list shows all) or settings of your own (--config FILE).")
    if arguments.config:
        config = read_settings(arguments.config, config)
    changes = _changes(arguments)
    if changes.get("model.architecture", config.model.architecture) != config.model.architecture:
        changes = {
            "model.arguments": {},
            "model.weights": "",
            "model.backbone_weights": "",
        } | changes  # the other's own
    return changed(config, changes)


def _resumed(arguments: argparse.Namespace, folder: Run) -> tuple[TrainConfig, dict[str, Any]]:
    from seg_demo.errors import UserError
    from seg_demo.settings import changed, to_document

    config, about = folder.go_on()
    other = changed(config, _changes(arguments))
    allowed = changed(other, {path: _value(to_document(config), path) for path in RESUMABLE})
    if allowed != config:
        raise UserError(
            "The run {run} was begun with other settings than these flags say. Leave them out, or start a new run.",
            run=folder.folder,
        )
    return other, about


def _value(document: dict[str, Any], path: str) -> object:
    for name in path.split("."):
        document = document[name]
    return document


def _check(source: str) -> None:
    """Refuse pictures that training would fail on, or learn nonsense from."""
    from seg_demo.data.check import check
    from seg_demo.data.registry import named_splits
    from seg_demo.errors import UserError

    if named_splits(source):
        return
    report = check(source).report
    errors = [finding for finding in report.findings if finding.severity == "error"]
    if errors:
        raise UserError(
            "{folder} cannot be learned from yet: {error} ({count} errors in all). `data check {folder}` tells all of "
            "them, `--repair OUT` mends a copy.",
            folder=source, error=errors[0].sentence, count=len(errors),
        )  # fmt: skip


def _about(arguments: argparse.Namespace, config: TrainConfig, pictures: Pictures) -> dict[str, Any]:
    """What checkpoints and the run say of their origin, besides what the loop knows."""
    from seg_demo.train.presets import PRESETS

    preset = PRESETS.get(arguments.preset or "")
    model = config.model
    weights = model.weights or model.backbone_weights
    return {
        "about": preset.about if preset else "",
        "preset": arguments.preset or "none",
        "base_checkpoint": Path(model.checkpoint).name if model.checkpoint else weights or "none, random weights",
        "revision": _revision(),
        "data_fingerprint": pictures.fingerprint,
        "recipe": config.sentence(),
        "command": " ".join(_command(arguments)),
    }


def _revision() -> str:
    """The commit of this code; "unknown" outside a clone."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _command(arguments: argparse.Namespace) -> list[str]:
    """The command that makes this run again, without the paths of this machine."""
    words = ["python -m seg_demo train", *([f"--preset {arguments.preset}"] if arguments.preset else [])]
    paths = {"data.source": "DIR", "model.checkpoint": "MODEL"}
    given = {path: value for path, value in _changes(arguments).items() if value != "0"}
    short = {path: name for name, path in SHORT.items()} | {"model.checkpoint": "model"}
    words += ["--config FILE"] if arguments.config else []
    words += [f"--{short.get(path, path)} {paths.get(path, value)}" for path, value in given.items()]
    return [*words, "--run RUN"]


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(f"{part:g}" for part in value) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value not in ("", {}) else "none"
