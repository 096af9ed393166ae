"""The trouble that a world gets into: seen where nothing stands in the way, and over when it is over."""

from __future__ import annotations

from collections.abc import Iterator

from homeostat.simulation.run import Run
from shared.messages import Alert
from shared.topics import ALERTS, MODEL_PUBLISHED

FIELDS = {"unit-change": "heat", "missing-values": "flow"}
"""Which field goes wrong, and is right again before the end."""
LOSSES = ("concept_drift", "performance")


def seen(run: Run) -> Iterator[str]:
    """Of runs in which what came in is what the world has, at its time; a model must be there to be wrong."""
    if not run.plan.traceless or not run.messages(MODEL_PUBLISHED):
        return
    kind, trouble, _ = run.world.name.split("/")
    alerts = run.messages(ALERTS)
    if trouble in FIELDS:
        yield from _of_field(FIELDS[trouble], alerts)
    if trouble == "concept-change" and kind != "anomaly" and not any(one.kind in LOSSES for one in alerts):
        yield f"what the rows mean has changed, and no alert tells of it: {sorted({one.kind for one in alerts})}"


def _of_field(field: str, alerts: list[Alert]) -> Iterator[str]:
    about = {one.fingerprint: one for one in alerts if any(cause.what == field for cause in one.causes)}
    if not about:
        yield f"{field} went wrong, and no alert names it"
    last = {one.fingerprint: one for one in alerts}
    for fingerprint, one in about.items():
        if last[fingerprint].state == "firing":
            yield f"{field} is right again, and {one.kind} ({one.severity}) still fires"
