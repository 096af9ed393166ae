"""What the loop made of each fault: how soon it noticed, acted and recovered, and what that was worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homeostat.demo.story import Fault, Story
from homeostat.demo.watcher import Seen
from shared.messages import Alert, AuditEntry

RIGHT_ACTION: Mapping[str, str] = {"unit-change": "quarantine_source", "bad-release": "rollback", "drift": "retrain"}
"""What a good operator does about each: the healing matrix."""

STRETCH = 1000
"""Rows before and after a fault that accuracy is taken over."""

REACH = 5000
"""An incident that opens later than so many rows after a fault began is not that fault's."""

SLACK = 0.05
"""Accuracy after recovery may be this much below that before: the stream itself moves."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A point of the stream: monotonic second and row."""

    second: float
    row: int


@dataclass(frozen=True, slots=True)
class Episode:
    """One incident as the demo saw it. `begins` is the row in which its trouble is estimated to begin."""

    incident: str
    opened: Moment
    action: str | None
    acted: Moment | None
    recovered: Moment | None
    state: str
    begins: int
    summary: str


@dataclass(frozen=True, slots=True)
class Healing:
    """A line of the closing table. Seconds and rows count from the fault's begin; accuracies in [0, 1]."""

    fault: str
    episode: Episode | None
    begins: Moment
    before: float | None
    during: float | None
    after: float | None
    never_retrained: float | None
    healed: bool
    why: str


def episodes_of(events: Sequence[Seen], row_offset: int = 0) -> list[Episode]:
    """Every incident in the ledger, in the order opened. `row_offset`: rows the pipeline saw before the story."""
    by_incident: dict[str, list[tuple[AuditEntry, Moment]]] = {}
    begins: dict[str, int] = {}
    last_alert: Alert | None = None
    for seen in events:
        message = seen.message
        if isinstance(message, Alert):
            last_alert = message if message.state == "firing" and message.severity != "info" else last_alert
        elif isinstance(message, AuditEntry) and message.incident:
            by_incident.setdefault(message.incident, []).append((message, Moment(seen.second, seen.row)))
            if message.kind == "incident_opened" and last_alert is not None:
                window = last_alert.evidence.change or last_alert.evidence.window
                begins[message.incident] = max(0, window.first_row - row_offset)
    return [_episode(incident, entries, begins) for incident, entries in by_incident.items()]


def _episode(incident: str, entries: list[tuple[AuditEntry, Moment]], begins: Mapping[str, int]) -> Episode:
    opened = entries[0][1]
    orders = [(e, at) for e, at in entries if e.kind == "command_issued" and _action(e) not in (None, "notify")]
    ends = [(e, at) for e, at in entries if e.kind in ("incident_resolved", "escalated", "incident_expired")]
    verified = next((at for e, at in entries if e.kind == "verified"), None)
    resolved = next((at for e, at in entries if e.kind == "incident_resolved"), None)
    return Episode(
        incident=incident,
        opened=opened,
        action=_action(orders[0][0]) if orders else None,
        acted=orders[0][1] if orders else None,
        recovered=verified or resolved,
        state=ends[-1][0].kind.removeprefix("incident_") if ends else "open",
        begins=begins.get(incident, opened.row),
        summary=entries[0][0].summary,
    )


def _action(entry: AuditEntry) -> str | None:
    command: Any = entry.body.get("command")
    found = command.get("action") if isinstance(command, dict) else entry.body.get("action")
    return str(found) if found is not None else None


def healings_of(
    story: Story,
    episodes: Sequence[Episode],
    begun: Mapping[str, Moment],
    right: Mapping[int, bool],
    static: Mapping[int, bool],
) -> list[Healing]:
    """One line per planned fault, in order, and one per drift that was answered.

    `begun` says when each planned fault began; `right` and `static` say of each row whether the system,
    and a model never retrained, answered it rightly.
    """
    mine = {fault.name: _episode_for(fault, episodes) for fault in story.faults}
    taken = {episode.incident for episode in mine.values() if episode is not None}
    lines = [_judged(fault.name, mine[fault.name], begun[fault.name], right, static) for fault in story.faults]
    for episode in episodes:
        if episode.incident not in taken and episode.action == "retrain":
            lines.append(_judged("drift", episode, Moment(episode.opened.second, episode.begins), right, static))
    return sorted(lines, key=lambda line: line.begins.row)


def _episode_for(fault: Fault, episodes: Sequence[Episode]) -> Episode | None:
    near = [e for e in episodes if fault.begins <= e.opened.row <= fault.begins + REACH and e.action is not None]
    fitting = [e for e in near if e.action == RIGHT_ACTION[fault.name]]
    return next(iter(fitting or near), None)


def _judged(
    name: str, episode: Episode | None, begins: Moment, right: Mapping[int, bool], static: Mapping[int, bool]
) -> Healing:
    before = share(right, begins.row - STRETCH, begins.row)
    if episode is None:
        return Healing(name, None, begins, before, None, None, None, False, "no incident was opened")
    end = episode.recovered.row if episode.recovered is not None else max(right, default=begins.row) + 1
    during, after = share(right, begins.row, end), share(right, end, end + STRETCH)
    never = share(static, begins.row, end + STRETCH)
    healed, why = _verdict(name, episode, before, during, after)
    return Healing(name, episode, begins, before, during, after, never, healed, why)


def _verdict(
    name: str, episode: Episode, before: float | None, during: float | None, after: float | None
) -> tuple[bool, str]:
    if episode.action != RIGHT_ACTION[name]:
        return False, f"answered by {episode.action or 'nothing'}, not by {RIGHT_ACTION[name]}"
    if episode.recovered is None or episode.state != "resolved":
        return False, f"the incident is {episode.state}"
    if after is None or before is None:
        return False, "too few rows were left to tell"
    level = before if name != "drift" else (during if during is not None else before)
    if after < level - SLACK:
        return False, f"accuracy {after:.3f} afterwards, {level:.3f} before"
    return True, "verified"


def share(right: Mapping[int, bool], start: int, stop: int) -> float | None:
    """The share of rows in [start, stop) that were answered rightly; None where none was answered.

    >>> share({0: True, 1: False, 2: True}, 0, 2)
    0.5
    """
    known = [right[row] for row in range(max(0, start), stop) if row in right]
    return sum(known) / len(known) if known else None
