"""The log and its readers: what was committed, and what each step says it took."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from homeostat.simulation.faults import SERVICES
from homeostat.simulation.ran import Run
from shared.messages import StepTaken
from shared.topics import BY_NAME, STEPS, TELEMETRY, topics_read_by

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


def fenced(run: Run) -> Iterator[str]:
    """By the epochs of the members that committed."""
    newest: dict[str, int] = {}
    for commit in run.commits:
        slot, _, epoch = commit.member.rpartition("/")
        if int(epoch) < newest.get(slot, 0):
            yield f"{commit.member} committed {dict(commit.offsets)}, and epoch {newest[slot]} had its place"
        newest[slot] = max(int(epoch), newest.get(slot, 0))
    for service in run.undead:
        yield f"a process of {service} goes on though another has its place"


def steps(run: Run) -> Iterator[str]:
    offsets_of = _offsets(run)
    numbers: dict[str, int] = {}
    times: dict[str, datetime] = {}
    reached: dict[tuple[str, str, int], int] = defaultdict(int)
    for _, step in run.of(STEPS):
        if step.step != numbers.get(step.task, 0) + 1:
            yield f"{step.task} took step {step.step} after {numbers.get(step.task, 0)}"
        numbers[step.task] = step.step
        if step.now < times.setdefault(step.task, step.now):
            yield f"{step.task}, step {step.step}: its time went back from {times[step.task]:%X} to {step.now:%X}"
        times[step.task] = max(step.now, times[step.task])
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


def rules_first(run: Run) -> Iterator[str]:
    """A service that was away: what data is judged by may have changed meanwhile."""
    entries, offsets_of = run.messages(STEPS), _offsets(run)
    reached: dict[tuple[str, str], int] = defaultdict(int)
    waiting = list(run.restarts)
    unread: dict[str, dict[str, int]] = {}
    for number, step in enumerate(entries):
        while waiting and waiting[0].entries <= number:
            restart = waiting.pop(0)
            unread |= dict.fromkeys(_tasks_of(restart.service, entries), restart.rules)
        for topic, _, _, until in step.inputs:
            reached[step.task, topic] = max(until, reached[step.task, topic])
        if any(BY_NAME[topic].spread and start < until for topic, _, start, until in step.inputs):
            for topic, end in unread.pop(step.task, {}).items():
                if _between(offsets_of[topic, 0], reached[step.task, topic], end) and _reads(step.task, topic):
                    where = f"{step.task}, step {step.step}, the first with data after a start"
                    yield f"{where}: {topic} is read up to {reached[step.task, topic]}, it ended at {end}"


def _tasks_of(service: str, entries: list[StepTaken]) -> set[str]:
    return {step.task for step in entries if step.task.split("/")[0] == service}


def _reads(task: str, topic: str) -> bool:
    return any(one.name == topic for one in topics_read_by(task.split("/", maxsplit=1)[0]))


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
