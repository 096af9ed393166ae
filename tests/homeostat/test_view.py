"""What a person reads while the demo plays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from homeostat.demo.view import line_of
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
