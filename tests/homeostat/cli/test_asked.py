"""A person who asks for something is told what became of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from homeostat.cli.asked import answer_to, head_of
from homeostat.client import Client
from homeostat.local.waiting import wait_for
from shared.identity import stable_id
from shared.topics import AUDIT, REQUESTS
from tests.homeostat.cli.conftest import Call, Called
from tests.services.gateway.messages import audit
from tests.services.gateway.running import KEY, Running


def asked(call: Call, gateway: Running, kind: str, summary: str, *more: str, **body: Any) -> Called:
    """Asks for a rollback, to which the ledger then says this."""
    words = ("models", "rollback", "elec2", "--to", "1", "--url", gateway.url, "--api-key", KEY, *more)
    with ThreadPoolExecutor(1) as pool:
        called = pool.submit(call, *words)
        assert wait_for(lambda: bool(gateway.written(REQUESTS)), 10)
        (request,) = gateway.written(REQUESTS)
        incident = "" if kind == "request_refused" else stable_id("incident", "elec2", "request", request.id)
        gateway.put(AUDIT, audit(100, "incident_opened", "asked for", incident=incident, body={"request": request.id}))
        gateway.put(AUDIT, audit(101, kind, summary, incident=incident, body={"request": request.id, **body}))
        return called.result()


def test_what_was_done_is_said_with_where_to_read_it(call: Call, gateway: Running) -> None:
    shown = asked(call, gateway, "command_result", "rollback succeeded: version 1 is live", state="succeeded")

    assert shown.status == 0
    assert "rollback of elec2: rollback succeeded: version 1 is live (incident-" in shown.out


@pytest.mark.parametrize(
    ("kind", "body"), [("request_refused", {}), ("command_result", {"state": "failed"}), ("escalated", {})]
)
def test_what_was_not_done_fails_with_the_reason(call: Call, gateway: Running, kind: str, body: dict[str, Any]) -> None:
    shown = asked(call, gateway, kind, "version 1 is broken", **body)

    assert shown.status == 1
    assert "rollback of elec2 was not done: version 1 is broken" in shown.err


def test_programs_are_told_the_outcome_too(call: Call, gateway: Running) -> None:
    found = asked(call, gateway, "incident_resolved", "resolved: done", "--json").json

    assert (found["outcome"], found["detail"]) == ("done", "resolved: done")


def test_what_takes_longer_is_not_waited_for_without_end(gateway: Running) -> None:
    with Client(gateway.url, KEY) as client:
        answer = answer_to(client, "elec2", "request-1", head_of(client), seconds=0.0)

    assert (answer.outcome, answer.detail) == ("pending", "the remediator has not taken it yet")


@pytest.mark.parametrize("newest", [999, 1000, 1001, 5000])
def test_the_head_of_a_ledger_of_any_length_is_found(gateway: Running, newest: int) -> None:
    gateway.put(AUDIT, audit(newest, "triaged", "told"))

    with Client(gateway.url, KEY) as client:
        assert head_of(client) == newest
