"""The names that a specification may use are those that the parts behind them know."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from services.remediator.core.policies import problems_in
from services.trainer.core.candidates import DEFAULTS, candidates_for
from services.trainer.core.evaluate import Outcome, measures
from shared.pipeline import vocabulary
from shared.pipeline.check import checked
from shared.pipeline.specification import Kind, Policy

KINDS: tuple[Kind, ...] = get_args(Kind)
TRUTH = np.array([0.0, 1.0, 0.0, 1.0])
THREE = np.array([0.0, 1.0, 2.0])
SHOWN = {
    "binary": (TRUTH, Outcome(TRUTH, probabilities=np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])), 2),
    "multiclass": (
        THREE,
        Outcome(THREE, probabilities=np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.2, 0.7]])),
        3,
    ),
    "regression": (TRUTH, Outcome(np.array([0.1, 0.9, 0.2, 0.8])), 0),
    "anomaly": (TRUTH, Outcome(TRUTH, scores=np.array([0.1, 0.9, 0.2, 0.8])), 0),
}


def specification(rung: dict[str, object], **when: object) -> dict[str, object]:
    return {
        "name": "p",
        "kind": "binary",
        "schema": {"x": {"type": "number"}, "y": {"type": "boolean"}},
        "target": "y",
        "policies": [{"name": "mine", "when": when, "ladder": [rung]}],
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_learners_of_a_specification_are_the_trainers(kind: Kind) -> None:
    assert sorted(vocabulary.CANDIDATES[kind]) == sorted(DEFAULTS[kind])
    assert [each.name for each in candidates_for(kind, vocabulary.CANDIDATES[kind])] == [*vocabulary.CANDIDATES[kind]]


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_a_gate_may_name_is_one_the_trainer_measures(kind: Kind) -> None:
    truth, outcome, classes = SHOWN[kind]

    assert set(vocabulary.METRICS[kind]) <= set(measures(kind, truth, outcome, classes))


@pytest.mark.parametrize(
    ("rung", "when", "field"),
    [
        ({"action": "pray"}, {}, "policies[0].ladder[0].action"),
        ({"action": "retrain", "metric": "data.psi.x"}, {}, "policies[0].ladder[0].metric"),
        ({"action": "retrain"}, {"kinds": ["bad_luck"]}, "policies[0].when.kinds"),
        ({"action": "retrain"}, {"causes": ["gremlins"]}, "policies[0].when.causes"),
    ],
)
def test_a_policy_that_cannot_be_carried_out_is_refused_with_the_specification(
    rung: dict[str, object], when: dict[str, object], field: str
) -> None:
    _, (problem,) = checked(specification(rung, **when))

    assert problem.field == field


@pytest.mark.parametrize(
    "metric", ["performance.accuracy", "estimate.accuracy", "alert.resolved", "data.psi.x", "service.lag", "nonsense"]
)
def test_the_check_of_a_specification_and_the_remediator_agree_on_a_policy(metric: str) -> None:
    rung: dict[str, object] = {"action": "retrain", "metric": metric}
    policy = Policy.model_validate({"name": "mine", "when": {"kinds": ["performance"]}, "ladder": [rung]})

    refused = bool(checked(specification(rung, kinds=["performance"]))[1])

    assert refused == bool(problems_in(policy))
