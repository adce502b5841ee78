"""The server itself: two ports on 127.0.0.1, users and their tokens, the list of requests, and the orders of tests."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from . import api, discussions, downloads, oauth, spaces, uploads  # noqa: F401 - each adds its routes
from .answers import Answer, Refused, Request
from .connection import Listener
from .faults import Fault, Faults
from .routes import Route
from .storage import Repo, Store

USERS = {"alice": "hf_" + "Alice" * 7, "bob": "hf_" + "Bobby" * 7}


@dataclass(frozen=True)
class Token:
    """What a token may do: "write" all its user may, "read" nothing but read, "contribute" only touch what it made."""

    user: str
    role: str = "write"
    scope: str = ""
    until: float = float("inf")  # time.time() at which it ends


class HubServer:
    """
    A Hub on 127.0.0.1 for tests.

    >>> with HubServer(tmp_path) as hub:
    ...     hub.put("alice/net", {"config.json": b"{}"}, private=True)
    ...     HfApi(endpoint=hub.url, token=hub.token("alice")).model_info("alice/net")

    Large files are served from a second port, `cdn_url`: another origin, as with the real one, so that the client
    sends no token there. What is asked is in `requests`. Any thread may call any method at any time.
    """

    def __init__(
        self,
        root: Path,
        users: Mapping[str, str] = USERS,
        organisations: Mapping[str, Sequence[str]] | None = None,
        port: int = 0,
    ) -> None:
        self.users = dict(users)
        self.tokens = {token: Token(user) for user, token in self.users.items()}
        self.organisations = {name: list(members) for name, members in (organisations or {}).items()}
        self.store = Store(root)
        self.incoming = root / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)
        self.faults = Faults()
        self.requests: list[Request] = []
        self.errors: list[Exception] = []
        self.twist: Callable[[Request, Answer], Answer] = lambda request, answer: answer  # before it is sent
        self.page_size = 1000  # entries in one page of a list
        self.multipart_above = 64 * 1024 * 1024  # bytes; larger files are uploaded in parts
        self.part_size = 16 * 1024 * 1024
        self.login = oauth.Login()
        self.lock = threading.RLock()
        self.closing = threading.Event()
        self._secret = os.urandom(16)
        self._port = port
        self._listeners: list[Listener] = []

    # ---- start and stop

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def cdn_url(self) -> str:
        return f"http://127.0.0.1:{self._listeners[1].server_port}"

    def start(self) -> HubServer:
        """Also after `close`: the same port, the same repositories."""
        self.closing.clear()
        self._listeners = [Listener(self, "hub", self._port), Listener(self, "cdn", 0)]
        self._port = self._listeners[0].server_port
        for listener in self._listeners:
            listener.start()
        return self

    def close(self) -> None:
        """Answer nobody any more; open connections are cut."""
        self.closing.set()
        for listener in self._listeners:
            listener.stop()

    def __enter__(self) -> HubServer:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.close()

    # ---- who

    def token(self, user: str) -> str:
        return self.users[user]

    def add_token(self, user: str, role: str = "write", scope: str = "", until: float = float("inf")) -> str:
        """One more token of a user; roles as in `Token`."""
        token = "hf_" + hashlib.sha256(f"{user}/{role}/{len(self.tokens)}".encode()).hexdigest()[:35]
        self.tokens[token] = Token(user, role, scope, until)
        return token

    def known(self, token: str | None) -> Token | None:
        """What a token is good for; None for one that nobody gave out, that was taken back (`del hub.tokens[token]`),
        or that has come to its end."""
        found = self.tokens.get(token or "")
        return found if found and time.time() < found.until else None

    def may_write(self, request: Request, namespace: str, repo: Repo | None = None) -> bool:
        token = self.known(request.token)
        if token is None or token.role == "read":
            return False
        if token.role == "contribute" and repo is not None and not repo.by_app:
            return False
        return token.user == namespace or token.user in self.organisations.get(namespace, ())

    def may_read(self, request: Request, repo: Repo) -> bool:
        if not repo.private:
            return True
        token = self.known(request.token)
        if token is None or (token.role == "contribute" and not repo.by_app):
            return False
        return token.user == repo.owner or token.user in self.organisations.get(repo.owner, ())

    # ---- what the routes need

    def answer(self, route: Route | None, request: Request) -> Answer:
        try:
            if request.token is not None and self.known(request.token) is None:
                raise Refused(401, "Invalid credentials in Authorization header")
            if route is None:
                raise Refused(404, "Sorry, we can't find the page you are looking for.")
            with self.lock:
                return route.handler(self, request)
        except Refused as refused:
            return refused.answer()
        except Exception as error:  # a gap in this server: `hub` lets the test fail that found it
            self.errors.append(error)
            return Refused(500, f"{type(error).__name__}: {error}").answer()

    def asked(self, request: Request, write: bool = False) -> Repo:
        """The repository of a request; those who may not see it are told that there is none."""
        repo = self.store.repos.get((request.kind, request.repo))
        if moved := self.store.moved.get((request.kind, request.repo)):
            query = f"?{urlencode(request.query, doseq=True)}" if request.query else ""
            raise Refused(307, "Moved", headers={"Location": request.path.replace(request.repo, moved, 1) + query})
        if repo is None or not self.may_read(request, repo):
            if request.token is None:
                raise Refused(401, "Invalid username or password.", "RepoNotFound")
            raise Refused(404, "Repository not found", "RepoNotFound")
        if write:
            self.must_write(request, repo.owner, repo)
        return repo

    def must_write(self, request: Request, namespace: str, repo: Repo | None = None) -> None:
        if request.token is None:
            raise Refused(401, "Invalid username or password.")
        if not self.may_write(request, namespace, repo):
            raise Refused(403, f"You don't have the rights to write under the namespace {namespace}")

    def sign(self, path: str) -> str:
        """A query that lets anybody who has it in, as the CDN's URLs have."""
        return f"Expires=4102444800&Signature={hmac.new(self._secret, path.encode(), 'sha256').hexdigest()}"

    def must_be_signed(self, request: Request) -> None:
        if f"Expires={request.one('Expires')}&Signature={request.one('Signature')}" != self.sign(request.path):
            raise Refused(403, "Access denied")

    # ---- for tests

    @property
    def environment(self) -> dict[str, str]:
        """What a subprocess needs so that its client asks this server. Add HF_TOKEN and HF_HOME as the test wants."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_OFFLINE": "0",
        }

    def fail(self, endpoint: str, fault: str | int, times: int | None = 1, **options: Any) -> None:
        """
        Let the next `times` requests at an endpoint go wrong; None: all of them, until `faults.clear()`.

        A fault is a status (500, 503, 429 with Retry-After, ...) or one of:

        - "cut": the connection is closed half-way, through the body of a GET, through the request of anything else;
        - "silence": no answer, until the client gives up or for `seconds`;
        - "slow": `seconds` of rest for each 64 KiB of the request and of the answer;
        - "wrong bytes": the right size, other content;
        - "too much": 64 MiB of zeros after the end, and no word of how long it is;
        - "stale head": somebody else's commit lands just before this one is looked at;
        - "lost answer": all is done, then the connection is closed; with `status=504`, that is the answer;
        - "garbage": 200 with a page of HTML.

        Options: `repo`, `file` (for "resolve" and "cdn"), `method`, `token`: only requests with these; `after`: let so
        many pass first; `retry_after`, `message`, `seconds`, `status`.
        """
        self.faults.add(Fault(endpoint, fault, times, options))

    def repo(self, repo_id: str, kind: str = "model") -> Repo:
        return self.store.repos[kind, repo_id]

    def put(
        self,
        repo_id: str,
        files: Mapping[str, bytes] | Path,
        *,
        kind: str = "model",
        private: bool = False,
        branch: str = "main",
        user: str | None = None,
        title: str = "Upload",
    ) -> str:
        """Commit files (or a folder's) without HTTP, in a new repository where there is none; the commit's id."""
        if isinstance(files, Path):
            places = sorted(place for place in files.rglob("*") if place.is_file())
            files = {place.relative_to(files).as_posix(): place.read_bytes() for place in places}
        with self.lock:
            author = user or repo_id.split("/")[0]
            repo = self.store.repos.get((kind, repo_id))
            if repo is None:
                repo = self.store.create(kind, repo_id, author, private, "gradio" if kind == "space" else "")
            head = repo.resolve(branch)
            added = {path: repo.add(path, content) for path, content in files.items()}
            repo.branches[branch] = repo.commit(head, {**head.files, **added}, title, "", author).id
            return repo.branches[branch]

    def files(self, repo_id: str, revision: str = "main", kind: str = "model") -> dict[str, bytes]:
        """All files of one revision, with their content."""
        repo = self.repo(repo_id, kind)
        return {path: repo.read(blob) for path, blob in repo.resolve(revision).files.items()}

    def corrupt(self, repo_id: str, file: str, kind: str = "model", revision: str = "main") -> None:
        """Change one byte of a stored file; its size and the hashes that are announced stay."""
        repo = self.repo(repo_id, kind)
        place = repo.place(repo.resolve(revision).files[file].id)
        content = place.read_bytes()
        place.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    def announce(self, repo_id: str, file: str, size: int, kind: str = "model", revision: str = "main") -> None:
        """From now on name another size than the stored file has."""
        files = self.repo(repo_id, kind).resolve(revision).files
        files[file] = replace(files[file], size=size)

    def asked_for(self, endpoint: str, method: str | None = None) -> list[Request]:
        """The requests at one endpoint, in the order they came in."""
        return [r for r in list(self.requests) if r.endpoint == endpoint and method in (None, r.method)]

    @property
    def tokens_seen(self) -> set[str | None]:
        """The tokens that requests came with; None among them when one came with none."""
        return {request.token for request in list(self.requests) if request.host == "hub"}
