"""A person's history, checked: rows in the order of their time, each with its id, and when its label comes.

What cannot be replayed is a `HistoryError`; what can be after a treatment is treated, and the
treatment is told. Rows that break the specification stay in: ingest refuses them, as it would live.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeostat.backtesting.errors import HistoryError, Treatment
from homeostat.rows import Row
from homeostat.simulation.simulation import id_of
from shared.messages import Value
from shared.pipeline.contract import Contract
from shared.pipeline.problems import Problem, did_you_mean
from shared.pipeline.span import Span
from shared.pipeline.specification import Specification

Ints = NDArray[np.int64]
_MOST_REFUSED = 0.5
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class History:
    """`rows[i]` has the id `ids[i]` and the truth `labels[i]` (None: never known).

    All have the same length, in stream order. `seconds[i]` is when row i happened, in seconds since
    1970 (None: the history does not say). `due[i]` is the row with which label i arrives; `len(rows)`:
    after the last.
    """

    specification: Specification
    rows: list[Row]
    ids: list[str]
    labels: list[Value]
    seconds: NDArray[np.float64] | None
    due: Ints
    treatments: tuple[Treatment, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def entity(self, row: int) -> str:
        """The key by which a row's windows are formed: the specification's key, else the id."""
        key = self.rows[row].get(self.specification.key or "")
        return self.ids[row] if key is None else str(key)

    def time_of(self, row: int) -> datetime | None:
        """When a row happened, by its own time."""
        return None if self.seconds is None else datetime.fromtimestamp(float(self.seconds[row]), UTC)


def history_of(rows: Sequence[Row], specification: Specification, delay: Span, rate: float) -> History:
    """The history in `rows`. A label comes `delay` after its row; where rows have no time, `rate` a second come.

    Raises `HistoryError`.
    """
    told: list[Treatment] = []
    _has_columns(rows, specification, told)
    seconds = _seconds(rows, specification, told)
    if seconds is not None:
        rows, seconds = _in_order(rows, seconds, told)
    ids = _ids(rows, specification, told)
    labels = _checked(rows, specification, told)
    _enough(labels, specification)
    due = _due(len(rows), seconds, delay, rate)
    _arriving(labels, due, delay, told)
    return History(specification, list(rows), ids, labels, seconds, due, tuple(told))


def _has_columns(rows: Sequence[Row], specification: Specification, told: list[Treatment]) -> None:
    if not rows:
        raise HistoryError("empty", "the history has no rows: give a file with one event a row, the target beside it")
    known = set(rows[0]) if len({len(row) for row in rows}) == 1 else {name for row in rows for name in row}
    optional = {specification.id, specification.timestamp}
    needed = [name for name, field in specification.fields.items() if not field.nullable and name not in optional]
    if specification.target is not None and specification.target not in needed:
        needed.append(specification.target)
    absent = [name for name in needed if name not in known]
    if absent:
        hints = "".join(did_you_mean(name, known) for name in absent[:1])
        raise HistoryError(
            "columns",
            f"the history has no column {', '.join(f'`{name}`' for name in absent)}, which the specification "
            f"{specification.name} asks for{hints}; it has {', '.join(sorted(known))}",
        )
    extra = sorted(known - set(specification.fields) - {"id"})
    if extra:
        told.append(Treatment("unknown-columns", len(rows), f"not in the specification, dropped: {', '.join(extra)}"))


def _seconds(rows: Sequence[Row], specification: Specification, told: list[Treatment]) -> NDArray[np.float64] | None:
    """The rows' own times; a row whose time is missing or none gets that of the row before it."""
    name = specification.timestamp
    if name is None or all(row.get(name) is None for row in rows):
        if name is not None:
            told.append(Treatment("no-times", len(rows), f"`{name}` is empty throughout: the file's order is kept"))
        return None
    found = np.array([_time(row.get(name)) for row in rows])
    missing = np.isnan(found)
    if missing.all():
        raise HistoryError(
            "times", f"`{name}` is no time in any row, as {rows[0].get(name)!r}: write 2026-01-31T12:00:00Z (RFC 3339)"
        )
    if missing.any():
        told.append(
            Treatment("times-missing", int(missing.sum()), f"`{name}` is missing or no time: taken from the row before")
        )
        places = np.maximum.accumulate(np.where(missing, -1, np.arange(len(found))))
        found = found[np.where(places < 0, int(np.flatnonzero(~missing)[0]), places)]
    return found


def _time(value: Any) -> float:
    try:
        if isinstance(value, bool) or value is None:
            return float("nan")
        if isinstance(value, int | float):
            return float(value)
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return float("nan")


def _in_order(
    rows: Sequence[Row], seconds: NDArray[np.float64], told: list[Treatment]
) -> tuple[Sequence[Row], NDArray[np.float64]]:
    late = int((np.diff(seconds) < 0).sum())
    if not late:
        return rows, seconds
    order = np.argsort(seconds, kind="stable")
    moved = int((order != np.arange(len(order))).sum())
    told.append(
        Treatment("out-of-order", moved, f"{late} rows were older than the row before them: sorted by their time")
    )
    return [rows[place] for place in order.tolist()], seconds[order]


def _ids(rows: Sequence[Row], specification: Specification, told: list[Treatment]) -> list[str]:
    name = specification.id or "id"
    missing = sum(row.get(name) is None and row.get("id") is None for row in rows)
    ids = [id_of(specification, row) for row in rows]
    if missing:
        told.append(
            Treatment("ids-missing", missing, f"`{name}` is missing: named after their content, as the gateway does")
        )
    repeated = len(ids) - len(set(ids))
    if repeated:
        told.append(
            Treatment(
                "ids-repeated",
                repeated,
                "an id seen before: ingest drops the same row again and refuses another row under that id",
            )
        )
    return ids


def _checked(rows: Sequence[Row], specification: Specification, told: list[Treatment]) -> list[Value]:
    """The labels by row; None where there is none, or where row or label breaks the contract."""
    contract, target = Contract(specification), specification.target
    refused: Counter[str] = Counter()
    labels: list[Value] = []
    for row in rows:
        checked = contract.check_row({name: value for name, value in row.items() if name != target})
        label = contract.check_label(row.get(target)) if target is not None else None
        for problem in (checked, label):
            if isinstance(problem, Problem):
                refused[str(problem) if problem.reason == "missing" else f"{problem.field}: {problem.reason}"] += 1
        broken = isinstance(checked, Problem) or isinstance(label, Problem)
        labels.append(None if broken or isinstance(label, Problem) else label)
    if refused:
        worst = "; ".join(f"{what} ({count} rows)" for what, count in refused.most_common(_SHOWN))
        total = sum(refused.values())
        if total > _MOST_REFUSED * len(rows):
            raise HistoryError(
                "not-matching",
                f"{total} of {len(rows)} rows do not match the specification {specification.name}: {worst}; mend the "
                "specification (homeostat pipeline init FILE writes one that fits) or the file",
            )
        told.append(Treatment("refused", total, f"do not match the specification, dead letters as live: {worst}"))
    return labels


def _enough(labels: Sequence[Value], specification: Specification) -> None:
    wanted = specification.models.min_rows
    if specification.kind == "anomaly":
        if len(labels) < wanted:
            raise HistoryError(
                "too-short",
                f"{len(labels)} rows: the first model needs {wanted}; give more history or lower models.min_rows",
            )
        return
    there = [label for label in labels if label is not None]
    if not there:
        raise HistoryError("no-labels", f"`{specification.target}` is empty in every row: there is nothing to learn")
    if len(there) < wanted:
        raise HistoryError(
            "too-short",
            f"{len(there)} labelled rows: the first model needs {wanted}; give more history or lower models.min_rows",
        )
    if len(set(there)) == 1:
        raise HistoryError(
            "one-value",
            f"`{specification.target}` is {there[0]!r} in all {len(there)} labelled rows: there is nothing to tell "
            "apart; is it the right column?",
        )


def _due(count: int, seconds: NDArray[np.float64] | None, delay: Span, rate: float) -> Ints:
    """The row with which each label arrives: the first that is `delay` later."""
    places = np.arange(count)
    if delay.rows is not None:
        found = places + delay.rows
    elif seconds is not None:
        found = np.searchsorted(seconds, seconds + (delay.time or timedelta(0)).total_seconds(), side="left")
    else:
        found = places + int(np.ceil((delay.time or timedelta(0)).total_seconds() * rate))
    return np.minimum(np.maximum(found, places), count).astype(np.int64)


def _arriving(labels: Sequence[Value], due: Ints, delay: Span, told: list[Treatment]) -> None:
    late = int(sum(label is not None and place >= len(labels) for label, place in zip(labels, due, strict=True)))
    unlabelled = sum(label is None for label in labels)
    if late == len(labels) - unlabelled and late:
        raise HistoryError(
            "no-labels",
            f"every label comes after the last row (label delay: {delay}): give a shorter --label-delay, in rows "
            "where the rows have no time",
        )
    if late:
        told.append(Treatment("labels-late", late, f"their labels come after the last row (label delay: {delay})"))
    if unlabelled and unlabelled < len(labels):
        told.append(Treatment("unlabelled", unlabelled, "without a label that counts: answered, never measured"))
