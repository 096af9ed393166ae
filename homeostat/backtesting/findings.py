"""What a backtest found, as data frames and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl

from homeostat.backtesting.errors import Treatment

Row = Mapping[str, Any]
_TIME = pl.Datetime("us", "UTC")

SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "summary": {
        "who": pl.String,
        "value": pl.Float64,
        "rows": pl.Int64,
        "unanswered": pl.Int64,
        "trainings": pl.Int64,
        "training_seconds": pl.Float64,
        "alerts": pl.Int64,
        "actions": pl.Int64,
        "incidents": pl.Int64,
        "resolved": pl.Int64,
        "open": pl.Int64,
        "escalated": pl.Int64,
    },
    "accuracy": {"who": pl.String, "row": pl.Int64, "at": _TIME, "value": pl.Float64, "rows": pl.Int64},
    "alerts": {
        "policy": pl.String,
        "row": pl.Int64,
        "at": _TIME,
        "id": pl.String,
        "kind": pl.String,
        "severity": pl.String,
        "state": pl.String,
        "cause": pl.String,
        "statistic": pl.String,
        "value": pl.Float64,
        "threshold": pl.Float64,
        "summary": pl.String,
    },
    "decisions": {
        "policy": pl.String,
        "row": pl.Int64,
        "at": _TIME,
        "incident": pl.String,
        "kind": pl.String,
        "diagnosis": pl.String,
        "summary": pl.String,
    },
    "actions": {
        "policy": pl.String,
        "row": pl.Int64,
        "at": _TIME,
        "incident": pl.String,
        "action": pl.String,
        "arguments": pl.String,
        "issued_by": pl.String,
        "reason": pl.String,
        "state": pl.String,
        "model_version": pl.String,
        "training_seconds": pl.Float64,
        "outcome": pl.String,
    },
    "versions": {
        "policy": pl.String,
        "row": pl.Int64,
        "at": _TIME,
        "version": pl.String,
        "stage": pl.String,
        "weight": pl.Float64,
        "estimator": pl.String,
        "trained_on": pl.Int64,
        "reason": pl.String,
    },
    "differences": {
        "row": pl.Int64,
        "at": _TIME,
        "policy": pl.String,
        "action": pl.String,
        "arguments": pl.String,
        "reason": pl.String,
    },
}
"""The columns of each frame."""


def frame_of(name: str, rows: Sequence[Row]) -> pl.DataFrame:
    """One of the frames of `SCHEMAS`."""
    columns = SCHEMAS[name]
    return pl.DataFrame([tuple(row[each] for each in columns) for row in rows], schema=columns, orient="row")


@dataclass(frozen=True, slots=True)
class Findings:
    """What the loop would have done on a history, beside what others would have answered.

    Frames (`polars.DataFrame`), one line per …; `row` counts the history's rows from 0 in the order of
    their time, `at` is the virtual time (UTC), `policy` the name of the policy file (``default``: none
    was given), `who` a policy or a learner it is held against:

    - `summary`: who. `value` of `metric` over the rows from `compared_from` on that have a label (`rows` of them),
      `unanswered` of those rows, `trainings` and their virtual `training_seconds`; of the `incidents` those `resolved`,
      and those still `open` when the history ends.
    - `accuracy`: window of `window` rows and who; `row` is the window's last, `value` the metric's mean.
    - `alerts`: alert as it was raised, changed or ended. `decisions`: entry of the ledger.
    - `actions`: command, with what became of it (`state`) and what was measured of it (`outcome`).
    - `versions`: model that took a stage; `trained_on` rows.
    - `differences`: action that one policy ordered and the other did not.

    `metric` is ``accuracy`` (a share of 1) or ``mae`` (in the target's unit). `treatments` say what was
    done to the history; `hints` name policies that cannot work at its pace, and schedules that it is too
    short for. All of these come out the same from the same arguments. `measured` does not: seconds that
    this machine took, by part; it is in neither `json()` nor the page.
    """

    pipeline: str
    kind: str
    metric: str
    rows: int
    window: int
    compared_from: int
    seed: int
    pace: Mapping[str, Any]
    treatments: tuple[Treatment, ...]
    hints: tuple[str, ...]
    summary: pl.DataFrame
    accuracy: pl.DataFrame
    alerts: pl.DataFrame
    decisions: pl.DataFrame
    actions: pl.DataFrame
    versions: pl.DataFrame
    differences: pl.DataFrame
    measured: Mapping[str, float] = field(default_factory=dict, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Everything but `measured`, as plain JSON values."""
        head: dict[str, Any] = {
            "pipeline": self.pipeline,
            "kind": self.kind,
            "metric": self.metric,
            "rows": self.rows,
            "window": self.window,
            "compared_from": self.compared_from,
            "seed": self.seed,
            "pace": dict(self.pace),
            "treatments": [{"what": t.what, "rows": t.rows, "detail": t.detail} for t in self.treatments],
            "hints": list(self.hints),
        }
        return head | {name: getattr(self, name).to_dicts() for name in SCHEMAS}

    def json(self) -> str:
        """`to_dict` as JSON; the same arguments give the same bytes."""
        return json.dumps(self.to_dict(), default=_plain, ensure_ascii=False, indent=1)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)
