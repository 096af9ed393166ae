"""What the loop made of each fault: how soon it noticed, acted and recovered, and what that was worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from homeostat.demo.others import Others
from homeostat.demo.story import Fault, Story
from homeostat.demo.watcher import Seen
from services.remediator.core.ending import WORDS, Ending, ending_in
from services.remediator.core.limits import SYSTEM
from shared.messages import Alert, AuditEntry

RIGHT_ACTION: Mapping[str, str] = {"unit-change": "quarantine_source", "bad-release": "rollback", "drift": "retrain"}
"""What a good operator does about each: the healing matrix."""

Outcome = Literal["healed", "passed", "undecided", "failed"]
"""`passed`: the incident is over, though not seen to be healed; `undecided`: the stream ended first."""

Levels = tuple[float | None, float | None]
"""Accuracy of the system and of the model never retrained, over the same rows."""

NOBODY = Others()

ENDS = ("incident_resolved", "escalated", "incident_expired")

STRETCH = 1000
"""Rows before and after a fault that accuracy is taken over."""

LEAST = 200
"""Rows of which a share is told; the chance of fewer is more than what is to be shown."""

REACH = 5000
"""An incident that opens later than so many rows after a fault began is not that fault's.

One that opens less than so many rows before the stream ends may be open then without anything being wrong."""

SLACK = 0.02
"""How far below a model that nobody touched a healed system may be, over the rows after its recovery."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A point of the stream: monotonic second and row."""

    second: float
    row: int


@dataclass(frozen=True, slots=True)
class Remedy:
    """One action of the ledger against a trouble, and what became of it.

    `begins` is the row in which the trouble is estimated to begin, `noticed` when it was told of.
    `verified` is None where the action was not seen to help. `end` is how its incident stands, `ended` since when;
    `healed` whether the ledger says that it healed, `words` how it ended. `alert` is the id of the one it answers.
    """

    incident: str
    action: str
    begins: int
    noticed: Moment
    acted: Moment
    verified: Moment | None
    end: str
    ended: Moment | None = None
    healed: bool = False
    words: str = ""
    alert: str = ""


@dataclass(frozen=True, slots=True)
class Healing:
    """A line of the closing table. Rows count from the fault's begin; accuracies in [0, 1].

    `static_during` and `static_after`: of a model never retrained, on the rows of `during` and `after`.
    `why` says the outcome for people. `planned`: a fault that was put in, not a drift of the stream's own.
    """

    fault: str
    remedy: Remedy | None
    begins: Moment
    before: float | None
    during: float | None
    after: float | None
    static_during: float | None
    static_after: float | None
    outcome: Outcome
    why: str
    planned: bool = True

    @property
    def well(self) -> bool:
        """Whether the trouble is over. For a drift it is enough that nothing speaks against it yet."""
        return self.outcome in ("healed", "passed") or (self.outcome == "undecided" and not self.planned)


def remedies_of(events: Sequence[Seen], row_offset: int = 0) -> list[Remedy]:
    """Every action that was taken on the pipeline, in order. `row_offset`: rows it saw before the story."""
    entries: list[tuple[AuditEntry, Moment]] = []
    orders: list[tuple[int, str]] = []
    about: dict[str, str] = {}
    for seen in events:
        message = seen.message
        if isinstance(message, AuditEntry) and message.incident and message.pipeline != SYSTEM:
            if message.kind in ("incident_opened", "triaged"):
                about[message.incident] = str(message.body.get("alert", ""))
            if message.kind == "command_issued" and _against_trouble(message):
                orders.append((len(entries), about.get(message.incident, "")))
            entries.append((message, Moment(seen.second, seen.row)))
    alerts = alerts_of(events, row_offset)
    return [_remedy(*entries[index], entries[index + 1 :], alert, alerts) for index, alert in orders]


def alerts_of(events: Sequence[Seen], row_offset: int = 0) -> dict[str, tuple[int, Moment]]:
    """By alert of the pipeline that asks for something: the row in which its trouble begins, and when it was told."""
    alerts: dict[str, tuple[int, Moment]] = {}
    for seen in events:
        message = seen.message
        if not isinstance(message, Alert) or message.pipeline == SYSTEM or message.severity == "info":
            continue
        if message.state == "firing":
            window = message.evidence.change or message.evidence.window
            begins = max(0, window.first_row - row_offset)
            alerts.setdefault(message.id, (begins, Moment(seen.second, seen.row)))
    return alerts


def _remedy(
    order: AuditEntry,
    at: Moment,
    later: Sequence[tuple[AuditEntry, Moment]],
    alert: str,
    alerts: Mapping[str, tuple[int, Moment]],
) -> Remedy:
    begins, noticed = alerts.get(alert, (at.row, at))
    mine = [(entry, moment) for entry, moment in later if entry.incident == order.incident]
    action = _action(order)
    seen = next((i for i, (entry, _) in enumerate(mine) if entry.kind == "verified" and _action(entry) == action), None)
    ends = [(entry.kind, moment) for entry, moment in mine if entry.kind in ENDS]
    ending = _ending(mine, seen)
    return Remedy(
        incident=order.incident,
        action=action,
        begins=begins,
        noticed=noticed,
        acted=at,
        verified=None if seen is None else mine[seen][1],
        end=ends[-1][0].removeprefix("incident_") if ends else "open",
        ended=ends[-1][1] if ends else None,
        healed=ending == "healed",
        words="" if ending is None else WORDS[ending],
        alert=alert,
    )


def _ending(mine: Sequence[tuple[AuditEntry, Moment]], verified: int | None) -> Ending | None:
    """How the ledger says that the incident ended: the first time after its action was verified, else the last."""
    endings = [ending for entry, _ in mine[verified or 0 :] if (ending := ending_in(entry)) is not None]
    return None if not endings else endings[-1] if verified is None else endings[0]


def _against_trouble(entry: AuditEntry) -> bool:
    """Upkeep trains too, but answers no trouble."""
    return _action(entry) in RIGHT_ACTION.values() and entry.body.get("diagnosis") != "upkeep"


def _action(entry: AuditEntry) -> str:
    return str(entry.body.get("action", ""))


def healings_of(
    story: Story,
    remedies: Sequence[Remedy],
    begun: Mapping[str, Moment],
    right: Mapping[int, bool],
    static: Mapping[int, bool],
    others: Others = NOBODY,
) -> list[Healing]:
    """One line per planned fault and one per drift that was answered, in order of the stream.

    `begun` says when each planned fault began; `right` and `static` say of each row whether the system,
    and a model never retrained, answered it rightly. `others` says whose versions answered.
    """
    static = {row: well for row, well in static.items() if row in right}
    lines = [
        _judged(fault.name, _remedy_for(fault, begun[fault.name], remedies), begun[fault.name], right, static, others)
        for fault in story.faults
        if fault.name in begun
    ]
    seen: set[str] = set()
    for remedy in remedies:
        if remedy.action == RIGHT_ACTION["drift"] and remedy.incident not in seen:
            seen.add(remedy.incident)
            begins = Moment(remedy.noticed.second, remedy.begins)
            lines.append(_judged("drift", remedy, begins, right, static, others))
    return sorted(lines, key=lambda line: line.begins.row)


def all_well(healings: Sequence[Healing], story: Story) -> bool:
    """Whether every planned fault is over, and every drift on which there was time for a verdict."""
    told = {line.fault for line in healings}
    return {fault.name for fault in story.faults} <= told and all(line.well for line in healings)


def _remedy_for(fault: Fault, begins: Moment, remedies: Sequence[Remedy]) -> Remedy | None:
    """The first right action within reach of the fault's begin."""
    near = (r for r in remedies if r.acted.second >= begins.second and r.acted.row <= begins.row + REACH)
    return next((remedy for remedy in near if remedy.action == RIGHT_ACTION[fault.name]), None)


def _judged(
    name: str,
    remedy: Remedy | None,
    begins: Moment,
    right: Mapping[int, bool],
    static: Mapping[int, bool],
    others: Others,
) -> Healing:
    before, planned = share(right, begins.row - STRETCH, begins.row), name != "drift"
    stop = max(right, default=begins.row) + 1
    if remedy is None and begins.row >= stop:
        why = "not yet decided: it began after the last row; a lower --speed leaves time"
        return Healing(name, None, begins, before, None, None, None, None, "undecided", why, planned)
    if remedy is None:
        why = f"no {RIGHT_ACTION[name]} was ordered"
        return Healing(name, None, begins, before, None, None, None, None, "failed", why, planned)
    over = remedy.verified or remedy.ended
    end = over.row if over is not None else stop
    during, static_during = share(right, begins.row, end), share(static, begins.row, end)
    after = _after(right, static, end)
    theirs = {row: others.at(row, remedy.incident, begins.second) for row in range(end, end + STRETCH)}
    own = _after({row: well for row, well in right.items() if not theirs.get(row)}, static, end)
    regained = before is not None and after[0] is not None and after[0] >= before
    outcome, why = _outcome(remedy, after, own, stop, regained=regained)
    if _worse(after) and not regained and outcome in ("healed", "passed"):
        versions = " and ".join(sorted({version for version in theirs.values() if version}))
        why = f"{why}; the rows after are not held against it: version {versions}, live for another incident, answered"
    return Healing(name, remedy, begins, before, during, after[0], static_during, after[1], outcome, why, planned)


def _after(right: Mapping[int, bool], static: Mapping[int, bool], end: int) -> Levels:
    """Of the rows after, as far as `right` has them."""
    known = {row: static[row] for row in range(end, end + STRETCH) if row in right and row in static}
    return share(right, end, end + STRETCH, LEAST), share(known, end, end + STRETCH, LEAST)


def _outcome(remedy: Remedy, after: Levels, own: Levels, stop: int, *, regained: bool) -> tuple[Outcome, str]:
    """What became of the trouble by row `stop`, the stream's end, and that in words.

    The incident must have ended with its alert over, and our own count must not speak against it. Where the level
    before is `regained` it does not. Else the stream may have drifted on, and a model that met none of this is the
    measure. `own` is of the rows `after` but those that another incident's version answered: what is lost there is
    that incident's.
    """
    if remedy.end == "open" and remedy.noticed.row > stop - REACH:
        return "undecided", "not yet decided: the stream ended first"
    if remedy.end != "resolved":
        return "failed", f"its incident is {remedy.end}"
    if after[0] is None:
        return "undecided", "not yet decided: too few rows were left to tell"
    if not regained and _worse(after) and _worse(own):
        where = "after" if own == after else "after, in the rows that no other incident's version answered"
        return "failed", f"accuracy {own[0]:.1%} {where}; static {own[1]:.1%}"
    if remedy.verified is None:
        return "passed", f"{remedy.words}: {remedy.action} was not verified"
    return ("healed", "healed") if remedy.healed else ("passed", remedy.words)


def _worse(levels: Levels) -> bool:
    """Whether the model never retrained does better, by more than `SLACK`."""
    ours, static = levels
    return ours is not None and static is not None and ours < static - SLACK


def share(right: Mapping[int, bool], start: int, stop: int, least: int = 1) -> float | None:
    """The share of rows in [start, stop) that were answered rightly; None where fewer than `least` were answered.

    >>> share({0: True, 1: False, 2: True}, 0, 2)
    0.5
    """
    known = [right[row] for row in range(max(0, start), stop) if row in right]
    return sum(known) / len(known) if len(known) >= least else None
