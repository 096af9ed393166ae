"""What a person should know of policies at the pace of a history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np

from homeostat.backtesting.history import History
from homeostat.backtesting.loop import Pace
from shared.durations import in_words
from shared.messages import Value
from shared.pipeline.specification import Policy, Rung

_MEASURED = ("retrain", "rollback", "promote", "recalibrate")


def hints_of(history: History, pace: Pace, policies: Sequence[Policy]) -> Iterator[str]:
    """What cannot be measured in the time it is given: one sentence for all rungs of which the same is true."""
    seconds = _row_seconds(history, pace)
    if seconds is None:
        return
    delay = float(np.median(history.due - np.arange(len(history)))) * seconds
    late: dict[tuple[int, timedelta, timedelta], list[str]] = {}
    for policy in policies:
        for rung in policy.ladder:
            needed = timedelta(seconds=round(rung.verify_rows * seconds + delay))
            if _is_measured(rung) and needed > rung.verify_within + rung.deadline:
                asked = (rung.verify_rows, rung.verify_within, needed)
                late.setdefault(asked, []).append(f"policy {policy.name}: {rung.action}")
    for (rows, within, needed), rungs in late.items():
        yield (
            f"{'; '.join(dict.fromkeys(rungs))} {'is' if len(rungs) == 1 else 'are'} to be verified over {rows:,} "
            f"labelled rows within {in_words(within)}, but at this history's pace they take {in_words(needed)}: what "
            "is done will be undone or handed to a person. Give verify_within more, verify_rows fewer, or replay "
            "faster with --rate"
        )


def late_first_model(first_row: int | None, history: History, pace: Pace) -> Iterator[str]:
    """A sentence where no model came of the history, or long after there were rows enough and it was trained.

    `first_row`: the first that a model answered; None where none did.
    """
    specification = history.specification
    could, seconds = _rows_enough(history), _row_seconds(history, pace)
    training = 2 * pace.training_seconds / seconds if seconds else 0.0
    if could is None or (first_row is not None and first_row <= 2 * could + training + 2 * pace.batch):
        return
    since = _first_two(history.labels)
    why = ""
    if specification.kind != "anomaly" and since is not None and since > could:
        why = f"; the first {since:,} labelled rows have one value of `{specification.target}`"
    if first_row is None:
        yield f"no model came of this history: nothing was answered, and nothing is compared{why}"
        return
    left = len(history) - first_row
    yield (
        f"the first model answers from row {first_row:,} on, though there were labels enough from row {could:,}: "
        f"the last {left:,} rows alone are compared{why}"
    )


def _rows_enough(history: History) -> int | None:
    """The row by which there are labels (for anomalies, rows) enough for a first model; None where there never are."""
    wanted = history.specification.models.min_rows
    if history.specification.kind == "anomaly":
        return wanted if len(history) >= wanted else None
    told = sorted(int(due) for due, label in zip(history.due, history.labels, strict=True) if label is not None)
    return told[wanted - 1] if len(told) >= wanted and told[wanted - 1] < len(history) else None


def _first_two(labels: Sequence[Value]) -> int | None:
    """How many labels come before a second value is among them; None where none ever is."""
    there = [label for label in labels if label is not None]
    return next((place for place, label in enumerate(there) if label != there[0]), None)


def idle_schedules(names: Sequence[str], first_row: int, rows: int) -> Iterator[str]:
    """A sentence for each ``periodic:N`` whose turn never comes between the first model's row and the end."""
    for name in names:
        every = int(name.partition(":")[2] or 0)
        if every and first_row + every >= rows:
            fewer = max(1, (rows - first_row) // 5)
            yield (
                f"{name} is static here: it trains {every:,} rows after the first model (row {first_row:,}) for the "
                f"first time, and there are {rows:,}. Give fewer, as --against static,periodic:{fewer}"
            )


def _is_measured(rung: Rung) -> bool:
    return rung.action in _MEASURED and rung.metric != "alert.resolved"


def _row_seconds(history: History, pace: Pace) -> float | None:
    """Virtual seconds from a row to the next, on the whole; None where a history says nothing of it."""
    if pace.rate is not None:
        return 1.0 / pace.rate
    if history.seconds is None or len(history) < 2:
        return None
    return float(history.seconds[-1] - history.seconds[0]) / (len(history) - 1)
