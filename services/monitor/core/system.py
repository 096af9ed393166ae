"""The services' own pulse: silence, lag, errors, slowness, memory, each against its own past.

Beats of one (service, instance) are compared with the median of its earlier ones. A trouble must
show in three beats running before it is raised, and be gone for three before it is resolved. One
alert tells of all instances of a service: it ends when none of them shows the trouble any more. An
instance is down until it beats again, says that it leaves, has been replaced by one that came after
it fell silent, or has not been heard of for an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
import numpy as np

from services.monitor.core.alerting import Alerts, Finding
from shared.messages import Alert, AlertKind, Cause, Evidence, Heartbeat, Metrics, Severity, Window

SYSTEM = "_system"
BEATS = 3
_MEMORY = 60
_LEAST_MEMORY = 10
_LAG_SECONDS = 30.0
_LEAST_LAG = 500
_LEAST_ERRORS = 5
_ERROR_SHARE = 0.02
_LEAST_STEP = 0.5
_SLOWER = 10.0
_LEAST_RSS = 1 << 30
_BIGGER = 3.0
_JUST_RELEASED_SECONDS = 300.0
_FORGOTTEN_SECONDS = 3600.0
_KINDS: tuple[AlertKind, ...] = ("lag", "errors", "latency", "saturation")


class Pulse(msgspec.Struct):
    """The newest beat of one instance, what was usual before, and how long each trouble has shown.

    `came` is when its first beat was heard; `replaces` the instance whose place it took.
    """

    beat: Heartbeat
    seen: float
    steps: list[float] = []
    sizes: list[float] = []
    rates: list[float] = []
    lag: int = 0
    shows: dict[str, int] = {}
    quiet: dict[str, int] = {}
    came: float = 0.0
    replaces: str = ""
    down: bool = False


class Sign(msgspec.Struct, frozen=True):
    """One thing wrong with a service in one beat."""

    kind: AlertKind
    statistic: str
    value: float
    threshold: float
    severity: Severity
    summary: str


class System(msgspec.Struct):
    """All services. `released` is when each pipeline last got a new version, for the slow-release case."""

    alerts: Alerts = msgspec.field(default_factory=lambda: Alerts(SYSTEM, 0.0))
    pulses: dict[str, Pulse] = {}
    released: dict[str, tuple[str, float]] = {}
    ticked: float = 0.0
    published: float = 0.0
    windows: int = 0
    beats: int = 0

    def take(self, beat: Heartbeat, now: datetime) -> list[Alert]:
        """One heartbeat: what it shows against the ones before."""
        self.beats += 1
        name = f"{beat.service}/{beat.instance}"
        old = self.pulses.get(name)
        said = [] if beat.state == "down" else self._up(old, beat, now)
        if old is None or beat.started != old.beat.started or beat.state != "running":
            pulse = self.pulses[name] = Pulse(beat, now.timestamp(), lag=sum(beat.lag.values()), came=now.timestamp())
            if old is not None:
                pulse.shows, pulse.quiet, pulse.down = old.shows, old.quiet, old.down
                pulse.came, pulse.replaces = old.came, old.replaces
            return said + (self._down(pulse, now, 0.0) if beat.state == "down" else [])
        signs = _signs(old, beat)
        said += self._weigh(old, beat, signs, now)
        _remember(old, beat, now)
        return said

    def behind(self, beat: Heartbeat) -> float:
        """How many seconds of work wait for this instance, at the rate of the beat before."""
        pulse, waiting = self.pulses.get(f"{beat.service}/{beat.instance}"), sum(beat.lag.values())
        rate = pulse.rates[-1] if pulse is not None and pulse.rates else 0.0
        return waiting / rate if rate > 0 else float(waiting)

    def tick(self, now: datetime, silence: float, every: float) -> tuple[list[Alert], Metrics | None]:
        """Who has fallen silent; and the services' figures, once in `every` seconds."""
        time = now.timestamp()
        if self.ticked and time - self.ticked > silence / 4:
            for pulse in self.pulses.values():
                pulse.seen += time - self.ticked
        self.ticked = time
        said: list[Alert] = []
        for name, pulse in list(self.pulses.items()):
            if time - pulse.seen > silence:
                said += self._silent(name, pulse, now, silence)
        if not self.pulses or time - self.published < every:
            return said, None
        self.published = time
        return said, self._figures(now)

    def _weigh(self, pulse: Pulse, beat: Heartbeat, signs: Mapping[str, Sign], now: datetime) -> list[Alert]:
        said: list[Alert] = []
        for kind in _KINDS:
            sign = signs.get(kind)
            pulse.shows[kind] = pulse.shows.get(kind, 0) + 1 if sign else 0
            pulse.quiet[kind] = 0 if sign else pulse.quiet.get(kind, 0) + 1
            if sign is not None and pulse.shows[kind] >= BEATS:
                said += self.alerts.raise_(self._finding(sign, beat, now), now, self.beats)
            elif not self._shown(kind, beat.service):
                said += self.alerts.resolve(
                    kind, beat.service, now, self.beats, f"{beat.service}: {kind} is usual again"
                )
        return said

    def _shown(self, kind: str, service: str) -> bool:
        """Whether an instance of this service shows the trouble, or has not been free of it for long."""
        instances = (pulse for pulse in self.pulses.values() if pulse.beat.service == service)
        return any(pulse.quiet.get(kind, BEATS) < BEATS for pulse in instances)

    def _silent(self, name: str, pulse: Pulse, now: datetime, silence: float) -> list[Alert]:
        """One that is not heard: down, unless it left in order or another has come in its place."""
        silent, beat = now.timestamp() - pulse.seen, pulse.beat
        pulse.shows, pulse.quiet = {}, {}
        heir = self._heir(pulse, now, silence) if beat.state == "running" else None
        if heir is not None:
            heir.replaces = name
            return self._forget(name, now, f"{name} has been replaced by {beat.service}/{heir.beat.instance}")
        if silent > _FORGOTTEN_SECONDS:
            return self._forget(name, now, f"{name} has not been heard of for an hour: it is expected no more")
        return self._down(pulse, now, silent) if beat.state == "running" else []

    def _heir(self, pulse: Pulse, now: datetime, silence: float) -> Pulse | None:
        """An instance of the same service, heard now, that came after this one's last beat and replaces no other."""
        for other in self.pulses.values():
            heard = other.beat.state == "running" and now.timestamp() - other.seen <= silence
            if other.beat.service == pulse.beat.service and heard and other.came > pulse.seen and not other.replaces:
                return other
        return None

    def _forget(self, name: str, now: datetime, why: str) -> list[Alert]:
        service = self.pulses.pop(name).beat.service
        over = [kind for kind in _KINDS if not self._shown(kind, service)]
        said = [alert for kind in over for alert in self.alerts.resolve(kind, service, now, self.beats, why)]
        return self._resolve_down(service, now, why) + said

    def _up(self, pulse: Pulse | None, beat: Heartbeat, now: datetime) -> list[Alert]:
        if pulse is not None:
            pulse.down = False
        gone = "is back" if beat.state == "running" else "has left in order"
        return self._resolve_down(beat.service, now, f"{beat.service} {gone}")

    def _resolve_down(self, service: str, now: datetime, why: str) -> list[Alert]:
        """The alert ends with the last instance that is down."""
        if any(pulse.down for pulse in self.pulses.values() if pulse.beat.service == service):
            return []
        return self.alerts.resolve("service_down", service, now, self.beats, why)

    def _finding(self, sign: Sign, beat: Heartbeat, now: datetime) -> Finding:
        causes = [Cause(kind="service", what=beat.service, score=0.8)]
        if sign.kind == "latency" and beat.service == "predictor":
            for pipeline, (version, at) in self.released.items():
                if now.timestamp() - at <= _JUST_RELEASED_SECONDS:
                    causes.insert(0, Cause(kind="version", what=version, score=0.9, detail=f"just live in {pipeline}"))
        if sign.kind in ("lag", "saturation") and sign.statistic != "stuck_beats":
            causes.insert(0, Cause(kind="load", what=beat.service, score=0.9))
        return Finding(
            kind=sign.kind,
            place=beat.service,
            severity=sign.severity,
            summary=sign.summary,
            evidence=Evidence(
                statistic=f"{beat.service}.{sign.statistic}",
                value=sign.value,
                threshold=sign.threshold,
                window=self._window(now),
                samples=BEATS,
                method=f"{BEATS} heartbeats running, against the median of those before",
            ),
            causes=tuple(causes),
        )

    def _down(self, pulse: Pulse, now: datetime, silent: float) -> list[Alert]:
        pulse.down, beat = True, pulse.beat
        finding = Finding(
            kind="service_down",
            place=beat.service,
            severity="critical",
            summary=f"{beat.service} is down" if not silent else f"{beat.service}: no heartbeat for {silent:.0f} s",
            evidence=Evidence(
                statistic=f"{beat.service}.silent_seconds",
                value=silent,
                threshold=0.0,
                window=self._window(now),
                samples=1,
                method="heartbeats",
            ),
            causes=(Cause(kind="service", what=beat.service, score=1.0, detail=f"instance {beat.instance}"),),
            since=now - timedelta(seconds=silent),
        )
        return self.alerts.raise_(finding, now, self.beats)

    def _window(self, now: datetime) -> Window:
        return Window(index=self.windows, first_row=self.beats, last_row=self.beats, rows=BEATS, ends=now)

    def _figures(self, now: datetime) -> Metrics:
        values: dict[str, float] = {}
        for pulse in self.pulses.values():
            service = pulse.beat.service
            figures = {
                "lag": float(pulse.lag),
                "records_per_second": pulse.rates[-1] if pulse.rates else 0.0,
                "step_seconds": pulse.beat.step_seconds,
                "rss_bytes": float(pulse.beat.rss_bytes),
                "errors": float(pulse.beat.errors),
            }
            for name, value in figures.items():
                values[f"{service}.{name}"] = values.get(f"{service}.{name}", 0.0) + value
        window = Window(index=self.windows, first_row=self.beats, last_row=self.beats, rows=len(self.pulses), ends=now)
        self.windows += 1
        return Metrics(pipeline=SYSTEM, family="service", at=now, window=window, values=values)


def _signs(pulse: Pulse, beat: Heartbeat) -> dict[str, Sign]:
    """What is unusual about this beat, by kind. Of two signs of one kind the first here counts, the graver one."""
    seconds = max(1e-3, (beat.at - pulse.beat.at).total_seconds())
    done = beat.records_in - pulse.beat.records_in
    found = [
        _state_sign(beat),
        _lag_sign(pulse, beat, done / seconds),
        _error_sign(pulse, beat, done),
        _slow_sign(pulse, beat),
        _size_sign(pulse, beat),
    ]
    return {sign.kind: sign for sign in reversed(found) if sign is not None}


def _state_sign(beat: Heartbeat) -> Sign | None:
    """It went on with less than it knew before: no restart brings that back, a person decides."""
    if not beat.incomplete:
        return None
    summary = f"{beat.service} went on with incomplete state: {beat.incomplete}"
    return Sign("errors", "incomplete_state", 1.0, 0.0, "critical", summary)


def _lag_sign(pulse: Pulse, beat: Heartbeat, rate: float) -> Sign | None:
    """Records wait and do not get fewer: for longer than half a minute of work, or without any progress."""
    lag, name = sum(beat.lag.values()), beat.service
    if lag < _LEAST_LAG or lag < pulse.lag:
        return None
    if rate <= 0:
        return Sign(
            "lag", "stuck_beats", float(lag), 0.0, "critical", f"{name}: {lag} records wait and none are handled"
        )
    waits = lag / rate
    if waits <= _LAG_SECONDS:
        return None
    return Sign(
        "lag", "lag_seconds", waits, _LAG_SECONDS, "warning", f"{name} is {waits:.0f} s behind and not catching up"
    )


def _error_sign(pulse: Pulse, beat: Heartbeat, done: int) -> Sign | None:
    failed = beat.errors - pulse.beat.errors
    share = failed / max(1, done + failed)
    if failed < _LEAST_ERRORS or share <= _ERROR_SHARE:
        return None
    return Sign(
        "errors",
        "error_share",
        share,
        _ERROR_SHARE,
        "warning",
        f"{beat.service}: {failed} failures since the last beat",
    )


def _slow_sign(pulse: Pulse, beat: Heartbeat) -> Sign | None:
    if len(pulse.steps) < _LEAST_MEMORY:
        return None
    limit = max(_LEAST_STEP, _SLOWER * float(np.median(pulse.steps)))
    if beat.step_seconds <= limit:
        return None
    summary = f"{beat.service}: a step took {beat.step_seconds:.2f} s, usual is {np.median(pulse.steps):.3f} s"
    return Sign("latency", "step_seconds", beat.step_seconds, limit, "warning", summary)


def _size_sign(pulse: Pulse, beat: Heartbeat) -> Sign | None:
    if len(pulse.sizes) < _LEAST_MEMORY:
        return None
    limit = max(float(_LEAST_RSS), _BIGGER * float(np.median(pulse.sizes)))
    if beat.rss_bytes <= limit:
        return None
    summary = f"{beat.service} holds {beat.rss_bytes / 2**20:.0f} MiB, usual is {np.median(pulse.sizes) / 2**20:.0f}"
    return Sign("saturation", "rss_bytes", float(beat.rss_bytes), limit, "warning", summary)


def _remember(pulse: Pulse, beat: Heartbeat, now: datetime) -> None:
    """Learns from a beat; one that shows a trouble does not become the usual."""
    seconds = max(1e-3, (beat.at - pulse.beat.at).total_seconds())
    pulse.rates = [*pulse.rates, (beat.records_in - pulse.beat.records_in) / seconds][-_MEMORY:]
    if not pulse.shows.get("latency"):
        pulse.steps = [*pulse.steps, beat.step_seconds][-_MEMORY:]
    if not pulse.shows.get("saturation"):
        pulse.sizes = [*pulse.sizes, float(beat.rss_bytes)][-_MEMORY:]
    pulse.beat, pulse.seen, pulse.lag = beat, now.timestamp(), sum(beat.lag.values())
