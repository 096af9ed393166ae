"""A compiled model held against its estimator on the rows it was trained on, and on rows with gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.trainer.core.fitting import Row
from shared.messages import Value
from shared.models.base import Answers, Model
from shared.models.metadata import ModelMetadata
from shared.models.program import Floats

BOUND = 1e-6
"""Probabilities and scores may differ by this much; a regression's numbers by this share of the largest."""

_SINGLY = 32
_UNSEEN = "a category that no row has"


@dataclass(frozen=True, slots=True)
class Proof:
    """How the two answered: on how many rows, how far apart at most, and what stands against the compiled one."""

    rows: int
    largest: float = 0.0
    against: str = ""


def proof_of(compiled: Model, original: Model, rows: Sequence[Row]) -> Proof:
    """Both answer all rows at once, some singly, and rows with inputs missing or of a category never seen.

    Alike means: the same labels and flags, figures within `BOUND`, and an error for the same rows.
    """
    if not rows:
        return Proof(0, against="there are no rows to prove it on")
    largest = 0.0
    for part in (rows, *_singles(rows), *_odd_ones(rows, original.metadata)):
        apart, against = _compared(compiled, original, part)
        largest = max(largest, apart)
        if against:
            return Proof(len(rows), largest, against)
    return Proof(len(rows), largest)


def _singles(rows: Sequence[Row]) -> list[list[Row]]:
    chosen = np.linspace(0, len(rows) - 1, min(_SINGLY, len(rows))).astype(int)
    return [[rows[index]] for index in chosen]


def _odd_ones(rows: Sequence[Row], metadata: ModelMetadata) -> list[list[Row]]:
    """A row with each input missing in turn, one with all of them, and one for each unseen category."""
    changes: list[dict[str, Value]] = [{name: None} for name in metadata.features]
    changes.append(dict.fromkeys(metadata.features))
    changes += [{item.name: _UNSEEN} for item in metadata.inputs if item.categories is not None]
    return [[{**rows[index % len(rows)], **change}] for index, change in enumerate(changes)]


def _compared(compiled: Model, original: Model, rows: Sequence[Row]) -> tuple[float, str]:
    """How far apart the answers are, and what is not alike, if anything is."""
    theirs, ours = _answers(original, rows), _answers(compiled, rows)
    if isinstance(theirs, str) or isinstance(ours, str):
        alone = theirs if isinstance(theirs, str) else ours
        both = isinstance(theirs, str) and isinstance(ours, str)
        return 0.0, "" if both else f"only one of the two can answer a row ({alone})"
    first, second = figures_of(theirs, original.metadata), figures_of(ours, original.metadata)
    apart = float(np.abs(first - second).max())
    if original.metadata.kind == "regression":
        apart /= max(float(np.abs(first).max()), np.finfo(np.float64).tiny)
    if not apart <= BOUND:
        return apart, f"answers differ by up to {apart:.2g}, more than {BOUND:g}"
    if original.metadata.kind != "regression":
        other = sum(one != two for one, two in zip(theirs.predictions, ours.predictions, strict=True))
        if other:
            return apart, f"{other} of {len(rows)} rows get another label"
    return apart, ""


def figures_of(answers: Answers, metadata: ModelMetadata) -> Floats:
    """All that is a number in the answers, (rows, numbers)."""
    if metadata.kind == "regression":
        return np.array(answers.predictions, dtype=np.float64)[:, np.newaxis]
    if metadata.kind == "anomaly":
        return np.array(answers.scores, dtype=np.float64)[:, np.newaxis]
    return np.array([list((row or {}).values()) for row in answers.probabilities], dtype=np.float64)


def _answers(model: Model, rows: Sequence[Row]) -> Answers | str:
    try:
        return model.answer(rows)
    except (ValueError, TypeError, IndexError) as error:
        return f"{type(error).__name__}: {str(error)[:80]}"
