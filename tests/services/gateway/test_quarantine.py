"""What is in quarantine, and the way out that a person has."""

from __future__ import annotations

from typing import Any

from shared.topics import COMMAND_RESULTS, COMMANDS, REQUESTS
from tests.services.gateway.messages import command, result
from tests.services.gateway.running import Running

QUARANTINE = "/v1/pipelines/elec2/quarantine"
RELEASE = "/v1/pipelines/elec2/release-source"


def withhold(gateway: Running, id_: str, source: str, *fields: str, action: str = "quarantine_source") -> None:
    arguments: dict[str, Any] = {"source": source, "fields": list(fields)}
    gateway.put(COMMANDS, command(id=id_, action=action, arguments=arguments, reason="times 1000"))


def test_what_is_withheld_is_told_by_source_and_field_with_why(gateway: Running) -> None:
    withhold(gateway, "c1", "file:may.csv", "nswprice", "vicprice")
    withhold(gateway, "c2", "meter", "nswprice")
    withhold(gateway, "c3", "file:may.csv", "vicprice", action="release_source")
    withhold(gateway, "c4", "other", "nswprice")
    gateway.put(COMMAND_RESULTS, result("failed", command="c4", service="ingest"))

    found = gateway.http.get(QUARANTINE).json()["quarantine"]

    assert [(each["source"], each["field"]) for each in found] == [("file:may.csv", "nswprice"), ("meter", "nswprice")]
    assert {(each["why"], each["incident"]) for each in found} == {("times 1000", "incident-1")}


def test_a_release_is_asked_for_in_the_name_of_the_key(gateway: Running) -> None:
    withhold(gateway, "c1", "meter", "nswprice")

    answer = gateway.http.post(RELEASE, json={"source": "meter", "reason": "mended"})

    assert answer.status_code == 202
    (request,) = gateway.written(REQUESTS)
    assert (request.action, request.issued_by, request.reason) == ("release_source", "person:tester", "mended")
    assert request.arguments == {"source": "meter"}


def test_what_is_not_in_quarantine_cannot_be_released(gateway: Running) -> None:
    withhold(gateway, "c1", "meter", "nswprice")

    for body in ({"source": "another"}, {"source": "meter", "fields": ["nswprice", "vicprice"]}):
        answer = gateway.http.post(RELEASE, json=body)

        assert answer.status_code == 409
        assert "not in quarantine" in answer.json()["detail"]
        assert f"GET {QUARANTINE}" in answer.json()["detail"]
    assert gateway.written(REQUESTS) == []


def test_what_sources_send_that_are_not_told_apart_can_be_accepted_though_nothing_of_it_is_withheld(
    gateway: Running,
) -> None:
    withhold(gateway, "c1", "meter", "nswprice")
    several = {"source": "several", "fields": ["nswprice"]}

    assert gateway.http.post(RELEASE, json=several).status_code == 409
    assert gateway.http.post(RELEASE, json=several | {"accept": True}).status_code == 202
    (request,) = gateway.written(REQUESTS)
    assert request.arguments == several | {"accept": True}
