"""From feature rows to predictions: one vectorised call per version, every answer tagged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from services.predictor.core.answer import Answer, answers_of
from services.predictor.core.assign import release_for
from services.predictor.core.releases import Live
from shared.messages import Features, ModelPublished, Prediction, ShadowAnswer
from shared.models.base import Model

ModelOf = Callable[[ModelPublished], Model]
Origin = tuple[int, int]
NOBODY = Live()


def predictions_of(
    rows: Sequence[Features], origins: Sequence[Origin], live: Mapping[str, Live], model_of: ModelOf
) -> list[Prediction]:
    """Exactly one prediction per row, in the order of the rows. `origins` are their log positions."""
    by_pipeline: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        by_pipeline.setdefault(row.pipeline, []).append(index)
    if len(by_pipeline) == 1:
        return _of_one(rows, origins, live.get(rows[0].pipeline, NOBODY), model_of)
    found: dict[int, Prediction] = {}
    for pipeline, indices in by_pipeline.items():
        mine = [rows[index] for index in indices]
        places = [origins[index] for index in indices]
        found.update(zip(indices, _of_one(mine, places, live.get(pipeline, NOBODY), model_of), strict=True))
    return [found[index] for index in range(len(rows))]


def _of_one(rows: Sequence[Features], origins: Sequence[Origin], live: Live, model_of: ModelOf) -> list[Prediction]:
    """Rows of one pipeline. A row that the canary cannot answer goes to the champion."""
    answers: list[tuple[Answer, ModelPublished | None]] = [(_no_model(live), None)] * len(rows)
    canary, champion = live.canary, live.champion
    if canary is not None:
        drawn = [i for i, row in enumerate(rows) if release_for(live, row.pipeline, row.entity) is canary]
        _fill(answers, canary, drawn, rows, model_of)
    if champion is not None:
        unanswered = [i for i, (answer, _) in enumerate(answers) if answer.reason is not None]
        _fill(answers, champion, unanswered, rows, model_of)
    shadows = _shadow_answers(rows, live.shadows, model_of)
    return [
        _prediction(row, origin, answer, release, live, shadow)
        for row, origin, (answer, release), shadow in zip(rows, origins, answers, shadows, strict=True)
    ]


def _fill(
    answers: list[tuple[Answer, ModelPublished | None]],
    release: ModelPublished,
    indices: Sequence[int],
    rows: Sequence[Features],
    model_of: ModelOf,
) -> None:
    """Puts this release's answers to the rows at `indices` into `answers`, those it may answer."""
    mine = [index for index in indices if _computed_for(release, rows[index])]
    if mine:
        given = answers_of(model_of(release), [rows[index].values for index in mine])
        for index, answer in zip(mine, given, strict=True):
            answers[index] = (answer, release)


def _shadow_answers(
    rows: Sequence[Features], shadows: Sequence[ModelPublished], model_of: ModelOf
) -> list[tuple[ShadowAnswer, ...]]:
    """Per row, what each shadow would have said; a shadow that cannot answer a row says nothing."""
    said: list[list[ShadowAnswer]] = [[] for _ in rows]
    for shadow in shadows:
        mine = [index for index, row in enumerate(rows) if _computed_for(shadow, row)]
        if mine:
            given = answers_of(model_of(shadow), [rows[index].values for index in mine])
            for index, answer in zip(mine, given, strict=True):
                if answer.reason is None:
                    said[index].append(_said(shadow, answer))
    return [tuple(answers) for answers in said]


def _said(shadow: ModelPublished, answer: Answer) -> ShadowAnswer:
    return ShadowAnswer(model_version=shadow.version, prediction=answer.prediction, score=answer.score)


def _computed_for(release: ModelPublished, row: Features) -> bool:
    return release.definition == row.definition


def _no_model(live: Live) -> Answer:
    if live.champion is None:
        return Answer(None, reason="no-model")
    return Answer(None, reason="features-changed: no live version takes features of this definition")


def _prediction(
    row: Features,
    origin: Origin,
    answer: Answer,
    release: ModelPublished | None,
    live: Live,
    shadows: tuple[ShadowAnswer, ...],
) -> Prediction:
    role: Literal["champion", "canary", "none"] = "none"
    if release is not None:
        role = "canary" if release is live.canary else "champion"
    return Prediction(
        pipeline=row.pipeline,
        id=row.id,
        entity=row.entity,
        at=row.at,
        prediction=answer.prediction,
        model_version=release.version if release is not None else "",
        role=role,
        probabilities=dict(answer.probabilities) if answer.probabilities is not None else None,
        score=answer.score,
        reason=answer.reason,
        withheld=row.withheld,
        shadows=shadows,
        origin=origin,
        received_at=row.received_at,
    )
