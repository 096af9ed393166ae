"""Which names a route's JSON body may have: for whoever sent one that it has not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from fastapi.routing import APIRoute
from pydantic import BaseModel

from shared.pipeline.problems import did_you_mean


def unknown_name(route: object, path: Sequence[object]) -> str | None:
    """What to say of a name that the body of `route` has not at this path, None where no names are known there."""
    if not isinstance(route, APIRoute) or route.body_field is None or not path:
        return None
    *parents, name = path
    models = list(_models(route.body_field.field_info.annotation))
    for parent in parents:
        fields = [field for model in models if (field := model.model_fields.get(str(parent))) is not None]
        models = [found for field in fields for found in _models(field.annotation)]
    known = sorted({field for model in models for field in model.model_fields})
    hint = did_you_mean(str(name), known)
    there = f"{' There' if hint else '; there'} {'are' if len(known) > 1 else 'is'} {', '.join(known)}"
    return f"unknown name {str(name)!r}{hint}{there}" if known else None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a value of this type may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
