"""What became of accepted rows: counted from what ingest itself made of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from services.gateway.rest.data import runs_in
from services.gateway.searches import MOST_OPEN
from shared.clock import utc_now
from shared.messages import RawRecord, StepTaken
from shared.topics import PIPELINES, PREDICTIONS, RAW_DATA, STEPS
from tests.services.gateway.messages import defined, prediction
from tests.services.gateway.running import running
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
    assert found["without_event"] == {"rows": 1, "ids": ["nobody"], "events_known": 2, "all_known": True}


def test_places_where_no_row_is_and_too_many_rows_are_refused_with_what_to_do(both: Both) -> None:
    (written, *_) = both.send(EVENTS, [GOOD | {"id": "a"}])
    both.work()

    many = both.gateway.http.post(OUTCOMES, json={"written": [written | {"last": 200_000}]})
    nothing = both.gateway.http.post(OUTCOMES, json={"written": []})

    assert (many.status_code, nothing.status_code) == (413, 422)
    assert "at most 100000 at once" in many.json()["detail"]


def test_rows_decided_long_ago_are_known_however_much_other_tasks_have_written_since(both: Both) -> None:
    written = both.send(EVENTS, [GOOD | {"id": str(n)} for n in range(10)])
    both.work()
    idle = [StepTaken(task="predictor/0", step=n, now=utc_now(), tick=True) for n in range(1, 20_002)]
    both.gateway.write_only(STEPS, *idle)

    found = both.outcomes(written)

    assert (found["taken"], found["pending"]) == (10, 0)


def test_labels_that_are_asked_for_as_events_are_no_repetitions_but_refused_with_what_to_ask(both: Both) -> None:
    written = both.send(LABELS, [{"id": str(n), "label": True} for n in range(5)])
    both.work()

    answer = both.gateway.http.post(OUTCOMES, json={"written": written})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/kind")
    assert "ask with kind='labels'" in answer.json()["detail"]
    assert both.outcomes(written, kind="labels")["taken"] == 5


def test_nothing_is_told_of_another_pipelines_rows(both: Both) -> None:
    both.gateway.put(PIPELINES, defined(name="other", target="up"))
    both.work()
    values: dict[str, object] = {"nswprice": "secret", "vicprice": 1.0}
    rows = [RawRecord(pipeline="other", id=f"o{n}", entity="x", values=values) for n in range(3)]
    written = runs_in(both.gateway.write_only(RAW_DATA, *rows))
    both.work()

    answer = both.gateway.http.post(OUTCOMES, json={"written": written})
    own = both.gateway.http.post("/v1/pipelines/other/outcomes", json={"written": written}).json()

    assert answer.status_code == 404
    assert "secret" not in answer.text
    assert "o0" not in answer.text
    assert sum(own["refused"].values()) == 3


@pytest.mark.parametrize(
    ("change", "status"),
    [({"partition": 999}, 404), ({"last": 50}, 404), ({"first": -1}, 404), ({"last": -1}, 422)],
    ids=["no-partition", "past-the-end", "before-the-start", "reversed"],
)
def test_each_place_must_hold_a_row(both: Both, change: dict[str, int], status: int) -> None:
    (written,) = both.send(EVENTS, [GOOD | {"id": "a"}])
    both.work()

    answer = both.gateway.http.post(OUTCOMES, json={"written": [written | change]})

    assert answer.status_code == status, answer.text


def test_more_questions_than_are_looked_up_at_once_are_sent_away_and_rows_still_come_in(both: Both) -> None:
    written = both.send(EVENTS, [GOOD | {"id": "a"}])
    both.work()
    with ExitStack() as others:
        for _ in range(MOST_OPEN):
            others.enter_context(both.gateway.parts.searches.one())

        answer = both.gateway.http.post(OUTCOMES, json={"written": written})

        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
        assert both.gateway.http.post(EVENTS, json=[GOOD | {"id": "b"}]).status_code == 202
    assert both.outcomes(written)["taken"] == 1


def test_where_older_answers_are_not_known_it_is_said_that_labels_may_be_of_those(both: Both, tmp_path: Path) -> None:
    both.gateway.put(PREDICTIONS, *[prediction(f"e{n}") for n in range(200)])
    written = both.send(LABELS, [{"id": f"e{n}", "label": True} for n in range(200)])
    both.work()

    with running(tmp_path / "another", both.gateway.bus, recent_records=40) as later:
        answer = later.http.post(OUTCOMES, json={"written": written, "kind": "labels"}).json()

    lost = answer["without_event"]
    assert lost["rows"] == 200 - lost["events_known"] > 0
    assert not lost["all_known"]
