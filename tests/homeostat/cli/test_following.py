"""What a person is told of rows that were accepted: counted from what ingest made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from homeostat.cli.following import ASKED_AT_ONCE, TOO_MANY, Fate, followed, told
from homeostat.client import Client
from homeostat.tally import Tally
from shared.errors import Overloaded
from shared.topics import PREDICTIONS
from tests.homeostat.cli.conftest import Call, Called
from tests.services.gateway.messages import prediction
from tests.services.gateway.running import KEY
from tests.services.gateway.working import EVENTS, GOOD, Both, both_running


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    with both_running(tmp_path / "gateway") as made:
        yield made


def send(call: Call, both: Both, command: str, file: Path, rows: list[dict[str, object]], *more: str) -> Called:
    """Runs the command while ingest works on what it sends."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = (command, "elec2", str(file), "--url", both.gateway.url, "--api-key", KEY, *more)
    with ThreadPoolExecutor(1) as pool:
        called = pool.submit(call, *words)
        while wait([called], timeout=0.05).not_done:
            both.work()
    return called.result()


def taken(rows: int) -> dict[str, Any]:
    return {"taken": rows, "repeated": 0, "pending": 0, "refused": {}, "examples": []}


def test_new_rows_need_no_second_line(call: Call, both: Both, tmp_path: Path) -> None:
    shown = send(call, both, "send", tmp_path / "rows.ndjson", [GOOD | {"id": str(n)} for n in range(600)])

    assert (shown.status, shown.out) == (0, "600 rows: 600 accepted, 0 rejected\n")


def test_repeats_conflicts_and_unknown_columns_are_told_apart(call: Call, both: Both, tmp_path: Path) -> None:
    both.send(EVENTS, [GOOD | {"id": "a"}, GOOD | {"id": "b"}])
    rows = [GOOD | {"id": "a"}, GOOD | {"id": "b", "vicprice": 9}, GOOD | {"id": "c", "colour": "red"}]

    shown = send(call, both, "send", tmp_path / "rows.ndjson", rows)

    assert shown.status == 1
    lines = shown.out.splitlines()
    assert lines[0] == "3 rows: 3 accepted, 0 rejected"
    assert lines[1] == "'colour' was left out of 1 row: it is no field of the pipeline"
    assert lines[2] == (
        "of these 1 taken, 1 repeated (same id and values as before: counted once), 1 refused (1 id-conflict)"
    )
    assert "the id `b` already stands for a row with other values" in lines[3]
    assert "homeostat tail dead-letters" in lines[4]
    assert "1 of 3 rows were refused" in shown.err


def test_programs_are_told_the_same_in_numbers(call: Call, both: Both, tmp_path: Path) -> None:
    both.send(EVENTS, [GOOD | {"id": "a"}])

    found = send(call, both, "send", tmp_path / "rows.ndjson", [GOOD | {"id": "a"}, GOOD | {"id": "b"}], "--json").json

    assert (found["taken"], found["repeated"], found["refused"], found["pending"]) == (1, 1, {}, 0)


def test_labels_without_an_event_are_told_of(call: Call, both: Both, tmp_path: Path) -> None:
    both.gateway.put(PREDICTIONS, prediction("a"))
    labels: list[dict[str, object]] = [{"id": "a", "up": True}, {"id": "nobody", "up": False}]

    shown = send(call, both, "labels", tmp_path / "labels.ndjson", labels)

    assert shown.status == 0
    assert shown.out.splitlines()[1] == (
        "1 label has no event yet (nobody) and will count once it is there: is the id right?"
    )


def test_a_question_that_cannot_be_asked_fails_nothing() -> None:
    with Client("http://127.0.0.1:9", None) as client:
        fate = followed(client, "elec2", "events", Tally(written=[(0, 0, 9)]))

    (line,) = told(fate, "events")
    assert line.startswith("what became of 10 accepted rows cannot be told: no answer from")


def test_rows_beyond_what_one_question_may_ask_are_asked_for_in_several(both: Both) -> None:
    questions: list[tuple[int, int]] = []

    class Counting(Client):
        def outcomes(self, pipeline: str, kind: str, runs: object, wait: float) -> dict[str, object]:
            rows = [last - first + 1 for _, first, last in runs]  # type: ignore[attr-defined]
            questions.append((len(rows), sum(rows)))
            return taken(sum(rows))

    with Counting(both.gateway.url, KEY) as client:
        fate = followed(client, "elec2", "events", Tally(written=[(0, 0, 2 * ASKED_AT_ONCE), (1, 0, 9), (2, 5, 5)]))

    assert fate == Fate(taken=2 * ASKED_AT_ONCE + 12)
    assert [rows for _, rows in questions] == [ASKED_AT_ONCE, ASKED_AT_ONCE, 12]


class Scripted(Client):
    """Answers that every row was taken, once it has raised all of `errors`."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__("http://127.0.0.1:9", None)
        self.errors = list(errors)

    def outcomes(self, pipeline: str, kind: str, runs: object, wait: float) -> dict[str, object]:
        if self.errors:
            raise self.errors.pop(0)
        return taken(sum(last - first + 1 for _, first, last in runs))  # type: ignore[attr-defined]


def test_no_further_question_begins_once_the_time_is_over_and_the_rows_not_asked_about_are_counted() -> None:
    with Scripted() as client:
        fate = followed(client, "elec2", "events", Tally(written=[(0, 0, 2 * ASKED_AT_ONCE)], unkept=7), seconds=0.0)

    assert (fate.taken, fate.unasked) == (ASKED_AT_ONCE, ASKED_AT_ONCE + 1 + 7)
    assert list(told(fate, "events")) == [f"what became of 50008 accepted rows cannot be told: {TOO_MANY}"]


def test_a_gateway_with_too_many_questions_is_asked_again() -> None:
    with Scripted(Overloaded("busy", retry_after_seconds=0.0)) as client:
        fate = followed(client, "elec2", "events", Tally(written=[(0, 0, 9)]))

    assert fate == Fate(taken=10)


def test_labels_are_said_to_have_no_event_only_where_every_answer_is_known() -> None:
    lost = {"rows": 2, "ids": ["x", "y"], "events_known": 5000}
    known, unknown = Fate(), Fate()
    known.add(taken(3) | {"without_event": lost | {"all_known": True}})
    unknown.add(taken(3) | {"without_event": lost | {"all_known": False}})

    assert list(told(known, "labels")) == [
        "2 labels have no event yet (x, y) and will count once it is there: is the id right?"
    ]
    assert list(told(unknown, "labels")) == [
        "2 labels are of no event among the newest 5000 answers (x, y): they count if their events are older or still "
        "to come"
    ]
