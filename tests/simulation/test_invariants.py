"""Every invariant catches the break of its promise, and none is broken where nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeostat.simulation.faults import Fault, Plan
from homeostat.simulation.invariants import INVARIANTS, violations_in
from homeostat.simulation.world import World, build
from shared.messages import ModelPublished
from shared.models.store import FileStore
from tests.simulation.breaks import BROKEN_FIELD, BURST, CALM, NO_LABELS, OTHER_CONCEPT, Break, broken, run
from tests.simulation.breaks_of_control import OF_CONTROL
from tests.simulation.breaks_of_data import OF_DATA
from tests.simulation.breaks_of_models import OF_MODELS
from tests.simulation.mutants.models import unsigned, with_all
from tests.simulation.mutants.wrapper import messages, mutated

BREAKS = (*OF_DATA, *OF_MODELS, *OF_CONTROL)


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: case.invariant)
def test_the_break_of_a_promise_is_caught(case: Break, tmp_path: Path) -> None:
    assert case.invariant in broken(run(case, tmp_path))


def test_predictors_that_take_unsigned_models_are_caught(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "with" / "artifacts")
    case = Break("verified-artefacts", CALM, change=lambda services: unsigned(services, store))

    assert "verified-artefacts" in broken(run(case, tmp_path))


def test_a_trainer_that_leaves_nothing_out_is_caught_by_its_rows(tmp_path: Path) -> None:
    made = run(Break("", BROKEN_FIELD, BURST, mutated("trainer", said=messages(ModelPublished, with_all))), tmp_path)

    assert any("which were quarantined" in each.detail for each in violations_in(made))


def test_rows_after_the_monitor_saw_the_field_right_again_may_be_trained_on(tmp_path: Path) -> None:
    made = run(Break("", BROKEN_FIELD, BURST), tmp_path)

    assert "clean-training" not in broken(made)


def test_the_newest_of_rows_that_came_out_of_order_are_not_all_that_their_ranges_hold(tmp_path: Path) -> None:
    late = Plan(378, (Fault("out-of-order", 5.271, 5.438, amount=0.81),), shuffled=True)

    made = run(Break("", build("binary", "concept-change", 1), late), tmp_path)

    assert "clean-training" not in broken(made)


def test_there_is_a_break_for_every_invariant() -> None:
    tried = {case.invariant for case in BREAKS}

    assert tried == set(INVARIANTS)


@pytest.mark.parametrize("world", [CALM, BROKEN_FIELD, OTHER_CONCEPT, NO_LABELS], ids=lambda world: world.name)
def test_a_run_without_faults_keeps_every_promise(world: World, tmp_path: Path) -> None:
    assert violations_in(run(Break("", world), tmp_path)) == []
