"""What GET shows of the log."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import msgspec
import pytest

from shared.bus.memory import MemoryBus
from shared.messages import DeadLetter, Evidence
from shared.runtime.installation import topic_specs
from shared.topics import (
    ALERTS,
    AUDIT,
    COMMAND_RESULTS,
    COMMANDS,
    DEAD_LETTERS,
    METRICS,
    MODEL_PUBLISHED,
    PIPELINES,
    PREDICTIONS,
    TELEMETRY,
)
from tests.services.gateway.messages import (
    alert,
    at,
    audit,
    command,
    defined,
    heartbeat,
    metrics,
    prediction,
    published,
    result,
    window,
)
from tests.services.gateway.running import Running, common, running
from tests.services.gateway.story import tell

BASE = "/v1/pipelines/elec2"


def test_of_a_window_the_highest_revision_counts_in_whatever_order_they_come(gateway: Running) -> None:
    gateway.put(
        METRICS,
        metrics(0, {"accuracy": 0.8}, revision=2),
        metrics(0, {"accuracy": 0.7}, revision=1),
        metrics(1, {"accuracy": 0.9}),
    )

    windows = gateway.http.get(f"{BASE}/metrics").json()["windows"]

    assert [window["values"]["accuracy"] for window in windows] == [0.8, 0.9]


def test_metrics_are_selected_by_name_family_and_rows(gateway: Running) -> None:
    gateway.put(METRICS, *(metrics(n, {"accuracy": 0.5, "f1": 0.4}) for n in range(10)))
    gateway.put(METRICS, metrics(0, {"psi.nswprice": 0.1, "psi.vicprice": 0.2, "missing.nswprice": 0.0}, family="data"))

    rows = gateway.http.get(f"{BASE}/metrics", params={"from": 500, "to": 999, "name": "f1"}).json()["windows"]
    drift = gateway.http.get(f"{BASE}/metrics", params={"family": "data", "name": "psi"}).json()["windows"]

    assert [(window["window"]["index"], window["values"]) for window in rows] == [(2, {"f1": 0.4}), (3, {"f1": 0.4})]
    assert [window["values"] for window in drift] == [{"psi.nswprice": 0.1, "psi.vicprice": 0.2}]


def test_metrics_are_selected_by_time(gateway: Running) -> None:
    gateway.put(METRICS, *(metrics(n, {"accuracy": 0.5}) for n in range(10)))

    answer = gateway.http.get(f"{BASE}/metrics", params={"from": at(3).isoformat(), "to": at(5).isoformat()})

    assert [window["window"]["index"] for window in answer.json()["windows"]] == [3, 4, 5]


def test_a_bound_that_is_neither_row_nor_time_is_refused(gateway: Running) -> None:
    answer = gateway.http.get(f"{BASE}/metrics", params={"from": "yesterday"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "from"


def test_the_live_version_is_known_at_any_time_and_why(tmp_path: Path) -> None:
    hours = count(int(at(0).timestamp() * 1000), 3_600_000)
    bus = MemoryBus(clock_ms=lambda: next(hours))
    bus.ensure_topics(topic_specs(common(tmp_path)), 1)
    with running(tmp_path, bus) as gateway:
        gateway.put(PIPELINES, defined())
        (_, first), (_, second) = [
            (gateway.put(MODEL_PUBLISHED, message), gateway.http.get(f"{BASE}/models/live").json())
            for message in (published("1"), published("2", previous="1", reason="better by 0.2"))
        ]
        between = datetime.fromisoformat(second["at"]) - timedelta(minutes=1)

        then = gateway.http.get(f"{BASE}/models/live", params={"at": between.isoformat()}).json()
        before = gateway.http.get(f"{BASE}/models/live", params={"at": at(-1).isoformat()})
        stages = {m["version"]: m["stage"] for m in gateway.http.get(f"{BASE}/models").json()["models"]}

    assert (first["version"], second["version"], second["reason"]) == ("1", "2", "better by 0.2")
    assert then["version"] == "1"
    assert (before.status_code, before.json()["labelled_seen"]) == (404, 0)
    assert stages == {"1": "retired", "2": "champion"}


def test_a_version_has_its_lineage_and_its_card(gateway: Running) -> None:
    gateway.put(MODEL_PUBLISHED, published("1"))

    lineage = gateway.http.get(f"{BASE}/models/1/lineage").json()
    card = gateway.http.get(f"{BASE}/models/1/card")
    as_json = gateway.http.get(f"{BASE}/models/1/card", headers={"Accept": "application/json"})

    assert lineage["lineage"]["features_ranges"] == {"0": [0, 500]}
    assert card.headers["content-type"].startswith("text/markdown")
    assert "HistGradientBoosting" in card.text
    assert as_json.json()["metrics"] == {"accuracy": 0.86}


def test_alerts_that_fire_come_first_and_one_that_ended_is_one_alert(gateway: Running) -> None:
    gateway.put(ALERTS, alert(), alert("resolved"), alert(id="alert-2", fingerprint="other", since=at(1)))

    found = gateway.http.get("/v1/alerts").json()["alerts"]
    firing = gateway.http.get("/v1/alerts", params={"state": "firing"}).json()["alerts"]

    assert [(a["id"], a["state"]) for a in found] == [("alert-2", "firing"), ("alert-1", "resolved")]
    assert [a["id"] for a in firing] == ["alert-2"]


def test_an_incident_lists_every_step_in_order_each_with_its_place_in_the_log(gateway: Running) -> None:
    tell(gateway)

    incident = gateway.http.get("/v1/incidents/incident-1").json()

    kinds = [step["kind"] for step in incident["steps"]]
    told = [
        "incident_opened",
        "triaged",
        "command",
        "command_accepted",
        "command_succeeded",
        "alert_resolved",
        "verified",
    ]
    assert kinds[0] == "alert_firing"
    assert [kind for kind in kinds if kind in told] == told
    assert {"topic", "partition", "offset", "at"} <= incident["steps"][0].keys()
    assert {step["topic"] for step in incident["steps"]} == {
        "alerts",
        "audit",
        "commands",
        "command-results",
        "model-published",
    }
    assert (incident["state"], incident["cause"]["kind"]) == ("resolved", "model")
    (action,) = incident["actions"]
    assert (action["action"], action["verdict"], action["measured"]) == ("retrain", "verified", 0.853)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        (["incident_opened"], "open"),
        (["incident_opened", "awaiting_approval"], "awaiting_approval"),
        (["incident_opened", "command_issued"], "acting"),
        (["incident_opened", "escalated"], "escalated"),
        (["incident_opened", "incident_resolved"], "resolved"),
        (["incident_opened", "incident_resolved", "triaged"], "open"),
    ],
)
def test_where_an_incident_stands_follows_from_its_entries(gateway: Running, told: list[str], state: str) -> None:
    gateway.put(AUDIT, *(audit(n, kind, kind) for n, kind in enumerate(told)))

    assert gateway.http.get("/v1/incidents/incident-1").json()["state"] == state


def test_an_incident_is_headed_by_what_its_leading_alert_says_now(gateway: Running) -> None:
    first = alert()
    fault = alert(id="alert-2", fingerprint="elec2/nswprice", kind="data_quality", summary="nswprice is frozen")
    later = alert(id="alert-2", fingerprint="elec2/nswprice", kind="data_quality", summary="nswprice is times 1000")
    gateway.put(ALERTS, first, fault)
    gateway.put(AUDIT, audit(0, "incident_opened", first.summary, body={"alert": "alert-1"}))
    opened = gateway.http.get("/v1/incidents").json()["incidents"][0]["summary"]

    gateway.put(AUDIT, audit(1, "triaged", "bad_field: it explains concept_drift", body={"alert": "alert-2"}))
    gateway.put(ALERTS, later, alert("resolved", id="alert-2", summary="nswprice: the field is right again"))
    led = gateway.http.get("/v1/incidents").json()["incidents"][0]["summary"]

    assert (opened, led) == (first.summary, f"nswprice is times 1000; it began with: {first.summary}")


def test_an_incident_blames_what_its_newest_entry_blames(gateway: Running) -> None:
    refused, field = ({"kind": "feature", "what": what, "detail": ""} for what in ("rows", "nswprice"))
    gateway.put(
        AUDIT,
        audit(0, "incident_opened", "", body={"cause": refused}),
        audit(1, "triaged", "", body={"cause": refused}),
        audit(2, "command_issued", "", body={"cause": field, "command": "command-1", "action": "quarantine_source"}),
    )

    assert gateway.http.get("/v1/incidents/incident-1").json()["cause"] == field


def test_an_incident_whose_leading_alert_is_forgotten_is_headed_by_why_it_leads(gateway: Running) -> None:
    gateway.put(
        AUDIT,
        audit(0, "incident_opened", "accuracy fell", body={"alert": "alert-1"}),
        audit(1, "triaged", "concept_drift: accuracy fell", body={"alert": "alert-1"}),
    )
    opened = gateway.http.get("/v1/incidents/incident-1").json()["summary"]

    gateway.put(AUDIT, audit(2, "triaged", "bad_field: nswprice is times 1000", body={"alert": "alert-2"}))
    led = gateway.http.get("/v1/incidents/incident-1").json()["summary"]

    assert (opened, led) == ("accuracy fell", "bad_field: nswprice is times 1000; it began with: accuracy fell")


def test_an_incident_that_the_same_trouble_reopened_is_headed_by_it_alone(gateway: Running) -> None:
    again = alert(id="alert-7", summary="accuracy is 0.6")
    gateway.put(ALERTS, again)
    gateway.put(
        AUDIT,
        audit(0, "incident_opened", "accuracy fell", body={"alert": "alert-1", "fingerprint": again.fingerprint}),
        audit(1, "triaged", "reopened", body={"alert": "alert-7", "fingerprint": again.fingerprint}),
    )

    assert gateway.http.get("/v1/incidents/incident-1").json()["summary"] == "accuracy is 0.6"


def test_what_an_incident_ordered_may_end_after_it_and_does_not_open_it_again(gateway: Running) -> None:
    late = {"command": "command-1", "result": "succeeded", "incident_state": "resolved"}
    gateway.put(
        AUDIT,
        audit(0, "incident_opened", "x"),
        audit(1, "command_issued", "retrain", body={"command": "command-1"}),
        audit(2, "incident_resolved", "another takes over"),
        audit(3, "command_result", "retrained", body=late),
    )

    assert gateway.http.get("/v1/incidents/incident-1").json()["state"] == "resolved"


def test_telling_a_person_does_not_move_an_incident(gateway: Running) -> None:
    telling = {"command": "tell-1", "action": "notify"}
    gateway.put(
        AUDIT,
        audit(0, "incident_opened", "x"),
        audit(1, "escalated", "x"),
        audit(2, "command_issued", "tell a person", body=telling),
        audit(3, "command_result", "told", body={"command": "tell-1", "result": "succeeded"}),
    )

    assert gateway.http.get("/v1/incidents/incident-1").json()["state"] == "escalated"


def test_a_post_mortem_is_the_remediators_where_it_wrote_one(gateway: Running) -> None:
    tell(gateway)
    gateway.put(AUDIT, audit(9, "incident_resolved", "x", incident="incident-9", body={"postmortem": "# Mine\n"}))

    own = gateway.http.get("/v1/incidents/incident-9/postmortem")
    made = gateway.http.get("/v1/incidents/incident-1/postmortem")

    assert (own.text, own.headers["content-type"]) == ("# Mine\n", "text/markdown; charset=utf-8")
    assert "alerts/0@0" in made.text
    assert "retrain" in made.text


def test_the_ledger_is_paged_exactly_as_it_was_hashed(gateway: Running) -> None:
    gateway.put(AUDIT, *(audit(n, "suppressed", f"entry {n}") for n in range(25)))

    first = gateway.http.get("/v1/audit", params={"limit": 10}).json()["entries"]
    rest = gateway.http.get("/v1/audit", params={"after": 9, "limit": 100}).json()["entries"]

    assert [entry["sequence"] for entry in first + rest] == list(range(25))
    assert rest[0]["previous"] == "hash-9"


def test_dead_letters_are_listed_with_reason_and_the_original_text(gateway: Running) -> None:
    letter = DeadLetter(
        topic="raw-data",
        partition=1,
        offset=7,
        reason="range",
        detail="nswprice: is 99",
        value=b'{"nswprice": 99}',
        pipeline="elec2",
        id="e1",
        field="nswprice",
    )
    gateway.put(DEAD_LETTERS, letter)

    body = gateway.http.get("/v1/dead-letters", params={"pipeline": "elec2"}).json()

    assert body["counts"] == [{"pipeline": "elec2", "reason": "range", "count": 1}]
    (shown,) = body["dead_letters"]
    assert (shown["value"], shown["origin"]["offset"], shown["field"]) == ('{"nswprice": 99}', 7, "nswprice")


def test_commands_are_listed_with_what_became_of_them(gateway: Running) -> None:
    gateway.put(COMMANDS, command())
    gateway.put(COMMAND_RESULTS, result("running"), result("succeeded"))

    (shown,) = gateway.http.get("/v1/commands").json()["commands"]

    assert (shown["id"], shown["result"]["state"]) == ("command-1", "succeeded")


def test_status_tells_services_pipelines_and_incidents_at_a_glance(gateway: Running) -> None:
    tell(gateway)
    gateway.put(TELEMETRY, heartbeat("trainer", at(0), state="down", instance="1"))

    status = gateway.http.get("/v1/status").json()

    states = {service["service"]: service["state"] for service in status["services"]}
    assert (states["ingest"], status["kafka"]) == ("running", "ok")
    (pipeline,) = status["pipelines"]
    assert (pipeline["live_version"], pipeline["metric"], pipeline["rows_seen"]) == ("2", "accuracy", 20_000)
    assert [incident["id"] for incident in status["incidents"]] == ["incident-2"]


def test_status_tells_that_the_estimate_counts_while_labels_are_missing(gateway: Running) -> None:
    tell(gateway)
    missing = Evidence(statistic="label_completeness", value=0.1, threshold=0.5, window=window(90), samples=200)
    late = alert(id="alert-9", fingerprint="elec2/labels", kind="lag", severity="info", evidence=missing)

    counts = []
    for told in (late, msgspec.structs.replace(late, state="resolved")):
        gateway.put(ALERTS, told)
        counts.append(gateway.http.get("/v1/status").json()["pipelines"][0]["counts"])

    assert counts == ["estimated", "measured"]


def test_recent_predictions_are_newest_first(gateway: Running) -> None:
    gateway.put(PREDICTIONS, prediction("a", entity="x"), prediction("b", entity="x"))

    found = gateway.http.get(f"{BASE}/predictions").json()["predictions"]

    assert [p["id"] for p in found] == ["b", "a"]
    assert found[0]["probabilities"] == {"true": 0.8, "false": 0.2}


def test_prometheus_sees_live_version_alerts_and_calls(gateway: Running) -> None:
    tell(gateway)
    gateway.http.get("/v1/alerts")

    text = gateway.http.get("/metrics").text

    assert 'homeostat_live_version{model_version="2",pipeline="elec2"} 1.0' in text
    assert 'homeostat_alerts_firing{kind="data_quality",pipeline="elec2"} 1.0' in text
    assert 'route="/v1/alerts",service="gateway",status="200"' in text


def test_it_is_alive_and_ready_without_a_key(gateway: Running) -> None:
    gateway.http.headers.pop("Authorization")

    assert gateway.http.get("/livez").json() == {"status": "alive"}
    assert gateway.http.get("/readyz").json()["parts"] == {"kafka": "ok", "read_models": "ok"}
