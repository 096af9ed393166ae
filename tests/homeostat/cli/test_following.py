"""What a person is told of rows that were accepted: counted from what ingest made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from homeostat.cli.following import ASKED_AT_ONCE, Fate, followed, told
from homeostat.client import Client
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
    assert lines[1] == "'colour' was left out of 1 rows: it is no field of the pipeline"
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
        fate = followed(client, "elec2", "events", [(0, 0, 9)])

    (line,) = told(fate, "events")
    assert line.startswith("what became of the accepted rows cannot be told: no answer from")


def test_rows_beyond_what_one_question_may_ask_are_asked_for_in_several(both: Both) -> None:
    questions: list[tuple[int, int]] = []

    class Counting(Client):
        def outcomes(self, pipeline: str, kind: str, runs: object, wait: float) -> dict[str, object]:
            rows = [last - first + 1 for _, first, last in runs]  # type: ignore[attr-defined]
            questions.append((len(rows), sum(rows)))
            return {"taken": sum(rows), "repeated": 0, "pending": 0, "refused": {}, "examples": []}

    with Counting(both.gateway.url, KEY) as client:
        fate = followed(client, "elec2", "events", [(0, 0, 2 * ASKED_AT_ONCE), (1, 0, 9), (2, 5, 5)])

    assert fate == Fate(taken=2 * ASKED_AT_ONCE + 12)
    assert [rows for _, rows in questions] == [ASKED_AT_ONCE, ASKED_AT_ONCE, 12]
