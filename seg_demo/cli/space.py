"""`space`: the page as a Space of the Hugging Face Hub."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from seg_demo.cli.text import write

MOST_SHOWN = 8  # files that differ


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, sentence: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=sentence, description=sentence)
        added.add_argument("repo", metavar="USER/NAME", help="the Space")
        added.add_argument("--json", action="store_true", help="print one JSON document")
        return added

    create = action("create", "Make a Space that serves the page, or bring it up to date; it is private if need be.")
    create.add_argument(
        "--hardware", default="", metavar="NAME",
        help="as the Hub calls it, such as cpu-basic or t4-small (default: zero-a10g, or what the Space has)",
    )  # fmt: skip
    seen = create.add_mutually_exclusive_group()
    seen.add_argument("--private", action="store_true", help="only its owner sees it (default for a new one)")
    seen.add_argument("--public", action="store_true", help="everybody sees it")
    create.add_argument(
        "--checkpoint", type=Path, action="append", default=[], metavar="DIR",
        help="a checkpoint for all visitors, besides the bundled ones; can be given several times",
    )  # fmt: skip
    create.add_argument("--licence", default="", metavar="ID", help="as the Hub names it, such as mit")
    action("status", "Say whether a Space runs, on what, and whether it holds the version that is here.")


def run(arguments: argparse.Namespace) -> int:
    return (_create if arguments.action == "create" else _status)(arguments)


def _create(arguments: argparse.Namespace) -> int:
    from seg_demo.cli.progress import counting
    from seg_demo.hub.space import create_space

    private = True if arguments.private else False if arguments.public else None
    with counting("Uploading", "B") as show:
        made = create_space(
            arguments.repo, hardware=arguments.hardware, private=private, checkpoints=arguments.checkpoint,
            licence=arguments.licence, progress=show,
        )  # fmt: skip
    if arguments.json:
        write(json.dumps(asdict(made), ensure_ascii=False))
        return 0
    done = "made" if made.created else "brought up to date" if made.changed else "up to date already"
    who = "only its owner sees it" if made.private else "everybody sees it"
    write(f"{made.url}: {done}, {len(made.files)} files, {made.hardware} ({who}), commit {made.commit[:7]}")
    if made.changed:
        write(f"The Hub builds it now, which takes some minutes: python -m seg_demo space status {made.repo}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from seg_demo.hub.space import space_status

    found = space_status(arguments.repo)
    if arguments.json:
        write(json.dumps({**asdict(found), "is_current": found.is_current}, ensure_ascii=False))
        return 0
    asked = f" ({found.requested} was asked for)" if found.requested not in ("", found.hardware) else ""
    who = "only its owner sees it" if found.private else "everybody sees it"
    write(f"{found.url}: {found.stage}, on {found.hardware or 'nothing yet'}{asked} ({who})")
    if found.is_current:
        write(f"It holds the version that is here, commit {found.commit[:7]}.")
    else:
        more = len(found.different) - MOST_SHOWN
        names = ", ".join(found.different[:MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
        write(f"It holds another version, commit {found.commit[:7]}; different: {names}")
        write(f"note: Update it: python -m seg_demo space create {found.repo}", sys.stderr)
    if found.problem:
        write(f"note: The Hub says: {found.problem}", sys.stderr)
    return 0
