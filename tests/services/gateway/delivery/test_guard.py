"""Notices go only to where they may."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.gateway.delivery.guard import Refused, target_of
from tests.services.gateway.running import running

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
