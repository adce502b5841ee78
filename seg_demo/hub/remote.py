"""Repositories as the Hub describes them, without downloading anything."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from seg_demo.checkpoint.folder import CONFIG_FILE, WEIGHTS_FILE
from seg_demo.errors import UserError
from seg_demo.hub.client import Client
from seg_demo.hub.files import LocalFile
from seg_demo.hub.repo import Repo
from seg_demo.hub.trouble import UNEXPECTED, HubError, NotThere, not_understood

MOST_FILES = 10_000
LIBRARIES = {"seg_demo": "seg_demo", "segmentation-models-pytorch": "smp", "transformers": "transformers"}
"""Libraries as the Hub calls them -> the layout that their checkpoints have there."""
LARGEST = 1 << 60  # bytes; what is said to be larger is no file
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class RemoteFile:
    """A file there. size: bytes. sha256: of a large one, "" for those that git keeps itself. blob_id: git's id."""

    name: str
    size: int
    sha256: str
    blob_id: str

    @property
    def id(self) -> str:
        """What the content is known by."""
        return self.sha256 or self.blob_id

    def same_as(self, file: LocalFile) -> bool:
        return (self.sha256 == file.sha256) if self.sha256 else (self.blob_id == file.blob_id)


@dataclass(frozen=True)
class Found:
    """A repository in a list. modified: seconds since 1970. layout: of its files, "" where the Hub does not say."""

    repo: str
    private: bool
    modified: float
    downloads: int
    likes: int
    layout: str


@dataclass(frozen=True)
class Remote(Found):
    """A repository at one commit. files: by name; those whose names could be a path out of a folder are left out."""

    commit: str = ""
    kind: str = "model"
    files: Mapping[str, RemoteFile] = field(default_factory=dict)

    def ids(self, names: Iterable[str]) -> dict[str, str]:
        """What the Hub knows these files by; those that are not there are left out."""
        return {name: self.files[name].id for name in names if name in self.files}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but what the Hub itself puts into a new repository."""
        return not set(self.files) - {".gitattributes"}


def look_at(repo: Repo, client: Client) -> Remote:
    """The repository at its revision, at the commit that this is now. Raises `HubError`."""
    info = client.ask(
        lambda api: api.repo_info(repo.id, revision=repo.revision or None, repo_type=repo.kind, files_metadata=True),
        what=str(repo),
    )
    try:
        return _remote(repo, info)
    except (*UNEXPECTED, ValueError):
        raise not_understood(repo.id) from None


def look_if_there(repo: Repo, client: Client) -> Remote | None:
    """As `look_at`; None where there is none that the account may see."""
    try:
        return look_at(repo, client)
    except NotThere:
        return None


def _remote(repo: Repo, info: Any) -> Remote:
    if not _COMMIT.fullmatch(str(info.sha)):
        raise HubError("{repo} has no commit yet. Choose a repository with files.", repo=repo.id)
    siblings = info.siblings or []
    if len(siblings) > MOST_FILES:
        raise HubError("{repo} has more than {most} files. Choose another repository.", repo=repo.id, most=MOST_FILES)
    files = {sibling.rfilename: _file(sibling) for sibling in siblings if _is_plain(sibling.rfilename)}
    return Remote(**vars(_found(info, repo.id)), commit=str(info.sha), kind=repo.kind, files=files)


def _file(sibling: Any) -> RemoteFile:
    """Raises `ValueError` where the hashes, which become names of files here, are none."""
    lfs, blob_id = sibling.lfs, str(sibling.blob_id or "")
    size, sha256 = int((lfs.size if lfs else sibling.size) or 0), str(lfs.sha256) if lfs else ""
    if not (_SHA256.fullmatch(sha256) if lfs else _COMMIT.fullmatch(blob_id)) or not 0 <= size < LARGEST:
        raise ValueError(sibling.rfilename)
    return RemoteFile(sibling.rfilename, size, sha256, blob_id)


def _is_plain(name: str) -> bool:
    return not ({"\\", "\0"} & set(name) or any(part in ("", ".", "..") for part in name.split("/")))


def _found(info: Any, repo: str = "") -> Found:
    return Found(
        repo=repo or str(info.id),
        private=bool(info.private),
        modified=info.last_modified.timestamp() if info.last_modified else 0.0,
        downloads=int(getattr(info, "downloads", None) or 0),
        likes=int(info.likes or 0),
        layout=LIBRARIES.get(str(getattr(info, "library_name", "")), ""),
    )


def list_remote(
    client: Client, *, search: str = "", owner: str = "", foreign: bool = False, most: int = 30
) -> list[Found]:
    """Repositories with checkpoints, the newest first.

    search: words of their names. owner: whose they are; "" for everybody's. foreign: those of other libraries
    that `pull` understands as well. Raises `HubError`.
    """
    wanted = LIBRARIES if foreign else ("seg_demo",)
    found: dict[str, Found] = {}
    for library in wanted:
        tags = [library] if library == "seg_demo" else [library, "image-segmentation"]
        models = client.ask(
            lambda api, tags=tags: list(  # type: ignore[misc]
                api.list_models(
                    search=search or None,
                    author=owner or None,
                    filter=tags,
                    sort="last_modified",
                    limit=most,
                    full=True,
                )
            ),
            what=owner or "models",
        )
        for info in models:
            with contextlib.suppress(UserError, *UNEXPECTED, ValueError):  # What could not be pulled is not shown.
                found.setdefault(Repo.parse(str(info.id)).id, _found(info))
    return sorted(found.values(), key=lambda each: (each.layout != "seg_demo", -each.modified))[: most * len(wanted)]


MODEL_FILES = (CONFIG_FILE, WEIGHTS_FILE)
"""What makes two checkpoints of ours equal: their cards may differ."""
PICTURES = re.compile(r"samples/([a-z0-9][a-z0-9_-]{0,40})\.(jpg|png)")
"""Names of the sample pictures of a card; the first group is the picture's own."""
