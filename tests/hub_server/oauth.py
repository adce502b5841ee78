"""An OpenID provider: enough of one for "Sign in with Hugging Face" as gradio does it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlencode

from .answers import Answer, Refused, Request, as_json
from .routes import route

if TYPE_CHECKING:
    from .server import HubServer


@dataclass
class Login:
    """The app that may ask, and who says yes; `user` None: whoever is asked refuses."""

    client_id: str = "00000000-1111-2222-3333-444444444444"
    client_secret: str = "oauth-secret-of-the-tests"
    scopes: str = "openid profile contribute-repos"
    user: str | None = "alice"
    seconds: int = 8 * 3600  # how long a login lasts
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def environment(self, url: str) -> dict[str, str]:
        """What a Space with `hf_oauth: true` finds in its environment."""
        return {
            "OAUTH_CLIENT_ID": self.client_id,
            "OAUTH_CLIENT_SECRET": self.client_secret,
            "OAUTH_SCOPES": self.scopes,
            "OPENID_PROVIDER_URL": url,
        }


@route("GET", "/.well-known/openid-configuration", "openid")
def configuration(hub: HubServer, request: Request) -> Answer:
    return as_json(
        {
            "issuer": hub.url,
            "authorization_endpoint": f"{hub.url}/oauth/authorize",
            "token_endpoint": f"{hub.url}/oauth/token",
            "userinfo_endpoint": f"{hub.url}/oauth/userinfo",
            "jwks_uri": f"{hub.url}/oauth/jwks",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["HS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "scopes_supported": ["openid", "profile", "email", "read-repos", "write-repos", "contribute-repos"],
            "claims_supported": ["aud", "exp", "iat", "iss", "name", "picture", "preferred_username", "sub"],
        }
    )


@route("GET", "/oauth/jwks", "openid")
def jwks(hub: HubServer, request: Request) -> Answer:
    """The key of the id tokens. The real Hub signs with RS256, which the standard library has not."""
    return as_json({"keys": [{"kty": "oct", "kid": "tests", "alg": "HS256", "k": _base64(hub.login.key)}]})


@route("GET", "/oauth/authorize", "authorize")
def authorize(hub: HubServer, request: Request) -> Answer:
    """Nobody is asked: the user of the `Login` says yes, and the browser is sent back."""
    back, state = request.one("redirect_uri"), request.one("state")
    if request.one("client_id") != hub.login.client_id or not back:
        raise Refused(400, "Unknown client")
    if hub.login.user is None:
        answer = {"error": "access_denied", "error_description": "The user denied the request", "state": state}
    else:
        code = secrets.token_hex(16)
        asked = {name: request.one(name) for name in ("redirect_uri", "scope", "nonce", "code_challenge")}
        hub.login.codes[code] = {**asked, "user": hub.login.user}
        answer = {"code": code, "state": state}
    return Answer(302, headers={"Location": back + ("&" if "?" in back else "?") + urlencode(answer)})


def _client(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        name, _, secret = base64.b64decode(value).decode().partition(":")
        return unquote(name), unquote(secret)
    return form.get("client_id", ""), form.get("client_secret", "")


@route("POST", "/oauth/token", "token")
def token(hub: HubServer, request: Request) -> Answer:
    form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    if _client(request, form) != (hub.login.client_id, hub.login.client_secret):
        return as_json({"error": "invalid_client"}, 401)
    asked = hub.login.codes.pop(form.get("code", ""), None)
    if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
        return as_json({"error": "invalid_grant", "error_description": "The code is unknown or used"}, 400)
    if asked["code_challenge"]:
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if _base64(digest) != asked["code_challenge"]:
            return as_json({"error": "invalid_grant", "error_description": "The code verifier is wrong"}, 400)
    scopes = asked["scope"].split()
    role = "write" if {"write-repos", "manage-repos"} & {*scopes} else "read"
    role = "contribute" if role == "read" and "contribute-repos" in scopes else role
    now = int(time.time())
    claims = {**_profile(hub, asked["user"]), "iss": hub.url, "aud": hub.login.client_id}
    claims |= {"iat": now, "auth_time": now, "exp": now + hub.login.seconds}
    claims |= {"nonce": asked["nonce"]} if asked["nonce"] else {}
    return as_json(
        {
            "access_token": hub.add_token(asked["user"], role, asked["scope"], now + hub.login.seconds),
            "token_type": "bearer",
            "expires_in": hub.login.seconds,
            "scope": asked["scope"],
            "id_token": _signed(claims, hub.login.key),
        }
    )


@route("GET", "/oauth/userinfo", "userinfo")
def userinfo(hub: HubServer, request: Request) -> Answer:
    if request.user is None:
        raise Refused(401, "Invalid username or password.")
    return as_json(_profile(hub, request.user))


def _profile(hub: HubServer, user: str) -> dict[str, Any]:
    page, picture = f"{hub.url}/{user}", f"{hub.url}/avatars/{user}.svg"
    name = {"name": user.title(), "preferred_username": user, "profile": page, "picture": picture}
    return {"sub": hashlib.sha1(user.encode()).hexdigest()[:24], **name, "isPro": False}


@route("GET", "/avatars/{word}", "avatar")
def avatar(hub: HubServer, request: Request) -> Answer:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4"/></svg>'
    return Answer(200, drawing, type="image/svg+xml")


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _signed(claims: dict[str, Any], key: bytes) -> str:
    """A JSON web token, HS256 (RFC 7515)."""
    header = {"alg": "HS256", "kid": "tests", "typ": "JWT"}
    parts = [_base64(json.dumps(part).encode()) for part in (header, claims)]
    return ".".join([*parts, _base64(hmac.new(key, ".".join(parts).encode(), "sha256").digest())])
