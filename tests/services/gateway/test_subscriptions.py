"""Alerts on their way out: signed, filtered, in order, at least once, and only to where they may go."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from homeostat.local.waiting import wait_for
from services.gateway.delivery.guard import Refused, target_of
from shared.topics import ALERTS, AUDIT, COMMAND_RESULTS, COMMANDS
from tests.services.gateway.messages import alert, at, audit, command
from tests.services.gateway.running import Running, new_bus, running

Received = tuple[dict[str, str], bytes]
WAIT = 15


class Receiver:
    """A real HTTP server that keeps what it gets. `answers` are its statuses in turn, then 200."""

    def __init__(self) -> None:
        self.got: queue.Queue[Received] = queue.Queue()
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.put(({name.lower(): value for name, value in self.headers.items()}, body))
                status = receiver.answers.pop(0) if receiver.answers else 200
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", receiver.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def take(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.got.get(timeout=WAIT)[1])
        return body


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    started.thread.start()
    yield started
    started.server.shutdown()
    started.server.server_close()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    """A gateway whose operator allowed webhooks to loopback."""
    with running(tmp_path, wait=False, webhook_allow=("127.0.0.1",)) as started:
        yield started


def subscribe(gateway: Running, url: str, **more: Any) -> dict[str, Any]:
    answer = gateway.http.post("/v1/subscriptions", json={"url": url, "name": "ops", **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


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


def test_filters_hold_back_what_was_not_asked_for(gateway: Running, receiver: Receiver) -> None:
    subscribe(gateway, receiver.url, filters={"severities": ["critical"], "pipelines": ["elec2"], "events": ["alert"]})
    gateway.put(
        ALERTS,
        alert(id="a", severity="warning"),
        alert(id="b", pipeline="other"),
        alert(id="c"),
    )

    assert receiver.take()["data"]["id"] == "c"
    assert receiver.got.empty()


@pytest.mark.parametrize(
    ("kind", "severity", "told"),
    [
        ("incident_opened", "critical", "critical"),
        ("not_verified", "warning", "warning"),
        ("incident_resolved", "critical", "critical"),
        ("escalated", "warning", "critical"),
        ("incident_expired", "info", "warning"),
        ("incident_opened", None, "info"),
    ],
)
def test_what_happens_in_an_incident_is_as_severe_as_the_incident(
    gateway: Running, receiver: Receiver, kind: str, severity: str | None, told: str
) -> None:
    subscribe(gateway, receiver.url, filters={"severities": [told], "events": ["incident"]})

    gateway.put(AUDIT, audit(0, kind, kind, body={} if severity is None else {"severity": severity}))

    notice = receiver.take()
    assert (notice["type"], notice["severity"]) == (f"incident.{kind}", told)


def test_an_alert_is_told_with_the_incident_it_belongs_to_once_there_is_one(
    gateway: Running, receiver: Receiver
) -> None:
    subscribe(gateway, receiver.url, filters={"events": ["alert"]})
    gateway.put(ALERTS, alert())
    fired = receiver.take()
    gateway.put(AUDIT, audit(0, "incident_opened", "x", body={"alert": "alert-1"}))
    gateway.put(ALERTS, alert("resolved"))

    assert (fired["incident"], receiver.take()["incident"]) == (None, "incident-1")


def test_that_a_person_is_told_is_no_notice_beside_what_the_person_is_told(
    gateway: Running, receiver: Receiver
) -> None:
    subscribe(gateway, receiver.url, filters={"events": ["incident"]})
    gateway.put(
        AUDIT,
        audit(0, "command_issued", "tell a person: look", body={"action": "notify", "command": "command-1"}),
        audit(1, "command_issued", "retrain", body={"action": "retrain", "command": "command-2"}),
    )

    assert receiver.take()["text"] == "retrain"


def test_an_incident_is_told_in_order_though_the_receiver_stumbles(gateway: Running, receiver: Receiver) -> None:
    receiver.answers = [503, 429, 200, 500, 200]
    subscribe(gateway, receiver.url, filters={"events": ["incident"]})
    gateway.put(AUDIT, *(audit(n, kind, kind) for n, kind in enumerate(("incident_opened", "escalated"))))

    kinds = [receiver.take()["type"] for _ in range(5)]

    assert kinds == ["incident.incident_opened"] * 3 + ["incident.escalated"] * 2


def test_what_could_not_be_delivered_is_listed_and_the_next_goes_out(gateway: Running, receiver: Receiver) -> None:
    receiver.answers = [400]
    name = subscribe(gateway, receiver.url)["id"]
    gateway.put(ALERTS, alert(), alert("resolved"))

    types = [receiver.take()["type"] for _ in range(2)]

    (lost,) = gateway.http.get(f"/v1/subscriptions/{name}").json()["undeliverable"]
    assert types == ["alert.firing", "alert.resolved"]
    assert (lost["type"], lost["reason"]) == ("alert.firing", "127.0.0.1 answered 400")


def test_a_disk_that_takes_nothing_for_a_while_ends_no_subscription(
    gateway: Running, receiver: Receiver, tmp_path: Path
) -> None:
    name = subscribe(gateway, receiver.url)["id"]
    folder = tmp_path / "gateway"
    away = folder.rename(tmp_path / "away")
    folder.write_text("no folder: nothing can be written")
    gateway.put(ALERTS, alert(id="first"))
    first = receiver.take()
    assert wait_for(lambda: bool(gateway.http.get(f"/v1/subscriptions/{name}").json()["delivered"]), WAIT)
    folder.unlink()
    away.rename(folder)
    gateway.put(ALERTS, alert(id="second"))

    assert [first["data"]["id"], receiver.take()["data"]["id"]] == ["first", "second"]


def test_a_redirect_is_not_followed(gateway: Running, receiver: Receiver) -> None:
    receiver.answers = [302]
    name = subscribe(gateway, receiver.url)["id"]
    answer = gateway.http.post(f"/v1/subscriptions/{name}/test")

    assert answer.status_code == 502
    assert receiver.got.qsize() == 1


def test_what_happened_while_the_gateway_was_down_is_delivered_after_it(tmp_path: Path, receiver: Receiver) -> None:
    bus = new_bus(tmp_path)
    allow = ("127.0.0.1",)
    with running(tmp_path, bus, webhook_allow=allow) as first:
        subscribe(first, receiver.url)
        writer = first
    writer.write_only(ALERTS, alert(id="meanwhile"))

    with running(tmp_path, bus, webhook_allow=allow):
        assert receiver.take()["data"]["id"] == "meanwhile"


def test_an_order_to_notify_is_answered_when_it_was_delivered(gateway: Running, receiver: Receiver) -> None:
    subscribe(gateway, receiver.url, filters={"events": ["notify"]})
    gateway.put(COMMANDS, command(action="notify", arguments={"message": "please look"}, expects=None))

    assert receiver.take()["text"] == "please look"
    (answer,) = written(gateway, 1)
    assert (answer.command, answer.state, answer.service) == ("command-1", "succeeded", "gateway")


@pytest.mark.parametrize(
    ("severity", "told", "title"),
    [
        ("info", "info", "elec2: how an incident ended"),
        ("warning", "critical", "elec2: a person is asked for"),
        (None, "critical", "elec2: a person is asked for"),
    ],
)
def test_a_person_is_asked_for_only_where_there_is_something_to_do(
    gateway: Running, receiver: Receiver, severity: str | None, told: str, title: str
) -> None:
    subscribe(gateway, receiver.url, filters={"events": ["notify"]})
    arguments = {"message": "healed itself", **({} if severity is None else {"severity": severity})}

    gateway.put(COMMANDS, command(action="notify", arguments=arguments, expects=None))

    notice = receiver.take()
    assert (notice["severity"], notice["title"]) == (told, title)


def test_an_order_to_notify_several_has_one_result(gateway: Running, receiver: Receiver) -> None:
    names = ("first", "second", "third")
    for name in names:
        subscribe(gateway, f"{receiver.url}/{name}", name=name)
    gateway.put(COMMANDS, command(action="notify", arguments={"message": "please look"}, expects=None))

    told = [receiver.take()["text"] for _ in names]
    assert wait_for(lambda: all(each["delivered"] for each in listed(gateway)), WAIT)
    (answer,) = written(gateway, 1)
    delivered = [f"delivered to {name}, the first of 3 subscriptions" for name in names]
    assert (told, answer.state, answer.detail in delivered) == (["please look"] * 3, "succeeded", True)


def test_an_order_to_notify_has_failed_only_when_none_took_it(gateway: Running, receiver: Receiver) -> None:
    receiver.answers = [400, 404]
    subscribe(gateway, receiver.url, name="first")
    subscribe(gateway, receiver.url, name="second")
    gateway.put(COMMANDS, command(action="notify", arguments={"message": "please look"}, expects=None))

    (answer,) = written(gateway, 1)
    assert answer.state == "failed"
    assert answer.detail.startswith("delivered to none of 2 subscriptions: ")
    assert all(f"answered {status}" in answer.detail for status in (400, 404))


def test_an_order_that_one_refuses_and_another_takes_has_succeeded(gateway: Running, receiver: Receiver) -> None:
    receiver.answers = [400]
    for name in ("first", "second"):
        subscribe(gateway, receiver.url, name=name)
    gateway.put(COMMANDS, command(action="notify", arguments={"message": "please look"}, expects=None))

    assert wait_for(lambda: sorted(each["delivered"] for each in listed(gateway)) == [0, 1], WAIT)
    (answer,) = written(gateway, 1)
    assert answer.state == "succeeded"
    assert answer.detail.endswith("the first of 2 subscriptions")


def test_an_order_whose_last_receiver_is_taken_away_is_answered(tmp_path: Path, receiver: Receiver) -> None:
    with running(tmp_path, wait=False, webhook_allow=("127.0.0.1",), delivery_pause_seconds=60.0) as gateway:
        receiver.answers = [503]
        name = subscribe(gateway, receiver.url)["id"]
        order = command(action="notify", arguments={"message": "hello"}, expects=None, deadline=at(1e9))
        gateway.put(COMMANDS, order)
        receiver.take()

        gateway.http.delete(f"/v1/subscriptions/{name}")

        (answer,) = written(gateway, 1)
        assert (answer.state, answer.detail) == ("succeeded", "nobody subscribes to it: shown on the dashboard only")


def listed(gateway: Running) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = gateway.http.get("/v1/subscriptions").json()["subscriptions"]
    return found


def test_an_order_to_notify_nobody_is_answered_too(gateway: Running) -> None:
    gateway.put(COMMANDS, command(action="notify", arguments={"message": "hello"}, deadline=at(1e9)))

    (answer,) = written(gateway, 1)
    assert (answer.state, answer.detail) == ("succeeded", "nobody subscribes to it: shown on the dashboard only")


def written(gateway: Running, wanted: int) -> list[Any]:
    """The command results, once there are as many as wanted."""
    assert wait_for(lambda: len(gateway.written(COMMAND_RESULTS)) >= wanted, WAIT)
    return gateway.written(COMMAND_RESULTS)


INSIDE = (
    "127.0.0.1 10.0.0.7 172.16.1.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 "
    "::1 fe80::1 fd00::1 ::ffff:10.0.0.1 2002:7f00:1:: "
    "64:ff9b::a9fe:a9fe 64:ff9b::10.0.0.1 64:ff9b:1::1 ::127.0.0.1 ::ffff:0:169.254.169.254"
)


@pytest.mark.parametrize("address", INSIDE.split())
def test_a_webhook_may_not_reach_inside(address: str) -> None:
    with pytest.raises(Refused, match="not a public address"):
        target_of("https://hooks.example/x", (), lambda host, port: [address])


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1", "64:ff9b::5db8:d822"])
def test_a_webhook_may_reach_outside(address: str) -> None:
    assert target_of("https://hooks.example/x", (), lambda host, port: [address]).address == address


def test_one_inner_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(Refused):
        target_of("https://hooks.example/x", (), lambda host, port: ["93.184.216.34", "10.0.0.1"])


def test_what_the_operator_allows_is_reached() -> None:
    inner = lambda host, port: ["10.1.2.3"]  # noqa: E731

    assert target_of("http://hooks.example/x", ("10.0.0.0/8",), inner).address == "10.1.2.3"
    assert target_of("http://hooks.example:81/x", ("hooks.example:81",), inner).port == 81
    with pytest.raises(Refused):
        target_of("http://hooks.example:82/x", ("hooks.example:81",), inner)


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("webhook", "file:///etc/passwd"),
        ("webhook", "http://user:word@example.com/"),
        ("webhook", "http://localhost/x"),
        ("apprise", "nothing-like-it"),
        ("apprise", "syslog://"),
        ("apprise", "json://127.0.0.1/x"),
    ],
)
def test_a_url_that_may_not_be_reached_is_refused_at_once(tmp_path: Path, kind: str, url: str) -> None:
    with running(tmp_path) as gateway:
        answer = gateway.http.post("/v1/subscriptions", json={"url": url, "type": kind})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/url"


def test_an_apprise_url_is_notified_and_its_token_is_not_shown(gateway: Running, receiver: Receiver) -> None:
    port = receiver.server.server_port
    name = subscribe(gateway, f"json://token@127.0.0.1:{port}/hook", type="apprise")["id"]

    answer = gateway.http.post(f"/v1/subscriptions/{name}/test")

    assert answer.status_code == 200, answer.text
    assert receiver.take()["title"] == "Homeostat: test"
    assert "token" not in gateway.http.get("/v1/subscriptions").text


def test_a_subscription_that_is_deleted_is_told_no_more(gateway: Running, receiver: Receiver) -> None:
    gone = subscribe(gateway, receiver.url)["id"]
    subscribe(gateway, receiver.url + "/second")

    assert gateway.http.delete(f"/v1/subscriptions/{gone}").status_code == 204
    gateway.put(ALERTS, alert())

    receiver.take()
    assert receiver.got.empty()
    assert len(gateway.http.get("/v1/subscriptions").json()["subscriptions"]) == 1
