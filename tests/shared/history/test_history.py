"""History: the same range gives the same rows, from the archive, from the log, or from both."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from shared.bus.base import LogReader, NewRecord, Record, TopicSpec
from shared.bus.memory import MemoryBus
from shared.codec import encode
from shared.history import (
    META_COLUMNS,
    HistoryLostError,
    archive,
    available,
    content_hash,
    read,
    segments_of,
    training_set,
)
from shared.history.retention import prune
from shared.messages import Features, Label
from shared.pipeline.specification import Specification
from shared.topics import FEATURES, LABELS

START = datetime(2026, 1, 1, tzinfo=UTC)
SPECIFICATION = Specification.model_validate(
    {
        "name": "power",
        "kind": "binary",
        "schema": {"price": {"type": "number"}, "hot": {"type": "boolean"}, "up": {"type": "integer"}},
        "target": "up",
    }
)


class Forgetful:
    """A log whose retention has dropped everything before `begin`."""

    def __init__(self, reader: LogReader, begin: int) -> None:
        self._reader = reader
        self._begin = begin

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def begin_offsets(self, topic: str) -> dict[int, int]:
        return dict.fromkeys(self._reader.end_offsets(topic), self._begin)

    def read(self, topic: str, partition: int, start: int, stop: int, timeout: float = 30.0) -> Iterator[list[Record]]:
        assert start >= self._begin
        return self._reader.read(topic, partition, start, stop, timeout)


class Aborted:
    """A log in which these offsets belong to transactions that were aborted."""

    def __init__(self, reader: LogReader, offsets: set[int]) -> None:
        self._reader = reader
        self._offsets = offsets

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def read(self, topic: str, partition: int, start: int, stop: int, timeout: float = 30.0) -> Iterator[list[Record]]:
        for records in self._reader.read(topic, partition, start, stop, timeout):
            yield [record for record in records if record.offset not in self._offsets]


@pytest.fixture
def bus() -> MemoryBus:
    bus = MemoryBus()
    bus.ensure_topics([TopicSpec(topic.name, 2, 1, {}) for topic in (FEATURES, LABELS)], 1.0)
    return bus


def features(number: int, pipeline: str = "power", partition: int = 0, **changes: Any) -> NewRecord:
    fields = {
        "pipeline": pipeline,
        "id": f"e-{number}",
        "entity": "NSW",
        "source": "file",
        "at": START + timedelta(minutes=number),
        "values": {"price": number / 7, "hot": number % 2 == 0},
        "raw": {"price": number / 7},
        "origin": (partition, number),
        "definition": SPECIFICATION.definition,
    }
    return NewRecord(FEATURES.name, b"", encode(Features(**{**fields, **changes})), (), partition)


def label(number: int, value: int, pipeline: str = "power") -> NewRecord:
    return NewRecord(LABELS.name, b"", encode(Label(pipeline=pipeline, id=f"e-{number}", label=value)), (), 1)


def write(bus: MemoryBus, *records: NewRecord) -> LogReader:
    bus.producer("test").send(records, 1.0)
    return bus.reader("test")


def rows(reader: LogReader, folder: Path, start: int, stop: int, pipeline: str = "power") -> pl.DataFrame:
    return read(reader, folder, FEATURES, pipeline, {"0": (start, stop)})


def test_archive_and_log_give_the_same_rows_and_hash(bus: MemoryBus, tmp_path: Path) -> None:
    reader = write(bus, *(features(n, "power" if n % 3 else "other") for n in range(50)))
    from_log = rows(reader, tmp_path, 5, 45)

    archive(reader, tmp_path, FEATURES, 0)
    write(bus, *(features(n) for n in range(50, 60)))
    from_archive = rows(Forgetful(reader, 50), tmp_path, 5, 45)
    from_both = rows(reader, tmp_path, 5, 60)

    assert from_log["offset"].to_list() == [n for n in range(5, 45) if n % 3]
    assert content_hash(from_archive) == content_hash(from_log)
    assert from_both["offset"].to_list() == [n for n in range(5, 50) if n % 3] + list(range(50, 60))


def test_the_hash_does_not_depend_on_how_history_is_cut(bus: MemoryBus, tmp_path: Path) -> None:
    rng = random.Random(3)
    hashes = set()
    for number in range(4):
        other = MemoryBus()
        other.ensure_topics([TopicSpec(FEATURES.name, 1, 1, {})], 1.0)
        folder = tmp_path / str(number)
        for n in range(40):
            reader = write(other, features(n, rng.choice(["power"]) if n % 4 else "quiet"))
            if rng.random() < 0.3:
                archive(reader, folder, FEATURES, 0)
        hashes.add(content_hash(rows(reader, folder, 0, 40)))

    assert len(hashes) == 1


def test_a_row_that_differs_gives_another_hash(bus: MemoryBus, tmp_path: Path) -> None:
    reader = write(bus, features(1), features(2))
    frame = rows(reader, tmp_path, 0, 2)

    assert content_hash(frame.with_columns(pl.lit("other").alias("source"))) != content_hash(frame)
    assert content_hash(frame.reverse()) != content_hash(frame)


def test_a_segments_name_says_what_is_in_it(bus: MemoryBus, tmp_path: Path) -> None:
    reader = write(bus, features(0), features(1), features(2, "other"))

    archive(reader, tmp_path, FEATURES, 0)

    found = segments_of(tmp_path, "features", 0)
    assert [(s.topic, s.pipeline, s.partition, s.start, s.stop) for s in found] == [
        ("features", "other", 0, 0, 3),
        ("features", "power", 0, 0, 3),
    ]
    assert all(segment.sha256 in segment.path.name for segment in found)


def test_archiving_twice_writes_nothing_twice(bus: MemoryBus, tmp_path: Path) -> None:
    reader = write(bus, features(0))

    assert len(archive(reader, tmp_path, FEATURES, 0)) == 1
    assert archive(reader, tmp_path, FEATURES, 0) == []


def test_a_pipeline_that_was_silent_gets_a_segment_without_a_gap(bus: MemoryBus, tmp_path: Path) -> None:
    reader = write(bus, features(0), features(1, "other"))
    archive(reader, tmp_path, FEATURES, 0)
    write(bus, features(2, "other"))
    archive(reader, tmp_path, FEATURES, 0)
    write(bus, features(3))
    archive(reader, tmp_path, FEATURES, 0)

    spans = [(s.start, s.stop) for s in segments_of(tmp_path, "features", 0) if s.pipeline == "power"]

    assert spans == [(0, 2), (2, 4)]
    assert rows(Forgetful(reader, 4), tmp_path, 0, 4)["offset"].to_list() == [0, 3]


def test_what_the_log_dropped_is_empty_where_the_archive_found_nothing(bus: MemoryBus, tmp_path: Path) -> None:
    reader = write(bus, features(0), features(1, "other"))
    archive(reader, tmp_path, FEATURES, 0)
    write(bus, features(2, "other"), features(3, "other"))
    archive(reader, tmp_path, FEATURES, 0)

    assert rows(Forgetful(reader, 4), tmp_path, 0, 4)["offset"].to_list() == [0]


@pytest.mark.parametrize("harm", ["altered", "cut", "gone"])
def test_a_harmed_segment_is_refused_and_read_from_the_log(bus: MemoryBus, tmp_path: Path, harm: str) -> None:
    reader = write(bus, features(0), features(1))
    archive(reader, tmp_path, FEATURES, 0)
    write(bus, features(2), features(3))
    archive(reader, tmp_path, FEATURES, 0)
    expected = content_hash(rows(reader, tmp_path, 0, 4))
    path = segments_of(tmp_path, "features", 0)[0].path
    data = path.read_bytes()
    path.unlink() if harm == "gone" else path.write_bytes(data[:-1] if harm == "cut" else data[:-9] + b"x" + data[-8:])

    assert content_hash(rows(reader, tmp_path, 0, 4)) == expected


def test_a_harmed_segment_that_the_log_no_longer_has_is_named(bus: MemoryBus, tmp_path: Path) -> None:
    reader = write(bus, features(0), features(1))
    (segment,) = archive(reader, tmp_path, FEATURES, 0)
    segment.path.write_bytes(b"PAR1")

    with pytest.raises(HistoryLostError) as caught:
        rows(Forgetful(reader, 2), tmp_path, 0, 2)

    assert "offsets 0 to 2 of features, partition 0" in str(caught.value)
    assert segment.path.name in str(caught.value)


def test_available_ranges_reach_from_the_archive_to_the_end_of_the_log(bus: MemoryBus, tmp_path: Path) -> None:
    reader = write(bus, *(features(n) for n in range(5)))
    archive(reader, tmp_path, FEATURES, 0)
    write(bus, features(5))

    assert available(Forgetful(reader, 3), tmp_path, FEATURES, "power") == {"0": (0, 6), "1": (0, 0)}


def test_what_is_available_of_a_pipeline_does_not_begin_with_what_another_keeps_for_longer(
    bus: MemoryBus, tmp_path: Path
) -> None:
    for n in range(3):
        reader = write(bus, features(2 * n), features(2 * n + 1, "other"))
        archive(reader, tmp_path, FEATURES, 0)
    later = datetime.now(UTC) + timedelta(days=2)  # noqa: TID251 - files carry the real time
    prune(tmp_path, 0, {"power": 86400.0}, later)
    log = Forgetful(reader, 6)

    ranges = available(log, tmp_path, FEATURES, "power")

    assert ranges["0"] == (4, 6)
    assert rows(log, tmp_path, *ranges["0"])["offset"].to_list() == [4]


def test_a_stream_that_resumes_after_a_silence_is_read_though_the_log_dropped_what_was_aborted_before(
    bus: MemoryBus, tmp_path: Path
) -> None:
    archive(write(bus, features(0), features(1)), tmp_path, FEATURES, 0)
    archive(Aborted(write(bus, features(2)), {2}), tmp_path, FEATURES, 0)

    reader = Forgetful(write(bus, features(3)), 3)

    assert rows(reader, tmp_path, 0, 4)["offset"].to_list() == [0, 1, 3]


def test_old_segments_are_dropped_but_never_the_newest(bus: MemoryBus, tmp_path: Path) -> None:
    for n in range(3):
        archive(write(bus, features(n)), tmp_path, FEATURES, 0)
    later = datetime.now(UTC) + timedelta(days=2)  # noqa: TID251 - files carry the real time

    kept = prune(tmp_path, 0, {"power": 86400.0 * 3}, later)
    dropped = prune(tmp_path, 0, {"power": 86400.0}, later)

    assert kept == []
    assert [segment.start for segment in dropped] == [0, 1]
    assert [segment.start for segment in segments_of(tmp_path, "features", 0)] == [2]


def training(reader: LogReader, folder: Path, specification: Specification = SPECIFICATION, **kw: Any) -> pl.DataFrame:
    ends = {name: reader.end_offsets(name) for name in ("features", "labels")}
    return training_set(
        reader,
        folder,
        kw.get("specification", specification),
        kw.get("features_ranges", {str(p): (0, end) for p, end in ends["features"].items()}),
        {str(p): (0, end) for p, end in ends["labels"].items()},
        kw.get("excluded", ()),
    )


def test_a_training_set_joins_the_last_label_in_order_of_time(bus: MemoryBus, tmp_path: Path) -> None:
    late = features(1, partition=1, at=START + timedelta(days=1))
    reader = write(bus, features(3), features(2), late, label(2, 0), label(3, 1), label(1, 1), label(2, 1))

    frame = training(reader, tmp_path)

    assert tuple(frame.columns) == (*META_COLUMNS, "price", "hot")
    assert frame["__id"].to_list() == ["e-2", "e-3", "e-1"]
    assert frame["__label"].to_list() == [1, 1, 1]
    assert frame["__partition"].to_list() == [0, 0, 1]
    assert frame.schema["__label"] == pl.Int64
    assert frame.schema["price"] == pl.Float64
    assert frame.schema["hot"] == pl.Boolean
    assert frame["price"].to_list() == [2 / 7, 3 / 7, 1 / 7]


def test_rows_without_a_label_withheld_excluded_or_of_another_definition_are_left_out(
    bus: MemoryBus, tmp_path: Path
) -> None:
    reader = write(
        bus,
        features(0),
        features(1, withheld=("price",)),
        features(2, definition="another"),
        features(3),
        features(4),
        features(5, "other"),
        *(label(n, 1) for n in (0, 1, 2, 3, 5)),
    )

    assert training(reader, tmp_path)["__id"].to_list() == ["e-0", "e-3"]
    assert training(reader, tmp_path, excluded=[(0, 3, 5, "")])["__id"].to_list() == ["e-0"]
    assert training(reader, tmp_path, features_ranges={"0": (1, 4)})["__id"].to_list() == ["e-3"]


def test_a_stretch_of_one_source_leaves_out_that_sources_rows_alone(bus: MemoryBus, tmp_path: Path) -> None:
    rows = [features(n, source="wrong" if n in (1, 3) else "right") for n in range(4)]
    reader = write(bus, *rows, *(label(n, 1) for n in range(4)))

    assert training(reader, tmp_path, excluded=[(0, 0, 3, "wrong")])["__id"].to_list() == ["e-0", "e-2", "e-3"]


def test_an_anomaly_pipeline_trains_without_labels(bus: MemoryBus, tmp_path: Path) -> None:
    document = {"name": "power", "kind": "anomaly", "schema": {"price": {"type": "number"}, "hot": {"type": "boolean"}}}
    specification = Specification.model_validate(document)
    reader = write(bus, *(features(n, definition=specification.definition) for n in range(3)), label(1, 1))

    frame = training(reader, tmp_path, specification=specification)

    assert frame["__label"].to_list() == [None, True, None]


def test_a_training_set_is_the_same_from_the_archive(bus: MemoryBus, tmp_path: Path) -> None:
    reader = write(bus, *(features(n) for n in range(30)), *(label(n, n % 2) for n in range(0, 30, 2)))
    before = content_hash(training(reader, tmp_path))

    for topic, partition in ((FEATURES, 0), (LABELS, 1)):
        assert archive(reader, tmp_path, topic, partition)

    assert content_hash(training(Forgetful(reader, 15), tmp_path)) == before


def test_an_empty_training_set_has_its_columns(bus: MemoryBus, tmp_path: Path) -> None:
    frame = training(bus.reader("test"), tmp_path)

    assert (len(frame), tuple(frame.columns)) == (0, (*META_COLUMNS, "price", "hot"))


def test_a_row_without_a_field_that_no_input_is_made_of_is_whole(bus: MemoryBus, tmp_path: Path) -> None:
    document = SPECIFICATION.canonical | {"features": {"hot": {"expression": "hot"}}}
    narrow = Specification.model_validate(document)
    withheld = [(), ("price",), ("hot",), ("hot", "price")]
    rows = [features(n, withheld=names, definition=narrow.definition) for n, names in enumerate(withheld)]
    reader = write(bus, *rows, *(label(n, 1) for n in range(4)))

    assert training(reader, tmp_path, specification=narrow)["__id"].to_list() == ["e-0", "e-1"]
