"""The dashboard's page and its assets, from this package alone."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

from fastapi import APIRouter
from fastapi.responses import Response

from services.gateway.rest.problems import Problem

router = APIRouter(include_in_schema=False)

FOLDER = files("services.gateway") / "dashboard"
ASSETS = {
    "api.js": "text/javascript",
    "app.js": "text/javascript",
    "chart.js": "text/javascript",
    "docs.js": "text/javascript",
    "dom.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "incidents.js": "text/javascript",
    "panels.js": "text/javascript",
    "style.css": "text/css",
}
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@router.get("/")
async def dashboard() -> Response:
    """The page's shell: it holds no data, and asks for a key where there is no session."""
    return _file("index.html", "text/html")


@router.get("/docs")
async def docs() -> Response:
    """The interface, readable: made in the browser from /openapi.json."""
    return _file("docs.html", "text/html")


@router.get("/assets/{name}")
async def asset(name: str) -> Response:
    if name not in ASSETS:
        raise Problem(404, "not-found", f"there is no asset {name!r}")
    return _file(name, ASSETS[name])


def locked(more: Mapping[str, str]) -> Response:
    """401 for people: what to do to get in."""
    return _file("locked.html", "text/html", 401, more)


def _file(name: str, media_type: str, status: int = 200, more: Mapping[str, str] = MappingProxyType({})) -> Response:
    body, headers = (FOLDER / name).read_bytes(), {**SECURITY, **more}
    return Response(body, status, headers, f"{media_type}; charset=utf-8")
