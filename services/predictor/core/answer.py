"""Answers of one model, each row for itself: a row that the model cannot take harms no other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from shared.errors import HomeostatError
from shared.messages import Value
from shared.models.base import Answers, Model

_REASON_CHARACTERS = 200
_ONE_BY_ONE = 8


class Answer(msgspec.Struct, frozen=True, gc=False):
    """One row's answer. `reason` says why there is no prediction, and is None where there is one."""

    prediction: Value
    score: float | None = None
    probabilities: dict[str, float] | None = None
    reason: str | None = None


def answers_of(model: Model, rows: Sequence[Mapping[str, Value]]) -> list[Answer]:
    """One answer per row, in order.

    All rows are one call. Where that raises, halves are tried, then single rows, so that exactly the
    rows that raise alone go without an answer.
    """
    if not rows:
        return []
    try:
        return _rows(model.answer(rows), len(rows))
    except Exception as error:  # noqa: BLE001 - a model is a guest: whatever it raises concerns its rows alone
        if len(rows) == 1:
            return [Answer(None, reason=_reason(error))]
    if len(rows) <= _ONE_BY_ONE:
        return [answer for row in rows for answer in answers_of(model, [row])]
    middle = len(rows) // 2
    return answers_of(model, rows[:middle]) + answers_of(model, rows[middle:])


def _rows(answers: Answers, count: int) -> list[Answer]:
    found = [Answer(*row) for row in zip(answers.predictions, answers.scores, answers.probabilities, strict=True)]
    if len(found) != count:
        raise ValueError(f"{len(found)} answers to {count} rows")
    if [value for value in answers.predictions if isinstance(value, float) and not math.isfinite(value)]:
        return [_checked(answer) for answer in found]
    return found


def _checked(answer: Answer) -> Answer:
    if isinstance(answer.prediction, float) and not math.isfinite(answer.prediction):
        return Answer(None, reason="model-failed: the prediction is not a finite number")
    return answer


def _reason(error: Exception) -> str:
    what = str(error) if isinstance(error, HomeostatError) else f"{type(error).__name__}: {error}"
    return f"model-failed: {what}"[:_REASON_CHARACTERS]
