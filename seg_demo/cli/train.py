"""`train`: a preset, or a configuration of one's own, + labelled pictures -> a run, and checkpoints in it."""

from __future__ import annotations

import argparse
import gc
import math
import os
import shlex
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seg_demo.cli import obstacles
from seg_demo.cli.text import write
from seg_demo.cli.values import whole

if TYPE_CHECKING:
    from seg_demo.settings import Setting
    from seg_demo.train.config import TrainConfig
    from seg_demo.train.events import Event
    from seg_demo.train.pictures import Pictures
    from seg_demo.train.ranks import Ranks
    from seg_demo.train.run import Run

EPILOG = """\
A length that is given (--steps, --epochs or --minutes) replaces the preset's. A file for --config holds any of the
settings above, such as this one in TOML; the config.json of another run is one as well:

  epochs = 20
  [model]
  architecture = "deeplabv3"
  arguments = {backbone = "resnet50"}
  [optimizer]
  learning_rate = 0.0005

Ctrl-C stops a run after its step. The same command with --resume goes on, and so does --run DIR --resume alone.

Several GPUs:  torchrun --nproc-per-node 2 -m -- seg_demo train --preset NAME --data DIR --run DIR
"""
SECTIONS = {
    "model": "network", "data": "pictures", "augmentation": "variation of the pictures", "loss": "loss",
    "optimizer": "optimiser", "schedule": "learning rate", "validation": "validation", "": "other settings",
}  # fmt: skip
LENGTH_HELP = {
    "steps": "length in optimisation steps", "epochs": "length in passes over the pictures",
    "minutes": "length in minutes of training",
}  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s --preset NAME --data DIR --run DIR [--resume] [--minutes M] [--SETTING X ...]"
    parser.allow_abbrev = False  # of so many flags, an abbreviation soon means another one
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    left_out: Any = {"default": argparse.SUPPRESS}
    parser.add_argument("--preset", metavar="NAME", help="the recipe, such as newts-binary; --list shows all")
    parser.add_argument("--list", action=_ListPresets, nargs=0, help="list the presets and their sources, and exit")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings as TOML or JSON, over those of the preset"
    )
    parser.add_argument(
        "--data", dest="data.source", metavar="DIR", **left_out,
        help="a folder of labelled pictures, procedural:COUNT, or hub:OWNER/NAME",
    )  # fmt: skip
    parser.add_argument(
        "--split", dest="data.split", metavar="NAME", help="pictures to learn from: train or trainval", **left_out
    )
    parser.add_argument("--model", metavar="MODEL", help="a checkpoint folder to start from, or the name of a network")
    length = parser.add_mutually_exclusive_group()
    for name, sentence in LENGTH_HELP.items():
        length.add_argument(f"--{name}", metavar="N", help=sentence, **left_out)
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="the folder of this run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in DIR, if there is one")
    parser.add_argument("--seconds", type=whole(1, 10**9), metavar="S", help="stop after so long; --resume goes on")
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1, ... (default: CUDA where there is one)")
    parser.add_argument("--no-check", action="store_true", help="start although the check of the pictures finds errors")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="copy the best checkpoint, or else the last, to this folder"
    )
    _add_settings(parser)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """A flag for each setting, in the groups of the configuration."""
    from seg_demo.cli.recipe import SHORT
    from seg_demo.settings import settings_of
    from seg_demo.train.config import TrainConfig

    settings = settings_of(TrainConfig)
    for section, title in SECTIONS.items():
        group = parser.add_argument_group(title)
        for path, setting in settings.items():
            own = path.rpartition(".")[0].partition(".")[0] == section
            if own and path not in SHORT and path not in LENGTH_HELP:
                group.add_argument(
                    f"--{path}", dest=path, metavar="X", default=argparse.SUPPRESS, help=_explained(setting)
                )


def _explained(setting: Setting) -> str:
    from seg_demo.settings import flag_text

    default = flag_text(setting.default) if setting.default not in ("", (), {}) else "none"
    return f"{setting.sentence} ({setting.wanted}; default {default})".replace("%", "%%")


class _ListPresets(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from seg_demo.cli.text import wrapped
        from seg_demo.train.presets import PRESETS

        lines = []
        for name, preset in PRESETS.items():
            lines += [name, *wrapped(preset.about, 2), *wrapped(f"Source: {preset.source}", 2)]
            lines += [*wrapped(f"Published: {preset.published}", 2), ""]
        write("\n".join(lines[:-1]))
        parser.exit()


@dataclass(frozen=True)
class Begun:
    """A run that is held, and what it is to do."""

    config: TrainConfig
    pictures: Pictures
    about: dict[str, Any]
    resumed: bool


def run(arguments: argparse.Namespace) -> int:
    gc.disable()  # What is imported stays, and to look through it again and again takes a quarter of the time.
    from seg_demo.cli.progress import Watcher
    from seg_demo.cli.stopping import StopSignals
    from seg_demo.train.events import RunStarted, RunStopped
    from seg_demo.train.loop import train
    from seg_demo.train.ranks import Ranks
    from seg_demo.train.run import Run

    gc.enable()
    ranks, folder = Ranks.of_environment(), Run(arguments.run)
    if arguments.device:
        obstacles.check_device(arguments.device, ranks.world)
    if ranks.writes:
        obstacles.check_places(arguments)
    started: Event | None = None
    last: Event | None = None
    try:
        begun = _begin(arguments, folder, ranks)
        _share_cores(begun.config.data.workers)
        grace = 1.0 if ranks.world > 1 else 0.0
        with StopSignals(ranks.writes, grace) as stop, Watcher(ranks.writes) as watcher:
            events = train(
                begun.config, begun.pictures, folder, begun.about,
                seconds=arguments.seconds or math.inf, stop=stop, device=arguments.device, ranks=ranks,
            )  # fmt: skip
            stream: Any = folder.record(events) if ranks.writes else events
            with closing(stream):  # while the run is held
                for last in stream:
                    started = last if isinstance(last, RunStarted) else started
                    watcher.show(last)
    finally:
        folder.close()
    if ranks.writes and last:
        code = _ended(arguments, folder, begun, started, last)
        if code:
            return code
    return 128 + stop.number if isinstance(last, RunStopped) and stop() else 0


def _share_cores(workers: int) -> None:
    """On a CPU, leave each process that prepares pictures a core: threads that must wait for one cost a lot."""
    import torch

    if workers and not torch.cuda.is_available() and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() - workers))


def _ended(arguments: argparse.Namespace, folder: Run, begun: Begun, started: Event | None, last: Event) -> int:
    """Say what there is now, and how to go on."""
    from seg_demo.checkpoint import load_checkpoint, save_checkpoint
    from seg_demo.train.events import RunFailed, RunStarted, RunStopped

    if isinstance(last, RunFailed):
        write(f"error: {last.reason}", sys.stderr)
        return 1
    if isinstance(last, RunStopped):
        write(f"Go on with: {_go_on(arguments)}")
        return 0
    if isinstance(started, RunStarted) and begun.resumed and started.step == last.step:
        more = "--steps, --epochs or --minutes" + (
            " or --validation.patience" if begun.config.validation.patience else ""
        )
        write(f"Nothing was left to do: {folder.folder} was finished before. A larger {more} trains it further.")
    if arguments.out:
        best = load_checkpoint(folder.best if folder.best.is_dir() else folder.last)
        save_checkpoint(arguments.out, best.model, best.config)
        write(f"Saved {arguments.out}")
    return 0


def _begin(arguments: argparse.Namespace, folder: Run, ranks: Ranks) -> Begun:
    """The run folder held by process 0, new or resumed, and what it is to do."""
    from seg_demo.cli import recipe
    from seg_demo.errors import UserError
    from seg_demo.train.pictures import open_pictures
    from seg_demo.train.start import complete

    fresh = arguments.preset or arguments.config or arguments.model
    if ranks.first(arguments.resume and (folder.exists or not fresh)):
        return _resume(arguments, folder, ranks)
    config = recipe.asked(arguments)
    if folder.exists and ranks.writes:
        folder.begin(config, {})  # which refuses, before the pictures are looked at
    if not config.data.source and not config.data.drawn_pictures:
        raise UserError("There is nothing to learn from. Name a folder of labelled pictures with --data DIR.")
    if config.model.checkpoint:
        obstacles.check_model(Path(config.model.checkpoint))
    split = None
    if config.data.source and not arguments.no_check and ranks.writes:
        split = obstacles.check_pictures(config.data.source)
    pictures = open_pictures(config, split)
    config = complete(config, pictures)
    about = recipe.about(arguments, config, pictures)
    if ranks.writes:
        folder.begin(config, about)
    ranks.wait()  # until the folder is there
    return Begun(config, pictures, about, resumed=False)


def _resume(arguments: argparse.Namespace, folder: Run, ranks: Ranks) -> Begun:
    """The run as it was begun; flags may say the same again, or change what is in `RESUMABLE`."""
    from seg_demo.cli import recipe
    from seg_demo.errors import UserError
    from seg_demo.settings import changed
    from seg_demo.train.pictures import open_pictures

    begun: tuple[TrainConfig, dict[str, Any]] = ranks.first(folder.go_on() if ranks.writes else None)  # type: ignore[arg-type, assignment]
    was, about = begun
    asked = recipe.asked(arguments, was)
    flags = {path: value for path, value in recipe.flags_of(arguments).items() if path in recipe.RESUMABLE}
    if set(recipe.LENGTH) & set(flags):  # instead of the one before
        flags = dict.fromkeys(recipe.LENGTH, "0") | flags
    config = changed(was, flags)
    pictures = open_pictures(config)
    if pictures.fingerprint != about.get("data_fingerprint"):
        raise UserError(
            "The pictures of {source} are not those that the run {run} has learned from. Bring them back, or start a "
            "new run.",
            source=config.data.source or "this run", run=folder.folder,
        )  # fmt: skip
    config = recipe.unchanged(config, asked, pictures, about, folder.folder)
    if differing := recipe.differing(config, was):
        if length := [f"--{name} {flags[name]}" for name in recipe.LENGTH if name in differing and flags[name] != "0"]:
            about = {**about, "command": f"{about.get('command')}, resumed with {length[0]}"}
        if ranks.writes:
            folder.amend(config, about)
    ranks.wait()
    return Begun(config, pictures, about, resumed=True)


def _go_on(arguments: argparse.Namespace) -> str:
    """The command that goes on, as it can be pasted."""
    words = ["python", "-m", "seg_demo", "train"]
    if (processes := os.environ.get("LOCAL_WORLD_SIZE", "1")) != "1":
        words = ["torchrun", "--nproc-per-node", processes, "-m", "--", "seg_demo", "train"]
    words += ["--run", str(arguments.run), "--resume"]
    for name in ("seconds", "device", "out"):
        if value := getattr(arguments, name):
            words += [f"--{name}", str(value)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
