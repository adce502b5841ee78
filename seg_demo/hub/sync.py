"""How checkpoints here and on the Hub stand to each other, found out without downloading any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seg_demo.checkpoint.link import Link, read_link
from seg_demo.errors import UserError
from seg_demo.hub.account import Account
from seg_demo.hub.client import Client
from seg_demo.hub.files import LocalFile, local_file
from seg_demo.hub.progress import Progress, Telling
from seg_demo.hub.remote import MODEL_FILES, Found, Remote, list_remote, look_at
from seg_demo.hub.repo import Repo
from seg_demo.hub.trouble import HubError, NotThere, Unreachable

State = Literal["local only", "remote only", "equal", "local newer", "remote newer", "diverged", "unknown"]
"""Newer is what has changed since both were equal; diverged: both have, or they were never equal."""
Change = Literal["equal", "changed", "only local", "only remote"]


@dataclass(frozen=True)
class Sync:
    """One checkpoint, here or there or both. repo: OWNER/NAME, "" where it has none. problem: why the state is not
    known, or what became of the repository.
    """

    name: str
    folder: Path | None
    repo: str
    state: State
    remote: Found | None = None
    problem: UserError | None = None


@dataclass(frozen=True)
class Difference:
    """One file. local, remote: what its content is known by, "" where there is none."""

    name: str
    local: str
    remote: str
    change: Change


def status(
    folders: Sequence[Path],
    account: Account | None = None,
    *,
    owner: str = "",
    offline: UserError | None = None,
    progress: Progress | None = None,
) -> list[Sync]:
    """The checkpoints in `folders`, and after them those that only the Hub has.

    owner: whose repositories are looked through for those; "" for nobody's. A checkpoint that was never on the Hub is
    compared with the owner's repository of the same name. Where the Hub cannot be asked, the states are "unknown", and
    each problem says why; nothing is raised. offline: why that is so, where it is known already, so that nobody waits
    for it again. progress: is told checkpoints done and in all; what it raises ends the work.
    """
    telling = Telling(progress)
    client = Client(account or Account.local(), alive=telling.again)
    total = len(folders) + 1
    telling(0, total)
    theirs: dict[str, Found] = {}
    try:
        if owner and not offline:
            theirs = {found.repo: found for found in list_remote(client, owner=owner, most=200)}
    except HubError as error:
        offline = error
    rows = []
    for done, folder in enumerate(folders, 1):
        telling(done, total)
        row = _row(folder, owner, theirs, offline, client)
        if isinstance(row.problem, Unreachable):
            offline = row.problem  # The others need not wait for the same.
        rows.append(row)
    known = {row.repo for row in rows if row.state != "local only"}
    only_there = [
        Sync(repo.partition("/")[2], None, repo, "remote only", found)
        for repo, found in theirs.items()
        if repo not in known
    ]
    telling(total, total)
    return [*rows, *only_there]


def _row(folder: Path, owner: str, theirs: Mapping[str, Found], offline: UserError | None, client: Client) -> Sync:
    link = read_link(folder)
    alike = f"{owner}/{folder.name}"
    repo = link.repo if link else alike if alike in theirs else ""
    if not repo:
        # Without a link, not knowing what the owner has there is not knowing whether it is there.
        state: State = "unknown" if offline and owner else "local only"
        return Sync(folder.name, folder, "", state, problem=offline if state == "unknown" else None)
    if offline:
        return Sync(folder.name, folder, repo, "unknown", problem=offline)
    try:
        remote = look_at(Repo.parse(repo), client)
        return Sync(folder.name, folder, repo, state_of(folder, remote, link), remote)
    except NotThere as error:
        return Sync(folder.name, folder, repo, "local only", problem=error)
    except UserError as error:
        return Sync(folder.name, folder, repo, "unknown", problem=error)


def state_of(folder: Path, remote: Remote, link: Link | None) -> State:
    """How a checkpoint stands to a repository, by what is known of their files."""
    here = _here(folder)
    if link is None or link.repo != remote.repo:
        return "equal" if _equal(here, remote) else "diverged"
    changed_here = any(name not in here or here[name].sha256 != sha256 for name, sha256 in link.local.items())
    model = [name for name in link.remote if not name.endswith(".md")]  # A card is not the model.
    changed_there = remote.ids(model) != {name: link.remote[name] for name in model}
    if changed_here and changed_there:
        return "equal" if _equal(here, remote) else "diverged"
    return "local newer" if changed_here else "remote newer" if changed_there else "equal"


def _here(folder: Path, names: Iterable[str] = MODEL_FILES) -> dict[str, LocalFile]:
    return {name: local_file(folder / name, name) for name in names if (folder / name).is_file()}


def _equal(here: Mapping[str, LocalFile], remote: Remote) -> bool:
    return all(name in here and name in remote.files and remote.files[name].same_as(here[name]) for name in MODEL_FILES)


def diff(folder: Path, repo: str = "", account: Account | None = None) -> list[Difference]:
    """Each file of a checkpoint and of a repository, by default the one it is linked to, as it is there now.

    Raises `UserError`, also where there is no repository to compare with.
    """
    link = read_link(folder)
    if not repo and link is None:
        raise UserError("{folder} was never on the Hub. Name the repository to compare it with.", folder=folder)
    remote = look_at(Repo.parse(repo or link.repo), Client(account or Account.local()))  # type: ignore[union-attr]
    return _differences(folder, remote)


def verify(folder: Path, account: Account | None = None) -> list[Difference]:
    """Each file of a checkpoint, compared with the commit at which it was last equal to its repository.

    For a checkpoint that another library made, with what was written here then. Raises `UserError`.
    """
    link = read_link(folder)
    if link is None:
        raise UserError("{folder} was never on the Hub. Name the repository to compare it with.", folder=folder)
    if link.layout == "seg_demo":
        return _differences(
            folder, look_at(Repo.parse(f"{link.repo}@{link.commit}"), Client(account or Account.local()))
        )
    here = _here(folder, link.local)
    return [
        Difference(name, mine := here[name].sha256 if name in here else "", sha256, _change(mine, sha256))
        for name, sha256 in link.local.items()
    ]


def _differences(folder: Path, remote: Remote) -> list[Difference]:
    here = _here(folder)
    names = dict.fromkeys((*MODEL_FILES, *(name for name in remote.files if name in MODEL_FILES)))
    found = []
    for name in names:
        mine, theirs = here.get(name), remote.files.get(name)
        local = "" if mine is None else mine.sha256 if theirs is None or theirs.sha256 else mine.blob_id
        there = theirs.id if theirs else ""
        found.append(Difference(name, local, there, _change(local, there)))
    return found


def _change(local: str, remote: str) -> Change:
    if not local or not remote:
        return "only local" if local else "only remote"
    return "equal" if local == remote else "changed"
