"""The demo's path through the front door alone: a market, a wrong unit, a bad release, and what is made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from homeostat.demo import bad_release
from homeostat.demo.player import Player
from homeostat.demo.story import Fault, Story
from homeostat.local.waiting import wait_for
from homeostat.rows import Row, frame_of, rows_of
from shared.pipeline.load import load
from shared.pipeline.specification import Specification
from tests.e2e.answers import Answers
from tests.support.stack import Home

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.xdist_group("home"), pytest.mark.timeout(300)]

EXAMPLE = Path("examples/electricity")
NAME = "electricity"
WRONG_UNIT = Fault("unit-change", 3500, 4100, "the price arrives in thousandths: times 1000")
RELEASE = Fault("bad-release", 5300, 5300, "a version trained on swapped labels")
STORY = Story(rows=16_000, warm_up=2000, label_lag=96, field="nswprice", factor=1000.0, faults=(WRONG_UNIT, RELEASE))
"""Played until the second fault is healed, which is long before the last row."""

ROWS_A_SECOND = 150


@dataclass(frozen=True, slots=True)
class Told:
    """What happened, as far as the sender knows."""

    sent: tuple[str, ...]
    answers: Answers
    fault_at: str
    release_at: str


@pytest.fixture(scope="module")
def told(home: Home) -> Iterator[Told]:
    """The story from the definition of the pipeline to the end of the last incident."""
    specification = load(EXAMPLE / "pipeline.yaml")
    table = rows_of(frame_of(str(EXAMPLE / "data.parquet")))
    marks: dict[str, str] = {}

    def fault() -> None:
        marks["fault"] = _now(home)

    def release() -> None:
        marks["release"] = _now(home)
        _release(home, specification, table)

    home.client.define(specification.canonical)
    with Answers(f"{home.url}/v1/pipelines/{NAME}/predictions/stream", home.headers) as answers:
        at_row = {WRONG_UNIT.begins: fault, RELEASE.begins: release}
        player = Player(home.client, NAME, str(specification.target), table, STORY, ROWS_A_SECOND, at_row)
        player.warm_up()
        assert wait_for(lambda: bool(_models(home)), 120), "no first model"
        playing = player.start()
        healed = wait_for(lambda: not playing.is_alive() or _healed(home), 150, every=0.5)
        player.stop()
        playing.join(30)
        assert player.failure is None
        assert healed, _incidents(home)
        assert player.progress.tally.rejected == []
        sent = tuple(str(row["id"]) for row in table[: player.progress.rows])
        assert not answers.wait_for(set(sent), 30)
        yield Told(sent, answers, marks["fault"], marks["release"])


def _release(home: Home, specification: Specification, table: list[Row]) -> None:
    key = home.stack.environ["HOMEOSTAT_SIGNING_KEY"].encode()
    wrong = bad_release.wrong_candidate(specification, table, RELEASE.begins, home.data, key)
    bad_release.promote(home.client, NAME, wrong)


def _healed(home: Home) -> bool:
    incidents = _incidents(home)
    rolled_back = any(order["action"] == "rollback" for incident in incidents for order in incident["actions"])
    return rolled_back and all(incident["state"] == "resolved" for incident in incidents)


def _bad_release(home: Home) -> dict[str, Any]:
    """The event by which the version that was rolled back had become champion; a refresh may have come before it."""
    incident = _incident(home, "rollback")
    events = home.client.get(f"/v1/pipelines/{NAME}/models/history")["events"]
    back = next(event for event in events if event["incident"] == incident["id"])
    return [event for event in events if event["version"] == back["previous"] and event["at"] < back["at"]][-1]


def _now(home: Home) -> str:
    return str(home.client.get("/v1/status")["at"])


def _models(home: Home) -> list[Any]:
    return list(home.client.get(f"/v1/pipelines/{NAME}/models")["models"])


def _incidents(home: Home, **wanted: str) -> list[Any]:
    return list(home.client.get("/v1/incidents", pipeline=NAME, **wanted)["incidents"])


def _incident(home: Home, action: str) -> dict[str, Any]:
    """The one incident in which `action` was taken, with its steps."""
    found = [i for i in _incidents(home) if any(a["action"] == action for a in i["actions"])]
    assert len(found) == 1, [(i["summary"], i["actions"]) for i in _incidents(home)]
    view: dict[str, Any] = home.client.get(f"/v1/incidents/{found[0]['id']}")
    return view


def _share_right(home: Home, first: int, stop: int) -> float:
    """Accuracy of the whole windows within rows [first, stop), from the metrics."""
    found = home.client.get(f"/v1/pipelines/{NAME}/metrics", family="performance", **{"from": first, "to": stop})
    values: list[float] = [
        window["values"]["accuracy"] for window in found["windows"] if "accuracy" in window["values"]
    ]
    assert values
    return sum(values) / len(values)


def test_every_accepted_event_is_answered_once_though_the_stream_breaks_off(told: Told, home: Home) -> None:
    assert told.answers.counts.keys() == set(told.sent)
    assert set(told.answers.counts.values()) == {1}
    assert told.answers.connections > 3
    newest = home.client.get(f"/v1/pipelines/{NAME}/predictions", limit=2000)["predictions"]
    assert len({answer["id"] for answer in newest}) == 2000


def test_the_wrong_unit_is_told_from_the_market_and_its_source_quarantined_and_released(told: Told, home: Home) -> None:
    incident = _incident(home, "quarantine_source")

    orders = {order["action"]: order for order in incident["actions"]}
    assert incident["state"] == "resolved"
    assert orders["quarantine_source"]["arguments"]["source"] == "market"
    assert "nswprice" in orders["quarantine_source"]["arguments"]["fields"]
    assert orders["quarantine_source"]["verdict"] == "verified"
    assert orders["release_source"]["state"] == "succeeded"
    assert incident["opened"] > told.fault_at
    assert any("nswprice" in alert["summary"] for alert in incident["alerts"])
    assert "retrain" not in orders


def test_rows_answered_under_quarantine_say_what_was_withheld_from_them(told: Told) -> None:
    wrong = told.sent[WRONG_UNIT.begins : WRONG_UNIT.ends]

    withheld = [told.answers.withheld[event] for event in wrong if event in told.answers.withheld]

    assert len(withheld) > 100
    assert all("nswprice" in fields for fields in withheld)
    assert not told.answers.withheld.keys() & set(told.sent[: WRONG_UNIT.begins])
    assert not told.answers.withheld.keys() & set(told.sent[-100:])


def test_the_bad_release_is_rolled_back_to_the_version_before_it(told: Told, home: Home) -> None:
    incident = _incident(home, "rollback")

    (order,) = [order for order in incident["actions"] if order["action"] == "rollback"]
    bad = _bad_release(home)
    assert incident["state"] == "resolved"
    assert incident["opened"] > told.release_at
    assert order["verdict"] == "verified"
    assert order["model_version"] == bad["previous"]
    assert home.client.get(f"/v1/pipelines/{NAME}/models/live")["version"] != bad["version"]


def test_which_version_was_live_can_be_asked_for_any_time(told: Told, home: Home) -> None:
    bad = _bad_release(home)

    def live(at: str) -> str:
        return str(home.client.get(f"/v1/pipelines/{NAME}/models/live", at=at)["version"])

    just_before = datetime.fromisoformat(bad["at"]) - timedelta(milliseconds=1)
    assert live(just_before.isoformat()) == bad["previous"]
    assert live(bad["at"]) == bad["version"]
    assert bad["version"] in told.answers.versions.values()


def test_every_step_of_an_incident_has_its_place_in_the_log(told: Told, home: Home) -> None:
    for action in ("quarantine_source", "rollback"):
        steps = _incident(home, action)["steps"]

        kinds = {step["kind"] for step in steps}
        assert {"alert_firing", "incident_opened", "triaged", "command_issued", "command_succeeded"} <= kinds
        assert {"verified", "incident_resolved", "alert_resolved"} <= kinds
        places = [(step["topic"], step["partition"], step["offset"]) for step in steps]
        assert len(set(places)) == len(places)
        assert all(topic and partition >= 0 and offset >= 0 for topic, partition, offset in places)


def test_a_postmortem_is_markdown_and_tells_what_was_done(told: Told, home: Home) -> None:
    incident = _incident(home, "rollback")

    text = home.client.get(f"/v1/incidents/{incident['id']}/postmortem")

    assert text.startswith("# ")
    assert "\n## " in text
    assert "rollback" in text


def test_no_alert_of_a_fault_that_has_passed_still_fires(told: Told, home: Home) -> None:
    answered = {
        alert["id"] for action in ("quarantine_source", "rollback") for alert in _incident(home, action)["alerts"]
    }

    def states() -> set[str]:
        alerts = home.client.get("/v1/alerts", pipeline=NAME)["alerts"]
        return {alert["state"] for alert in alerts if alert["id"] in answered}

    assert answered
    assert wait_for(lambda: states() == {"resolved"}, 60, every=1), states()


def test_accuracy_comes_back_after_each_fault(told: Told, home: Home) -> None:
    before = _share_right(home, 2500, WRONG_UNIT.begins)
    between = _share_right(home, WRONG_UNIT.ends + 300, RELEASE.begins)
    after = _share_right(home, len(told.sent) - 500, len(told.sent))

    assert before > 0.7
    assert between > before - 0.1
    assert after > before - 0.1


def test_every_label_is_counted_once_in_the_metrics(told: Told, home: Home) -> None:
    def totals() -> tuple[int, int]:
        found = home.client.get(f"/v1/pipelines/{NAME}/metrics", limit=1)
        return found["rows_seen"], found["labelled_seen"]

    assert wait_for(lambda: totals() == (len(told.sent), len(told.sent)), 30), totals()


def test_the_ledger_verifies_from_the_command_line(told: Told, home: Home) -> None:
    done = home.cli("audit", "verify", "--json")

    assert done.returncode == 0, done.stderr
    verified = json.loads(done.stdout)
    assert verified["ok"]
    assert verified["entries"] == home.client.get("/v1/audit", limit=5000)["entries"][-1]["sequence"]


def test_status_on_the_command_line_is_what_the_gateway_says(told: Told, home: Home) -> None:
    found: dict[str, Any] = {}

    def agree() -> bool:
        """A refresh that was under way may end between the two answers."""
        done = home.cli("status", "--json")
        assert done.returncode == 0, done.stderr
        found.update(json.loads(done.stdout))
        (pipeline,) = [each for each in found["pipelines"] if each["pipeline"] == NAME]
        return bool(pipeline["live_version"] == home.client.get(f"/v1/pipelines/{NAME}/models/live")["version"])

    assert wait_for(agree, 60, every=1)
    services = {service["service"] for service in found["services"]}
    assert {"ingest", "trainer", "predictor", "monitor", "remediator", "gateway", "kafka", "redis"} <= services
