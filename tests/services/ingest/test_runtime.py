"""Ingest under the runtime: killed at any time it gives what it would have given, and its archive can be trained on."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from services.ingest.jobs import JOBS
from services.ingest.service import Ingest
from services.ingest.settings import IngestSettings
from shared.codec import encode
from shared.history import available, segments_of, training_set
from shared.messages import PipelineDefined, RawRecord
from shared.pipeline.load import load
from shared.runtime.memory import START, MemoryRuntime
from shared.settings import CommonSettings
from shared.topics import DEAD_LETTERS, FEATURES, LABELS, PIPELINES, RAW_DATA

EXAMPLE = Path(__file__).parents[3] / "examples" / "electricity"
SPECIFICATION = load(EXAMPLE / "pipeline.yaml")
ROWS = 300


def runtime(folder: Path) -> MemoryRuntime:
    settings = IngestSettings(archive_rows=100)
    made = MemoryRuntime(
        {"ingest": lambda task: Ingest(task.partition, settings)},
        jobs={"ingest": JOBS},
        settings=CommonSettings(bootstrap_servers="memory", data_dir=folder, topic_prefix="own-"),
    )
    definition = PipelineDefined(
        pipeline=SPECIFICATION.name,
        version=1,
        digest=SPECIFICATION.digest,
        specification=SPECIFICATION.canonical,
        at=START,
        issued_by="test",
    )
    made.put(PIPELINES, definition)
    return made


def streamed(made: MemoryRuntime, *, crash_every: int | None = None) -> list[bytes]:
    frame = pl.read_parquet(EXAMPLE / "data.parquet").head(ROWS)
    rows = frame.with_columns(pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).to_dicts()
    for number, row in enumerate(rows):
        made.put(RAW_DATA, RawRecord(pipeline="electricity", id=row["id"], entity=row["region"], values=row))
        if number % 10 == 9:
            made.advance(1)
        if crash_every is not None and number % crash_every == 0:
            made.crash("ingest")
    made.advance(2)
    return [encode(message) for message in (*made.messages(FEATURES), *made.messages(LABELS))]


def test_a_service_that_is_killed_again_and_again_gives_the_same_records(tmp_path: Path) -> None:
    steady = streamed(runtime(tmp_path / "steady"))
    killed = streamed(runtime(tmp_path / "killed"), crash_every=37)

    assert len(steady) == 2 * ROWS
    assert killed == steady


def test_the_archive_holds_what_the_log_holds(tmp_path: Path) -> None:
    made = runtime(tmp_path)
    streamed(made)
    reader = made.bus.reader("test")

    ranges = {
        topic.name: available(reader, tmp_path, topic, SPECIFICATION.name, topic_prefix="own-")
        for topic in (FEATURES, LABELS)
    }
    frame = training_set(reader, tmp_path, SPECIFICATION, ranges["features"], ranges["labels"], topic_prefix="own-")

    assert any(segments_of(tmp_path, "features", partition) for partition in range(4))
    assert len(frame) == ROWS
    assert frame["__id"].to_list() == [f"elec-{n:05d}" for n in range(ROWS)]
    assert made.messages(DEAD_LETTERS) == []
