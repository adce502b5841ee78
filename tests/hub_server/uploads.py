"""The way in: preupload, the LFS batch, the upload itself, and the commit."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .answers import Answer, Refused, Request, Slice, as_json
from .routes import route
from .storage import LARGE, SHA40, Blob, Commit, PullRequest, Repo, goes_to_lfs, lfs_blob

if TYPE_CHECKING:
    from .server import HubServer


@route("POST", "/api/{kind}/{id}/preupload/{rev}", "preupload")
def preupload(hub: HubServer, request: Request) -> Answer:
    repo = hub.asked(request, write=not request.yes("create_pr"))
    commit = repo.resolve(request.groups["rev"])
    files = []
    for file in request.json()["files"]:
        lfs = goes_to_lfs(file["path"], file["size"], base64.b64decode(file.get("sample", "")))
        blob = commit.files.get(file["path"])
        mode = "lfs" if lfs else "regular"
        files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": blob and blob.id})
    return as_json({"files": files, "commitOid": commit.id})


@route("POST", "/{prefix}{id}.git/info/lfs/objects/batch", "batch")
def batch(hub: HubServer, request: Request) -> Answer:
    """Where to send each file; a file that is there already needs no action."""
    asked = request.json()
    repo = hub.asked(request)
    if request.token is None:
        raise Refused(401, "Invalid username or password.")
    objects: list[dict[str, Any]] = []
    for wanted in asked["objects"]:
        oid, size = wanted["oid"], wanted["size"]
        found: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
        objects.append(found)
        if repo.has(oid):
            continue
        place = f"{repo.kind}/{repo.id}/{oid}"
        if size > hub.multipart_above and "multipart" in asked.get("transfers", ()):
            done = f"/complete/{place}"
            header = {"chunk_size": str(hub.part_size)}
            for number in range(1, -(-size // hub.part_size) + 1):
                part = f"/uploads/{place}/{number}"
                header[f"{number:05d}"] = f"{hub.cdn_url}{part}?{hub.sign(part)}"
            upload = {"href": f"{hub.url}{done}?{hub.sign(done)}", "header": header}
        else:
            path = f"/uploads/{place}"
            upload = {"href": f"{hub.cdn_url}{path}?{hub.sign(path)}"}
        prefix = "spaces/" if repo.kind == "space" else ""
        verify = {"href": f"{hub.url}/{prefix}{repo.id}.git/info/lfs/verify"}
        found["actions"] = {"upload": upload, "verify": verify}
    multipart = any("header" in o["actions"]["upload"] for o in objects if "actions" in o)
    return as_json({"transfer": "multipart" if multipart else "basic", "objects": objects})


def _stored(hub: HubServer, request: Request) -> Repo:
    hub.must_be_signed(request)
    repo = hub.store.repos.get((request.groups["kind"], request.repo))
    if repo is None:
        raise Refused(404, "NoSuchBucket")
    return repo


def sha256_of(places: list[Path]) -> str:
    """Of the files one after the other."""
    digest = hashlib.sha256()
    for place in places:
        for piece in Slice(place, 0, place.stat().st_size).pieces():
            digest.update(piece)
    return digest.hexdigest()


@route("PUT", "/uploads/(?P<kind>model|space)/{id}/{oid}", "upload")
def upload(hub: HubServer, request: Request) -> Answer:
    repo, oid, sent = _stored(hub, request), request.groups["oid"], request.upload
    assert sent is not None
    if sha256_of([sent]) != oid:
        raise Refused(400, "The provided checksum does not match the content.")
    sent.replace(repo.place(oid))
    return Answer(200, headers={"ETag": f'"{oid}"'})


@route("PUT", "/uploads/(?P<kind>model|space)/{id}/{oid}/{number}", "upload")
def upload_part(hub: HubServer, request: Request) -> Answer:
    repo, part, sent = _stored(hub, request), "{oid}.part{number}".format(**request.groups), request.upload
    assert sent is not None
    sent.replace(repo.place(part))
    return Answer(200, headers={"ETag": f'"{sha256_of([repo.place(part)])}"'})


@route("POST", "/complete/(?P<kind>model|space)/{id}/{oid}", "complete")
def complete(hub: HubServer, request: Request) -> Answer:
    repo, oid = _stored(hub, request), request.groups["oid"]
    places = [repo.place(f"{oid}.part{part['partNumber']}") for part in request.json()["parts"]]
    if sha256_of(places) != oid:
        raise Refused(400, "The parts do not make the announced content.")
    with repo.place(oid).open("wb") as out:
        for place in places:
            out.write(place.read_bytes())
            place.unlink()
    return as_json({"success": True})


@route("POST", "/{prefix}{id}.git/info/lfs/verify", "verify")
def verify(hub: HubServer, request: Request) -> Answer:
    repo, asked = hub.asked(request), request.json()
    if not repo.has(asked["oid"]) or repo.place(asked["oid"]).stat().st_size != asked["size"]:
        raise Refused(404, "Object does not exist, or has another size")
    return as_json({"success": True})


@route("POST", "/api/{kind}/{id}/commit/{rev}", "commit")
def commit(hub: HubServer, request: Request) -> Answer:
    asks_pull = request.yes("create_pr")
    repo = hub.asked(request, write=not asks_pull)
    if request.token is None:
        raise Refused(401, "Invalid username or password.")
    revision = request.groups["rev"]
    base = repo.resolve(revision)
    lines = [json.loads(line) for line in request.body.splitlines() if line.strip()]
    header = next((line["value"] for line in lines if line["key"] == "header"), None)
    if header is None or not header.get("summary"):
        raise Refused(400, "The header with the summary is missing")
    wanted = header.get("parentCommit")
    if wanted and not base.id.startswith(wanted):
        if not asks_pull:
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        base = repo.resolve(wanted)
    files = dict(base.files)
    for line in lines:
        _apply(repo, files, line["key"], line["value"])
    made = repo.commit(base, files, header["summary"], header.get("description", ""), request.user or "")
    prefix = "spaces/" if repo.kind == "space" else ""
    answer = {"success": True, "commitOid": made.id, "commitUrl": f"{hub.url}/{prefix}{repo.id}/commit/{made.id}"}
    if asks_pull:
        number = len(repo.pulls) + 1
        pull = PullRequest(number, made.title, made.message, made.author, base.id, made.id, revision)
        repo.pulls[number] = pull
        answer["pullRequestUrl"] = f"{hub.url}/{prefix}{repo.id}/discussions/{number}"
    else:
        _move(repo, revision, made)
    return as_json({**answer, "hookOutput": ""})


def _apply(repo: Repo, files: dict[str, Blob], key: str, value: dict[str, Any]) -> None:
    path = value.get("path", "")
    if key == "file":
        content = base64.b64decode(value["content"])
        if len(content) > LARGE:
            raise Refused(400, f"Your push was rejected because {path} is larger than 10 MiB and not in LFS.")
        files[path] = repo.add(path, content, lfs=False)
    elif key == "lfsFile":
        if not repo.has(value["oid"]):
            raise Refused(400, f"LFS pointer pointed to a file that does not exist: {path}")
        files[path] = lfs_blob(value["oid"], repo.place(value["oid"]).stat().st_size)
    elif key in ("deletedFile", "deletedFolder"):
        folder = path.rstrip("/") + "/"
        gone = [name for name in files if (name == path if key == "deletedFile" else name.startswith(folder))]
        if not gone:
            raise Refused(404, "A file with this name doesn't exist", "EntryNotFound")
        for name in gone:
            del files[name]
    elif key != "header":
        raise Refused(400, f"Unknown operation {key}")


def _move(repo: Repo, revision: str, made: Commit) -> None:
    if revision.startswith("refs/pr/"):
        repo.pulls[int(revision.removeprefix("refs/pr/"))].head = made.id
    elif revision in repo.branches:
        repo.branches[revision] = made.id
    else:
        what = "a commit" if SHA40.fullmatch(revision) else "a tag"
        raise Refused(400, f"{revision} is {what}: commits go to a branch or a pull request")


def overtake(hub: HubServer, request: Request) -> None:
    """Somebody else's commit, on the branch that this request is about to write to."""
    with hub.lock:
        repo = hub.repo(request.repo, request.kind)
        head = repo.resolve(request.groups["rev"])
        added = {"overtaken.txt": repo.add("overtaken.txt", f"{len(repo.commits)}\n".encode())}
        _move(repo, request.groups["rev"], repo.commit(head, {**head.files, **added}, "Overtake", "", "carol"))
