"""The commands, and how one is run: what is heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import sys
from collections.abc import Sequence
from typing import NoReturn

from seg_demo import __version__
from seg_demo.cli.text import escape_unknown, write
from seg_demo.errors import Sentence, UserError
from seg_demo.jobs.problem import keep_problem

# command -> (module with configure(parser) and run(arguments), sentence)
COMMANDS = {
    "predict": ("seg_demo.cli.predict", "Segment pictures and write masks, overlays and areas."),
    "train": ("seg_demo.cli.train", "Train a checkpoint with a preset."),
    "eval": ("seg_demo.cli.evaluate", "Measure a checkpoint on labelled pictures."),
    "compare": ("seg_demo.cli.compare", "Compare two checkpoints on the same labelled pictures."),
    "metrics": ("seg_demo.cli.metrics", "Measure a folder of predictions against a folder of label maps."),
    "threshold": ("seg_demo.cli.threshold", "Choose the threshold of a class, and make masks with it."),
    "export": ("seg_demo.cli.export", "Write a checkpoint as one file for other programs: ONNX, torch.export, a zip."),
    "data": ("seg_demo.cli.data", "Check, repair, convert, look at and download labelled pictures."),
    "hub": ("seg_demo.cli.hub", "Push checkpoints to the Hugging Face Hub, pull them, and compare both sides."),
    "space": ("seg_demo.cli.space", "Make the page a Space of the Hugging Face Hub, and ask how it is."),
    "draw": ("seg_demo.cli.draw", "Draw pictures of newts with their label maps."),
    "models": ("seg_demo.cli.models", "List the networks, or show the layers of one."),
}


def build_parser(argv: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The parser of all commands; of `argv`, only the command that it names gets its flags, which may cost imports."""
    parser = argparse.ArgumentParser(
        prog="python -m seg_demo", description="Semantic segmentation from the command line; app.py starts the page."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, sentence) in COMMANDS.items():
        command = commands.add_parser(name, help=sentence, description=sentence)
        if argv is None or name in argv[:1]:
            importlib.import_module(module).configure(command)
            command.set_defaults(parser=command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 1 a problem told in one sentence, 128 + n ended by the signal n."""
    for stream in (sys.stdout, sys.stderr):
        escape_unknown(stream)
    argv = sys.argv[1:] if argv is None else argv
    arguments, unknown = build_parser(argv).parse_known_args(argv)
    if unknown:
        _refuse(arguments.parser, unknown)
    try:
        return importlib.import_module(COMMANDS[arguments.command][0]).run(arguments)
    except UserError as error:
        return _failed(arguments, error.sentence)
    except OSError as error:  # a disk that is full, a folder of someone else's
        file, reason = error.filename or Sentence("A file"), error.strerror
        sentence = Sentence("{file} could not be used ({reason}). Choose another folder.", file=file, reason=reason)
        return _failed(arguments, sentence)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def _refuse(command: argparse.ArgumentParser, unknown: list[str]) -> NoReturn:
    """End with the usage of the command that was meant, and with the flag that was."""
    flags = [flag for action in command._actions for flag in action.option_strings]
    near = difflib.get_close_matches(unknown[0].partition("=")[0], flags, n=1, cutoff=0.7)
    command.error(f"unrecognized arguments: {' '.join(unknown)}" + (f"; did you mean {near[0]}?" if near else ""))


def _failed(arguments: argparse.Namespace, sentence: Sentence) -> int:
    keep_problem(sentence)
    if getattr(arguments, "json", False):  # whoever reads JSON gets JSON
        write(json.dumps({"error": sentence}, ensure_ascii=False))
    write(f"error: {sentence}", sys.stderr)
    return 1
