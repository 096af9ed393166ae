"""BentoML's service around the model, as its documents have it: `bentoml serve benchmarks.peers.bento:Prediction`."""

from __future__ import annotations

import os

import bentoml
import numpy as np
import skops.io


@bentoml.service(workers=1)
class Prediction:
    """The model in the file that `BENCH_MODEL` names, as skops wrote it."""

    def __init__(self) -> None:
        path = os.environ["BENCH_MODEL"]
        self.model = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))

    @bentoml.api
    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities by class."""
        return self.model.predict_proba(rows)
