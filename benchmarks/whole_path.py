"""The whole path under load: events on `raw-data` to features, predictions and the monitor's metrics.

One process per service on this machine, exactly-once throughout, labels joined. The electricity
stream is repeated under fresh ids until there are enough rows. Run it with `make bench`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil

from benchmarks.common import keep, options
from homeostat.client import Client
from homeostat.local.stack import Stack, stack_settings
from homeostat.rows import Row, frame_of, rows_of
from shared.bus.base import LogReader, NewRecord
from shared.bus.factory import connect
from shared.clock import monotonic, utc_now
from shared.codec import decode, encode
from shared.messages import ModelPublished, RawRecord
from shared.pipeline.load import load
from shared.settings import CommonSettings, common_settings
from shared.topics import METRICS, MODEL_PUBLISHED, PREDICTIONS, RAW_DATA, Topic

EXAMPLE = Path(__file__).parents[1] / "examples" / "electricity"
PATH = ("ingest", "predictor", "monitor")
WARM_UP = 2000
CHUNK = 500
PATIENCE_SECONDS = 300.0


def main() -> int:
    arguments = options(__doc__)
    arguments.add_argument("--rows", type=int, default=100_000)
    arguments.add_argument("--data", type=Path, default=None, help="the stack's folder, kept; default: a passing one")
    given = arguments.parse_args()
    specification = load(EXAMPLE / "pipeline.yaml")
    table = rows_of(frame_of(str(EXAMPLE / "data.parquet")))
    with tempfile.TemporaryDirectory() as passing:
        settings = stack_settings(given.data or Path(passing), 0, os.environ)
        with Stack(settings) as stack:
            stack.start(progress=_tell)
            with Client(stack.urls["gateway"], stack.api_key) as client:
                client.define(specification.canonical)
            _first_model(common_settings(stack.environ), table)
        path = replace(settings, services=PATH, mlflow_tracking_uri="http://not.used.invalid")
        with Stack(path) as stack:
            stack.start(progress=_tell)
            figures = _measured(common_settings(stack.environ), table, given.rows)
    print(json.dumps(figures, indent=2))
    keep(figures, given.json)
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _first_model(settings: CommonSettings, table: list[Row]) -> None:
    """A model to answer with, made by the whole stack from the first labelled rows."""
    bus = connect(settings)
    producer, reader = bus.producer("bench"), bus.reader("bench")
    for chunk in records(settings.full_name(RAW_DATA.name), table, 0, WARM_UP):
        producer.send(chunk, 60.0)
    _wait_for_champion(reader, settings)


def _measured(settings: CommonSettings, table: list[Row], rows: int) -> dict[str, Any]:
    """Figures of the path alone: one process each of ingest, predictor and monitor, and the broker."""
    bus = connect(settings)
    producer, reader = bus.producer("bench"), bus.reader("bench")
    name = settings.full_name(RAW_DATA.name)
    idle, spent = _memory(), _processor()
    begun, seconds = utc_now(), monotonic()
    for chunk in records(name, table, WARM_UP, WARM_UP + rows):
        producer.send(chunk, 120.0)
    sent = monotonic() - seconds
    last_answer = _last_timestamp(reader, settings, PREDICTIONS, WARM_UP + rows)
    path = last_answer - begun.timestamp()
    watched = _wait_for_rows(reader, settings, WARM_UP + rows) - begun.timestamp()
    return {
        "rows": rows,
        "events_per_second_sent": round(rows / sent),
        "events_per_second_to_predictions": round(rows / path),
        "events_per_second_to_metrics": round(rows / watched),
        "processor_seconds": {name: round(value - spent.get(name, 0), 1) for name, value in _processor().items()},
        "memory_mib_before": idle,
        "memory_mib_after": _memory(),
    }


def records(topic: str, table: list[Row], start: int, stop: int) -> Iterator[list[NewRecord]]:
    """Events with fresh ids, each chunk followed by its labels, as a client would write them."""
    for first in range(start, stop, CHUNK):
        chunk: list[NewRecord] = []
        labels: list[NewRecord] = []
        for index in range(first, min(first + CHUNK, stop)):
            row = dict(table[index % len(table)])
            id_, label = f"bench-{index}", row.pop("target")
            row["id"] = id_
            event = RawRecord(pipeline="electricity", id=id_, entity="NSW", source="bench", values=row)
            truth = RawRecord(pipeline="electricity", id=id_, entity=id_, source="bench", kind="label", label=label)
            chunk.append(NewRecord(topic, b"NSW", encode(event)))
            labels.append(NewRecord(topic, id_.encode(), encode(truth)))
        yield chunk + labels


def _messages(reader: LogReader, settings: CommonSettings, topic: Topic[Any]) -> Iterator[Any]:
    name = settings.full_name(topic.name)
    for partition, end in reader.end_offsets(name).items():
        for chunk in reader.read(name, partition, 0, end):
            for record in chunk:
                yield decode(topic, record.value)


def _wait_for_champion(reader: LogReader, settings: CommonSettings) -> None:
    deadline = monotonic() + PATIENCE_SECONDS
    while not any(isinstance(m, ModelPublished) for m in _messages(reader, settings, MODEL_PUBLISHED)):
        if monotonic() > deadline:
            raise TimeoutError(f"no model after {PATIENCE_SECONDS:.0f} s: see the trainer's log")
        time.sleep(0.2)


def _last_timestamp(reader: LogReader, settings: CommonSettings, topic: Topic[Any], rows: int) -> float:
    """When the `rows`-th record of the topic was written, in seconds since the epoch."""
    name = settings.full_name(topic.name)
    reader.follow({(name, partition): 0 for partition in reader.end_offsets(name)})
    seen, newest = 0, 0
    deadline = monotonic() + PATIENCE_SECONDS
    while seen < rows:
        for record in reader.poll(5000, 1.0):
            seen += 1
            newest = max(newest, record.timestamp_ms)
        if monotonic() > deadline:
            raise TimeoutError(f"{seen} of {rows} records on {name} after {PATIENCE_SECONDS:.0f} s")
    return newest / 1000


def _wait_for_rows(reader: LogReader, settings: CommonSettings, rows: int) -> float:
    """When the monitor published that it has seen so many rows, within one window."""
    name = settings.full_name(METRICS.name)
    reader.follow({(name, partition): 0 for partition in reader.end_offsets(name)})
    deadline = monotonic() + PATIENCE_SECONDS
    while monotonic() < deadline:
        for record in reader.poll(5000, 1.0):
            if decode(METRICS, record.value).rows_seen >= rows - CHUNK:
                return record.timestamp_ms / 1000
    raise TimeoutError(f"the monitor did not get to row {rows} within {timedelta(seconds=PATIENCE_SECONDS)}")


def _by_part(figure: Callable[[psutil.Process], float]) -> dict[str, float]:
    """A figure of this stack's processes, added up by what they run, and in all."""
    found: dict[str, float] = {}
    for process in psutil.Process().children(recursive=True):
        try:
            line = process.cmdline()
            name = next((part.split(".")[1] for part in line if part.startswith("services.")), "")
            name = name or next((n for n in ("kafka", "redis", "mlflow") if n in " ".join(line)), "workers")
            found[name] = found.get(name, 0) + figure(process)
        except psutil.Error:
            continue
    return {name: round(value, 1) for name, value in sorted({**found, "total": sum(found.values())}.items())}


def _memory() -> dict[str, float]:
    """Resident MiB."""
    return _by_part(lambda process: process.memory_info().rss / 2**20)


def _processor() -> dict[str, float]:
    """Processor seconds so far."""
    return _by_part(lambda process: sum(process.cpu_times()[:2]))


if __name__ == "__main__":
    sys.exit(main())
