"""What a receiver gets: signed, or in Alertmanager's form."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime

from shared.topics import ALERTS
from tests.services.gateway.delivery.receiving import WAIT, Receiver, subscribe
from tests.services.gateway.messages import alert, at
from tests.services.gateway.running import Running


def test_a_webhook_is_signed_over_id_time_and_body(gateway: Running, receiver: Receiver) -> None:
    secret = subscribe(gateway, receiver.url)["secret"]
    gateway.put(ALERTS, alert())

    headers, body = receiver.got.get(timeout=WAIT)

    signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert (json.loads(body)["type"], json.loads(body)["data"]["id"]) == ("alert.firing", "alert-1")


def test_the_secret_is_shown_once(gateway: Running, receiver: Receiver) -> None:
    made = subscribe(gateway, receiver.url)

    listed = gateway.http.get("/v1/subscriptions")

    assert made["secret"].startswith("whsec_")
    assert made["secret"] not in listed.text


def test_alertmanagers_form_can_be_asked_for(gateway: Running, receiver: Receiver) -> None:
    subscribe(gateway, receiver.url, type="alertmanager")
    gateway.put(ALERTS, alert(), alert("resolved"))

    firing, resolved = receiver.take(), receiver.take()

    assert (firing["version"], firing["status"], resolved["status"]) == ("4", "firing", "resolved")
    (shown,) = firing["alerts"]
    assert shown["labels"] == {"alertname": "concept_drift", "pipeline": "elec2", "severity": "critical"}
    assert datetime.fromisoformat(shown["startsAt"]) == at(10)
    assert shown["fingerprint"] == resolved["alerts"][0]["fingerprint"]


def test_an_apprise_url_is_notified_and_its_token_is_not_shown(gateway: Running, receiver: Receiver) -> None:
    port = receiver.server.server_port
    name = subscribe(gateway, f"json://token@127.0.0.1:{port}/hook", type="apprise")["id"]

    answer = gateway.http.post(f"/v1/subscriptions/{name}/test")

    assert answer.status_code == 200, answer.text
    assert receiver.take()["title"] == "Homeostat: test"
    assert "token" not in gateway.http.get("/v1/subscriptions").text
