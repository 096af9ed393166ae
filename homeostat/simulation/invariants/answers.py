"""Answers: what a version is said to have answered is what its model says of the row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import isclose

from homeostat.simulation.ran import Run
from homeostat.simulation.simulation import KEY
from shared.errors import Poison
from shared.messages import ModelPublished, Value
from shared.models.artifact import load
from shared.models.store import MemoryStore
from shared.topics import FEATURES, MODEL_PUBLISHED, PREDICTIONS

CLOSE = 1e-6
Asked = tuple[str, str, dict[str, Value], Value]
"""Who is said to have answered (a role), which row, what the model was given, and what it is said to have said."""


def of_their_versions(run: Run) -> Iterator[str]:
    """Each model is loaded once more and asked all at once: sums may come out differently in the last digits."""
    store, asked = MemoryStore(), _asked(run)
    for artifact in run.artifacts.values():
        store.put(artifact)
    for release in {one.version: one for one in run.messages(MODEL_PUBLISHED)}.values():
        found = asked.get(release.version)
        if found:
            for (role, id_, _, said), right in zip(found, _answers(release, store, found), strict=True):
                if not _same(said, right):
                    yield f"version {release.version} ({role}) is said to answer {said} to {id_}, it answers {right}"


def _asked(run: Run) -> dict[str, list[Asked]]:
    rows = {(record.partition, record.offset): message for record, message in run.of(FEATURES)}
    found: dict[str, list[Asked]] = defaultdict(list)
    for one in run.messages(PREDICTIONS):
        if one.origin not in rows:
            continue
        values = rows[one.origin].values
        if one.reason is None:
            found[one.model_version].append((one.role, one.id, values, one.prediction))
        for shadow in one.shadows:
            found[shadow.model_version].append(("shadow", one.id, values, shadow.prediction))
    return found


def _answers(release: ModelPublished, store: MemoryStore, asked: Sequence[Asked]) -> Sequence[Value]:
    """A model that may not be loaded is another promise's."""
    try:
        return load(release.artifact, store, KEY).answer([values for _, _, values, _ in asked]).predictions
    except Poison:
        return [said for _, _, _, said in asked]


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE)
    return one == other
