"""What models were trained on: counted anew from the topics."""

from __future__ import annotations

from collections.abc import Iterator

from homeostat.simulation.run import Run
from shared.messages import Features, ModelPublished
from shared.topics import COMMANDS, FEATURES, LABELS, MODEL_PUBLISHED

Span = tuple[int, int, int]
_OPEN = 1 << 60


def clean(run: Run) -> Iterator[str]:
    labelled: dict[int, list[tuple[int, str, object]]] = {}
    for record, label in run.of(LABELS):
        labelled.setdefault(record.partition, []).append((record.offset, label.id, label.label))
    rows = [(record.partition, record.offset, message) for record, message in run.of(FEATURES)]
    for place, release in run.of(MODEL_PUBLISHED):
        if release.lineage.estimator == "" and release.command is not None:
            continue  # brought from outside: nobody here trained it
        withheld = stretches(run, place.timestamp_ms)
        counted = _counted(run, release, rows, labelled)
        if counted != release.lineage.rows:
            said = f"version {release.version} says {release.lineage.rows} rows"
            yield f"{said}, its ranges hold {counted} that may be used"
        for partition, start, until in withheld:
            first, end = release.lineage.features_ranges.get(str(partition), (0, 0))
            inside = (max(start, first), min(until, end))
            if inside[0] < inside[1] and not _within(inside, partition, release.lineage.excluded_ranges):
                yield f"version {release.version} was trained over features[{partition}] {inside}, which is quarantined"


def stretches(run: Run, before_ms: int) -> list[Span]:
    """The quarantined stretches of features that commands had named by this time."""
    found: list[Span] = []
    for place, command in run.of(COMMANDS):
        since = command.arguments.get("since")
        if command.action == "quarantine_source" and place.timestamp_ms < before_ms and isinstance(since, dict):
            ends = _release_of(run, command.arguments)
            for partition, start in since.items():
                until = _OPEN if ends is None else ends.get(partition, int(start))
                found.append((int(partition), int(start), until))
    return found


def _release_of(run: Run, arguments: dict[str, object]) -> dict[str, int] | None:
    for command in run.messages(COMMANDS):
        same = all(command.arguments.get(name) == arguments.get(name) for name in ("source", "fields"))
        until = command.arguments.get("until")
        if command.action == "release_source" and same and isinstance(until, dict):
            return until
    return None


def _counted(
    run: Run,
    release: ModelPublished,
    rows: list[tuple[int, int, Features]],
    labelled: dict[int, list[tuple[int, str, object]]],
) -> int:
    lineage = release.lineage
    truth: dict[str, object] = {}
    for partition, (start, until) in sorted(lineage.labels_ranges.items()):
        truth.update((id_, label) for offset, id_, label in labelled.get(int(partition), ()) if start <= offset < until)
    count = 0
    for partition_, offset, row in rows:
        start, until = lineage.features_ranges.get(str(partition_), (0, 0))
        usable = start <= offset < until and not row.withheld and row.definition == release.definition
        excluded = any(p == partition_ and a <= offset < b for p, a, b in lineage.excluded_ranges)
        told = run.world.specification.kind == "anomaly" or truth.get(row.id) is not None
        count += usable and not excluded and told
    return count


def _within(inside: tuple[int, int], partition: int, excluded: tuple[Span, ...]) -> bool:
    return any(p == partition and a <= inside[0] and b >= inside[1] for p, a, b in excluded)
