"""One commit to a repository, which is found again where its answer was lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from seg_demo.hub import patience
from seg_demo.hub.client import Client, Failed
from seg_demo.hub.files import LocalFile
from seg_demo.hub.patience import Tries
from seg_demo.hub.progress import Progress
from seg_demo.hub.remote import Remote, look_at
from seg_demo.hub.repo import Repo
from seg_demo.hub.trouble import Stale, status_of
from seg_demo.hub.upload import Tally, addition

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo, CommitOperationAdd, HfApi


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
    tally = Tally(files.values())
    client = Client(client.account, alive=lambda: progress(tally.done, tally.total))
    base, before = remote, _pull_requests(remote, client) if pull_request else {}
    if not pull_request and _holds(base, files, gone):
        return Committed(base, changed=False)
    added = [addition(file, tally) for file in files.values()]
    _upload(base, added, client, pull_request)
    tries, overtaken = Tries(), 0
    while True:
        try:
            info = _send(base, [*_deleted(base, gone), *added], message, client, pull_request)
        except Failed as failed:
            if pull_request:
                if found := _landed(base, files, before, client):
                    return found
            elif (now := _at(base, "", client)).commit != base.commit:
                if _holds(now, files, gone):
                    return Committed(now)
                base, overtaken = _follow(base, now, files), overtaken + 1
                if overtaken < patience.PATIENCE.tries:
                    continue
                raise Stale(
                    "{repo} is being changed by somebody else all the time. Try again later.", repo=base.repo
                ) from None
            client.before_next(failed.error, base.repo, tries)
        else:
            return Committed(_at(base, str(info.oid), client), str(info.pr_url or "") if pull_request else "")


def _upload(base: Remote, added: list[CommitOperationAdd], client: Client, pull_request: bool) -> None:
    """Send what git does not keep itself, of which there is nothing to see before the commit; what is there is not sent
    again.

    Each file is a question of its own, so that it need not be sent again for the sake of another; and the client, which
    sends several in threads and tries again there by itself, gets no more than one.
    """

    def modes(api: HfApi) -> None:
        from huggingface_hub._commit_api import _fetch_upload_modes

        _fetch_upload_modes(
            additions=added, repo_type=base.kind, repo_id=base.repo, headers=client.headers(), revision="main",
            endpoint=api.endpoint, create_pr=pull_request,
        )  # fmt: skip

    def send(api: HfApi, each: CommitOperationAdd) -> None:
        import httpx2

        cast(BinaryIO, each.path_or_fileobj).seek(0)  # A try that failed leaves it elsewhere.
        try:
            api.preupload_lfs_files(base.repo, [each], repo_type=base.kind, create_pr=pull_request, free_memory=False)
        except RuntimeError as error:
            if status_of(error) in (400, 404):  # It is not there, or not whole, whatever was answered to the upload.
                raise httpx2.RemoteProtocolError("what was sent did not arrive") from None
            raise

    client.ask(modes, what=base.repo)
    for each in added:
        client.ask(lambda api, each=each: send(api, each), what=base.repo)  # type: ignore[misc]


def _send(base: Remote, operations: list[Any], message: str, client: Client, pull_request: bool) -> CommitInfo:
    """Raises `Failed`, also where the commit was made and the answer lost."""
    return client.ask_once(
        lambda api: api.create_commit(
            base.repo,
            operations,
            commit_message=message,
            parent_commit=base.commit,
            create_pr=pull_request,
            repo_type=base.kind,
        )
    )


def _deleted(base: Remote, gone: Collection[str]) -> list[Any]:
    from huggingface_hub import CommitOperationDelete

    return [CommitOperationDelete(name, is_folder=False) for name in sorted(gone) if name in base.files]


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
