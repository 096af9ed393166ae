"""Messages of the data path: raw records, features, predictions, labels, dead letters.

Those that come by the row are hidden from the garbage collector (`gc=False`): they are trees, never part of a cycle.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

Value = float | int | str | bool | None
"""One cell of a row as it travels in JSON."""

FILE_SOURCE = "file:"
"""How the source of rows begins that came from a file: such a source ends, and its end is no trouble."""

LONGEST_SOURCE = 200
"""Characters that a source's name may have: what can be withheld can be named, and released."""

SEVERAL_SOURCES = "several"
"""The name of all sources that the monitor has no room for: none of them can be told apart, or withheld."""


class RawRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An event or a label as it came in, unchecked. On `raw-data`, keyed by `entity`.

    `kind` is ``event`` (then `values` is the row) or ``label`` (then `label` is set). `source` names
    where it came from (a file, a client), the unit that is quarantined. `at` is the event's own time
    where the sender gave one.
    """

    pipeline: str
    id: str
    entity: str
    source: str = "default"
    kind: Literal["event", "label"] = "event"
    values: dict[str, object] = {}
    label: object = None
    at: datetime | None = None
    received_at: datetime | None = None


class Features(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One valid event with its features. On `features`, keyed by `entity`.

    `values` holds the model's inputs by name. `raw` holds the event's checked fields, for the
    monitor. `withheld` names fields that a quarantine blanked in this row: `values` was computed
    with them missing, `raw` still shows what arrived, and no model is trained on such a row.
    `origin` is the raw record's (partition, offset). `received_at` is when the event arrived, where
    whoever took it in said so.
    """

    pipeline: str
    id: str
    entity: str
    source: str
    at: datetime
    values: dict[str, Value]
    raw: dict[str, Value]
    origin: tuple[int, int]
    definition: str
    withheld: tuple[str, ...] = ()
    received_at: datetime | None = None


class FeatureRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What an answer is made from and tagged with: of `Features`, the part that the predictor reads."""

    pipeline: str
    id: str
    entity: str
    at: datetime
    values: dict[str, Value]
    definition: str
    withheld: tuple[str, ...] = ()
    received_at: datetime | None = None


class ShadowAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a shadow version would have answered. It never reaches a client as the answer."""

    model_version: str
    prediction: Value
    score: float | None = None


class Prediction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The one answer to one event. On `predictions`, keyed by `entity`.

    `prediction` is the class label, the number, or for anomaly pipelines whether the row is
    anomalous; None with `reason` when no model could answer. `probabilities` maps class (as text) to
    probability. `score` is P(positive class), the anomaly score, or None. `role` says which release
    role answered. `origin` is the features record's (partition, offset).
    """

    pipeline: str
    id: str
    entity: str
    at: datetime
    prediction: Value
    model_version: str
    role: Literal["champion", "canary", "none"] = "champion"
    probabilities: dict[str, float] | None = None
    score: float | None = None
    reason: str | None = None
    withheld: tuple[str, ...] = ()
    shadows: tuple[ShadowAnswer, ...] = ()
    origin: tuple[int, int] = (0, 0)
    received_at: datetime | None = None


class Inference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What was asked of the inference endpoint, and what it answered. On `inferences`, keyed by `id`.

    `id` is the request's. `rows` are features by name, `predictions` and `scores` theirs, in the request's order
    from its row `first_row` on: a request too large for one record is several. No event of the stream, so no label
    joins it and no metric counts it.
    """

    id: str
    pipeline: str
    model_version: str
    role: str
    at: datetime
    rows: tuple[dict[str, Value], ...]
    predictions: tuple[Value, ...]
    scores: tuple[float | None, ...]
    first_row: int = 0
    entity: str | None = None


class Label(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The truth about one event, checked. On `labels`, keyed by `id`. The last one for an id wins."""

    pipeline: str
    id: str
    label: Value
    source: str = "default"
    at: datetime | None = None
    origin: tuple[int, int] = (0, 0)


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record that was refused, with why, and its original bytes, from which it can be sent again.

    `reason` is a kebab-case code, `detail` a sentence for a person, `field` the offending field.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    value: bytes
    key: bytes | None = None
    field: str | None = None
    pipeline: str | None = None
    id: str | None = None
    source: str | None = None
    service: str = ""
    at: datetime | None = None
