"""A compiled model as a `Model`: a few array operations, without the library that trained it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from shared.messages import Value
from shared.models.answers import anomaly_answers, class_answers, number_answers
from shared.models.base import Answers
from shared.models.expansion import Expand
from shared.models.inputs import MatrixOf
from shared.models.learners import learner_of
from shared.models.metadata import ModelMetadata
from shared.models.program import Floats, Link, Program

_LARGEST_EXPONENT = 709.0
"""The exponential of anything larger is no float64."""

_LEAST_LOG_ODDS = -30.0
"""Log odds below this count as never, as in river: of several classes that all are, none is likelier."""


class CompiledModel:
    """Answers from a `Program`, one vectorised call per batch.

    Classifiers answer probabilities, regressions numbers, anomaly models a score where higher is stranger.
    """

    def __init__(self, program: Program, metadata: ModelMetadata) -> None:
        self.metadata = metadata
        inputs = metadata.inputs if program.inputs is None else program.inputs
        if tuple(item.name for item in inputs) != metadata.features:
            raise ValueError("the program takes other inputs than the metadata names")
        self.inputs = inputs
        self._matrix = MatrixOf(inputs)
        self._link = program.link
        self._calibrations = program.calibrations
        self._class_columns = program.class_columns
        self._expand = Expand(program.expansion, len(metadata.inputs))
        self._learner = learner_of(program.learner)

    @property
    def features(self) -> tuple[str, ...]:
        return self.metadata.features

    def answer(self, rows: Sequence[Mapping[str, Value]]) -> Answers:
        return self.answer_matrix(self._matrix(rows))

    def answer_matrix(self, table: Floats) -> Answers:
        """As `answer`, for rows that are a matrix of the program's inputs already; no rows give no answers."""
        if not len(table):
            return Answers((), (), ())
        figures = self.figures(table)
        if self.metadata.kind == "regression":
            return number_answers(figures.ravel())
        if self.metadata.kind == "anomaly":
            return anomaly_answers(figures.ravel(), self.metadata)
        return class_answers(self._of_all_classes(figures), self.metadata)

    def figures(self, table: Floats) -> Floats:
        """The bare numbers of rows that are a matrix already: probabilities by class, numbers or raw scores."""
        figures = self._learner(self._expand(table))
        if not self._calibrations:
            return _linked(figures, self._link)
        first, *more = self._calibrations
        found = _calibrated(figures, first)
        for lines in more:
            found = _calibrated(found[:, 1:] if len(lines) == 1 else found, lines)
        return found

    def _of_all_classes(self, known: Floats) -> Floats:
        columns = self._class_columns
        if columns is None:
            return known
        full = np.zeros((len(known), len(self.metadata.classes)))
        full[:, list(columns)] = known
        return full


def _linked(figures: Floats, link: Link) -> Floats:
    match link:
        case "logistic":
            return _with_complement(_logistic(figures))
        case "complement":
            return _with_complement(figures)
        case "softmax":
            powers = np.exp(figures - figures.max(axis=1, keepdims=True))
            found: Floats = powers / powers.sum(axis=1, keepdims=True)
            return found
        case "one-vs-rest":
            return _normalised(np.where(figures < _LEAST_LOG_ODDS, 0.0, _logistic(figures)))
        case "isolation":
            return np.exp2(-figures)
    return figures


def _calibrated(figures: Floats, lines: Sequence[tuple[float, float]]) -> Floats:
    """Platt's probabilities: of the second class, or of each against the rest and then normalised."""
    slopes, intercepts = np.array(lines).T
    found = _logistic(-(slopes * figures + intercepts))
    if len(lines) == 1:
        return _with_complement(found)
    return _normalised(found)


def _normalised(found: Floats) -> Floats:
    """Rows that add up to 1; of a row of zeros all are the same."""
    total = found.sum(axis=1, keepdims=True)
    return np.where(total > 0, found / np.where(total > 0, total, 1.0), 1.0 / found.shape[1])


def _logistic(figures: Floats) -> Floats:
    found: Floats = 1.0 / (1.0 + np.exp(np.minimum(-figures, _LARGEST_EXPONENT)))
    return found


def _with_complement(second: Floats) -> Floats:
    return np.concatenate([1.0 - second, second], axis=1)
