"""The JSON API: accounts, repositories, their trees, references and commits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from .answers import Answer, Refused, Request, as_json
from .cards import problems
from .described import describe, expanded, lfs
from .routes import route
from .storage import Commit, Repo

if TYPE_CHECKING:
    from .server import HubServer

LISTED = "_id id likes trendingScore private downloads tags pipeline_tag library_name createdAt modelId sdk".split()
LISTED_FULL = [*LISTED, "author", "sha", "lastModified", "gated", "disabled", "siblings"]


@route("GET", "/api/whoami-v2", "whoami")
def whoami(hub: HubServer, request: Request) -> Answer:
    token = hub.known(request.token)
    if token is None:
        raise Refused(401, "Invalid username or password.")
    member_of = [name for name, members in hub.organisations.items() if token.user in members]
    return as_json(
        {
            "type": "user",
            "id": f"{len(token.user):024x}",
            "name": token.user,
            "fullname": token.user.title(),
            "email": f"{token.user}@example.org",
            "emailVerified": True,
            "isPro": False,
            "canPay": False,
            "avatarUrl": f"{hub.url}/avatars/{token.user}.svg",
            "orgs": [{"type": "org", "name": name, "fullname": name, "roleInOrg": "write"} for name in member_of],
            "auth": {"type": "access_token", "accessToken": {"displayName": "tests", "role": token.role}},
        }
    )


@route("POST", "/api/validate-yaml", "validate-yaml")
def validate_yaml(hub: HubServer, request: Request) -> Answer:
    asked = request.json()
    errors, warnings = problems(asked["content"], asked.get("repoType", "model"))
    found = {"errors": [{"message": text} for text in errors], "warnings": [{"message": text} for text in warnings]}
    return as_json(found, 400 if errors else 200)


# ---- repositories


@route("POST", "/api/repos/create", "create")
def create(hub: HubServer, request: Request) -> Answer:
    asked = request.json()
    if request.user is None:
        raise Refused(401, "Invalid username or password.")
    namespace, name, kind = asked.get("organization") or request.user, asked["name"], asked.get("type") or "model"
    hub.must_write(request, namespace)
    if not re.fullmatch(r"[\w.-]{1,96}", name, re.ASCII) or name[0] in ".-" or name[-1] in ".-" or ".." in name:
        raise Refused(400, f"Invalid repo name: {name}")
    prefix = "spaces/" if kind == "space" else ""
    repo_id, url = f"{namespace}/{name}", f"{hub.url}/{prefix}{namespace}/{name}"
    if (kind, repo_id) in hub.store.repos:
        message = f"You already created this {kind} repo"
        return as_json({"error": message, "url": url}, 409, {"X-Error-Message": f"{message}: {repo_id}"})
    private = asked.get("private", asked.get("visibility") == "private")
    repo = hub.store.create(kind, repo_id, request.user, private, asked.get("sdk", ""))
    repo.by_app = hub.tokens[request.token or ""].role == "contribute"
    repo.requested_hardware = asked.get("hardware")
    repo.sleep_time = asked.get("sleepTimeSeconds")
    repo.volumes = asked.get("volumes", [])
    for field, kept in (("secrets", repo.secrets), ("variables", repo.variables)):
        kept.update({entry["key"]: entry for entry in asked.get(field, [])})
    return as_json({"url": url, "name": repo_id, "id": repo.commits[repo.branches["main"]].id[:24]})


@route("DELETE", "/api/repos/delete", "delete")
def delete(hub: HubServer, request: Request) -> Answer:
    asked = request.json()
    kind = asked.get("type") or "model"
    request.groups = {"kind": f"{kind}s", "id": f"{asked.get('organization') or request.user}/{asked['name']}"}
    hub.store.delete(hub.asked(request, write=True))
    return as_json("OK")


@route("POST", "/api/repos/move", "move")
def move(hub: HubServer, request: Request) -> Answer:
    asked = request.json()
    request.groups = {"kind": f"{asked.get('type') or 'model'}s", "id": asked["fromRepo"]}
    repo = hub.asked(request, write=True)
    hub.must_write(request, asked["toRepo"].split("/")[0])
    if (repo.kind, asked["toRepo"]) in hub.store.repos:
        raise Refused(409, "There is a repository of this name")
    hub.store.move(repo, asked["toRepo"])
    return as_json({})


@route("PUT", "/api/{kind}/{id}/settings", "settings")
def settings(hub: HubServer, request: Request) -> Answer:
    repo, asked = hub.asked(request, write=True), request.json()
    if "visibility" in asked or "private" in asked:
        repo.private = asked.get("private", asked.get("visibility") == "private")
    repo.gated = asked.get("gated", repo.gated)
    return as_json({"private": repo.private, "gated": repo.gated})


@route("GET", "/api/{kind}/{id}/auth-check(?P<write>/write)?", "auth-check")
def auth_check(hub: HubServer, request: Request) -> Answer:
    hub.asked(request, write="write" in request.groups)
    return as_json({})


@route("GET", "/api/{kind}/{id}(?:/revision/{rev})?", "info")
def info(hub: HubServer, request: Request) -> Answer:
    repo = hub.asked(request)
    found = describe(repo, repo.resolve(request.groups.get("rev", "main")), request.yes("blobs"))
    wanted = request.query.get("expand", []) + request.query.get("expand[]", [])
    return as_json(expanded(found, wanted) if wanted else found)


@route("GET", "/api/{kind}", "list")
def list_repos(hub: HubServer, request: Request) -> Answer:
    found = []
    for (kind, _), repo in sorted(hub.store.repos.items()):
        if kind == request.kind and hub.may_read(request, repo):
            entry = describe(repo, repo.resolve("main"))
            if _is_wanted(entry, request):
                found.append(entry)
    order = request.one("sort", "trendingScore")
    if order not in ("createdAt", "downloads", "lastModified", "likes", "trendingScore"):
        raise Refused(400, f'"sort" cannot be {order}')
    found.sort(key=lambda entry: entry[order], reverse=request.one("direction", "-1") == "-1")
    if wanted := request.query.get("expand", []):
        found = [expanded(entry, wanted) for entry in found]
    else:
        listed = [*(LISTED_FULL if request.yes("full") else LISTED), order]
        listed += ["cardData"] * request.yes("cardData") + ["config"] * request.yes("config")
        found = [{name: entry[name] for name in listed if name in entry} for entry in found]
    return pages(hub, request, found)


def _is_wanted(entry: dict[str, Any], request: Request) -> bool:
    filters = [name for value in request.query.get("filter", []) for name in value.split(",")]
    filters += request.query.get("pipeline_tag", [])
    return (
        request.one("search").lower() in entry["id"].lower()
        and request.one("author", entry["author"]) == entry["author"]
        and all(name in entry["tags"] for name in filters)
    )


def pages(hub: HubServer, request: Request, entries: list[Any]) -> Answer:
    """One page of a list; where to find the next is in the Link header, as with the real Hub."""
    most = min(int(request.one("limit") or hub.page_size), hub.page_size)
    start = int(request.one("cursor") or 0)
    headers = {"X-Total-Count": str(len(entries))}
    if start + most < len(entries):
        query = urlencode({**request.query, "cursor": [str(start + most)]}, doseq=True)
        headers["Link"] = f'<{hub.url}{request.path}?{query}>; rel="next"'
    return as_json(entries[start : start + most], headers=headers)


# ---- trees


def _file(repo: Repo, commit: Commit, path: str, expand: bool) -> dict[str, Any]:
    blob = commit.files[path]
    entry: dict[str, Any] = {"type": "file", "oid": blob.git, "size": blob.size, "path": path}
    return entry | ({"lfs": lfs(blob)} if blob.sha256 else {}) | _last(repo, commit, path, expand)


def _folder(repo: Repo, commit: Commit, path: str, expand: bool) -> dict[str, Any]:
    return {"type": "directory", "oid": "0" * 40, "size": 0, "path": path} | _last(repo, commit, path, expand)


def _last(repo: Repo, commit: Commit, path: str, expand: bool) -> dict[str, Any]:
    if not expand:
        return {}
    last = repo.last_change(commit, path)
    return {"lastCommit": {"id": last.id, "title": last.title, "date": last.date}}


@route("GET", "/api/{kind}/{id}/tree/{rev}(?:/{path})?", "tree")
def tree(hub: HubServer, request: Request) -> Answer:
    repo = hub.asked(request)
    commit, expand = repo.resolve(request.groups["rev"]), request.yes("expand")
    prefix = f"{request.file.strip('/')}/" if request.file else ""
    names = {path for path in commit.files if path.startswith(prefix)}
    if prefix and not names:
        raise Refused(404, f"{request.file} does not exist on {request.groups['rev']}", "EntryNotFound")
    folders = {path[: match.start()] for path in names for match in re.finditer("/", path)}
    folders = {folder for folder in folders if folder.startswith(prefix)}
    if not request.yes("recursive"):
        names, folders = ({n for n in found if "/" not in n[len(prefix) :]} for found in (names, folders))
    found = [_folder(repo, commit, path, expand) for path in sorted(folders)]
    return pages(hub, request, [*found, *(_file(repo, commit, path, expand) for path in sorted(names))])


@route("POST", "/api/{kind}/{id}/paths-info/{rev}", "paths-info")
def paths_info(hub: HubServer, request: Request) -> Answer:
    repo = hub.asked(request)
    is_json = "json" in request.headers.get("content-type", "")
    asked = request.json() if is_json else request.form()
    commit = repo.resolve(request.groups["rev"])
    expand = str(asked["expand"] if is_json else asked.get("expand", [""])[0]).lower() in ("true", "1")
    found = []
    for path in (name.rstrip("/") for name in asked.get("paths", [])):
        if path in commit.files:
            found.append(_file(repo, commit, path, expand))
        elif any(name.startswith(f"{path}/") for name in commit.files):
            found.append(_folder(repo, commit, path, expand))
    return as_json(found)


# ---- references and commits


@route("GET", "/api/{kind}/{id}/refs", "refs")
def refs(hub: HubServer, request: Request) -> Answer:
    repo = hub.asked(request)

    def listed(names: dict[str, str], prefix: str) -> list[dict[str, str]]:
        return [{"name": name, "ref": prefix + name, "targetCommit": commit} for name, commit in names.items()]

    found = {"branches": listed(repo.branches, "refs/heads/"), "converts": [], "tags": listed(repo.tags, "refs/tags/")}
    if request.yes("include_prs"):
        pulls = {f"refs/pr/{number}": pull.head for number, pull in repo.pulls.items() if pull.is_pull_request}
        found["pullRequests"] = listed(pulls, "")
    return as_json(found)


@route("POST", "/api/{kind}/{id}/tag/{rev}", "tag")
def tag(hub: HubServer, request: Request) -> Answer:
    repo, name = hub.asked(request, write=True), request.json()["tag"]
    commit = repo.resolve(request.groups["rev"])
    if not re.fullmatch(r"[\w./+-]+", name) or ".." in name or name.startswith(("-", "/")):
        raise Refused(400, f"Invalid tag name: {name}")
    if name in repo.tags:
        raise Refused(409, f"Tag reference exists already: refs/tags/{name}")
    repo.tags[name] = commit.id
    return as_json({"success": True})


@route("DELETE", "/api/{kind}/{id}/tag/{rev}", "tag")
def untag(hub: HubServer, request: Request) -> Answer:
    repo, name = hub.asked(request, write=True), request.groups["rev"]
    if repo.tags.pop(name, None) is None:
        raise Refused(404, f"Tag not found: {name}", "RevisionNotFound")
    return as_json({"success": True})


@route("POST", "/api/{kind}/{id}/branch/{rev}", "branch")
def branch(hub: HubServer, request: Request) -> Answer:
    repo, name = hub.asked(request, write=True), request.groups["rev"]
    commit = repo.resolve(request.json().get("startingPoint", "main"))
    if name in repo.branches:
        raise Refused(409, f"Reference already exists: refs/heads/{name}")
    repo.branches[name] = commit.id
    return as_json({"success": True})


@route("DELETE", "/api/{kind}/{id}/branch/{rev}", "branch")
def unbranch(hub: HubServer, request: Request) -> Answer:
    repo, name = hub.asked(request, write=True), request.groups["rev"]
    if name == "main" or repo.branches.pop(name, None) is None:
        raise Refused(404 if name != "main" else 403, f"Cannot delete {name}", "RevisionNotFound")
    return as_json({"success": True})


@route("GET", "/api/{kind}/{id}/commits/{rev}", "commits")
def commits(hub: HubServer, request: Request) -> Answer:
    repo = hub.asked(request)
    found = []
    for commit in repo.history(repo.resolve(request.groups["rev"])):
        authors = [{"user": commit.author, "avatar": ""}]
        entry = {"id": commit.id, "title": commit.title, "message": commit.message, "date": commit.date}
        found.append(entry | {"authors": authors})
    return pages(hub, request, found)
