"""Discussions, most of all the pull requests among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .answers import Answer, Refused, Request, as_json
from .routes import route
from .storage import PullRequest, Repo, now

if TYPE_CHECKING:
    from .server import HubServer


def _asked(hub: HubServer, request: Request, write: bool = False) -> tuple[Repo, PullRequest]:
    repo = hub.asked(request, write)
    pull = repo.pulls.get(int(request.groups["number"]))
    if pull is None:
        raise Refused(404, f"Discussion {request.groups['number']} not found")
    return repo, pull


def _short(repo: Repo, pull: PullRequest) -> dict[str, Any]:
    return {
        "num": pull.number,
        "title": pull.title,
        "author": {"name": pull.author, "type": "user"},
        "createdAt": pull.created,
        "status": pull.status,
        "isPullRequest": pull.is_pull_request,
        "repo": {"name": repo.id, "type": repo.kind},
    }


def _event(pull: PullRequest, number: int, kind: str, author: str, date: str, data: dict[str, Any]) -> dict[str, Any]:
    author_of = {"name": author, "type": "user"}
    return {"id": f"{pull.number:08x}{number:016x}", "type": kind, "author": author_of, "createdAt": date, "data": data}


def _events(repo: Repo, pull: PullRequest) -> list[dict[str, Any]]:
    texts = [(pull.author, pull.description, pull.created), *pull.comments]
    found: list[dict[str, Any]] = []
    for author, text, date in texts:
        data = {"edited": False, "hidden": False, "latest": {"raw": text, "html": text, "author": {"name": author}}}
        found.append(_event(pull, len(found), "comment", author, date, data))
    if pull.is_pull_request:
        before = {commit.id for commit in repo.history(repo.commits[pull.base])}
        for commit in reversed(repo.history(repo.commits[pull.head])):
            if commit.id in before:
                continue
            data = {"subject": commit.title, "oid": commit.id}
            found.append(_event(pull, len(found), "commit", commit.author, commit.date, data))
    return found


@route("GET", "/api/{kind}/{id}/discussions", "discussions")
def listed(hub: HubServer, request: Request) -> Answer:
    repo = hub.asked(request)
    found = [_short(repo, pull) for pull in repo.pulls.values()]
    if request.one("type", "all") != "all":
        found = [entry for entry in found if entry["isPullRequest"] == (request.one("type") == "pull_request")]
    return as_json({"discussions": found, "count": len(found), "start": 0})


@route("GET", "/api/{kind}/{id}/discussions/{number}", "discussions")
def details(hub: HubServer, request: Request) -> Answer:
    repo, pull = _asked(hub, request)
    found = _short(repo, pull) | {"events": _events(repo, pull), "diff": ""}
    if pull.is_pull_request:
        found["changes"] = {"base": f"refs/heads/{pull.branch}", "mergeCommitId": pull.merged_as}
        found["filesWithConflicts"] = []
    return as_json(found)


@route("POST", "/api/{kind}/{id}/discussions", "discussions")
def begin(hub: HubServer, request: Request) -> Answer:
    repo, asked = hub.asked(request), request.json()
    if request.user is None:
        raise Refused(401, "Invalid username or password.")
    number, head = len(repo.pulls) + 1, repo.branches["main"]
    is_pull = bool(asked.get("pullRequest"))
    status = "draft" if is_pull else "open"
    text = asked.get("description", "")
    pull = PullRequest(number, asked["title"], text, request.user, head, head, status=status, is_pull_request=is_pull)
    repo.pulls[number] = pull
    return as_json(_short(repo, pull))


@route("POST", "/api/{kind}/{id}/discussions/{number}/merge", "discussions")
def merge(hub: HubServer, request: Request) -> Answer:
    """What the pull request changed, laid over the branch as it is now."""
    repo, pull = _asked(hub, request, write=True)
    if pull.status not in ("open", "draft") or not pull.is_pull_request:
        raise Refused(400, f"A pull request that is {pull.status} cannot be merged")
    before, after, head = repo.commits[pull.base].files, repo.commits[pull.head].files, repo.resolve(pull.branch)
    files = {path: blob for path, blob in head.files.items() if path not in before or path in after}
    files |= {path: blob for path, blob in after.items() if before.get(path) != blob}
    made = repo.commit(head, files, f"{pull.title} (#{pull.number})", "", request.user or "")
    repo.branches[pull.branch] = pull.merged_as = made.id
    pull.status = "merged"
    return as_json({"success": True})


@route("POST", "/api/{kind}/{id}/discussions/{number}/comment", "discussions")
def comment(hub: HubServer, request: Request) -> Answer:
    repo, pull = _asked(hub, request)
    if request.user is None:
        raise Refused(401, "Invalid username or password.")
    pull.comments.append((request.user, request.json()["comment"], now()))
    return as_json({"newMessage": _events(repo, pull)[len(pull.comments)]})


@route("POST", "/api/{kind}/{id}/discussions/{number}/status", "discussions")
def change_status(hub: HubServer, request: Request) -> Answer:
    _, pull = _asked(hub, request, write=True)
    pull.status = request.json()["status"]
    data = {"status": pull.status}
    return as_json({"newStatus": _event(pull, 999, "status-change", request.user or "", now(), data)})
