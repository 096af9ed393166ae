"""`predict`: good rows are scored whatever the others are, and the others are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeostat.cli.predicting import Answer, score_heading, unscored, until_live
from homeostat.client import Client
from shared.topics import MODEL_PUBLISHED, PIPELINES, RAW_DATA
from tests.homeostat.cli.conftest import Call
from tests.services.gateway.answering import Answering
from tests.services.gateway.messages import defined, published
from tests.services.gateway.running import KEY, Running


def written(folder: Path, *rows: str) -> str:
    file = folder / "new.csv"
    file.write_text("\n".join(["id,nswprice,vicprice", *rows]) + "\n")
    return str(file)


def test_good_rows_are_scored_and_a_bad_one_named_by_line_and_id(ask: Call, gateway: Running, tmp_path: Path) -> None:
    file = written(tmp_path, "a,0.1,1", "", "b,dear,1", "c,0.3,1")

    with Answering(gateway):
        shown = ask("predict", "elec2", file)
        as_json = ask("predict", "elec2", file, "--json")

    assert [record.id for record in gateway.written(RAW_DATA)] == ["a", "c"]
    assert {record.source for record in gateway.written(RAW_DATA)} == {"file:new.csv"}
    assert (shown.status, as_json.status) == (1, 1)
    assert "line 4 (id b): nswprice: is the text 'dear', not a number" in shown.err
    assert "1 of 3 rows were not scored" in shown.err
    assert [row.split()[:2] for row in shown.out.splitlines()[1:]] == [["a", "0.1"], ["c", "0.3"]]
    assert [answer["prediction"] for answer in as_json.json["predictions"]] == [0.1, None, 0.3]
    assert as_json.json["predictions"][1]["error"]["field"] == "nswprice"


def test_where_every_row_is_scored_the_status_is_0(ask: Call, gateway: Running, tmp_path: Path) -> None:
    with Answering(gateway):
        shown = ask("predict", "elec2", written(tmp_path, "a,0.1,1"))

    assert (shown.status, shown.err) == (0, "")


@pytest.mark.parametrize(
    ("kind", "answer", "heading"),
    [
        ("binary", {"probabilities": {"ja": 0.2, "nein": 0.8}, "score": 0.8}, "P(nein)"),
        ("multiclass", {"probabilities": {"a": 0.2, "b": 0.8}, "score": 0.8}, "score"),
        ("regression", {"prediction": 3.0}, "score"),
    ],
)
def test_the_class_that_a_score_speaks_of_stands_over_it(kind: str, answer: Answer, heading: str) -> None:
    assert score_heading(kind, [{"error": {}}, answer]) == heading


def test_of_many_bad_rows_the_first_are_told_and_the_rest_counted(ask: Call, gateway: Running, tmp_path: Path) -> None:
    rows = [f"r{number},dear,1" for number in range(30)] + [f"g{number},0.5,1" for number in range(60)]

    with Answering(gateway):
        shown = ask("predict", "elec2", written(tmp_path, *rows))

    assert shown.err.count("(id r") == 10
    assert "and 20 more" in shown.err
    assert "30 of 90 rows were not scored" in shown.err
    assert len(shown.out.splitlines()) == 61


def test_what_is_no_object_is_named_by_its_row(ask: Call, gateway: Running, tmp_path: Path) -> None:
    file = tmp_path / "new.json"
    file.write_text('[{"id": "a", "nswprice": 0.1, "vicprice": 1}, 7]')

    with Answering(gateway):
        shown = ask("predict", "elec2", str(file))

    assert "row 2: a row is a JSON object, this is a number" in shown.err
    assert "1 of 2 rows were not scored" in shown.err


def test_a_file_of_another_pipeline_is_named_before_a_row_of_it_is_asked_for(
    ask: Call, gateway: Running, tmp_path: Path
) -> None:
    file = tmp_path / "other.csv"
    file.write_text("colour,size\nred,1\n")

    assert "has none of the inputs that elec2 takes" in ask("predict", "elec2", str(file)).err
    assert gateway.written(RAW_DATA) == []


def test_before_a_first_model_nothing_is_sent_for_an_id_keeps_its_answer(
    ask: Call, gateway: Running, tmp_path: Path
) -> None:
    gateway.put(PIPELINES, defined(name="shop"))

    shown = ask("predict", "shop", written(tmp_path, "a,0.1,1"), "--wait", "0")

    assert shown.status == 1
    assert "the first is trained at 500 rows that have a label, and 0 have one. Nothing was sent" in flat(shown.err)
    assert gateway.written(RAW_DATA) == []


def test_a_model_of_anomalies_waits_for_rows_and_not_for_labels(ask: Call, gateway: Running, tmp_path: Path) -> None:
    gateway.put(PIPELINES, defined(name="shop", kind="anomaly", target=None))

    shown = ask("predict", "shop", written(tmp_path, "a,0.1,1"), "--wait", "0")

    assert "the first is trained at 500 rows, and 0 have come. Nothing was sent" in flat(shown.err)


def test_a_first_model_is_waited_for_and_said_to_be(gateway: Running) -> None:
    gateway.put(PIPELINES, defined(name="shop"))
    told: list[str] = []

    def say(line: str) -> None:
        told.append(line)
        gateway.put(MODEL_PUBLISHED, published(pipeline="shop"))

    with Client(gateway.url, KEY) as client:
        until_live(client, "shop", 30, say)

    (line,) = told
    assert line.startswith("waiting up to 30 s for a first model: no version of shop was live yet")


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_row_that_was_answered_without_a_model_counts_as_not_scored() -> None:
    answers = [{"id": "a", "prediction": 1}, {"id": "b", "prediction": None, "reason": "no-model"}]

    first, second = unscored(answers, "-")

    assert first == "row 2 (id b): there was no model yet"
    assert "ask again under another id" in second
