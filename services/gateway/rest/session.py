"""The browser's way in: a key becomes a cookie that scripts cannot read."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from services.gateway.parts import Needs
from services.gateway.rest.auth import COOKIE, Identity
from services.gateway.rest.problems import Problem

router = APIRouter(prefix="/v1/session", tags=["session"])


class Key(BaseModel):
    """An API key."""

    key: str = Field(min_length=1, max_length=500)


class Session(BaseModel):
    """Whose session it is."""

    name: str


@router.post("", status_code=201)
async def begin(body: Key, request: Request, response: Response, parts: Needs) -> Session:
    """Gives the browser a session for a key: HttpOnly, SameSite=Strict, signed."""
    identity = Identity("local") if parts.keys.open else parts.keys.by_key(body.key)
    if identity is None:
        raise Problem(401, "unauthorized", "the gateway does not know this key", headers={"WWW-Authenticate": "Bearer"})
    until = parts.now() + timedelta(hours=parts.settings.session_hours)
    response.set_cookie(
        COOKIE,
        parts.keys.session_for(identity, until),
        max_age=int(parts.settings.session_hours * 3600),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return Session(name=identity.name)


@router.get("")
async def current(request: Request) -> Session:
    """Whose session this is; 401 where there is none."""
    identity: Identity | None = request.state.identity
    if identity is None:
        raise Problem(401, "unauthorized", "no session: open the link that the gateway printed, or give a key")
    return Session(name=identity.name)


@router.delete("", status_code=204)
async def end(response: Response) -> None:
    """Forgets the session in this browser."""
    response.delete_cookie(COOKIE)
