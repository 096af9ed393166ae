"""Each promise breaks by the one change that breaks it, and none by a whole run: the checks can fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from homeostat.verify import PROMISES, books_of, outcomes_of
from homeostat.verify.log import Found
from shared.topics import TOPICS
from tests.flows.loop import Loop

pytestmark = pytest.mark.xdist_group("promises")

LATER = datetime(2026, 2, 1, tzinfo=UTC)
Run = dict[str, list[Found]]


class _Recorded:
    """A run in memory, with its records as they stand on the topics."""

    def __init__(self, records: Run) -> None:
        self.records = records

    def require(self, topics: tuple[str, ...]) -> None:
        assert set(topics) <= self.records.keys()

    def first_offsets(self, topic: str) -> dict[int, int]:
        return dict.fromkeys({found.partition for found in self.records[topic]}, 0)

    def read(self, topic: str) -> Iterator[Found]:
        yield from self.records[topic]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    loop = Loop("electricity", tmp_path_factory.mktemp("verify"))
    for first in range(0, 2_600, 200):
        rows = loop.table[first : first + 200]
        loop.simulation.put_rows(rows)
        loop.simulation.put_labels((str(row["id"]), row["target"]) for row in rows)
        loop.runtime.advance(5)
    loop.ask("retrain", {"reason": "to have a command on the log"})
    loop.runtime.advance(60)
    return {
        topic.name: [
            Found(record.partition, record.offset, record.timestamp_ms, record.value)
            for record in loop.runtime.records(topic)
            if b'"action":"notify"' not in record.value  # a gateway would end these, and there is none here
        ]
        for topic in TOPICS
    }


def _broken(run: Run) -> set[str]:
    return {outcome.promise for outcome in outcomes_of(books_of(_Recorded(run)), LATER, 0.0) if outcome.broken}


def test_a_whole_run_keeps_every_promise_and_each_was_looked_at(run: Run) -> None:
    outcomes = outcomes_of(books_of(_Recorded(run)), LATER, 0.0)

    assert {outcome.promise: outcome.examples for outcome in outcomes if outcome.broken} == {}
    assert [outcome.promise for outcome in outcomes if outcome.checked == 0] == []
    told = {outcome.promise: (outcome.unit, outcome.checked) for outcome in outcomes}
    assert told["ledger"][0] == "entries"
    assert told["labels-once"] == ("labels counted", 2_600)


def _without(topic: str, which: int) -> Callable[[Run], None]:
    def change(run: Run) -> None:
        records = list(run[topic])
        del records[which]
        run[topic] = records

    return change


def _twice(topic: str) -> Callable[[Run], None]:
    def change(run: Run) -> None:
        last = run[topic][-1]
        run[topic] = [*run[topic], last._replace(offset=last.offset + 1)]

    return change


def _edited(topic: str, which: int, **fields: Any) -> Callable[[Run], None]:
    def change(run: Run) -> None:
        found = run[topic][which]
        message = json.loads(found.value) | fields
        records = list(run[topic])
        records[which] = found._replace(value=json.dumps(message).encode())
        run[topic] = records

    return change


def _released_twice(command: str) -> Callable[[Run], None]:
    def change(run: Run) -> None:
        _edited("model-published", -1, command=command)(run)
        _twice("model-published")(run)

    return change


def _torn(topic: str) -> Callable[[Run], None]:
    def change(run: Run) -> None:
        run[topic] = [run[topic][0]._replace(value=b"{"), *run[topic][1:]]

    return change


@pytest.mark.parametrize(
    ("promise", "change"),
    [
        pytest.param("one-fate", _without("features", -1), id="an-event-that-came-to-nothing"),
        pytest.param("one-fate", _without("labels", -1), id="a-label-that-came-to-nothing"),
        pytest.param("one-answer", _without("predictions", -1), id="an-event-without-an-answer"),
        pytest.param("one-answer", _twice("predictions"), id="an-event-answered-twice"),
        pytest.param("once", _twice("features"), id="an-event-counted-twice"),
        pytest.param("from-something", _without("features", 5), id="an-answer-to-nothing"),
        pytest.param("labels-once", _edited("metrics", -1, labelled_seen=99_999), id="labels-counted-twice"),
        pytest.param("one-effect", _without("command-results", -1), id="a-command-that-never-ended"),
        pytest.param("one-effect", _released_twice("command-1"), id="a-command-that-acted-twice"),
        pytest.param("known-models", _edited("predictions", -1, model_version="77"), id="an-unknown-version"),
        pytest.param("said-why", _edited("model-published", 0, reason=""), id="a-release-for-no-reason"),
        pytest.param("ledger", _edited("audit", 1, summary="nothing happened"), id="a-ledger-that-was-altered"),
        pytest.param("ledger", _torn("audit"), id="a-ledger-that-was-torn"),
        pytest.param("journal", _twice("steps"), id="a-step-taken-twice"),
        pytest.param("readable", _torn("features"), id="a-record-that-was-torn"),
    ],
)
def test_a_promise_is_broken_by_what_breaks_it(run: Run, promise: str, change: Callable[[Run], None]) -> None:
    changed = dict(run)

    change(changed)

    assert promise in _broken(changed)


def test_every_promise_can_be_broken() -> None:
    marks = test_a_promise_is_broken_by_what_breaks_it.pytestmark  # type: ignore[attr-defined]
    tried = {case.values[0] for mark in marks for case in mark.args[1]}

    assert tried == set(PROMISES)


def test_what_is_young_is_under_way_and_not_lost(run: Run) -> None:
    changed = dict(run)
    _without("predictions", -1)(changed)
    newest = max(found.timestamp_ms for found in run["features"]) / 1000

    outcomes = outcomes_of(books_of(_Recorded(changed)), datetime.fromtimestamp(newest, UTC), 3600.0)

    (answers,) = [outcome for outcome in outcomes if outcome.promise == "one-answer"]
    assert (answers.broken, answers.under_way) == (0, 1)
