"""The exact training set: features joined with the last label of each row, from ranges of the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from shared.bus.base import LogReader
from shared.history.reading import Ranges, read
from shared.pipeline.origins import needed
from shared.pipeline.specification import FieldType, Specification
from shared.topics import FEATURES, LABELS

META_COLUMNS = ("__id", "__entity", "__source", "__at", "__partition", "__offset", "__label")
"""The columns before the features. A feature's name never collides with them."""

Stretch = tuple[int, int, int, str]
"""(partition, from, until, source) of rows on `features`; the source "" are all."""

_TYPES: Mapping[FieldType, pl.DataType] = {
    "number": pl.Float64(),
    "integer": pl.Int64(),
    "string": pl.String(),
    "boolean": pl.Boolean(),
    "timestamp": pl.String(),
}


def training_set(
    reader: LogReader,
    data_dir: Path,
    specification: Specification,
    features_ranges: Ranges,
    labels_ranges: Ranges,
    excluded: Iterable[Stretch] = (),
    *,
    topic_prefix: str = "",
) -> pl.DataFrame:
    """`META_COLUMNS`, then one column per feature (`feature_names`), ordered by event time, then origin.

    Left out: rows of its source in an `excluded` stretch [partition, from, until) of features offsets, rows with
    withheld fields that an input is made of, rows whose features another definition computed, and, except for anomaly
    pipelines, rows without a label. ``__partition`` and ``__offset`` are those on `features`;
    ``__label`` has the target's type. Of several labels of one id the last on the log counts.
    """
    features = read(reader, data_dir, FEATURES, specification.name, features_ranges, topic_prefix=topic_prefix)
    features = features.filter(
        _whole(specification) & (pl.col("definition") == specification.definition) & _kept(excluded)
    )
    labels = read(reader, data_dir, LABELS, specification.name, labels_ranges, topic_prefix=topic_prefix)
    last = labels.unique("id", keep="last", maintain_order=True).select("id", "label")
    rows = features.join(last, on="id", how="left", maintain_order="left")
    if specification.kind != "anomaly":
        rows = rows.filter(pl.col("label").is_not_null() & (pl.col("label") != "null"))
    rows = rows.sort("at", "origin_partition", "origin_offset")
    return pl.concat([_meta(rows, specification), _inputs(rows, specification)], how="horizontal")


def _whole(specification: Specification) -> pl.Expr:
    """Whether nothing was withheld that an input of the model is made of."""
    used = needed(specification.fields, specification)
    return ~pl.any_horizontal(pl.lit(value=False), *(pl.col("withheld").list.contains(field) for field in used))


def _kept(excluded: Iterable[Stretch]) -> pl.Expr:
    kept = pl.lit(value=True)
    for partition, start, stop, source in excluded:
        inside = (pl.col("partition") == partition) & pl.col("offset").is_between(start, stop, closed="left")
        kept = kept & ~(inside & (pl.col("source") == source) if source else inside)
    return kept


def _meta(rows: pl.DataFrame, specification: Specification) -> pl.DataFrame:
    target = specification.fields.get(specification.target or "")
    dtype = _TYPES[target.type] if target is not None else pl.Boolean()
    labels = [None if text is None else msgspec.json.decode(text) for text in rows["label"]]
    named = rows.select(pl.col("id", "entity", "source", "at", "partition", "offset").name.prefix("__"))
    return named.with_columns(pl.Series("__label", labels, dtype=dtype, strict=False))


def _inputs(rows: pl.DataFrame, specification: Specification) -> pl.DataFrame:
    decoder = msgspec.json.Decoder(dict[str, Any])
    values = [decoder.decode(text) for text in rows["values"]]
    return pl.DataFrame([_column(name, [row.get(name) for row in values]) for name in specification.feature_names])


def _column(name: str, cells: list[Any]) -> pl.Series:
    """The cells in the one type that holds them all: truth, whole numbers, numbers or text."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if str in kinds:
        return pl.Series(name, [None if cell is None else str(cell) for cell in cells], dtype=pl.String)
    if kinds == {bool}:
        return pl.Series(name, cells, dtype=pl.Boolean)
    if kinds == {int}:
        return pl.Series(name, cells, dtype=pl.Int64)
    return pl.Series(name, cells, dtype=pl.Float64, strict=False)
