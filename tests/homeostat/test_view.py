"""What a person reads while the demo plays."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from rich.console import Console

from homeostat.demo.outcome import Healing, Moment, Remedy
from homeostat.demo.view import line_of, table_of
from homeostat.demo.watcher import Seen
from services.remediator.core.ending import WORDS
from shared.messages import AuditEntry


def entry(kind: str, diagnosis: str, summary: str = "told", ending: str = "") -> Seen:
    message = AuditEntry(
        sequence=0, at=datetime(2026, 1, 1, tzinfo=UTC), kind=kind, pipeline="p", incident="i", summary=summary,
        body={"diagnosis": diagnosis, "ending": ending}, refs=(), previous="", hash="",
    )  # fmt: skip
    return Seen(message, 1.0, 100)


@pytest.mark.parametrize("kind", ["command_issued", "incident_resolved", "undone", "escalated"])
def test_what_upkeep_does_and_how_it_ends_is_told(kind: str) -> None:
    assert line_of(entry(kind, "upkeep")) is not None


@pytest.mark.parametrize("kind", ["verified", "not_verified", "unknown"])
def test_an_upkeep_is_told_once_with_its_end(kind: str) -> None:
    assert line_of(entry(kind, "upkeep")) is None
    assert line_of(entry(kind, "concept_drift")) is not None


@pytest.mark.parametrize(
    ("ending", "summary", "line"),
    [
        ("healed", "healed itself: retrain worked", "healed    retrain worked"),
        ("passed", "passed by itself: no action", "passed    no action"),
        ("unrestored", f"{WORDS['unrestored']}: 0.12", f"over      {WORDS['unrestored']}: 0.12"),
        ("done", "resolved: retrain did not happen: no better", "done      retrain did not happen: no better"),
    ],
)
def test_an_end_is_told_in_its_own_word_and_once(ending: str, summary: str, line: str) -> None:
    told = line_of(entry("incident_resolved", "any", summary, ending))

    assert told is not None
    assert told.plain == f"row    100  {line}"


@pytest.mark.parametrize(
    ("summary", "line"),
    [
        ("scale_service: latency under load", "Homeostat itself: scale_service: latency under load"),
        ("tell a person: Homeostat itself: healed itself", "tell a person: Homeostat itself: healed itself"),
    ],
)
def test_what_is_done_about_homeostat_itself_is_told_as_such(summary: str, line: str) -> None:
    seen = entry("command_issued", "load", summary)

    told = line_of(replace(seen, message=msgspec.structs.replace(seen.message, pipeline="_system")))

    assert told is not None
    assert told.plain == f"row    100  action    {line}"


def healing(**changes: Any) -> Healing:
    at = Moment(100.0, 28_563)
    remedy = Remedy("i", "quarantine_source", 28_563, Moment(101.0, 28_704), Moment(101.0, 28_704), None, "open")
    usual = Healing("bad-release", remedy, at, 0.764, 0.731, 0.793, 0.64, 0.65, "healed", "healed")
    return replace(usual, **changes)


@pytest.mark.parametrize("width", [80, 120])
def test_the_closing_table_is_whole_at_any_width(width: int) -> None:
    out = io.StringIO()
    failed = healing(fault="unit-change", outcome="failed", why="its incident is escalated")

    Console(file=out, width=width).print(table_of([healing(), failed], width))

    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    words = out.getvalue().split()
    assert {"fault", "alert", "verified", "(static)", "76.4%", "(64.0%)", "quarantine_source", "healed"} <= set(words)
    assert "its incident is escalated" in " ".join(words)
