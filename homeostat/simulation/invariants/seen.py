"""The trouble that a world gets into: seen where nothing stands in the way, and over when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from homeostat.simulation.faults import SERVICES
from homeostat.simulation.ran import Run
from shared.messages import Alert
from shared.topics import ALERTS, COMMANDS, MODEL_PUBLISHED, TELEMETRY

FIELDS = {"unit-change": "heat", "missing-values": "flow", "refused-rows": "heat"}
"""Which field goes wrong, and is right again before the end."""
MISSED_MS, AWAKE_MS = 26_000, 5_000
"""A service counts as down after 20 s; a pulse is due every two."""
LOSSES = ("concept_drift", "performance")


def seen(run: Run) -> Iterator[str]:
    """Of runs in which what came in is what the world has, at its time; a model must be there to be wrong."""
    if not run.plan.traceless or not run.messages(MODEL_PUBLISHED):
        return
    kind, trouble, _ = run.world.name.split("/")
    alerts = run.messages(ALERTS)
    if trouble in FIELDS:
        yield from _of_field(FIELDS[trouble], alerts)
        yield from _everywhere(run, FIELDS[trouble])
    if trouble == "unfair" and not any(one.kind == "fairness" for one in alerts):
        yield "one shift is answered worse than the other, and no alert tells of it"
    if trouble in ("concept-change", "noise") and kind != "anomaly" and not any(one.kind in LOSSES for one in alerts):
        yield f"what the rows mean has changed, and no alert tells of it: {sorted({one.kind for one in alerts})}"


def _of_field(field: str, alerts: list[Alert]) -> Iterator[str]:
    about = {one.fingerprint: one for one in alerts if any(cause.what == field for cause in one.causes)}
    if not about:
        yield f"{field} went wrong, and no alert names it"
    last = {one.fingerprint: one for one in alerts}
    for fingerprint, one in about.items():
        if last[fingerprint].state == "firing":
            yield f"{field} is right again, and {one.kind} ({one.severity}) still fires"


def _everywhere(run: Run, field: str) -> Iterator[str]:
    """Where a field is withheld, it is of every source that is known to send it wrong."""
    orders = [one for one in run.given(COMMANDS) if one.action == "quarantine_source"]
    withheld = {one.arguments.get("source") for one in orders if field in str(one.arguments.get("fields"))}
    firing = [one for one in run.messages(ALERTS) if one.state == "firing" and one.severity != "info"]
    named = [one for one in firing if any(cause.what == field for cause in one.causes)]
    sources = {cause.what for one in named for cause in one.causes if cause.kind == "source"}
    if withheld and sources - withheld:
        yield f"{field} of {sorted(map(str, withheld))} is withheld, {sorted(sources)} send it wrong"


def missed(run: Run) -> Iterator[str]:
    """Services without a beat on the log for so long that the monitor, which was there all the time, must say so."""
    beats: dict[str, list[int]] = {name: [] for name in SERVICES}
    for record, beat in run.of(TELEMETRY):
        if beat.service in beats and record.timestamp_ms <= run.settled_ms:
            beats[beat.service].append(record.timestamp_ms)
    told = [one for one in run.messages(ALERTS) if one.kind == "service_down"]
    blind = any(fault.name in ("clock-jump", "broker-paused", "delay") for fault in run.plan.faults)
    known = {cause.what for one in told for cause in one.causes}
    for service in SERVICES if not blind else ():
        for silent in _gaps(beats[service], beats["monitor"]):
            if service not in known:
                yield f"{service} was silent for {silent / 1000:g} s, and no alert tells of it"
    last = {one.fingerprint: one for one in told}
    for one in last.values() if not blind else ():
        if one.state == "firing":
            yield f"{one.causes[0].what} is back, and {one.kind} still fires"


def _gaps(beats: list[int], awake: list[int]) -> Iterator[int]:
    """Silences that the monitor, which beat all the while, must have heard."""
    for before, after in pairwise(beats):
        meanwhile = [before, *(one for one in awake if before < one < after), after]
        if after - before > MISSED_MS and max(b - a for a, b in pairwise(meanwhile)) < AWAKE_MS:
            yield after - before
