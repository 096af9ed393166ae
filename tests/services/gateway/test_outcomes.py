"""What became of accepted rows: counted from what ingest itself made of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from services.gateway.rest.data import runs_in
from shared.clock import utc_now
from shared.messages import RawRecord
from shared.topics import PIPELINES, PREDICTIONS, RAW_DATA
from tests.services.gateway.messages import defined, prediction
from tests.services.gateway.working import EVENTS, GOOD, LABELS, OUTCOMES, Both, both_running


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    with both_running(tmp_path) as made:
        yield made


def test_rows_are_taken_repeated_or_refused_and_each_is_counted_once(both: Both) -> None:
    both.send(EVENTS, [GOOD | {"id": "a"}, GOOD | {"id": "b"}])
    both.work()
    written = both.send(
        EVENTS,
        [GOOD | {"id": str(n)} for n in range(90)]
        + [GOOD | {"id": "a"}, GOOD | {"id": "a"}, GOOD | {"id": "b", "vicprice": 9}],
    )
    both.work()
    both.send(EVENTS, [GOOD | {"id": "later"}])
    both.work()

    found = both.outcomes(written)

    assert {k: found[k] for k in ("rows", "pending", "taken", "repeated", "refused")} == {
        "rows": 93,
        "pending": 0,
        "taken": 90,
        "repeated": 2,
        "refused": {"id-conflict": 1},
    }
    (example,) = found["examples"]
    assert (example["id"], example["reason"]) == ("b", "id-conflict")
    assert "already stands for a row with other values" in example["detail"]


def test_rows_that_ingest_has_not_come_to_are_pending_and_are_no_repetitions(both: Both) -> None:
    first = both.send(EVENTS, [GOOD | {"id": str(n)} for n in range(10)])
    both.work()
    second = both.send(EVENTS, [GOOD | {"id": str(n)} for n in range(10, 15)])

    found = both.outcomes(first + second)

    assert (found["taken"], found["repeated"], found["pending"]) == (10, 0, 5)


def test_a_question_waits_for_rows_that_are_not_decided(both: Both) -> None:
    written = both.send(EVENTS, [GOOD | {"id": str(n)} for n in range(10)])
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(both.outcomes, written, wait=10.0)
        both.work()

        assert asked.result()["taken"] == 10


def test_rows_that_came_before_their_pipeline_wait_and_are_no_repetitions(both: Both) -> None:
    names = {"name": "other", "target": "up"}
    young = msgspec.structs.replace(defined(**names), at=utc_now())
    rows = [RawRecord(pipeline="other", id=str(n), entity=str(n), values=dict(GOOD)) for n in range(5)]
    places = both.gateway.write_only(RAW_DATA, *rows)
    both.work()
    both.gateway.put(PIPELINES, young)
    question = {"written": runs_in(places)}

    before = both.gateway.http.post("/v1/pipelines/other/outcomes", json=question).json()
    both.work()
    after = both.gateway.http.post("/v1/pipelines/other/outcomes", json=question).json()

    assert (before["pending"], before["repeated"]) == (5, 0)
    assert (after["taken"], after["pending"]) == (5, 0)


def test_labels_without_an_event_are_counted_and_named(both: Both) -> None:
    both.gateway.put(PREDICTIONS, prediction("a"), prediction("b"))
    written = both.send(LABELS, [{"id": name, "label": True} for name in ("a", "b", "nobody")])
    both.work()

    found = both.outcomes(written, kind="labels")

    assert (found["taken"], found["refused"]) == (3, {})
    assert found["without_event"] == {"rows": 1, "ids": ["nobody"], "events_known": 2}


def test_places_where_no_row_is_and_too_many_rows_are_refused_with_what_to_do(both: Both) -> None:
    (written, *_) = both.send(EVENTS, [GOOD | {"id": "a"}])
    both.work()

    many = both.gateway.http.post(OUTCOMES, json={"written": [written | {"last": 200_000}]})
    nothing = both.gateway.http.post(OUTCOMES, json={"written": []})

    assert (many.status_code, nothing.status_code) == (413, 422)
    assert "at most 100000 at once" in many.json()["detail"]
