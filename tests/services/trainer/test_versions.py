"""Which version is live: promoted, rolled back, on trial, refused."""

from __future__ import annotations

import pytest

from services.trainer.core.gate import Verdict
from services.trainer.core.orders import Judged, plain
from shared.messages import CommandResult
from shared.service import Batch
from tests.services.trainer.bench import CANARY, PIPELINE, Bench, candidate


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
