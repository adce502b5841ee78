"""Repositories as the Hub has them: commits, branches, tags, pull requests, and the bytes of the files on disk."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from .answers import Refused

LARGE = 10 * 1024 * 1024  # bytes; a larger file must go to LFS
LFS_SUFFIXES = tuple(
    ".7z .arrow .bin .bz2 .ckpt .gz .h5 .npy .npz .onnx .parquet .pb .pickle .pkl .pt .pth .rar .safetensors .tar"
    " .tflite .tgz .wasm .xz .zip .zst .png .jpg .jpeg .gif .webp .tif .tiff .bmp".split()
)
GIT_ATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES[:24]).encode()
SHA40 = re.compile(r"[0-9a-f]{40}")


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def git_id(content: bytes, kind: str = "blob") -> str:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content).hexdigest()


def goes_to_lfs(path: str, size: int, sample: bytes) -> bool:
    """Named types, large files, and whatever is not text."""
    return size > 0 and (path.lower().endswith(LFS_SUFFIXES) or size > LARGE or b"\0" in sample)


@dataclass(frozen=True)
class Blob:
    """A file's content: its size in bytes and its names."""

    size: int
    git: str  # the git id: of the content, or of the LFS pointer that stands for it
    sha256: str | None  # for LFS only
    pointer_size: int = 0

    @property
    def id(self) -> str:
        """What the ETag says, and what preupload calls `oid`."""
        return self.sha256 or self.git


@dataclass(frozen=True)
class Commit:
    id: str
    parent: str | None
    title: str
    message: str
    author: str
    date: str
    files: dict[str, Blob]


@dataclass
class PullRequest:
    number: int
    title: str
    description: str
    author: str
    base: str  # the commit it starts from
    head: str
    branch: str = "main"
    status: str = "open"  # "draft", "open", "closed", "merged"
    merged_as: str | None = None
    created: str = field(default_factory=now)
    is_pull_request: bool = True
    comments: list[tuple[str, str, str]] = field(default_factory=list)  # author, text, date


@dataclass
class Repo:
    id: str
    kind: str  # "model" or "space"
    folder: Path
    creator: str
    private: bool = False
    gated: str | bool = False
    by_app: bool = False  # made with a token of the OAuth login
    downloads: int = 0
    likes: int = 0
    created: str = field(default_factory=now)
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pulls: dict[int, PullRequest] = field(default_factory=dict)
    # only for Spaces
    sdk: str = ""
    stage: str = "BUILDING"
    hardware: str | None = None
    requested_hardware: str | None = None
    sleep_time: int | None = None
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    volumes: list[dict[str, object]] = field(default_factory=list)
    logs: dict[str, list[str]] = field(default_factory=lambda: {"build": [], "run": []})

    @property
    def owner(self) -> str:
        return self.id.split("/")[0]

    @property
    def modified(self) -> str:
        return self.commits[self.branches["main"]].date

    # ---- bytes

    def place(self, blob_id: str) -> Path:
        return self.folder / blob_id

    def has(self, blob_id: str) -> bool:
        return self.place(blob_id).is_file()

    def read(self, blob: Blob) -> bytes:
        return self.place(blob.id).read_bytes()

    def add(self, path: str, content: bytes, lfs: bool | None = None) -> Blob:
        """Keep one content, in git or in LFS as its name and size ask for."""
        if goes_to_lfs(path, len(content), content[:512]) if lfs is None else lfs:
            sha256 = hashlib.sha256(content).hexdigest()
            blob = lfs_blob(sha256, len(content))
        else:
            blob = Blob(len(content), git_id(content), None)
        self.place(blob.id).write_bytes(content)
        return blob

    # ---- history

    def resolve(self, revision: str) -> Commit:
        """A branch, a tag, refs/pr/N, refs/heads/X, or a commit (7 digits do)."""
        name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        for where in (self.branches, self.tags):
            if name in where:
                return self.commits[where[name]]
        if match := re.fullmatch(r"refs/pr/(\d+)", revision):
            pull = self.pulls.get(int(match[1]))
            if pull and pull.is_pull_request:
                return self.commits[pull.head]
        if re.fullmatch(r"[0-9a-f]{7,40}", revision):
            for commit_id, commit in self.commits.items():
                if commit_id.startswith(revision):
                    return commit
        raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def commit(self, parent: Commit | None, files: dict[str, Blob], title: str, message: str, author: str) -> Commit:
        """One more commit; no branch moves."""
        parent_id = parent.id if parent else None
        text = f"{self.kind}/{self.id}/{len(self.commits)}/{parent_id}/{title}"
        commit_id = hashlib.sha1(text.encode()).hexdigest()
        commit = Commit(commit_id, parent_id, title, message, author, now(), dict(sorted(files.items())))
        self.commits[commit_id] = commit
        return commit

    def history(self, commit: Commit) -> list[Commit]:
        """Newest first."""
        found = [commit]
        while found[-1].parent:
            found.append(self.commits[found[-1].parent])
        return found

    def last_change(self, commit: Commit, path: str) -> Commit:
        """The commit in which a file, or a folder, became what it is in `commit`."""

        def state(of: Commit) -> dict[str, Blob]:
            return {name: blob for name, blob in of.files.items() if name == path or name.startswith(f"{path}/")}

        found = commit
        for older in self.history(commit):
            if state(older) != state(commit):
                break
            found = older
        return found


def lfs_blob(sha256: str, size: int) -> Blob:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    return Blob(size, git_id(pointer), sha256, len(pointer))


class Store:
    """All repositories of one server."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repos: dict[tuple[str, str], Repo] = {}
        self.moved: dict[tuple[str, str], str] = {}  # old names, and the new ones

    def create(self, kind: str, repo_id: str, creator: str, private: bool = False, sdk: str = "") -> Repo:
        """A new repository starts with one commit, as on the real Hub."""
        folder = self.root / kind / repo_id
        folder.mkdir(parents=True)
        repo = Repo(repo_id, kind, folder, creator, private, sdk=sdk)
        files = {".gitattributes": repo.add(".gitattributes", GIT_ATTRIBUTES)}
        if kind == "space":
            card = f"---\ntitle: {repo_id.split('/')[1]}\nemoji: 👀\nsdk: {sdk}\napp_file: app.py\n---\n"
            files["README.md"] = repo.add("README.md", card.encode())
        repo.branches["main"] = repo.commit(None, files, "initial commit", "", creator).id
        self.repos[kind, repo_id] = repo
        self.moved.pop((kind, repo_id), None)
        return repo

    def move(self, repo: Repo, repo_id: str) -> None:
        """Another name; whoever asks for the old one is sent there."""
        folder = self.root / repo.kind / repo_id
        folder.parent.mkdir(parents=True, exist_ok=True)
        repo.folder.rename(folder)
        self.repos[repo.kind, repo_id] = self.repos.pop((repo.kind, repo.id))
        self.moved[repo.kind, repo.id] = repo_id
        repo.id, repo.folder = repo_id, folder

    def delete(self, repo: Repo) -> None:
        del self.repos[repo.kind, repo.id]
        shutil.rmtree(repo.folder)
