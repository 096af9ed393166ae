"""An order to notify has one result, however many receivers it goes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeostat.local.waiting import wait_for
from shared.topics import AUDIT, COMMANDS
from tests.services.gateway.delivery.receiving import WAIT, Receiver, listed, subscribe, written
from tests.services.gateway.messages import at, audit, command
from tests.services.gateway.running import Running, running


def test_an_order_to_notify_is_answered_when_it_was_delivered(gateway: Running, receiver: Receiver) -> None:
    subscribe(gateway, receiver.url, filters={"events": ["notify"]})
    gateway.put(COMMANDS, command(action="notify", arguments={"message": "please look"}, expects=None))

    assert receiver.take()["text"] == "please look"
    (answer,) = written(gateway, 1)
    assert (answer.command, answer.state, answer.service) == ("command-1", "succeeded", "gateway")


@pytest.mark.parametrize(
    ("occasion", "text"),
    [({}, "It is over by now. please look"), ({"occasion": "ended"}, "please look")],
    ids=["a person is asked for", "how it ended"],
)
def test_what_is_delivered_after_the_end_of_its_trouble_says_so(
    gateway: Running, receiver: Receiver, occasion: dict[str, str], text: str
) -> None:
    subscribe(gateway, receiver.url, filters={"events": ["notify"]})
    gateway.put(AUDIT, audit(0, "incident_opened", "x"), audit(1, "incident_resolved", "x"))
    order = command(action="notify", arguments={"message": "please look", **occasion}, expects=None)
    gateway.put(COMMANDS, order)

    assert receiver.take()["text"] == text


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


def test_an_order_to_notify_nobody_is_answered_too(gateway: Running) -> None:
    gateway.put(COMMANDS, command(action="notify", arguments={"message": "hello"}, deadline=at(1e9)))

    (answer,) = written(gateway, 1)
    assert (answer.state, answer.detail) == ("succeeded", "nobody subscribes to it: shown on the dashboard only")
