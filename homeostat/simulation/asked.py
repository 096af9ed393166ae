"""What people ask for: action, second, arguments. Some of it is to be refused."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from homeostat.simulation.brought import Brought

Asked = tuple[str, float, Mapping[str, object] | None]

SCRIPT: tuple[Asked, ...] = (
    ("hold", 0.5, None),
    ("release_hold", 9.0, None),
    ("retrain", 16.0, None),
    ("hold", 18.0, None),
    ("promote", 19.0, {"version": "1", "force": True}),
    ("shift_traffic", 20.0, {"version": "1", "weight": 0.5, "force": True}),
    ("release_hold", 24.0, None),
    ("promote", 25.0, {"version": "2"}),
    ("quarantine_source", 26.0, {"source": "plant-0", "fields": []}),
    ("quarantine_source", 26.5, {"source": "", "fields": ["flow"]}),
    ("quarantine_source", 27.0, {"source": "plant-0", "fields": ["heat", "load", "flow"]}),
    ("quarantine_source", 27.5, {"source": "plant-0", "fields": ["water"]}),
    ("rollback", 28.0, {"to_version": "99"}),
    *(("recalibrate", 29.0 + 0.1 * number, None) for number in range(8)),
    *((("hold", "release_hold")[number % 2], 32.0 + number, None) for number in range(6)),
)
"""The pipeline is held before its first model, and again while a version is made; then come orders without a target,
with too large a one, and more than a person may give.
"""


def orders(rng: Random) -> list[Asked]:
    """Among them a version by name, that a rollback may have taken down: without force, and with it."""
    return [
        ("retrain", 14.0, None),
        (rng.choice(["rollback", "recalibrate", "notify"]), 20.0, None),
        ("rollback", 21.0, None),
        ("hold", 23.0, None),
        ("retrain", 24.0, None),
        ("release_hold", 26.0, None),
        ("promote", 28.0, {"version": "2"}),
        ("promote", 31.0, {"version": "2", "force": True}),
    ]


def versions(found: Brought) -> list[Asked]:
    """A version from outside, a canary by hand that is taken back, versions that must not answer, and the first one
    again.
    """
    return [
        ("promote", 13.0, {"candidate": found.fit, "force": True}),
        ("shift_traffic", 17.0, {"version": "1", "weight": 0.5}),
        ("shift_traffic", 20.0, {"version": "1", "weight": 0.0}),
        ("promote", 24.0, {"candidate": found.other, "force": True}),
        ("promote", 28.0, {"candidate": found.old, "force": True}),
        ("promote", 32.0, {"candidate": found.fit, "force": True}),
    ]
