"""What the simulation gives to those who build on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeostat.simulation import Simulation
from shared.pipeline.specification import Specification
from shared.topics import DEAD_LETTERS, LABELS, PREDICTIONS

KINDS = {
    "binary": {"type": "integer", "allowed": [0, 1]},
    "regression": {"type": "number"},
    "anomaly": None,
}


def _specification(kind: str) -> Specification:
    target = KINDS[kind]
    fields = {"x": {"type": "number"}, **({} if target is None else {"y": target})}
    return Specification.model_validate(
        {"name": "small", "kind": kind, "schema": fields, "target": None if target is None else "y"}
    )


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_pipeline_answers_each_row(kind: str, tmp_path: Path) -> None:
    simulation = Simulation(_specification(kind), tmp_path)

    simulation.put_rows([{"id": "a", "x": 1.0}, {"id": "b", "x": 2.0, "y": 1}])
    simulation.advance(1.0)

    assert [answer.id for answer in simulation.messages(PREDICTIONS)] == ["a", "b"]
    assert simulation.messages(DEAD_LETTERS) == []


def test_rows_without_an_id_get_the_one_the_gateway_would_give(tmp_path: Path) -> None:
    simulation = Simulation(_specification("binary"), tmp_path)

    simulation.put_rows([{"x": 1.0}, {"x": 1.0}, {"x": 2.0}])
    simulation.advance(1.0)

    assert len({answer.id for answer in simulation.messages(PREDICTIONS)}) == 2


def test_a_label_comes_out_as_one(tmp_path: Path) -> None:
    simulation = Simulation(_specification("binary"), tmp_path)

    simulation.put_rows([{"id": "a", "x": 1.0}])
    simulation.put_labels([("a", 1)])
    simulation.advance(1.0)

    assert [(label.id, label.label) for label in simulation.messages(LABELS)] == [("a", 1)]
