"""One commit to a repository, which is found again where its answer was lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from seg_demo.hub.client import Client
from seg_demo.hub.files import LocalFile
from seg_demo.hub.remote import Remote, look_at
from seg_demo.hub.repo import Repo
from seg_demo.hub.transfer import Progress
from seg_demo.hub.trouble import Stale, is_the_hubs
from seg_demo.hub.upload import Tally, addition

TRIES = 3  # the client itself tries each upload six times


@dataclass(frozen=True)
class Committed:
    """What a repository holds at the commit. url: of the pull request, or ""."""

    remote: Remote
    url: str = ""
    changed: bool = True

    @property
    def repo(self) -> str:
        return self.remote.repo

    @property
    def commit(self) -> str:
        return self.remote.commit


def commit(
    remote: Remote,
    files: Mapping[str, LocalFile],
    message: str,
    client: Client,
    progress: Progress,
    *,
    gone: Collection[str] = (),
    pull_request: bool = False,
) -> Committed:
    """Put `files` on top of `remote`, of which the files `gone` go; in a pull request where one is wanted.

    Where the answer is lost or the repository has changed meanwhile, it is looked at again: the commit may be
    there, or somebody else's, which raises `Stale`. Raises `HubError`.
    """
    base, before = remote, _pull_requests(remote, client) if pull_request else {}
    if not pull_request and _holds(base, files, gone):
        return Committed(base, changed=False)
    for failed in range(1, TRIES + 1):
        tally = Tally(files.values(), progress)
        try:
            info = client.api.create_commit(
                base.repo,
                _operations(base, files, gone, tally),
                commit_message=message,
                parent_commit=base.commit,
                create_pr=pull_request,
                repo_type=base.kind,
            )
            return Committed(_at(base, str(info.oid), client), str(info.pr_url or "") if pull_request else "")
        except Exception as error:
            if tally.ended is not None:  # as the client wraps what we have raised ourselves
                raise tally.ended from None
            if not is_the_hubs(error):
                raise
            if pull_request:
                if found := _landed(base, files, before, client):
                    return found
            elif (now := _at(base, "", client)).commit != base.commit:
                if _holds(now, files, gone):
                    return Committed(now)
                base = _follow(base, now, files)
                continue
            client.before_next(error, base.repo, failed, TRIES)
    raise Stale("{repo} is being changed by somebody else all the time. Try again later.", repo=base.repo)


def _operations(base: Remote, files: Mapping[str, LocalFile], gone: Collection[str], tally: Tally) -> list[Any]:
    from huggingface_hub import CommitOperationDelete

    deleted = [CommitOperationDelete(name, is_folder=False) for name in sorted(gone) if name in base.files]
    return [*deleted, *(addition(file, tally) for file in files.values())]


def _holds(remote: Remote, files: Mapping[str, LocalFile], gone: Collection[str]) -> bool:
    there = all(name in remote.files and remote.files[name].same_as(file) for name, file in files.items())
    return there and not set(gone) & set(remote.files)


def _follow(base: Remote, now: Remote, files: Mapping[str, LocalFile]) -> Remote:
    """The newer commit, where it has changed nothing that is being pushed."""
    if now.ids(files) != base.ids(files):
        raise Stale(
            "Somebody else has just changed {repo}. Look at what is there now, then push again.", repo=base.repo
        )
    return now


def _at(base: Remote, revision: str, client: Client) -> Remote:
    owner, _, name = base.repo.partition("/")
    return look_at(Repo(owner, name, revision, base.kind), client)


def _pull_requests(remote: Remote, client: Client) -> dict[str, str]:
    """The commits of all pull requests, by their names."""
    refs = client.ask(
        lambda api: api.list_repo_refs(remote.repo, repo_type=remote.kind, include_pull_requests=True), what=remote.repo
    )
    return {each.ref: each.target_commit for each in refs.pull_requests or ()}


def _landed(
    base: Remote, files: Mapping[str, LocalFile], before: Mapping[str, str], client: Client
) -> Committed | None:
    """The pull request that was made although no answer came; None where there is none."""
    for ref, oid in _pull_requests(base, client).items():
        if ref not in before and _holds(found := _at(base, oid, client), files, ()):
            number = ref.rpartition("/")[2]
            return Committed(found, f"{client.api.endpoint}/{base.repo}/discussions/{number}")
    return None
