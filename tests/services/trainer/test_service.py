"""The trainer as messages see it: what it answers, refuses, tells MLflow, and remembers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from services.trainer.core.orders import plain
from services.trainer.service import Trainer
from services.trainer.settings import TrainerSettings
from shared.messages import Command
from shared.service import Batch
from tests.services.trainer.bench import NOW, PIPELINE, Bench, candidate


@pytest.mark.parametrize(
    ("action", "arguments"),
    [("retrain", {}), ("rollback", {}), ("promote", {"version": "1", "force": True}), ("hold", {})],
)
def test_a_repeated_command_gives_the_same_answer_and_no_second_effect(action: str, arguments: dict[str, Any]) -> None:
    bench = Bench().with_champions(3)
    first = bench.command(action, "same", **arguments)
    published, jobs, state = list(bench.published), list(bench.jobs), bench.trainer.save()

    again = bench.command(action, "same", **arguments)

    assert again == first[-1:]
    assert (bench.published, bench.jobs, bench.trainer.save()) == (published, jobs, state)


def test_a_command_past_its_deadline_expires_and_what_its_job_still_yields_is_dropped(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("retrain")

    bench.tick(601)
    assert bench.results[-1].state == "expired"
    bench.end(bench.passes("late"))

    assert (bench.published, bench.results[-1].state) == ([], "expired")


def test_a_command_that_comes_after_its_deadline_expires_at_once(bench: Bench) -> None:
    bench.with_champions(1)
    late = Command(
        id="late",
        incident="i",
        pipeline=PIPELINE,
        action="retrain",
        arguments={},
        reason="",
        issued_by="person:test",
        at=NOW,
        deadline=NOW,
    )

    bench.take(bench.trainer.on_commands(Batch("commands", 0, [0], [late]), NOW + timedelta(seconds=1)))

    assert [each.state for each in bench.results] == ["expired"]
    assert bench.jobs == []


@pytest.mark.parametrize("arguments", [{"since": {"0": "x"}}, {"since": [1]}])
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any]) -> None:
    bench = Bench().with_champions(1)

    (refused,) = bench.command("retrain", **arguments)

    assert refused.state == "refused"
    assert "offset" in refused.detail


def test_an_unknown_pipeline_is_refused_and_other_services_commands_are_left_alone(bench: Bench) -> None:
    bench.define(bench.spec, version=2, removed=True)

    assert bench.command("retrain")[-1].state == "refused"
    assert bench.command("restart_service", service="monitor") == []
    assert bench.command("quarantine_source", source="a", fields=["x"], since={"0": 1}) == []


def test_state_survives_a_restart_and_jobs_under_way_are_asked_for_again(bench: Bench) -> None:
    bench.with_champions(2)
    bench.command("retrain")
    restarted = Trainer(TrainerSettings(code_revision="abc"))

    restarted.restore(bench.trainer.save())

    assert restarted.save() == bench.trainer.save()
    assert restarted.pending_jobs() == bench.jobs
    before, bench.trainer = bench.trainer, restarted
    bench.end(bench.passes("model-3"))
    assert bench.published[-1].previous == "2"
    assert before.save() != restarted.save()


def test_a_model_that_is_judged_beside_a_training_survives_a_restart_too_and_each_ends_by_its_own_deadline(
    bench: Bench,
) -> None:
    bench.with_champions(1)
    bench.command("retrain", "slow")
    bench.now += timedelta(minutes=5)
    bench.command("promote", "theirs", candidate=plain(candidate("theirs", bench.spec)))
    restarted = Trainer(TrainerSettings(code_revision="abc"))

    restarted.restore(bench.trainer.save())

    assert restarted.pending_jobs() == bench.jobs
    bench.trainer = restarted
    bench.tick(301)
    assert [(each.command, each.state) for each in bench.results[-1:]] == [("slow", "expired")]
    assert [job.name for job in bench.trainer.pending_jobs()] == ["judge"]


def test_mlflow_is_told_of_each_version_when_no_training_waits_and_publishing_never_does() -> None:
    bench = Bench(registry=True)
    bench.metrics(100)
    bench.end(bench.passes("model-1"))
    assert (len(bench.published), bench.jobs) == (1, [])

    bench.tick()

    assert bench.jobs[0].name == "register"
    assert bench.jobs[0].arguments["aliases"] == {"champion": "1", "challenger": None, "previous": None}
    bench.end({"mlflow_version": "1"})
    bench.tick()
    assert bench.jobs == []


def test_mlflow_that_is_away_is_tried_again_with_growing_pauses_and_in_a_job_of_its_own() -> None:
    bench = Bench(registry=True)
    bench.metrics(100)
    bench.end(bench.passes("model-1"))
    pauses, ids, since = [], set(), bench.now

    while len(pauses) < 12:
        bench.tick()
        if bench.jobs:
            pauses.append((bench.now - since).total_seconds())
            since = bench.now
            ids.add(bench.jobs[0].id)
            bench.end(error="MLflow does not answer")

    assert pauses[1:5] == [5, 10, 20, 40]
    assert max(pauses) == 300
    assert len(ids) == 12


def test_a_removed_pipeline_comes_back_with_its_versions_counted_on(bench: Bench) -> None:
    bench.with_champions(2)
    bench.define(bench.spec, version=2, removed=True)
    bench.define(bench.spec, version=3)
    bench.metrics(99, index=1)
    assert bench.jobs == []

    bench.metrics(100, index=2)
    bench.end(bench.passes("model-3"))

    assert [(each.version, each.stage) for each in bench.published] == [("3", "champion")]


def test_every_job_is_json(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("retrain", since={"0": 1})

    for job in bench.trainer.pending_jobs():
        assert msgspec.json.decode(msgspec.json.encode(job.arguments)) == job.arguments
