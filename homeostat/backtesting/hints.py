"""What a person should know of policies at the pace of a history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np

from homeostat.backtesting.history import History
from homeostat.backtesting.loop import Pace
from shared.pipeline.specification import Policy, Rung

_MEASURED = ("retrain", "rollback", "promote", "recalibrate")


def hints_of(history: History, pace: Pace, policies: Sequence[Policy]) -> Iterator[str]:
    """One sentence for each rung whose effect cannot be measured in the time it is given."""
    seconds = _row_seconds(history, pace)
    if seconds is None:
        return
    delay = float(np.median(history.due - np.arange(len(history)))) * seconds
    for policy in policies:
        for rung in policy.ladder:
            needed = timedelta(seconds=round(rung.verify_rows * seconds + delay))
            if _is_measured(rung) and needed > rung.verify_within + rung.deadline:
                yield (
                    f"policy {policy.name}: {rung.action} is to be verified over {rung.verify_rows} labelled rows "
                    f"within {rung.verify_within}, but at this history's pace they take {needed}: it will be undone or "
                    "handed to a person. Give verify_within more, verify_rows fewer, or replay faster with --rate"
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
