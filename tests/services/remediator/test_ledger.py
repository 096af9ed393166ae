"""The chain holds, and whatever is done to it shows, with the first sequence at which it does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.remediator.core.ledger import GENESIS, Broken, Head, sealed, verify
from shared import codec
from shared.messages import AuditEntry, LogPosition
from shared.topics import AUDIT
from tests.support.desk import Desk

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CELLS = st.floats() | st.text(max_size=5) | st.none() | st.integers(-9, 9)
BODIES: st.SearchStrategy[dict[str, object]] = st.dictionaries(st.text(max_size=5), CELLS, max_size=3)
FORGERIES: list[dict[str, Any]] = [
    {"summary": "other"},
    {"kind": "verified"},
    {"refs": ()},
    {"body": {"forged": 1}},
    {"incident": "j"},
]


def entry(summary: str = "x", body: dict[str, object] | None = None) -> AuditEntry:
    return AuditEntry(
        sequence=0, at=NOW, kind="triaged", pipeline="p", incident="i", summary=summary, body=body or {},
        refs=(LogPosition("alerts", 0, 3),), previous="", hash="",
    )  # fmt: skip


def chain(bodies: list[dict[str, object]]) -> list[AuditEntry]:
    head, links = Head(), []
    for number, body in enumerate(bodies):
        links.append(sealed(entry(str(number), body), head))
        head = Head(links[-1].sequence, links[-1].hash)
    return links


def head_of(links: list[AuditEntry]) -> Head:
    return Head(links[-1].sequence, links[-1].hash)


CHAINS = st.lists(BODIES, min_size=2, max_size=8).map(chain)


@given(CHAINS)
def test_a_chain_that_went_over_the_wire_holds(links: list[AuditEntry]) -> None:
    read = [codec.decode(AUDIT, codec.encode(link)) for link in links]
    assert verify(read, head_of(links)) is None
    assert read[0].previous == GENESIS
    assert verify(read[1:], after=Head(1, read[0].hash)) is None


@given(CHAINS, st.data())
def test_an_edited_entry_is_named(links: list[AuditEntry], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(links) - 1))
    changed = data.draw(st.sampled_from(FORGERIES))
    links[at] = msgspec.structs.replace(links[at], **changed)
    broken = verify(links)
    assert broken is not None
    assert broken.sequence == at + 1
    assert "altered" in broken.reason


@given(CHAINS, st.data())
def test_an_edit_that_is_hashed_anew_breaks_the_next_link_or_the_noted_head(
    links: list[AuditEntry], data: st.DataObject
) -> None:
    noted = head_of(links)
    at = data.draw(st.integers(0, len(links) - 1))
    links[at] = sealed(entry("forged"), Head(at, links[at].previous))
    broken = verify(links, noted)
    assert broken is not None
    assert broken.sequence == min(at + 2, len(links))


@given(CHAINS, st.data())
def test_a_deleted_entry_is_named(links: list[AuditEntry], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(links) - 2))
    del links[at]
    assert verify(links) == Broken(at + 1, f"missing: after {at} comes {at + 2}")


@given(CHAINS, st.data())
def test_an_inserted_entry_is_named(links: list[AuditEntry], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(links) - 1))
    links.insert(at, sealed(entry("smuggled"), Head(at, "f" * 64)))
    broken = verify(links)
    assert broken is not None
    assert broken.sequence == at + 1


@given(CHAINS, st.data())
def test_a_changed_order_is_named(links: list[AuditEntry], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(links) - 2))
    links[at], links[at + 1] = links[at + 1], links[at]
    broken = verify(links)
    assert broken is not None
    assert broken.sequence == at + 1


@given(CHAINS, st.data())
def test_a_cut_tail_shows_against_a_head_noted_elsewhere(links: list[AuditEntry], data: st.DataObject) -> None:
    noted = head_of(links)
    kept = data.draw(st.integers(0, len(links) - 1))
    assert verify(links[:kept]) is None, "the chain alone cannot know"
    broken = verify(links[:kept], noted)
    assert broken is not None
    assert broken.sequence == kept + 1


def test_the_remediator_writes_a_chain_that_holds_and_names_the_records_that_caused_each_entry() -> None:
    desk = Desk()
    desk.steady()
    desk.alert("concept_drift", ("model", "1"), severity="critical", since_row=1000)
    desk.retrained(desk.last, "2")
    desk.pass_rows(0.9, version="2")
    desk.pass_rows(0.9, version="2")
    assert verify(desk.audit) is None
    told = {e.kind: [ref.topic for ref in e.refs] for e in desk.audit}
    assert told["incident_opened"] == ["alerts"]
    assert told["command_result"] == ["command-results"]
    assert told["verified"] == ["metrics"]
    assert all(e.incident for e in desk.audit if e.kind not in ("pipeline_defined", "model_published"))
