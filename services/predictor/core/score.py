"""From feature rows to predictions: one vectorised call per version, every answer tagged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from services.predictor.core.answer import Answer, answers_of
from services.predictor.core.assign import release_for
from services.predictor.core.releases import Live
from shared.messages import FeatureRow, ModelPublished, Prediction, ShadowAnswer
from shared.models.base import Model

ModelOf = Callable[[ModelPublished], Model]
Origin = tuple[int, int]
Role = Literal["champion", "canary", "none"]
Said = tuple[Answer, str, Role]
"""An answer with the version and the role that gave it."""

NOBODY = Live()


def predictions_of(
    rows: Sequence[FeatureRow], origins: Sequence[Origin], live: Mapping[str, Live], model_of: ModelOf
) -> list[Prediction]:
    """Exactly one prediction per row, in the order of the rows. `origins` are their log positions."""
    if len({row.pipeline for row in rows}) == 1:
        return _of_one(rows, origins, live.get(rows[0].pipeline, NOBODY), model_of)
    by_pipeline: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        by_pipeline.setdefault(row.pipeline, []).append(index)
    found: dict[int, Prediction] = {}
    for pipeline, indices in by_pipeline.items():
        mine = [rows[index] for index in indices]
        places = [origins[index] for index in indices]
        found.update(zip(indices, _of_one(mine, places, live.get(pipeline, NOBODY), model_of), strict=True))
    return [found[index] for index in range(len(rows))]


def _of_one(rows: Sequence[FeatureRow], origins: Sequence[Origin], live: Live, model_of: ModelOf) -> list[Prediction]:
    """Rows of one pipeline. A row that the canary cannot answer goes to the champion."""
    said = _said_by_champion(rows, live, model_of) or _said_by_any(rows, live, model_of)
    return [
        Prediction(
            pipeline=row.pipeline,
            id=row.id,
            entity=row.entity,
            at=row.at,
            prediction=answer.prediction,
            model_version=version,
            role=role,
            probabilities=answer.probabilities,
            score=answer.score,
            reason=answer.reason,
            withheld=row.withheld,
            shadows=shadows,
            origin=origin,
            received_at=row.received_at,
        )
        for row, origin, (answer, version, role), shadows in zip(
            rows, origins, said, _shadow_answers(rows, live.shadows, model_of), strict=True
        )
    ]


def _said_by_champion(rows: Sequence[FeatureRow], live: Live, model_of: ModelOf) -> list[Said]:
    """Where it may answer all of them, as nearly always. Otherwise nothing."""
    champion = live.champion
    if champion is None or live.canary is not None or {row.definition for row in rows} != {champion.definition}:
        return []
    version = champion.version
    return [(answer, version, "champion") for answer in answers_of(model_of(champion), [row.values for row in rows])]


def _said_by_any(rows: Sequence[FeatureRow], live: Live, model_of: ModelOf) -> list[Said]:
    said: list[Said] = [(_no_model(live), "", "none")] * len(rows)
    canary, champion = live.canary, live.champion
    if canary is not None:
        drawn = [i for i, row in enumerate(rows) if release_for(live, row.pipeline, row.entity) is canary]
        _fill(said, canary, "canary", drawn, rows, model_of)
    if champion is not None:
        unanswered = [i for i, (answer, _, _) in enumerate(said) if answer.reason is not None]
        _fill(said, champion, "champion", unanswered, rows, model_of)
    return said


def _fill(
    said: list[Said],
    release: ModelPublished,
    role: Role,
    indices: Sequence[int],
    rows: Sequence[FeatureRow],
    model_of: ModelOf,
) -> None:
    """Puts this release's answers to the rows at `indices` into `said`, those it may answer."""
    for index, answer in _answered(release, indices, rows, model_of):
        said[index] = (answer, release.version, role)


def _answered(
    release: ModelPublished, indices: Iterable[int], rows: Sequence[FeatureRow], model_of: ModelOf
) -> Iterable[tuple[int, Answer]]:
    """Of the rows at `indices` those whose features this release takes, each with its answer."""
    mine = [index for index in indices if rows[index].definition == release.definition]
    return zip(mine, answers_of(model_of(release), [rows[i].values for i in mine]), strict=True) if mine else ()


def _shadow_answers(
    rows: Sequence[FeatureRow], shadows: Sequence[ModelPublished], model_of: ModelOf
) -> list[tuple[ShadowAnswer, ...]]:
    """Per row, what each shadow would have said; a shadow that cannot answer a row says nothing."""
    if not shadows:
        return [()] * len(rows)
    said: list[list[ShadowAnswer]] = [[] for _ in rows]
    for shadow in shadows:
        for index, answer in _answered(shadow, range(len(rows)), rows, model_of):
            if answer.reason is None:
                said[index].append(_shadow_answer(shadow, answer))
    return [tuple(answers) for answers in said]


def _shadow_answer(shadow: ModelPublished, answer: Answer) -> ShadowAnswer:
    return ShadowAnswer(model_version=shadow.version, prediction=answer.prediction, score=answer.score)


def _no_model(live: Live) -> Answer:
    if live.champion is None:
        return Answer(None, reason="no-model")
    return Answer(None, reason="features-changed: no live version takes features of this definition")
