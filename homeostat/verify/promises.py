"""The promises by name, and what the books say of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlparse

from homeostat.verify.books import Books, Place

GENESIS = "0" * 64
MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class Moment:
    """When the books were opened, and how long a thing may be under way before it counts as lost."""

    now: datetime
    grace: timedelta

    def young(self, timestamp_ms: int) -> bool:
        return timestamp_ms / 1000 > (self.now - self.grace).timestamp()


@dataclass(slots=True)
class Outcome:
    """How one promise stands: how many of its `unit` were looked at, which break it, how many are still under way."""

    promise: str
    about: str
    unit: str
    moment: Moment
    checked: int = 0
    under_way: int = 0
    broken: int = 0
    examples: list[str] = field(default_factory=list)

    def told(self) -> dict[str, object]:
        """As a JSON object."""
        names = ("promise", "about", "checked", "unit", "under_way", "broken", "examples")
        return {name: getattr(self, name) for name in names}

    def breaks(self, example: str) -> None:
        """Counts one breach; the first few are kept in words."""
        self.broken += 1
        if len(self.examples) < MOST_TOLD:
            self.examples.append(example)


Check = Callable[[Books, Outcome], None]


def outcomes_of(books: Books, now: datetime, grace_seconds: float) -> list[Outcome]:
    """Every promise, held against the books as of `now`."""
    moment, outcomes = Moment(now, timedelta(seconds=grace_seconds)), []
    for name, (about, unit, check) in PROMISES.items():
        outcome = Outcome(name, about, unit, moment)
        check(books, outcome)
        outcomes.append(outcome)
    return outcomes


def _one_fate(books: Books, outcome: Outcome) -> None:
    kept = _oldest_origin(books)
    first: dict[tuple[int, str, str], bytes] = {}
    for (partition, offset), row in books.raw.items():
        if offset < kept.get(partition, 0):
            continue
        outcome.checked += 1
        at = (partition, offset)
        made, labelled = books.made[at], books.labelled[at]
        fates = made + labelled + books.refused["raw-data", partition, offset]
        key = (partition, row.pipeline, row.id)
        if made:
            first.setdefault(key, row.digest)
        if fates == 0 and row.kind == "event" and first.get(key) == row.digest:
            continue  # the same event once more: counted once
        if fates == 0 and outcome.moment.young(row.timestamp_ms):
            outcome.under_way += 1
        elif fates == 0 or made > 1 or labelled > 1 or (fates > 1 and (row.kind != "event" or made != 1)):
            outcome.breaks(f"raw-data[{partition}]@{offset} ({row.id}) came to {made} features, {labelled} labels")


def _oldest_origin(books: Books) -> dict[int, int]:
    """By partition of `raw-data`, before which origin what was made of it may have expired; 0 where nothing has."""
    if not any(books.expired["features"].values()) and not any(books.expired["labels"].values()):
        return {}
    oldest: dict[int, int] = {}
    for partition, offset in (*books.made, *books.labelled):
        oldest[partition] = min(offset, oldest.get(partition, offset))
    return oldest


def _one_answer(books: Books, outcome: Outcome) -> None:
    oldest: dict[int, int] = {}
    if any(books.expired["predictions"].values()):
        for partition, offset in books.answered:
            oldest[partition] = min(offset, oldest.get(partition, offset))
    for (partition, offset), row in books.features.items():
        if offset < oldest.get(partition, 0):
            continue
        outcome.checked += 1
        answers, letters = books.answered[partition, offset], books.refused["features", partition, offset]
        if answers + letters == 0 and outcome.moment.young(row.timestamp_ms):
            outcome.under_way += 1
        elif answers + letters == 0 or answers > 1:
            outcome.breaks(f"features[{partition}]@{offset} ({row.id}) has {answers} predictions, {letters} letters")


def _once(books: Books, outcome: Outcome) -> None:
    for topic, ids in (("features", books.feature_ids), ("predictions", books.answer_ids)):
        for (pipeline, id_), count in ids.items():
            outcome.checked += 1
            if count > 1:
                outcome.breaks(f"{topic} has {pipeline} {id_} {count} times")


def _from_something(books: Books, outcome: Outcome) -> None:
    first_raw, first_features = books.expired["raw-data"], books.expired["features"]
    sources: tuple[tuple[str, Iterable[Place], dict[int, int], Mapping[Place, object]], ...] = (
        ("features", books.made, first_raw, books.raw),
        ("labels", books.labelled, first_raw, books.raw),
        ("predictions", books.answered, first_features, books.features),
    )
    for topic, origins, first, known in sources:
        end = _ends(known)
        for partition, offset in origins:
            if offset < first.get(partition, 0) or offset > end.get(partition, -1):
                continue  # its source has expired, or was written after the source topic had been read
            outcome.checked += 1
            if (partition, offset) not in known:
                outcome.breaks(f"a record of {topic} names offset {offset} of partition {partition}, which is none")


def _ends(rows: Mapping[Place, object]) -> dict[int, int]:
    ends: dict[int, int] = {}
    for partition, offset in rows:
        ends[partition] = max(offset, ends.get(partition, -1))
    return ends


def _labels(books: Books, outcome: Outcome) -> None:
    if any(books.expired["labels"].values()):
        return
    for pipeline, (_, labelled) in books.counted.items():
        outcome.checked += labelled
        there = sum(1 for name, _ in books.label_ids if name == pipeline)
        if labelled > there:
            outcome.breaks(f"{pipeline}: {labelled} labelled rows are counted, {there} ids have a label")


def _orders(books: Books, outcome: Outcome) -> None:
    for id_, order in books.orders.items():
        outcome.checked += 1
        ends = set(books.ends.get(id_, ()))
        if len(ends) > 1:
            outcome.breaks(f"{order.action} {id_} ended {len(ends)} times: {', '.join(sorted(e[0] for e in ends))}")
        elif not ends and datetime.fromisoformat(order.deadline) + outcome.moment.grace < outcome.moment.now:
            outcome.breaks(f"{order.action} {id_} has no end, its deadline was {order.deadline}")
        elif not ends:
            outcome.under_way += 1
    for (id_, version, stage), count in books.effects.items():
        if count > 1:
            outcome.breaks(f"command {id_} made version {version} {stage} {count} times")


def _artefacts(books: Books, outcome: Outcome) -> None:
    for (pipeline, version), count in books.versions.items():
        outcome.checked += 1
        artifact = books.published.get((pipeline, version))
        if artifact is None:
            outcome.breaks(f"{pipeline}: version {version} gave {count} answers and was never published")
            continue
        uri = urlparse(artifact["uri"])
        path = Path(unquote(uri.path))
        if uri.scheme != "file" or not path.is_file():
            continue  # kept elsewhere: its hash stands in the log, its bytes cannot be looked at from here
        if hashlib.sha256(path.read_bytes()).hexdigest() != artifact["sha256"]:
            outcome.breaks(f"{pipeline}: the bytes of version {version} at {path} are not those that were published")


def _reasons(books: Books, outcome: Outcome) -> None:
    for release in books.releases:
        outcome.checked += 1
        if not release.get("reason"):
            outcome.breaks(
                f"{release['pipeline']}: version {release['version']} became {release['stage']} for no reason"
            )


def _ledger(books: Books, outcome: Outcome) -> None:
    previous = GENESIS
    for number, entry in enumerate(books.ledger, 1):
        outcome.checked += 1
        body = {name: value for name, value in entry.items() if name != "hash"}
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if entry["sequence"] != number or entry["previous"] != previous:
            outcome.breaks(f"entry {entry['sequence']} does not follow entry {number - 1}")
        elif hashlib.sha256(text.encode()).hexdigest() != entry["hash"]:
            outcome.breaks(f"entry {entry['sequence']} is not what its hash was made of")
        previous = entry["hash"]


def _journal(books: Books, outcome: Outcome) -> None:
    for task, steps in books.steps.items():
        number: int | None = None
        reached: dict[tuple[str, int], int] = {}
        for step, inputs in steps:
            outcome.checked += 1
            if number is not None and step != number + 1:
                outcome.breaks(f"{task} took step {step} after step {number}")
            number = step
            for topic, partition, start, until in inputs:
                if start < reached.get((topic, partition), 0):
                    outcome.breaks(f"{task}, step {step}, took {topic}[{partition}] from {start} a second time")
                reached[topic, partition] = until


def _readable(books: Books, outcome: Outcome) -> None:
    outcome.checked = len(books.features) + len(books.ledger) + len(books.orders)
    for place in books.unreadable:
        outcome.breaks(f"{place} is no JSON object")


PROMISES: dict[str, tuple[str, str, Check]] = {
    "one-fate": ("every record taken in became features or a label, or one dead letter", "records taken in", _one_fate),
    "one-answer": ("every features record has one prediction, or one dead letter", "feature records", _one_answer),
    "once": ("no event is on features or predictions twice", "ids on a topic", _once),
    "from-something": (
        "every output names the record it was made from, and that record is there",
        "outputs",
        _from_something,
    ),
    "labels-once": ("no label is counted twice", "labels counted", _labels),
    "one-effect": ("every command ends once, by its deadline, and acts at most once", "commands", _orders),
    "known-models": ("what answers was published, and its bytes are those that were", "versions", _artefacts),
    "said-why": ("every change of the live version says why", "changes", _reasons),
    "ledger": ("the ledger's chain holds from the first entry on", "entries", _ledger),
    "journal": ("each task's steps follow each other, and take no record twice", "steps", _journal),
    "readable": ("the system's own records are readable", "records", _readable),
}
