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

from homeostat.backtesting.columns import Checked, Columns, Ints, checked, times_of
from homeostat.backtesting.errors import HistoryError, Treatment
from homeostat.simulation.simulation import id_of
from shared.durations import in_words
from shared.messages import Value
from shared.pipeline.problems import did_you_mean
from shared.pipeline.span import Span
from shared.pipeline.specification import Specification

_MOST_REFUSED = 0.5
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class History:
    """Row i has the id `ids[i]` and the truth `labels[i]` (None: never known).

    All have the same length, in stream order. `seconds[i]` is when row i happened, in seconds since
    1970 (None: the history does not say). `due[i]` is the row with which label i arrives; `len(self)`:
    after the last. `checked` is what ingest will find.
    """

    specification: Specification
    columns: Columns
    checked: Checked
    ids: list[str]
    entities: list[str]
    seconds: NDArray[np.float64] | None
    due: Ints
    treatments: tuple[Treatment, ...]

    def __len__(self) -> int:
        return self.columns.height

    @property
    def labels(self) -> list[Value]:
        """The truth by row, in the target's type; None where it is missing or breaks the contract."""
        return self.checked.labels

    def time_of(self, row: int) -> datetime | None:
        """When a row happened, by its own time."""
        return None if self.seconds is None else datetime.fromtimestamp(float(self.seconds[row]), UTC)


def history_of(columns: Columns, specification: Specification, delay: Span, rate: float) -> History:
    """The history in `columns`. A label comes `delay` after its row; where rows have no time, `rate` a second come.

    Raises `HistoryError`.
    """
    told: list[Treatment] = []
    _has_columns(columns, specification, told)
    seconds = _seconds(columns, specification, told)
    if seconds is not None:
        columns, seconds = _in_order(columns, seconds, told)
    found = checked(columns, specification)
    _matching(columns, found, specification, told)
    ids = _ids(columns, specification, told)
    _enough(found.labels, specification)
    _enough_ids(ids, found.labels, specification)
    due = _due(columns.height, seconds, delay, rate)
    _arriving(found.labels, due, delay, told)
    entities = _entities(columns, specification, ids)
    return History(specification, columns, found, ids, entities, seconds, due, tuple(told))


def _has_columns(columns: Columns, specification: Specification, told: list[Treatment]) -> None:
    if not columns.height:
        raise HistoryError("empty", "the history has no rows: give a file with one event a row, the target beside it")
    optional = {specification.id, specification.timestamp}
    needed = [name for name, field in specification.fields.items() if not field.nullable and name not in optional]
    if specification.target is not None and specification.target not in needed:
        needed.append(specification.target)
    absent = [name for name in needed if name not in columns]
    if absent:
        raise HistoryError(
            "columns",
            f"the history has no column {', '.join(f'`{name}`' for name in absent)}, which the specification "
            f"{specification.name} asks for{did_you_mean(absent[0], columns.cells)}; it has "
            f"{', '.join(sorted(columns.cells))}",
        )
    extra = sorted(set(columns.cells) - set(specification.fields) - {"id"})
    if extra:
        told.append(
            Treatment("unknown-columns", columns.height, f"not in the specification, dropped: {', '.join(extra)}")
        )


def _seconds(columns: Columns, specification: Specification, told: list[Treatment]) -> NDArray[np.float64] | None:
    """The rows' own times; a row whose time is missing or none gets that of the row before it."""
    name = specification.timestamp
    if name is None:
        return None
    if columns.missing(name) == columns.height:
        told.append(Treatment("no-times", columns.height, f"`{name}` is empty throughout: the file's order is kept"))
        return None
    values = columns.values(name)
    found = times_of(columns.cells[name])
    missing = np.isnan(found)
    if missing.all():
        raise HistoryError(
            "times", f"`{name}` is no time in any row, as {values[0]!r}: write 2026-01-31T12:00:00Z (RFC 3339)"
        )
    if missing.any():
        told.append(
            Treatment("times-missing", int(missing.sum()), f"`{name}` is missing or no time: taken from the row before")
        )
        places = np.maximum.accumulate(np.where(missing, -1, np.arange(len(found))))
        found = found[np.where(places < 0, int(np.flatnonzero(~missing)[0]), places)]
    return found


def _in_order(
    columns: Columns, seconds: NDArray[np.float64], told: list[Treatment]
) -> tuple[Columns, NDArray[np.float64]]:
    late = int((np.diff(seconds) < 0).sum())
    if not late:
        return columns, seconds
    order = np.argsort(seconds, kind="stable")
    moved = int((order != np.arange(len(order))).sum())
    told.append(
        Treatment("out-of-order", moved, f"{late} rows were older than the row before them: sorted by their time")
    )
    return columns.ordered(order), seconds[order]


def _ids(columns: Columns, specification: Specification, told: list[Treatment]) -> list[str]:
    name = specification.id or "id"
    given = columns.values(name)
    if specification.id is not None and specification.id != "id" and "id" in columns:
        given = [other if one is None else one for one, other in zip(given, columns.values("id"), strict=True)]
    missing = [place for place, value in enumerate(given) if value is None]
    ids = [str(value) for value in given]
    for place in missing:
        ids[place] = id_of(specification, columns.row(place))
    if missing:
        told.append(
            Treatment(
                "ids-missing", len(missing), f"`{name}` is missing: named after their content, as the gateway does"
            )
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


def _entities(columns: Columns, specification: Specification, ids: list[str]) -> list[str]:
    """By what windows are formed: the specification's key, else the id."""
    if specification.key is None:
        return ids
    keys = columns.values(specification.key)
    return [id_ if key is None else str(key) for key, id_ in zip(keys, ids, strict=True)]


def _matching(columns: Columns, found: Checked, specification: Specification, told: list[Treatment]) -> None:
    problems = [*found.problems.values(), *found.label_problems.values()]
    if not problems:
        return
    refused = Counter(str(each) if each.reason == "missing" else f"{each.field}: {each.reason}" for each in problems)
    worst = "; ".join(f"{what} ({count} rows)" for what, count in refused.most_common(_SHOWN))
    rows = len({*found.problems, *found.label_problems})
    if rows > _MOST_REFUSED * columns.height:
        raise HistoryError(
            "not-matching",
            f"{rows} of {columns.height} rows do not match the specification {specification.name}: {worst}; mend the "
            "specification (homeostat pipeline init FILE writes one that fits) or the file",
        )
    told.append(Treatment("refused", rows, f"do not match the specification, dead letters as live: {worst}"))


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


def _enough_ids(ids: Sequence[str], labels: Sequence[Value], specification: Specification) -> None:
    """Of several rows under one id the first alone is one."""
    anomaly, wanted = specification.kind == "anomaly", specification.models.min_rows
    apart = len({id_ for id_, label in zip(ids, labels, strict=True) if anomaly or label is not None})
    if apart < wanted:
        raise HistoryError(
            "ids-repeated",
            f"{len(ids)} rows have {apart} different ids, and of each id one row alone is taken: the first model needs "
            f"{wanted}; is `{specification.id or 'id'}` the right column? Without one, rows are named by their content",
        )


def _due(count: int, seconds: NDArray[np.float64] | None, delay: Span, rate: float) -> Ints:
    """The row with which each label arrives: the first that is `delay` later."""
    places = np.arange(count)
    wait = (delay.time or timedelta(0)).total_seconds()
    if delay.rows is not None:
        found: Any = places + delay.rows
    elif seconds is not None:
        found = np.searchsorted(seconds, seconds + wait, side="left")
    else:
        found = places + int(np.ceil(wait * rate))
    due: Ints = np.minimum(np.maximum(found, places), count).astype(np.int64)
    return due


def _arriving(labels: Sequence[Value], due: Ints, delay: Span, told: list[Treatment]) -> None:
    known = np.array([label is not None for label in labels])
    late = int((known & (due >= len(labels))).sum())
    if late == known.sum() and late:
        raise HistoryError(
            "no-labels",
            f"every label comes after the last row (label delay: {_told(delay)}): give a shorter --label-delay, in "
            "rows where the rows have no time",
        )
    if late:
        told.append(
            Treatment("labels-late", late, f"their labels come after the last row (label delay: {_told(delay)})")
        )
    if known.any() and not known.all():
        told.append(
            Treatment("unlabelled", int((~known).sum()), "without a label that counts: answered, never measured")
        )


def _told(delay: Span) -> str:
    return str(delay) if delay.time is None else in_words(delay.time)
