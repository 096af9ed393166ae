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
ANSWERS = ("approve", "reject")


class Person:
    """Approves and rejects in turn what waits for that; a `strict` one rejects first, a `silent` one answers nothing. A
    second one says the opposite a second later, which must not count. `asked` is all that they wrote.
    """

    def __init__(self, *, strict: bool = False, silent: bool = False) -> None:
        self.asked: list[Input] = []
        self.read = 0
        self._waiting: list[tuple[float, AuditEntry, str]] = []
        self._asked = int(strict)
        self._silent = silent

    def answers(self, entries: Sequence[AuditEntry], now: float) -> list[Input]:
        """What to write now, in virtual seconds since the start. `entries`: what the ledger has from `read` on."""
        for entry in entries:
            self._waiting += [(now + after, entry, action) for after, action in self._thinks(entry)]
        self.read += len(entries)
        due = [(entry, action) for at, entry, action in self._waiting if at <= now]
        self._waiting = [one for one in self._waiting if one[0] > now]
        found = [_answer(entry, action, now) for entry, action in due]
        self.asked += found
        return found

    def _thinks(self, entry: AuditEntry) -> Iterator[tuple[float, str]]:
        """What is to be answered, and after how many seconds."""
        if entry.kind == "escalated":
            yield AFTER[entry.kind], "acknowledge"
        if entry.kind == "awaiting_approval" and not self._silent:
            first = self._asked % 2
            self._asked += 1
            yield AFTER[entry.kind], ANSWERS[first]
            yield AFTER[entry.kind] + 1.0, ANSWERS[1 - first]


def _answer(entry: AuditEntry, action: str, now: float) -> Input:
    request = Request(
        id=f"{action}-{entry.sequence}",
        pipeline=entry.pipeline,
        action=action,
        issued_by="person:operator",
        at=START + timedelta(seconds=now),
        incident=entry.incident,
    )
    return input_of(REQUESTS, request, now)
