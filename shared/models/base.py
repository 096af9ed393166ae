"""What a model is to those who use it, whichever library made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from shared.messages import Value
from shared.models.metadata import Input, ModelMetadata


@dataclass(frozen=True, slots=True)
class Answers:
    """One answer per row, in the order of the rows. All lists have the same length.

    `predictions`: class label (in the target's own type), number, or bool for anomaly models.
    `scores`: P(positive class) for binary, the anomaly score in [0, 1], the highest class
    probability for multiclass, None for regression. `probabilities`: class as text to probability.
    """

    predictions: Sequence[Value]
    scores: Sequence[float | None]
    probabilities: Sequence[dict[str, float] | None]


class Model(Protocol):
    """A trained model, ready to answer. Deterministic, without I/O, safe for one thread at a time."""

    @property
    def metadata(self) -> ModelMetadata: ...

    @property
    def features(self) -> tuple[str, ...]: ...

    def answer(self, rows: Sequence[Mapping[str, Value]]) -> Answers:
        """Answers for feature rows; a missing or null feature is imputed as in training."""
        ...


@runtime_checkable
class MatrixModel(Model, Protocol):
    """A model that also answers rows which are a matrix of its `inputs` already (see `shared.models.inputs`)."""

    @property
    def inputs(self) -> tuple[Input, ...]: ...

    def answer_matrix(self, table: NDArray[Any]) -> Answers:
        """As `answer`, bit for bit; no rows give no answers."""
        ...
