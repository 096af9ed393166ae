"""The way of the data: nothing lost, nothing doubled, everything in order and traceable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from homeostat.simulation.ran import Run
from shared.messages import DeadLetter, RawRecord
from shared.topics import (
    ALERTS,
    AUDIT,
    COMMANDS,
    DEAD_LETTERS,
    FEATURES,
    LABELS,
    PIPELINES,
    PREDICTIONS,
    RAW_DATA,
    REQUESTS,
    STEPS,
    Topic,
)

Origin = tuple[int, int]


def nothing_lost(run: Run) -> Iterator[str]:
    for topic in (RAW_DATA, REQUESTS, PIPELINES):
        sent = Counter((one.key or b"", one.value) for one in run.world.inputs if one.topic == topic.name)
        there = Counter((record.key or b"", record.value) for record in run.records[topic.name])
        for (_, value), count in (sent - there).items():
            yield f"{topic.name} lacks {value[:80]!r}, {count} times"
        for (_, value), count in (there - sent).items():
            yield f"{topic.name} has {value[:80]!r}, {count} times too often"


def one_fate(run: Run) -> Iterator[str]:
    made = Counter(one.origin for one in run.messages(FEATURES))
    labelled = Counter(one.origin for one in run.messages(LABELS))
    refused = Counter((one.partition, one.offset) for one in letters_of(run, RAW_DATA.name))
    known = {(record.partition, record.offset): message for record, message in run.of(RAW_DATA)}
    before: dict[tuple[int, str], RawRecord] = {}
    defined = {one.pipeline for one in run.messages(PIPELINES)}
    # Whose clock was put forward and back counts no seconds until time has caught up, and rows wait as long.
    waits_on = any(one.name == "clock-jump" and one.service == "ingest" and one.amount > 0 for one in run.plan.faults)
    for record in run.records[RAW_DATA.name]:
        at = (record.partition, record.offset)
        message = known.get(at)
        fates = made[at] + labelled[at] + refused[at]
        if fates == 0 and message is not None and message.pipeline not in defined and waits_on:
            continue
        if message is not None and message.kind == "event" and fates == 0:
            same = before.get((record.partition, message.id))
            if same is None or same.values != message.values:
                yield f"raw-data{list(at)} ({message.id}) came to nothing"
        elif fates != 1:
            yield f"raw-data{list(at)} came to {made[at]} features, {labelled[at]} labels, {refused[at]} dead letters"
        if message is not None and made[at]:
            before[record.partition, message.id] = message


def first_stands(run: Run) -> Iterator[str]:
    """Whatever comes under an id that is known: its like changes nothing, other values are refused as a conflict."""
    made = {one.origin for one in run.messages(FEATURES)}
    why = {(one.partition, one.offset): one.reason for one in letters_of(run, RAW_DATA.name)}
    standing: dict[tuple[int, str, str], bytes] = {}
    for record, message in run.of(RAW_DATA):
        if message.kind != "event":
            continue
        at, id_ = (record.partition, record.offset), (record.partition, message.pipeline, message.id)
        values = msgspec.json.encode(message.values, order="sorted")
        first = standing.get(id_)
        if first is None:
            if at in made:
                standing[id_] = values
            if why.get(at) == "id-conflict":
                yield f"raw-data{list(at)} was refused, and nothing stands for {message.id}"
        elif at in made:
            yield f"raw-data{list(at)} was taken though {message.id} stood for a row already"
        elif first == values and why.get(at) == "id-conflict":
            yield f"raw-data{list(at)} was refused though it says of {message.id} what was said before"
        elif first != values and at not in why:
            yield f"raw-data{list(at)} says of {message.id} something else than the row that stands, and has no letter"


def let_in(run: Run) -> Iterator[str]:
    """By the log's clock, on which what a task does in one second cannot be told apart."""
    defined = {record.offset: message.pipeline for record, message in run.of(PIPELINES) if not message.removed}
    known: dict[tuple[str, str], int] = {}
    for record, step in run.of(STEPS):
        for topic, _, start, until in step.inputs:
            for offset in range(start, until) if topic == PIPELINES.name else ():
                if offset in defined:
                    known.setdefault((step.task, defined[offset]), record.timestamp_ms)
    for record, letter in run.of(DEAD_LETTERS):
        since = known.get((f"{letter.service}/{letter.partition}", letter.pipeline or ""))
        if letter.reason == "unknown-pipeline" and since is not None and record.timestamp_ms > since:
            late = (record.timestamp_ms - since) / 1000
            where = f"{letter.topic}[{letter.partition}]@{letter.offset}"
            yield f"{where} was refused {late:g} s after its task had read what defines {letter.pipeline}"


def one_answer(run: Run) -> Iterator[str]:
    answered = Counter(one.origin for one in run.messages(PREDICTIONS))
    refused = Counter(
        (one.partition, one.offset) for one in letters_of(run, FEATURES.name) if one.service == "predictor"
    )
    for record, message in run.of(FEATURES):
        at = (record.partition, record.offset)
        if answered[at] + refused[at] != 1:
            yield f"features{list(at)} ({message.id}) has {answered[at]} predictions and {refused[at]} dead letters"
    strange = answered.keys() - {(record.partition, record.offset) for record, _ in run.of(FEATURES)}
    for at in sorted(strange):
        yield f"a prediction names features{list(at)}, which is no record"


def unique(run: Run) -> Iterator[str]:
    kinds: tuple[tuple[str, Iterable[Any]], ...] = (
        ("event on features", ((one.pipeline, one.id) for one in run.messages(FEATURES))),
        ("event on predictions", ((one.pipeline, one.id) for one in run.messages(PREDICTIONS))),
        ("origin on features", (one.origin for one in run.messages(FEATURES))),
        ("origin on labels", (one.origin for one in run.messages(LABELS))),
        (
            "refusal",
            ((one.service, one.topic, one.partition, one.offset, one.id) for one in run.messages(DEAD_LETTERS)),
        ),
        (
            "alert",
            ((one.id, one.state, one.at, one.severity, one.evidence, one.causes) for one in run.messages(ALERTS)),
        ),
        ("command", (one.id for one in run.given(COMMANDS))),
        ("ledger entry", (one.sequence for one in run.messages(AUDIT))),
    )
    for what, found in kinds:
        for value, count in Counter(map(repr, found)).items():
            if count > 1:
                yield f"{what} {value[:120]} is there {count} times"


def order(run: Run) -> Iterator[str]:
    derived: tuple[Topic[Any], ...] = (FEATURES, PREDICTIONS, LABELS)
    for topic in derived:
        last: dict[tuple[int, int], int] = {}
        for record, message in run.of(topic):
            partition, offset = message.origin
            stream = (record.partition, partition)
            if offset <= last.get(stream, -1):
                where = f"{topic.name}[{record.partition}]@{record.offset}"
                yield f"{where} was made from offset {offset}, after {last[stream]}"
            last[stream] = offset


def lineage(run: Run) -> Iterator[str]:
    raw = {(record.partition, record.offset): message.id for record, message in run.of(RAW_DATA)}
    rows = {(record.partition, record.offset): message.id for record, message in run.of(FEATURES)}
    steps: tuple[tuple[Any, dict[Origin, str]], ...] = ((FEATURES, raw), (LABELS, raw), (PREDICTIONS, rows))
    for topic, sources in steps:
        for record, message in run.of(topic):
            if sources.get(message.origin) != message.id:
                where = f"{topic.name}[{record.partition}]@{record.offset}"
                source = sources.get(message.origin)
                yield f"{where} is {message.id}, made from {list(message.origin)}, which is {source}"


def whole_letters(run: Run) -> Iterator[str]:
    places = {(r.topic, r.partition, r.offset): r for records in run.records.values() for r in records}
    for letter in run.messages(DEAD_LETTERS):
        source = places.get((letter.topic, letter.partition, letter.offset))
        if not letter.reason or not letter.detail:
            yield f"the dead letter of {letter.topic}[{letter.partition}]@{letter.offset} says no reason"
        if source is not None and source.key != letter.key:
            yield f"the dead letter of {letter.topic}[{letter.partition}]@{letter.offset} has not that record's key"
        if source is None or source.value != letter.value:
            yield f"the dead letter of {letter.topic}[{letter.partition}]@{letter.offset} has not that record's bytes"


def no_handler_fails(run: Run) -> Iterator[str]:
    for letter in run.messages(DEAD_LETTERS):
        if letter.reason == "handler-failed":
            yield f"{letter.service} on {letter.topic}[{letter.partition}]@{letter.offset}: {letter.detail[:200]}"


def letters_of(run: Run, topic: str) -> list[DeadLetter]:
    return [letter for letter in run.messages(DEAD_LETTERS) if letter.topic == topic]
