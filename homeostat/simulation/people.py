"""A person who answers the system: approves or rejects what waits for that, and acknowledges what is handed over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from homeostat.simulation.simulation import START
from homeostat.simulation.world import Input, input_of
from shared.messages import AuditEntry, Request
from shared.topics import REQUESTS

AFTER = {"awaiting_approval": 3.0, "escalated": 4.0}
"""Seconds until the person answers, by what the ledger says."""


class Person:
    """Approves and rejects in turn what waits for that; a `strict` one rejects first. `asked` is all that it wrote."""

    def __init__(self, *, strict: bool = False) -> None:
        self.asked: list[Input] = []
        self.read = 0
        self._waiting: list[tuple[float, AuditEntry]] = []
        self._asked = int(strict)

    def answers(self, entries: Sequence[AuditEntry], now: float) -> list[Input]:
        """What to write now, in virtual seconds since the start. `entries`: what the ledger has from `read` on."""
        self._waiting += [(now + AFTER[one.kind], one) for one in entries if one.kind in AFTER]
        self.read += len(entries)
        due = [one for at, one in self._waiting if at <= now]
        self._waiting = [(at, one) for at, one in self._waiting if at > now]
        found = list(self._answered(due, now))
        self.asked += found
        return found

    def _answered(self, due: Sequence[AuditEntry], now: float) -> Iterator[Input]:
        for entry in due:
            action = "acknowledge" if entry.kind == "escalated" else ("approve", "reject")[self._asked % 2]
            self._asked += entry.kind == "awaiting_approval"
            request = Request(
                id=f"{action}-{entry.sequence}",
                pipeline=entry.pipeline,
                action=action,
                issued_by="person:operator",
                at=START + timedelta(seconds=now),
                incident=entry.incident,
            )
            yield input_of(REQUESTS, request, now)
