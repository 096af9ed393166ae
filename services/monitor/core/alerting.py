"""The alerts that fire: one per trouble and place, opened once, updated, resolved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from services.monitor.core.arrivals import Arrivals
from shared.identity import stable_id
from shared.messages import Alert, AlertKind, Cause, Evidence, Severity

HOLD_OFF_ROWS = 2000
_MOST_REMEMBERED = 500
_LOSSES = (("concept_drift", "model"), ("performance", "model"))


class Past(msgspec.Struct):
    """What is remembered of a fingerprint: how often it fired, when it last ended, and how it flaps."""

    fired: int = 0
    ended_row: int = -HOLD_OFF_ROWS
    flaps: int = 0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a detector found, ready to be an alert. `place` tells apart troubles of one kind.

    `since` is when it began, where it is known by time and not by the row that `evidence.change` begins with.
    """

    kind: AlertKind
    place: str
    severity: Severity
    summary: str
    evidence: Evidence
    causes: tuple[Cause, ...]
    version: str = ""
    since: datetime | None = None


class Alerts(msgspec.Struct):
    """The alerts of one pipeline. Fingerprints are made of pipeline, kind and place.

    `arrivals` tells when the row arrived with which a change begins.
    """

    pipeline: str
    budget: float
    firing: dict[str, Alert] = {}
    past: dict[str, Past] = {}
    arrivals: Arrivals = msgspec.field(default_factory=Arrivals)

    def fingerprint(self, kind: str, place: str) -> str:
        """One for each trouble: a model's loss is the same one whichever test saw it first."""
        return _fingerprint(self.pipeline, "loss" if (kind, place) in _LOSSES else kind, place)

    def fires(self, kind: str, place: str) -> bool:
        return self.fingerprint(kind, place) in self.firing

    def raise_(self, finding: Finding, now: datetime, row: int, *, update: bool = False) -> list[Alert]:
        """The alert to publish: a new firing, or an update where its causes or severity changed (or `update`).

        Refused rows turning out to be a fault of accepted ones too is an update as well.
        """
        fingerprint = self.fingerprint(finding.kind, finding.place)
        current = self.firing.get(fingerprint)
        if current is None:
            return [self._open(fingerprint, finding, now, row)]
        same = [c.what for c in current.causes[:3]] == [c.what for c in finding.causes[:3]]
        same = same and _sources(current.causes) == _sources(finding.causes)
        same = same and _refused(current.evidence) <= _refused(finding.evidence)
        if same and current.severity == finding.severity and not update:
            return []
        since = current.evidence.change
        evidence = msgspec.structs.replace(finding.evidence, change=since or finding.evidence.change)
        alert = msgspec.structs.replace(
            current,
            at=now,
            severity=finding.severity,
            summary=finding.summary,
            evidence=evidence,
            causes=finding.causes,
        )
        self.firing[fingerprint] = alert
        return [alert]

    def resolve(self, kind: str, place: str, now: datetime, row: int, why: str) -> list[Alert]:
        """The last word on a firing alert; nothing where none fires."""
        fingerprint = self.fingerprint(kind, place)
        current = self.firing.pop(fingerprint, None)
        if current is None:
            return []
        self.past[fingerprint].ended_row = row
        return [msgspec.structs.replace(current, state="resolved", at=now, summary=why)]

    def end(self, now: datetime, why: str) -> list[Alert]:
        """The last word on every alert that fires: nobody watches any more. `past` knows rows no longer."""
        said = [msgspec.structs.replace(alert, state="resolved", at=now, summary=why) for alert in self.firing.values()]
        self.firing = {}
        for past in self.past.values():
            past.ended_row = -HOLD_OFF_ROWS
        return said

    def patience(self, kind: str, place: str, usual: int) -> int:
        """How many quiet windows end the alert: doubled for each flap, eightfold at most."""
        past = self.past.get(self.fingerprint(kind, place))
        return usual << min(3, past.flaps) if past else usual

    def _open(self, fingerprint: str, finding: Finding, now: datetime, row: int) -> Alert:
        past = self.past.pop(fingerprint, None) or Past()
        past.flaps = past.flaps + 1 if past.fired and row - past.ended_row < HOLD_OFF_ROWS else 0
        past.fired += 1
        self.past[fingerprint] = past
        for old in list(self.past)[:-_MOST_REMEMBERED]:
            if old not in self.firing:
                del self.past[old]
        alert = Alert(
            id=stable_id("alert", fingerprint, past.fired),
            fingerprint=fingerprint,
            pipeline=self.pipeline,
            kind=finding.kind,
            severity=finding.severity,
            state="firing",
            since=min(now, self._began(finding) or now),
            at=now,
            summary=finding.summary,
            evidence=finding.evidence,
            causes=finding.causes,
            false_alarm_budget=self.budget,
            model_version=finding.version,
        )
        self.firing[fingerprint] = alert
        return alert

    def _began(self, finding: Finding) -> datetime | None:
        """When the trouble began: the arrival of the first row of the change; None where that is not known."""
        change = finding.evidence.change
        arrived = None if change is None else self.arrivals.of(change.first_row)
        return finding.since if arrived is None else datetime.fromtimestamp(arrived, UTC)


@lru_cache(maxsize=4096)
def _fingerprint(pipeline: str, name: str, place: str) -> str:
    return stable_id("trouble", pipeline, name, place)


def _sources(causes: Sequence[Cause]) -> set[str]:
    """The sources among the causes: all of them count, for what each sends is withheld or given back by itself."""
    return {cause.what for cause in causes if cause.kind == "source"}


def _refused(evidence: Evidence) -> bool:
    """Whether it is about rows that were refused, and never reached a model."""
    return evidence.statistic.startswith("dead_letters")
