"""The trainer as messages see it: what it answers, publishes, refuses, and remembers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.trainer.core.gate import Verdict
from services.trainer.core.orders import Judged, plain
from services.trainer.core.releases import Candidate
from services.trainer.service import Trainer
from services.trainer.settings import TrainerSettings
from shared.messages import (
    Artifact,
    Command,
    CommandResult,
    Lineage,
    Metrics,
    ModelPublished,
    PipelineDefined,
    Window,
)
from shared.pipeline.specification import Specification
from shared.service import Batch, Job, JobResult, Step

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PIPELINE = "prices"
CANARY = {"shadow_rows": 100, "canary": [{"weight": 0.1, "rows": 200}, {"weight": 0.5, "rows": 300}]}


def specification(**parts: Any) -> Specification:
    document = {
        "name": PIPELINE,
        "kind": "binary",
        "schema": {"x": {"type": "number"}, "y": {"type": "boolean"}},
        "target": "y",
        "models": {"min_rows": 100},
        **parts,
    }
    return Specification.model_validate(document)


def candidate(name: str, spec: Specification, accuracy: float = 0.8) -> Candidate:
    lineage = Lineage(
        features_ranges={"0": (0, 100)},
        labels_ranges={"0": (0, 100)},
        data_hash="hash",
        rows=100,
        specification_version=1,
        specification_digest=spec.digest,
        code_revision="abc",
        seed=0,
        libraries={},
    )
    return Candidate(
        artifact=Artifact(uri=f"sha256:{name}", sha256=name, format="skops", size=1, signature="s"),
        features=spec.feature_names,
        definition=spec.definition,
        kind="binary",
        lineage=lineage,
        metrics={"accuracy": accuracy},
    )


class Bench:
    """A trainer, and what it said: messages are kept in order, jobs until they are ended."""

    def __init__(self, *, registry: bool = False, **parts: Any) -> None:
        self.spec = specification(**parts)
        self.trainer = Trainer(TrainerSettings(code_revision="abc", registry=registry))
        self.results: list[CommandResult] = []
        self.published: list[ModelPublished] = []
        self.jobs: list[Job] = []
        self.commands = 0
        self.now = NOW
        self.define(self.spec)

    def take(self, step: Step) -> None:
        for out in step.messages:
            kept = self.results if isinstance(out.message, CommandResult) else self.published
            kept.append(out.message)  # type: ignore[arg-type]
        self.jobs += step.jobs

    def define(self, spec: Specification, version: int = 1, removed: bool = False) -> None:
        defined = PipelineDefined(
            pipeline=PIPELINE,
            version=version,
            digest=spec.digest,
            specification=spec.canonical,
            at=self.now,
            issued_by="person:test",
            removed=removed,
        )
        self.take(self.trainer.on_pipelines(Batch("pipelines", 0, [version], [defined]), self.now))

    def metrics(self, labelled: int, *, index: int = 0, **parts: Any) -> None:
        window = Window(index=index, first_row=0, last_row=0, rows=1, positions=parts.pop("positions", {}))
        seen = {"rows_seen": labelled, "labelled_seen": labelled, **parts}
        told = Metrics(pipeline=PIPELINE, family="performance", at=self.now, window=window, values={}, **seen)
        self.take(self.trainer.on_metrics(Batch("metrics", 0, [0], [told]), self.now))

    def command(self, action: Any, name: str = "", **arguments: Any) -> list[CommandResult]:
        """What was answered to this command, by the time the step had ended."""
        self.commands += 1
        order = Command(
            id=name or f"c{self.commands}",
            incident="i1",
            pipeline=PIPELINE,
            action=action,
            arguments=arguments,
            reason="test",
            issued_by="person:test",
            at=self.now,
            deadline=self.now + timedelta(minutes=10),
        )
        before = len(self.results)
        self.take(self.trainer.on_commands(Batch("commands", 0, [0], [order]), self.now))
        return self.results[before:]

    def end(self, result: dict[str, Any] | None = None, error: str | None = None) -> None:
        job = self.jobs.pop(0)
        ended = JobResult(job.id, job.name, 3.0, result, error)
        self.take(self.trainer.on_job(ended, self.now))

    def tick(self, seconds: float = 1.0) -> None:
        self.now += timedelta(seconds=seconds)
        self.take(self.trainer.on_tick(self.now))

    def passes(self, name: str, spec: Specification | None = None) -> dict[str, Any]:
        verdict = Verdict(passed=True, metric="accuracy", reasons=("better",), rows=50)
        return plain(Judged(verdict=verdict, candidate=candidate(name, spec or self.spec), cost_seconds=2.5))

    def refuses(self) -> dict[str, Any]:
        return plain(Judged(verdict=Verdict(passed=False, metric="accuracy", reasons=("not better",), rows=50)))

    def with_champions(self, count: int) -> Bench:
        self.metrics(100)
        self.end(self.passes("model-1"))
        for number in range(2, count + 1):
            self.command("retrain")
            self.end(self.passes(f"model-{number}"))
        self.published.clear()
        self.results.clear()
        return self


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_first_model_is_trained_once_there_are_labelled_rows_enough(bench: Bench) -> None:
    bench.metrics(99)
    assert bench.jobs == []

    bench.metrics(100)
    bench.metrics(150)

    assert [job.name for job in bench.jobs] == ["train"]
    bench.end(bench.passes("model"))
    (published,) = bench.published
    assert (published.version, published.stage, published.previous) == ("1", "champion", None)
    bench.metrics(500)
    assert bench.jobs == []


def test_an_anomaly_pipeline_counts_all_rows_for_its_first_model() -> None:
    bench = Bench(kind="anomaly", target=None)

    bench.metrics(0, rows_seen=100)

    assert [job.name for job in bench.jobs] == ["train"]


def test_a_first_model_that_the_gate_refused_is_tried_again_with_more_rows(bench: Bench) -> None:
    bench.metrics(100)
    bench.end(bench.refuses())

    bench.metrics(110)
    assert bench.jobs == []
    bench.metrics(125)
    assert len(bench.jobs) == 1
    assert bench.published == []


def test_a_first_training_that_broke_is_tried_again_after_a_pause(bench: Bench) -> None:
    bench.metrics(100)
    bench.end(error="the log could not be read")

    bench.tick(5)
    assert bench.jobs == []
    bench.tick(15)
    assert len(bench.jobs) == 1


def test_changed_features_need_a_first_model_of_their_own(bench: Bench) -> None:
    bench.with_champions(1)
    changed = specification(features={"double": "x * 2"})

    bench.define(changed, version=2)
    bench.metrics(199)
    assert bench.jobs == []
    bench.metrics(200)
    bench.end(bench.passes("new", changed))

    assert (bench.published[0].version, bench.published[0].stage) == ("2", "champion")


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


def test_what_a_person_forces_is_not_judged_twice(bench: Bench) -> None:
    bench.with_champions(2)
    bench.command("promote", candidate=plain(candidate("theirs", bench.spec)), force=True)
    bench.command("rollback")
    bench.end(bench.passes("theirs"))

    assert bench.jobs == []
    assert [each.version for each in bench.published] == ["1", "3"]


def test_a_rollback_publishes_the_champion_before_as_champion(bench: Bench) -> None:
    bench.with_champions(2)

    answered = bench.command("rollback")

    assert [each.state for each in answered] == ["accepted", "succeeded"]
    (published,) = bench.published
    assert (published.version, published.stage, published.previous) == ("1", "champion", "2")
    assert published.artifact.sha256 == "model-1"


def test_rollbacks_go_ever_further_back_until_there_is_no_good_version_left(bench: Bench) -> None:
    bench.with_champions(3)

    answered = [bench.command("rollback")[-1] for _ in range(3)]

    assert [each.model_version for each in answered] == ["2", "1", None]
    assert (answered[-1].state, answered[-1].detail) == ("failed", "no good version to go back to")


def test_a_withdrawn_version_is_promoted_again_by_force_only(bench: Bench) -> None:
    bench.with_champions(2)
    bench.command("rollback")

    assert bench.command("promote", version="2")[-1].state == "refused"
    assert bench.command("promote", version="2", force=True)[-1].state == "succeeded"
    assert bench.published[-1].version == "2"


def test_promoting_what_is_unknown_fails_and_names_what_is_known(bench: Bench) -> None:
    bench.with_champions(2)

    (failed,) = bench.command("promote", version="9")

    assert (failed.state, failed.detail) == ("failed", "there is no version 9; known are 1, 2")


def test_while_held_nothing_is_trained_or_promoted_but_a_rollback_works(bench: Bench) -> None:
    bench.with_champions(2)
    bench.command("hold")

    assert bench.command("retrain")[-1].state == "refused"
    assert bench.command("promote", version="1", force=True)[-1].state == "refused"
    assert bench.command("rollback")[-1].state == "succeeded"
    bench.command("release_hold")
    assert bench.command("retrain")[-1].state == "running"


def test_a_training_that_ends_while_held_is_kept_as_a_version_and_not_published(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("retrain")
    bench.command("hold")

    bench.end(bench.passes("model-2"))

    assert bench.published == []
    assert (bench.results[-1].state, bench.results[-1].model_version) == ("refused", "2")
    bench.command("release_hold")
    assert bench.command("promote", version="2")[-1].state == "succeeded"


def test_no_first_model_is_trained_while_held(bench: Bench) -> None:
    bench.command("hold")

    bench.metrics(500)
    assert bench.jobs == []
    bench.command("release_hold")
    bench.tick()
    assert len(bench.jobs) == 1


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


def test_quarantined_stretches_are_left_out_of_every_training_after_also_when_ended(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("quarantine_source", source="a", fields=["x"], since={"0": 50})
    bench.command("retrain")
    assert bench.jobs[0].arguments["rows"]["excluded"] == [[0, 50, None]]
    bench.end(bench.refuses())

    bench.command("release_source", source="a", fields=["x"], until={"0": 80})
    bench.command("retrain")

    assert bench.jobs[0].arguments["rows"]["excluded"] == [[0, 50, 80]]


def test_a_version_trained_on_rows_that_were_quarantined_meanwhile_is_not_released(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("retrain")
    bench.command("quarantine_source", source="a", fields=["x"], since={"0": 90})

    bench.end(bench.passes("model-2"))

    assert bench.published == []
    assert bench.results[-1].state == "failed"
    assert "quarantined while it was trained" in bench.results[-1].detail


def test_a_version_trained_on_rows_before_the_quarantine_is_released(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("retrain")
    bench.command("quarantine_source", source="a", fields=["x"], since={"0": 100})

    bench.end(bench.passes("model-2"))

    assert [each.version for each in bench.published] == ["2"]


def test_a_release_without_an_offset_ends_the_stretch_where_the_stream_was_last_seen(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("quarantine_source", source="a", fields=["x"], since={"0": 50})
    bench.metrics(120, positions={"0": 90})
    bench.command("release_source", source="a", fields=["x"])

    bench.command("retrain")

    assert bench.jobs[0].arguments["rows"]["excluded"] == [[0, 50, 90]]


def test_a_quarantine_that_ingest_refused_leaves_nothing_out(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("quarantine_source", name="q", source="a", fields=["x"], since={"0": 50})
    refusal = CommandResult(command="q", pipeline=PIPELINE, state="refused", at=NOW, service="ingest")
    bench.take(bench.trainer.on_command_results(Batch("command-results", 0, [0], [refusal]), NOW))

    bench.command("retrain")

    assert bench.jobs[0].arguments["rows"].get("excluded", []) == []


def test_a_release_of_all_fields_ends_what_was_withheld_field_by_field_and_one_of_others_nothing(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("quarantine_source", name="q", source="a", fields=["x"], since={"0": 50})
    bench.command("quarantine_source", name="q", source="a", fields=["x"], since={"0": 50})
    bench.command("release_source", source="b", until={"0": 60})
    bench.command("release_source", source="a", until={"0": 80})

    bench.command("retrain")

    assert bench.jobs[0].arguments["rows"]["excluded"] == [[0, 50, 80]]


def test_a_training_that_ends_while_held_is_not_begun_again_for_another_champion(bench: Bench) -> None:
    bench.with_champions(2)
    bench.command("retrain")
    bench.command("rollback")
    bench.command("hold")
    bench.end(bench.passes("model-3"))

    assert bench.jobs == []
    assert bench.results[-1].state == "refused"


def test_a_release_in_steps_goes_from_shadow_over_canaries_to_champion() -> None:
    bench = Bench(release=CANARY).with_champions(1)
    bench.command("retrain")
    bench.end(bench.passes("model-2"))

    for seen in (150, 200, 399, 400, 699, 700):
        bench.metrics(seen)

    assert [(each.stage, each.weight) for each in bench.published] == [
        ("shadow", 0.0),
        ("canary", 0.1),
        ("canary", 0.5),
        ("champion", 1.0),
    ]
    assert bench.published[-1].previous == "1"


def test_a_canary_that_does_worse_than_the_champion_is_withdrawn() -> None:
    bench = Bench(release=CANARY).with_champions(1)
    bench.command("retrain")
    bench.end(bench.passes("model-2"))
    shown = {"1": {"rows": 60.0, "accuracy": 0.9}, "2": {"rows": 60.0, "accuracy": 0.7}}

    bench.metrics(160, by_version=shown)

    assert [(each.version, each.stage) for each in bench.published] == [("2", "shadow"), ("2", "retired")]
    bench.metrics(900)
    assert len(bench.published) == 2


def test_traffic_is_shifted_to_a_known_version_and_back(bench: Bench) -> None:
    bench.with_champions(2)
    bench.command("rollback")
    bench.published.clear()

    assert bench.command("shift_traffic", version="2", weight=0.2)[-1].state == "refused"
    assert bench.command("shift_traffic", version="2", weight=0.2, force=True)[-1].state == "succeeded"
    assert bench.command("shift_traffic", version="2", weight=0)[-1].state == "succeeded"
    assert bench.command("shift_traffic", version="2", weight=7)[-1].state == "refused"

    assert [(each.version, each.stage, each.weight) for each in bench.published] == [
        ("2", "canary", 0.2),
        ("2", "retired", 0.0),
    ]


def test_a_model_from_outside_is_judged_first_and_with_force_becomes_champion_whatever_it_shows(bench: Bench) -> None:
    bench.with_champions(1)
    brought = plain(candidate("brought", bench.spec))

    answered = bench.command("promote", candidate=brought, force=True)
    assert [each.state for each in answered] == ["accepted", "running"]
    assert (bench.jobs[0].name, bench.jobs[0].arguments["forced"]) == ("judge", True)
    verdict = Verdict(passed=False, metric="accuracy", reasons=("not better",), rows=50)
    bench.end(plain(Judged(verdict=verdict, candidate=candidate("brought", bench.spec, 0.2))))

    assert (bench.published[0].version, bench.published[0].stage) == ("2", "champion")
    assert bench.results[-1].state == "succeeded"
    assert bench.command("rollback")[-1].model_version == "1"


@pytest.mark.parametrize("broken", [{"artifact": 1}, {}, "a path"])
def test_a_candidate_that_is_none_is_refused(broken: object) -> None:
    (refused,) = Bench().with_champions(1).command("promote", candidate=broken)

    assert refused.state == "refused"


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


def test_a_recalibration_becomes_a_version_or_says_why_not(bench: Bench) -> None:
    assert bench.command("recalibrate")[-1].detail == "there is no champion to recalibrate"
    bench.with_champions(1)

    bench.command("recalibrate")
    assert bench.jobs[0].name == "recalibrate"
    bench.end(bench.passes("calibrated"))

    assert bench.published[-1].version == "2"


def test_every_job_is_json(bench: Bench) -> None:
    bench.with_champions(1)
    bench.command("retrain", since={"0": 1})

    for job in bench.trainer.pending_jobs():
        assert msgspec.json.decode(msgspec.json.encode(job.arguments)) == job.arguments


def refusal(bench: Bench, version: str, service: str = "predictor") -> None:
    """`service` says that `version` failed."""
    result = CommandResult(
        command="c9",
        pipeline=PIPELINE,
        state="failed",
        at=bench.now,
        service=service,
        detail="hash differs",
        model_version=version,
    )
    bench.take(bench.trainer.on_command_results(Batch("command-results", 0, [0], [result]), bench.now))


def test_where_the_predictor_refuses_a_version_the_one_before_is_named_as_live_again(bench: Bench) -> None:
    bench.with_champions(3)
    bench.command("rollback", to_version="1")

    refusal(bench, "1")

    assert [(p.version, p.stage) for p in bench.published] == [("1", "champion"), ("3", "champion")]
    assert bench.published[-1].reason == "goes on: hash differs"
    bench.command("rollback")
    assert bench.published[-1].version == "2"


def test_a_refusal_of_what_is_not_live_or_by_another_service_changes_nothing(bench: Bench) -> None:
    bench.with_champions(2)

    refusal(bench, "1")
    refusal(bench, "2", service="trainer")

    assert bench.published == []
