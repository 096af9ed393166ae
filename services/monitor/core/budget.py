"""The false-alarm budget of a pipeline, and which detector may spend how much of it.

`monitor.false_alarms_per_million` is the expected number of false alarms per million rows over all
detectors together. Each detector gets a fixed share, and sets its threshold by it; the shares sum to
one, so the family keeps the budget whatever the detectors have to do with each other.
"""

from __future__ import annotations

SHARES = {
    "quality": 0.26,
    "drift": 0.22,
    "errors": 0.15,
    "level": 0.1,
    "release": 0.1,
    "predictions": 0.05,
    "anomaly": 0.05,
    "fairness": 0.05,
    "latency": 0.02,
}
_ROWS_PER_RELEASE = 1000.0


def rate_per_row(per_million: float, detector: str) -> float:
    """False alarms per row that this detector may give.

    >>> round(1 / rate_per_row(10.0, "errors"))
    666667
    """
    return per_million * SHARES[detector] / 1e6


def level_per_test(per_million: float, detector: str, rows: float = _ROWS_PER_RELEASE) -> float:
    """The level of one test, of a detector that tests once in `rows` rows; at most one half."""
    return min(0.5, rate_per_row(per_million, detector) * rows)
