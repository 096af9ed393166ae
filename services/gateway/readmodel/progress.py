"""How far the measuring of an action's effect is: what an incident that is being verified waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.messages import AuditEntry, Command
from shared.pipeline.specification import Specification


def progress_of(command: Command, entries: Sequence[AuditEntry], specification: Specification | None) -> dict[str, Any]:
    """`rows` that were measured `of` those it takes, `window` rows at a time; `told` says it in words.

    All but `told` are None where the alert has to end instead; `window` also where the specification is not known.
    `entries` are the incident's, oldest first.
    """
    expects = command.expects
    if expects is None or expects.metric == "alert.resolved":
        return {"rows": None, "of": None, "window": None, "told": "until the alert ends"}
    rows, labelled = _measured(command.id, entries), expects.metric.startswith("performance.")
    told = f"{rows:,} of {expects.rows:,} {'labelled ' if labelled and not _unlabelled(specification) else ''}rows"
    return {"rows": rows, "of": expects.rows, "window": _window(specification, labelled), "told": told}


def _measured(command: str, entries: Sequence[AuditEntry]) -> int:
    for entry in reversed(entries):
        if entry.kind == "resumed":
            return 0
        if entry.kind == "measuring" and entry.body.get("command") == command:
            rows = entry.body.get("rows")
            return rows if isinstance(rows, int) else 0
    return 0


def _unlabelled(specification: Specification | None) -> bool:
    return specification is not None and specification.kind == "anomaly"


def _window(specification: Specification | None, labelled: bool) -> int | None:
    if specification is None:
        return None
    return specification.monitor.performance_window if labelled else specification.monitor.window
