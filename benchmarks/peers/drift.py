"""Evidently and NannyML on windows of numbers, as they document it: drift by field, and CBPE.

What is learned from the reference is learned before a window is asked for, as far as the library allows it
(NannyML's `fit`; Evidently takes the reference with each report).
"""

from __future__ import annotations

import warnings
from typing import Any

import nannyml
import numpy as np
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

from benchmarks.peers.serving import serve

warnings.simplefilter("ignore")

ESTIMATES = ("accuracy", "precision", "recall", "f1")


class Peers:
    """Both libraries over the same reference."""

    def __init__(self) -> None:
        self._reference = self._window = self._answers = pd.DataFrame()
        self._fitted: dict[str, Any] = {}

    def reference(self, numbers: str, answers: str) -> None:
        """Loads the reference: numbers by field, and answers (probability, class answered, truth)."""
        self._reference = _frame(numbers)
        for method in ("kolmogorov_smirnov", "wasserstein", "jensen_shannon"):
            self._fitted[method] = nannyml.UnivariateDriftCalculator(
                column_names=list(self._reference),
                continuous_methods=[method],
                chunk_size=len(self._reference),
            ).fit(self._reference)
        self._fitted["cbpe"] = nannyml.CBPE(
            metrics=list(ESTIMATES),
            y_pred_proba="probability",
            y_pred="answer",
            y_true="truth",
            problem_type="classification_binary",
            chunk_size=len(self._reference),
        ).fit(_answers(answers))

    def window(self, numbers: str, answers: str) -> None:
        """Loads what is asked about from now on."""
        self._window, self._answers = _frame(numbers), _answers(answers).drop(columns="truth")

    def evidently(self, method: str) -> list[float]:
        """One statistic of each field."""
        snapshot = Report([DataDriftPreset(method=method)]).run(self._window, self._reference)
        found = {
            metric["config"]["column"]: metric["value"]
            for metric in snapshot.dict()["metrics"]
            if metric["config"]["type"].endswith("ValueDrift")
        }
        return [float(found[name]) for name in self._reference]

    def univariate(self, method: str) -> list[float]:
        """NannyML's statistic of each field."""
        found = self._fitted[method].calculate(self._window).filter(period="analysis").to_df()
        return [float(found[name, method, "value"].iloc[0]) for name in self._reference]

    def cbpe(self) -> dict[str, float]:
        """NannyML's estimates of what the answers are worth."""
        found = self._fitted["cbpe"].estimate(self._answers).filter(period="analysis").to_df()
        return {name: float(found[name, "value"].iloc[0]) for name in ESTIMATES}


def _frame(path: str) -> pd.DataFrame:
    table = np.load(path)
    return pd.DataFrame(table, columns=[f"f{column}" for column in range(table.shape[1])])


def _answers(path: str) -> pd.DataFrame:
    probability, answer, truth = np.load(path)
    return pd.DataFrame({"probability": probability, "answer": answer.astype(int), "truth": truth.astype(int)})


if __name__ == "__main__":
    peers = Peers()
    serve(
        {
            "reference": peers.reference,
            "window": peers.window,
            "evidently": peers.evidently,
            "nannyml": peers.univariate,
            "cbpe": peers.cbpe,
        }
    )
