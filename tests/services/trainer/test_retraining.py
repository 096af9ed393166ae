"""Retraining as messages see it: what is accepted, judged and published."""

from __future__ import annotations

from services.trainer.core.orders import plain
from tests.services.trainer.bench import Bench, candidate


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


def test_a_training_that_breaks_at_its_second_go_cost_what_both_took(bench: Bench) -> None:
    bench.with_champions(2)
    bench.command("retrain", name="slow")
    bench.command("rollback")
    bench.end(bench.passes("model-3"))
    bench.end(error="the worker was killed")

    done = bench.results[-1]
    assert (done.command, done.state, done.cost_seconds) == ("slow", "failed", 2.5 + 3.0)


def test_a_model_that_someone_brings_is_judged_beside_the_training_and_the_training_then_against_it(
    bench: Bench,
) -> None:
    bench.with_champions(1)
    bench.command("retrain", name="slow")
    bench.command("promote", candidate=plain(candidate("theirs", bench.spec)), force=True)
    assert [(job.name, job.urgent) for job in bench.jobs] == [("train", False), ("judge", True)]
    bench.end(bench.passes("theirs"), job=1)
    assert [each.version for each in bench.published] == ["2"]

    bench.end(bench.passes("model-2"))

    (again,) = bench.jobs
    assert again.arguments["champion"]["artifact"]["sha256"] == "theirs"
    bench.end(bench.refuses())
    assert (bench.results[-1].command, bench.results[-1].state) == ("slow", "failed")
    assert [each.version for each in bench.published] == ["2"]


def test_a_model_that_someone_brings_unforced_is_judged_once_more_if_a_training_overtakes_it(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("retrain")
    bench.command("promote", candidate=plain(candidate("theirs", bench.spec)))
    bench.end(bench.passes("model-2"))
    bench.end(bench.passes("theirs"))

    (again,) = bench.jobs
    assert (again.name, again.urgent) == ("judge", True)
    assert again.arguments["champion"]["artifact"]["sha256"] == "model-2"
    assert again.arguments["candidate"]["artifact"]["sha256"] == "theirs"
    assert [each.version for each in bench.published] == ["2"]


def test_versions_change_at_once_while_a_training_runs(bench: Bench) -> None:
    bench.with_champions(3)
    bench.command("retrain")

    assert bench.command("rollback")[-1].state == "succeeded"
    assert bench.command("promote", version="1", force=True)[-1].state == "succeeded"
    assert bench.command("shift_traffic", version="2", weight=0.5)[-1].state == "succeeded"
    assert [(each.version, each.stage) for each in bench.published] == [
        ("2", "champion"),
        ("1", "champion"),
        ("2", "canary"),
    ]
    assert len(bench.jobs) == 1


def test_two_models_that_are_brought_at_once_are_judged_one_after_the_other(bench: Bench) -> None:
    bench.with_champions(1)
    theirs = plain(candidate("theirs", bench.spec))
    bench.command("promote", "first", candidate=theirs)

    (refused,) = bench.command("promote", "second", candidate=theirs)

    assert refused.state == "refused"
    assert "first" in refused.detail


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
