"""The Open Inference Protocol v2 as a bare ASGI application.

    GET  /v2  /v2/health/live  /v2/health/ready
    GET  /v2/models/{pipeline}[/versions/{version}][/ready]
    POST /v2/models/{pipeline}[/versions/{version}]/infer

`parameters.entity` of a request says who asks, and so whether champion or canary answers; without it
the request's id decides. Errors are ``{"error": ...}``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version as version_of
from typing import Literal, NamedTuple

from services.predictor.batching import Batcher
from services.predictor.board import Board
from services.predictor.core.assign import release_for
from services.predictor.core.oip.logged import Asked, inferences_of
from services.predictor.core.oip.request import BINARY_HEADER, Infer, infer_of, rows_of
from services.predictor.core.oip.response import model_metadata, output_tensors, response_of
from services.predictor.core.releases import Live
from services.predictor.http import (
    HttpError,
    Receive,
    Reply,
    Scope,
    Send,
    body_of,
    error_reply,
    header,
    json_reply,
    send_reply,
)
from services.predictor.settings import PredictorSettings
from shared.clock import fresh_id, monotonic, utc_now
from shared.errors import Poison, Transient
from shared.messages import Inference, ModelPublished
from shared.models.artifact import ModelCache
from shared.models.base import Model
from shared.telemetry.metrics import Meters

NAME = "homeostat-predictor"
SERVICE = "predictor"
TakeForLog = Callable[[Sequence[Inference], int], None]
SERVER_PATHS = ("/v2", "/v2/health/live", "/v2/health/ready")
RETRY_AFTER_SECONDS = 1


class Place(NamedTuple):
    """Where a path under /v2/models points."""

    pipeline: str
    version: str | None
    action: Literal["metadata", "ready", "infer"]


class Endpoint:
    """Answers with the versions that hang on the board; a request is answered by one version whole.

    `log` takes each request and its answer, with its bytes, before it is answered: what it does not take
    (`Transient`) is refused.
    """

    def __init__(
        self,
        board: Board,
        models: ModelCache,
        settings: PredictorSettings,
        log: TakeForLog,
        meters: Meters | None = None,
    ) -> None:
        self._board = board
        self._log = log
        self._meters = meters or Meters()
        self._models = models
        self._settings = settings
        self._batcher = Batcher()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        begun = monotonic()
        try:
            reply = await self._reply(scope, receive)
        except HttpError as refused:
            reply = error_reply(refused)
        except Poison as poison:
            reply = error_reply(HttpError(413 if poison.reason == "too-large" else 400, poison.detail))
        except Transient as error:
            reply = error_reply(HttpError(503, str(error), retry_after_seconds=RETRY_AFTER_SECONDS))
        await send_reply(send, reply)
        route = _route(scope["path"])
        self._meters.count("homeostat_rest_requests_total", 1, service=SERVICE, route=route, status=str(reply.status))
        self._meters.observe("homeostat_rest_seconds", monotonic() - begun, service=SERVICE, route=route)

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        path = scope["path"].rstrip("/")
        if path in SERVER_PATHS:
            _expect(scope, "GET")
            return self._server(path)
        place = _place(path)
        if place.action != "infer":
            _expect(scope, "GET")
            return self._model(place)
        _expect(scope, "POST")
        if header(scope, "content-encoding") not in (None, "identity"):
            raise HttpError(415, "the body is compressed: send it as it is")
        body = await body_of(scope, receive, self._settings.max_body_bytes)
        return await self._infer(place, infer_of(body, _header_length(scope)), len(body))

    def _server(self, path: str) -> Reply:
        if path == "/v2":
            extensions = ["binary_tensor_data"]
            return json_reply(200, {"name": NAME, "version": version_of("homeostat"), "extensions": extensions})
        if path == "/v2/health/live":
            return json_reply(200, {"live": True})
        ready = self._board.begun
        return json_reply(200 if ready else 503, {"ready": ready, "live": True})

    def _model(self, place: Place) -> Reply:
        live = self._live(place.pipeline)
        if place.action == "ready":
            ready = bool(live.versions) if place.version is None else place.version in live.versions
            return json_reply(200 if ready else 503, {"name": place.pipeline, "ready": ready})
        release = _pinned(live, place) if place.version else _any(live, place.pipeline)
        metadata = self._loaded(release).metadata
        return json_reply(200, model_metadata(place.pipeline, release.version, list(live.versions), metadata))

    async def _infer(self, place: Place, request: Infer, body_bytes: int) -> Reply:
        live = self._live(place.pipeline)
        request_id = request.body.id or fresh_id("request")
        release = _pinned(live, place) if place.version else _serving(live, place.pipeline, request, request_id)
        model = self._loaded(release)
        rows, role = rows_of(request, model.metadata), _role(live, release)
        answers = await self._batcher.answers(model, rows)
        failed = next((row for row, answer in enumerate(answers) if answer.reason is not None), None)
        if failed is not None:
            raise HttpError(
                500, f"version {release.version} of {place.pipeline}, row {failed}: {answers[failed].reason}"
            )
        self._meters.count(
            "homeostat_predictions_total",
            len(answers),
            service=SERVICE,
            pipeline=place.pipeline,
            model_version=release.version,
        )
        body, json_length = response_of(
            request,
            output_tensors(answers, model.metadata),
            model=place.pipeline,
            version=release.version,
            request_id=request_id,
            role=role,
        )
        asked = Asked(request_id, place.pipeline, release.version, role, request.entity, utc_now())
        self._log(inferences_of(asked, rows, answers, body_bytes), body_bytes)
        if json_length is None:
            return Reply(200, body)
        headers = ((BINARY_HEADER.encode(), str(json_length).encode()),)
        return Reply(200, body, headers, b"application/octet-stream")

    def _live(self, pipeline: str) -> Live:
        """The live versions of a pipeline; 404 where there is no such pipeline."""
        view = self._board.view
        live = view.live.get(pipeline)
        if live is None and pipeline not in view.pipelines:
            raise HttpError(404, f"there is no pipeline {pipeline[:80]!r}")
        return live or Live()

    def _loaded(self, release: ModelPublished) -> Model:
        try:
            return self._models.get(release.artifact)
        except Poison as poison:
            raise HttpError(503, f"version {release.version} cannot answer: {poison.detail}") from poison


def _place(path: str) -> Place:
    match path.split("/")[1:]:
        case ["v2", "models", pipeline]:
            return Place(pipeline, None, "metadata")
        case ["v2", "models", pipeline, "ready" | "infer" as action]:
            return Place(pipeline, None, action)
        case ["v2", "models", pipeline, "versions", version]:
            return Place(pipeline, version, "metadata")
        case ["v2", "models", pipeline, "versions", version, "ready" | "infer" as action]:
            return Place(pipeline, version, action)
    raise HttpError(404, f"there is nothing at {path[:200]!r}: see GET /v2")


def _route(path: str) -> str:
    """The pattern of a path: names of pipelines and versions never become labels."""
    try:
        place = _place(path.rstrip("/"))
    except HttpError:
        return path.rstrip("/") if path.rstrip("/") in SERVER_PATHS else "none"
    pattern = "/v2/models/{pipeline}" + ("/versions/{version}" if place.version is not None else "")
    return pattern if place.action == "metadata" else f"{pattern}/{place.action}"


def _expect(scope: Scope, method: str) -> None:
    if scope["method"] != method and (scope["method"], method) != ("HEAD", "GET"):
        raise HttpError(405, f"{scope['method']} is not allowed here: use {method}")


def _header_length(scope: Scope) -> int | None:
    text = header(scope, BINARY_HEADER)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise HttpError(400, f"{BINARY_HEADER} {text[:20]!r} is not a number of bytes")
    return int(text)


def _pinned(live: Live, place: Place) -> ModelPublished:
    release = live.versions.get(place.version or "")
    if release is None:
        answering = ", ".join(live.versions) or "none"
        raise HttpError(404, f"version {place.version!r} of {place.pipeline} is not live; live: {answering}")
    return release


def _any(live: Live, pipeline: str) -> ModelPublished:
    if not live.versions:
        raise _no_model(pipeline)
    return next(iter(live.versions.values()))


def _serving(live: Live, pipeline: str, request: Infer, request_id: str) -> ModelPublished:
    release = release_for(live, pipeline, request.entity or request_id)
    if release is None:
        raise _no_model(pipeline)
    return release


def _no_model(pipeline: str) -> HttpError:
    return HttpError(
        503,
        f"{pipeline} has no live model yet: it is trained on labelled events",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )


def _role(live: Live, release: ModelPublished) -> str:
    if release is live.champion:
        return "champion"
    return "canary" if release is live.canary else "shadow"
