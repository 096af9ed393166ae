"""The model that everybody has: scikit-learn's StandardScaler and LogisticRegression, on the electricity stream.

Simpler than what our trainer would make (that one fills gaps too), and so faster where a peer asks it row by row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.compiled_models import EXAMPLE, FOREST, Rows, rows_with_labels, trained
from benchmarks.opened import KEY
from services.trainer.core.fitting import data_of, model_of
from services.trainer.packing import kept
from shared.errors import HomeostatError
from shared.messages import Artifact
from shared.models.store import ArtifactStore
from shared.pipeline.load import load
from shared.pipeline.specification import Specification


@dataclass(frozen=True)
class PlainModel:
    """The fitted estimator, and rows without a gap that it answers, as dictionaries and as lists."""

    specification: Specification
    rows: Rows
    model: Any

    @property
    def estimator(self) -> Any:
        """As scikit-learn has it: a matrix of the features in, in their order."""
        return self.model.estimator

    def numbers(self, count: int) -> list[list[float]]:
        """The newest rows as the model takes them."""
        names = self.specification.feature_names
        return [[float(row[name]) for name in names] for row in self.rows[-count:]]

    def kept(self, store: ArtifactStore) -> Artifact:
        """Packed as the trainer does, compiled; `HomeostatError` where it could not be."""
        packed = kept(self.model, self.rows, store, KEY)
        if packed.form["format"] != "compiled":
            raise HomeostatError(f"the benchmarks' model is not compiled: {packed.form}")
        return packed.artifact


def plain_model(learner: str = "logistic") -> PlainModel:
    """`logistic` as above; `FOREST` as the trainer makes it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    specification = load(EXAMPLE / "pipeline.yaml")
    rows, labels = rows_with_labels(specification)
    whole = [place for place, row in enumerate(rows) if None not in row.values()]
    rows, labels = [rows[place] for place in whole], [labels[place] for place in whole]
    model = trained(specification, learner, rows, labels)
    if learner != FOREST:
        data = data_of(specification, rows, labels)
        estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(data.table, data.truth.astype(int))
        model = model_of("sklearn", estimator, model.metadata)
    return PlainModel(specification, rows, model)
