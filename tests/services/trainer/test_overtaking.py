"""A person's choice of the live version, and a training of upkeep that ends before, with or after it."""

from __future__ import annotations

import pytest

from services.trainer.core.orders import plain
from tests.services.trainer.bench import CANARY, Bench, candidate

UPKEEP = {"proof": 0.2, "search": False, "gives_way": True}


@pytest.mark.parametrize("first", ["training", "person"])
@pytest.mark.parametrize("brought", [False, True])
def test_what_a_person_promotes_answers_in_the_end_whenever_the_training_of_upkeep_ends(
    bench: Bench, first: str, brought: bool
) -> None:
    bench.with_champions(2)
    bench.by("policy:keep-fresh@default", "retrain", "upkeep", **UPKEEP)
    if first == "training" and not brought:
        bench.end(bench.passes("model-3"))
    theirs = {"candidate": plain(candidate("theirs", bench.spec))} if brought else {"version": "1"}
    bench.command("promote", force=True, **theirs)
    if brought and first == "training":
        bench.end(bench.passes("model-3"))
        bench.end(bench.passes("theirs"))
    elif brought:
        bench.end(bench.passes("theirs"), job=1)
    if first == "person":
        bench.end(bench.passes("model-3"))

    assert bench.published[-1].artifact.sha256 == ("theirs" if brought else "model-1")
    assert bench.published[-1].stage == "champion"
    assert bench.jobs == []
    upkeep = [each for each in bench.results if each.command == "upkeep"][-1]
    assert upkeep.state == ("succeeded" if first == "training" else "failed")
    assert ("gives way" in upkeep.detail) == (first == "person")


def test_a_version_that_upkeep_put_on_trial_ends_its_trial_when_a_person_promotes_another() -> None:
    bench = Bench(release=CANARY).with_champions(1)
    bench.by("policy:keep-fresh@default", "retrain", **UPKEEP)
    bench.end(bench.passes("model-2"))
    bench.command("promote", candidate=plain(candidate("theirs", bench.spec)), force=True)
    bench.end(bench.passes("theirs"))
    for seen in (300, 600, 900):
        bench.metrics(seen)

    assert [(each.version, each.stage) for each in bench.published] == [
        ("2", "shadow"),
        ("3", "champion"),
        ("2", "retired"),
    ]
    assert bench.published[-1].reason == "a person made version 3 the champion"
    assert bench.command("promote", version="2", force=True)[-1].state == "succeeded", "a person may still choose it"


def test_a_version_that_a_person_promotes_from_its_trial_is_not_withdrawn() -> None:
    bench = Bench(release=CANARY).with_champions(1)
    bench.by("policy:keep-fresh@default", "retrain", **UPKEEP)
    bench.end(bench.passes("model-2"))
    bench.command("promote", version="2")

    assert [(each.version, each.stage) for each in bench.published] == [("2", "shadow"), ("2", "champion")]


def test_a_policy_s_rollback_leaves_what_is_on_trial_to_its_trial() -> None:
    bench = Bench(release=CANARY).with_champions(1)
    bench.command("promote", candidate=plain(candidate("theirs", bench.spec)), force=True)
    bench.end(bench.passes("theirs"))
    bench.by("policy:keep-fresh@default", "retrain", **UPKEEP)
    bench.end(bench.passes("model-3"))
    bench.by("policy:roll-back-bad-version@default", "rollback")

    assert [(each.version, each.stage) for each in bench.published][1:] == [("3", "shadow"), ("1", "champion")]
