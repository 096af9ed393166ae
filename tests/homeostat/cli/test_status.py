"""What `status` says of figures and of a log that does not answer."""

from __future__ import annotations

from shared.topics import METRICS, MODEL_PUBLISHED
from tests.homeostat.cli.conftest import Call
from tests.services.gateway.messages import metrics, published
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


def test_a_kafka_that_does_not_answer_is_told_before_what_was_last_heard(ask: Call, gateway: Running) -> None:
    before = ask("status")
    gateway.parts.follower.problem = "no broker at 127.0.0.1:9092"

    during = ask("status")

    assert "Kafka does not answer" not in before.out
    assert "Kafka does not answer: no broker at 127.0.0.1:9092. What follows is as it was when last heard" in during.out
