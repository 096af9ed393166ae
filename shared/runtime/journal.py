"""Restoring a task: its snapshot, then the journaled steps after it, replayed on the same records."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import structlog

from shared import codec
from shared.bus.base import LogReader, Record
from shared.errors import Poison
from shared.messages import JobFinished, StepTaken
from shared.runtime.host import Slice, TaskHost
from shared.state import Snapshot
from shared.topics import JOB_RESULTS, STEPS, topics_read_by

_log = structlog.get_logger("homeostat.runtime")

WINDOW_RECORDS = 20_000
"""Steps are replayed in windows of about this many records: one read per partition and window."""

READ_SECONDS = 60.0
"""How long to wait for a transaction that is open in the log: above Kafka's transaction timeout."""


def begin_from(host: TaskHost, snapshot: Snapshot) -> bool:
    """Whether the service took the snapshot over. If not, the host is spent."""
    try:
        host.service.restore(snapshot.state)
    except Exception as error:  # noqa: BLE001 - whatever the service makes of old bytes, the journal is there
        _log.error("state not restored, replaying the whole journal", task=host.task.name, error=str(error))
        return False
    host.step, host.now, host.incomplete = snapshot.step, snapshot.now, snapshot.incomplete
    host.positions = {(topic, partition): offset for topic, partition, offset in snapshot.positions}
    host.ended_jobs = dict.fromkeys(snapshot.ended_jobs)
    return True


def replay(
    host: TaskHost, start: int, reader: LogReader, full_name: Callable[[str], str], alive: Callable[[], None]
) -> int:
    """Replays the steps after `host.step` from journal offset `start`; returns how many.

    Waits for transactions that are open: what was decided before this call is seen by it. `alive` is
    called again and again on the way, for whoever would take a long replay for a hanging process.
    """
    count = 0
    for window in _windows(_entries(host, start, reader, full_name(STEPS.name), alive)):
        records = _records_of(window, host, reader, full_name)
        for entry in window:
            alive()
            if entry.step != host.step + 1:
                host.incomplete = (
                    host.incomplete or f"steps {host.step + 1} to {entry.step - 1} are gone from the journal"
                )
                _log.error(
                    "the journal has a gap: state is incomplete", task=host.task.name, after=host.step, found=entry.step
                )
            host.replay(entry, list(_slices(entry, records)))
            count += 1
    return count


def _entries(
    host: TaskHost, start: int, reader: LogReader, steps: str, alive: Callable[[], None]
) -> Iterator[StepTaken]:
    key, known = host.task.name.encode(), host.step
    begin, stop = reader.begin_offsets(steps)[0], reader.written_offsets(steps)[0]
    for chunk in reader.read(steps, 0, max(start, begin), stop, READ_SECONDS):
        alive()
        for record in chunk:
            if record.key == key and (entry := _entry(record)) is not None and entry.step > known:
                known = entry.step
                yield entry


def _entry(record: Record) -> StepTaken | None:
    try:
        return codec.decode(STEPS, record.value)
    except Poison as poison:
        _log.error("journal entry skipped", offset=record.offset, error=poison.detail)
        return None


def job_end(record: Record) -> JobFinished | None:
    """The end of a job in a record of `job-results`, or None where it is none."""
    try:
        return codec.decode(JOB_RESULTS, record.value)
    except Poison:
        return None


def _windows(entries: Iterator[StepTaken]) -> Iterator[list[StepTaken]]:
    # The journal is read to its end first: one reader cannot be in two places.
    window: list[StepTaken] = []
    records = 0
    for entry in list(entries):
        window.append(entry)
        records += sum(until - start for _, _, start, until in entry.inputs)
        if records >= WINDOW_RECORDS:
            yield window
            window, records = [], 0
    if window:
        yield window


def _records_of(
    window: Sequence[StepTaken], host: TaskHost, reader: LogReader, full_name: Callable[[str], str]
) -> dict[tuple[str, int], list[Record]]:
    known = {topic.name for topic in topics_read_by(host.task.service)} | {JOB_RESULTS.name}
    spans: dict[tuple[str, int], tuple[int, int]] = {}
    for topic, partition, start, until in chain.from_iterable(entry.inputs for entry in window):
        if topic in known and start < until:
            first, last = spans.get((topic, partition), (start, until))
            spans[topic, partition] = (min(first, start), max(last, until))
    found: dict[tuple[str, int], list[Record]] = {}
    for (topic, partition), (start, until) in spans.items():
        begin = reader.begin_offsets(full_name(topic))[partition]
        if begin > start:
            host.incomplete = host.incomplete or f"{topic}[{partition}] from {start} to {begin} is gone from the log"
            _log.error(
                "records of journaled steps are gone: state is incomplete, keep them longer than snapshots may be old",
                task=host.task.name,
                topic=topic,
                partition=partition,
                needed=start,
                first=begin,
            )
        if begin < until:
            pieces = reader.read(full_name(topic), partition, max(start, begin), until, READ_SECONDS)
            found[topic, partition] = list(chain.from_iterable(pieces))
    return found


def _slices(entry: StepTaken, records: dict[tuple[str, int], list[Record]]) -> Iterator[Slice]:
    for topic, partition, start, until in entry.inputs:
        source = records.get((topic, partition), [])
        first, last = (bisect_left(source, offset, key=lambda record: record.offset) for offset in (start, until))
        if first < last:
            yield Slice(topic, partition, source[first:last])
