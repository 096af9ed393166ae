"""Every refusal as `application/problem+json` (RFC 9457); on /v2 in the Open Inference Protocol's own form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.gateway.rest.names import unknown_name
from shared.errors import Misconfigured, Overloaded, Poison, Transient
from shared.pipeline.problems import did_you_mean

TYPE_BASE = "https://homeostat.invalid/problems/"
PROBLEM_JSON = "application/problem+json"


class Problem(HTTPException):
    """A refusal. `code` is its stable kebab-case name; `errors` point at fields; `more` joins the body."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.body = problem_body(status, code, detail, errors, more)


def problem_body(
    status: int, code: str, detail: str, errors: Sequence[Mapping[str, Any]] = (), more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    body = {"type": TYPE_BASE + code, "title": title, "status": status, "detail": detail, **(more or {})}
    return body | ({"errors": list(errors)} if errors else {})


def answer(path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """The problem as a response in the form that `path`'s protocol speaks."""
    status = body["status"]
    if path == "/v2" or path.startswith("/v2/"):
        return JSONResponse({"error": body["detail"]}, status, dict(headers or {}))
    return Response(json.dumps(body, default=str), status, dict(headers or {}), PROBLEM_JSON)


def not_found(what: str, name: str, where: str, known: Iterable[str] = ()) -> Problem:
    """404 that says what there is no such thing of, which of the `known` may be meant, and where they can be seen."""
    hint = did_you_mean(name, known) or ";"
    return Problem(404, "not-found", f"there is no {what} {name!r}{hint} GET {where} lists those there are")


def install(app: FastAPI) -> None:
    """Makes every error of `app` a problem."""
    for kind, handler in (
        (HTTPException, _http),
        (RequestValidationError, _invalid),
        (Transient, _unavailable),
        (Misconfigured, _unavailable),
        (Overloaded, _overloaded),
        (Poison, _poison),
        (Exception, _unexpected),
    ):
        app.exception_handler(kind)(handler)


def _http(request: Request, error: HTTPException) -> Response:
    if isinstance(error, Problem):
        return answer(request.url.path, error.body, error.headers)
    code = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}.get(error.status_code, "refused")
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"nothing is at {request.url.path}; /openapi.json lists what is"
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        detail = f"{request.url.path} does not take {request.method}; it takes {allowed}"
    return answer(request.url.path, problem_body(error.status_code, code, detail), error.headers)


def _invalid(request: Request, error: RequestValidationError) -> Response:
    errors = [_pointed(fault, request) for fault in error.errors()]
    kind = request.headers.get("content-type", "")
    if "json" not in kind and any(fault["loc"] == ("body",) for fault in error.errors()):
        detail = f"the body is not read as JSON: its Content-Type is {kind!r}; send it as application/json"
        return answer(request.url.path, problem_body(422, "invalid", detail, errors))
    for fault in error.errors():
        if fault["type"] == "json_invalid":
            where, why = fault["loc"][-1], fault.get("ctx", {}).get("error", fault["msg"])
            detail = f"the body is not JSON: {why} at character {where}, counted from 0"
            return answer(request.url.path, problem_body(400, "not-json", detail))
    detail = "; ".join(f"{e.get('pointer') or e.get('parameter')}: {e['detail']}" for e in errors)
    return answer(request.url.path, problem_body(422, "invalid", detail, errors))


def _pointed(fault: Mapping[str, Any], request: Request) -> dict[str, Any]:
    place, *rest = fault["loc"]
    if place == "body":
        told = unknown_name(request.scope.get("route"), rest) if fault["type"] == "extra_forbidden" else None
        return {"detail": told or fault["msg"], "pointer": pointer_of(rest)}
    return {"detail": fault["msg"], "parameter": ".".join(str(part) for part in rest), "in": place}


def pointer_of(path: Sequence[object]) -> str:
    """A JSON pointer (RFC 6901) as a URI fragment.

    >>> pointer_of(["models", "a/b", 0])
    '#/models/a~1b/0'
    """
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _unavailable(request: Request, error: Exception) -> Response:
    why = f"Kafka does not answer: {error}{request.app.state.parts.full_disk()}"
    body = problem_body(503, "unavailable", why, (), {"part": "kafka"})
    return answer(request.url.path, body, {"Retry-After": "2"})


def _overloaded(request: Request, error: Overloaded) -> Response:
    wait = {"Retry-After": str(max(1, round(error.retry_after_seconds)))}
    return answer(request.url.path, problem_body(429, "overloaded", str(error)), wait)


def _poison(request: Request, error: Poison) -> Response:
    errors = [{"detail": error.detail, "pointer": pointer_of([error.field])}] if error.field else []
    return answer(request.url.path, problem_body(422, error.reason, error.detail, errors))


def _unexpected(request: Request, error: Exception) -> Response:
    detail = f"{type(error).__name__} in the gateway; its log has the whole of it"
    return answer(request.url.path, problem_body(500, "internal", detail))
