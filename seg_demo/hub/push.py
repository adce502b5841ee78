"""From a checkpoint folder to the Hub: staged, committed on what is there, and read again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seg_demo.checkpoint.folder import CARD_FILE, load_checkpoint
from seg_demo.checkpoint.licences import LICENCES
from seg_demo.checkpoint.link import Link, read_link, write_link
from seg_demo.errors import UserError, shorten
from seg_demo.hub.account import Account
from seg_demo.hub.client import Client
from seg_demo.hub.commit import Committed, commit
from seg_demo.hub.files import LocalFile
from seg_demo.hub.progress import Progress, Telling
from seg_demo.hub.remote import MODEL_FILES, PICTURES, Remote, look_at, look_if_there
from seg_demo.hub.repo import Repo, check_tag
from seg_demo.hub.staging import staged
from seg_demo.hub.trouble import HubError, Stale
from seg_demo.registry import look_up

if TYPE_CHECKING:
    from huggingface_hub import HfApi

LONGEST_MESSAGE = 200


@dataclass(frozen=True)
class Pushed:
    """A checkpoint that was pushed. commit: that holds it now. url: of the page that shows it. pull_request: its URL,
    "" where there is none. tag: the version that names the commit, or "". changed: whether anything was pushed at all.
    """

    repo: str
    commit: str
    url: str
    pull_request: str
    tag: str
    changed: bool
    private: bool


def push(
    folder: Path,
    repo: str,
    *,
    account: Account | None = None,
    private: bool = True,
    licence: str = "",
    message: str = "",
    pull_request: bool = False,
    tag: str = "",
    pictures: Sequence[Path] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Pushed:
    """Make the checkpoint in `folder` the newest of the repository "OWNER/NAME", which is created where there is none.

    Config, weights, a model card and sample pictures are pushed, nothing else. What is on the Hub afterwards is
    compared with what was meant. A repository that has changed since the checkpoint was last there, or holds something
    else, is left as it is, unless `overwrite` is said or a pull request is made.

    account: who asks, by default the login of this computer. private: whether only its owner sees it. licence: an id of
    `LICENCES`. message: what the commit is called. tag: a version that is to name it. pictures: photos that the card
    shows with what the model makes of them; they are seen by all who see the repository. progress: is told bytes done
    and in all; what it raises ends the work.

    Raises `UserError`; the checkpoint is never changed.
    """
    telling = Telling(progress)
    target = Repo.parse(repo)
    if target.revision:
        raise UserError("Push to {repo} without a revision. A tag names the version.", repo=target.id)
    tag = check_tag(tag) if tag.strip() else ""
    if licence:
        look_up("licence", LICENCES, licence)
    message = _message(message, folder.name)
    if tag and pull_request:
        raise UserError("A pull request has no version yet. Leave the tag out, and tag it once it is merged.")
    client = Client(account or Account.local(), alive=telling.again)
    if client.account.token is None:
        raise HubError("Pushing needs an account of the Hub. Log in first: hf auth login.")
    checkpoint = load_checkpoint(folder)
    telling(0, 1)
    with staged(folder, checkpoint, target.id, licence, pictures) as files:
        remote = _repository(target, private, client)
        link = read_link(folder)
        if not (pull_request or overwrite):
            _check_base(remote, files, link)
        _check_tag_is_free(tag, remote, files, client)
        gone = [name for name in remote.files if PICTURES.fullmatch(name) and name not in files]
        committed = commit(remote, files, message, client, telling, gone=gone, pull_request=pull_request)
        _check_arrived(committed.remote, files)
        if tag:
            _tag(tag, committed, client)
        url = f"{client.api.endpoint}/{target.id}"
        if not pull_request:
            _link(folder, files, committed)
    return Pushed(
        target.id, committed.commit, committed.url or url, committed.url, tag, committed.changed, remote.private
    )


def _message(message: str, name: str) -> str:
    line = " ".join(message.split())
    if len(line) > LONGEST_MESSAGE:
        raise UserError("The message is longer than {most} characters. Shorten it.", most=LONGEST_MESSAGE)
    return line or f"Checkpoint {name}"


def _repository(target: Repo, private: bool, client: Client) -> Remote:
    """The repository as it is now; made where there is none."""
    remote = look_if_there(target, client)
    if remote is None:
        client.ask(lambda api: api.create_repo(target.id, private=private, exist_ok=True), what=target.id)
        remote = look_at(target, client)
    if private and not remote.private:
        raise HubError(
            "{repo} is there already, and everybody can see it. Push it as public, or choose another name.",
            repo=target.id,
        )
    return remote


def _check_base(remote: Remote, files: Mapping[str, LocalFile], link: Link | None) -> None:
    """Raises `Stale` where pushing would put something aside that the user may not know of."""
    if remote.is_empty or _is_there(remote, files):
        return
    if link is None or link.repo != remote.repo:
        raise Stale(
            "{repo} holds something else already. Choose another name, make a pull request, or let it be overwritten.",
            repo=remote.repo,
        )
    if link.layout != "seg_demo":
        raise Stale(
            "{repo} holds the checkpoint in the form of another library ({layout}). Push ours to a repository of its "
            "own.",
            repo=remote.repo, layout=link.layout,
        )  # fmt: skip
    if link.remote != remote.ids(link.remote):
        raise Stale(
            "{repo} has changed since this checkpoint was last there. Look at it or pull it under another name, make a "
            "pull request, or let it be overwritten.",
            repo=remote.repo,
        )  # fmt: skip


def _is_there(remote: Remote, files: Mapping[str, LocalFile]) -> bool:
    return all(name in remote.files and remote.files[name].same_as(files[name]) for name in MODEL_FILES)


def _check_tag_is_free(tag: str, remote: Remote, files: Mapping[str, LocalFile], client: Client) -> None:
    """Or that it names what is being pushed already, after a push that was interrupted."""
    there = _tags(remote.repo, client).get(tag) if tag else None
    if there and not (there == remote.commit and _is_there(remote, files)):
        raise HubError("{repo} has a version {tag} already. Choose another one.", repo=remote.repo, tag=shorten(tag))


def _tags(repo: str, client: Client) -> dict[str, str]:
    refs = client.ask(lambda api: api.list_repo_refs(repo), what=repo)
    return {each.name: each.target_commit for each in refs.tags}


def _tag(tag: str, committed: Committed, client: Client) -> None:
    """Name the commit; where an answer was lost, the version that is there already is ours."""

    def named(api: HfApi) -> str:
        import httpx2

        api.create_tag(committed.repo, tag=tag, revision=committed.commit, exist_ok=True)
        for each in api.list_repo_refs(committed.repo).tags:
            if each.name == tag:
                return str(each.target_commit)
        raise httpx2.RemoteProtocolError("somebody else has answered")

    if client.ask(named, what=committed.repo) != committed.commit:
        raise HubError(
            "The checkpoint was pushed to {repo}, but {tag} names another version there. Choose another tag.",
            repo=committed.repo, tag=shorten(tag),
        )  # fmt: skip


def _check_arrived(remote: Remote, files: Mapping[str, LocalFile]) -> None:
    for file in files.values():
        if file.name not in remote.files or not remote.files[file.name].same_as(file):
            raise HubError(
                "{file} is not on the Hub as it was pushed: its checksum differs there. Push it again.",
                file=f"{remote.repo}/{file.name}",
            )


def _link(folder: Path, files: Mapping[str, LocalFile], committed: Committed) -> None:
    local = {name: files[name].sha256 for name in MODEL_FILES}
    # A folder that cannot be written was pushed all the same.
    with contextlib.suppress(OSError):
        write_link(
            folder,
            Link(
                committed.repo, committed.commit, "seg_demo", "pushed", time.time(), local,
                committed.remote.ids((*MODEL_FILES, CARD_FILE)),
            ),
        )  # fmt: skip
