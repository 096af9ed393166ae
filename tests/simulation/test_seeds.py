"""Seeded runs: each keeps every promise, and a seed says the same wherever and however it is run."""

from __future__ import annotations

from functools import cache
from itertools import chain

import pytest

from homeostat.simulation.campaign import Outcome, Tally, outcomes
from homeostat.simulation.faults import FAULTS, plan_of
from homeostat.simulation.world import STREAM_ENDS, world_of
from shared.errors import Misconfigured

SEEDS = range(50)
GROUPS = 4
"""Shared by two processes of the test command; one world's seeds are together: its run without faults is made once."""


@pytest.mark.parametrize("group", range(GROUPS))
@pytest.mark.timeout(600)
def test_no_fault_breaks_a_promise(group: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    by_world = sorted(SEEDS, key=lambda seed: world_of(seed).name)
    seeds = by_world[len(SEEDS) * group // GROUPS : len(SEEDS) * (group + 1) // GROUPS]

    found = list(outcomes(seeds, (), tmp_path_factory.mktemp("runs"), 1))

    assert [(one.seed, one.error, one.violations) for one in found if not one.held] == []


def test_the_seeds_of_the_tests_draw_every_fault() -> None:
    drawn = chain.from_iterable(plan_of(seed, until=STREAM_ENDS).faults for seed in SEEDS)

    assert {fault.name for fault in drawn} == set(FAULTS)


def test_chosen_faults_are_the_only_ones() -> None:
    plan = plan_of(7, ("poison", "crash"), until=STREAM_ENDS)

    assert {fault.name for fault in plan.faults} == {"poison", "crash"}


def test_an_unknown_fault_is_refused_by_name() -> None:
    with pytest.raises(Misconfigured, match="meteorite"):
        plan_of(7, ("meteorite",), until=STREAM_ENDS)


@cache
def _plans() -> list[str]:
    return [repr(plan_of(seed, until=STREAM_ENDS)) for seed in range(200)]


def test_seeds_draw_different_plans() -> None:
    assert len(set(_plans())) > 190


def test_a_tally_counts_a_failed_seed_under_its_faults_and_invariants() -> None:
    tally = Tally()

    tally.add(Outcome(1, "w", ("crash",)))
    tally.add(Outcome(2, "w", ("crash", "poison"), error="RuntimeError: never idle"))

    assert (tally.runs, [one.seed for one in tally.failed]) == (2, [2])
    assert tally.failed_by_fault == {"crash": 1, "poison": 1}
    assert tally.by_invariant == {"the run broke down": 1}
