"""A compiled model held against its estimator on the rows it was trained on, and on the same rows with gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.models.base import Answers
from shared.models.compiled_model import CompiledModel
from shared.models.metadata import ModelMetadata
from shared.models.program import Floats
from shared.models.sklearn_model import SklearnModel

BOUND = 1e-6
"""Probabilities and scores may differ by this much; a regression's numbers by this share of the largest."""

_SINGLY = 32


@dataclass(frozen=True, slots=True)
class Proof:
    """How the two answered: on how many rows, how far apart at most, and what stands against the compiled one."""

    rows: int
    largest: float = 0.0
    against: str = ""


def proof_of(compiled: CompiledModel, original: SklearnModel, table: Floats) -> Proof:
    """Both answer all rows of `table` at once, some singly, and rows with one input or all of them missing.

    Alike means: the same labels and flags, figures within `BOUND`, and an error for the same rows.
    """
    if not len(table):
        return Proof(0, against="there are no rows to prove it on")
    largest = 0.0
    for part in (table, *_singles(table), *_with_gaps(table)):
        apart, against = _compared(compiled, original, part)
        largest = max(largest, apart)
        if against:
            return Proof(len(table), largest, against)
    return Proof(len(table), largest)


def _singles(table: Floats) -> list[Floats]:
    chosen = np.linspace(0, len(table) - 1, min(_SINGLY, len(table))).astype(int)
    return [table[index : index + 1] for index in chosen]


def _with_gaps(table: Floats) -> list[Floats]:
    """A row with each input missing in turn, and one with all of them."""
    found = []
    for index in range(table.shape[1]):
        row = table[index % len(table)][np.newaxis].copy()
        row[0, index] = np.nan
        found.append(row)
    return [*found, np.full((1, table.shape[1]), np.nan)]


def _compared(compiled: CompiledModel, original: SklearnModel, table: Floats) -> tuple[float, str]:
    """How far apart the answers are, and what is not alike, if anything is."""
    theirs, ours = _answers(original, table), _answers(compiled, table)
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
            return apart, f"{other} of {len(table)} rows get another label"
    return apart, ""


def figures_of(answers: Answers, metadata: ModelMetadata) -> Floats:
    """All that is a number in the answers, (rows, numbers)."""
    if metadata.kind == "regression":
        return np.array(answers.predictions, dtype=np.float64)[:, np.newaxis]
    if metadata.kind == "anomaly":
        return np.array(answers.scores, dtype=np.float64)[:, np.newaxis]
    return np.array([list((row or {}).values()) for row in answers.probabilities], dtype=np.float64)


def _answers(model: CompiledModel | SklearnModel, table: Floats) -> Answers | str:
    try:
        return model.answer_matrix(table)
    except (ValueError, TypeError, IndexError) as error:
        return f"{type(error).__name__}: {str(error)[:80]}"
