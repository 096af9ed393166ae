"""Specifications: each change is a version on `pipelines`, and takes effect without a restart."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response

from services.gateway.parts import Needs, Parts
from services.gateway.rest.lookup import pipeline_of
from services.gateway.rest.problems import Problem, pointer_of
from shared.messages import PipelineDefined
from shared.pipeline.check import checked
from shared.pipeline.specification import Specification
from shared.topics import PIPELINES

router = APIRouter(prefix="/v1/pipelines", tags=["pipelines"])

Document = Annotated[dict[str, Any], Body(description="A pipeline specification, as JSON.")]


@router.get("")
async def pipelines(parts: Needs) -> dict[str, Any]:
    """Every pipeline with its specification, by name."""
    return {"pipelines": [pipeline.view for pipeline in parts.models.pipelines.all()]}


@router.get("/{pipeline}")
async def one(pipeline: str, parts: Needs) -> dict[str, Any]:
    """One pipeline's specification, its version and its history."""
    return pipeline_of(parts, pipeline).view


@router.post("", status_code=201)
async def create(document: Document, http: Request, response: Response, parts: Needs) -> dict[str, Any]:
    """Makes a pipeline known; 409 where the name is taken by another specification."""
    spec = specification_in(document)
    known = parts.models.pipelines.get(spec.name)
    if known is not None and known.defined.digest != spec.digest:
        raise Problem(409, "exists", f"{spec.name} exists already: PUT /v1/pipelines/{spec.name} changes it")
    return await _define(spec, http, response, parts)


@router.put("/{pipeline}")
async def put(pipeline: str, document: Document, http: Request, response: Response, parts: Needs) -> dict[str, Any]:
    """Makes a pipeline known or changes it. The same specification again changes nothing."""
    spec = specification_in(document)
    if spec.name != pipeline:
        error = {"pointer": "#/name", "detail": f"the path says {pipeline!r}, the specification {spec.name!r}"}
        raise Problem(422, "invalid", error["detail"], errors=[error])
    return await _define(spec, http, response, parts)


@router.delete("/{pipeline}", status_code=204)
async def delete(pipeline: str, http: Request, parts: Needs) -> Response:
    """Ends a pipeline: its rows are refused from now on, its history stays in the log."""
    known = pipeline_of(parts, pipeline).defined
    removed = PipelineDefined(
        pipeline=pipeline,
        version=known.version + 1,
        digest=known.digest,
        specification=known.specification,
        at=parts.now(),
        issued_by=f"person:{http.state.identity.name}",
        removed=True,
    )
    await parts.write_and_see(PIPELINES.of(removed))
    return Response(status_code=204)


def specification_in(document: dict[str, Any]) -> Specification:
    """The checked specification; 422 that points at every fault otherwise."""
    spec, problems = checked(document)
    if spec is None:
        errors = [
            {"pointer": pointer_of(fault.path), "detail": fault.detail, "reason": fault.reason} for fault in problems
        ]
        many = f"{len(errors)} faults; the first" if len(errors) > 1 else "a fault"
        detail = f"the specification has {many}: {problems[0]}"
        raise Problem(422, "invalid-specification", detail, errors=errors)
    return spec


async def _define(spec: Specification, http: Request, response: Response, parts: Parts) -> dict[str, Any]:
    known = parts.models.pipelines.get(spec.name)
    if known is not None and known.defined.digest == spec.digest:
        response.status_code = 200
        return known.view
    defined = PipelineDefined(
        pipeline=spec.name,
        version=parts.models.pipelines.last_versions.get(spec.name, 0) + 1,
        digest=spec.digest,
        specification=spec.canonical,
        at=parts.now(),
        issued_by=f"person:{http.state.identity.name}",
    )
    await parts.write_and_see(PIPELINES.of(defined))
    response.status_code = 201 if known is None else 200
    seen = parts.models.pipelines.get(spec.name)
    return seen.view if seen is not None else {"name": spec.name, "version": defined.version, "digest": spec.digest}
