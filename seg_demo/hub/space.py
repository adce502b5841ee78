"""The page as a Space of the Hugging Face Hub: made, updated, and asked how it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg_demo.checkpoint.licences import LICENCES
from seg_demo.checkpoint.link import read_link
from seg_demo.errors import UserError
from seg_demo.hub.account import Account
from seg_demo.hub.client import Client
from seg_demo.hub.commit import commit
from seg_demo.hub.files import LocalFile
from seg_demo.hub.limits import LIMITS
from seg_demo.hub.progress import Progress, Telling
from seg_demo.hub.remote import Remote, look_at, look_if_there
from seg_demo.hub.repo import Repo
from seg_demo.hub.space_files import FOLDERS, PROJECT, README, ZERO, staged_space
from seg_demo.hub.transfer import Fetcher
from seg_demo.hub.trouble import HubError
from seg_demo.registry import look_up

LONGEST_PROBLEM = 300  # characters of what the Hub says of a Space that does not run
_MARK = "seg_demo/__init__.py"  # is in every Space that was made here


@dataclass(frozen=True)
class Deployed:
    """A Space with the page. url: of its page on the Hub. commit: what it holds now. hardware: what was asked for.

    created: whether it was not there before. changed: whether anything was uploaded. files: their names.
    """

    repo: str
    url: str
    commit: str
    hardware: str
    private: bool
    created: bool
    changed: bool
    files: tuple[str, ...]


@dataclass(frozen=True)
class SpaceStatus:
    """How a Space is. stage: as the Hub calls it, such as RUNNING, BUILDING or RUNTIME_ERROR. problem: what it says
    where it does not run, or "".

    hardware: what it runs on, "" before it does. requested: what was asked for. different: files that are not the same
    here and there, or only on one side.
    """

    repo: str
    url: str
    commit: str
    stage: str
    problem: str
    hardware: str
    requested: str
    private: bool
    different: tuple[str, ...]

    @property
    def is_current(self) -> bool:
        """Whether the version there is the one here."""
        return not self.different


def create_space(
    repo: str,
    *,
    account: Account | None = None,
    hardware: str = "",
    private: bool | None = None,
    checkpoints: Sequence[Path] = (),
    licence: str = "",
    progress: Progress | None = None,
    project: Path = PROJECT,
) -> Deployed:
    """Make the Space "OWNER/NAME", which serves the page, or bring one that was made so up to date.

    hardware: as the Hub calls it; left out, ZeroGPU for a new Space, and what it has for another. private: whether only
    its owner sees it; left out, a new one is private and another stays as it is. checkpoints: folders of checkpoints
    for all visitors, besides the bundled ones. licence: an id of `LICENCES`. account: by default the login of this
    computer. progress: is told bytes done and in all; what it raises ends the work.

    Secrets, variables and volumes of the Space are never touched; of its README.md, only what makes it run. Files of an
    older version go. Raises `UserError`.
    """
    telling = Telling(progress)
    target = _parsed(repo)
    if licence:
        look_up("licence", LICENCES, licence)
    if hardware:
        _check_hardware(hardware)
    client = Client(account or Account.local(), alive=telling.again)
    if client.account.token is None:
        raise HubError("Making a Space needs an account of the Hub. Log in first: hf auth login.")
    remote = look_if_there(target, client)
    before = None if remote is None else _runtime(target, client)
    wanted = hardware or (ZERO if before is None else before["requested"] or before["hardware"] or ZERO)
    readme = _check_is_ours(remote, private, client) if remote else ""
    models = [link.repo for path in checkpoints if (link := read_link(path))]
    with staged_space(
        target.name, wanted, checkpoints=checkpoints, licence=licence, models=models, readme=readme, project=project
    ) as files:
        if remote is None:
            client.ask(
                lambda api: api.create_repo(
                    target.id, repo_type="space", space_sdk="gradio", space_hardware=wanted,
                    private=private is not False, exist_ok=True,
                ),
                what=target.id,
            )  # fmt: skip
        there = remote or look_at(target, client)
        committed = commit(there, files, "The page", client, telling, gone=_gone(there, files))
        _check_arrived(committed.remote, files)
    if before and wanted not in (before["requested"], before["hardware"]):
        client.ask(lambda api: api.request_space_hardware(target.id, wanted), what=target.id)
    return Deployed(
        target.id, _url(target, client), committed.commit, wanted, committed.remote.private, remote is None,
        committed.changed, tuple(files),
    )  # fmt: skip


def space_status(repo: str, account: Account | None = None, project: Path = PROJECT) -> SpaceStatus:
    """How the Space "OWNER/NAME" is, and whether it holds the version that is here; nothing is downloaded.

    Its README.md and further checkpoints are its owner's and not compared. Raises `UserError`.
    """
    target = _parsed(repo)
    client = Client(account or Account.local())
    remote, runtime = look_at(target, client), _runtime(target, client)
    with staged_space(target.name, runtime["requested"] or runtime["hardware"], project=project) as files:
        different = [name for name, file in files.items() if name != README and not _is_there(remote, file)]
    return SpaceStatus(
        target.id, _url(target, client), remote.commit, runtime["stage"], runtime["problem"], runtime["hardware"],
        runtime["requested"], remote.private, tuple(sorted([*different, *_gone(remote, files)])),
    )  # fmt: skip


def _parsed(repo: str) -> Repo:
    target = Repo.parse(repo, "space")
    if target.revision:
        raise UserError("A Space shows its newest version only. Name {repo} without a revision.", repo=target.id)
    return target


def _check_hardware(name: str) -> None:
    from huggingface_hub import SpaceHardware

    look_up("hardware", {each.value: each for each in SpaceHardware}, name)


def _check_is_ours(remote: Remote, private: bool | None, client: Client) -> str:
    """The README.md of the Space. Raises `HubError` where it is another one, or seen by others than was asked for."""
    if _MARK not in remote.files and not set(remote.files) <= {".gitattributes", README}:
        raise HubError("{repo} is a Space with something else. Choose another name.", repo=remote.repo)
    if private is not None and private != remote.private:
        raise HubError(
            "{repo} is there already, and only its owner sees it. Change that in its settings, or choose another name."
            if remote.private
            else "{repo} is there already, and everybody sees it. Change that in its settings, or choose another name.",
            repo=remote.repo,
        )
    if _MARK not in remote.files or README not in remote.files:
        return ""
    return Fetcher(remote, client).read(README, LIMITS.document).decode("utf-8", "replace")


def _runtime(target: Repo, client: Client) -> dict[str, str]:
    """stage, hardware, requested, problem."""
    found: Any = client.ask(lambda api: api.get_space_runtime(target.id), what=target.id)
    problem = " ".join(str(found.raw.get("errorMessage") or "").split())[:LONGEST_PROBLEM]
    return {
        "stage": str(found.stage), "hardware": str(found.hardware or ""),
        "requested": str(found.requested_hardware or ""), "problem": problem,
    }  # fmt: skip


def _gone(remote: Remote, files: Mapping[str, LocalFile]) -> list[str]:
    """Files of the Space that an older version had."""
    return [name for name in remote.files if name.partition("/")[0] in FOLDERS and name not in files]


def _is_there(remote: Remote, file: LocalFile) -> bool:
    return file.name in remote.files and remote.files[file.name].same_as(file)


def _check_arrived(remote: Remote, files: Mapping[str, LocalFile]) -> None:
    for file in files.values():
        if not _is_there(remote, file):
            raise HubError(
                "{file} is not on the Hub as it was pushed: its checksum differs there. Push it again.",
                file=f"{remote.repo}/{file.name}",
            )


def _url(target: Repo, client: Client) -> str:
    return f"{client.api.endpoint}/spaces/{target.id}"
