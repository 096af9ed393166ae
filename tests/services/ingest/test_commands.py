"""Quarantine: ordered, obeyed, answered once, released."""

from __future__ import annotations

from typing import Any

import pytest

from shared.messages import RawRecord
from tests.services.ingest.desk import (
    NOW,
    batch,
    event,
    features,
    ingest,
    order,
    results,
)


def test_quarantine_blanks_the_fields_of_that_source_alone_and_keeps_what_arrived() -> None:
    service = ingest(partition=0)
    other = RawRecord(
        pipeline="power", id="o", entity="NSW", source="other", values={"region": "NSW", "price": 5, "demand": 1}
    )

    (result,) = results(service.on_commands(order("quarantine_source", source="file", fields=["price"]), NOW))
    found = features(service.on_raw_data(batch([event(1), other, event(5000)]), NOW))

    assert (result.command, result.state, result.service) == ("c-1", "succeeded", "ingest")
    assert [each.withheld for each in found] == [("price",), (), ("price",)]
    assert [each.values["price"] for each in found] == [None, 5.0, None]
    assert [each.raw["price"] for each in found] == [1.0, 5.0, 5000.0]
    assert found[2].values["mean"] == 5.0


def test_release_ends_the_quarantine() -> None:
    service = ingest(partition=0)
    service.on_commands(order("quarantine_source", 1, source="file", fields=["price", "demand"]), NOW)

    service.on_commands(order("release_source", 2, source="file", fields=["price"]), NOW)
    (first,) = features(service.on_raw_data(batch([event(1)]), NOW))
    service.on_commands(order("release_source", 3, source="file"), NOW)
    (second,) = features(service.on_raw_data(batch([event(2)], 1), NOW))

    assert (first.withheld, second.withheld) == (("demand",), ())


def test_a_command_acts_once() -> None:
    service = ingest(partition=0)
    service.on_commands(order("quarantine_source", 1, source="file", fields=["price"]), NOW)
    service.on_commands(order("release_source", 2, source="file"), NOW)

    again = service.on_commands(order("quarantine_source", 1, source="file", fields=["price"]), NOW)

    assert again.messages == []
    assert features(service.on_raw_data(batch([event(1)]), NOW))[0].withheld == ()


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        ({}, "`source` is missing"),
        ({"source": "file", "fields": ["prise"]}, "did you mean `price`?"),
        ({"source": "file", "fields": ["up"]}, "`up` is the target"),
        ({"source": "file", "fields": 3}, "not a list"),
    ],
)
def test_a_quarantine_that_cannot_be_fails_with_a_reason(arguments: dict[str, Any], detail: str) -> None:
    (result,) = results(ingest(partition=0).on_commands(order("quarantine_source", **arguments), NOW))

    assert result.state == "failed"
    assert detail in result.detail


def test_every_task_obeys_and_one_answers() -> None:
    service = ingest(partition=1)

    step = service.on_commands(order("quarantine_source", source="*"), NOW)

    assert step.messages == []
    assert features(service.on_raw_data(batch([event(1)]), NOW))[0].withheld == ("demand", "price")


def test_commands_for_others_are_left_alone() -> None:
    assert ingest(partition=0).on_commands(order("retrain"), NOW).messages == []
