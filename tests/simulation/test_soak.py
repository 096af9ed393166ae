"""State is bounded: on a stream much longer than what is remembered, it stops growing."""

from __future__ import annotations

from homeostat.simulation.assembly import Knobs
from homeostat.simulation.soak import Sizes, growing, sizes
from services.ingest.settings import IngestSettings
from services.monitor.core.plan import Patience
from services.monitor.settings import MonitorSettings

SHORT_MEMORY = Knobs(
    ingest=IngestSettings(remembered_ids=2000, most_keys=500, most_tail_values=20_000),
    monitor=MonitorSettings(patience=Patience(memory_rows=5000, unknown_horizon_rows=2000)),
)


def test_no_state_grows_once_its_memory_is_full() -> None:
    found = list(sizes(40_000, samples=8, knobs=SHORT_MEMORY))

    assert found[-1].rows == 40_000
    assert growing(found) == {}


def test_a_state_that_grows_is_named() -> None:
    assert growing([Sizes(1000 * n, {"ingest": 5000, "monitor": 10_000 * n}) for n in range(1, 9)]) == {
        "monitor": (40_000, 80_000)
    }
