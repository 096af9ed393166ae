"""Who is asking. Every path is closed but those in `PUBLIC`; the check stands before the routing.

A key comes as `Authorization: Bearer`, as `X-API-Key`, or, for the browser, as a session cookie that
`POST /v1/session` gave for a key. Only hashes of keys are known here. Without any key the gateway
listens on loopback alone, and takes only requests that name it as such (against DNS rebinding).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.rest.pages import locked
from services.gateway.rest.problems import answer, problem_body
from services.gateway.settings import is_loopback
from shared.errors import Misconfigured

PUBLIC = (
    "/",
    "/docs",
    "/openapi.json",
    "/livez",
    "/readyz",
    "/assets/api.js",
    "/assets/app.js",
    "/assets/chart.js",
    "/assets/docs.js",
    "/assets/dom.js",
    "/assets/icon.svg",
    "/assets/incidents.js",
    "/assets/panels.js",
    "/assets/style.css",
    "/v1/session",
)
"""The only paths that need no key. `/v1/session` is where a key is shown; all others are of the program alone, the same
for every installation of it.
"""

COOKIE = "homeostat_session"
SECRET_BYTES = 32
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_NO_KEY = "give an API key as `Authorization: Bearer KEY` or `X-API-Key: KEY`"
_WRONG_KEY = "this API key is none of this gateway's: it may be another installation's, mistyped, or withdrawn"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: the name of a key. Roles join it later."""

    name: str


def hash_of(key: str) -> str:
    """How a key is kept: SHA-256, hex. Keys are random, so a slow hash would add nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


class Keys:
    """Checks keys and sessions. All comparisons take the same time, whatever they find."""

    def __init__(self, hashes: Mapping[str, str], session_secret: bytes) -> None:
        self._hashes = dict(hashes)
        self._secret = session_secret

    @property
    def open(self) -> bool:
        """No key is set: whoever reaches loopback may do everything."""
        return not self._hashes

    def by_key(self, key: str) -> Identity | None:
        digest = hash_of(key)
        found = [name for name, known in self._hashes.items() if hmac.compare_digest(known, digest)]
        return Identity(found[0]) if found else None

    def session_for(self, identity: Identity, until: datetime) -> str:
        """A cookie's value that stands for the key until then."""
        claim = f"{int(until.timestamp())}.{identity.name.encode().hex()}"
        return f"{claim}.{self._sign(claim, identity.name)}"

    def by_session(self, cookie: str, now: datetime) -> Identity | None:
        claim, _, signature = cookie.rpartition(".")
        until, _, name_hex = claim.partition(".")
        try:
            expires, name = int(until), bytes.fromhex(name_hex).decode()
        except ValueError:
            return None
        genuine = hmac.compare_digest(self._sign(claim, name).encode(), signature.encode())
        return Identity(name) if genuine and name in self._hashes and now.timestamp() < expires else None

    def _sign(self, claim: str, name: str) -> str:
        """The key's own hash is part of it: a key that is withdrawn takes its sessions along."""
        message = f"{claim}.{self._hashes.get(name, '')}"
        return hmac.new(self._secret, message.encode(), hashlib.sha256).hexdigest()


def session_secret(file: Path) -> bytes:
    """The secret that signs sessions, made at the first start and kept for this user's eyes alone."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_bytes(secrets.token_bytes(SECRET_BYTES))
        draft.replace(file)
    secret = file.read_bytes()
    if len(secret) < SECRET_BYTES:
        raise Misconfigured(f"{file} holds {len(secret)} bytes, not a secret: remove it, and a new one is made")
    return secret


class RequireKey:
    """ASGI middleware: default deny. Puts the `Identity` into ``scope["state"]["identity"]``."""

    def __init__(self, app: ASGIApp, keys: Keys, now: Callable[[], datetime]) -> None:
        self._app = app
        self._keys = keys
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif refusal is not None:
            status, code, detail = refusal
            more = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
            page = status == 401 and scope["method"] == "GET" and "text/html" in headers.get("accept", "")
            told = locked(more) if page else answer(scope["path"], problem_body(status, code, detail), more)
            await told(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str, str] | None:
        state = scope.setdefault("state", {})
        foreign = _foreign(scope, headers)
        if self._keys.open:
            state["identity"] = Identity("local")
            if not is_loopback(urlsplit("//" + headers.get("host", "")).hostname or ""):
                return 403, "wrong-host", "without an API key only requests to localhost are taken"
            return (403, "cross-origin", foreign) if foreign else None
        key = _key_in(headers)
        if key is not None:
            identity = self._keys.by_key(key)
        else:
            identity = self._keys.by_session(_cookie_in(headers), self._now())
            if identity is not None and foreign:
                return 403, "cross-origin", foreign
        state["identity"] = identity
        if identity is None and scope["path"] not in PUBLIC:
            return 401, "unauthorized", _NO_KEY if key is None else _WRONG_KEY
        return None


def _key_in(headers: Headers) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")


def _cookie_in(headers: Headers) -> str:
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def _foreign(scope: Scope, headers: Headers) -> str | None:
    """Why this request may come from another site's page: SameSite does not tell ports apart."""
    origin = headers.get("origin")
    if (scope["type"] == "http" and scope["method"] in SAFE_METHODS) or origin is None:
        return None
    if urlsplit(origin).netloc == headers.get("host"):
        return None
    return f"a page of {json.dumps(origin)} may not act here"
