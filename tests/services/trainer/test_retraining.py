"""Retraining as messages see it: what is accepted, judged and published."""

from __future__ import annotations

from tests.services.trainer.bench import Bench


def test_a_retrain_is_accepted_runs_and_ends_with_a_published_version(bench: Bench) -> None:
    bench.with_champions(1)

    answered = bench.command("retrain", since={"0": 40})
    assert [each.state for each in answered] == ["accepted", "running"]
    assert bench.jobs[0].arguments["rows"] == {"since": {"0": 40}}
    assert bench.jobs[0].arguments["champion"]["artifact"]["sha256"] == "model-1"
    bench.end(bench.passes("model-2"))

    (published,) = bench.published
    assert (published.version, published.previous, published.incident) == ("2", "1", "i1")
    assert published.command == bench.results[-1].command
    assert (bench.results[-1].state, bench.results[-1].model_version) == ("succeeded", "2")
    assert bench.results[-1].cost_seconds == 2.5


def test_a_retrain_that_the_gate_refuses_fails_with_its_reason_and_changes_nothing(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("retrain")

    bench.end(bench.refuses())

    assert (bench.results[-1].state, bench.published) == ("failed", [])
    assert "not better" in bench.results[-1].detail


def test_a_retrain_whose_job_breaks_fails_and_the_next_one_may_run(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("retrain")
    bench.end(error="worker killed")

    assert (bench.results[-1].state, bench.results[-1].detail) == ("failed", "worker killed")
    assert bench.command("retrain")[-1].state == "running"


def test_a_second_retrain_while_one_runs_is_refused_and_says_which(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("retrain", "first")

    (refused,) = bench.command("retrain", "second")

    assert refused.state == "refused"
    assert "first" in refused.detail
    assert len(bench.jobs) == 1


def test_a_version_is_judged_against_the_champion_that_answers_when_it_is_done(bench: Bench) -> None:
    bench.with_champions(2)
    bench.command("retrain", name="slow", proof=0.2)
    first = bench.jobs[0]
    bench.command("rollback")
    bench.end(bench.passes("model-3"))

    (again,) = bench.jobs
    assert [each.version for each in bench.published] == ["1"]
    assert again.id != first.id
    assert again.arguments["champion"]["artifact"]["sha256"] == "model-1"
    assert (again.arguments["proof"], again.name) == (0.2, "train")
    assert "version 1 answers by now" in bench.results[-1].detail

    bench.end(bench.passes("model-4"))
    done = bench.results[-1]
    assert (done.command, done.state, done.model_version, done.cost_seconds) == ("slow", "succeeded", "3", 5.0)


def test_a_training_that_ends_while_held_is_kept_as_a_version_and_not_published(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("retrain")
    bench.command("hold")

    bench.end(bench.passes("model-2"))

    assert bench.published == []
    assert (bench.results[-1].state, bench.results[-1].model_version) == ("refused", "2")
    bench.command("release_hold")
    assert bench.command("promote", version="2")[-1].state == "succeeded"


def test_a_training_that_ends_while_held_is_not_begun_again_for_another_champion(bench: Bench) -> None:
    bench.with_champions(2)
    bench.command("retrain")
    bench.command("rollback")
    bench.command("hold")
    bench.end(bench.passes("model-3"))

    assert bench.jobs == []
    assert bench.results[-1].state == "refused"


def test_a_recalibration_becomes_a_version_or_says_why_not(bench: Bench) -> None:
    assert bench.command("recalibrate")[-1].detail == "there is no champion to recalibrate"
    bench.with_champions(1)

    bench.command("recalibrate")
    assert bench.jobs[0].name == "recalibrate"
    bench.end(bench.passes("calibrated"))

    assert bench.published[-1].version == "2"
