"""What `status` says of figures and of a log that does not answer."""

from __future__ import annotations

from shared.topics import METRICS, MODEL_PUBLISHED, PIPELINES, PREDICTIONS
from tests.homeostat.cli.conftest import Call
from tests.services.gateway.messages import defined, metrics, prediction, published
from tests.services.gateway.running import Running


def test_a_figure_that_is_of_another_version_than_the_live_one_says_so(ask: Call, gateway: Running) -> None:
    before = ask("status", "--json").json["pipelines"][0]
    gateway.put(MODEL_PUBLISHED, published("3"))
    promoted, told = ask("status"), ask("status", "--json").json["pipelines"][0]
    gateway.put(METRICS, metrics(80, {"accuracy": 0.5}, model_version="3"))
    measured, after = ask("status"), ask("status", "--json").json["pipelines"][0]

    versions = [(each["live_version"], each["value_version"]) for each in (before, told, after)]
    assert versions == [("2", "2"), ("3", "2"), ("3", "3")]
    assert "of version" in promoted.out
    assert "of version" not in measured.out


def test_a_live_version_that_gives_no_answers_is_told_with_the_reason(ask: Call, gateway: Running) -> None:
    broken = [
        prediction(f"b{n}", None, model_version="2", reason="model-failed: the file was altered") for n in range(10)
    ]
    gateway.put(PREDICTIONS, *broken[:9])
    few = ask("status")
    gateway.put(PREDICTIONS, broken[9])
    many = ask("status")
    gateway.put(PREDICTIONS, prediction("fine", model_version="2"))
    over = ask("status")

    assert "gave no answer" not in few.out
    assert "elec2: version 2 gave no answer to the newest 10 rows: model-failed: the file was altered" in many.out
    assert "gave no answer" not in over.out


def test_rows_that_came_before_the_first_model_are_no_failure_of_one(ask: Call, gateway: Running) -> None:
    none = {"model_version": "", "role": "none", "reason": "no-model"}
    gateway.put(PREDICTIONS, *(prediction(f"b{n}", None, **none) for n in range(20)))

    assert "gave no answer" not in ask("status").out


def test_an_anomaly_pipeline_without_truth_names_no_metric_until_it_is_measured(ask: Call, gateway: Running) -> None:
    gateway.put(PIPELINES, defined(name="cpu", kind="anomaly", target=None))
    without = ask("status")
    gateway.put(METRICS, metrics(0, {"accuracy": 0.75}, pipeline="cpu"))
    measured = ask("status")

    lines = [next(line for line in told.out.splitlines() if "cpu" in line) for told in (without, measured)]
    assert ["accuracy" in line for line in lines] == [False, True]
    assert "0.75" in lines[1]


def test_a_kafka_that_does_not_answer_is_told_before_what_was_last_heard(ask: Call, gateway: Running) -> None:
    before = ask("status")
    gateway.parts.follower.problem = "no broker at 127.0.0.1:9092"

    during = ask("status")

    assert "Kafka does not answer" not in before.out
    assert "Kafka does not answer: no broker at 127.0.0.1:9092. What follows is as it was when last heard" in during.out
