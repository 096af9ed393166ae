"""Specifications come, change and go; rows that come before theirs wait for it."""

from __future__ import annotations

from datetime import timedelta

from services.ingest.service import Ingest
from services.ingest.settings import IngestSettings
from tests.services.ingest.desk import (
    DOCUMENT,
    NOW,
    SPECIFICATION,
    batch,
    defined,
    event,
    features,
    ingest,
    letters,
)


def test_rows_wait_for_their_pipeline_and_are_taken_when_it_comes() -> None:
    service = Ingest(2, IngestSettings())

    early = service.on_raw_data(batch([event(1), event(2)]), NOW)
    step = service.on_pipelines(defined(), NOW + timedelta(seconds=1))

    assert early.messages == []
    assert [found.origin for found in features(step)] == [(2, 0), (2, 1)]
    assert service.on_tick(NOW + timedelta(hours=1)).messages == []


def test_rows_of_a_pipeline_that_never_comes_are_refused() -> None:
    service = Ingest(2, IngestSettings(unknown_wait_seconds=5))
    service.on_raw_data(batch([event(1)]), NOW)

    assert service.on_tick(NOW + timedelta(seconds=4)).messages == []
    (letter,) = letters(service.on_tick(NOW + timedelta(seconds=5)))

    assert (letter.reason, letter.pipeline, letter.offset) == ("unknown-pipeline", "power", 0)


def test_no_more_rows_wait_than_there_is_room_for() -> None:
    service = Ingest(2, IngestSettings(unknown_wait_rows=1))

    (letter,) = letters(service.on_raw_data(batch([event(1), event(2)]), NOW))

    assert (letter.reason, letter.id) == ("unknown-pipeline", "e-2")


def test_a_removed_pipeline_is_unknown() -> None:
    service = ingest(unknown_wait_rows=0)
    service.on_pipelines(defined(version=2, removed=True), NOW)

    assert letters(service.on_raw_data(batch([event(1)]), NOW))[0].reason == "unknown-pipeline"


def test_a_broken_specification_is_refused_by_one_task_and_the_old_one_stays() -> None:
    broken = {**DOCUMENT, "features": {"gap": "price - nothing"}}
    telling, silent = ingest(partition=0), ingest(partition=1)

    (letter,) = letters(telling.on_pipelines(defined(broken, version=2), NOW))

    assert (letter.topic, letter.reason, letter.field) == ("pipelines", "bad-specification", "features.gap")
    assert silent.on_pipelines(defined(broken, version=2), NOW).messages == []
    assert features(telling.on_raw_data(batch([event(1)]), NOW))[0].definition == SPECIFICATION.definition


def test_an_older_specification_does_not_replace_a_newer() -> None:
    service = ingest()
    service.on_pipelines(defined({**DOCUMENT, "features": {"price": "price"}}, version=3), NOW)
    service.on_pipelines(defined(version=2), NOW)

    assert list(features(service.on_raw_data(batch([event(1)]), NOW))[0].values) == ["price"]


def test_a_new_version_with_the_same_windows_keeps_their_past() -> None:
    service = ingest()
    service.on_raw_data(batch([event(1)]), NOW)
    wider = {**DOCUMENT, "features": {**DOCUMENT["features"], "twice": "price * 2"}}

    service.on_pipelines(defined(wider, version=2), NOW)

    assert features(service.on_raw_data(batch([event(2)], 1), NOW))[0].values["before"] == 1.0
