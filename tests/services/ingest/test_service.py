"""Ingest as others see it: messages in, messages out."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest.service import Ingest
from services.ingest.settings import IngestSettings, ingest_settings
from shared.codec import encode
from shared.errors import Misconfigured
from shared.messages import Command, CommandResult, DeadLetter, Features, Label, PipelineDefined, RawRecord
from shared.pipeline.specification import Specification
from shared.service import Batch, JobResult, Step
from shared.topics import COMMAND_RESULTS, DEAD_LETTERS, FEATURES, LABELS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DOCUMENT: dict[str, Any] = {
    "name": "power",
    "kind": "binary",
    "schema": {
        "id": {"type": "string"},
        "at": {"type": "timestamp"},
        "region": {"type": "string"},
        "price": {"type": "number", "range": [0, 100]},
        "demand": {"type": "number", "nullable": True},
        "up": {"type": "integer", "allowed": [0, 1]},
    },
    "id": "id",
    "key": "region",
    "timestamp": "at",
    "target": "up",
    "features": {
        "price": "price",
        "gap": "price - demand",
        "mean": {"expression": "price", "window": 3},
        "before": {"expression": "price", "lag": 1},
    },
}
SPECIFICATION = Specification.model_validate(DOCUMENT)


def defined(document: dict[str, Any] = DOCUMENT, version: int = 1, *, removed: bool = False) -> Batch[PipelineDefined]:
    message = PipelineDefined(
        pipeline=document["name"],
        version=version,
        digest="",
        specification=document,
        at=NOW,
        issued_by="test",
        removed=removed,
    )
    return Batch("pipelines", 0, [version], [message])


def event(number: int, **changes: object) -> RawRecord:
    values = {"region": "NSW", "price": float(number), "demand": 1.0, **changes}
    return RawRecord(pipeline="power", id=f"e-{number}", entity="NSW", source="file", values=values)


def label(number: int, value: object) -> RawRecord:
    return RawRecord(pipeline="power", id=f"e-{number}", entity="NSW", kind="label", label=value)


def batch(records: Sequence[RawRecord], start: int = 0) -> Batch[RawRecord]:
    values = [encode(record) for record in records]
    return Batch(
        "raw-data", 2, range(start, start + len(records)), records, values, [f"t{n}" for n in range(len(records))]
    )


def order(action: Any, number: int = 1, **arguments: object) -> Batch[Command]:
    command = Command(
        id=f"c-{number}",
        incident="i",
        pipeline="power",
        action=action,
        arguments=arguments,
        reason="",
        issued_by="policy:p@1",
        at=NOW,
        deadline=NOW + timedelta(minutes=5),
    )
    return Batch("commands", 0, [number], [command])


def ingest(partition: int = 2, **settings: Any) -> Ingest:
    made = Ingest(partition, IngestSettings(**settings))
    made.on_pipelines(defined(), NOW)
    return made


def messages(step: Step, topic: Any) -> list[Any]:
    return [out.message for out in step.messages if out.topic is topic]


def features(step: Step) -> list[Features]:
    return messages(step, FEATURES)


def letters(step: Step) -> list[DeadLetter]:
    return messages(step, DEAD_LETTERS)


def labels(step: Step) -> list[Label]:
    return messages(step, LABELS)


def results(step: Step) -> list[CommandResult]:
    return messages(step, COMMAND_RESULTS)


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
    assert service.gauges()["homeostat_repeated_rows", (("pipeline", "power"), ("partition", "2"))] == 2


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

    step = service.on_raw_data(batch([event(1), event(2), event(3), event(1)]), NOW)

    assert len(features(step)) == 4


def test_labels_travel_by_id_and_a_corrected_one_follows() -> None:
    step = ingest().on_raw_data(batch([label(5, 1), label(5, 0)]), NOW)

    assert [(truth.id, truth.label) for truth in labels(step)] == [("e-5", 1), ("e-5", 0)]


def test_fields_that_the_schema_does_not_know_are_dropped_and_counted() -> None:
    service = ingest()

    (found,) = features(service.on_raw_data(batch([event(1, surprise=1)]), NOW))

    assert "surprise" not in found.raw
    assert service.gauges()["homeostat_unknown_fields", (("pipeline", "power"), ("partition", "2"))] == 1


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
