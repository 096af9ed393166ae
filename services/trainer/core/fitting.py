"""From rows to a fitted model, and from a model's answers to figures that can be measured.

What is measured here is what will be answered there: a predictor loads the fitted model itself, or a
compiled form that is proven to answer alike (`core.compiling.proof`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib.metadata import version
from typing import Any

import msgspec
import numpy as np

from services.trainer.core.candidates import TARGET_SCALE, Candidate, Parameters
from services.trainer.core.evaluate import Floats, Outcome, measures, separation
from services.trainer.core.gate import Showing
from shared.messages import Value
from shared.models.base import Model
from shared.models.inputs import inputs_from, matrix, river_rows
from shared.models.metadata import Input, ModelMetadata, class_text
from shared.pipeline.origins import missing_without
from shared.pipeline.specification import Kind, Specification

SHARE_WITH_GAPS = 0.25
"""Of how many rows a field is withheld while a model learns, so that it can answer where one is."""

ORDINARY_SHARE = 0.99
"""An anomaly model calls a row anomalous when it is stranger than this share of its training rows."""

Row = Mapping[str, Value]


@dataclass(frozen=True)
class Data:
    """Rows in stream order with their truth: class positions, numbers, or 1.0 for an anomaly.

    `truth` is NaN where unknown, which only anomaly pipelines have. A row whose label is none of
    `classes` has -1. `together`: the inputs that are missing together where a field is withheld, field by field.
    """

    kind: Kind
    rows: Sequence[Row]
    truth: Floats
    inputs: tuple[Input, ...]
    classes: tuple[Value, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice) -> Data:
        return replace(self, rows=self.rows[part], truth=self.truth[part])

    @cached_property
    def table(self) -> Floats:
        """The rows as scikit-learn takes them."""
        return matrix(self.rows, self.inputs)

    @cached_property
    def dicts(self) -> list[dict[str, float | str]]:
        """The rows as river takes them."""
        return river_rows(self.rows, self.inputs)

    @property
    def known_truth(self) -> Floats | None:
        """The truth where all of it is known, else None."""
        return self.truth if len(self.truth) and bool(np.isfinite(self.truth).all()) else None


def data_of(specification: Specification, rows: Sequence[Row], labels: Sequence[Value]) -> Data:
    """Rows and labels as training takes them; ValueError names a label that is not of the pipeline's kind."""
    classes = classes_of(specification, labels)
    inputs = inputs_from(rows, specification.feature_names)
    truth = truth_of(specification.kind, labels, classes)
    together = tuple(dict.fromkeys(missing_without(specification).values()))
    return Data(specification.kind, rows, truth, inputs, classes, together)


def classes_of(specification: Specification, labels: Sequence[Value]) -> tuple[Value, ...]:
    """The target's values in order, those that the specification allows included; () without classes.

    >>> spec = Specification.model_validate(
    ...     {"name": "p", "kind": "binary", "schema": {"x": {"type": "number"}, "y": {"type": "string"}}, "target": "y"}
    ... )
    >>> classes_of(spec, ["no", "yes", "no"])
    ('no', 'yes')
    """
    if specification.kind not in {"binary", "multiclass"}:
        return ()
    field = specification.fields.get(specification.target or "")
    found: set[Value] = {label for label in labels if label is not None}
    if field is not None:
        found.update(field.allowed or ())
    return tuple(sorted(found, key=lambda value: (isinstance(value, str), value)))


def truth_of(kind: str, labels: Sequence[Value], classes: Sequence[Value]) -> Floats:
    """Labels as numbers: see `Data.truth`."""
    if kind in {"binary", "multiclass"}:
        positions = {value: float(index) for index, value in enumerate(classes)}
        return np.array([positions.get(label, -1.0) for label in labels])
    try:
        return np.array([np.nan if label is None else float(label) for label in labels], dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"a label of a {kind} pipeline is not a number: {error}") from error


def fitted(candidate: Candidate, parameters: Parameters, data: Data, seed: int) -> Model:
    """The candidate fitted on all of `data`; rows known to be anomalies teach an anomaly model nothing."""
    if data.kind == "anomaly" and bool((data.truth == 1).any()):
        kept = np.flatnonzero(data.truth != 1).tolist()
        data = replace(data, rows=[data.rows[i] for i in kept], truth=data.truth[kept])
    scale = float(np.nanstd(data.truth)) if data.kind == "regression" else 1.0
    estimator = candidate.build(data.inputs, {**parameters, TARGET_SCALE: scale or 1.0}, seed)
    _learn(candidate, estimator, with_gaps(data, seed))
    metadata = ModelMetadata(
        kind=data.kind, inputs=data.inputs, classes=data.classes, libraries=libraries_of(candidate.library)
    )
    if data.kind == "anomaly":
        metadata = msgspec.structs.replace(metadata, score_range=_score_range(candidate, estimator, data))
    return model_of(candidate.library, estimator, metadata)


def with_gaps(data: Data, seed: int) -> Data:
    """The rows to learn from, in a share of them all that is made of one field missing, drawn at random.

    Blankout noise, van der Maaten et al., "Learning with Marginalized Corrupted Features", 2013. A model that
    never saw a gap leans on the field that goes: without it, it does worse than one that never had it. Rows stay
    whole where one field is all there is, and for an anomaly model, to which a gap would be usual.
    """
    if data.kind == "anomaly" or len(data.together) < 2:
        return data
    rng = np.random.default_rng(seed)
    chosen = rng.random(len(data)) < SHARE_WITH_GAPS
    which = rng.integers(len(data.together), size=len(data))
    rows = [
        {**row, **dict.fromkeys(data.together[group])} if gap else row
        for row, gap, group in zip(data.rows, chosen.tolist(), which.tolist(), strict=True)
    ]
    return replace(data, rows=rows)


def model_of(library: str, estimator: Any, metadata: ModelMetadata) -> Model:
    """A fitted estimator behind the face that predictors use."""
    if library == "river":
        from shared.models.river_model import RiverModel

        return RiverModel(estimator, metadata)
    from shared.models.sklearn_model import SklearnModel

    return SklearnModel(estimator, metadata)


def outcome_of(model: Model, rows: Sequence[Row], kind: str, classes: Sequence[Value]) -> Outcome:
    """The model's answers as arrays; a class that is none of `classes` gets position -1."""
    answers = model.answer(rows)
    if kind == "regression":
        return Outcome(np.array(answers.predictions, dtype=np.float64))
    if kind == "anomaly":
        return Outcome(
            np.array(answers.predictions, dtype=np.float64), scores=np.array(answers.scores, dtype=np.float64)
        )
    names = [class_text(value) for value in classes]
    probabilities = np.array([[(row or {}).get(name, 0.0) for name in names] for row in answers.probabilities])
    return Outcome(truth_of(kind, answers.predictions, classes), probabilities)


def showing(model: Model, early: Data, late: Data, seed: int) -> Showing:
    """What `model` shows on `late`. A model that fails on these rows shows nothing, rather than ending the job."""
    try:
        outcome = outcome_of(model, late.rows, late.kind, late.classes)
    except (ValueError, TypeError, KeyError):
        return Showing(metrics={}, distinct=0, finite=False)
    found = measures(late.kind, late.known_truth, outcome, len(late.classes))
    if late.kind == "anomaly" and outcome.scores is not None and outcome.finite:
        uniform = outcome_of(model, uniform_rows(early, len(late), seed), late.kind, ())
        if uniform.scores is not None and uniform.finite:
            found["separation"] = separation(outcome.scores, uniform.scores)
    return Showing(metrics=found, distinct=outcome.distinct, finite=outcome.finite)


def uniform_rows(data: Data, count: int, seed: int) -> list[dict[str, Value]]:
    """Rows drawn uniformly over the box that `data` spans, a tenth wider on each side; categories uniformly."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[Value]] = {}
    for index, item in enumerate(data.inputs):
        column = data.table[:, index]
        known = column[np.isfinite(column)]
        if item.categories:
            columns[item.name] = [item.categories[i] for i in rng.integers(len(item.categories), size=count)]
        elif len(known):
            margin = 0.1 * float(np.ptp(known)) or 1.0
            columns[item.name] = rng.uniform(known.min() - margin, known.max() + margin, size=count).tolist()
        else:
            columns[item.name] = [None] * count
    return [{name: values[i] for name, values in columns.items()} for i in range(count)]


def libraries_of(library: str) -> dict[str, str]:
    """The versions of the packages that a model of this library depends on."""
    names = ("numpy", "river") if library == "river" else ("numpy", "scikit-learn", "scipy", "skops")
    return {name: _version(name) for name in names}


_version = cache(version)
"""Each look-up reads a file of the installation, and every model that is tried asks for all of them."""


def _learn(candidate: Candidate, estimator: Any, data: Data) -> None:
    if candidate.library == "sklearn":
        estimator.fit(data.table) if data.kind == "anomaly" else estimator.fit(data.table, _targets(data))
        return
    if data.kind == "anomaly":
        for row in data.dicts:
            estimator.learn_one(row)
        return
    for row, target in zip(data.dicts, _targets(data).tolist(), strict=True):
        estimator.learn_one(row, target)


def _targets(data: Data) -> Any:
    return data.truth if data.kind == "regression" else data.truth.astype(np.int64)


def _score_range(candidate: Candidate, estimator: Any, data: Data) -> tuple[float, float]:
    """Raw scores that map to 0 and 1, so that 0.5 is stranger than `ORDINARY_SHARE` of the training rows."""
    if candidate.library == "sklearn":
        raw = -np.asarray(estimator.score_samples(data.table))
    else:
        raw = np.array([estimator.score_one(row) for row in data.dicts], dtype=np.float64)
    low, edge = (float(each) for each in np.quantile(raw, [0.0, ORDINARY_SHARE]))
    return low, low + 2 * (edge - low) if edge > low else low + 1.0
