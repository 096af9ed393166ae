"""The monitor's own knobs. What concerns one pipeline stands in its specification (`monitor`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from services.monitor.core.plan import Patience
from shared.settings import whole


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """`silence_seconds`: a service without a heartbeat for so long is down. `system_window_seconds`: how
    often the services' own figures are published. `patience`: the bounds that hold for each pipeline.
    """

    patience: Patience = field(default_factory=Patience)
    silence_seconds: float = 20.0
    system_window_seconds: float = 15.0


def monitor_settings(environ: Mapping[str, str]) -> MonitorSettings:
    """The settings in `environ` (``HOMEOSTAT_MONITOR_MEMORY_ROWS``), the others at their defaults."""
    defaults = Patience()
    rows = whole(environ, "HOMEOSTAT_MONITOR_MEMORY_ROWS", defaults.memory_rows, least=5000)
    return MonitorSettings(patience=msgspec.structs.replace(defaults, memory_rows=rows))
