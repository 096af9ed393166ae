"""What a person reads while the demo plays."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from homeostat.demo.outcome import Healing, Moment, Remedy
from homeostat.demo.view import line_of, table_of
from homeostat.demo.watcher import Seen
from shared.messages import AuditEntry


def entry(kind: str, diagnosis: str) -> Seen:
    message = AuditEntry(
        sequence=0, at=datetime(2026, 1, 1, tzinfo=UTC), kind=kind, pipeline="p", incident="i", summary="told",
        body={"diagnosis": diagnosis}, refs=(), previous="", hash="",
    )  # fmt: skip
    return Seen(message, 1.0, 100)


@pytest.mark.parametrize("kind", ["command_issued", "verified", "undone", "escalated"])
def test_what_upkeep_does_is_told(kind: str) -> None:
    assert line_of(entry(kind, "upkeep")) is not None


def test_that_upkeep_found_nothing_better_is_not_told_but_that_a_remedy_did_not_help_is() -> None:
    assert line_of(entry("not_verified", "upkeep")) is None
    assert line_of(entry("not_verified", "concept_drift")) is not None


def healing(**changes: Any) -> Healing:
    at = Moment(100.0, 28_563)
    remedy = Remedy("i", "quarantine_source", 28_563, Moment(101.0, 28_704), Moment(101.0, 28_704), None, "open")
    usual = Healing("bad-release", remedy, at, 0.764, 0.731, 0.793, 0.64, "healed", "healed")
    return replace(usual, **changes)


@pytest.mark.parametrize("width", [80, 120])
def test_the_closing_table_is_whole_at_any_width(width: int) -> None:
    out = io.StringIO()
    failed = healing(fault="unit-change", outcome="failed", why="its incident is escalated")

    Console(file=out, width=width).print(table_of([healing(), failed], width))

    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    words = out.getvalue().split()
    assert {"fault", "alert", "verified", "static", "76.4%", "quarantine_source", "healed"} <= set(words)
    assert "its incident is escalated" in " ".join(words)
