"""What became of a person's request, by the ledger."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from homeostat.client import Client
from shared.errors import HomeostatError
from shared.identity import stable_id

OUTCOME_SECONDS = 10.0
"""How long a command waits for the outcome of what it asked for; a training takes longer."""
POLL_SECONDS = 0.25
PAGE = 1000
Outcome = Literal["done", "refused", "failed", "pending"]
Entry = Mapping[str, Any]

_ENDS: dict[str, Outcome] = {
    "request_refused": "refused",
    "incident_expired": "failed",
    "escalated": "failed",
    "incident_resolved": "done",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome and, in the ledger's words, why. `incident`: where all of it can be read."""

    outcome: Outcome
    detail: str
    incident: str


def head_of(client: Client) -> int:
    """The sequence of the ledger's newest entry, -1 where there is none; in a few questions, however long it is."""

    def is_last(sequence: int) -> bool:
        return not client.get("/v1/audit", after=sequence, limit=1)["entries"]

    beyond = PAGE
    while not is_last(beyond):
        beyond *= 2
    return bisect_left(range(-1, beyond), True, key=is_last) - 1


def answer_to(client: Client, pipeline: str, request: str, head: int, seconds: float = OUTCOME_SECONDS) -> Answer:
    """What the ledger says of the request after its entry `head`; waits up to `seconds` for its end.

    Never fails: the request is made, whatever becomes of the question.
    """
    incident = stable_id("incident", pipeline, "request", request)
    deadline, detail = time.monotonic() + seconds, "the remediator has not taken it yet"
    while True:
        try:
            page = client.get("/v1/audit", after=head, limit=PAGE)["entries"]
        except HomeostatError as error:
            return Answer("pending", str(error), incident)
        for entry in page:
            head = entry["sequence"]
            if entry["incident"] != incident and entry["body"].get("request") != request:
                continue
            detail = entry["summary"]
            if outcome := _outcome(entry):
                return Answer(outcome, detail, incident)
        if time.monotonic() >= deadline:
            return Answer("pending", detail, incident)
        if len(page) < PAGE:
            time.sleep(POLL_SECONDS)


def _outcome(entry: Entry) -> Outcome | None:
    if entry["kind"] == "command_result":
        state = entry["body"].get("state")
        return "done" if state == "succeeded" else "failed" if state in ("failed", "refused", "expired") else None
    return _ENDS.get(entry["kind"])
