"""A person decides from the command line: acknowledges, approves and rejects what waits, promotes and rolls back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from homeostat.demo.bad_release import wrong_candidate
from homeostat.local.waiting import wait_for
from homeostat.rows import Row, frame_of, rows_of
from shared.pipeline.check import checked
from shared.pipeline.load import load
from shared.pipeline.specification import Specification
from tests.support.stack import Home

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.xdist_group("home"), pytest.mark.timeout(300)]

EXAMPLE = Path("examples/electricity")
NAME = "asked"
ASK_FIRST = {
    "name": "ask-first",
    "when": {"kinds": ["data_quality"]},
    "ladder": [{"action": "quarantine_source", "metric": "alert.resolved", "verify_rows": 200}],
    "cooldown": "50 rows",
    "budget": {"actions": 9, "per": "1d"},
    "approval": True,
}


@pytest.fixture(scope="module")
def table() -> list[Row]:
    return rows_of(frame_of(str(EXAMPLE / "data.parquet")))[:6000]


@pytest.fixture(scope="module")
def asked(home: Home, table: list[Row]) -> Specification:
    """A pipeline that withholds no field before a person has approved, with a first model."""
    document = {**load(EXAMPLE / "pipeline.yaml").canonical, "name": NAME, "policies": [ASK_FIRST]}
    document["models"] = {**document["models"], "min_rows": 400, "search": {"seconds": 1, "trials": 2}}
    specification, problems = checked(document)
    assert specification is not None, problems
    home.client.define(specification.canonical)
    _send(home, table[:1500])
    assert wait_for(lambda: bool(_models(home)), 120), "no first model"
    _send(home, table[1500:3500])
    return specification


def _send(home: Home, rows: list[Row], factor: float = 1.0) -> None:
    for start in range(0, len(rows), 100):
        part = [{**row, "nswprice": row["nswprice"] * factor} for row in rows[start : start + 100]]
        assert not home.client.send_events(NAME, part, "market").rejected


def _models(home: Home) -> list[Any]:
    return list(home.client.get(f"/v1/pipelines/{NAME}/models")["models"])


def _live(home: Home) -> str:
    return str(home.client.get(f"/v1/pipelines/{NAME}/models/live")["version"])


def _waiting(home: Home) -> str:
    """The incident that waits for approval, once there is one."""
    found: list[Any] = []

    def waits() -> bool:
        found[:] = home.client.get("/v1/incidents", pipeline=NAME, state="awaiting_approval")["incidents"]
        return bool(found)

    assert wait_for(waits, 30), home.client.get("/v1/incidents", pipeline=NAME)
    return str(found[0]["id"])


def _steps(home: Home, incident: str) -> list[str]:
    done = home.cli("incidents", "show", incident, "--json")
    assert done.returncode == 0, done.stderr
    return [step["kind"] for step in json.loads(done.stdout)["steps"]]


def _comes(home: Home, incident: str, kind: str) -> bool:
    return wait_for(lambda: kind in _steps(home, incident), 30, every=1)


def test_what_waits_for_approval_is_done_once_a_person_approves_and_not_where_one_rejects(
    home: Home, asked: Specification, table: list[Row]
) -> None:
    _send(home, table[3500:3700], 1000.0)
    incident = _waiting(home)

    assert home.cli("incidents", "acknowledge", incident).returncode == 0
    assert _comes(home, incident, "acknowledged")
    assert "approved" not in _steps(home, incident)
    assert home.cli("incidents", "approve", incident, "--reason", "the meter was swapped").returncode == 0
    assert _comes(home, incident, "approved")
    assert wait_for(lambda: _withheld(home), 30)
    again = home.cli("incidents", "reject", incident)
    assert again.returncode == 1
    assert "409" in again.stderr

    _send(home, table[3700:5000])
    assert wait_for(lambda: _state(home, incident) == "resolved", 60), _steps(home, incident)
    _send(home, table[5000:5200], 1000.0)
    incident = _waiting(home)
    assert home.cli("incidents", "reject", incident, "--reason", "known").returncode == 0
    assert _comes(home, incident, "rejected")
    assert _state(home, incident) == "escalated"
    assert not _withheld(home)


def _withheld(home: Home) -> bool:
    """Whether a quarantine is in force."""
    orders = home.client.get("/v1/commands", pipeline=NAME)["commands"]
    newest = next((o for o in orders if o["action"] in ("quarantine_source", "release_source")), None)
    result = (newest or {}).get("result") or {}
    return newest is not None and newest["action"] == "quarantine_source" and result.get("state") == "succeeded"


def _state(home: Home, incident: str) -> str:
    return str(home.client.get(f"/v1/incidents/{incident}")["state"])


def test_a_person_rolls_back_and_promotes_by_version(home: Home, asked: Specification, table: list[Row]) -> None:
    key = home.stack.environ["HOMEOSTAT_SIGNING_KEY"].encode()
    body = {"candidate": wrong_candidate(asked, table, 3500, home.data, key), "force": True}
    home.client.call("POST", f"/v1/pipelines/{NAME}/promote", json=body)
    assert wait_for(lambda: _live(home) == "2", 30)

    assert home.cli("models", "rollback", NAME, "--reason", "it looks wrong").returncode == 0
    assert wait_for(lambda: _live(home) == "1", 30)
    refused = home.cli("models", "promote", NAME, "2")
    assert (refused.returncode, "did not pass the gate" in refused.stderr) == (1, True)
    assert wait_for(lambda: "refused" in _results(home, "promote"), 30), "the gate's refusal is not told"
    assert _live(home) == "1"
    assert home.cli("models", "promote", NAME, "2", "--force").returncode == 0
    assert wait_for(lambda: _live(home) == "2", 30)


def _results(home: Home, action: str) -> list[str]:
    orders = home.client.get("/v1/commands", pipeline=NAME)["commands"]
    return [order["result"]["state"] for order in orders if order["action"] == action and order["result"]]
