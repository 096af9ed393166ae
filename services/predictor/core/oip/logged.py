"""What a request asked and was answered, as messages for the log, each small enough for one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from msgspec.structs import replace

from services.predictor.core.answer import Answer
from shared.codec import encode
from shared.errors import Poison
from shared.messages import Inference, Value

ROOM: Final = 900_000
"""Bytes of a message, at most: a record takes a million, key and headers included."""

_SURELY_FITS: Final = 50_000
"""A body of fewer bytes makes no message above `ROOM`, whatever form its values came in."""


class Asked(NamedTuple):
    """A request, who answered it and when."""

    id: str
    pipeline: str
    version: str
    role: str
    entity: str | None
    at: datetime


def inferences_of(
    asked: Asked, rows: Sequence[Mapping[str, Value]], answers: Sequence[Answer], body_bytes: int
) -> list[Inference]:
    """One message, or several where the rows are too many for one.

    `Poison` (too-large) names a row that no record has room for.
    """
    whole = Inference(
        id=asked.id,
        pipeline=asked.pipeline,
        model_version=asked.version,
        role=asked.role,
        entity=asked.entity,
        at=asked.at,
        rows=tuple(dict(row) for row in rows),
        predictions=tuple(answer.prediction for answer in answers),
        scores=tuple(answer.score for answer in answers),
    )
    return [whole] if body_bytes < _SURELY_FITS else _cut(whole)


def _cut(one: Inference) -> list[Inference]:
    count = len(one.rows)
    size = len(encode(one))
    if size <= ROOM:
        return [one]
    if count == 1:
        raise Poison(f"row {one.first_row} takes {size} bytes in the log; at most {ROOM} fit", reason="too-large")
    return [*_cut(_part(one, 0, count // 2)), *_cut(_part(one, count // 2, count))]


def _part(one: Inference, start: int, stop: int) -> Inference:
    part = slice(start, stop)
    return replace(
        one,
        rows=one.rows[part],
        predictions=one.predictions[part],
        scores=one.scores[part],
        first_row=one.first_row + start,
    )
