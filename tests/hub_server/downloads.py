"""Files: /resolve/, which says what a file is, and the CDN, which has the bytes of the large ones."""

from __future__ import annotations

import gzip
import mimetypes
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from .answers import Answer, Refused, Request, Slice
from .routes import route
from .storage import Repo

if TYPE_CHECKING:
    from .server import HubServer

COMPRESSED_FROM = 1000  # bytes
TEXT = ("text/", "application/json")


@route("GET", "/{prefix}{id}/resolve/{rev}/{path}", "resolve")
def resolve(hub: HubServer, request: Request) -> Answer:
    repo = hub.asked(request)
    commit = repo.resolve(request.groups["rev"])
    about = {"X-Repo-Commit": commit.id, "Accept-Ranges": "bytes"}
    if repo.gated and not hub.may_write(request, repo.owner, repo):
        message = f"Access to model {repo.id} is restricted. You must have access to it and be authenticated."
        raise Refused(403 if request.token else 401, message, "GatedRepo", about)
    blob = commit.files.get(request.file)
    if blob is None:
        raise Refused(404, "Entry not found", "EntryNotFound", about)
    if blob.sha256 is None:
        about["ETag"] = f'"{blob.git}"'
        return compressed(content(repo, blob.id, request, about), request)
    path = f"/repos/{repo.kind}/{repo.id}/{blob.sha256}"
    name = quote(request.file, safe="")
    about["Location"] = f"{hub.cdn_url}{path}?{hub.sign(path)}&filename={name}"
    about["X-Linked-Size"], about["X-Linked-ETag"] = str(blob.size), f'"{blob.sha256}"'
    return Answer(302, f"Found. Redirecting to {about['Location']}".encode(), about, "text/plain; charset=utf-8")


@route("GET", "/repos/(?P<kind>model|space)/{id}/{oid}", "cdn")
def cdn(hub: HubServer, request: Request) -> Answer:
    hub.must_be_signed(request)
    repo = hub.store.repos.get((request.groups["kind"], request.repo))
    if repo is None or not repo.has(request.groups["oid"]):
        raise Refused(404, "NoSuchKey")
    name = request.file.rsplit("/", 1)[-1]
    about = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{request.groups["oid"]}"',
        "Content-Disposition": f'inline; filename="{name}";',
    }
    return content(repo, request.groups["oid"], request, about)


def compressed(answer: Answer, request: Request) -> Answer:
    """As the real Hub's text files come to those who can take it: gzip, in chunks, without a length."""
    takes = "gzip" in request.headers.get("accept-encoding", "") and answer.status == 200
    if not takes or answer.size < COMPRESSED_FROM or not answer.type.startswith(TEXT):
        return answer
    headers = {**answer.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    headers["ETag"] = f"W/{headers['ETag']}"
    return Answer(200, gzip.compress(b"".join(answer.pieces()), mtime=0), headers, answer.type, chunked=True)


def content(repo: Repo, blob_id: str, request: Request, headers: dict[str, str]) -> Answer:
    """A stored file, or the one range of it that is asked for."""
    place = repo.place(blob_id)
    size = place.stat().st_size
    kind = mimetypes.guess_type(request.file)[0] or "application/octet-stream"
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if not match or match[0] == "bytes=-":
        return Answer(200, Slice(place, 0, size), headers, kind)
    if match[1]:
        start, end = int(match[1]), min(int(match[2] or size - 1), size - 1)
    else:
        start, end = max(0, size - int(match[2])), size - 1
    if start >= size or start > end:
        raise Refused(416, "Range Not Satisfiable", headers={"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return Answer(206, Slice(place, start, end + 1 - start), headers, kind)
