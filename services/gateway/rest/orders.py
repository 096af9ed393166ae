"""What people ask for: it goes to `requests`, where the remediator's limits and ledger bind it too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.gateway.parts import Needs, Parts
from services.gateway.readmodel.incidents import CLOSED
from services.gateway.rest.lookup import incident_of, pipeline_of, version_of
from services.gateway.rest.problems import Problem
from shared import messages as m
from shared.clock import fresh_id
from shared.identity import stable_id
from shared.messages.data import LONGEST_SOURCE, SEVERAL_SOURCES
from shared.topics import REQUESTS

router = APIRouter(tags=["orders"])

IdempotencyKey = Annotated[
    str | None,
    Header(max_length=200, description="The same key asks for the same thing once, however often it is sent."),
]
VERDICTS = {
    "approve": "Lets the proposed action go ahead.",
    "reject": "Forbids the proposed action.",
    "acknowledge": "Says that a person has seen it.",
}


class Reason(BaseModel):
    """Why; it goes into the ledger."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(default="", max_length=2000)


class Retrain(Reason):
    since: dict[str, int] | None = Field(default=None, description="Only rows from these offsets of `features` on.")
    until: dict[str, int] | None = None


class Rollback(Reason):
    to_version: str | None = Field(default=None, description="Default: the champion before this one.")


class Promote(Reason):
    """Either a registered `version`, or a `candidate` brought from outside as ``services.trainer.bring`` makes it."""

    version: str | None = None
    candidate: dict[str, Any] | None = None
    force: bool = Field(default=False, description="Also when the gate would refuse.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Promote:
        if (self.version is None) == (self.candidate is None):
            raise ValueError("name a version or bring a candidate: one of the two")
        return self


class ReleaseSource(Reason):
    source: str = Field(min_length=1, max_length=LONGEST_SOURCE, description="As GET …/quarantine names it.")
    fields: list[str] | None = Field(default=None, description="Default: every field of it that is withheld.")
    accept: bool | None = Field(default=None, description="Its values are right as they are, and usual from now on.")


class Asked(BaseModel):
    """The request's id, and where it stands in the log. What becomes of it shows in incidents and audit."""

    request: str
    topic: str
    partition: int
    offset: int


@router.post("/v1/pipelines/{pipeline}/retrain", status_code=202)
async def retrain(
    pipeline: str, http: Request, parts: Needs, body: Retrain | None = None, idempotency_key: IdempotencyKey = None
) -> Asked:
    """Asks for a challenger trained on the newest labelled rows; it goes live if it passes the gate."""
    return await _ask(http, parts, pipeline, "retrain", body or Retrain(), idempotency_key)


@router.post("/v1/pipelines/{pipeline}/rollback", status_code=202)
async def rollback(
    pipeline: str, http: Request, parts: Needs, body: Rollback | None = None, idempotency_key: IdempotencyKey = None
) -> Asked:
    """Asks for an earlier champion back."""
    body = body or Rollback()
    if body.to_version is not None:
        version_of(parts, pipeline, body.to_version)
    return await _ask(http, parts, pipeline, "rollback", body, idempotency_key)


@router.post("/v1/pipelines/{pipeline}/promote", status_code=202)
async def promote(
    pipeline: str, http: Request, parts: Needs, body: Promote, idempotency_key: IdempotencyKey = None
) -> Asked:
    """Asks for a version to become champion."""
    if body.version is not None:
        version_of(parts, pipeline, body.version)
    return await _ask(http, parts, pipeline, "promote", body, idempotency_key)


@router.post("/v1/pipelines/{pipeline}/hold", status_code=202)
async def hold(
    pipeline: str, http: Request, parts: Needs, body: Reason | None = None, idempotency_key: IdempotencyKey = None
) -> Asked:
    """Asks that nothing be learned or promoted until the hold is released."""
    return await _ask(http, parts, pipeline, "hold", body or Reason(), idempotency_key)


@router.post("/v1/pipelines/{pipeline}/release-hold", status_code=202)
async def release_hold(
    pipeline: str, http: Request, parts: Needs, body: Reason | None = None, idempotency_key: IdempotencyKey = None
) -> Asked:
    """Asks for the end of a hold."""
    return await _ask(http, parts, pipeline, "release_hold", body or Reason(), idempotency_key)


@router.get("/v1/pipelines/{pipeline}/quarantine")
async def quarantine(pipeline: str, parts: Needs) -> dict[str, Any]:
    """Which fields of which source are withheld from the model, since when and why."""
    pipeline_of(parts, pipeline)
    return {"quarantine": parts.models.commands.quarantine(pipeline)}


@router.post("/v1/pipelines/{pipeline}/release-source", status_code=202)
async def release_source(
    pipeline: str, http: Request, parts: Needs, body: ReleaseSource, idempotency_key: IdempotencyKey = None
) -> Asked:
    """Asks that a source's fields count again. By itself a quarantine ends when its rows are right again.

    Of `several`, the sources that are not told apart, nothing is ever withheld: their fields can be accepted even so.
    """
    pipeline_of(parts, pipeline)
    if body.source == SEVERAL_SOURCES and body.accept and body.fields:
        return await _ask(http, parts, pipeline, "release_source", body, idempotency_key)
    held = parts.models.commands.quarantined(pipeline).get(body.source, set())
    asked = set(body.fields or held)
    if not asked or not asked <= held:
        what = f"{', '.join(sorted(asked - held)) or 'nothing'} of {body.source!r}"
        raise Problem(
            409, "not-withheld", f"not in quarantine: {what}; GET /v1/pipelines/{pipeline}/quarantine lists what is"
        )
    return await _ask(http, parts, pipeline, "release_source", body, idempotency_key)


def _deciding(verdict: str) -> Callable[..., Awaitable[Asked]]:
    async def decide(
        incident: str, http: Request, parts: Needs, body: Reason | None = None, idempotency_key: IdempotencyKey = None
    ) -> Asked:
        return await _decide(http, parts, incident, verdict, body or Reason(), idempotency_key)

    return decide


for _verdict, _about in VERDICTS.items():
    router.post(f"/v1/incidents/{{incident}}/{_verdict}", status_code=202, name=_verdict, description=_about)(
        _deciding(_verdict)
    )


@router.get("/v1/commands")
async def commands(
    parts: Needs, pipeline: str | None = None, limit: Annotated[int, Query(ge=1, le=5000)] = 200
) -> dict[str, Any]:
    """Orders that were given, newest first, each with what became of it."""
    return {"commands": parts.models.commands.select(pipeline=pipeline, limit=limit)}


async def _ask(http: Request, parts: Parts, pipeline: str, action: str, body: Reason, key: str | None) -> Asked:
    pipeline_of(parts, pipeline)
    arguments = body.model_dump(exclude={"reason"}, exclude_none=True)
    return await _send(http, parts, pipeline, action, body.reason, arguments, None, key)


async def _decide(http: Request, parts: Parts, incident: str, action: str, body: Reason, key: str | None) -> Asked:
    found = incident_of(parts, incident)
    if found.state in CLOSED and action != "acknowledge":
        raise Problem(409, "closed", f"{incident} is {found.state}: there is nothing left to {action}")
    if found.state != "awaiting_approval" and action != "acknowledge":
        raise Problem(409, "not-waiting", f"{incident} is {found.state}: it has nothing to {action}")
    return await _send(http, parts, found.pipeline, action, body.reason, {}, incident, key)


async def _send(
    http: Request,
    parts: Parts,
    pipeline: str,
    action: str,
    reason: str,
    arguments: dict[str, object],
    incident: str | None,
    key: str | None,
) -> Asked:
    who = http.state.identity.name
    request = m.Request(
        id=stable_id("request", who, pipeline, action, incident, key) if key else fresh_id("request"),
        pipeline=pipeline,
        action=action,
        issued_by=f"person:{who}",
        at=parts.now(),
        arguments=arguments,
        incident=incident,
        reason=reason,
    )
    (position,) = await parts.write([REQUESTS.of(request)])
    return Asked(request=request.id, topic=REQUESTS.name, partition=position.partition, offset=position.offset)
