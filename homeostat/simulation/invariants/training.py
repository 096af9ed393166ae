"""What models were trained on: counted anew from the topics."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

import msgspec

from homeostat.simulation.brought import BROUGHT
from homeostat.simulation.ran import Run
from shared.bus.base import Record
from shared.messages import Features, ModelPublished
from shared.pipeline.specification import Specification
from shared.topics import COMMANDS, FEATURES, LABELS, METRICS, MODEL_PUBLISHED, PIPELINES, STEPS

Span = tuple[str, int, int, int]
"""Source, partition, from, until."""
_OPEN = 1 << 60
_META = {
    "__id": "String",
    "__entity": "String",
    "__source": "String",
    "__at": "Datetime(time_unit='us', time_zone='UTC')",
    "__partition": "Int32",
    "__offset": "Int64",
}
"""What a training set holds beside a label and its features, with the names of the types that its hash begins with."""


def clean(run: Run) -> Iterator[str]:
    labelled: dict[int, list[tuple[int, str, object]]] = {}
    for record, label in run.of(LABELS):
        labelled.setdefault(record.partition, []).append((record.offset, label.id, label.label))
    rows = [(record.partition, record.offset, message) for record, message in run.of(FEATURES)]
    for place, release in run.of(MODEL_PUBLISHED):
        if release.lineage.code_revision == BROUGHT:
            continue  # brought from outside: nobody here trained it
        withheld = stretches(run, _before(place.timestamp_ms))
        usable = _usable(run, release, rows, labelled)
        if len(usable) < release.lineage.rows or not _tight(release, usable[-release.lineage.rows :]):
            said = f"version {release.version} says {release.lineage.rows} rows"
            yield f"{said}, its ranges hold {len(usable)} that may be used"
        for source, partition, start, until in withheld:
            spoilt = [
                offset
                for at, offset, row in rows
                if at == partition
                and start <= offset < until
                and row.source == source
                and _used(release, at, offset, row)
            ]
            if spoilt:
                where = f"features[{partition}]@{spoilt[0]} and {len(spoilt) - 1} more rows of {source}"
                yield f"version {release.version} was trained on {where}, which were quarantined"


def as_told(run: Run) -> Iterator[str]:
    """By the hash in its lineage, made anew from the topics: each row as it came, with the last label in its ranges."""
    places = {(record.partition, record.offset): message for record, message in run.of(FEATURES)}
    rows = [(partition, offset, message) for (partition, offset), message in places.items()]
    labelled: dict[int, list[tuple[int, str, object]]] = {}
    for record, label in run.of(LABELS):
        labelled.setdefault(record.partition, []).append((record.offset, label.id, label.label))
    defined = [Specification.model_validate(one.specification) for one in run.messages(PIPELINES) if not one.removed]
    features = {one.definition: one.feature_names for one in defined}
    seen: set[str] = set()
    for release in run.messages(MODEL_PUBLISHED):
        if release.version in seen or release.lineage.code_revision == BROUGHT:
            continue
        seen.add(release.version)
        truth = _truth(release, labelled)
        used = _usable(run, release, rows, labelled)[-release.lineage.rows :]
        taken = [(place, places[place], truth.get(places[place].id)) for place in used]
        if _hash(run, features[release.definition], taken) != release.lineage.data_hash:
            yield f"version {release.version} learned from other rows or labels than its lineage gives on the topics"


def _hash(run: Run, names: Sequence[str], taken: list[tuple[tuple[int, int], Features, object]]) -> str:
    label = {"binary": "Int64", "regression": "Float64"}.get(run.world.specification.kind, "Boolean")
    types = [*_META.items(), ("__label", label), *((name, "Float64") for name in names)]
    digest = hashlib.sha256(msgspec.json.encode(types))
    for (partition, offset), row, truth in taken:
        cells = [row.values.get(name) for name in names]
        digest.update(msgspec.json.encode([row.id, row.entity, row.source, row.at, partition, offset, truth, *cells]))
    return digest.hexdigest()


def ordered(run: Run) -> Iterator[str]:
    """What the trainer had read of quarantines before it asked for the job, held against what the job may not take."""
    seen: set[str] = set()
    for one in run.begun:
        rows = one.job.arguments.get("rows")
        if one.job.id in seen or not isinstance(rows, dict):
            continue  # begun again, it takes what it was asked for at first
        seen.add(one.job.id)
        excluded = _left_out(rows)
        known = _commands_read(run, one.entries)
        for source, partition, start, until in known:
            open_ = [
                record.offset
                for record, row in run.of(FEATURES)
                if record.partition == partition and start <= record.offset < until and row.source == source
                if not row.withheld
                and not any(
                    p == partition and a <= record.offset < b and of in ("", source) for p, a, b, of in excluded
                )
            ]
            if open_:
                where = f"features[{partition}]@{open_[0]} and {len(open_) - 1} more rows of {source}"
                yield f"{one.job.name} {one.job.id} was asked to take {where}, which were quarantined"


def _left_out(rows: dict[str, Any]) -> list[tuple[int, int, int, str]]:
    """The stretches that a job leaves out, and whose rows there: "" are all."""
    sources = chain(rows.get("sources", ()), repeat(""))
    spans = zip(rows.get("excluded", ()), sources)  # noqa: B905 - the rest is ""
    return [(int(p), int(a), _OPEN if b is None else int(b), str(of)) for (p, a, b), of in spans]


def _commands_read(run: Run, entries: int) -> list[Span]:
    """The quarantined stretches as the trainer knew them before its last step among so many entries of the journal."""
    read = [step for step in run.messages(STEPS)[:entries] if step.task == "trainer"][:-1]
    until = max((end for step in read for topic, _, _, end in step.inputs if topic == COMMANDS.name), default=0)
    return stretches(run, lambda place: place.offset < until)


def stretches(run: Run, known: Callable[[Record], bool]) -> list[Span]:
    """The quarantined stretches of features that the commands that are known had named."""
    found: list[Span] = []
    for place, command in run.of(COMMANDS):
        since = command.arguments.get("since")
        if command.action == "quarantine_source" and known(place) and isinstance(since, dict):
            ends = _ends(run, command.arguments)
            for partition, start in since.items():
                until = _OPEN if ends is None else ends.get(partition, int(start))
                found.append((str(command.arguments.get("source")), int(partition), int(start), until))
    return found


def _before(time_ms: int) -> Callable[[Record], bool]:
    return lambda place: place.timestamp_ms < time_ms


def _ends(run: Run, arguments: dict[str, object]) -> dict[str, int] | None:
    """Where a quarantine ended, by partition; None while it lasts.

    As its release says; else after its last row, and no later than where the monitor had last seen the
    stream: rows after that which came before the quarantine took hold were never suspect.
    """
    for place, command in run.of(COMMANDS):
        same = all(command.arguments.get(name) == arguments.get(name) for name in ("source", "fields"))
        if command.action == "release_source" and same:
            until = command.arguments.get("until")
            if isinstance(until, dict):
                return until
            seen = _seen_by_monitor(run, place.timestamp_ms)
            return {at: min(end, seen.get(at, end)) for at, end in _last_withheld(run, arguments).items()}
    return None


def _seen_by_monitor(run: Run, before_ms: int) -> dict[str, int]:
    """By partition, the newest offset that metrics had named by this time."""
    seen: dict[str, int] = {}
    for place, metrics in run.of(METRICS):
        if place.timestamp_ms < before_ms:
            for partition, offset in metrics.window.positions.items():
                seen[partition] = max(offset, seen.get(partition, 0))
    return seen


def _last_withheld(run: Run, arguments: dict[str, object]) -> dict[str, int]:
    fields = arguments.get("fields")
    named = {str(field) for field in fields} if isinstance(fields, list) else set()
    return {
        str(record.partition): record.offset + 1
        for record, row in run.of(FEATURES)
        if row.source == arguments.get("source") and named & set(row.withheld)
    }


def _usable(
    run: Run,
    release: ModelPublished,
    rows: list[tuple[int, int, Features]],
    labelled: dict[int, list[tuple[int, str, object]]],
) -> list[tuple[int, int]]:
    """Where the rows stand that the version's ranges hold and that may be used, oldest event first."""
    truth = _truth(release, labelled)
    found = [
        ((row.at, row.origin), (at, offset))
        for at, offset, row in rows
        if run.world.specification.kind == "anomaly" or truth.get(row.id) is not None
        if _used(release, at, offset, row)
    ]
    return [place for _, place in sorted(found)]


def _truth(release: ModelPublished, labelled: dict[int, list[tuple[int, str, object]]]) -> dict[str, object]:
    """By id, the last label that the version's ranges hold."""
    truth: dict[str, object] = {}
    for partition, (start, until) in sorted(release.lineage.labels_ranges.items()):
        truth.update((id_, label) for offset, id_, label in labelled.get(int(partition), ()) if start <= offset < until)
    return truth


def _tight(release: ModelPublished, used: list[tuple[int, int]]) -> bool:
    """Whether the version's ranges begin with its own rows: where rows came out of order they hold older ones too."""
    firsts: dict[int, int] = {}
    for partition, offset in used:
        firsts[partition] = min(offset, firsts.get(partition, offset))
    ranges = release.lineage.features_ranges
    return all(ranges[str(partition)][0] == first for partition, first in firsts.items())


def _used(release: ModelPublished, partition: int, offset: int, row: Features) -> bool:
    """Whether the version's ranges take this row in."""
    start, until = release.lineage.features_ranges.get(str(partition), (0, 0))
    usable = start <= offset < until and not row.withheld and row.definition == release.definition
    left_out = release.lineage.left_out
    return usable and not any(p == partition and a <= offset < b and of in ("", row.source) for p, a, b, of in left_out)
