"""`hub`: checkpoints to the Hugging Face Hub and from it, and how both sides stand to each other."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seg_demo.cli.text import table, write
from seg_demo.cli.values import whole

FOLDER = Path("checkpoints")


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def action(name: str, sentence: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=sentence, description=sentence)
        if name != "card":
            added.add_argument("--json", action="store_true", help="print one JSON document")
        return added

    push = action("push", "Push a checkpoint with its model card; the repository is created, private, if need be.")
    push.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a checkpoint folder")
    push.add_argument("repo", metavar="REPO", help="OWNER/NAME")
    seen = push.add_mutually_exclusive_group()
    seen.add_argument("--private", action="store_true", help="only its owner sees the repository (default)")
    seen.add_argument("--public", action="store_true", help="everybody sees it")
    push.add_argument("--pr", action="store_true", help="open a pull request instead of changing the repository")
    push.add_argument("--tag", default="", metavar="NAME", help="call this version so, as in v1.0")
    push.add_argument("--licence", default="", metavar="ID", help="as the Hub names it, such as mit or cc-by-4.0")
    push.add_argument("--message", default="", metavar="TEXT", help="what the commit is called")
    push.add_argument(
        "--picture", type=Path, action="append", default=[], metavar="FILE",
        help="a photo for the card, with what the model finds in it; can be given several times",
    )  # fmt: skip
    push.add_argument("--overwrite", action="store_true", help="also where the repository holds something else by now")

    pull = action("pull", "Fetch a checkpoint: ours, torchvision's, of segmentation-models-pytorch or transformers.")
    pull.add_argument("repo", metavar="REPO[@REV]", help="OWNER/NAME, with a branch, tag or commit if you like")
    pull.add_argument("--out", type=Path, metavar="DIR", help="the checkpoint folder (default: checkpoints/NAME)")
    pull.add_argument("--replace", action="store_true", help="also where another checkpoint is in that place")

    status = action("status", "Say of every checkpoint whether it is here, on the Hub, or both, and which is newer.")
    status.add_argument(
        "folder", type=Path, nargs="?", default=FOLDER, metavar="DIR", help="of checkpoints (default: checkpoints)"
    )

    listing = action("list", "List repositories with checkpoints.")
    listing.add_argument("words", nargs="*", metavar="WORD", help="of their names")
    listing.add_argument("--owner", default="", metavar="NAME", help="whose they are; `me` for your own")
    listing.add_argument("--foreign", action="store_true", help="those of other libraries as well")
    listing.add_argument("--most", type=whole(1, 1000), default=30, metavar="N", help="how many (default: 30)")

    for name, sentence in (
        ("diff", "Compare the files of a checkpoint with the Hub as it is now; the exit code is 0 if they are equal."),
        ("verify", "Compare the files of a checkpoint with the version it was last equal to; 0 if they still are."),
    ):
        compared = action(name, sentence)
        compared.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a checkpoint folder")
        if name == "diff":
            compared.add_argument("repo", nargs="?", default="", metavar="REPO", help="if it was never there")

    card = action("card", "Print the model card of a checkpoint, as it would be pushed.")
    card.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a checkpoint folder")
    card.add_argument("--repo", default="", metavar="REPO", help="OWNER/NAME, which its example then names")
    card.add_argument("--licence", default="", metavar="ID", help="as the Hub names it")


def run(arguments: argparse.Namespace) -> int:
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "push": _push, "pull": _pull, "status": _status, "list": _list, "diff": _compare, "verify": _compare,
        "card": _card,
    }  # fmt: skip
    return actions[arguments.action](arguments)


def _push(arguments: argparse.Namespace) -> int:
    from seg_demo.cli.progress import counting
    from seg_demo.hub.push import push

    with counting("Uploading", "B") as show:
        pushed = push(
            arguments.checkpoint, arguments.repo, private=not arguments.public, licence=arguments.licence,
            message=arguments.message, pull_request=arguments.pr, tag=arguments.tag, pictures=arguments.picture,
            overwrite=arguments.overwrite, progress=show,
        )  # fmt: skip
    if arguments.json:
        return _json(asdict(pushed))
    who = "only its owner sees it" if pushed.private else "everybody sees it"
    told = "pushed" if pushed.changed else "is there already"
    write(f"{arguments.checkpoint} {told}: {pushed.url} ({who}), commit {pushed.commit[:7]}")
    if pushed.pull_request:
        write("It is a pull request: merge it there.")
    return 0


def _pull(arguments: argparse.Namespace) -> int:
    from seg_demo.cli.progress import counting
    from seg_demo.hub.pull import pull

    with counting("Downloading", "B") as show:
        pulled = pull(arguments.repo, arguments.out, replace=arguments.replace, progress=show)
    if arguments.json:
        return _json({**asdict(pulled), "folder": str(pulled.folder)})
    made = "" if pulled.layout == "seg_demo" else f", made ours from {pulled.layout}"
    told = f"{pulled.repo}, commit {pulled.commit[:7]}{made}"
    write(f"{pulled.folder}: {told}" if pulled.changed else f"{pulled.folder} is up to date with {told}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from seg_demo.checkpoint import find_checkpoints
    from seg_demo.cli.progress import counting
    from seg_demo.errors import UserError
    from seg_demo.hub.account import Account, whoami
    from seg_demo.hub.sync import status
    from seg_demo.hub.trouble import Unreachable

    account = Account.local()
    try:
        owner, unknown = whoami(account), None
    except UserError as error:
        owner, unknown = "", error
    offline = unknown if isinstance(unknown, Unreachable) else None
    with counting("Asking", "checkpoint") as show:
        rows = status(find_checkpoints(arguments.folder), account, owner=owner, offline=offline, progress=show)
    if arguments.json:
        return _json(
            {
                "account": owner or None,
                "checkpoints": [
                    {
                        "name": row.name,
                        "folder": row.folder and str(row.folder),
                        "repo": row.repo or None,
                        "state": row.state,
                        "problem": row.problem and str(row.problem),
                    }
                    for row in rows
                ],
            }
        )
    write("\n".join(table(("checkpoint", "repository", "state"), [(r.name, r.repo or "-", r.state) for r in rows], ())))
    for problem in dict.fromkeys(str(each) for each in (unknown, *(row.problem for row in rows)) if each):
        write(f"note: {problem}", sys.stderr)
    if not owner and unknown is None:
        write("note: Nobody is logged in, so private repositories are not seen. Log in: hf auth login", sys.stderr)
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from seg_demo.hub.account import Account, whoami
    from seg_demo.hub.client import Client
    from seg_demo.hub.remote import list_remote

    account = Account.local()
    owner = whoami(account) if arguments.owner == "me" else arguments.owner
    found = list_remote(
        Client(account), search=" ".join(arguments.words), owner=owner, foreign=arguments.foreign, most=arguments.most
    )
    if arguments.json:
        return _json({"repositories": [asdict(each) for each in found]})
    rows = [
        (
            each.repo,
            each.layout or "-",
            "private" if each.private else "public",
            time.strftime("%Y-%m-%d", time.gmtime(each.modified)),
            str(each.downloads),
        )
        for each in found
    ]
    write("\n".join(table(("repository", "made by", "seen by", "changed", "downloads"), rows, (4,))))
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    from seg_demo.hub.sync import diff, verify

    folder = arguments.checkpoint
    found = diff(folder, arguments.repo) if arguments.action == "diff" else verify(folder)
    equal = all(each.change == "equal" for each in found)
    if arguments.json:
        _json({"equal": equal, "files": [asdict(each) for each in found]})
    else:
        rows = [(each.name, each.local[:12] or "-", each.remote[:12] or "-", each.change) for each in found]
        write("\n".join(table(("file", "here", "there", "difference"), rows, ())))
    return 0 if equal else 1


def _card(arguments: argparse.Namespace) -> int:
    from seg_demo.checkpoint import read_config
    from seg_demo.checkpoint.card import model_card
    from seg_demo.hub.repo import Repo

    repo = Repo.parse(arguments.repo).id if arguments.repo else ""
    name = arguments.checkpoint.resolve().name
    write(model_card(name, read_config(arguments.checkpoint), repo=repo, licence=arguments.licence).rstrip("\n"))
    return 0


def _json(document: dict[str, Any]) -> int:
    write(json.dumps(document, ensure_ascii=False, indent=2))
    return 0
