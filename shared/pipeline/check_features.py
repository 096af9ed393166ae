"""Faults of features: expressions that do not parse, name what is not there, or read the target."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from shared.pipeline.expressions import Expression, ExpressionError, expression_of
from shared.pipeline.problems import Problem, at, did_you_mean
from shared.pipeline.specification import FeatureSpec, Specification


def feature_problems(spec: Specification, doubtful: Collection[str] = ()) -> list[Problem]:
    """Every fault of every feature, in the order declared. `doubtful`: fields and features whose type is not known."""
    from shared.pipeline.types import schema_of

    schema: dict[str, Any] = schema_of(spec.fields)
    problems: list[Problem] = []
    unsure = set(doubtful)
    for name, feature in spec.feature_specs.items():
        faults = list(_faults(spec, name, feature, schema))
        if not faults and not unsure & {name, *_names_of(feature)}:
            try:
                schema.setdefault(name, _dtype(feature, schema))
                continue
            except ExpressionError as error:
                faults.append(at(("features", name), "bad-expression", str(error)))
        unsure.add(name)
        schema.setdefault(name, None)
        problems += faults
    if not spec.feature_names:
        problems.append(
            at(("features",), "invalid", "no feature is left for the model: each is a step (`input: false`)")
        )
    return problems


def _names_of(feature: FeatureSpec) -> tuple[str, ...]:
    try:
        return expression_of(feature.expression).names
    except ExpressionError:
        return ()


def _dtype(feature: FeatureSpec, schema: dict[str, Any]) -> Any:
    from shared.pipeline.types import expression_dtype, feature_dtype

    known = {name: dtype for name, dtype in schema.items() if dtype is not None}
    return feature_dtype(feature, expression_dtype(expression_of(feature.expression), known))


def _faults(spec: Specification, name: str, feature: FeatureSpec, known: dict[str, Any]) -> Iterator[Problem]:
    path = ("features", name)
    if name == spec.target:
        yield at(path, "conflict", "is the target's name: the answer cannot be an input")
    over_rows = feature.window is not None or feature.lag is not None
    if over_rows and spec.key is None:
        what = "window" if feature.window is not None else "lag"
        yield at((*path, what), "missing", f"a {what} needs rows that belong together: name a field as `key`")
    if feature.window is not None and feature.min_rows > feature.window:
        yield at((*path, "min_rows"), "invalid", f"is more than the window has ({feature.window}): always null")
    try:
        expression = expression_of(feature.expression)
    except ExpressionError as error:
        yield at(path, "bad-expression", str(error))
        return
    yield from _names(spec, path, expression, spec.fields if over_rows else known)


def _names(spec: Specification, path: tuple[str, str], expression: Expression, known: Any) -> Iterator[Problem]:
    for used in expression.names:
        if used == spec.target:
            yield at(path, "reads-target", f"reads the target `{used}`: it is not known when the row is answered")
        elif used not in known:
            later = " (of other features only those declared before it, and none in a window or lag)"
            hint = did_you_mean(used, known) or (later if used in spec.feature_specs else "")
            yield at(path, "unknown-field", f"unknown field `{used}`{hint}")
