"""On the way out: in order, at least once, and what could not be delivered is listed."""

from __future__ import annotations

from pathlib import Path

from homeostat.local.waiting import wait_for
from shared.topics import ALERTS, AUDIT
from tests.services.gateway.delivery.receiving import WAIT, Receiver, subscribe
from tests.services.gateway.messages import alert, audit
from tests.services.gateway.running import Running, new_bus, running


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


def test_a_subscription_that_is_deleted_is_told_no_more(gateway: Running, receiver: Receiver) -> None:
    gone = subscribe(gateway, receiver.url)["id"]
    subscribe(gateway, receiver.url + "/second")

    assert gateway.http.delete(f"/v1/subscriptions/{gone}").status_code == 204
    gateway.put(ALERTS, alert())

    receiver.take()
    assert receiver.got.empty()
    assert len(gateway.http.get("/v1/subscriptions").json()["subscriptions"]) == 1
