"""An incident whose effect is being measured says how far that is, wherever it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from services.gateway.readmodel.progress import progress_of
from shared.messages import AuditEntry, Expectation
from shared.pipeline.specification import Specification
from shared.topics import AUDIT, COMMAND_RESULTS, COMMANDS
from tests.services.gateway.messages import DOCUMENT, at, audit, command, result
from tests.services.gateway.running import Running

ORDER = {"command": "command-1", "action": "retrain"}


def verifying(gateway: Running, *later: AuditEntry) -> dict[str, Any]:
    """An incident whose retraining is done, and what the ledger said after that, as the gateway shows it."""
    gateway.put(COMMANDS, command())
    gateway.put(COMMAND_RESULTS, result())
    gateway.put(
        AUDIT,
        audit(0, "incident_opened", "accuracy fell"),
        audit(1, "command_issued", "retrain", body=ORDER),
        audit(2, "command_result", "retrain succeeded", body={"command": "command-1", "state": "succeeded"}),
        *later,
    )
    shown: dict[str, Any] = gateway.http.get("/v1/incidents/incident-1").json()
    return shown


def measuring(rows: int, sequence: int = 3) -> AuditEntry:
    return audit(sequence, "measuring", "so far", body={**ORDER, "rows": rows})


@pytest.mark.parametrize(
    ("entries", "rows"),
    [
        ([], 0),
        ([measuring(250)], 250),
        ([measuring(250), audit(4, "resumed", "measuring begins anew")], 0),
        ([measuring(250), audit(4, "resumed", "measuring begins anew"), measuring(50, 5)], 50),
    ],
    ids=["nothing yet", "a window", "anew", "anew and on"],
)
def test_rows_count_from_where_the_measuring_last_began(
    gateway: Running, entries: Sequence[AuditEntry], rows: int
) -> None:
    progress = {"rows": rows, "of": 500, "window": 250, "told": f"{rows} of 500 labelled rows"}

    assert verifying(gateway, *entries)["progress"] == progress


def test_it_is_in_the_status_and_in_the_post_mortem_of_an_open_incident(gateway: Running) -> None:
    verifying(gateway, measuring(250))

    (incident,) = gateway.http.get("/v1/status").json()["incidents"]
    postmortem = gateway.http.get("/v1/incidents/incident-1/postmortem").text

    assert incident["progress"]["told"] == "250 of 500 labelled rows"
    assert "- State: verifying (250 of 500 labelled rows, counted 250 at a time)" in postmortem


def test_once_judged_there_is_none(gateway: Running) -> None:
    judged = audit(4, "verified", "it helped", body=ORDER)

    assert verifying(gateway, measuring(250), judged)["progress"] is None


def test_a_post_mortem_of_an_end_that_was_not_the_end_is_not_shown_for_now(gateway: Running) -> None:
    gateway.put(AUDIT, audit(0, "incident_resolved", "over", body={"postmortem": "# Over\n"}))
    over = gateway.http.get("/v1/incidents/incident-1/postmortem").text
    gateway.put(AUDIT, audit(1, "triaged", "it fires again"))

    assert over == "# Over\n"
    assert "it fires again" in gateway.http.get("/v1/incidents/incident-1/postmortem").text


@pytest.mark.parametrize(
    ("kind", "metric", "told"),
    [
        ("binary", "performance.accuracy", "0 of 500 labelled rows"),
        ("binary", "estimate.accuracy", "0 of 500 rows"),
        ("anomaly", "performance.accuracy", "0 of 500 rows"),
        ("binary", "alert.resolved", "until the alert ends"),
    ],
)
def test_what_is_counted_is_called_what_it_is(kind: str, metric: str, told: str) -> None:
    changes = {"kind": kind} | ({"target": None} if kind == "anomaly" else {})
    specification = Specification.model_validate(DOCUMENT | changes)
    expects = Expectation(metric=metric, direction="up", bound=0.7, rows=500, by=at(900))

    assert progress_of(command(expects=expects), [], specification)["told"] == told
