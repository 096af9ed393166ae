"""The types of fields as polars has them: every batch is computed in these, whatever it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from shared.pipeline.expressions import Expression, ExpressionError
from shared.pipeline.specification import FeatureSpec, FieldSpec

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.fZ"
"""How a checked row writes its times."""

DTYPES: Mapping[str, Any] = {
    "number": pl.Float64,
    "integer": pl.Int64,
    "string": pl.String,
    "boolean": pl.Boolean,
    "timestamp": pl.Datetime("us", "UTC"),
}


def schema_of(fields: Mapping[str, FieldSpec]) -> dict[str, Any]:
    return {name: DTYPES[field.type] for name, field in fields.items()}


def normal_dtype(dtype: pl.DataType) -> Any:
    """The one of Float64, Int64, Boolean and String that stands for `dtype`; `ExpressionError` where none does."""
    if dtype.is_integer():
        return pl.Int64
    if dtype.is_float() or dtype == pl.Null:
        return pl.Float64
    if dtype in (pl.Boolean, pl.String):
        return dtype.base_type()
    raise ExpressionError(
        f"it gives {dtype}: a feature is a number, text or a truth value (of a time: EXTRACT(HOUR FROM x))"
    )


def polars_of(expression: Expression) -> pl.Expr:
    """The expression as polars computes it. `ExpressionError` carries the parser's own words."""
    try:
        parsed = pl.sql_expr(expression.sql)
    except pl.exceptions.PolarsError as error:
        raise ExpressionError(f"not an expression: {error}") from error
    if set(parsed.meta.root_names()) != set(expression.names):
        raise ExpressionError("not one expression: an operator is missing between two names")
    return parsed


def expression_dtype(expression: Expression, schema: Mapping[str, Any]) -> Any:
    """The normal type that the expression gives over columns of `schema`, found by trying it on a row of ones."""
    row = pl.DataFrame([pl.Series(name, [1, None]).cast(dtype) for name, dtype in schema.items()])
    try:
        tried = row.select(polars_of(expression).alias("x"))
    except pl.exceptions.PolarsError as error:
        raise ExpressionError(str(error).split("\n")[0]) from error
    return normal_dtype(tried.schema["x"])


def feature_dtype(spec: FeatureSpec, of_expression: Any) -> Any:
    """The type of the whole feature, its window included."""
    if spec.window is None:
        return of_expression
    if spec.statistic == "count":
        return pl.Int64
    if of_expression == pl.String:
        raise ExpressionError(f"`{spec.statistic}` of text: only `count` and lags work on text")
    return pl.Float64
