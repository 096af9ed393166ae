"""A fitted river pipeline taken apart: its running figures become the weights of one matrix product.

River's one-hot columns are a name per category it has met, as many as there were. A compiled form reads
each input's weight from a table instead, so that a row costs the same whatever their number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from river import anomaly, compose, linear_model, multiclass, optim, preprocessing

from services.trainer.core.compiling.columns import Column, expansion_of, scales_of, shifts_of
from services.trainer.core.compiling.errors import NotCompilableError
from shared.messages import Value
from shared.models.metadata import Input, ModelMetadata
from shared.models.program import Floats, Linear, Link, Lookup, Program, Tensor


@dataclass(frozen=True, slots=True)
class Text:
    """An input that is text; `known` are the categories that have a one-hot column, None before there are any."""

    source: int
    known: tuple[str, ...] | None = None


Parts = Mapping[str, Column | Text]
"""What a step is given, by the input's name."""


def river_program_of(learner: Any, metadata: ModelMetadata) -> Program:
    """The compiled form of a fitted linear learner of river; NotCompilableError says what stands against it."""
    steps = list(learner.steps.values()) if isinstance(learner, compose.Pipeline) else [learner]
    parts: Parts = {item.name: _part(index, item) for index, item in enumerate(metadata.inputs)}
    for step in steps[:-1]:
        parts = _after(step, parts)
    models, link, positions = _learners(steps[-1])
    numbers = {name: part for name, part in parts.items() if isinstance(part, Column)}
    texts = {name: part for name, part in parts.items() if isinstance(part, Text)}
    tables = [_table(name, part, models) for name, part in texts.items()]
    lookups = [Lookup(part.source, Tensor.of(table)) for part, table in zip(texts.values(), tables, strict=True)]
    columns = list(numbers.values())
    weights = _weights(numbers, models) / scales_of(columns)[:, np.newaxis]
    intercept = np.array([_intercept(each) for each in models]) - shifts_of(columns) @ weights
    plain = [replace(each, shift=0.0, scale=1.0) for each in columns]
    return Program(
        inputs=_inputs(metadata.inputs, texts),
        expansion=expansion_of(plain, lookups)[0],
        learner=Linear(Tensor.of(np.vstack([weights, *(np.eye(len(models)) for _ in tables)])), Tensor.of(intercept)),
        link=link,
        class_columns=None if positions == tuple(range(len(metadata.classes))) else positions,
    )


def _part(index: int, item: Input) -> Column | Text:
    return Column(index, operand=item.fill) if item.categories is None else Text(index)


def _after(step: Any, parts: Parts) -> Parts:
    """What `step` makes of these; NotCompilableError where it does anything that is not listed here."""
    match step:
        case compose.Pipeline():
            for each in step.steps.values():
                parts = _after(each, parts)
            return parts
        case compose.TransformerUnion():
            return {name: part for each in step.transformers.values() for name, part in _after(each, parts).items()}
        case compose.SelectType():
            return {name: part for name, part in parts.items() if issubclass(_type(part), step.types)}
        case preprocessing.StandardScaler(window_size=None):
            return {name: _scaled(step, name, part) for name, part in parts.items()}
        case preprocessing.OneHotEncoder(categories=None, drop_first=False):
            return {name: _one_hot(step, name, part) for name, part in parts.items()}
    raise NotCompilableError(f"{type(step).__name__} has no compiled form")


def _type(part: Column | Text) -> type:
    return str if isinstance(part, Text) and part.known is None else float


def _scaled(step: Any, name: str, part: Column | Text) -> Column:
    """A number that never varied is 0 whatever it is: divided by infinity."""
    if not isinstance(part, Column) or not part.unscaled:
        raise NotCompilableError("what is scaled twice, or is no number, has no compiled form")
    variance = float(step.vars.get(name, 0.0)) if step.with_std else 1.0
    return replace(
        part, shift=float(step.means.get(name, 0.0)), scale=math.sqrt(variance) if variance > 0 else math.inf
    )


def _one_hot(step: Any, name: str, part: Column | Text) -> Text:
    if not isinstance(part, Text) or part.known is not None:
        raise NotCompilableError("one-hot columns of numbers have no compiled form")
    return replace(part, known=tuple(sorted(step.values.get(name, ()))))


def _learners(learner: Any) -> tuple[Sequence[Any], Link, tuple[int, ...]]:
    """The linear models, one per figure, and the classes' positions that they answer for."""
    match learner:
        case linear_model.LogisticRegression(loss=optim.losses.Log()):
            return [learner], "logistic", (0, 1)
        case linear_model.LinearRegression(loss=optim.losses.Squared()) | anomaly.OneClassSVM():
            return [learner], "identity", ()
        case multiclass.OneVsRestClassifier():
            kinds = [_learners(each)[1] for each in learner.classifiers.values()]
            if set(kinds) == {"logistic"}:
                positions = tuple(int(each) for each in learner.classifiers)
                return list(learner.classifiers.values()), "one-vs-rest", positions
    raise NotCompilableError(f"{type(learner).__name__} has no compiled form")


def _intercept(model: Any) -> float:
    """What is added to a row's sum; a one-class SVM scores without it."""
    return 0.0 if isinstance(model, anomaly.OneClassSVM) else float(model.intercept)


def _weights(names: Sequence[str] | Mapping[str, Any], models: Sequence[Any]) -> Floats:
    """The learnt weights, (names, models); 0 for what a model has not met."""
    found = [[float(weights.get(name, 0.0)) for weights in (each.weights for each in models)] for name in names]
    return np.array(found, dtype=np.float64).reshape(-1, len(models))


def _table(name: str, part: Text, models: Sequence[Any]) -> Floats:
    """The weights by a category's code, (codes + 1, models): those of `_known`, then 0 for any other."""
    if part.known is None:
        raise NotCompilableError(f"{name!r} is text that a linear learner is given as it is")
    met = [f"{name}_{'' if value is None else value}" for value in _known(part)]
    return np.vstack([_weights(met, models), np.zeros((1, len(models)))])


def _known(part: Text) -> tuple[Value, ...]:
    """The categories by code. For river a missing value is a category, the empty text."""
    known = part.known or ()
    return (*known, None) if "" in known else known


def _inputs(inputs: Sequence[Input], texts: Mapping[str, Text]) -> tuple[Input, ...] | None:
    """The inputs with river's own categories, None without any: it met more than the metadata lists."""
    if not texts:
        return None
    for item in inputs:
        if item.name in texts and not all(isinstance(value, str) for value in item.categories or ()):
            raise NotCompilableError(f"{item.name!r} mixes text with other values")
    return tuple(
        Input(item.name, categories=_known(texts[item.name])) if item.name in texts else item for item in inputs
    )
