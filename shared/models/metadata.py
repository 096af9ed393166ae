"""What an artefact says about itself: what goes in, what comes out."""

from __future__ import annotations

import msgspec

from shared.messages import Value
from shared.pipeline.kinds import Kind


class Input(msgspec.Struct, frozen=True, omit_defaults=True):
    """One feature as a model takes it.

    `categories` None: a number (a boolean counts as 0 or 1). Otherwise the known values; their
    position is their code, and any other value counts as missing. `fill` stands for a missing
    number where a learner takes no gaps (river); scikit-learn pipelines get NaN and impute.
    """

    name: str
    categories: tuple[Value, ...] | None = None
    fill: float = 0.0


class ModelMetadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Travels inside the artefact, under its signature.

    `classes` are the target's values in its own type; an estimator is trained on their positions
    (0, 1, ...), and of two classes the second is the positive one. `threshold`: a binary answer is
    positive, a row anomalous, when its score is above it. `score_range` is the raw anomaly score
    that maps to 0 and to 1 (linear, clipped).
    """

    kind: Kind
    inputs: tuple[Input, ...]
    classes: tuple[Value, ...] = ()
    threshold: float = 0.5
    score_range: tuple[float, float] = (0.0, 1.0)
    libraries: dict[str, str] = {}

    @property
    def features(self) -> tuple[str, ...]:
        """The inputs' names, in the order of the matrix' columns."""
        return tuple(item.name for item in self.inputs)


def class_text(value: Value) -> str:
    """A class as the key of `probabilities`: text as it is, the rest as JSON writes it.

    >>> [class_text(value) for value in ("UP", True, 3, 3.0, None)]
    ['UP', 'true', '3', '3', 'null']
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return msgspec.json.encode(value).decode()
