"""Who is asking: each visitor's workspace, by a secret that the browser keeps in a cookie."""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import Any

import gradio as gr
from starlette.requests import cookie_parser

from seg_demo.jobs.workspace import TOKEN, Workspace, Workspaces, new_token

COOKIE = "seg_demo_visitor"
AGE = 30 * 24 * 3600  # seconds


class Visitors:
    """Finds the workspace that a request is about."""

    def __init__(self, workspaces: Workspaces) -> None:
        self.workspaces = workspaces
        self._secret = secrets.token_bytes(32)

    @property
    def public(self) -> bool:
        return self.workspaces.public

    def of(self, request: gr.Request | None) -> Workspace:
        """The workspace of whoever sent `request`; one for this session alone where the browser takes no cookies."""
        cookies = getattr(request, "cookies", None) or {}
        token = good_token(cookies.get(COOKIE)) or self._of_session(getattr(request, "session_hash", None))
        return self.workspaces.of(token)

    def _of_session(self, session: str | None) -> str | None:
        if not session:
            return None
        digest = hmac.digest(self._secret, session.encode("utf-8", "surrogatepass"), "sha256")
        return base64.urlsafe_b64encode(digest[:24]).decode()


class VisitorCookie:
    """ASGI middleware: gives a browser that has none a secret of its own.

    Scripts cannot read it. A Space is shown in a frame of another site, where a browser keeps a cookie only over HTTPS
    and if it says that it may be kept apart for that site (Partitioned).
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or _token(scope) is not None:
            await self.app(scope, receive, send)
            return
        secure = scope.get("scheme") == "https" or _header(scope, b"x-forwarded-proto").startswith("https")
        rules = "SameSite=None; Secure; Partitioned" if secure else "SameSite=Lax"

        async def sending(message: Any) -> None:
            # Of the requests that a page begins with, only the page itself hands one out: two would be two visitors.
            if message["type"] == "http.response.start" and scope.get("path") == scope.get("root_path", "") + "/":
                cookie = f"{COOKIE}={new_token()}; Path=/; Max-Age={AGE}; HttpOnly; {rules}"
                message = {**message, "headers": [*message.get("headers", ()), (b"set-cookie", cookie.encode())]}
            await send(message)

        await self.app(scope, receive, sending)


def good_token(value: object) -> str | None:
    """What a cookie holds, if it can be a secret of ours."""
    return value if isinstance(value, str) and TOKEN.fullmatch(value) else None


def _token(scope: Any) -> str | None:
    """As a request's cookies are read later: Python's own parser gives up at a cookie of somebody else's."""
    return good_token(cookie_parser("; ".join(_headers(scope, b"cookie"))).get(COOKIE))


def _header(scope: Any, name: bytes) -> str:
    return next(iter(_headers(scope, name)), "")


def _headers(scope: Any, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope.get("headers", ()) if key == name]
