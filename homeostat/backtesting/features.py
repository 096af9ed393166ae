"""The features of a whole history, as ingest makes them while nothing is withheld."""

from __future__ import annotations

from collections.abc import Mapping

from homeostat.backtesting.history import History
from services.ingest.core.features import FeaturePlan
from services.ingest.core.state import Bounds
from services.ingest.settings import IngestSettings
from shared.messages import Value
from shared.pipeline.contract import Contract, Row

CHUNK = 5000


def features_of(history: History) -> list[Mapping[str, Value] | None]:
    """One mapping per row of the history; None for a row that ingest refuses or takes for a repetition."""
    specification = history.specification
    contract, plan = Contract(specification), FeaturePlan(specification)
    bounds: Bounds = IngestSettings().bounds
    tails = plan.tails(bounds.keys_of(plan.values_per_key))
    found: list[Mapping[str, Value] | None] = [None] * len(history)
    seen: set[str] = set()
    for start in range(0, len(history), CHUNK):
        places, rows = [], []
        for place in range(start, min(start + CHUNK, len(history))):
            row = {name: value for name, value in history.rows[place].items() if name != specification.target}
            checked = contract.check_row(row)
            if isinstance(checked, Row) and history.ids[place] not in seen:
                seen.add(history.ids[place])
                places.append(place)
                rows.append(checked.values)
        keys = [history.entity(place) for place in places]
        for place, one in zip(places, plan.compute(rows, keys, tails), strict=True):
            found[place] = one
    return found
