"""No wait without a deadline, no move without a reason, no move that is not drawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.remediator.core.incidents import CLOSED, MOVES, Diagnosis, Incident, IncidentState, moved
from services.remediator.core.ledger import verify
from tests.support.desk import Desk

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def incident(state: IncidentState) -> Incident:
    diagnosis = Diagnosis(name="unknown", cause="", what="", rank=6)
    return Incident(id="i", pipeline="p", opened_at=NOW, opened_row=0, since=NOW, diagnosis=diagnosis, state=state)


@pytest.mark.parametrize("state", list(MOVES))
@pytest.mark.parametrize("to", list(MOVES))
def test_only_the_drawn_moves_can_be_made(state: IncidentState, to: IncidentState) -> None:
    deadline = None if to in CLOSED else LATER
    if to in MOVES[state]:
        assert moved(incident(state), to, "because", NOW, deadline).state == to
    else:
        with pytest.raises(ValueError, match="cannot go"):
            moved(incident(state), to, "because", NOW, deadline)


def test_a_wait_without_a_deadline_and_a_move_without_a_reason_are_mistakes() -> None:
    with pytest.raises(ValueError, match="deadline"):
        moved(incident("triaged"), "acting", "because", NOW, None)
    with pytest.raises(ValueError, match="reason"):
        moved(incident("triaged"), "acting", "", NOW, LATER)


KINDS = ["data_quality", "data_drift", "concept_drift", "performance", "prediction_drift", "latency", "cost"]
CAUSES = [("feature", "price"), ("feature", "nowhere"), ("source", "feed"), ("version", "1"), ("version", "2")]
MAIL = st.one_of(
    st.tuples(st.just("alert"), st.sampled_from(KINDS), st.sampled_from(CAUSES), st.integers(1, 3)),
    st.tuples(st.just("resolve"), st.integers(0, 5)),
    st.tuples(st.just("answer"), st.integers(0, 5), st.sampled_from(["running", "succeeded", "failed", "refused"])),
    st.tuples(st.just("rows"), st.floats(0.3, 1.0), st.sampled_from(["1", "2"])),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 120.0, 4000.0, 90_000.0])),
    st.tuples(st.just("ask"), st.sampled_from(["retrain", "rollback", "hold", "release_hold", "approve", "reject"])),
)


LONGEST_WAIT = 31 * 86_400.0
"""Seconds, longer than any `verify_within` of the default policies."""


@given(st.lists(MAIL, max_size=40))
def test_whatever_comes_in_whatever_order_nothing_waits_for_ever_and_the_ledger_holds(
    mail: list[tuple[object, ...]],
) -> None:
    desk = Desk(upkeep=True)
    desk.steady(windows=1)
    alerts = []
    for number, (what, *rest) in enumerate(mail):
        match what, rest:
            case "alert", [str(kind), (str(cause), str(name)), int(firing)]:
                alerts.append(desk.alert(kind, (cause, name), firing=firing))  # type: ignore[arg-type]
            case "resolve", [int(at)] if at < len(alerts):
                desk.resolve(alerts[at])
            case "answer", [int(at), state] if at < len(desk.commands):
                desk.answer(desk.commands[-1 - at], state)  # type: ignore[arg-type]
            case "rows", [float(accuracy), str(version)]:
                desk.model(version)
                desk.pass_rows(accuracy, version=version)
            case "wait", [float(seconds)]:
                desk.wait(seconds)
            case "ask", [str(action)]:
                desk.ask(action, number=number, incident=desk.incidents[-1].id if desk.incidents else None)
        for found in desk.incidents:
            assert (found.deadline is None) == (found.state in CLOSED)
            assert found.why or found.state == "opened"
    for _ in range(30):
        desk.wait(LONGEST_WAIT)
    assert all(not found.open for found in desk.incidents)
    assert verify(desk.audit) is None
    assert len({command.id for command in desk.commands}) == len(desk.commands)
    assert all(command.deadline > command.at for command in desk.commands)
