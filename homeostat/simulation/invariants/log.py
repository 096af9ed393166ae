"""The log and its readers: what was committed, and what each step says it took."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from homeostat.simulation.faults import SERVICES
from homeostat.simulation.run import Run
from shared.topics import BY_NAME, STEPS, TELEMETRY

TopicPartition = tuple[str, int]

MOST_SILENT_SECONDS = 10.0
"""A pulse is due every two seconds."""


def offsets(run: Run) -> Iterator[str]:
    newest: dict[tuple[str, str, int], int] = {}
    for commit in run.commits:
        for (topic, partition), offset in commit.offsets.items():
            at = (commit.group, topic, partition)
            if offset < (before := newest.get(at, 0)):
                yield f"{commit.member} put {topic}[{partition}] back from {before} to {offset}"
            newest[at] = offset
    ends = run.settled
    for (group, topic, partition), offset in newest.items():
        end = ends.get((topic, partition), 0)
        if offset < end:
            yield f"{group} is at {offset} of {topic}[{partition}], which ends at {end}"
        if offset > run.ends[topic, partition]:
            yield f"{group} is at {offset} of {topic}[{partition}], past its end {run.ends[topic, partition]}"


def steps(run: Run) -> Iterator[str]:
    offsets_of = _offsets(run)
    numbers: dict[str, int] = {}
    reached: dict[tuple[str, str, int], int] = defaultdict(int)
    for _, step in run.of(STEPS):
        if step.step != numbers.get(step.task, 0) + 1:
            yield f"{step.task} took step {step.step} after {numbers.get(step.task, 0)}"
        numbers[step.task] = step.step
        for topic, partition, start, until in step.inputs:
            before = reached[step.task, topic, partition]
            if start < before:
                yield f"{step.task}, step {step.step}: {topic}[{partition}] from {start} again, after {before}"
            elif _between(offsets_of[topic, partition], before, start) and not _letter(run, topic, partition):
                where = f"{step.task}, step {step.step}: {topic}[{partition}]"
                yield f"{where} from {start}, nothing took what came after {before}"
            reached[step.task, topic, partition] = max(until, before)
    ends = run.settled
    for (task, topic, partition), until in reached.items():
        if until < ends.get((topic, partition), 0):
            yield f"{task} has taken {topic}[{partition}] up to {until}, it ends at {ends[topic, partition]}"


def pulses(run: Run) -> Iterator[str]:
    """By the log's clock: the services' own may be wrong."""
    last = {
        beat.service: record.timestamp_ms for record, beat in run.of(TELEMETRY) if record.timestamp_ms <= run.settled_ms
    }
    for service in SERVICES:
        silent = (run.settled_ms - last.get(service, 0)) / 1000
        if silent > MOST_SILENT_SECONDS:
            yield f"{service} has not beaten for {min(silent, 1e6):g} s when all had come to rest"


def _letter(run: Run, topic: str, partition: int) -> bool:
    """Whether records of this partition were refused one by one: such a step names no range for them."""
    return any(
        letter.topic == topic and letter.partition == partition and letter.reason == "handler-failed"
        for letter in run.messages(BY_NAME["dead-letters"])
    )


def _between(found: list[int], start: int, stop: int) -> bool:
    return bisect_left(found, start) < bisect_left(found, stop)


def _offsets(run: Run) -> dict[TopicPartition, list[int]]:
    found: dict[TopicPartition, list[int]] = defaultdict(list)
    for topic, records in run.records.items():
        for record in records:
            found[topic, record.partition].append(record.offset)
    return found
