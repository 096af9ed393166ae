"""Alerts of a telling that have no line in its table."""

from __future__ import annotations

from collections.abc import Sequence

from homeostat.demo.outcome import Healing, Remedy, alerts_of
from homeostat.demo.watcher import Seen

IDLE = "where no action is named none was ordered on it alone: it ended first, or came while something was under way"


def further(events: Sequence[Seen], remedies: Sequence[Remedy], told: Sequence[Healing], row_offset: int = 0) -> str:
    """One sentence on the alerts that no line of `told` answers: from which row, and what was done; "" without any."""
    lines = {line.remedy.alert for line in told if line.remedy is not None}
    rest = {name: row for name, (row, _) in alerts_of(events, row_offset).items() if name not in lines}
    if not rest:
        return ""
    done = {name: [remedy.action for remedy in remedies if remedy.alert == name] for name in rest}
    each = [f"row {row:,}" + (f" ({', '.join(done[name])})" if done[name] else "") for name, row in rest.items()]
    why = "" if all(done.values()) else f"; {IDLE}"
    return f"further alerts, without a line in the table: {', '.join(each)}{why}"
