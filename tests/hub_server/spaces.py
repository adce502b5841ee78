"""What only Spaces have: a runtime, hardware, secrets, variables, volumes, logs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .answers import Answer, Refused, Request, as_json
from .described import runtime
from .routes import route
from .storage import now

if TYPE_CHECKING:
    from .server import HubServer


@route("GET", "/api/spaces/zero-gpu/quota", "quota")
def quota(hub: HubServer, request: Request) -> Answer:
    if request.user is None:
        raise Refused(401, "Invalid username or password.")
    return as_json({"base": 300.0, "current": 300.0})


@route("GET", "/api/(?P<kind>spaces)/{id}/runtime", "runtime")
def look(hub: HubServer, request: Request) -> Answer:
    return as_json(runtime(hub.asked(request)))


@route("POST", "/api/(?P<kind>spaces)/{id}/hardware", "hardware")
def hardware(hub: HubServer, request: Request) -> Answer:
    repo, asked = hub.asked(request, write=True), request.json()
    repo.requested_hardware = asked["flavor"]
    repo.sleep_time = asked.get("sleepTimeSeconds", repo.sleep_time)
    return as_json(runtime(repo))


@route("POST", "/api/(?P<kind>spaces)/{id}/sleeptime", "hardware")
def sleep_time(hub: HubServer, request: Request) -> Answer:
    repo = hub.asked(request, write=True)
    repo.sleep_time = request.json()["seconds"]
    return as_json(runtime(repo))


@route("POST", "/api/(?P<kind>spaces)/{id}/(?P<word>restart|pause)", "runtime")
def restart(hub: HubServer, request: Request) -> Answer:
    repo = hub.asked(request, write=True)
    repo.stage = "PAUSED" if request.groups["word"] == "pause" else "BUILDING"
    return as_json(runtime(repo))


@route("GET", "/api/(?P<kind>spaces)/{id}/(?P<word>secrets|variables)", "secrets")
def settings(hub: HubServer, request: Request) -> Answer:
    """Variables with their values, secrets without."""
    repo = hub.asked(request, write=True)
    kept = repo.secrets if request.groups["word"] == "secrets" else repo.variables
    hidden = {"value"} if request.groups["word"] == "secrets" else set()
    return as_json({key: {n: v for n, v in entry.items() if n not in hidden} for key, entry in kept.items()})


@route("POST", "/api/(?P<kind>spaces)/{id}/(?P<word>secrets|variables)", "secrets")
def set_setting(hub: HubServer, request: Request) -> Answer:
    repo, asked = hub.asked(request, write=True), request.json()
    kept = repo.secrets if request.groups["word"] == "secrets" else repo.variables
    kept[asked["key"]] = {**asked, "updatedAt": now()}
    return settings(hub, request)


@route("DELETE", "/api/(?P<kind>spaces)/{id}/(?P<word>secrets|variables)", "secrets")
def delete_setting(hub: HubServer, request: Request) -> Answer:
    repo = hub.asked(request, write=True)
    kept = repo.secrets if request.groups["word"] == "secrets" else repo.variables
    kept.pop(request.json()["key"], None)
    return settings(hub, request)


@route("PUT", "/api/(?P<kind>spaces)/{id}/volumes", "volumes")
def set_volumes(hub: HubServer, request: Request) -> Answer:
    repo = hub.asked(request, write=True)
    repo.volumes = request.json()["volumes"]
    return as_json(runtime(repo))


@route("DELETE", "/api/(?P<kind>spaces)/{id}/volumes", "volumes")
def delete_volumes(hub: HubServer, request: Request) -> Answer:
    repo = hub.asked(request, write=True)
    repo.volumes = []
    return as_json(runtime(repo))


@route("GET", "/api/(?P<kind>spaces)/{id}/logs/(?P<word>build|run)", "logs")
def logs(hub: HubServer, request: Request) -> Answer:
    """All lines that there are, as events; the connection does not stay open for more."""
    lines = hub.asked(request, write=True).logs[request.groups["word"]]
    events = [f"data: {json.dumps({'data': line, 'timestamp': now()})}\n\n" for line in lines]
    return Answer(200, "".join(events).encode(), type="text/event-stream")
