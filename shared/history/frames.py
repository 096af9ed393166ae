"""Records of the log as columns, one row a record, with the address it has in the log.

`values` and `raw` stay the JSON text they were on the wire: a pipeline may change its features, and
text keeps every figure exactly as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec
import polars as pl

from shared.bus.base import Record
from shared.codec import decode
from shared.messages import Features, Label
from shared.topics import FEATURES, LABELS, Topic

ADDRESS: Mapping[str, pl.DataType] = {"partition": pl.Int32(), "offset": pl.Int64()}
_TIME = pl.Datetime("us", "UTC")

SCHEMAS: Mapping[str, Mapping[str, pl.DataType]] = {
    FEATURES.name: {
        **ADDRESS,
        "id": pl.String(),
        "entity": pl.String(),
        "source": pl.String(),
        "at": _TIME,
        "origin_partition": pl.Int32(),
        "origin_offset": pl.Int64(),
        "definition": pl.String(),
        "withheld": pl.List(pl.String),
        "values": pl.String(),
        "raw": pl.String(),
    },
    LABELS.name: {
        **ADDRESS,
        "id": pl.String(),
        "label": pl.String(),
        "source": pl.String(),
        "at": _TIME,
        "origin_partition": pl.Int32(),
        "origin_offset": pl.Int64(),
    },
}
"""The columns of each topic that has a history, in order."""


def frames_of(topic: Topic[Features] | Topic[Label], records: Iterable[Record]) -> dict[str, pl.DataFrame]:
    """The records' frames by pipeline, rows in the order given."""
    rows: dict[str, list[tuple[object, ...]]] = {}
    for record in records:
        message: Features | Label = decode(cast(Topic[Any], topic), record.value)
        cells = _features(message) if isinstance(message, Features) else _label(message)
        rows.setdefault(message.pipeline, []).append((record.partition, record.offset, *cells))
    schema = SCHEMAS[topic.name]
    return {pipeline: pl.DataFrame(found, schema=schema, orient="row") for pipeline, found in sorted(rows.items())}


def empty_frame(topic: str) -> pl.DataFrame:
    return pl.DataFrame(schema=SCHEMAS[topic])


def _features(message: Features) -> tuple[object, ...]:
    return (
        message.id,
        message.entity,
        message.source,
        message.at,
        *message.origin,
        message.definition,
        list(message.withheld),
        _text(message.values),
        _text(message.raw),
    )


def _label(message: Label) -> tuple[object, ...]:
    return (message.id, _text(message.label), message.source, message.at, *message.origin)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
