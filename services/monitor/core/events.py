"""Events that arrived together, in columns: what the monitor takes of their features, whoever kept them as what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from services.monitor.core.fields import Fields
from services.monitor.core.state import Floats
from shared.messages import Features, Value

Rows = Sequence[Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class Events:
    """Row by row: `ids`, `sources`, `times` (their own, seconds since 1970) and the fields `withheld` from the model
    (None: none of any row).

    `matrix`: the watched fields, in order of arrival (a category gets its code when it is first asked for). `raw`: the
    rows as they are. `arrived`: when a row arrived, where that is known.
    """

    ids: Sequence[str]
    sources: Sequence[str]
    times: Floats
    withheld: Sequence[Sequence[str]] | None
    matrix: Callable[[Fields], Floats]
    raw: Callable[[], Rows]
    arrived: Callable[[int], datetime | None]


def events_of(messages: Sequence[Features]) -> Events:
    """These messages, one event each."""
    raw = [m.raw for m in messages]
    withheld = [m.withheld for m in messages]
    return Events(
        ids=[m.id for m in messages],
        sources=[m.source for m in messages],
        times=np.array([m.at.timestamp() for m in messages]),
        withheld=withheld if any(withheld) else None,
        matrix=lambda fields: fields.matrix(raw),
        raw=lambda: raw,
        arrived=lambda place: messages[place].received_at,
    )
