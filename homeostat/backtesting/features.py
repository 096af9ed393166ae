"""The features of a whole history, as ingest makes them while nothing is withheld."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from homeostat.backtesting.columns import Ints
from homeostat.backtesting.history import History
from services.ingest.core.features import FeaturePlan
from services.ingest.core.tails import Tails
from services.ingest.settings import IngestSettings

CHUNK = 20_000
BOUNDS = IngestSettings().bounds


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """The rows that ingest accepts: `places[i]` is the history's row, line i of `values` its features.

    `raw` holds the checked fields of the same rows. Rows that are left out break the contract, or repeat an id.
    """

    places: Ints
    values: pl.DataFrame
    raw: pl.DataFrame

    def between(self, first: int, until: int) -> tuple[int, int]:
        """The lines of the history's rows [first, until)."""
        start, stop = np.searchsorted(self.places, [first, until]).tolist()
        return start, stop

    def dicts(self, start: int, stop: int) -> list[dict[str, Any]]:
        """Lines as the model's inputs by name."""
        return self.values[start:stop].to_dicts()


def features_of(history: History) -> FeatureTable:
    """The features of every row, computed over long stretches: to the last digit what the stream gives."""
    accepted = _accepted(history)
    places = np.flatnonzero(accepted).astype(np.int64)
    raw = history.checked.frame[places]
    plan = FeaturePlan(history.specification)
    tails = plan.tails(BOUNDS.keys_of(plan.values_per_key))
    keys = [history.entities[place] for place in places.tolist()]
    parts = [
        plan.compute_columns(raw[start : start + CHUNK], keys[start : start + CHUNK], tails)
        for start in range(0, len(places), CHUNK)
    ]
    return FeatureTable(places, pl.concat(parts) if parts else pl.DataFrame(), raw)


def tails_before(line: int, table: FeatureTable, history: History) -> Tails:
    """What ingest remembers of each key before this line, if nothing was withheld up to there."""
    plan = FeaturePlan(history.specification)
    tails = plan.tails(BOUNDS.keys_of(plan.values_per_key))
    keys = [history.entities[place] for place in table.places[:line].tolist()]
    for start in range(0, line, CHUNK):
        stop = min(line, start + CHUNK)
        plan.compute_columns(table.raw[start:stop], keys[start:stop], tails)
    return tails


def _accepted(history: History) -> Any:
    """Which rows give features: those that fit, but for an id that came before (in a row that fits)."""
    accepted = history.checked.fits.copy()
    if len(set(history.ids)) < len(history):
        seen: set[str] = set()
        for row in np.flatnonzero(accepted).tolist():
            accepted[row] = history.ids[row] not in seen
            seen.add(history.ids[row])
    return accepted
