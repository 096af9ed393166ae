"""The published description of the interface."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi.openapi.models import OpenAPI
from jsonschema import Draft202012Validator

from tests.services.gateway.running import Running

PROMISED = (
    "/v1/pipelines/{pipeline}/events",
    "/v1/pipelines/{pipeline}/labels",
    "/v1/pipelines/{pipeline}/predict",
    "/v1/pipelines/{pipeline}/predictions/stream",
    "/v1/pipelines/{pipeline}/metrics",
    "/v1/pipelines/{pipeline}/models",
    "/v1/pipelines/{pipeline}/models/live",
    "/v1/pipelines/{pipeline}/models/{version}/card",
    "/v1/pipelines/{pipeline}/models/{version}/lineage",
    "/v1/pipelines/{pipeline}/retrain",
    "/v1/pipelines/{pipeline}/rollback",
    "/v1/pipelines/{pipeline}/promote",
    "/v1/pipelines/{pipeline}/hold",
    "/v1/pipelines",
    "/v1/pipelines/{pipeline}",
    "/v1/alerts",
    "/v1/alerts/stream",
    "/v1/incidents",
    "/v1/incidents/stream",
    "/v1/incidents/{incident}",
    "/v1/incidents/{incident}/postmortem",
    "/v1/incidents/{incident}/approve",
    "/v1/incidents/{incident}/reject",
    "/v1/incidents/{incident}/acknowledge",
    "/v1/subscriptions",
    "/v1/subscriptions/{subscription}",
    "/v1/subscriptions/{subscription}/test",
    "/v1/audit",
    "/v1/dead-letters",
    "/v2",
    "/v2/{path}",
    "/livez",
    "/readyz",
    "/metrics",
)


def references_in(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references_in(child)
    elif isinstance(node, list):
        for child in node:
            yield from references_in(child)


def test_it_is_a_valid_openapi_document_whose_references_resolve(gateway: Running) -> None:
    document = gateway.http.get("/openapi.json").json()

    assert OpenAPI.model_validate(document).openapi.startswith("3.1")
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    assert {ref.rsplit("/", 1)[-1] for ref in references_in(document)} <= schemas.keys()


def test_every_operation_has_its_own_name_and_says_what_it_does(gateway: Running) -> None:
    paths = gateway.http.get("/openapi.json").json()["paths"]
    operations = [operation for methods in paths.values() for operation in methods.values()]

    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert all(operation.get("description") for operation in operations)


def test_every_promised_path_is_there(gateway: Running) -> None:
    assert set(PROMISED) <= gateway.http.get("/openapi.json").json()["paths"].keys()
