"""What becomes of a row; and that a task is what it saved."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.service import Ingest
from services.ingest.settings import IngestSettings, ingest_settings
from shared.codec import encode
from shared.errors import Misconfigured
from shared.messages import RawRecord
from shared.service import JobResult
from tests.services.ingest.desk import (
    NOW,
    SPECIFICATION,
    batch,
    event,
    features,
    ingest,
    label,
    labels,
    letters,
    order,
)


def test_an_event_becomes_features_with_its_raw_fields_and_origin() -> None:
    step = ingest().on_raw_data(batch([event(4, at="2026-01-01T10:00:00Z", id="e-4")], start=7), NOW)

    (found,) = features(step)
    assert found.values == {"price": 4.0, "gap": 3.0, "mean": 4.0, "before": None}
    assert found.raw["price"] == 4.0
    assert (found.entity, found.source, found.origin) == ("NSW", "file", (2, 7))
    assert found.at == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert found.definition == SPECIFICATION.definition
    assert step.messages[0].trace == "t0"


def test_windows_go_on_over_batches() -> None:
    service = ingest()
    service.on_raw_data(batch([event(1), event(2)]), NOW)

    (found,) = features(service.on_raw_data(batch([event(6)], start=2), NOW))

    assert (found.values["mean"], found.values["before"]) == (3.0, 2.0)


def test_a_target_in_an_event_becomes_its_label_at_once_and_never_an_input() -> None:
    step = ingest().on_raw_data(batch([event(1, up=1)]), NOW)

    (found,), (truth,) = features(step), labels(step)
    assert (truth.id, truth.label, truth.origin) == ("e-1", 1, (2, 0))
    assert "up" not in found.values
    assert "up" not in found.raw


@pytest.mark.parametrize(
    ("record", "reason", "field"),
    [
        (event(1, price="1"), "type", "price"),
        (event(1, price=101.0), "range", "price"),
        (event(1, price=None), "missing", "price"),
        (event(1, at="noon"), "type", "at"),
        (event(1, up=3), "not-allowed", "up"),
        (RawRecord(pipeline="power", id="e", entity="e", values={}), "missing", "region"),
        (
            RawRecord(pipeline="power", id="", entity="", values={"region": "a", "price": 1, "demand": 1}),
            "missing",
            "id",
        ),
        (label(1, "high"), "type", "up"),
        (label(1, None), "missing", "up"),
        (label(1, 7), "not-allowed", "up"),
    ],
)
def test_a_broken_row_goes_to_dead_letters_with_reason_field_and_bytes(
    record: RawRecord, reason: str, field: str
) -> None:
    step = ingest().on_raw_data(batch([event(8), record, event(9)], start=5), NOW)

    (letter,) = letters(step)
    assert (letter.reason, letter.field, letter.offset, letter.partition) == (reason, field, 6, 2)
    assert letter.value == encode(record)
    assert letter.detail.startswith(field)
    assert [found.id for found in features(step)] == ["e-8", "e-9"]


def test_a_refused_row_may_come_again_mended_under_its_id() -> None:
    service = ingest()
    service.on_raw_data(batch([event(1, price="1")]), NOW)

    assert len(features(service.on_raw_data(batch([event(1)]), NOW))) == 1


def test_a_repeated_row_is_dropped_and_counted() -> None:
    service = ingest()

    step = service.on_raw_data(batch([event(1), event(1), event(2)]), NOW)
    again = service.on_raw_data(batch([event(2)], start=3), NOW)

    assert [found.id for found in features(step)] == ["e-1", "e-2"]
    assert again.messages == []
    assert service.gauges()["homeostat_repeated_rows_total", (("pipeline", "power"), ("partition", "2"))] == 2


def test_a_row_is_the_same_whether_its_id_comes_as_text_or_as_a_number() -> None:
    service = ingest()

    step = service.on_raw_data(batch([event(1, id=7), event(1, id="7")]), NOW)

    assert ([found.id for found in features(step)], letters(step)) == (["e-1"], [])


def test_a_repeated_row_that_now_has_its_target_gives_the_label_alone() -> None:
    service = ingest()
    service.on_raw_data(batch([event(1)]), NOW)

    step = service.on_raw_data(batch([event(1, up=0)]), NOW)

    assert (len(features(step)), [truth.label for truth in labels(step)]) == (0, [0])


def test_a_known_id_with_other_content_is_a_conflict() -> None:
    step = ingest().on_raw_data(batch([event(1), event(1, demand=2.0)]), NOW)

    assert [(letter.reason, letter.id) for letter in letters(step)] == [("id-conflict", "e-1")]


def test_only_the_newest_ids_are_remembered() -> None:
    service = ingest(remembered_ids=2)

    step = service.on_raw_data(batch([event(n) for n in (1, 2, 3, 1, 4, 5, 1)]), NOW)

    assert [found.id for found in features(step)] == ["e-1", "e-2", "e-3", "e-4", "e-5", "e-1"]


def test_labels_travel_by_id_and_a_corrected_one_follows() -> None:
    step = ingest().on_raw_data(batch([label(5, 1), label(5, 0)]), NOW)

    assert [(truth.id, truth.label) for truth in labels(step)] == [("e-5", 1), ("e-5", 0)]


def test_fields_that_the_schema_does_not_know_are_dropped_and_counted() -> None:
    service = ingest()

    (found,) = features(service.on_raw_data(batch([event(1, surprise=1)]), NOW))

    assert "surprise" not in found.raw
    assert service.gauges()["homeostat_unknown_fields_total", (("pipeline", "power"), ("partition", "2"))] == 1


@pytest.mark.parametrize(
    ("at", "received", "expected"),
    [(NOW + timedelta(1), NOW + timedelta(2), 1), (None, NOW + timedelta(2), 2), (None, None, 0)],
)
def test_a_row_without_a_time_takes_the_next_best(
    at: datetime | None, received: datetime | None, expected: int
) -> None:
    record = RawRecord(
        pipeline="power", id="e", entity="a", values={"region": "a", "price": 1}, at=at, received_at=received
    )

    (found,) = features(ingest().on_raw_data(batch([record]), NOW))

    assert found.at == NOW + timedelta(expected)


def test_the_archive_runs_by_rows_or_time_one_run_at_a_time() -> None:
    service = ingest(archive_rows=2, archive_seconds=60)
    assert service.on_tick(NOW).jobs == []

    service.on_raw_data(batch([event(1), event(2)]), NOW)
    (by_rows,) = service.on_tick(NOW).jobs
    meanwhile = service.on_tick(NOW + timedelta(hours=1)).jobs
    service.on_job(JobResult(by_rows.id, by_rows.name, 1.0), NOW)
    (by_time,) = service.on_tick(NOW + timedelta(hours=1)).jobs

    assert by_rows.arguments["partition"] == 2
    assert meanwhile == []
    assert by_time.id != by_rows.id
    assert service.pending_jobs() == [by_time]


def test_a_service_restored_at_any_step_gives_the_same_bytes() -> None:
    rng = random.Random(7)
    records = [event(n % 70, demand=float(n % 5)) if n % 3 else label(n, n % 2) for n in range(200)]
    records += [RawRecord(pipeline="later", id=str(n), entity="a", values={"x": n}) for n in range(3)]
    rng.shuffle(records)
    straight, restarted = ingest(), ingest()
    for service in (straight, restarted):
        service.on_commands(order("quarantine_source", source="file", fields=["demand"]), NOW)

    for start in range(0, len(records), 17):
        part = batch(records[start : start + 17], start)
        fresh = Ingest(2, IngestSettings())
        fresh.restore(restarted.save())
        restarted = fresh
        expected, found = straight.on_raw_data(part, NOW), restarted.on_raw_data(part, NOW)
        assert [encode(out.message) for out in found.messages] == [encode(out.message) for out in expected.messages]

    assert restarted.save() == straight.save()
    assert len(letters(restarted.on_tick(NOW + timedelta(minutes=1)))) == 3


def test_settings_come_from_the_environment_and_name_what_is_wrong() -> None:
    assert ingest_settings({"HOMEOSTAT_INGEST_ARCHIVE_ROWS": "10"}).archive_rows == 10
    with pytest.raises(Misconfigured, match="HOMEOSTAT_INGEST_MOST_KEYS='many'"):
        ingest_settings({"HOMEOSTAT_INGEST_MOST_KEYS": "many"})
