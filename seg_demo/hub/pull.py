"""From the Hub to a checkpoint folder: looked at first, fetched then, and there as a whole or not at all."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seg_demo.checkpoint.config import CheckpointConfig
from seg_demo.checkpoint.folder import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE, load_checkpoint, placing
from seg_demo.checkpoint.header import PREFIX, Tensors, header_length, read_header
from seg_demo.checkpoint.link import Link, read_link, write_link
from seg_demo.checkpoint.name import made_plain
from seg_demo.data.images import opened
from seg_demo.errors import UserError
from seg_demo.hub import layouts
from seg_demo.hub.account import Account
from seg_demo.hub.client import Client
from seg_demo.hub.files import local_file
from seg_demo.hub.limits import LIMITS, Limits
from seg_demo.hub.progress import Progress, Telling
from seg_demo.hub.remote import MODEL_FILES, PICTURES, Remote, look_at
from seg_demo.hub.repo import Repo
from seg_demo.hub.transfer import INCOMING, Fetcher, sweep

START = 1 << 16  # bytes in which most headers are whole
# In small letters, as some systems know no others.
MOST_PIXELS = 4_000_000  # of a picture; those of a card have a quarter


@dataclass(frozen=True)
class Pulled:
    """A checkpoint that was fetched; wherever a path is wanted, its folder. commit: of the repository. changed: whether
    anything was fetched at all.
    """

    folder: Path
    repo: str
    commit: str
    layout: str
    changed: bool

    def __fspath__(self) -> str:
        return os.fspath(self.folder)


def pull(
    repo: str,
    out: Path | None = None,
    *,
    account: Account | None = None,
    limits: Limits = LIMITS,
    replace: bool = False,
    progress: Progress | None = None,
) -> Pulled:
    """Fetch "OWNER/NAME[@REVISION]" as the checkpoint folder `out`, by default checkpoints/NAME.

    Names, sizes, the config and the header of the weights are checked before the weights are fetched, their hash and
    that all of them are finite before anybody sees the folder. Checkpoints of torchvision, of
    segmentation-models-pytorch and of transformers are made ours. What was interrupted goes on the next time.

    account: who asks, by default the login of this computer. replace: whether a checkpoint at `out` may be lost; one
    that came from there and was not changed here is brought up to date without that. progress: is told bytes done and
    in all; what it raises ends the work.

    Raises `UserError`; then everything is as it was.
    """
    telling = Telling(progress)
    wanted = Repo.parse(repo)
    out = Path(out) if out is not None else Path("checkpoints") / made_plain(wanted.name)
    if out.is_symlink():
        raise UserError("{folder} is a link to another place, which is not replaced. Name a new folder.", folder=out)
    client = Client(account or Account.local(), alive=telling.again)
    remote = look_at(wanted, client)
    plan = _look_closer(remote, Fetcher(remote, client), limits)
    if not _may_be_placed(out, plan, replace):
        return Pulled(out, remote.repo, remote.commit, plan.layout, changed=False)
    try:
        with placing(out) as staging:
            _fetch(plan, out.name, staging, out.parent / INCOMING, telling)
            load_checkpoint(staging)  # strictly: what is wrong with it is told now, and nothing is left
            _link(plan, staging)
    finally:
        sweep(out.parent / INCOMING)
    return Pulled(out, remote.repo, remote.commit, plan.layout, changed=True)


class _Plan(NamedTuple):
    """What is to be fetched. names: of the files that make the checkpoint; extra: of those that are taken along."""

    fetcher: Fetcher
    layout: str
    names: tuple[str, ...]
    extra: dict[str, int]
    documents: dict[str, bytes]
    config: CheckpointConfig
    convert: Callable[[Path, CheckpointConfig, Path], None] | None

    @property
    def remote(self) -> Remote:
        return self.fetcher.remote


def _look_closer(remote: Remote, fetcher: Fetcher, limits: Limits) -> _Plan:
    """Everything that can be known before the weights are fetched."""
    config = fetcher.read(CONFIG_FILE, limits.document) if CONFIG_FILE in remote.files else None
    layout = layouts.layout_of(remote, config)
    wanted = tuple(layout.needed(sorted(remote.files)))
    documents = {
        name: config if name == CONFIG_FILE and config is not None else fetcher.read(name, limits.document)
        for name in wanted
        if name != WEIGHTS_FILE
    }
    fetcher.file(WEIGHTS_FILE, limits.weights)
    tensors = _tensors(remote, fetcher)
    described = layout.describe(remote.repo, documents, tensors)
    pictures = sorted(filter(_may_be_picture, remote.files))[: limits.pictures]
    extra = {CARD_FILE: limits.document, **dict.fromkeys(pictures, limits.picture)} if layout.ours else {}
    extra = {name: most for name, most in extra.items() if name in remote.files and remote.files[name].size <= most}
    return _Plan(fetcher, layout.name, wanted, extra, documents, described, layout.convert)


def _may_be_picture(name: str) -> bool:
    """By its name, which must be one on every system."""
    match = PICTURES.fullmatch(name)
    return match is not None and made_plain(match[1]) == match[1]


def _is_picture(content: bytes) -> bool:
    """Whether a stranger's file is what whoever looks at the checkpoint may take it for."""
    try:
        with opened(io.BytesIO(content), max_pixels=MOST_PIXELS) as picture:
            return picture.format in ("JPEG", "PNG")
    except UserError:
        return False


def _tensors(remote: Remote, fetcher: Fetcher) -> Tensors:
    """What the weights consist of, by the beginning of the file."""
    size, where = remote.files[WEIGHTS_FILE].size, f"{remote.repo}/{WEIGHTS_FILE}"
    start = fetcher.read_start(WEIGHTS_FILE, START)
    length = header_length(start[:PREFIX], size, where)
    if len(start) < PREFIX + length:
        start = fetcher.read_start(WEIGHTS_FILE, PREFIX + length)
    return read_header(start[PREFIX : PREFIX + length], size, where)


def _may_be_placed(out: Path, plan: _Plan, replace: bool) -> bool:
    """False where it is there already. Raises `UserError` where something of the user's would be lost."""
    if not (out / CONFIG_FILE).is_file():
        return True
    link = read_link(out)
    here = {name: local_file(out / name) for name in MODEL_FILES if (out / name).is_file()}
    unchanged = link is not None and all(link.local.get(name) == file.sha256 for name, file in here.items())
    if link is not None and link.repo == plan.remote.repo and unchanged and set(here) == set(MODEL_FILES):
        return link.remote != plan.remote.ids(link.remote)
    if plan.convert is None and all(
        name in here and plan.remote.files[name].same_as(here[name]) for name in MODEL_FILES
    ):
        _link(plan, out)
        return False
    if replace:
        return True
    if link is not None and link.repo == plan.remote.repo:
        raise UserError(
            "The checkpoint {folder} was changed since it came from {repo}. Push it, name another folder, or let it be "
            "replaced.",
            folder=out, repo=plan.remote.repo,
        )  # fmt: skip
    raise UserError(
        "There is another checkpoint {folder} already. Name another folder, or let it be replaced.", folder=out
    )


def _fetch(plan: _Plan, title: str, staging: Path, incoming: Path, progress: Progress) -> None:
    if plan.convert is None:
        plan.fetcher.fetch(WEIGHTS_FILE, staging / WEIGHTS_FILE, incoming, progress)
        for name, content in plan.documents.items():
            (staging / name).write_bytes(content)
        for name, most in plan.extra.items():
            content = plan.fetcher.read(name, most)
            if name == CARD_FILE or _is_picture(content):
                (staging / name).parent.mkdir(exist_ok=True)
                (staging / name).write_bytes(content)
    else:
        fetched = staging / f".{WEIGHTS_FILE}"
        plan.fetcher.fetch(WEIGHTS_FILE, fetched, incoming, progress)
        plan.convert(fetched, plan.config, staging / WEIGHTS_FILE)
        fetched.unlink()
        (staging / CONFIG_FILE).write_text(plan.config.to_json(), "utf-8")
    if not (staging / CARD_FILE).exists():
        from seg_demo.checkpoint.card import model_card

        (staging / CARD_FILE).write_text(model_card(title, plan.config), "utf-8")


def _link(plan: _Plan, folder: Path) -> None:
    local = {name: local_file(folder / name).sha256 for name in MODEL_FILES}
    names = {*plan.names, WEIGHTS_FILE, *({CARD_FILE} & set(plan.extra))}
    remote = plan.remote.ids(sorted(names))
    write_link(folder, Link(plan.remote.repo, plan.remote.commit, plan.layout, "pulled", time.time(), local, remote))
