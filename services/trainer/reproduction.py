"""Makes a version again from its lineage and compares: the promise of `Lineage`, kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.trainer.core.candidates import candidates_for
from services.trainer.core.fitting import Row, data_of, fitted, libraries_of
from services.trainer.dataset import Source, features_of, reproduced
from shared.errors import HomeostatError
from shared.history import content_hash
from shared.messages import ModelPublished, Value
from shared.models.artifact import load_estimator
from shared.models.base import Answers, Model
from shared.models.store import ArtifactStore


class NotReproducible(HomeostatError):
    """The lineage does not say how the version was made, or what it was made from is gone."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What making it again came to. `differing` counts the training rows that the two models answer differently.

    `libraries` maps each library whose version is another one now to (then, now).
    """

    rows: int
    rows_then: int
    data_hash: str
    data_hash_then: str
    differing: int
    libraries: dict[str, tuple[str, str]]

    @property
    def same_data(self) -> bool:
        return self.data_hash == self.data_hash_then

    @property
    def same(self) -> bool:
        """The same rows, and the same answer to each of them."""
        return self.same_data and self.differing == 0


def reproduction_of(
    published: ModelPublished, source: Source, store: ArtifactStore, signing_key: bytes
) -> Reproduction:
    """Reads the very rows again, fits the same learner on them, and holds its answers against the artefact's."""
    lineage, specification = published.lineage, source.specification
    if not lineage.estimator:
        raise NotReproducible(
            f"version {published.version} of {published.pipeline} was not trained from rows alone: "
            "it was brought from outside, or is another version recalibrated"
        )
    if specification.digest != lineage.specification_digest:
        raise NotReproducible(
            f"version {published.version} was made under another specification "
            f"(version {lineage.specification_version}) than the one given"
        )
    frame = reproduced(source, lineage)
    rows = features_of(frame, specification)
    data = data_of(specification, rows, frame["__label"].to_list())
    candidate = candidates_for(specification.kind, (lineage.estimator,))[0]
    again = fitted(candidate, dict(lineage.parameters), data, lineage.seed)
    now = libraries_of(candidate.library)
    return Reproduction(
        rows=frame.height,
        rows_then=lineage.rows,
        data_hash=content_hash(frame),
        data_hash_then=lineage.data_hash,
        differing=_differing(again, load_estimator(published.artifact, store, signing_key), rows),
        libraries={
            name: (then, now.get(name, "none")) for name, then in lineage.libraries.items() if now.get(name) != then
        },
    )


def _differing(first: Model, second: Model, rows: Sequence[Row]) -> int:
    pairs = zip(_told(first.answer(rows)), _told(second.answer(rows)), strict=True)
    return sum(one != other for one, other in pairs)


def _told(answers: Answers) -> list[tuple[Value, float | None]]:
    return list(zip(answers.predictions, answers.scores, strict=True))
