"""The monitor's own knobs. What concerns one pipeline stands in its specification (`monitor`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import Misconfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """Bounds of memory and of patience.

    `memory_rows`: the newest rows per pipeline that labels can still be joined to. A label whose
    event is not seen within `unknown_horizon_rows` rows, or in `unknown_seconds` while no events
    come, is a dead letter. `hold_seconds`: how long a loss waits, on an idle stream, for the check
    of the inputs around it. `anomaly_hold_off_rows`: this many rows without an anomalous answer end
    an anomaly. `silence_seconds`: a service without a heartbeat for so long is down.
    `system_window_seconds`: how often the services' own figures are published.
    """

    memory_rows: int = 50_000
    unknown_horizon_rows: int = 10_000
    unknown_seconds: float = 300.0
    hold_seconds: float = 5.0
    anomaly_hold_off_rows: int = 100
    silence_seconds: float = 20.0
    system_window_seconds: float = 15.0


def monitor_settings(environ: Mapping[str, str]) -> MonitorSettings:
    """The settings in `environ` (``HOMEOSTAT_MONITOR_MEMORY_ROWS``), the others at their defaults."""
    text = environ.get("HOMEOSTAT_MONITOR_MEMORY_ROWS", "")
    if not text:
        return MonitorSettings()
    if not text.isdigit() or int(text) < 5000:
        raise Misconfigured(f"HOMEOSTAT_MONITOR_MEMORY_ROWS={text!r}: give a whole number of rows, at least 5000")
    return MonitorSettings(memory_rows=int(text))
