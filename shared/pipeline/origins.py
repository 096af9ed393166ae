"""Which fields of the data contract a feature is made of, and what is missing when one of them is."""

from __future__ import annotations

from collections.abc import Iterable

from shared.pipeline.expressions import expression_of
from shared.pipeline.specification import Specification


def fields_of(name: str, specification: Specification) -> tuple[str, ...]:
    """The fields that a field or feature is made of, through other features too; () where it is neither."""
    if name in specification.fields:
        return (name,)
    spec = specification.feature_specs.get(name)
    return () if spec is None else _fields_in(spec.expression, specification)


def missing_without(specification: Specification) -> dict[str, tuple[str, ...]]:
    """By field that can be withheld, the model's inputs that are made of it. Fields that no input needs are absent."""
    specs = specification.feature_specs
    made_of = {name: _fields_in(specs[name].expression, specification) for name in specification.feature_names}
    found: dict[str, tuple[str, ...]] = {}
    for field in specification.withholdable:
        if names := tuple(name for name, fields in made_of.items() if field in fields):
            found[field] = names
    return found


def needed(fields: Iterable[str], specification: Specification) -> tuple[str, ...]:
    """Those of `fields` that an input of the model is made of: only they can harm it, or teach it what is wrong."""
    made_of = missing_without(specification)
    return tuple(field for field in fields if field in made_of)


def remembered(specification: Specification) -> frozenset[str]:
    """The fields that a window or lag is made of: their values reach later rows of the key, whoever sent those."""
    over_rows = (
        each for each in specification.feature_specs.values() if each.window is not None or each.lag is not None
    )
    return frozenset(field for each in over_rows for field in _fields_in(each.expression, specification))


def _fields_in(expression: str, specification: Specification) -> tuple[str, ...]:
    used = {field for name in expression_of(expression).names for field in fields_of(name, specification)}
    return tuple(name for name in specification.fields if name in used)
